package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchWait bounds how long the broker holds a fetch that finds nothing. A partition
// that is added waits for the fetch that is under way.
const fetchWait = 250 * time.Millisecond

// Follower reads partitions of one topic, each from its first record on and each
// record once, and hands the records to a function. It is how a state that is a fold
// over a topic is kept. One goroutine uses a Follower.
type Follower struct {
	topic  string
	apply  func(*kgo.Record) error
	client *kgo.Client
	// next has, per partition, the offset after the last record that was applied.
	next map[int32]int64
}

// NewFollower returns a follower of no partitions. An error of apply ends the reading.
func NewFollower(cfg Config, topic string, apply func(*kgo.Record) error) (*Follower, error) {
	// Control records take offsets too, and a follower has to know when it has come
	// to the end.
	client, err := NewClient(cfg, kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait))
	if err != nil {
		return nil, err
	}
	return &Follower{topic: topic, apply: apply, client: client, next: map[int32]int64{}}, nil
}

// Close ends the follower's connections.
func (f *Follower) Close() { f.client.Close() }

// Partitions returns the partitions that are followed.
func (f *Follower) Partitions() []int32 { return slices.Sorted(maps.Keys(f.next)) }

// Follows reports whether a partition is followed.
func (f *Follower) Follows(partition int32) bool {
	_, ok := f.next[partition]
	return ok
}

// Add starts following a partition. One that is followed already goes on.
func (f *Follower) Add(partition int32) { f.AddFrom(partition, 0) }

// AddFrom starts following a partition from an offset on, 0 for its first record. One that
// is followed already goes on.
func (f *Follower) AddFrom(partition int32, offset int64) {
	if f.Follows(partition) {
		return
	}
	f.next[partition] = offset
	from := kgo.NewOffset().AtStart()
	if offset > 0 {
		from = kgo.NewOffset().At(offset)
	}
	f.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{f.topic: {partition: from}})
}

// AddAll follows every partition that the topic has now.
func (f *Follower) AddAll(ctx context.Context) error {
	partitions, err := f.Exist(ctx)
	for _, partition := range partitions {
		f.Add(partition)
	}
	return err
}

// Exist returns the partitions that the topic has now.
func (f *Follower) Exist(ctx context.Context) ([]int32, error) {
	topics, err := kadm.NewClient(f.client).ListTopics(ctx, f.topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("looking up topic %s (`orderflow topics apply` creates it): %w", f.topic, err)
	}
	return slices.Sorted(maps.Keys(topics[f.topic].Partitions)), nil
}

// CatchUp applies everything up to what the end of each followed partition is now.
func (f *Follower) CatchUp(ctx context.Context) error {
	if len(f.next) == 0 {
		return nil
	}
	admin := kadm.NewClient(f.client)
	ends, err := admin.ListCommittedOffsets(ctx, f.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the end of %s: %w", f.topic, err)
	}
	starts, err := admin.ListStartOffsets(ctx, f.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("looking up the start of %s: %w", f.topic, err)
	}
	target := map[int32]int64{}
	for partition := range f.next {
		end, ok := ends.Lookup(f.topic, partition)
		if !ok {
			return fmt.Errorf("looking up the end of %s: partition %d does not exist", f.topic, partition)
		}
		if start, ok := starts.Lookup(f.topic, partition); !ok || start.Offset < end.Offset {
			target[partition] = end.Offset
		}
	}
	return f.ReadTo(ctx, target)
}

// ReadTo applies records until the position in each of the followed partitions that
// target names is at least the given offset.
func (f *Follower) ReadTo(ctx context.Context, target map[int32]int64) error {
	reached := func() bool {
		for partition, offset := range target {
			if next, ok := f.next[partition]; ok && next < offset {
				return false
			}
		}
		return true
	}
	for !reached() {
		if err := f.Poll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Poll waits for the next records and applies them. After an error the follower is of
// no more use: what was not applied is not read again by it.
func (f *Follower) Poll(ctx context.Context) error {
	fetches := f.client.PollFetches(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
	}
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		next, ok := f.next[rec.Partition]
		if !ok || rec.Offset < next {
			continue
		}
		if !rec.Attrs.IsControl() {
			if err := f.apply(rec); err != nil {
				return fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
		}
		f.next[rec.Partition] = rec.Offset + 1
	}
	return nil
}
