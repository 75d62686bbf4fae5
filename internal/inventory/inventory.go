// Package inventory is the service that checks orders against the stock and keeps
// reservations.
//
// It reads orders-by-product.v1 and warehouse-inventory.v1 as one consumer group,
// writes what they mean to the stock ledger (see package ledger), reads the ledger
// back, and sends each order's INVENTORY_CHECK to order-validations.v1.
//
// Invariants:
//   - A check result is a fold over the ledger and is sent only after its entry was
//     read back. So any number of instances agree, also while partitions change hands.
//   - An input record's offset is committed only after its entry is in the ledger and
//     its check result is acknowledged. So everything is done at least once, and doing
//     it again has the same outcome.
//   - Input partitions are written to the ledger in offset order. After a failed write
//     nothing that follows is committed.
//   - An input record that makes no sense is counted, logged and passed over, and so is a
//     record of the ledger that no version of the service can have written. Behind an entry
//     of a newer version the service does nothing.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// DefaultGroup is the consumer group of the service's instances.
const DefaultGroup = "orderflow-inventory"

// Config says what the service works with.
type Config struct {
	// Kafka says which brokers and which Schema Registry to use.
	Kafka kafka.Config
	// Group is the consumer group. Empty means DefaultGroup.
	Group string
	// SnapshotDir is the directory of the ledger's snapshots, which bound how much of it is
	// read at the start. Empty: all is read.
	SnapshotDir string
	// Health gets the service's readiness check. Nil means one of its own.
	Health *telemetry.Health
	// Metrics gets the service's metrics. Nil means one of its own.
	Metrics prometheus.Registerer
	// Tracing makes the spans of orders. Nil makes none.
	Tracing *telemetry.Tracing
	// Logger gets the service's log. Nil means none.
	Logger *slog.Logger
}

// Service is one instance of the inventory service.
type Service struct {
	cfg      Config
	log      *slog.Logger
	registry *kafka.Registry
	metrics  *metrics
	skips    *kafka.Skips
	ready    atomic.Bool
	// halted is why the service stands still until somebody does something; nil when it does not.
	halted atomic.Pointer[error]
}

// New prepares a service; it connects when Run is called.
func New(cfg Config) (*Service, error) {
	if cfg.Group == "" {
		cfg.Group = DefaultGroup
	}
	if cfg.Health == nil {
		cfg.Health = &telemetry.Health{}
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Kafka.Validate(); err != nil {
		return nil, fmt.Errorf("setting up the inventory service: %w", err)
	}
	registry, err := kafka.NewRegistry(cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("setting up the inventory service: %w", err)
	}
	s := &Service{cfg: cfg, log: cfg.Logger, registry: registry, metrics: newMetrics(cfg.Metrics)}
	s.skips = kafka.NewSkips(cfg.Logger, func(topic string) { s.metrics.skipped.WithLabelValues(topic).Inc() })
	cfg.Health.Add("inventory", func() error {
		if why := s.halted.Load(); why != nil {
			return fmt.Errorf("the inventory service stands still: %w", *why)
		}
		if !s.Ready() {
			return errors.New("the inventory service has not taken over its partitions")
		}
		return nil
	})
	return s, nil
}

// Ready reports whether the service has its partitions and has read their ledger.
func (s *Service) Ready() bool { return s.ready.Load() }

// Run works until ctx ends, and finishes what it has begun. When a server is away or
// a topic does not exist yet, it tries again, and so it does, more seldom, when the ledger
// has an entry that it does not understand.
func (s *Service) Run(ctx context.Context) error {
	kafka.Keep(ctx, s.log, "the inventory service", func(ctx context.Context, progress func()) error {
		defer s.ready.Store(false)
		err := s.work(ctx, progress)
		if kafka.Lasting(err) {
			s.halted.Store(&err)
		}
		return err
	})
	return nil
}
