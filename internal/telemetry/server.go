package telemetry

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// OpsHandler serves /livez, /readyz and /metrics, for services that have no other HTTP face.
func OpsHandler(health *Health, reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health.LiveHandler())
	mux.Handle("GET /readyz", health.ReadyHandler())
	mux.Handle("GET /metrics", MetricsHandler(reg))
	return mux
}
