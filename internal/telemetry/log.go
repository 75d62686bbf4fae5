// Package telemetry is how a running orderflow is observed: structured logs,
// Prometheus metrics, OpenTelemetry traces, and health.
//
// Invariants: a process has one Prometheus registry, handed to each service; metric
// names start with orderflow_. Health answers from what services said last and never
// blocks on them.
package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes to w. Level is debug, info, warn or
// error; format is text or json.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("setting up the log: level %q: %w", level, err)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	default:
		return nil, fmt.Errorf("setting up the log: format %q is neither text nor json", format)
	}
}
