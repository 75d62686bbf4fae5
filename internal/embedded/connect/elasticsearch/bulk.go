package elasticsearch

import (
	"context"
	"sync"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// batch is what goes into one bulk request.
type batch struct {
	body    []byte
	records []*plugin.Record
	sealed  context.CancelFunc // ends its lingering; nil while it does not linger
}

// bulkLimits bound what a bulker gathers and has under way.
type bulkLimits struct {
	records  int           // of one request
	bytes    int64         // of one request; -1 for no bound
	inFlight int           // requests
	buffered int           // records that wait or are under way
	linger   time.Duration // how long a request waits to be filled
	flush    time.Duration // how long adding waits for room, and flushing for the end
}

// bulker gathers actions into bulk requests and sends several of them at a time.
// After a request failed nothing more is sent.
type bulker struct {
	limits bulkLimits
	clock  plugin.Clock
	send   func(ctx context.Context, b *batch) error
	ctx    context.Context // ends when the bulker is closed
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex    // guards what follows
	changed  chan struct{} // closed at the next change, for those who wait
	open     *batch        // being filled, nil for none
	full     []*batch      // to be sent, in order
	senders  int
	buffered int // records in open, full and under way
	failed   error
	free     []*batch // to be filled again
}

func newBulker(limits bulkLimits, clock plugin.Clock, send func(ctx context.Context, b *batch) error) *bulker {
	ctx, cancel := context.WithCancel(context.Background())
	return &bulker{limits: limits, clock: clock, send: send, ctx: ctx, cancel: cancel, changed: make(chan struct{})}
}

// change tells those who wait; it needs mu.
func (b *bulker) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait waits until ready, which is called with mu, holds or a request failed. The
// error is that of the failed request, that of ctx, or late when it took too long.
func (b *bulker) wait(ctx context.Context, late error, ready func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limits.flush, late)
	defer cancel()
	for {
		b.mu.Lock()
		failed, ok, changed := b.failed, ready(), b.changed
		b.mu.Unlock()
		if failed != nil || ok {
			return failed
		}
		select {
		case <-changed:
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// add takes an action for a record. It waits while too many records do.
func (b *bulker) add(ctx context.Context, action []byte, r *plugin.Record) error {
	b.mu.Lock()
	room := b.buffered < b.limits.buffered
	b.mu.Unlock()
	if !room {
		late := fault.New(fault.Connect, "Could not make space in the internal buffer fast enough. Consider increasing flush.timeout.ms or max.buffered.records.")
		if err := b.wait(ctx, late, func() bool { return b.buffered < b.limits.buffered }); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed != nil {
		return b.failed
	}
	if b.open != nil && b.limits.bytes >= 0 && int64(len(b.open.body)+len(action)) > b.limits.bytes {
		b.seal()
	}
	if b.open == nil {
		b.begin()
	}
	b.open.body, b.open.records = append(b.open.body, action...), append(b.open.records, r)
	b.buffered++
	if len(b.open.records) >= b.limits.records || b.buffered >= b.limits.buffered {
		b.seal()
	}
	return nil
}

// begin makes a batch to be filled. It needs mu.
func (b *bulker) begin() {
	if n := len(b.free); n > 0 {
		b.open, b.free = b.free[n-1], b.free[:n-1]
	} else {
		b.open = &batch{}
	}
}

// settle begins the time that the open batch waits for more, unless it did.
func (b *bulker) settle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	opened := b.open
	switch {
	case opened == nil || opened.sealed != nil:
		return
	case b.limits.linger <= 0:
		b.seal()
		return
	}
	ctx, cancel := context.WithCancel(b.ctx)
	opened.sealed = cancel
	b.work.Go(func() {
		defer cancel()
		if b.clock.Sleep(ctx, b.limits.linger) != nil {
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if ctx.Err() == nil {
			b.seal()
		}
	})
}

// seal hands the open batch to a sender. It needs mu.
func (b *bulker) seal() {
	if b.open == nil || b.failed != nil {
		return
	}
	if b.open.sealed != nil {
		b.open.sealed()
		b.open.sealed = nil
	}
	b.full, b.open = append(b.full, b.open), nil
	if b.senders < b.limits.inFlight {
		b.senders++
		b.work.Go(b.sendAll)
	}
}

// sendAll sends batches until there is none.
func (b *bulker) sendAll() {
	var sent *batch
	var err error
	for {
		b.mu.Lock()
		if sent != nil {
			b.buffered -= len(sent.records)
			if err != nil && b.failed == nil {
				b.failed = err
			}
			if cap(sent.body) <= maxFreeBody {
				clear(sent.records)
				sent.body, sent.records = sent.body[:0], sent.records[:0]
				b.free = append(b.free, sent)
			}
			b.change()
		}
		if len(b.full) == 0 || b.failed != nil {
			b.senders--
			b.change()
			b.mu.Unlock()
			return
		}
		sent, b.full = b.full[0], b.full[1:]
		b.mu.Unlock()
		err = fault.Guard(func() error { return b.send(b.ctx, sent) })
	}
}

// maxFreeBody is the largest buffer that is kept for the next batch.
const maxFreeBody = 8 << 20

// flush sends what there is, and returns when all of it was answered. After a
// failure it waits for what is still under way.
func (b *bulker) flush(ctx context.Context) error {
	b.mu.Lock()
	b.seal()
	b.mu.Unlock()
	late := fault.New(fault.Connect, "Flush timeout expired with unflushed records: %d", b.waiting())
	err := b.wait(ctx, late, func() bool { return b.buffered == 0 })
	for {
		b.mu.Lock()
		ended, changed := b.failed == nil || b.senders == 0, b.changed
		b.mu.Unlock()
		if ended {
			return err
		}
		select {
		case <-changed:
		case <-b.ctx.Done():
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// err gives why a request failed, nil for none that did.
func (b *bulker) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

func (b *bulker) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffered
}

// close gives up what is under way.
func (b *bulker) close() {
	b.cancel()
	b.work.Wait()
}
