package simulation

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// errLost is what a producer is told when it is not known whether its records are there.
var errLost = errors.New("the acknowledgement was lost")

// partition is one partition of a topic: what it holds is acknowledged or may be.
type partition struct {
	records []*kgo.Record
	readers []*actor // to be woken when there is more
}

func (w *World) partition(topic string, n int32) *partition {
	at := tail.Partition{Topic: topic, Partition: n}
	p := w.log[at]
	if p == nil {
		p = &partition{}
		w.log[at] = p
		w.order = append(w.order, at)
	}
	return p
}

func (p *partition) end() int64 { return int64(len(p.records)) }

// append adds a record to its partition and wakes who waits for it.
func (w *World) append(rec *kgo.Record) *kgo.Record {
	p := w.partition(rec.Topic, rec.Partition)
	stored := *rec
	stored.Offset, stored.Context = p.end(), nil
	p.records = append(p.records, &stored)
	w.note(&stored)
	for _, a := range p.readers {
		a.wake()
	}
	return &stored
}

// follow has an actor woken when there is more in a partition.
func (w *World) follow(a *actor, topic string, n int32) {
	p := w.partition(topic, n)
	live := p.readers[:0]
	for _, other := range p.readers {
		if !other.dead && other != a {
			live = append(live, other)
		}
	}
	p.readers = append(live, a)
}

// cursor reads a partition as a task's source does: what is there may be seen late.
type cursor struct {
	world *World
	at    tail.Partition
	next  int64
}

func (c *cursor) read() tail.Batch {
	p := c.world.partition(c.at.Topic, c.at.Partition)
	seen := p.end() - c.next
	if seen > 0 && c.world.faulty(4) {
		seen = c.world.random.Int64N(seen + 1)
	}
	b := tail.Batch{Records: p.records[c.next : c.next+seen], Next: c.next + seen, End: p.end()}
	c.next += seen
	return b
}

// producer writes for a service, as a Kafka client does.
type producer struct {
	a *actor
	// duplicates says that the broker may take a record twice, as it does when it has
	// forgotten its producers.
	duplicates bool
	// loses says that the caller may be told that records may not be there.
	loses bool
}

// produce writes records in order.
func (p producer) produce(records ...*kgo.Record) kgo.ProduceResults {
	w := p.a.world
	results := make(kgo.ProduceResults, 0, len(records))
	var failed error
	for _, rec := range records {
		if failed == nil {
			failed = p.one(rec)
		}
		results = append(results, kgo.ProduceResult{Record: rec, Err: failed})
	}
	if failed == nil {
		failed = p.a.pause()
		if failed == nil && p.loses && w.faulty(40) {
			failed = errLost
		}
		if failed != nil {
			for i := range results {
				results[i].Err = failed
			}
		}
	}
	return results
}

func (p producer) one(rec *kgo.Record) error {
	w := p.a.world
	for ; p.a.stall > 0; p.a.stall-- {
		if err := p.a.pause(); err != nil {
			return err
		}
	}
	if w.faulty(3) || p.a.dead {
		if err := p.a.pause(); err != nil {
			return err
		}
	}
	if p.loses && w.faulty(60) {
		return errLost
	}
	rec.Partition = w.keys.Partition(rec.Key, 0, w.pipeline.partitions[rec.Topic])
	rec.Timestamp = time.UnixMilli(w.now())
	stored := w.append(rec)
	if p.duplicates && w.faulty(40) {
		stored = w.append(rec)
	}
	rec.Offset = stored.Offset
	return nil
}

var _ task.Reader = (*reader)(nil)
