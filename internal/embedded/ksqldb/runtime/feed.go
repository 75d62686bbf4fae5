package runtime

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// source is a source partition of a task: how far the task has read, where the
// partition ended when it was last heard of, and what waits to be processed.
type source struct {
	exec.Source
	position int64
	end      int64
	queue    []*kgo.Record
}

// feed orders the records of a task's sources. As Kafka Streams does, it takes
// the record with the lowest timestamp first and waits for a source that has
// more to come but nothing here yet; sources that are read to their end are not
// waited for.
type feed struct {
	sources []source
}

func (f *feed) add(index int, records []*kgo.Record, end int64) {
	src := &f.sources[index]
	src.end = max(src.end, end)
	src.queue = append(src.queue, records...)
}

// next takes the record that is to be processed next, nil when that has to
// wait. Records below the source's position are skipped.
func (f *feed) next() *kgo.Record {
	var best *source
	for i := range f.sources {
		src := &f.sources[i]
		for len(src.queue) > 0 && src.queue[0].Offset < src.position {
			src.drop()
		}
		if len(src.queue) == 0 {
			if src.position < src.end {
				return nil
			}
			continue
		}
		if best == nil || src.queue[0].Timestamp.Before(best.queue[0].Timestamp) {
			best = src
		}
	}
	if best == nil {
		return nil
	}
	rec := best.queue[0]
	best.drop()
	best.position = rec.Offset + 1
	return rec
}

func (s *source) drop() {
	s.queue[0] = nil
	s.queue = s.queue[1:]
}

func inRecord(rec *kgo.Record) exec.InRecord {
	return exec.InRecord{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		Key: rec.Key, Value: rec.Value, Time: rec.Timestamp.UnixMilli(),
		Headers: userHeaders(rec.Headers),
	}
}
