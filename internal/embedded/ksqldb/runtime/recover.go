package runtime

import (
	"context"
	"fmt"
	"slices"

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
			tp := topicPartition{Topic: b.Topic, Partition: b.Partition}
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
		if !slices.Contains(topics, tp.Topic) {
			topics = append(topics, tp.Topic)
		}
	}
	ends, err := r.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	found := map[string]map[uint64]bool{}
	for tp, offset := range from {
		end, ok := ends.Lookup(tp.Topic, tp.Partition)
		if !ok {
			continue
		}
		if err := r.scanNumbers(ctx, &span{tail: r.tail, partition: tp, next: offset, end: end.Offset}, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scanNumbers adds the numbers of the outputs in a part of a partition.
func (r *Runtime) scanNumbers(ctx context.Context, s *span, found map[string]map[uint64]bool) error {
	for s.next < s.end {
		b, err := s.Read(ctx)
		if err != nil {
			return err
		}
		for _, rec := range b.Records {
			tag, seq, ok := parseSeq(rec.Headers)
			if !ok {
				continue
			}
			if found[tag] == nil {
				found[tag] = map[uint64]bool{}
			}
			found[tag][seq] = true
		}
	}
	return nil
}
