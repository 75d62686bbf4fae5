package task

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

// Reader gives the records of a source partition, such as a tail.Cursor.
type Reader interface {
	// Read gives what comes next, or nothing when nothing is there now.
	Read(ctx context.Context) (tail.Batch, error)
}

// Source is a source partition of a task.
type Source struct {
	exec.Source
	Reader Reader
	// TopicID is that of the topic; zeros when it isn't known.
	TopicID [16]byte
	// Position is the offset of the next record to process.
	Position int64
	// End is where the partition ended when it was last heard of.
	End int64

	read  int64 // the offset behind what the reader gave
	queue []*kgo.Record
}

// Feed orders the records of a task's sources. As Kafka Streams does, it takes
// the record with the lowest timestamp first and waits for a source that has
// more to come but nothing here yet; sources that are read to their end are not
// waited for.
type Feed struct {
	Sources []Source
}

// Fill reads on for sources of which nothing waits, and reports whether any
// moved.
func (f *Feed) Fill(ctx context.Context) (bool, error) {
	moved := false
	for i := range f.Sources {
		src := &f.Sources[i]
		if len(src.queue) > 0 {
			continue
		}
		b, err := src.Reader.Read(ctx)
		if err != nil {
			return false, err
		}
		moved = moved || len(b.Records) > 0 || b.Next > src.read || b.End > src.End
		f.add(i, b)
	}
	return moved, nil
}

// add gives a source, of which nothing waits, what was read for it.
func (f *Feed) add(index int, b tail.Batch) {
	src := &f.Sources[index]
	src.End, src.read, src.queue = max(src.End, b.End), max(src.read, b.Next), b.Records
	src.settle()
}

// settle skips what was processed before and offsets that hold nothing.
func (s *Source) settle() {
	for len(s.queue) > 0 && s.queue[0].Offset < s.Position {
		s.queue = s.queue[1:]
	}
	if len(s.queue) == 0 {
		s.Position = max(s.Position, s.read)
	}
}

// Next takes the record that is to be processed next, nil when that has to
// wait.
func (f *Feed) Next() *kgo.Record {
	var best *Source
	for i := range f.Sources {
		src := &f.Sources[i]
		if len(src.queue) == 0 {
			if src.Position < src.End {
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
	best.Position = rec.Offset + 1
	best.settle()
	return rec
}

// Done reports whether all sources have been read to their ends.
func (f *Feed) Done() bool {
	for i := range f.Sources {
		if f.Sources[i].Position < f.Sources[i].End {
			return false
		}
	}
	return true
}

// Input gives a record as an operator takes it, without its number.
func Input(rec *kgo.Record) exec.InRecord {
	return exec.InRecord{
		Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset,
		Key: rec.Key, Value: rec.Value, Time: rec.Timestamp.UnixMilli(),
		Headers: UserHeaders(rec.Headers),
	}
}
