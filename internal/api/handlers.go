package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
)

const (
	// maxBody bounds a request's body, in bytes.
	maxBody = 64 << 10
	// bodyTimeout bounds how long a client may take to send it.
	bodyTimeout = 10 * time.Second
	// answerTimeout bounds how long a client may take to receive an answer.
	answerTimeout = 30 * time.Second
	// defaultTimeout and maxTimeout are of the timeout parameter.
	defaultTimeout = 2 * time.Second
	maxTimeout     = 60 * time.Second
	// lookupTimeout bounds one look-up in ksqlDB.
	lookupTimeout = 5 * time.Second
)

// StockView knows the stock; see ledger.View.
type StockView interface {
	Ready() bool
	Stocks() []ledger.Stock
	// Reservation returns what became of an order's request for stock.
	Reservation(orderID string) (ledger.Reservation, bool)
	// WaitApplied waits until the record is in the ledger, and reports false when ctx ended first.
	WaitApplied(ctx context.Context, product string, source ledger.Source) bool
}

// handlers answers the requests. All state that requests share is in here.
type handlers struct {
	store     Store
	publisher Publisher
	stock     StockView
	history   History
	search    Search // nil when there is no Elasticsearch
	log       *slog.Logger
	health    *telemetry.Health
	registry  *prometheus.Registry
	metrics   *metrics
	traces    *telemetry.Tracing

	stages   *stages
	watch    *watch
	tail     *tail
	fraud    *fraudView
	arrivals *arrivals
	orders   *recent[order.Order]
	payments *recent[order.Payment]
	// Locks are taken one per request and never two at a time.
	orderLocks   idLocks
	paymentLocks idLocks
	// historySlots has a place for each history that may be read at the same time.
	historySlots chan struct{}
	// resumeSlots has a place for each event stream that may read what it missed.
	resumeSlots chan struct{}

	orderLookups   *lookups[order.Order]
	paymentLookups *lookups[order.Payment]

	writing, arriving, waiting, streaming, reading, tracing *gate
}

func newHandlers(cfg Config, store Store, publisher Publisher, stock StockView, history History, tail *tail, arrivals *arrivals, search Search) *handlers {
	h := &handlers{
		store:     store,
		publisher: publisher,
		stock:     stock,
		history:   history,
		search:    search,
		log:       cfg.Logger,
		health:    cfg.Health,
		registry:  cfg.Metrics,
		traces:    cfg.Tracing,
		orders:    newRecent[order.Order](recentLimit),
		payments:  newRecent[order.Payment](recentLimit),
		fraud:     newFraudView(),
		tail:      tail,
		arrivals:  arrivals,

		historySlots: make(chan struct{}, historyReaders),
		resumeSlots:  make(chan struct{}, resumeReaders),
	}
	h.watch = newWatch(cfg.Logger, func(o order.Order) {
		h.stages.seenFinal(o)
		h.arrivals.progressed(o)
		h.orders.update(o.ID, func(known order.Order) order.Order {
			if o.State.Supersedes(known.State) {
				return o
			}
			// A second CREATED record, which another instance let through, changes nothing.
			return known
		})
	})
	arrivals.arrived = h.watch.tell
	h.metrics = newMetrics(cfg.Metrics, h.watch.count, tail.count, arrivals.count)
	cfg.Metrics.MustRegister(arrivals.refused)
	h.stages = newStages(tail.registry, h.metrics.stages, cfg.Tracing, cfg.Logger)
	tail.seen = h.stages.seenOrder
	h.orderLookups, h.paymentLookups = newLookups(store.Orders), newLookups(store.Payments)
	limits := cfg.Limits
	h.writing = newGate("writes", limits.Writes, limits.Writes, h.metrics.overloaded)
	h.arriving = newGate("batches", batchesArriving, batchesArriving, h.metrics.overloaded)
	h.waiting = newGate("waiting requests", limits.Waiters, 0, h.metrics.overloaded)
	h.streaming = newGate("event streams", limits.Streams, 0, h.metrics.overloaded)
	h.reading = newGate("lists", limits.Reads, limits.Reads, h.metrics.overloaded)
	h.tracing = newGate("histories", limits.Reads, limits.Reads, h.metrics.overloaded)
	return h
}

// handlerFunc answers a request. An error means that nothing was answered yet.
type handlerFunc func(http.ResponseWriter, *http.Request) error

// route is one operation of the REST contract.
type route struct {
	method, path string
	handle       handlerFunc
}

// business reports whether a route is about orders and not about the process.
func (rt route) business() bool {
	return strings.HasPrefix(rt.path, "/v1/") || strings.HasPrefix(rt.path, "/fraud")
}

func (h *handlers) routes() []route {
	plain := func(handler http.Handler) handlerFunc {
		return func(w http.ResponseWriter, r *http.Request) error {
			handler.ServeHTTP(w, r)
			return nil
		}
	}
	return []route{
		{http.MethodPost, "/v1/orders", h.writing.afterBody(maxBody, h.postOrder)},
		{http.MethodGet, "/v1/orders", h.reading.through(h.listOrders)},
		{http.MethodPost, "/v1/orders:batch", h.arriving.through(h.writing.afterBody(maxBatchBody, h.postBatch))},
		{http.MethodGet, streamPath, h.streaming.through(h.getOrderStream)},
		{http.MethodGet, "/v1/orders/{id}", h.waiting.through(h.getOrder)},
		{http.MethodGet, "/v1/orders/{id}/validated", h.waiting.through(h.getValidated)},
		{http.MethodGet, "/v1/orders/{id}/history", h.tracing.through(h.getHistory)},
		{http.MethodPost, "/v1/orders/{id}/ship", h.writing.through(h.postShip)},
		{http.MethodPost, "/v1/payments", h.writing.afterBody(maxBody, h.postPayment)},
		{http.MethodGet, "/v1/customers/{id}", h.reading.through(h.getCustomer)},
		{http.MethodGet, "/v1/inventory", h.getInventory},
		{http.MethodPut, "/v1/inventory/{product}", h.writing.afterBody(maxBody, h.putInventory)},
		{http.MethodGet, "/fraud", h.waiting.through(h.getFraud)},
		{http.MethodGet, "/fraud/stream", h.streaming.through(h.getFraudStream)},
		{http.MethodGet, "/livez", plain(h.health.LiveHandler())},
		{http.MethodGet, "/readyz", plain(h.health.ReadyHandler())},
		{http.MethodGet, "/metrics", plain(telemetry.MetricsHandler(h.registry))},
		{http.MethodGet, "/openapi.json", h.getOpenAPI},
		{http.MethodGet, "/docs", h.getDocs},
	}
}

// router serves everything.
func (h *handlers) router() http.Handler { return h.serve(h.routes()) }

// fraudRouter serves what the second listener has: the fraud listing, its stream and liveness.
func (h *handlers) fraudRouter() http.Handler {
	var some []route
	for _, r := range h.routes() {
		if strings.HasPrefix(r.path, "/fraud") || r.path == "/livez" {
			some = append(some, r)
		}
	}
	return h.serve(some)
}

func (h *handlers) serve(routes []route) http.Handler {
	// An order id may hold any character, so paths are matched as they were escaped.
	m := mux.NewRouter().UseEncodedPath().SkipClean(true)
	allowed := map[string]string{}
	for _, r := range routes {
		m.Handle(r.path, h.instrument(r)).Methods(r.method)
		if allowed[r.path] != "" {
			allowed[r.path] += ", "
		}
		allowed[r.path] += r.method
	}
	for path, methods := range allowed {
		m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", methods)
			writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, "This address answers to "+methods+"."))
		})
	}
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, newProblem(http.StatusNotFound, "There is nothing at this address; GET /docs lists what there is."))
	})
	return m
}

// instrument measures a route and turns errors into problems.
func (h *handlers) instrument(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		sw := &statusWriter{ResponseWriter: w}
		if rt.business() {
			ctx, span := h.traces.Request(r, rt.path)
			r = r.WithContext(ctx)
			defer func() {
				span.Status(sw.status)
				span.End(nil)
			}()
		}
		defer func() {
			if p := recover(); p != nil {
				h.log.Error("a request made its handler panic", "method", rt.method, "path", rt.path, "panic", fmt.Sprint(p))
				if sw.status == 0 {
					writeProblem(sw, r, newProblem(http.StatusInternalServerError, "The server failed; the reason is in its log."))
				}
			}
			h.metrics.observe(rt, sw.status, time.Since(start))
		}()
		err := rt.handle(sw, r)
		if err == nil {
			return
		}
		writeProblem(sw, r, h.problemOf(r, err))
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// pathValue returns a path parameter as it was before escaping.
func pathValue(r *http.Request, name string) (string, error) {
	raw := mux.Vars(r)[name]
	v, err := url.PathUnescape(raw)
	if err != nil {
		return "", newProblem(http.StatusBadRequest, "The address is not escaped correctly: "+err.Error())
	}
	return v, nil
}

// millis reads a query parameter in milliseconds from 0 to maxTimeout.
func millis(r *http.Request, name string, otherwise time.Duration) (time.Duration, error) {
	n, err := intParam(r, name, int(otherwise/time.Millisecond), 0, int(maxTimeout/time.Millisecond))
	return time.Duration(n) * time.Millisecond, err
}

func intParam(r *http.Request, name string, otherwise, low, high int) (int, error) {
	values, ok := r.URL.Query()[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(values[len(values)-1])
	if err != nil || n < low || n > high {
		detail := fmt.Sprintf("The parameter %s must be a whole number from %d to %d.", name, low, high)
		return 0, newProblem(http.StatusBadRequest, detail)
	}
	return n, nil
}

// readBody lets decode read a body that is neither larger than limit bytes nor sent too slowly.
func readBody[T any](w http.ResponseWriter, r *http.Request, limit int64, decode func(io.Reader) (T, error)) (T, error) {
	v, err := decode(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var none T
		return none, bodyProblem(err)
	}
	return v, nil
}
