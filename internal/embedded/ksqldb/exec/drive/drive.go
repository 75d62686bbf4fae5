// Package drive runs a topology in one goroutine over stores in memory: a task
// per sub-topology and partition, internal topics fed back at once. It is what
// tests use in the place of a server.
//
// Invariants: a record has had all its consequences, through internal topics
// too, when Process returns; waiting internal records are taken in the order of
// their times, as Kafka Streams' test driver does; everything is deterministic.
// Keys are spread over partitions by a hash of their bytes that isn't Kafka's.
package drive

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Config says how to run a topology and takes what it gives. Each function may
// be nil.
type Config struct {
	// Partitions is the number of partitions of every topic; 0 means 1.
	Partitions int32
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
	cfg      Config
	parts    []part
	readers  map[string][]int
	queues   []*queue
	offsets  map[string]int64
	metrics  exec.Metrics
}

// part is the tasks of a sub-topology and their stores, by partition.
type part struct {
	stores []*state.Memory
	tasks  []*exec.Task
}

// queue holds the records of an internal topic that wait to be processed.
type queue struct {
	topic   string
	records []exec.InRecord
}

// New starts a topology over empty stores.
func New(t *exec.Topology, cfg Config) (*Driver, error) {
	return Resume(t, Saved{}, cfg)
}

// Saved is the state of a Driver between two records.
type Saved struct {
	stores  [][]*state.Memory // by sub-topology and partition
	offsets map[string]int64
}

// Resume starts a topology over saved state, with as many partitions as then.
func Resume(t *exec.Topology, s Saved, cfg Config) (*Driver, error) {
	cfg.Partitions = max(1, cfg.Partitions)
	d := &Driver{topology: t, cfg: cfg, readers: map[string][]int{}, offsets: map[string]int64{}}
	maps.Copy(d.offsets, s.offsets)
	for _, in := range t.Internal {
		d.queues = append(d.queues, &queue{topic: in.Name})
	}
	for i, sub := range t.Subs {
		for _, src := range sub.Sources {
			d.readers[src.Topic] = append(d.readers[src.Topic], i)
		}
		var p part
		for partition := range cfg.Partitions {
			stores := state.NewMemory()
			if s.stores != nil {
				stores = s.stores[i][partition].Snapshot()
			}
			task, err := sub.NewTask(exec.TaskEnv{
				Partition: partition, Stores: stores, Emit: d.emit, Row: cfg.Row, Problem: cfg.Problem, Metrics: &d.metrics,
			})
			if err != nil {
				return nil, err
			}
			p.stores, p.tasks = append(p.stores, stores), append(p.tasks, task)
		}
		d.parts = append(d.parts, p)
	}
	return d, nil
}

// Save gives the state, from which Resume goes on.
func (d *Driver) Save() (Saved, error) {
	s := Saved{offsets: maps.Clone(d.offsets)}
	for _, p := range d.parts {
		var stores []*state.Memory
		for i, t := range p.tasks {
			if err := t.Flush(); err != nil {
				return Saved{}, err
			}
			stores = append(stores, p.stores[i].Snapshot())
		}
		s.stores = append(s.stores, stores)
	}
	return s, nil
}

// Stores are the stores of a task, for look-ups. What the task keeps in memory is
// in them after Save.
func (d *Driver) Stores(sub int, partition int32) state.Stores { return d.parts[sub].stores[partition] }

// Metrics counts what all tasks did.
func (d *Driver) Metrics() *exec.Metrics { return &d.metrics }

// Reads reports whether the topology reads a topic.
func (d *Driver) Reads(topic string) bool { return len(d.readers[topic]) > 0 }

// Process takes a record of a source topic. It goes to the partition of its key;
// its Offset is replaced by the next of the topic.
func (d *Driver) Process(rec exec.InRecord) error {
	if !d.Reads(rec.Topic) {
		return fmt.Errorf("processing a record of topic %s: the query doesn't read it", rec.Topic)
	}
	rec.Partition = d.partition(rec.Key)
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
		if err := d.parts[i].tasks[rec.Partition].Process(rec); err != nil {
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
		if d.cfg.Output != nil {
			d.cfg.Output(o)
		}
		return
	}
	partition := o.Partition
	if partition < 0 {
		partition = d.partition(o.PartitionKey)
	}
	i := slices.IndexFunc(d.queues, func(q *queue) bool { return q.topic == o.Topic })
	d.queues[i].records = append(d.queues[i].records, exec.InRecord{
		Topic: o.Topic, Partition: partition, Key: o.Key, Value: o.Value, Time: o.Time, Headers: o.Headers,
	})
}

// partition spreads keys over the partitions; records without key go to the
// first.
func (d *Driver) partition(key []byte) int32 {
	if key == nil {
		return 0
	}
	h := fnv.New32a()
	h.Write(key)
	return int32(h.Sum32() % uint32(d.cfg.Partitions))
}
