package storage

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
)

// deleteRetention is how long compaction keeps records that delete their key.
const deleteRetention = time.Minute

var groups = []string{"readers", "others"}

// act does one thing that a client, or the broker itself, may want.
func (w *World) act() error {
	w.during = nil
	if len(w.model.topics) == 0 {
		return w.create()
	}
	switch n := w.random.IntN(100); {
	case n < 58:
		return w.produce()
	case n < 62:
		return w.repeat()
	case n < 74:
		return w.commit()
	case n < 79:
		return w.trim()
	case n < 86:
		return w.housekeep()
	case n < 88:
		return w.create()
	case n < 90:
		return w.remove()
	case n < 91:
		return w.grow()
	case n < 93:
		return w.producerID()
	case n < 94:
		w.now = w.now.Add(time.Duration(w.random.IntN(180)) * time.Second)
		return nil
	default:
		return w.read()
	}
}

// pick gives a random partition of a topic that exists.
func (w *World) pick() (*catalog.Topic, *topic, int) {
	var certain []string
	for _, name := range w.model.names() {
		if !w.model.topics[name].hidden {
			certain = append(certain, name)
		}
	}
	if len(certain) == 0 {
		return nil, nil, 0
	}
	t := w.model.topics[certain[w.random.IntN(len(certain))]]
	return w.broker.catalog.Topic(t.name), t, w.random.IntN(len(t.parts))
}

// read looks at a partition while the broker runs.
func (w *World) read() error {
	of, t, i := w.pick()
	if of == nil || w.faults.ill() {
		return nil
	}
	if err := w.lookLog(fmt.Sprint(t.name, "-", i), of.Partitions[i], t, t.parts[i], false); err != nil {
		return err
	}
	return w.lookOffsets(false)
}

func (w *World) commit() error {
	of, t, i := w.pick()
	if of == nil {
		return nil
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Generation = 8, -1
	req.Group = groups[w.random.IntN(len(groups))]
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = t.name
	doubt := map[offsetKey]int64{}
	for n := range len(t.parts) {
		if n != i && w.random.IntN(2) == 0 {
			continue
		}
		key := offsetKey{req.Group, t.name, int32(n)}
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition = key.partition
		rp.Offset = w.model.offsets[key] + w.random.Int64N(5)
		if w.wordy {
			rp.Metadata = &w.words
		}
		rt.Partitions = append(rt.Partitions, rp)
		doubt[key] = rp.Offset
	}
	together := [][]kmsg.OffsetCommitRequestTopicPartition{rt.Partitions}
	if w.options.Apart {
		together = nil
		for i := range rt.Partitions {
			together = append(together, rt.Partitions[i:i+1])
		}
	}
	w.model.doubts = append(w.model.doubts, doubt)
	for _, partitions := range together {
		rt.Partitions = partitions
		req.Topics = []kmsg.OffsetCommitRequestTopic{rt}
		for _, p := range w.broker.groups.Commit(req).Topics[0].Partitions {
			if p.ErrorCode != 0 || w.faults.dead {
				return w.refused("an offset commit", kerr.ErrorForCode(p.ErrorCode))
			}
		}
	}
	for key, offset := range doubt {
		w.model.offsets[key] = offset
	}
	w.model.doubts = nil
	return nil
}

// refused checks that there is a reason for a refusal.
func (w *World) refused(what string, err error) error {
	if err != nil && !w.faults.dead && !w.faults.ill() {
		return broken("%s is refused: %s", what, err)
	}
	return nil
}

func (w *World) trim() error {
	of, t, i := w.pick()
	if of == nil || t.compacted {
		return nil
	}
	p := t.parts[i]
	start, end := of.Partitions[i].Bounds()
	offset := start + w.random.Int64N(end-start+1)
	p.limit = max(p.limit, offset)
	var err error
	if w.options.TrimOnly {
		err = of.Partitions[i].TrimTo(offset)
	} else {
		_, err = w.broker.catalog.Trim(of, int32(i), offset)
	}
	if err != nil || w.faults.dead {
		return w.refused("trimming", err)
	}
	p.start = max(p.start, offset)
	return nil
}

// housekeep has the broker remove and compact what it may.
func (w *World) housekeep() error {
	keep := map[string]int64{}
	allow := func() {
		for _, name := range w.model.names() {
			for i, p := range w.model.topics[name].parts {
				if at, ok := keep[name+"/"+strconv.Itoa(i)]; ok {
					p.limit = max(p.limit, min(at, p.end))
				}
			}
		}
	}
	for _, name := range w.model.names() {
		t := w.model.topics[name]
		for i, p := range t.parts {
			at := int64(math.MaxInt64)
			if w.random.IntN(2) == 0 {
				at = w.random.Int64N(p.end + 1)
			}
			keep[name+"/"+strconv.Itoa(i)] = at
		}
	}
	allow()
	topics := len(w.model.topics)
	if w.random.IntN(2) == 0 {
		w.during = w.meanwhile
	}
	err := w.broker.catalog.Housekeep(func(topic string, n int32) int64 { return keep[topic+"/"+strconv.Itoa(int(n))] })
	w.during = nil
	allow() // also what came meanwhile
	for _, name := range w.model.names() {
		for _, p := range w.model.topics[name].parts {
			p.shaky = err != nil
		}
	}
	if w.failed != nil {
		return w.failed
	}
	if len(w.model.topics) < topics {
		err = nil // a topic was deleted while it was worked on
	}
	if err != nil || w.faults.dead {
		return w.refused("housekeeping", err)
	}
	for _, name := range w.model.names() {
		t := w.broker.catalog.Topic(name)
		if t == nil {
			continue
		}
		for i, p := range w.model.topics[name].parts[:len(t.Partitions)] {
			start, _ := t.Partitions[i].Bounds()
			if !p.mayStart(start) {
				return broken("housekeeping removed what is needed of %s-%d: it starts at %d, not at %d or below", name, i, start, p.limit)
			}
			p.start = max(p.start, start)
		}
	}
	return nil
}

// meanwhile happens while housekeeping waits for the disk.
func (w *World) meanwhile() {
	switch w.random.IntN(4) {
	case 0:
		w.failed = errors.Join(w.failed, w.trim())
	case 1:
		w.failed = errors.Join(w.failed, w.remove())
	default:
		w.failed = errors.Join(w.failed, w.produce())
	}
}

func (w *World) create() error {
	name := fmt.Sprint("topic", w.random.IntN(4))
	if t := w.model.topics[name]; t != nil && !t.hidden {
		return nil
	}
	t := &topic{name: name, doubtful: true, hidden: true, compacted: w.random.IntN(3) == 0}
	values := settings.Values{settings.SegmentBytes: strconv.Itoa(1000 + w.random.IntN(20_000))}
	if t.compacted {
		values[settings.CleanupPolicy] = "compact"
		values[settings.MinDirtyRatio] = "0.1"
		values[settings.DeleteRetention] = strconv.FormatInt(deleteRetention.Milliseconds(), 10)
	} else if w.random.IntN(2) == 0 {
		values[settings.RetentionMs] = "-1"
		values[settings.RetentionBytes] = strconv.Itoa(w.random.IntN(30_000))
	}
	n := 1 + w.random.IntN(3)
	for range n {
		t.parts = append(t.parts, &part{})
	}
	w.forgetTopic(name)
	w.model.topics[name] = t
	// As a CreateTopics request has it.
	if err := w.broker.groups.ForgetTopic(name); err != nil || w.faults.dead {
		return w.refused("forgetting an earlier topic's offsets", err)
	}
	if _, err := w.broker.catalog.Create(name, n, values); err != nil || w.faults.dead {
		return w.refused("making a topic", err)
	}
	t.doubtful, t.hidden = false, false
	return nil
}

// remove deletes a topic, as a DeleteTopics request does.
func (w *World) remove() error {
	of, t, _ := w.pick()
	if of == nil || w.mode == lossy { // what is deleted may come back there
		return nil
	}
	t.doubtful = true
	if err := w.broker.catalog.Delete(of); err != nil || w.faults.dead {
		return w.refused("deleting a topic", err)
	}
	err := w.broker.groups.ForgetTopic(t.name)
	w.forgetTopic(t.name)
	return w.refused("forgetting a topic's offsets", err)
}

func (w *World) grow() error {
	of, t, _ := w.pick()
	if of == nil || len(t.parts) > 4 || w.mode == lossy { // a partition that is lost may come back there
		return nil
	}
	t.grown = len(t.parts) + 1
	if err := w.broker.catalog.Grow(of, t.grown); err != nil || w.faults.dead {
		return w.refused("growing a topic", err)
	}
	t.parts = append(t.parts, &part{})
	t.grown = 0
	return nil
}

func (w *World) producerID() error {
	id, err := w.broker.catalog.ProducerID()
	if err != nil || w.faults.dead {
		return w.refused("giving out a producer's id", err)
	}
	if w.model.producers[id] {
		return broken("the producer id %d is given out again", id)
	}
	w.model.producers[id] = true
	w.producers = append(w.producers, newProducer(id))
	return nil
}
