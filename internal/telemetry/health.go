package telemetry

import (
	"encoding/json"
	"net/http"
	"sort"
	"sync"
)

// Check says whether one part of the process is ready for work. It must answer at
// once, from what the part already knows.
type Check func() error

// Health answers liveness and readiness. The process is live as long as it can
// answer, and ready once every check passes. The zero value has no checks and is
// ready. It is safe for concurrent use.
type Health struct {
	mu     sync.Mutex
	checks map[string]Check
}

// Add registers a check under a name; a check of the same name is replaced.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]Check{}
	}
	h.checks[name] = check
}

// CheckResult is what one check said. Error is empty when it passed.
type CheckResult struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

// Results runs all checks and returns what they said, by name, and whether all passed.
func (h *Health) Results() (results []CheckResult, ready bool) {
	h.mu.Lock()
	checks := make(map[string]Check, len(h.checks))
	for name, c := range h.checks {
		checks[name] = c
	}
	h.mu.Unlock()

	ready = true
	results = []CheckResult{}
	for name, check := range checks {
		r := CheckResult{Name: name}
		if err := check(); err != nil {
			r.Error, ready = err.Error(), false
		}
		results = append(results, r)
	}
	sort.Slice(results, func(i, j int) bool { return results[i].Name < results[j].Name })
	return results, ready
}

// Ready reports whether every check passes.
func (h *Health) Ready() bool {
	_, ready := h.Results()
	return ready
}

type healthAnswer struct {
	Status string        `json:"status"`
	Checks []CheckResult `json:"checks,omitempty"`
}

// LiveHandler answers 200 while the process can answer at all.
func (h *Health) LiveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeHealth(w, http.StatusOK, healthAnswer{Status: "live"})
	})
}

// ReadyHandler answers 200 when every check passes, else 503 with the failing ones.
func (h *Health) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		results, ready := h.Results()
		if ready {
			writeHealth(w, http.StatusOK, healthAnswer{Status: "ready", Checks: results})
			return
		}
		w.Header().Set("Retry-After", "1")
		writeHealth(w, http.StatusServiceUnavailable, healthAnswer{Status: "not ready", Checks: results})
	})
}

func writeHealth(w http.ResponseWriter, status int, answer healthAnswer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The client is gone when this fails; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(answer)
}
