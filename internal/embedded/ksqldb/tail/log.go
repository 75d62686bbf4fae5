package tail

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordCost is about what a record takes in memory beside its key, value and
// headers.
const recordCost = 256

// chunk is what one fetch gave of a partition. Chunks form a list that followers
// walk along; what all of them have passed is garbage.
type chunk struct {
	records []*kgo.Record
	upto    int64  // the offset behind the last one, records left out included
	bytes   int64  // of all chunks of the partition so far, this one included
	next    *chunk // written under the log's lock
}

// tailLog is the tail of a partition.
type tailLog struct {
	Partition
	topic  topicID // which has the partition
	buffer int64
	broker int32 // that reads it; guarded by the Reader's lock
	next   int64 // the offset to fetch next; the fetcher's

	mu      sync.Mutex
	last    *chunk
	end     int64
	err     error
	cursors map[*Cursor]struct{}
}

func newTailLog(p Partition, topic topicID, end int64, buffer int) *tailLog {
	return &tailLog{
		Partition: p, topic: topic, buffer: int64(buffer), next: end,
		last: &chunk{upto: end}, end: end, cursors: map[*Cursor]struct{}{},
	}
}

func (l *tailLog) join(c *Cursor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cursors[c] = struct{}{}
	c.at = l.last
}

func (l *tailLog) leave(c *Cursor) (left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cursors, c)
	c.at = nil
	return len(l.cursors)
}

// append adds what a fetch gave. Followers for whom that is too much lose their
// place.
func (l *tailLog) append(records []*kgo.Record, upto, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	moved := end > l.end
	l.end = max(l.end, end)
	if upto > l.last.upto {
		moved = true
		c := &chunk{records: records, upto: upto, bytes: l.last.bytes + size(records)}
		l.last.next = c
		l.last = c
	}
	if !moved {
		return
	}
	for c := range l.cursors {
		if c.at != nil && l.last.bytes-c.at.bytes > l.buffer && c.at.next != l.last {
			c.at = nil
		}
		c.wake()
	}
}

func size(records []*kgo.Record) int64 {
	n := int64(len(records)) * recordCost
	for _, rec := range records {
		n += int64(len(rec.Key) + len(rec.Value))
		for _, h := range rec.Headers {
			n += int64(len(h.Key) + len(h.Value))
		}
	}
	return n
}

func (l *tailLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	for c := range l.cursors {
		c.wake()
	}
}

// Cursor is a follower's place in a partition.
type Cursor struct {
	reader *Reader
	log    *tailLog
	wake   func()
	next   int64 // the offset of the next record to give
	live   bool  // has been at the tail

	at *chunk // the chunk before the next one to give; nil off the tail; guarded by the log's lock
}

// Batch is what a Cursor gives at once.
type Batch struct {
	// Records may be none. They are shared and must not be changed.
	Records []*kgo.Record
	// Next is the offset to go on from, behind records that were left out too.
	Next int64
	// End is where the partition's committed records ended when it was last heard
	// of. There is more to come until Next has reached it.
	End int64
}

// Read gives what comes next, a bounded number of records, or none when nothing
// is there now: wake tells when to try again. Behind the tail it asks the broker
// and waits for the answer.
func (c *Cursor) Read(ctx context.Context) (Batch, error) {
	l := c.log
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return Batch{}, l.err
	}
	if c.at == nil {
		c.at = l.last
	}
	if joined := c.at.upto; c.next < joined {
		end := l.end
		l.mu.Unlock()
		return c.readPast(ctx, joined, end)
	}
	defer l.mu.Unlock()
	c.live = true
	n := c.at.next
	if n == nil {
		return Batch{Next: c.next, End: l.end}, nil
	}
	c.at = n
	records := n.records
	for len(records) > 0 && records[0].Offset < c.next {
		records = records[1:]
	}
	c.next = max(c.next, n.upto)
	return Batch{Records: records, Next: c.next, End: l.end}, nil
}

// readPast reads what lies before the place where the cursor joins the tail.
func (c *Cursor) readPast(ctx context.Context, joined, end int64) (Batch, error) {
	b, err := c.reader.readOf(ctx, c.log.Partition, &c.log.topic, c.next)
	if err != nil {
		return Batch{}, err
	}
	if b.Next == c.next {
		return Batch{}, fmt.Errorf("reading %s: the broker gives nothing from offset %d on, but the partition reached offset %d before: it was deleted and made anew, or it lost records", c.log.Partition, c.next, joined)
	}
	for len(b.Records) > 0 && b.Records[len(b.Records)-1].Offset >= joined {
		b.Records = b.Records[:len(b.Records)-1]
	}
	c.next = min(b.Next, joined)
	return Batch{Records: b.Records, Next: c.next, End: max(end, b.End)}, nil
}

// Behind reports whether the cursor was at the tail once, lost its place there
// and has not caught up again.
func (c *Cursor) Behind() bool {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	return c.live && (c.at == nil || c.next < c.at.upto)
}

// Close gives up the place.
func (c *Cursor) Close() { c.reader.leave(c) }
