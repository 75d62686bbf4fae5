package api

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// tailBuffer bounds how many records a reader of the tail may be behind. One that is
// further behind is cut off, and goes on from its position when it comes back.
const tailBuffer = 1024

// positions has, per partition, the offset of the last record that was handed over; -1
// for none.
type positions map[int32]int64

// tail follows the end of orders.v1 once for all event streams of the instance. It is
// safe for concurrent use. A reader that joins gets every record after the positions
// that it is told, without a gap.
type tail struct {
	cfg      kafka.Config
	registry *kafka.Registry
	log      *slog.Logger
	// seen is called with each record, under no lock.
	seen func(*kgo.Record)
	// skips is told of the records that streams leave out.
	skips *kafka.Skips

	mu      sync.Mutex
	at      positions // nil while the topic is not followed
	readers map[*tailReader]struct{}
}

// tailReader is one stream's share of the tail.
type tailReader struct {
	// records is closed when the reader is cut off.
	records chan *kgo.Record
}

func newTail(cfg kafka.Config, registry *kafka.Registry, log *slog.Logger) *tail {
	return &tail{cfg: cfg, registry: registry, log: log, seen: func(*kgo.Record) {}, readers: map[*tailReader]struct{}{}}
}

// join adds a reader of what comes after the returned positions. It reports false while
// the topic is not followed. The caller ends it with leave.
func (t *tail) join() (r *tailReader, at positions, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == nil {
		return nil, nil, false
	}
	r = &tailReader{records: make(chan *kgo.Record, tailBuffer)}
	t.readers[r] = struct{}{}
	return r, maps.Clone(t.at), true
}

func (t *tail) leave(r *tailReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.readers, r)
}

// count returns how many readers there are.
func (t *tail) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.readers)
}

// run follows the topic until ctx ends.
func (t *tail) run(ctx context.Context) {
	kafka.Keep(ctx, t.log, "following "+order.TopicOrders, t.follow)
}

func (t *tail) follow(ctx context.Context, progress func()) error {
	defer t.stop()
	return kafka.Tail(ctx, t.cfg, order.TopicOrders, func(next map[int32]int64) {
		at := positions{}
		for partition, offset := range next {
			at[partition] = offset - 1
		}
		t.mu.Lock()
		t.at = at
		t.mu.Unlock()
		progress()
	}, t.hand)
}

// hand gives a record to every reader.
func (t *tail) hand(rec *kgo.Record) {
	t.seen(rec)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at[rec.Partition] = rec.Offset
	for r := range t.readers {
		select {
		case r.records <- rec:
		default:
			close(r.records)
			delete(t.readers, r)
		}
	}
}

// stop cuts off all readers: what comes until the topic is followed again is not theirs.
func (t *tail) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = nil
	for r := range t.readers {
		close(r.records)
	}
	clear(t.readers)
}
