package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
)

// startParallel is how many queries are started at once after a restart.
const startParallel = 8

// How long a query that could not be started waits for the next try.
const (
	firstStartRetry = time.Second
	lastStartRetry  = 30 * time.Second
)

// lateStarts are the queries that could not be started when they should have
// been, and are tried again until they run or are gone.
type lateStarts struct {
	mu      sync.Mutex
	ctx     context.Context // nil before the first one
	cancel  context.CancelFunc
	stopped bool
	running sync.WaitGroup
}

// begin gives the context of a try; false when no more are to be made.
func (l *lateStarts) begin() (context.Context, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil, false
	}
	if l.ctx == nil {
		l.ctx, l.cancel = context.WithCancel(context.Background())
	}
	l.running.Add(1)
	return l.ctx, true
}

func (l *lateStarts) stop() {
	l.mu.Lock()
	l.stopped = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.running.Wait()
}

// startAll starts the queries of the metastore. One that can't start holds up no
// other: it shows as ERROR and is tried again.
func (e *Engine) startAll(ctx context.Context, snap *snapshot) {
	var group errgroup.Group
	group.SetLimit(startParallel)
	for _, q := range snap.catalog.Queries() {
		group.Go(func() error {
			if err := e.startOne(ctx, snap, q); err != nil {
				e.startLater(q, err)
			}
			return nil
		})
	}
	_ = group.Wait() // none of them returns an error
}

func (e *Engine) startOne(ctx context.Context, snap *snapshot, q *catalog.Query) error {
	topology, err := e.topology(ctx, snap.catalog, q)
	if err != nil {
		return fmt.Errorf("building query %s, whose statement was accepted before: %w", q.ID, err)
	}
	spec := runtime.Spec{QueryID: q.ID, Topology: topology, OffsetReset: e.offsetReset(q.Properties), Paused: snap.paused[q.ID], Retry: true}
	return e.runtime.Start(ctx, spec)
}

// startLater tries to start a query again and again until it runs, is gone from
// the metastore or the engine is closed.
func (e *Engine) startLater(q *catalog.Query, why error) {
	ctx, ok := e.late.begin()
	if !ok {
		return
	}
	e.log.Error("a query could not be started and will be tried again", "query", q.ID, "error", why)
	go func() {
		defer e.late.running.Done()
		for wait := firstStartRetry; ; wait = min(2*wait, lastStartRetry) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			done, err := e.tryStart(ctx, q)
			if done {
				return
			}
			e.log.Warn("a query still can't be started", "query", q.ID, "error", err)
		}
	}()
}

// tryStart starts a query if it is still to be started.
func (e *Engine) tryStart(ctx context.Context, q *catalog.Query) (done bool, err error) {
	e.execute.Lock()
	defer e.execute.Unlock()
	snap := e.current.Load()
	if now, ok := snap.catalog.Query(q.ID); !ok || now != q {
		return true, nil
	}
	if _, err := e.runtime.Status(q.ID); !errors.Is(err, runtime.ErrUnknownQuery) {
		return true, nil
	}
	if err := e.startOne(ctx, snap, q); err != nil {
		return false, err
	}
	e.log.Info("a query that could not be started runs now", "query", q.ID)
	return true, nil
}
