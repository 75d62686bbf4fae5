package simulation

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// batch is how many records a task takes into one commit at most.
const batch = 5

// taskState is the task.State of a running task. A commit that meets a crash is on the
// disk or not, or the disk has begun with it.
type taskState struct {
	a *actor
	durable
	// early writes a commit's outputs before the commit, for a planted bug.
	early func(outputs []state.Pending) error
}

func (s *taskState) Commit(c *state.Commit) error {
	w := s.a.world
	if w.faulty(4) {
		if err := s.a.pause(); err != nil {
			return err
		}
	}
	if s.a.dead {
		return errDied
	}
	kept := clone(c)
	switch w.options.Bug {
	case CommitBeforeProduce:
		kept.Outbox = nil
	case ProduceBeforeCommit:
		if err := s.early(kept.Outbox); err != nil {
			return err
		}
		kept.Outbox = nil
	}
	if err := s.durable.Commit(kept); err != nil {
		return err
	}
	if err := s.a.pause(); err != nil {
		return err
	}
	s.acknowledged()
	return nil
}

func (s *taskState) Last() (*state.Commit, error) {
	c, err := s.durable.Last()
	if c != nil && s.a.world.options.Bug == DropReplay {
		c.Outbox = nil
	}
	return c, err
}

// outputs is the task.Log of a query's tasks.
type outputs struct{ a *actor }

func (o *outputs) End(p tail.Partition) (int64, bool) {
	if p.Partition >= o.a.world.pipeline.partitions[p.Topic] {
		return 0, false
	}
	end := o.a.world.partition(p.Topic, p.Partition).end()
	// What an acknowledgement said may be behind.
	if o.a.world.faulty(2) && o.a.world.options.Bug != BoundTooHigh {
		end = max(0, end-o.a.world.random.Int64N(3))
	}
	if o.a.world.options.Bug == BoundTooHigh {
		end++
	}
	return end, true
}

func (o *outputs) Write(_ context.Context, tag string, pending []state.Pending) error {
	w := o.a.world
	if w.options.Bug == ProduceBeforeCommit {
		return nil
	}
	return o.write(tag, pending)
}

// write appends outputs partition by partition, in any order of these.
func (o *outputs) write(tag string, pending []state.Pending) error {
	w := o.a.world
	left := map[tail.Partition][]state.Pending{}
	var order []tail.Partition
	for _, p := range pending {
		at := tail.Partition{Topic: p.Topic, Partition: p.Partition}
		if left[at] == nil {
			order = append(order, at)
		}
		left[at] = append(left[at], p)
	}
	for len(order) > 0 {
		if w.faulty(3) {
			if err := o.a.pause(); err != nil {
				return err
			}
		}
		if o.a.dead {
			return errDied
		}
		if w.faulty(200) {
			return errLost
		}
		i := w.random.IntN(len(order))
		at := order[i]
		p := left[at][0]
		w.append(&kgo.Record{
			Topic: p.Topic, Partition: p.Partition, Key: p.Key, Value: p.Value, Timestamp: time.UnixMilli(p.Time),
			Headers: task.Headers(p.Headers, tag, p.Seq),
		})
		if left[at] = left[at][1:]; len(left[at]) == 0 {
			order = slices.Delete(order, i, i+1)
		}
	}
	if err := o.a.pause(); err != nil {
		return err
	}
	if w.faulty(100) {
		return errLost
	}
	return nil
}

func (o *outputs) Written(_ context.Context, from map[tail.Partition]int64) (map[string]map[uint64]bool, error) {
	w := o.a.world
	found := map[string]map[uint64]bool{}
	if w.options.Bug == SkipDedupe {
		return found, nil
	}
	for at, offset := range from {
		records := w.partition(at.Topic, at.Partition).records
		for _, rec := range records[min(offset, int64(len(records))):] {
			tag, seq, ok := task.Number(rec.Headers)
			if !ok {
				continue
			}
			if found[tag] == nil {
				found[tag] = map[uint64]bool{}
			}
			found[tag][seq] = true
		}
	}
	return found, o.a.pause()
}

// reader is the task.Reader of a source.
type reader struct{ cursor }

func (r *reader) Read(context.Context) (tail.Batch, error) { return r.read(), nil }

// session runs a query until it fails or its process dies, and then anew from what
// is on the disk.
func (w *World) session(p *process, q query) {
	w.spawn(p, q.id, func(a *actor) {
		for !a.dead {
			failed := false
			tasks, err := w.open(a, q)
			if err == nil {
				for _, t := range tasks {
					w.drive(p, t, func() {
						failed = true
						a.wake()
					})
				}
				for !failed && err == nil {
					err = a.wait()
				}
				for _, t := range tasks {
					t.actor.kill()
				}
			}
			if err != nil && a.pause() != nil {
				return
			}
		}
	})
}

// running is a task with the actor that drives it. The actor that opens it lends its
// own until then.
type running struct {
	*task.Task
	actor *actor
	state *taskState
	log   *outputs
}

// open makes the tasks of a query and sends what a crash left unsent.
func (w *World) open(a *actor, q query) ([]*running, error) {
	var tasks []*running
	var cores []*task.Task
	log := &outputs{a}
	for _, sub := range q.topology.Subs {
		var count int32
		for _, src := range sub.Sources {
			count = max(count, w.pipeline.partitions[src.Topic])
		}
		for n := range count {
			id := state.TaskID{Query: q.id, Sub: sub.ID, Partition: n}
			s := &taskState{a: a, durable: w.disk.open(id)}
			own := &outputs{a}
			s.early = func(pending []state.Pending) error { return own.write(task.Tag(serviceID, id), pending) }
			t, err := task.New(task.Config{
				ID: id, ServiceID: serviceID, Sub: sub, Partitions: w.pipeline.partitions, State: s, Log: own, Batch: batch,
			})
			if err == nil {
				err = t.Load()
			}
			if err != nil {
				return nil, err
			}
			for i := range t.Sources {
				src := &t.Sources[i]
				if last := t.Last(); last != nil {
					src.Position = last.Positions[src.Topic]
				} else {
					t.Fresh = true
				}
				src.End = w.partition(src.Topic, n).end()
				src.Reader = &reader{cursor{w, tail.Partition{Topic: src.Topic, Partition: n}, src.Position}}
			}
			tasks, cores = append(tasks, &running{Task: t, state: s, log: own}), append(cores, t)
		}
	}
	if err := task.Recover(a.ctx, log, quiet, cores); err != nil {
		return nil, err
	}
	for _, t := range slices.Backward(tasks) {
		if t.Fresh {
			if err := t.Commit(); err != nil {
				return nil, err
			}
		}
	}
	return tasks, nil
}

const serviceID = "default_"

var quiet = slog.New(slog.DiscardHandler)

// drive runs a task in an actor of its own.
func (w *World) drive(p *process, t *running, failed func()) {
	t.actor = w.spawn(p, t.ID().Query, func(a *actor) {
		t.state.a, t.log.a = a, a
		for i := range t.Sources {
			w.follow(a, t.Sources[i].Topic, t.ID().Partition)
		}
		for {
			n, err := t.Step(a.ctx)
			if err == nil && n == 0 {
				if t.Done() {
					err = a.wait()
				} else {
					err = a.pause()
				}
			}
			if a.dead {
				return
			}
			if err != nil {
				failed()
				return
			}
		}
	})
}
