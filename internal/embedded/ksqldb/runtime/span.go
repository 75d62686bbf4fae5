package runtime

import (
	"context"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

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
