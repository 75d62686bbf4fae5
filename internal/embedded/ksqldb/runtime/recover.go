package runtime

import (
	"context"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// Written implements task.Log.
func (o outputs) Written(ctx context.Context, from map[tail.Partition]int64) (map[string]map[uint64]bool, error) {
	var topics []string
	for tp := range from {
		if !slices.Contains(topics, tp.Topic) {
			topics = append(topics, tp.Topic)
		}
	}
	ends, err := o.rt.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	starts, err := o.rt.admin.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	found := map[string]map[uint64]bool{}
	for tp, offset := range from {
		// An internal topic may have been trimmed beyond the bound of a commit that was
		// made meanwhile, but only of what was there before that commit's outputs.
		if start, ok := starts.Lookup(tp.Topic, tp.Partition); ok {
			offset = max(offset, start.Offset)
		}
		end, ok := ends.Lookup(tp.Topic, tp.Partition)
		if !ok {
			continue
		}
		if err := scanNumbers(ctx, &span{tail: o.rt.tail, partition: tp, next: offset, end: end.Offset}, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// scanNumbers adds the numbers of the outputs in a part of a partition.
func scanNumbers(ctx context.Context, s *span, found map[string]map[uint64]bool) error {
	for s.next < s.end {
		b, err := s.Read(ctx)
		if err != nil {
			return err
		}
		for _, rec := range b.Records {
			tag, seq, ok := task.Number(rec.Headers)
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
