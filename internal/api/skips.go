package api

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// newSkips returns what tells of records that make no sense, in topics that the API reads.
func newSkips(reg prometheus.Registerer, log *slog.Logger) *kafka.Skips {
	skipped := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "orderflow_api_records_skipped_total",
		Help: "Records that make no sense and were passed over, each time that a view, an event stream, a query's reader or a history came to one.",
	}, []string{"topic"})
	// Rates need the series from the start.
	for _, topic := range []string{order.TopicOrders, order.TopicInventoryLedger} {
		skipped.WithLabelValues(topic)
	}
	return kafka.NewSkips(log, func(topic string) { skipped.WithLabelValues(topic).Inc() })
}
