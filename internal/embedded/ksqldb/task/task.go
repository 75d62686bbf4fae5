// Package task runs one task of a persistent query over small interfaces: it reads
// the records of its source partitions, processes them, commits, and writes what
// follows from them, so that every output is written once.
//
// The task has no goroutine, no clock and no connection of its own. The runtime
// drives it over Kafka and the state on disk; a simulator drives the same code over
// a broker and a disk that fail as it pleases.
//
// Invariants: outputs are written only after the commit that holds them; a commit
// is made only after the outputs of the one before were acknowledged; after an
// error the task is of no more use, and a new one goes on from the last commit.
package task

import (
	"context"
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
)

// Log is what a task writes to.
type Log interface {
	// End returns an offset that the next record of a partition cannot lie below,
	// and false when it knows of no such partition.
	End(p tail.Partition) (offset int64, ok bool)
	// Write appends outputs with their numbers, those of one partition in order, and
	// returns when all are acknowledged. After an error, any of them may be there.
	Write(ctx context.Context, tag string, outputs []state.Pending) error
	// Written reads partitions from the given offsets to their ends and returns the
	// numbers of the outputs that are there, by the tag of their task.
	Written(ctx context.Context, from map[tail.Partition]int64) (map[string]map[uint64]bool, error)
}

// State is where a task remembers what it has done.
type State interface {
	state.Stores
	// Commit makes what was written to the stores durable together with c: all of it
	// or, when it fails, none or all.
	Commit(c *state.Commit) error
	// Last returns what was committed last, or nil.
	Last() (*state.Commit, error)
	// Close forgets what was not committed.
	Close() error
}

// Point is where a task may fail in a test.
type Point uint8

// The points, in the order in which a task comes past them.
const (
	BeforeCommit Point = iota
	BeforeSend
	AfterSend
	BeforeSettle
)

// batchBytes is how many bytes a task takes in and puts out in one commit, the last
// record's aside. A commit is in memory several times over before it is on disk, where
// it has to fit into one batch.
const batchBytes = 8 << 20

// Config says what a task does, and over what.
type Config struct {
	ID state.TaskID
	// ServiceID is ksqlDB's ksql.service.id, part of the outputs' numbers.
	ServiceID string
	Sub       *exec.SubTopology
	// Partitions are the numbers of partitions of all topics that are read or written.
	Partitions map[string]int32
	State      State
	Log        Log
	// Batch is how many records are taken into one commit at most.
	Batch int
	// Metrics counts; nil for none.
	Metrics *exec.Metrics
	// Problem takes what is written to the processing log; nil drops it.
	Problem func(exec.ProcessingError)
	// Committed is called after each commit, before any of its outputs is written: who
	// trims what the task reads and writes has to know by then. Nil for none.
	Committed func()
	// Fault, set by tests only, makes the task fail at a point as a crash would; of
	// outputs about to be sent, it lets so many through.
	Fault func(Point) (sent int, err error)
}

// Task is one task of a persistent query. It is used by one goroutine.
type Task struct {
	Feed
	// Fresh says that the task reads a source for the first time, so that the place
	// where it begins has to be committed.
	Fresh bool

	cfg         Config
	tag         string
	exec        *exec.Task
	partitioner Partitioner

	seq     uint64
	pending []state.Pending // outputs since the last commit; after it, those to send
	taken   int             // bytes taken in and put out since the last commit
	bounds  []state.Bound
	emitErr error
	last    *state.Commit // that Load found; nil for a new task
}

// New makes a task that has read nothing.
func New(cfg Config) (*Task, error) {
	t := &Task{cfg: cfg, tag: Tag(cfg.ServiceID, cfg.ID), partitioner: NewPartitioner()}
	var err error
	t.exec, err = cfg.Sub.NewTask(exec.TaskEnv{
		Partition: cfg.ID.Partition, Stores: cfg.State, Emit: t.emit, Metrics: cfg.Metrics, Problem: cfg.Problem,
	})
	if err != nil {
		return nil, err
	}
	for _, src := range cfg.Sub.Sources {
		if cfg.ID.Partition < cfg.Partitions[src.Topic] {
			t.Sources = append(t.Sources, Source{Source: src})
		}
	}
	return t, nil
}

// ID names the task.
func (t *Task) ID() state.TaskID { return t.cfg.ID }

// Load takes up the last commit, which Last gives from then on. Outputs for a
// partition that is there no longer, since the topic was made anew with fewer, go
// to another one.
func (t *Task) Load() error {
	last, err := t.cfg.State.Last()
	if err != nil {
		return err
	}
	if t.last = last; last != nil {
		t.seq, t.pending, t.bounds = last.NextSeq, last.Outbox, last.Bounds
		for i := range t.pending {
			p := &t.pending[i]
			if count := t.cfg.Partitions[p.Topic]; p.Partition >= count && count > 0 {
				p.Partition = t.partitioner.Partition(p.Key, p.Seq, count)
			}
		}
	}
	return nil
}

// Last returns the commit that Load found, nil for a new task.
func (t *Task) Last() *state.Commit { return t.last }

// Step processes what is there, commits it and writes what follows. It returns how
// many records that were, and Batch when there may be more.
func (t *Task) Step(ctx context.Context) (int, error) {
	n, err := t.process(ctx)
	if err != nil || n == 0 {
		return n, err
	}
	if err := t.Commit(); err != nil {
		return n, err
	}
	return n, t.send(ctx)
}

// Settle commits that nothing is left to send, so that the next start need not
// look for it.
func (t *Task) Settle() error {
	if len(t.bounds) == 0 {
		return nil
	}
	if _, err := t.hit(BeforeSettle); err != nil {
		return err
	}
	t.pending = nil
	return t.Commit()
}

// Close forgets what was not committed.
func (t *Task) Close() error { return t.cfg.State.Close() }

// Bounds are, per output partition, where what was committed last may begin.
func (t *Task) Bounds() []state.Bound { return t.bounds }

func (t *Task) hit(p Point) (sent int, err error) {
	if t.cfg.Fault == nil {
		return 0, nil
	}
	return t.cfg.Fault(p)
}

// process reads and processes records until nothing more is there, a source has
// more to come, or the batch is full.
func (t *Task) process(ctx context.Context) (int, error) {
	t.taken = 0
	for n := 0; n < t.cfg.Batch && t.taken < batchBytes; {
		rec := t.Next()
		if rec == nil {
			moved, err := t.Fill(ctx)
			if ctx.Err() != nil {
				return n, nil
			}
			if err != nil || !moved {
				return n, err
			}
			continue
		}
		n++
		if rec.Attrs.IsControl() {
			continue
		}
		t.taken += len(rec.Key) + len(rec.Value)
		err := t.exec.Process(Input(rec))
		if err == nil {
			err = t.emitErr
		}
		if err != nil {
			return n, err
		}
	}
	return t.cfg.Batch, nil
}

func (t *Task) emit(o exec.Output) {
	partition := o.Partition
	if partition < 0 {
		count := t.cfg.Partitions[o.Topic]
		if count == 0 {
			t.emitErr = fmt.Errorf("writing to topic %s: it is not one that the query declared", o.Topic)
			return
		}
		partition = t.partitioner.Partition(o.PartitionKey, t.seq, count)
	}
	t.pending = append(t.pending, state.Pending{
		Seq: t.seq, Topic: o.Topic, Partition: partition,
		Key: Clone(o.Key), Value: Clone(o.Value), Time: o.Time, Headers: o.Headers,
	})
	t.taken += len(o.Key) + len(o.Value)
	t.seq++
}

// Clone copies a slice and keeps nil apart from empty.
func Clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// Commit makes the task's state, its positions and the outputs that it is about to
// write durable in one step.
func (t *Task) Commit() error {
	if _, err := t.hit(BeforeCommit); err != nil {
		return err
	}
	if err := t.exec.Flush(); err != nil {
		return err
	}
	c := &state.Commit{Positions: make(map[string]int64, len(t.Sources)), NextSeq: t.seq, Outbox: t.pending}
	bound := map[tail.Partition]bool{}
	for i := range t.pending {
		p := tail.Partition{Topic: t.pending[i].Topic, Partition: t.pending[i].Partition}
		if bound[p] {
			continue
		}
		bound[p] = true
		end, ok := t.cfg.Log.End(p)
		if !ok {
			return fmt.Errorf("writing to partition %d of topic %s: the topic has no such partition", p.Partition, p.Topic)
		}
		c.Bounds = append(c.Bounds, state.Bound{Topic: p.Topic, Partition: p.Partition, Offset: end})
	}
	for i := range t.Sources {
		src := &t.Sources[i]
		c.Positions[src.Topic] = src.Position
		if src.TopicID != ([16]byte{}) {
			if c.TopicIDs == nil {
				c.TopicIDs = make(map[string][16]byte, len(t.Sources))
			}
			c.TopicIDs[src.Topic] = src.TopicID
		}
	}
	if err := t.cfg.State.Commit(c); err != nil {
		return err
	}
	t.bounds = c.Bounds
	if t.cfg.Committed != nil {
		t.cfg.Committed()
	}
	return nil
}

// send writes the committed outputs and waits until all are acknowledged.
func (t *Task) send(ctx context.Context) error {
	if len(t.pending) == 0 {
		return nil
	}
	if n, err := t.hit(BeforeSend); err != nil {
		return errors.Join(err, t.cfg.Log.Write(ctx, t.tag, t.pending[:min(n, len(t.pending))]))
	}
	if err := t.cfg.Log.Write(ctx, t.tag, t.pending); err != nil {
		return err
	}
	t.pending = nil
	_, err := t.hit(AfterSend)
	return err
}
