package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// oneRecordBytes is how much of a partition is fetched to see one record. A larger batch
// comes as a whole.
const oneRecordBytes = 64 << 10

// Span is a part of a topic: from the first record that was made at Since or later to
// what is the end when it is read.
type Span struct {
	Topic string
	// Key, when it is not empty, says that only the partition matters in which records of
	// this key lie, by the rule that Kafka's own clients use. Other keys lie there too.
	Key string
	// Since is the record's timestamp. The zero time begins with the first record.
	Since time.Time
	// After has, for partitions that do not begin by Since, the offset after which they
	// begin; -1 is before the first record.
	After map[int32]int64
}

// Scan reads spans up to their present ends and hands every record to visit, those of
// one partition in order. An error of visit ends it. A topic that does not exist is empty.
func Scan(ctx context.Context, cfg Config, spans []Span, visit func(*kgo.Record) error) error {
	client, err := NewClient(cfg, kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait))
	if err != nil {
		return err
	}
	defer client.Close()
	from, left, err := resolve(ctx, kadm.NewClient(client), spans)
	if err != nil {
		return err
	}
	client.AddConsumePartitions(from)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			at := place{rec.Topic, rec.Partition}
			last, open := left[at]
			if !open || rec.Offset > last {
				delete(left, at)
				continue
			}
			if !rec.Attrs.IsControl() {
				if err := visit(rec); err != nil {
					return err
				}
			}
			if rec.Offset == last {
				delete(left, at)
			}
		}
	}
	return nil
}

// place is one partition of a topic.
type place struct {
	topic     string
	partition int32
}

// resolve returns where the reading of each partition begins, and the offset of the
// last record of each that has any to read.
func resolve(ctx context.Context, admin *kadm.Client, spans []Span) (map[string]map[int32]kgo.Offset, map[place]int64, error) {
	from, left := map[string]map[int32]kgo.Offset{}, map[place]int64{}
	for _, span := range spans {
		var starts kadm.ListedOffsets
		var err error
		if span.Since.IsZero() {
			starts, err = admin.ListStartOffsets(ctx, span.Topic)
		} else {
			starts, err = admin.ListOffsetsAfterMilli(ctx, span.Since.UnixMilli(), span.Topic)
		}
		var ends kadm.ListedOffsets
		if err == nil {
			ends, err = admin.ListCommittedOffsets(ctx, span.Topic)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("looking up the offsets of %s: %w", span.Topic, err)
		}
		if missing, ok := ends.Lookup(span.Topic, -1); ok && errors.Is(missing.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		only := int32(-1)
		if span.Key != "" {
			only = PartitionOf(span.Key, len(ends[span.Topic]))
		}
		for partition, end := range ends[span.Topic] {
			if only >= 0 && partition != only {
				continue
			}
			start, ok := starts.Lookup(span.Topic, partition)
			if !ok {
				return nil, nil, fmt.Errorf("looking up the start of %s partition %d: it is not there", span.Topic, partition)
			}
			for _, err := range []error{start.Err, end.Err} {
				if err != nil {
					return nil, nil, fmt.Errorf("looking up the offsets of %s partition %d: %w", span.Topic, partition, err)
				}
			}
			if after, ok := span.After[partition]; ok {
				start.Offset = max(start.Offset, after+1)
			}
			if start.Offset >= end.Offset {
				continue
			}
			if from[span.Topic] == nil {
				from[span.Topic] = map[int32]kgo.Offset{}
			}
			from[span.Topic][partition] = kgo.NewOffset().At(start.Offset)
			left[place{span.Topic, partition}] = end.Offset - 1
		}
	}
	return from, left, nil
}

// ReadRecords returns the record at one offset of each of some partitions. One that is not
// there, or no longer, is missing in the answer.
func ReadRecords(ctx context.Context, cfg Config, topic string, offsets map[int32]int64) (map[int32]*kgo.Record, error) {
	found := map[int32]*kgo.Record{}
	if len(offsets) == 0 {
		return found, nil
	}
	client, err := NewClient(cfg, kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait), kgo.FetchMaxPartitionBytes(oneRecordBytes))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	var ends kadm.ListedOffsets
	if err == nil {
		ends, err = admin.ListCommittedOffsets(ctx, topic)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up the offsets of %s: %w", topic, err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for partition, offset := range offsets {
		start, ok := starts.Lookup(topic, partition)
		end, there := ends.Lookup(topic, partition)
		for _, err := range []error{start.Err, end.Err} {
			if err != nil {
				return nil, fmt.Errorf("looking up the offsets of %s partition %d: %w", topic, partition, err)
			}
		}
		if ok && there && start.Offset <= offset && offset < end.Offset {
			from[partition], left[partition] = kgo.NewOffset().At(offset), offset
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, e := range fetches.Errors() {
			return nil, fmt.Errorf("reading %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			// Compaction may have left only later ones.
			if offset, open := left[rec.Partition]; open && rec.Offset >= offset {
				if rec.Offset == offset {
					found[rec.Partition] = rec
				}
				delete(left, rec.Partition)
			}
		})
	}
	return found, nil
}
