package inventory

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/orderflow/orderflow/internal/order"
)

// metrics are the numbers of one inventory instance.
type metrics struct {
	checks  *prometheus.CounterVec
	entries *prometheus.CounterVec
	skipped *prometheus.CounterVec
	batch   prometheus.Histogram
	// reservation is observed for each order.
	reservation prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		checks: f.NewCounterVec(prometheus.CounterOpts{
			Name: "orderflow_inventory_checks_total",
			Help: "Check results that were sent, repeated ones included.",
		}, []string{"result"}),
		entries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "orderflow_inventory_ledger_entries_total",
			Help: "Entries that this instance wrote to the stock ledger.",
		}, []string{"kind"}),
		skipped: f.NewCounterVec(prometheus.CounterOpts{
			Name: "orderflow_inventory_records_skipped_total",
			Help: "Records that make no sense and were passed over: input that is no order or stock, and what no version wrote to the stock ledger. The ledger's are counted each time that they are read.",
		}, []string{"topic"}),
		batch: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "orderflow_inventory_batch_duration_seconds",
			Help:    "Time from getting input records to having answered them.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	m.reservation = f.NewHistogram(prometheus.HistogramOpts{
		Name:    "orderflow_inventory_reservation_duration_seconds",
		Help:    "Time from the timestamp of a new order to the acknowledgement of its check result.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	})
	// Rates need the series from the start.
	for _, topic := range append([]string{order.TopicInventoryLedger}, inputTopics...) {
		m.skipped.WithLabelValues(topic)
	}
	for _, r := range []order.Result{order.Pass, order.Fail} {
		m.checks.WithLabelValues(string(r))
	}
	return m
}
