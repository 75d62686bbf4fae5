package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch/batchtest"
	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
)

// remembered is how many batches of a producer a broker knows again.
const remembered = 5

// producer is an idempotent producer. It sends a batch again until it is acknowledged,
// and the next one after that.
type producer struct {
	id   int64
	next map[target]int32 // sequence numbers
	open map[target][]*sent
	done map[target][]*sent // acknowledged, the latest ones
}

type target struct {
	topic     string
	partition int
}

func newProducer(id int64) *producer {
	return &producer{id: id, next: map[target]int32{}, open: map[target][]*sent{}, done: map[target][]*sent{}}
}

// forget has the producer begin anew with a topic that was deleted.
func (p *producer) forget(topic string) {
	for at := range p.next {
		if at.topic == topic {
			delete(p.next, at)
			delete(p.open, at)
			delete(p.done, at)
		}
	}
}

// replace has a batch that was trimmed, forgotten and stored anew be the new one.
func (p *producer) replace(at target, old, again *sent) {
	for _, batches := range [][]*sent{p.open[at], p.done[at]} {
		if i := slices.Index(batches, old); i >= 0 {
			batches[i] = again
		}
	}
}

func (p *producer) acknowledged(at target, s *sent) {
	before := len(p.open[at])
	p.open[at] = slices.DeleteFunc(p.open[at], func(other *sent) bool { return other == s })
	if len(p.open[at]) == before {
		return
	}
	p.done[at] = append(p.done[at], s)
	if extra := len(p.done[at]) - remembered; extra > 0 {
		p.done[at] = p.done[at][extra:]
	}
}

// message makes a batch that nobody sent before.
func (w *World) message(from *producer, at target, compacted bool) *sent {
	records := make([]batchtest.Record, 1+w.random.IntN(4))
	for i := range records {
		size := w.random.IntN(200)
		switch w.random.IntN(20) {
		case 0:
			size = w.random.IntN(20_000)
		case 1, 2, 3:
			size = w.random.IntN(3000)
		}
		w.sent++
		value := append(fmt.Appendf(nil, "%d ", w.sent), make([]byte, size)...)
		records[i] = batchtest.Record{Key: fmt.Append(nil, "key", w.random.IntN(8)), Value: value, Timestamp: w.now.UnixMilli()}
		if compacted && w.random.IntN(6) == 0 {
			records[i].Value = nil
		}
	}
	as := batchtest.None
	if from != nil {
		as = batchtest.Producer{ID: from.id, Sequence: from.next[at]}
		from.next[at] += int32(len(records))
	}
	s := &sent{raw: batchtest.Make(as, records...), producer: from}
	if from != nil {
		from.open[at] = append(from.open[at], s)
	}
	return s
}

// produce sends a batch and waits until it is acknowledged or refused.
func (w *World) produce() error {
	of, t, i := w.pick()
	if of == nil {
		return nil
	}
	var more []appended
	var failed error
	if w.sync() && w.during == nil && w.random.IntN(3) == 0 {
		w.during = func() {
			for range 1 + w.random.IntN(2) {
				a, err := w.append(of, t, i)
				if failed = errors.Join(failed, err); a != nil {
					more = append(more, *a)
				}
			}
		}
	}
	a, err := w.append(of, t, i)
	if a != nil {
		err = errors.Join(err, w.finish(of, t, i, *a))
	}
	w.during = nil
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	for _, a := range more {
		if err := w.finish(of, t, i, a); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) sync() bool { return w.mode == synced }

// appended is a batch that was appended and not acknowledged yet.
type appended struct {
	sent *sent
	at   commitlog.Appended
}

// append sends a batch: one that is to be sent again, or a new one. It returns nil
// when it was refused.
func (w *World) append(of *catalog.Topic, t *topic, i int) (*appended, error) {
	at := target{t.name, i}
	var from *producer
	if n := w.random.IntN(len(w.producers) + 1); n > 0 {
		from = w.producers[n-1]
	}
	var s *sent
	if from != nil && len(from.open[at]) > 0 {
		s = from.open[at][0]
	} else {
		s = w.message(from, at, t.compacted)
	}
	return w.send(of, t, i, s)
}

func (w *World) send(of *catalog.Topic, t *topic, i int, s *sent) (*appended, error) {
	p := t.parts[i]
	if !slices.Contains(p.stored, s) && !slices.Contains(p.sent, s) {
		p.sent = append(p.sent, s)
	}
	a, err := of.Partitions[i].Append(slices.Clone(s.raw), of.Log())
	switch {
	case w.faults.dead:
		return nil, nil
	case errors.Is(err, kerr.OutOfOrderSequenceNumber) && p.gaps:
		// Of the batches that were not acknowledged a later one is there, an earlier
		// one is not. The producer gives up, as a client does.
		w.producers = slices.DeleteFunc(w.producers, func(other *producer) bool { return other == s.producer })
		return nil, nil
	case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.InvalidProducerEpoch):
		return nil, broken("%s-%d: a batch that is sent again is refused: %s", t.name, i, err)
	case err != nil && p.failed:
		// What could not be synced could perhaps not be taken back either.
		return nil, nil
	case err != nil:
		return nil, w.refused("a batch", err)
	}
	stored := slices.Contains(p.stored, s)
	switch {
	case stored && a.Base == s.base, slices.Contains(p.appended, s) && a.Base == s.base:
	case a.Base != p.end:
		return nil, broken("%s-%d: a batch was given offset %d, the log's end is %d", t.name, i, a.Base, p.end)
	case stored && (s.next() > p.start && !t.compacted):
		return nil, broken("%s-%d: the batch at %d was stored again at %d", t.name, i, s.base, a.Base)
	default:
		if stored {
			again := &sent{raw: s.raw, producer: s.producer}
			p.sent = append(p.sent, again)
			if s.producer != nil {
				s.producer.replace(target{t.name, i}, s, again)
			}
			s = again
		}
		s.base = a.Base
		p.end = s.next()
		p.appended = append(p.appended, s)
	}
	if !w.sync() || w.options.Hasty {
		if err := p.show(p.end); err != nil {
			return nil, err
		}
	}
	return &appended{s, a}, nil
}

// finish waits until a batch may be acknowledged.
func (w *World) finish(of *catalog.Topic, t *topic, i int, a appended) error {
	p := t.parts[i]
	if w.sync() && !w.options.Hasty {
		err := of.Partitions[i].Durable(context.Background(), a.at)
		if w.faults.dead {
			return nil
		}
		if err != nil {
			p.failed = true
			_, p.end = of.Partitions[i].Bounds()
			p.appended = slices.DeleteFunc(p.appended, func(s *sent) bool { return s.base >= p.end })
			return w.refused("a batch", err)
		}
		if w.model.topics[t.name] != t {
			return nil // deleted meanwhile
		}
		if err := p.show(a.sent.next()); err != nil {
			return err
		}
	}
	if w.faults.dead {
		return nil
	}
	w.result.Records += int(a.sent.raw.NumRecords())
	if a.sent.producer != nil {
		a.sent.producer.acknowledged(target{t.name, i}, a.sent)
	}
	return nil
}

// show has the batches before an offset be stored for good.
func (p *part) show(end int64) error {
	for len(p.appended) > 0 && p.appended[0].next() <= end {
		s := p.appended[0]
		p.appended = p.appended[1:]
		if err := p.store(s, s.base); err != nil {
			return err
		}
	}
	return nil
}

// repeat sends a batch again whose acknowledgement was lost.
func (w *World) repeat() error {
	of, t, i := w.pick()
	if of == nil || t.compacted || len(w.producers) == 0 {
		return nil
	}
	from, at := w.producers[w.random.IntN(len(w.producers))], target{t.name, i}
	if len(from.done[at]) == 0 || len(from.open[at]) > 0 {
		return nil
	}
	s := from.done[at][w.random.IntN(len(from.done[at]))]
	if s.base < t.parts[i].start || !slices.Contains(t.parts[i].stored, s) {
		return nil
	}
	a, err := w.send(of, t, i, s)
	if err != nil || a == nil {
		return err
	}
	return w.finish(of, t, i, *a)
}
