package main

import (
	"context"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/rehearsal"
)

// newValidationEngine makes an engine in memory that has the topics, and the
// schemas of the configured Schema Registry.
func newValidationEngine(ctx context.Context, env *environment, topics map[string]int) (migrate.Engine, error) {
	registry, err := kafka.NewRegistry(kafkaConfig(env))
	if err != nil {
		return nil, err
	}
	engine, err := rehearsal.New(ctx, topics, registry.Client())
	if err != nil {
		return nil, err
	}
	return engine, nil
}
