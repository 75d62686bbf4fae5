package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
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
	return &tail{cfg: cfg, registry: registry, log: log, readers: map[*tailReader]struct{}{}}
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
	client, err := kafka.NewClient(t.cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, order.TopicOrders)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", order.TopicOrders, err)
	}
	at, from := positions{}, map[int32]kgo.Offset{}
	for partition, end := range ends[order.TopicOrders] {
		at[partition] = end.Offset - 1
		from[partition] = kgo.NewOffset().At(end.Offset)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{order.TopicOrders: from})
	t.mu.Lock()
	t.at = at
	t.mu.Unlock()
	defer t.stop()
	progress()
	for {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(t.hand)
	}
}

// hand gives a record to every reader.
func (t *tail) hand(rec *kgo.Record) {
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
