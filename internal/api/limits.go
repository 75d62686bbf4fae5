package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits bound what one instance takes on at the same time. What is beyond them is
// answered 503 with Retry-After. 0 means the default.
type Limits struct {
	// Writes is how many orders, payments, shipments and stock changes are under way. As
	// many again wait for them for up to a second. Default 1024.
	Writes int
	// Waiters is how many requests wait for an order or for the fraud listing. Default 100,000.
	Waiters int
	// Streams is how many event streams are open. Default 10,000.
	Streams int
	// Reads is how many lists and histories are under way; as many again wait for up to a
	// second. Default 64.
	Reads int
}

func (l *Limits) setDefaults() {
	for _, d := range []struct {
		limit *int
		value int
	}{{&l.Writes, 1024}, {&l.Waiters, 100_000}, {&l.Streams, 10_000}, {&l.Reads, 64}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
}

// batchesArriving is how many batches are taken in at the same time.
const batchesArriving = 64

// gatePatience is how long a request waits for its turn.
const gatePatience = time.Second

// gate bounds how many requests do something at the same time, and how many wait for it.
type gate struct {
	name    string
	slots   chan struct{}
	queue   chan struct{} // nil: nobody waits
	refused prometheus.Counter
}

func newGate(name string, slots, queue int, refused *prometheus.CounterVec) *gate {
	g := &gate{name: name, slots: make(chan struct{}, slots), refused: refused.WithLabelValues(name)}
	if queue > 0 {
		g.queue = make(chan struct{}, queue)
	}
	return g
}

// enter returns what lets the next one in. The error is a problem when there are too many.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g.slots }
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return nil, g.full()
	}
	timer := time.NewTimer(gatePatience)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return leave, nil
	case <-timer.C:
		return nil, g.full()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) full() *problem {
	g.refused.Inc()
	return busy("This instance has as many " + g.name + " under way as it takes on.")
}

// through has a handler run inside the gate.
func (g *gate) through(handle handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		leave, err := g.enter(r.Context())
		if err != nil {
			return err
		}
		defer leave()
		return handle(w, r)
	}
}

// afterBody has a handler run inside the gate once its body of up to limit bytes is there:
// whoever sends slowly keeps nobody else out.
func (g *gate) afterBody(limit int64, handle handlerFunc) handlerFunc {
	inside := g.through(handle)
	return func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), brokenOff{err}))
		return inside(w, r)
	}
}

// brokenOff is what comes after what could be read of a body: its end, or an error.
type brokenOff struct{ err error }

func (b brokenOff) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

// busy says that there is too much to do for the moment.
func busy(detail string) *problem { return unavailable(detail + " Try again in a second.") }
