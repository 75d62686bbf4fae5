package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// Reader folds ledger partitions, each from its first record on. A partition that is
// read stays so: a fold is right whoever writes, and is there at once when needed
// again. One goroutine uses a Reader.
type Reader struct {
	client   *kgo.Client
	registry *kafka.Registry
	parts    map[int32]*part
}

type part struct {
	fold *Fold
	// next is the offset after the last record that was folded in.
	next int64
	// lastSet is the source of the last stock-set that was read, by product.
	lastSet map[string]Source
}

// NewReader returns a reader of no partitions.
func NewReader(cfg kafka.Config, registry *kafka.Registry) (*Reader, error) {
	// Control records are kept, since they take offsets too and a reader has to know
	// when it has come to the end.
	client, err := kafka.NewClient(cfg, kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	return &Reader{client: client, registry: registry, parts: map[int32]*part{}}, nil
}

// Close ends the reader's connections.
func (r *Reader) Close() { r.client.Close() }

// Partitions returns the partitions that are read.
func (r *Reader) Partitions() []int32 { return slices.Sorted(maps.Keys(r.parts)) }

// Add starts reading a partition from its first record. One that is read already goes on.
func (r *Reader) Add(partition int32) {
	if r.parts[partition] != nil {
		return
	}
	r.parts[partition] = &part{fold: NewFold(), lastSet: map[string]Source{}}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		order.TopicInventoryLedger: {partition: kgo.NewOffset().AtStart()},
	})
}

// Fold returns the fold of a partition, nil when it is not read.
func (r *Reader) Fold(partition int32) *Fold {
	if p := r.parts[partition]; p != nil {
		return p.fold
	}
	return nil
}

// CatchUp folds every read partition up to what its end is now.
func (r *Reader) CatchUp(ctx context.Context) error {
	if len(r.parts) == 0 {
		return nil
	}
	ends, err := kadm.NewClient(r.client).ListCommittedOffsets(ctx, order.TopicInventoryLedger)
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", order.TopicInventoryLedger, err)
	}
	if err := ends.Error(); err != nil {
		return fmt.Errorf("looking up the end of %s: %w", order.TopicInventoryLedger, err)
	}
	starts, err := kadm.NewClient(r.client).ListStartOffsets(ctx, order.TopicInventoryLedger)
	if err != nil {
		return fmt.Errorf("looking up the start of %s: %w", order.TopicInventoryLedger, err)
	}
	target := map[int32]int64{}
	for partition := range r.parts {
		end, ok := ends.Lookup(order.TopicInventoryLedger, partition)
		if !ok {
			return fmt.Errorf("looking up the end of %s: partition %d does not exist", order.TopicInventoryLedger, partition)
		}
		if start, ok := starts.Lookup(order.TopicInventoryLedger, partition); ok && start.Offset >= end.Offset {
			continue
		}
		target[partition] = end.Offset
	}
	return r.ReadTo(ctx, target)
}

// ReadTo folds until each partition's position is at least the given offset. The
// partitions must be read.
func (r *Reader) ReadTo(ctx context.Context, target map[int32]int64) error {
	for !r.reached(target) {
		if err := r.Poll(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) reached(target map[int32]int64) bool {
	for partition, offset := range target {
		if p := r.parts[partition]; p != nil && p.next < offset {
			return false
		}
	}
	return true
}

// Poll waits for the next records and folds them in.
func (r *Reader) Poll(ctx context.Context) error {
	fetches := r.client.PollFetches(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
	}
	var failed error
	fetches.EachRecord(func(rec *kgo.Record) {
		p := r.parts[rec.Partition]
		if p == nil || failed != nil || rec.Offset < p.next {
			return
		}
		if !rec.Attrs.IsControl() {
			e, err := Decode(ctx, r.registry, rec.Value)
			if err != nil {
				failed = fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
				return
			}
			if p.fold.Apply(e) && e.Kind == StockSet {
				p.lastSet[e.Product] = e.Source
			}
		}
		p.next = rec.Offset + 1
	})
	return failed
}
