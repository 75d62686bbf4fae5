package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// session is one run of a persistent query, from its last commits to the next
// failure or stop.
type session struct {
	q        *query
	consumer *kgo.Client
	tasks    []*task
	routes   map[topicPartition][]route
	// partitions are the numbers of partitions of all topics read or written.
	partitions map[string]int32
	// grown is closed when one of them has more.
	grown     chan struct{}
	growsOnce sync.Once
}

type route struct {
	task   *task
	source int
}

// openSession makes the internal topics, opens the tasks at their last commit
// and sends what a crash left unsent.
func openSession(ctx context.Context, q *query) (_ *session, err error) {
	s := &session{q: q, routes: map[topicPartition][]route{}, grown: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeTasks())
		}
	}()
	if s.partitions, err = q.rt.prepareTopics(ctx, q.spec.Topology); err != nil {
		return nil, err
	}
	if err := s.openTasks(); err != nil {
		return nil, err
	}
	if err := s.position(ctx); err != nil {
		return nil, err
	}
	if err := s.recover(ctx); err != nil {
		return nil, err
	}
	if err := s.commitFresh(); err != nil {
		return nil, err
	}
	return s, s.connect()
}

func (s *session) openTasks() error {
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
			t := &task{
				session: s, id: id, tag: seqTag(q.rt.cfg.ServiceID, id),
				state: q.rt.cfg.State.Task(id), inbox: make(chan fetched, inboxSize),
				partitioner: newPartitioner(),
			}
			s.tasks = append(s.tasks, t)
			metrics := &exec.Metrics{}
			all = append(all, metrics)
			env := exec.TaskEnv{
				Partition: p, Stores: t.state, Emit: t.emit, Metrics: metrics,
				Problem: func(p exec.ProcessingError) { q.rt.cfg.Problem(q.spec.QueryID, p) },
			}
			var err error
			if t.exec, err = sub.NewTask(env); err != nil {
				return err
			}
			for _, src := range sub.Sources {
				if p >= s.partitions[src.Topic] {
					continue
				}
				tp := topicPartition{src.Topic, p}
				s.routes[tp] = append(s.routes[tp], route{task: t, source: len(t.feed.sources)})
				t.feed.sources = append(t.feed.sources, source{Source: src})
			}
		}
	}
	q.setTasks(s.tasks)
	return nil
}

// position gives every source its place: that of the last commit, or for a new
// query the beginning or end of the topic.
func (s *session) position(ctx context.Context) error {
	var topics []string
	for tp := range s.routes {
		if !slices.Contains(topics, tp.topic) {
			topics = append(topics, tp.topic)
		}
	}
	if len(topics) == 0 {
		return nil
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
		last := t.last
		for i := range t.feed.sources {
			src := &t.feed.sources[i]
			start, _ := starts.Lookup(src.Topic, t.id.Partition)
			end, _ := ends.Lookup(src.Topic, t.id.Partition)
			src.end = end.Offset
			pos, known := int64(0), false
			if last != nil {
				pos, known = last.Positions[src.Topic]
			}
			switch {
			case known && pos < start.Offset && !src.Internal:
				s.q.rt.log.Warn("records were removed from a topic before a query had read them",
					"query", s.q.spec.QueryID, "topic", src.Topic, "partition", t.id.Partition, "from", pos, "to", start.Offset)
			case !known && !read[subTopic{t.id.Sub, src.Topic}] && fromEnd(src.Source, s.q.spec.OffsetReset):
				pos, t.fresh = end.Offset, true
			case !known:
				pos, t.fresh = start.Offset, true
			}
			src.position = max(pos, start.Offset)
		}
	}
	return nil
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
		last, err := t.state.Last()
		if err != nil {
			return nil, err
		}
		if last == nil {
			continue
		}
		t.last, t.seq, t.pending, t.bounds = last, last.NextSeq, last.Outbox, last.Bounds
		if t.id.Partition == 0 {
			for topic := range last.Positions {
				read[subTopic{t.id.Sub, topic}] = true
			}
		}
	}
	return read, nil
}

// commitFresh commits the positions of sources that a task reads for the first
// time, so that the place where a query began is settled. Partition 0 comes
// last.
func (s *session) commitFresh() error {
	for _, t := range slices.Backward(s.tasks) {
		if !t.fresh {
			continue
		}
		if err := t.commit(); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) connect() error {
	if len(s.routes) == 0 {
		return errors.New("the query reads no partitions: its source topics have none")
	}
	offsets := map[string]map[int32]kgo.Offset{}
	for tp, routes := range s.routes {
		from := routes[0].task.feed.sources[routes[0].source].position
		for _, r := range routes[1:] {
			from = min(from, r.task.feed.sources[r.source].position)
		}
		if offsets[tp.topic] == nil {
			offsets[tp.topic] = map[int32]kgo.Offset{}
		}
		offsets[tp.topic][tp.partition] = kgo.NewOffset().At(from)
	}
	consumer, err := s.q.rt.consumer(s.q.spec.QueryID, offsets)
	if err != nil {
		return err
	}
	s.consumer = consumer
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
	group.Go(func() error { return s.poll(ctx) })
	group.Go(func() error {
		select {
		case <-s.grown:
			return errGrown
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
	err := group.Wait()
	s.consumer.Close()
	return errors.Join(err, s.closeTasks())
}

func (s *session) closeTasks() error {
	var errs []error
	for _, t := range s.tasks {
		errs = append(errs, t.state.Close())
	}
	s.tasks = nil
	return errors.Join(errs...)
}

func (s *session) poll(ctx context.Context) error {
	for {
		fetches := s.consumer.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil {
			return nil
		}
		if fetches.IsClientClosed() {
			return errors.New("the query's Kafka consumer was closed")
		}
		var failed error
		fetches.EachError(func(topic string, partition int32, err error) {
			failed = errors.Join(failed, fmt.Errorf("reading partition %d of topic %s: %w", partition, topic, err))
		})
		if failed != nil {
			return failed
		}
		stopped := false
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			end := p.LastStableOffset
			if end < 0 {
				end = p.HighWatermark
			}
			for _, r := range s.routes[topicPartition{p.Topic, p.Partition}] {
				select {
				case r.task.inbox <- fetched{source: r.source, records: p.Records, end: end}:
				case <-ctx.Done():
					stopped = true
				}
			}
		})
		if stopped {
			return nil
		}
	}
}
