package runtime

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// TransientSpec is a query whose rows go to one caller and that leaves nothing
// behind.
type TransientSpec struct {
	QueryID  string
	Topology *exec.Topology
	// OffsetReset is "earliest", "latest" or "" for ksqlDB's default.
	OffsetReset string
	// Bounded ends the query where its source topics end when it begins: a pull
	// query on a stream. It always starts at their beginning.
	Bounded bool
	// Started, if set, is called when the query knows where it begins: every
	// record written later is part of it.
	Started func()
}

// ErrStop is returned by the receiver of a transient query's rows to end it.
var ErrStop = errors.New("the receiver wants no more rows")

// ErrSlow is the end of a transient query that had read its sources to their ends
// once and then fell behind because its receiver took rows too slowly: what it had
// not read outgrew Config.ReadBuffer, and it had waited for the receiver for more
// than Config.SlowReceiver since.
var ErrSlow = errors.New("the receiver takes rows too slowly")

// RunTransient runs a query until the context ends, its end is reached, or row
// returns an error. It gives nil for the first two and ErrStop. The rows and
// their slices are valid until row returns, their values may be kept. It keeps
// its state in memory and everything, internal re-keying too, within the
// calling goroutine.
func (r *Runtime) RunTransient(ctx context.Context, spec TransientSpec, row func(*types.Row) error) error {
	t := &transient{rt: r, spec: spec, row: row, woken: make(chan struct{}, 1), partitioner: task.NewPartitioner(), readers: map[string]map[int32][]*transientTask{}}
	defer t.close()
	err := t.open(ctx)
	if err == nil {
		err = t.run(ctx)
	}
	if errors.Is(err, ErrStop) || (err != nil && ctx.Err() != nil) {
		return nil
	}
	return err
}

type transient struct {
	rt          *Runtime
	spec        TransientSpec
	row         func(*types.Row) error
	woken       chan struct{} // has one when a source may have more
	cursors     []*tail.Cursor
	partitioner task.Partitioner
	partitions  map[string]int32
	tasks       []*transientTask
	readers     map[string]map[int32][]*transientTask
	queue       []exec.InRecord // internal records on their way
	seq         uint64
	stop        error
	waited      time.Duration // for the receiver, since the query was not behind
}

type transientTask struct {
	exec *exec.Task
	feed task.Feed
}

func (t *transient) open(ctx context.Context) error {
	var external []string
	for _, sub := range t.spec.Topology.Subs {
		for _, src := range sub.Sources {
			if !src.Internal && !slices.Contains(external, src.Topic) {
				external = append(external, src.Topic)
			}
		}
	}
	topics, err := t.rt.existing(ctx, external)
	if err != nil {
		return err
	}
	partitions := partitionsOf(topics)
	internal, err := t.spec.Topology.PartitionCounts(partitions)
	if err != nil {
		return err
	}
	for topic, n := range internal {
		partitions[topic] = n
	}
	t.partitions = partitions
	starts, ends, err := t.rt.extents(ctx, external)
	if err != nil {
		return err
	}
	for _, sub := range t.spec.Topology.Subs {
		var count int32
		for _, src := range sub.Sources {
			count = max(count, partitions[src.Topic])
		}
		for p := range count {
			tt, err := t.newTask(sub, p)
			if err != nil {
				return err
			}
			for _, src := range sub.Sources {
				if p >= partitions[src.Topic] {
					continue
				}
				t.listen(src.Topic, p, tt)
				if src.Internal {
					continue
				}
				start, _ := starts.Lookup(src.Topic, p)
				end, _ := ends.Lookup(src.Topic, p)
				from := start.Offset
				if !t.spec.Bounded && fromEnd(src, t.spec.OffsetReset) {
					from = end.Offset
				}
				tt.feed.Sources = append(tt.feed.Sources, task.Source{Source: src, Position: from, End: end.Offset})
			}
			if err := t.follow(ctx, tt, p); err != nil {
				return err
			}
		}
	}
	if t.spec.Started != nil {
		t.spec.Started()
	}
	return nil
}

func (t *transient) newTask(sub *exec.SubTopology, partition int32) (*transientTask, error) {
	env := exec.TaskEnv{
		Partition: partition,
		Stores:    state.NewMemory(),
		Emit:      t.emit,
		Row: func(row *types.Row) {
			if t.stop == nil {
				t.stop = t.give(row)
			}
		},
		Problem: func(p exec.ProcessingError) { t.rt.cfg.Problem(t.spec.QueryID, p) },
	}
	made, err := sub.NewTask(env)
	if err != nil {
		return nil, err
	}
	tt := &transientTask{exec: made}
	t.tasks = append(t.tasks, tt)
	return tt, nil
}

func (t *transient) listen(topic string, partition int32, tt *transientTask) {
	if t.readers[topic] == nil {
		t.readers[topic] = map[int32][]*transientTask{}
	}
	t.readers[topic][partition] = append(t.readers[topic][partition], tt)
}

// emit takes what travels between sub-topologies. A transient query writes
// nothing else.
func (t *transient) emit(o exec.Output) {
	partition := o.Partition
	if partition < 0 {
		partition = t.partitioner.Partition(o.PartitionKey, t.seq, max(t.partitions[o.Topic], 1))
	}
	t.queue = append(t.queue, exec.InRecord{
		Topic: o.Topic, Partition: partition, Offset: int64(t.seq),
		Key: task.Clone(o.Key), Value: task.Clone(o.Value), Time: o.Time, Headers: o.Headers,
	})
	t.seq++
}

// follow begins to read the topics that a task reads.
func (t *transient) follow(ctx context.Context, tt *transientTask, partition int32) error {
	starts := make([]tail.Start, len(tt.feed.Sources))
	for i := range tt.feed.Sources {
		src := &tt.feed.Sources[i]
		starts[i] = tail.Start{Partition: topicPartition{Topic: src.Topic, Partition: partition}, Offset: src.Position, End: src.End}
		src.Reader = &span{tail: t.rt.tail, partition: starts[i].Partition, next: src.Position, end: src.End}
	}
	if t.spec.Bounded || len(starts) == 0 {
		return nil
	}
	cursors, err := t.rt.tail.Follow(ctx, starts, t.wake)
	t.cursors = append(t.cursors, cursors...)
	for i, c := range cursors {
		tt.feed.Sources[i].Reader = c
	}
	return err
}

func (t *transient) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// give hands a row to the receiver.
func (t *transient) give(row *types.Row) error {
	began := time.Now()
	err := t.row(row)
	t.waited += time.Since(began)
	if err == nil && t.waited > t.rt.cfg.SlowReceiver && t.behind() {
		return ErrSlow
	}
	return err
}

func (t *transient) behind() bool {
	return slices.ContainsFunc(t.cursors, (*tail.Cursor).Behind)
}

func (t *transient) close() {
	for _, c := range t.cursors {
		c.Close()
	}
}

func (t *transient) run(ctx context.Context) error {
	for !t.spec.Bounded || !t.done() {
		moved := false
		for _, tt := range t.tasks {
			m, err := tt.feed.Fill(ctx)
			if err != nil {
				return err
			}
			moved = moved || m
		}
		if err := t.work(ctx); err != nil {
			return err
		}
		if moved || t.spec.Bounded {
			continue
		}
		t.waited = 0
		select {
		case <-t.woken:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// work processes everything that can be processed now.
func (t *transient) work(ctx context.Context) error {
	for _, tt := range t.tasks {
		for rec := tt.feed.Next(); rec != nil; rec = tt.feed.Next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if rec.Attrs.IsControl() {
				continue
			}
			if err := t.process(tt, task.Input(rec)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transient) process(tt *transientTask, rec exec.InRecord) error {
	if err := tt.exec.Process(rec); err != nil {
		return err
	}
	for len(t.queue) > 0 && t.stop == nil {
		rec := t.queue[0]
		t.queue = t.queue[1:]
		for _, reader := range t.readers[rec.Topic][rec.Partition] {
			if err := reader.exec.Process(rec); err != nil {
				return err
			}
		}
	}
	return t.stop
}

// done reports whether all sources have been read to where they ended at the
// start.
func (t *transient) done() bool {
	for _, tt := range t.tasks {
		if !tt.feed.Done() {
			return false
		}
	}
	return true
}

// fromEnd reports whether a query that has not read a topic before skips what
// the topic holds already.
func fromEnd(src exec.Source, reset string) bool {
	if src.Offsets != "" {
		reset = src.Offsets
	}
	switch {
	case src.Internal:
		return false
	case reset == "":
		return !src.Table
	default:
		return reset == "latest"
	}
}
