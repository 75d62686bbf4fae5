package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
)

// The stages of an order, besides one for each check.
const (
	stageAcknowledged = "acknowledged"
	stageDecided      = "decided"
	stageFinalSeen    = "final_seen"
)

var checkStages = map[order.CheckType]string{
	order.InventoryCheck:    "inventory_check",
	order.FraudCheck:        "fraud_check",
	order.OrderDetailsCheck: "order_details_check",
}

// stages measures how long the orders that this instance took need to each stage, by its
// own clock: records of ksqlDB carry the time of the order that caused them. It is safe for
// concurrent use.
type stages struct {
	received *recent[receipt]
	duration *prometheus.HistogramVec
	registry *kafka.Registry
	traces   *telemetry.Tracing
	log      *slog.Logger
	now      func() time.Time
}

// receipt is when an order was received, and the stages that it has come to.
type receipt struct {
	at   time.Time
	done stageSet
}

// stageSet has a bit for each stage.
type stageSet uint8

var stageBits = map[string]stageSet{
	stageAcknowledged: 1, stageDecided: 2, stageFinalSeen: 4,
	checkStages[order.InventoryCheck]: 8, checkStages[order.FraudCheck]: 16, checkStages[order.OrderDetailsCheck]: 32,
}

func newStages(registry *kafka.Registry, duration *prometheus.HistogramVec, traces *telemetry.Tracing, log *slog.Logger) *stages {
	for stage := range stageBits {
		duration.WithLabelValues(stage)
	}
	return &stages{received: newRecent[receipt](recentLimit), duration: duration, registry: registry, traces: traces, log: log, now: time.Now}
}

// acknowledged begins to measure an order that was received at a moment and is written now.
func (s *stages) acknowledged(id string, at time.Time) {
	s.received.put(id, receipt{at: at})
	s.reach(id, stageAcknowledged)
}

// reach notes that an order has come to a stage. Only the first time counts.
func (s *stages) reach(id, stage string) {
	var at time.Time
	s.received.update(id, func(r receipt) receipt {
		if bit := stageBits[stage]; r.done&bit == 0 {
			r.done |= bit
			at = r.at
		}
		return r
	})
	if at.IsZero() {
		return
	}
	s.duration.WithLabelValues(stage).Observe(s.now().Sub(at).Seconds())
	_, span := s.traces.Order(context.Background(), id, "order "+stage, at)
	span.End(nil)
}

// seenFinal takes an order that ksqlDB has told of.
func (s *stages) seenFinal(o order.Order) {
	if o.State.Final() {
		s.reach(o.ID, stageFinalSeen)
	}
}

// seenOrder takes a record of orders.v1.
func (s *stages) seenOrder(rec *kgo.Record) {
	var o order.Order
	if s.decode(rec, &o) && o.State.Final() {
		s.reach(o.ID, stageDecided)
	}
}

// seenCheck takes a record of order-validations.v1.
func (s *stages) seenCheck(rec *kgo.Record) {
	var v order.Validation
	if s.decode(rec, &v) {
		if stage, ok := checkStages[v.CheckType]; ok {
			s.reach(v.OrderID, stage)
		}
	}
}

// decode reads a record that is keyed by the id of an order which is measured.
func (s *stages) decode(rec *kgo.Record, v any) bool {
	if _, ok := s.received.get(string(rec.Key)); !ok {
		return false
	}
	// Only fetching a schema takes time here, and that has a time limit of its own. What
	// cannot be read is no stage of an order.
	return s.registry.Decode(context.Background(), rec.Value, v) == nil
}

// run follows the results of checks until ctx ends.
func (s *stages) run(ctx context.Context, cfg kafka.Config) {
	kafka.Keep(ctx, s.log, "following "+order.TopicValidations, func(ctx context.Context, progress func()) error {
		return kafka.Tail(ctx, cfg, order.TopicValidations, func(map[int32]int64) { progress() }, s.seenCheck)
	})
}
