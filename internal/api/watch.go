package api

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/sql"
)

const (
	// repullInterval is how often everything waited for is looked up again.
	repullInterval = time.Second
	// repullBatch bounds how many ids one pull query asks for.
	repullBatch = 100
)

// watch knows who waits for which order and hands them what becomes known of it. It
// is safe for concurrent use; its lock is never held while something blocks.
type watch struct {
	mu      sync.Mutex
	waiters map[string]map[*waiter]struct{}
	log     *slog.Logger
	// seen is called with each row of the push query, under no lock.
	seen func(order.Order)
	// again wakes repull when the push query has connected anew.
	again chan struct{}
}

// waiter is one request that waits for one order.
type waiter struct {
	// updates holds what was learned last; the receiver may miss older news.
	updates chan order.Order
}

func newWatch(log *slog.Logger, seen func(order.Order)) *watch {
	return &watch{
		waiters: map[string]map[*waiter]struct{}{},
		log:     log,
		seen:    seen,
		again:   make(chan struct{}, 1),
	}
}

// register returns a waiter for an id. The caller ends it with cancel.
func (w *watch) register(id string) (wt *waiter, cancel func()) {
	wt = &waiter{updates: make(chan order.Order, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiters[id] == nil {
		w.waiters[id] = map[*waiter]struct{}{}
	}
	w.waiters[id][wt] = struct{}{}
	return wt, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiters[id], wt)
		if len(w.waiters[id]) == 0 {
			delete(w.waiters, id)
		}
	}
}

// tell hands an order to everybody who waits for it.
func (w *watch) tell(o order.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for wt := range w.waiters[o.ID] {
		select {
		case old := <-wt.updates:
			o = newer(old, o)
		default:
		}
		wt.updates <- o
	}
}

// count returns how many requests wait.
func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, ws := range w.waiters {
		n += len(ws)
	}
	return n
}

func (w *watch) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := make([]string, 0, len(w.waiters))
	for id := range w.waiters {
		ids = append(ids, id)
	}
	return ids
}

// feed returns the push query that wakes the waiters.
func (w *watch) feed(queries Queries, skips *kafka.Skips, log *slog.Logger) (*feed, error) {
	text, err := sql.Query(sql.OrderChanges)
	if err != nil {
		return nil, err
	}
	return &feed{
		name:    sql.OrderChanges,
		text:    text,
		props:   map[string]string{"auto.offset.reset": "latest"},
		queries: queries,
		log:     log,
		onConnect: func() {
			select {
			case w.again <- struct{}{}:
			default:
			}
		},
		onRow: func(rows Rows) error {
			o, err := scanOrder(rows)
			if err != nil {
				// One record that is no order (a foreign writer's) is no reason to
				// stop listening; the waiters have the repeated look-up.
				skips.SkipRow(order.TopicOrders, err)
				return nil
			}
			w.seen(o)
			w.tell(o)
			return nil
		},
	}, nil
}

// repull looks up everything that is waited for, once a second and whenever the push
// query has connected, until ctx ends.
func (w *watch) repull(ctx context.Context, store Store) {
	ticker := time.NewTicker(repullInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-w.again:
		}
		ids := w.ids()
		for len(ids) > 0 {
			batch := ids[:min(repullBatch, len(ids))]
			ids = ids[len(batch):]
			// What fails is tried again in the next round; a request that never got an
			// answer says so itself.
			found, err := store.Orders(ctx, batch...)
			for _, o := range found {
				w.tell(o)
			}
			if err != nil {
				w.log.Debug("looking up what is waited for failed", "error", err)
			}
		}
	}
}

// newer returns which of two copies of an order is the later one: the one whose state
// is further on, else b.
func newer(a, b order.Order) order.Order {
	if a.State.Supersedes(b.State) {
		return a
	}
	return b
}
