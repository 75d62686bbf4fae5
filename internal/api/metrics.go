package api

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the numbers of one API instance.
type metrics struct {
	requests *prometheus.HistogramVec
	stages   *prometheus.HistogramVec
	accepted prometheus.Counter
	refused  prometheus.Counter
	shipped  prometheus.Counter
	payments prometheus.Counter
	// overloaded has, by kind of work, the requests that were refused.
	overloaded *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, waiting, streaming, arrived func() int) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderflow_api_recent_orders",
		Help: "New orders that are remembered because ksqlDB's table may not have them yet.",
	}, func() float64 { return float64(arrived()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderflow_api_waiters",
		Help: "Requests that wait for an order.",
	}, func() float64 { return float64(waiting()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderflow_api_order_streams",
		Help: "Event streams of orders that are open.",
	}, func() float64 { return float64(streaming()) })
	return &metrics{
		requests: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "orderflow_http_request_duration_seconds",
			Help:    "Time to answer a request, waiting included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"method", "route", "status"}),
		stages: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "orderflow_order_stage_duration_seconds",
			Help:    "Time from receiving a new order here until it came to a stage: acknowledged by the broker, each check's result, decided in its topic, and the decision seen through ksqlDB.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"stage"}),
		accepted: f.NewCounter(prometheus.CounterOpts{
			Name: "orderflow_orders_accepted_total",
			Help: "New orders that were acknowledged.",
		}),
		refused: f.NewCounter(prometheus.CounterOpts{
			Name: "orderflow_orders_refused_total",
			Help: "Documents posted as orders that break the contract.",
		}),
		shipped: f.NewCounter(prometheus.CounterOpts{
			Name: "orderflow_orders_shipped_total",
			Help: "Orders marked as shipped.",
		}),
		overloaded: f.NewCounterVec(prometheus.CounterOpts{
			Name: "orderflow_api_overload_refusals_total",
			Help: "Requests answered 503 because as much of their kind was under way as is taken on.",
		}, []string{"kind"}),
		payments: f.NewCounter(prometheus.CounterOpts{
			Name: "orderflow_payments_accepted_total",
			Help: "New payments that were acknowledged.",
		}),
	}
}

func (m *metrics) observe(rt route, status int, took time.Duration) {
	m.requests.WithLabelValues(rt.method, rt.path, strconv.Itoa(status)).Observe(took.Seconds())
}
