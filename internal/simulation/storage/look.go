package storage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
)

// look compares everything with the model, after a start.
func (w *World) look() error {
	m := w.model
	cluster := w.broker.catalog.ClusterID()
	if m.cluster != "" && m.cluster != cluster && !m.lost {
		return broken("the cluster has another id")
	}
	m.cluster = cluster
	there := map[string]bool{}
	for _, t := range w.broker.catalog.Topics() {
		there[t.Name] = true
		known := m.topics[t.Name]
		if known == nil {
			return broken("topic %s is there, nobody made it or it was deleted", t.Name)
		}
		known.doubtful, known.hidden = false, false
		if n := len(t.Partitions); n != len(known.parts) {
			if n != known.grown && !m.lost {
				return broken("topic %s has %d partitions, not %d", t.Name, n, len(known.parts))
			}
			for len(known.parts) < n {
				known.parts = append(known.parts, &part{})
			}
			known.parts = known.parts[:n]
		}
		known.grown = 0
		for i, log := range t.Partitions {
			if err := w.lookLog(fmt.Sprint(t.Name, "-", i), log, known, known.parts[i], true); err != nil {
				return err
			}
		}
	}
	for _, name := range m.names() {
		if there[name] {
			continue
		}
		if !m.topics[name].doubtful && !m.lost {
			return broken("topic %s is gone", name)
		}
		w.forgetTopic(name)
	}
	err := w.lookOffsets(true)
	if m.lost {
		w.producers, m.producers = nil, map[int64]bool{} // their records may be gone, and their ids
	}
	m.lost, m.cut = false, false
	return err
}

// forgetTopic drops a topic from the model.
func (w *World) forgetTopic(name string) {
	delete(w.model.topics, name)
	maps.DeleteFunc(w.model.offsets, func(k offsetKey, _ int64) bool { return k.topic == name })
	for _, p := range w.producers {
		p.forget(name)
	}
}

// lookLog reads a whole log and compares it with the model. After a start, what is
// not there of what was sent will never be.
func (w *World) lookLog(name string, log *commitlog.Log, t *topic, p *part, started bool) error {
	m := w.model
	start, end := log.Bounds()
	lost := m.lost
	if !lost && !p.mayStart(start) {
		return broken("%s starts at %d, which should be %d to %d", name, start, p.start, p.limit)
	}
	there := map[*sent]bool{}
	records := map[int64]batch.Record{}
	for at := start; at < end; {
		raw, err := log.Read(at, 1+w.random.IntN(64<<10), true)
		if err != nil {
			return broken("reading %s at %d: %s", name, at, err)
		}
		if len(raw) == 0 {
			break
		}
		for len(raw) > 0 {
			var b batch.Batch
			if b, raw, err = batch.Cut(raw); err != nil {
				return broken("%s at %d: %s", name, at, err)
			}
			if b.LastOffset() < at {
				return broken("reading %s at %d gives a batch of %d to %d", name, at, b.BaseOffset(), b.LastOffset())
			}
			if err := p.compare(b, t.compacted, there, records); err != nil {
				return broken("%s: %s", name, err)
			}
			at = b.LastOffset() + 1
		}
	}
	if lost {
		p.forget(there, start, end)
	}
	if err := p.complete(start, end, t, there, records, w); err != nil {
		return broken("%s, offsets %d to %d: %s", name, start, end, err)
	}
	if started || !p.shaky {
		p.start = start
	}
	if !started {
		return nil
	}
	p.limit = start
	if p.gaps = p.gaps || (m.cut || p.failed) && end > p.last(); !p.gaps && end != p.last() {
		return broken("%s ends at %d, its last record is %d", name, end, p.last()-1)
	}
	p.end = end
	p.sent, p.appended, p.failed, p.shaky = nil, nil, false, false
	return nil
}

// compare looks at one batch of a log.
func (p *part) compare(b batch.Batch, compacted bool, there map[*sent]bool, records map[int64]batch.Record) error {
	s := p.at(b.BaseOffset())
	if s == nil {
		if err := p.found(b); err != nil {
			return err
		}
		s = p.stored[len(p.stored)-1]
	}
	there[s] = true
	if !compacted {
		if s.base != b.BaseOffset() || !s.same(b) {
			return broken("the batch at offset %d is not what was sent", b.BaseOffset())
		}
		return nil
	}
	sent := map[int64]batch.Record{}
	for r, err := range s.raw.Records() {
		if err != nil {
			return err
		}
		sent[s.base+int64(r.OffsetDelta)] = r
	}
	for r, err := range b.Records() {
		if err != nil {
			return err
		}
		at := b.BaseOffset() + int64(r.OffsetDelta)
		if of, ok := sent[at]; !ok || !bytes.Equal(of.Raw, r.Raw) {
			return broken("the record at offset %d is not what was sent", at)
		}
		records[at] = r
	}
	return nil
}

// complete checks that nothing is missing.
func (p *part) complete(start, end int64, t *topic, there map[*sent]bool, records map[int64]batch.Record, w *World) error {
	if !t.compacted {
		for _, s := range p.stored {
			if s.next() > start && !there[s] {
				return broken("the batch at %d is gone", s.base)
			}
		}
		return nil
	}
	if p.gaps {
		return nil // what took the place of a record may be lost itself
	}
	newest := map[string]int64{}
	for _, s := range p.stored {
		for r, err := range s.raw.Records() {
			if err != nil {
				return err
			}
			newest[string(r.Key)] = s.base + int64(r.OffsetDelta)
		}
	}
	for _, s := range p.stored {
		for r, err := range s.raw.Records() {
			if err != nil {
				return err
			}
			at := s.base + int64(r.OffsetDelta)
			if _, ok := records[at]; ok || at < start || newest[string(r.Key)] > at {
				continue
			}
			old := w.now.UnixMilli()-s.raw.MaxTimestamp() > deleteRetention.Milliseconds()
			if r.Value != nil || !old || at == end-1 {
				return broken("the newest record of key %s, at %d, is gone", r.Key, at)
			}
		}
	}
	// What a key has that was deleted must not come back.
	for at, r := range records {
		if last := newest[string(r.Key)]; last > at && records[last].Raw == nil && !newerThere(records, r.Key, at) {
			return broken("the record of key %s at %d is there, what deleted it at %d is not", r.Key, at, last)
		}
	}
	return nil
}

func newerThere(records map[int64]batch.Record, key []byte, than int64) bool {
	for at, r := range records {
		if at > than && bytes.Equal(r.Key, key) {
			return true
		}
	}
	return false
}

// lookOffsets compares the committed offsets with the model.
func (w *World) lookOffsets(started bool) error {
	m := w.model
	there := map[offsetKey]int64{}
	for _, g := range groups {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Version = 8
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: g}}
		for _, t := range w.broker.groups.Fetch(req).Groups[0].Topics {
			for _, p := range t.Partitions {
				there[offsetKey{g, t.Topic, p.Partition}] = p.Offset
			}
		}
	}
	if m.lost {
		m.offsets, m.doubts = there, nil
	}
	for k := range there {
		if t := m.topics[k.topic]; t == nil || t.hidden || int(k.partition) >= len(t.parts) {
			if !started {
				delete(there, k) // to be forgotten with the next start, or when the topic is made again
				continue
			}
			return broken("group %s has an offset for %s-%d, which doesn't exist", k.group, k.topic, k.partition)
		}
	}
	if maps.Equal(m.offsets, there) {
		if started {
			m.doubts = nil
		}
		return nil
	}
	for _, doubt := range m.doubts {
		with := maps.Clone(m.offsets)
		maps.Copy(with, doubt)
		if started && maps.Equal(with, there) {
			m.offsets, m.doubts = with, nil
			return nil
		}
	}
	return broken("the committed offsets are %v, not %v (or one of %v in addition)", there, m.offsets, m.doubts)
}

// digest takes in what is there.
func (w *World) digest() {
	for _, t := range w.broker.catalog.Topics() {
		for i, log := range t.Partitions {
			start, end := log.Bounds()
			w.mix("%s-%d %d %d %d", t.Name, i, start, end, log.Size())
		}
	}
	keys := slices.SortedFunc(maps.Keys(w.model.offsets), func(a, b offsetKey) int {
		return bytes.Compare(fmt.Append(nil, a), fmt.Append(nil, b))
	})
	for _, k := range keys {
		w.mix("%v %d", k, w.model.offsets[k])
	}
}
