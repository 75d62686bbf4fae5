package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// session is one run of a persistent query, from its last commits to the next
// failure or stop.
type session struct {
	q     *query
	tasks []*runner
	// partitions are the numbers of partitions of all topics read or written.
	partitions map[string]int32
	// changed has why the session has to end when one of the topics is not as it was.
	changed    chan error
	changeOnce sync.Once
	// topics are those topics as they were when the session began.
	topics map[string]presentTopic
}

// openSession makes the internal topics, opens the tasks at their last commit
// and sends what a crash left unsent.
func openSession(ctx context.Context, q *query) (_ *session, err error) {
	s := &session{q: q, changed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeTasks())
		}
	}()
	if s.topics, err = q.rt.prepareTopics(ctx, q.spec.Topology); err != nil {
		return nil, err
	}
	s.partitions = partitionsOf(s.topics)
	if err := s.openTasks(); err != nil {
		return nil, err
	}
	if err := s.openTransactions(ctx); err != nil {
		return nil, err
	}
	if err := s.position(ctx); err != nil {
		return nil, err
	}
	if err := s.recover(ctx); err != nil {
		return nil, err
	}
	if err := s.commitFresh(ctx); err != nil {
		return nil, err
	}
	return s, s.follow(ctx)
}

func (s *session) openTasks() (err error) {
	q := s.q
	var all []*exec.Metrics
	defer func() { q.setMetrics(all) }()
	for _, sub := range q.spec.Topology.Subs {
		var count int32
		for _, src := range sub.Sources {
			count = max(count, s.partitions[src.Topic])
		}
		for p := range count {
			id := state.TaskID{Query: q.spec.QueryID, Sub: sub.ID, Partition: p}
			metrics := &exec.Metrics{}
			all = append(all, metrics)
			log := task.Log(outputs{q.rt})
			transaction := s.newTransaction(id, sub)
			if transaction != nil {
				log = transaction
			}
			r := &runner{transaction: transaction, batch: q.rt.batch, settleAfter: q.rt.settleAfter, woken: make(chan struct{}, 1)}
			r.Task, err = task.New(task.Config{
				ID: id, ServiceID: q.rt.cfg.ServiceID, Sub: sub, Partitions: s.partitions,
				State: q.rt.cfg.State.Task(id), Log: log, Batch: q.rt.batch, Metrics: metrics,
				Problem: func(p exec.ProcessingError) { q.rt.cfg.Problem(q.spec.QueryID, p) }, Fault: q.rt.fault,
				Committed: r.note,
			})
			if err != nil {
				return err
			}
			if transaction != nil {
				transaction.task = r.Task
			}
			s.tasks = append(s.tasks, r)
		}
	}
	q.setTasks(s.tasks)
	return nil
}

// recover writes what a crash left unwritten.
func (s *session) recover(ctx context.Context) error {
	rt := s.q.rt
	if rt.cfg.Outputs != Transaction {
		return task.Recover(ctx, outputs{rt}, rt.log, s.cores())
	}
	for _, t := range s.tasks {
		if err := task.Recover(ctx, t.transaction, rt.log, []*task.Task{t.Task}); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) cores() []*task.Task {
	list := make([]*task.Task, len(s.tasks))
	for i, t := range s.tasks {
		list[i] = t.Task
	}
	return list
}

// position gives every source its place: that of the last commit, or for a new
// query the beginning or end of the topic.
func (s *session) position(ctx context.Context) error {
	var topics []string
	for _, t := range s.tasks {
		for i := range t.Sources {
			if topic := t.Sources[i].Topic; !slices.Contains(topics, topic) {
				topics = append(topics, topic)
			}
		}
	}
	if len(topics) == 0 {
		return errors.New("the query reads no partitions: its source topics have none")
	}
	starts, ends, err := s.q.rt.extents(ctx, topics)
	if err != nil {
		return err
	}
	read, err := s.loadCommits()
	if err != nil {
		return err
	}
	for _, t := range s.tasks {
		last := t.Last()
		for i := range t.Sources {
			src := &t.Sources[i]
			start, _ := starts.Lookup(src.Topic, t.ID().Partition)
			end, _ := ends.Lookup(src.Topic, t.ID().Partition)
			src.End = end.Offset
			pos, known := int64(0), false
			if last != nil {
				pos, known = last.Positions[src.Topic]
			}
			src.TopicID = s.topics[src.Topic].id
			anew := known && isAnother(last.TopicIDs[src.Topic], src.TopicID)
			if anew {
				s.q.rt.log.Warn("a topic was deleted and made anew; the query reads the new one from its beginning and keeps its state",
					"query", s.q.spec.QueryID, "topic", src.Topic, "partition", t.ID().Partition, "from", pos, "to", start.Offset)
				known = false
			}
			if known && pos > end.Offset {
				return fmt.Errorf("topic %s has lost records, or was deleted and made anew: the query has read partition %d up to offset %d, and it ends at %d now; drop the query and create it again to read what is there",
					src.Topic, t.ID().Partition, pos, end.Offset)
			}
			switch {
			case known && pos < start.Offset && !src.Internal:
				s.q.rt.log.Warn("records were removed from a topic before a query had read them",
					"query", s.q.spec.QueryID, "topic", src.Topic, "partition", t.ID().Partition, "from", pos, "to", start.Offset)
			case !known && !anew && !read[subTopic{t.ID().Sub, src.Topic}] && fromEnd(src.Source, s.q.spec.OffsetReset):
				pos, t.Fresh = end.Offset, true
			case !known:
				pos, t.Fresh = start.Offset, true
			}
			src.Position = max(pos, start.Offset)
		}
	}
	return nil
}

// isAnother compares the ids of topics of the same name. One that isn't known is
// taken for the same.
func isAnother(before, now topicID) bool {
	return before != now && before != (topicID{}) && now != (topicID{})
}

type subTopic struct {
	sub   int
	topic string
}

// loadCommits takes up the tasks' last commits. It gives the topics that were
// read before: a partition of theirs without a position was added since and is
// read from its beginning. Partition 0 tells, as it is the last one that a new
// query commits.
func (s *session) loadCommits() (map[subTopic]bool, error) {
	read := map[subTopic]bool{}
	for _, t := range s.tasks {
		if err := t.Load(); err != nil {
			return nil, err
		}
		last := t.Last()
		if last == nil {
			continue
		}
		if t.ID().Partition == 0 {
			for topic := range last.Positions {
				read[subTopic{t.ID().Sub, topic}] = true
			}
		}
	}
	return read, nil
}

// commitFresh commits the positions of sources that a task reads for the first
// time, so that the place where a query began is settled, and that what a crash left
// unwritten is written. Partition 0 comes last.
func (s *session) commitFresh(ctx context.Context) error {
	for _, t := range slices.Backward(s.tasks) {
		if !t.Fresh {
			if err := t.Settle(); err != nil {
				return err
			}
			t.note()
			continue
		}
		if t.transaction != nil && t.Last() == nil {
			if err := t.transaction.forget(ctx); err != nil {
				return err
			}
		}
		if err := t.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// follow begins to read the tasks' sources.
func (s *session) follow(ctx context.Context) error {
	for _, t := range s.tasks {
		starts := make([]tail.Start, len(t.Sources))
		for i := range t.Sources {
			src := &t.Sources[i]
			starts[i] = tail.Start{Partition: topicPartition{Topic: src.Topic, Partition: t.ID().Partition}, Offset: src.Position, End: src.End}
		}
		cursors, err := s.q.rt.tail.Follow(ctx, starts, t.wake)
		if err != nil {
			return err
		}
		t.cursors = cursors
		for i, c := range cursors {
			t.Sources[i].Reader = c
		}
	}
	return nil
}

// errGrown ends a session that has to begin anew with more tasks.
var errGrown = errors.New("partitions were added to a topic")

// run moves records until the context ends or something fails, or until it has
// to begin anew (errGrown).
func (s *session) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	s.q.setSession(s)
	defer s.q.setSession(nil)
	group.Go(func() error {
		select {
		case why := <-s.changed:
			return why
		case <-ctx.Done():
			return nil
		}
	})
	for _, t := range s.tasks {
		group.Go(func() error { return t.run(ctx) })
	}
	if s.hasInternal() {
		group.Go(func() error { return s.trim(ctx) })
	}
	return errors.Join(group.Wait(), s.closeTasks())
}

func (s *session) closeTasks() error {
	var errs []error
	for _, t := range s.tasks {
		for _, c := range t.cursors {
			c.Close()
		}
		if t.transaction != nil {
			t.transaction.close()
		}
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}
