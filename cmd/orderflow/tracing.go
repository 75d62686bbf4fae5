package main

import (
	"context"

	"github.com/orderflow/orderflow/internal/telemetry"
)

// startTracing begins to make OpenTelemetry spans under a service's name, when the
// variables OTEL_* ask for it. stop sends what is left.
func (env *environment) startTracing(ctx context.Context, service string) (stop func(), err error) {
	tracing, err := telemetry.NewTracing(ctx, service, env.lookupEnv)
	if err != nil {
		return nil, err
	}
	env.tracing = tracing
	return func() {
		if err := tracing.Close(); err != nil {
			// The work is done; only its traces are lost.
			env.log.Warn("the last traces could not be sent", "error", err)
		}
	}, nil
}
