// Package drive runs a topology in one goroutine over stores in memory: one task
// per sub-topology, partition 0 alone, internal topics fed back at once. It is
// what tests and the conformance runner use in the place of a server.
//
// Invariants: a record has had all its consequences, through internal topics
// too, when Process returns; waiting internal records are taken in the order of
// their times, as Kafka Streams' test driver does; everything is deterministic.
package drive

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Callbacks take what a topology gives. Each may be nil.
type Callbacks struct {
	// Output takes records of topics that aren't internal; their slices may be
	// kept.
	Output func(exec.Output)
	// Row takes the rows of a transient query, valid until it returns.
	Row func(*types.Row)
	// Problem takes processing errors.
	Problem func(exec.ProcessingError)
}

// Driver runs a topology. It is not safe for concurrent use.
type Driver struct {
	topology *exec.Topology
	calls    Callbacks
	stores   []*state.Memory
	tasks    []*exec.Task
	readers  map[string][]int
	queues   []*queue
	offsets  map[string]int64
	metrics  exec.Metrics
}

// queue holds the records of an internal topic that wait to be processed.
type queue struct {
	topic   string
	records []exec.InRecord
}

// New starts a topology over empty stores.
func New(t *exec.Topology, calls Callbacks) (*Driver, error) {
	stores := make([]*state.Memory, len(t.Subs))
	for i := range stores {
		stores[i] = state.NewMemory()
	}
	return Resume(t, Saved{stores: stores, offsets: map[string]int64{}}, calls)
}

// Saved is the state of a Driver between two records.
type Saved struct {
	stores  []*state.Memory
	offsets map[string]int64
}

// Resume starts a topology over saved state.
func Resume(t *exec.Topology, s Saved, calls Callbacks) (*Driver, error) {
	d := &Driver{topology: t, calls: calls, readers: map[string][]int{}, offsets: map[string]int64{}}
	for topic, n := range s.offsets {
		d.offsets[topic] = n
	}
	for _, m := range s.stores {
		d.stores = append(d.stores, m.Snapshot())
	}
	for _, in := range t.Internal {
		d.queues = append(d.queues, &queue{topic: in.Name})
	}
	for i, sub := range t.Subs {
		for _, src := range sub.Sources {
			d.readers[src.Topic] = append(d.readers[src.Topic], i)
		}
		task, err := sub.NewTask(exec.TaskEnv{
			Stores: d.stores[i], Emit: d.emit, Row: calls.Row, Problem: calls.Problem, Metrics: &d.metrics,
		})
		if err != nil {
			return nil, err
		}
		d.tasks = append(d.tasks, task)
	}
	return d, nil
}

// Save gives the state, from which Resume goes on.
func (d *Driver) Save() (Saved, error) {
	s := Saved{offsets: map[string]int64{}}
	for i, t := range d.tasks {
		if err := t.Flush(); err != nil {
			return Saved{}, err
		}
		s.stores = append(s.stores, d.stores[i].Snapshot())
	}
	for topic, n := range d.offsets {
		s.offsets[topic] = n
	}
	return s, nil
}

// Stores are the stores of a sub-topology's task, for pull queries. What the
// task keeps in memory is in them after Save.
func (d *Driver) Stores(sub int) state.Stores { return d.stores[sub] }

// Metrics counts what all tasks did.
func (d *Driver) Metrics() *exec.Metrics { return &d.metrics }

// Reads reports whether the topology reads a topic.
func (d *Driver) Reads(topic string) bool { return len(d.readers[topic]) > 0 }

// Process takes a record of a source topic. Its Offset is replaced by the next
// of the topic.
func (d *Driver) Process(rec exec.InRecord) error {
	if !d.Reads(rec.Topic) {
		return fmt.Errorf("processing a record of topic %s: the query doesn't read it", rec.Topic)
	}
	if err := d.process(rec); err != nil {
		return err
	}
	for {
		q := d.next()
		if q == nil {
			return nil
		}
		rec := q.records[0]
		q.records = q.records[1:]
		if err := d.process(rec); err != nil {
			return err
		}
	}
}

func (d *Driver) process(rec exec.InRecord) error {
	rec.Offset = d.offsets[rec.Topic]
	d.offsets[rec.Topic]++
	for _, i := range d.readers[rec.Topic] {
		if err := d.tasks[i].Process(rec); err != nil {
			return err
		}
	}
	return nil
}

// next is the queue whose first record is the oldest.
func (d *Driver) next() *queue {
	var oldest *queue
	for _, q := range d.queues {
		if len(q.records) > 0 && (oldest == nil || q.records[0].Time < oldest.records[0].Time) {
			oldest = q
		}
	}
	return oldest
}

func (d *Driver) emit(o exec.Output) {
	o.Key, o.Value, o.PartitionKey = bytes.Clone(o.Key), bytes.Clone(o.Value), bytes.Clone(o.PartitionKey)
	if !o.Internal {
		if d.calls.Output != nil {
			d.calls.Output(o)
		}
		return
	}
	i := slices.IndexFunc(d.queues, func(q *queue) bool { return q.topic == o.Topic })
	d.queues[i].records = append(d.queues[i].records, exec.InRecord{
		Topic: o.Topic, Key: o.Key, Value: o.Value, Time: o.Time, Headers: o.Headers,
	})
}
