package runtime

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

// reader gives the records of a source partition: a tail.Cursor, or a span.
type reader interface {
	Read(ctx context.Context) (tail.Batch, error)
}

// source is a source partition of a task: how far the task has read, where the
// partition ended when it was last heard of, and what waits to be processed.
type source struct {
	exec.Source
	reader   reader
	position int64
	end      int64
	read     int64 // the offset behind what the reader gave
	queue    []*kgo.Record
}

// feed orders the records of a task's sources. As Kafka Streams does, it takes
// the record with the lowest timestamp first and waits for a source that has
// more to come but nothing here yet; sources that are read to their end are not
// waited for.
type feed struct {
	sources []source
}

// fill reads on for sources of which nothing waits, and reports whether any
// moved.
func (f *feed) fill(ctx context.Context) (bool, error) {
	moved := false
	for i := range f.sources {
		src := &f.sources[i]
		if len(src.queue) > 0 {
			continue
		}
		b, err := src.reader.Read(ctx)
		if err != nil {
			return false, err
		}
		moved = moved || len(b.Records) > 0 || b.Next > src.read || b.End > src.end
		f.add(i, b)
	}
	return moved, nil
}

// add gives a source, of which nothing waits, what was read for it.
func (f *feed) add(index int, b tail.Batch) {
	src := &f.sources[index]
	src.end, src.read, src.queue = max(src.end, b.End), max(src.read, b.Next), b.Records
	src.settle()
}

// settle skips what was processed before and offsets that hold nothing.
func (s *source) settle() {
	for len(s.queue) > 0 && s.queue[0].Offset < s.position {
		s.queue = s.queue[1:]
	}
	if len(s.queue) == 0 {
		s.position = max(s.position, s.read)
	}
}

// next takes the record that is to be processed next, nil when that has to
// wait.
func (f *feed) next() *kgo.Record {
	var best *source
	for i := range f.sources {
		src := &f.sources[i]
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
	best.queue = best.queue[1:]
	best.position = rec.Offset + 1
	best.settle()
	return rec
}

// done reports whether all sources have been read to their ends.
func (f *feed) done() bool {
	for i := range f.sources {
		if f.sources[i].position < f.sources[i].end {
			return false
		}
	}
	return true
}

func inRecord(rec *kgo.Record) exec.InRecord {
	return exec.InRecord{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		Key: rec.Key, Value: rec.Value, Time: rec.Timestamp.UnixMilli(),
		Headers: userHeaders(rec.Headers),
	}
}

// span reads a partition from an offset up to another, once.
type span struct {
	tail      *tail.Reader
	partition tail.Partition
	next, end int64
}

func (s *span) Read(ctx context.Context) (tail.Batch, error) {
	if s.next >= s.end {
		return tail.Batch{Next: s.next, End: s.end}, nil
	}
	b, err := s.tail.ReadAt(ctx, s.partition, s.next)
	if err != nil {
		return tail.Batch{}, err
	}
	if b.Next == s.next {
		return tail.Batch{}, fmt.Errorf("reading %s: the broker gives nothing from offset %d on, though the partition reached offset %d before", s.partition, s.next, s.end)
	}
	for len(b.Records) > 0 && b.Records[len(b.Records)-1].Offset >= s.end {
		b.Records = b.Records[:len(b.Records)-1]
	}
	s.next = min(b.Next, s.end)
	return tail.Batch{Records: b.Records, Next: s.next, End: s.end}, nil
}
