package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const (
	// batchRecords is how many records a task takes into one commit at most.
	batchRecords = 2000
	// sendTimeout bounds how long a task waits for its outputs to be
	// acknowledged before its session starts again.
	sendTimeout = 30 * time.Second
)

// task runs one task of a query: batch by batch it processes, commits and
// sends.
type task struct {
	session     *session
	id          state.TaskID
	tag         string
	exec        *exec.Task
	state       *state.TaskState
	woken       chan struct{} // has one when a source may have more
	cursors     []*tail.Cursor
	feed        feed
	partitioner partitioner

	seq     uint64
	pending []state.Pending // outputs since the last commit; after it, those to send
	bounds  []state.Bound
	emitErr error
	fresh   bool          // reads a source for the first time
	last    *state.Commit // that the session found; nil for a new task

	mu        sync.Mutex
	unsettled map[topicPartition]int64 // bounds of the committed outbox, for the trimmer
	read      map[topicPartition]int64 // committed positions in internal topics
}

// point is where a task may fail in a test.
type point uint8

const (
	beforeCommit point = iota
	beforeSend
	afterSend
	beforeSettle
)

func (t *task) hit(p point) (sent int, err error) {
	if t.session.q.rt.fault == nil {
		return 0, nil
	}
	return t.session.q.rt.fault(p)
}

func (t *task) run(ctx context.Context) error {
	for {
		n, err := t.step(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.commit(); err != nil {
				return err
			}
			if err := t.send(ctx); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return t.settle()
		}
		if n == t.session.q.rt.batch {
			continue
		}
		select {
		case <-t.woken:
		case <-ctx.Done():
			return t.settle()
		}
	}
}

// settle commits that nothing is left to send, so that the next start need not
// look for it.
func (t *task) settle() error {
	if len(t.bounds) == 0 {
		return nil
	}
	if _, err := t.hit(beforeSettle); err != nil {
		return err
	}
	t.pending = nil
	return t.commit()
}

func (t *task) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// step reads and processes records until nothing more is there, a source has
// more to come, or the batch is full.
func (t *task) step(ctx context.Context) (int, error) {
	for n := 0; n < t.session.q.rt.batch; {
		rec := t.feed.next()
		if rec == nil {
			moved, err := t.feed.fill(ctx)
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
		err := t.exec.Process(inRecord(rec))
		if err == nil {
			err = t.emitErr
		}
		if err != nil {
			return n, err
		}
	}
	return t.session.q.rt.batch, nil
}

func (t *task) emit(o exec.Output) {
	partition := o.Partition
	if partition < 0 {
		count := t.session.partitions[o.Topic]
		if count == 0 {
			t.emitErr = fmt.Errorf("writing to topic %s: it is not one that the query declared", o.Topic)
			return
		}
		partition = t.partitioner.partition(o.PartitionKey, t.seq, count)
	}
	t.pending = append(t.pending, state.Pending{
		Seq: t.seq, Topic: o.Topic, Partition: partition,
		Key: clone(o.Key), Value: clone(o.Value), Time: o.Time, Headers: o.Headers,
	})
	t.seq++
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func (t *task) commit() error {
	if _, err := t.hit(beforeCommit); err != nil {
		return err
	}
	if err := t.exec.Flush(); err != nil {
		return err
	}
	c := &state.Commit{Positions: make(map[string]int64, len(t.feed.sources)), NextSeq: t.seq, Outbox: t.pending}
	unsettled := map[topicPartition]int64{}
	for i := range t.pending {
		tp := topicPartition{Topic: t.pending[i].Topic, Partition: t.pending[i].Partition}
		if _, ok := unsettled[tp]; ok {
			continue
		}
		end, ok := t.session.q.rt.ends.get(tp)
		if !ok {
			return fmt.Errorf("writing to partition %d of topic %s: the topic has no such partition", tp.Partition, tp.Topic)
		}
		unsettled[tp] = end
		c.Bounds = append(c.Bounds, state.Bound{Topic: tp.Topic, Partition: tp.Partition, Offset: end})
	}
	read := map[topicPartition]int64{}
	for i := range t.feed.sources {
		src := &t.feed.sources[i]
		c.Positions[src.Topic] = src.position
		if src.Internal {
			read[topicPartition{Topic: src.Topic, Partition: t.id.Partition}] = src.position
		}
	}
	if err := t.state.Commit(c); err != nil {
		return err
	}
	t.bounds = c.Bounds
	t.mu.Lock()
	t.unsettled, t.read = unsettled, read
	t.mu.Unlock()
	return nil
}

// send writes the committed outputs and waits until all are acknowledged. It
// finishes what it began when the context ends.
func (t *task) send(ctx context.Context) error {
	if len(t.pending) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if n, err := t.hit(beforeSend); err != nil {
		return errors.Join(err, t.session.q.rt.produce(ctx, t.tag, t.pending[:min(n, len(t.pending))]))
	}
	if err := t.session.q.rt.produce(ctx, t.tag, t.pending); err != nil {
		return err
	}
	t.pending = nil
	_, err := t.hit(afterSend)
	return err
}

// produce writes outputs in order and waits for their acknowledgements.
func (r *Runtime) produce(ctx context.Context, tag string, outputs []state.Pending) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	wg.Add(len(outputs))
	for i := range outputs {
		o := &outputs[i]
		rec := &kgo.Record{
			Topic: o.Topic, Partition: o.Partition, Key: o.Key, Value: o.Value,
			Timestamp: time.UnixMilli(o.Time), Headers: outHeaders(o.Headers, tag, o.Seq),
		}
		r.client.Produce(ctx, rec, func(rec *kgo.Record, err error) {
			defer wg.Done()
			if err == nil {
				r.ends.atLeast(topicPartition{Topic: rec.Topic, Partition: rec.Partition}, rec.Offset+1)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = fmt.Errorf("writing to partition %d of topic %s: %w", rec.Partition, rec.Topic, err)
			}
		})
	}
	wg.Wait()
	return failed
}

func outHeaders(headers []types.Header, tag string, seq uint64) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, 0, len(headers)+1)
	for _, h := range headers {
		out = append(out, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return append(out, kgo.RecordHeader{Key: SeqHeader, Value: seqValue(tag, seq)})
}
