package runtime

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// recover sends the outputs that the last commits hold and the output
// partitions don't.
func (s *session) recover(ctx context.Context) error {
	from := map[topicPartition]int64{}
	for _, t := range s.tasks {
		if len(t.pending) == 0 {
			continue
		}
		for _, b := range t.bounds {
			tp := topicPartition{b.Topic, b.Partition}
			if known, ok := from[tp]; !ok || b.Offset < known {
				from[tp] = b.Offset
			}
		}
	}
	if len(from) == 0 {
		return nil
	}
	written, err := s.q.rt.writtenSince(ctx, from)
	if err != nil {
		return fmt.Errorf("looking for outputs that were sent before the restart: %w", err)
	}
	for _, t := range s.tasks {
		if len(t.pending) == 0 {
			continue
		}
		all := len(t.pending)
		t.pending = slices.DeleteFunc(t.pending, func(p state.Pending) bool { return written[t.tag][p.Seq] })
		s.q.rt.log.Info("sending outputs that a crash left unsent", "query", t.id.Query,
			"sub_topology", t.id.Sub, "partition", t.id.Partition, "committed", all, "unsent", len(t.pending))
		if err := t.send(ctx); err != nil {
			return err
		}
		t.pending = nil
	}
	return nil
}

// writtenSince reads output partitions from the given offsets to their present
// ends and gives the numbers of the engine's outputs there, by task.
func (r *Runtime) writtenSince(ctx context.Context, from map[topicPartition]int64) (map[string]map[uint64]bool, error) {
	var topics []string
	for tp := range from {
		if !slices.Contains(topics, tp.topic) {
			topics = append(topics, tp.topic)
		}
	}
	ends, err := r.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	return r.scanNumbers(ctx, from, ends)
}

func (r *Runtime) scanNumbers(ctx context.Context, from map[topicPartition]int64, ends kadm.ListedOffsets) (map[string]map[uint64]bool, error) {
	found := map[string]map[uint64]bool{}
	offsets := map[string]map[int32]kgo.Offset{}
	open := map[topicPartition]int64{}
	for tp, offset := range from {
		end, ok := ends.Lookup(tp.topic, tp.partition)
		if !ok || end.Offset <= offset {
			continue
		}
		open[tp] = end.Offset
		if offsets[tp.topic] == nil {
			offsets[tp.topic] = map[int32]kgo.Offset{}
		}
		offsets[tp.topic][tp.partition] = kgo.NewOffset().At(offset)
	}
	if len(open) == 0 {
		return found, nil
	}
	consumer, err := r.consumer("recovery", offsets)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	for len(open) > 0 {
		fetches := consumer.PollRecords(ctx, pollRecords)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		if errs := fetches.Errors(); len(errs) > 0 {
			return nil, fmt.Errorf("reading partition %d of topic %s: %w", errs[0].Partition, errs[0].Topic, errs[0].Err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if tag, seq, ok := parseSeq(rec.Headers); ok {
				if found[tag] == nil {
					found[tag] = map[uint64]bool{}
				}
				found[tag][seq] = true
			}
			tp := topicPartition{rec.Topic, rec.Partition}
			if end, ok := open[tp]; ok && rec.Offset+1 >= end {
				delete(open, tp)
			}
		})
	}
	return found, nil
}
