package runtime

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/tail"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

const (
	// batchRecords is how many records a task takes into one commit at most.
	batchRecords = 2000
	// sendTimeout bounds how long a task waits for its outputs to be
	// acknowledged before its session starts again.
	sendTimeout = 30 * time.Second
	// settleAfter is how long a task has nothing to do before it commits that its
	// outputs are all written. Until then a restart looks for them, which takes the
	// longer, and finds the less, the more has happened to the output topics since:
	// other writers append, retention and compaction remove.
	settleAfter = 10 * time.Second
	// stopTimeout bounds how long a task that is to stop still waits for them. What is
	// not acknowledged by then is sent again at the next start.
	stopTimeout = 2 * time.Second
)

// finishing is a context for outputs that are under way: it ends stopTimeout after ctx.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	unhook := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(stopTimeout)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-finish.Done():
		}
	})
	return finish, func() {
		unhook()
		cancel()
	}
}

// runner drives a task in a goroutine, batch by batch.
type runner struct {
	*task.Task
	transaction *transaction // nil when outputs carry their numbers
	batch       int
	settleAfter time.Duration
	woken       chan struct{} // has one when a source may have more
	cursors     []*tail.Cursor

	mu        sync.Mutex
	unsettled map[topicPartition]int64 // bounds of the committed outbox, for the trimmer
	read      map[topicPartition]int64 // committed positions
}

func (r *runner) run(ctx context.Context) error {
	for {
		n, err := r.Step(ctx)
		if err != nil {
			return err
		}
		if ctx.Err() == nil && n < r.batch {
			if err := r.wait(ctx); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return r.Settle()
		}
	}
}

// wait returns when there may be more to do. What was written long enough ago is
// settled meanwhile.
func (r *runner) wait(ctx context.Context) error {
	if len(r.Bounds()) > 0 {
		idle := time.NewTimer(r.settleAfter)
		defer idle.Stop()
		select {
		case <-r.woken:
			return nil
		case <-ctx.Done():
			return nil
		case <-idle.C:
			if err := r.Settle(); err != nil {
				return err
			}
		}
	}
	select {
	case <-r.woken:
	case <-ctx.Done():
	}
	return nil
}

// note tells the trimmer, and who asks what is unread, what was committed.
func (r *runner) note() {
	unsettled, read := map[topicPartition]int64{}, map[topicPartition]int64{}
	for _, b := range r.Bounds() {
		unsettled[topicPartition{Topic: b.Topic, Partition: b.Partition}] = b.Offset
	}
	for i := range r.Sources {
		src := &r.Sources[i]
		read[topicPartition{Topic: src.Topic, Partition: r.ID().Partition}] = src.Position
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsettled, r.read = unsettled, read
}

func (r *runner) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// outputs is the task.Log of all tasks of a Runtime.
type outputs struct{ rt *Runtime }

func (o outputs) End(p tail.Partition) (int64, bool) { return o.rt.ends.get(p) }

// Write implements task.Log. It finishes what it began when the context ends, but for
// what takes longer than a stop may.
func (o outputs) Write(ctx context.Context, tag string, pending []state.Pending) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	client, err := o.rt.output.acquire()
	if err != nil {
		return err
	}
	defer o.rt.output.release(client)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	wg.Add(len(pending))
	for i := range pending {
		p := &pending[i]
		rec := &kgo.Record{
			Topic: p.Topic, Partition: p.Partition, Key: p.Key, Value: p.Value,
			Timestamp: time.UnixMilli(p.Time), Headers: task.Headers(p.Headers, tag, p.Seq),
		}
		client.Produce(ctx, rec, func(rec *kgo.Record, err error) {
			defer wg.Done()
			if err == nil {
				o.rt.ends.atLeast(topicPartition{Topic: rec.Topic, Partition: rec.Partition}, rec.Offset+1)
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
