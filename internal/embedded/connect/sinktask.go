package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const (
	topicsSetting      = "topics"
	topicsRegexSetting = "topics.regex"
	groupPrefix        = "connect-"
	sinkTaskClass      = "org.apache.kafka.connect.sink.SinkTask"
	maxPoll            = 500 // records, as Kafka's own consumers
)

// runSink runs a sink task until it fails or ctx ends.
func (w *worker) runSink(ctx context.Context, c *connector, t *task, sink plugin.SinkTask, settings map[string]string) (err error) {
	p, err := w.newPipeline(settings)
	if err != nil {
		return err
	}
	r := &sinkRun{w: w, c: c, t: t, p: p, sink: sink, progress: newProgress(w.cfg.Clock.Now, cmp.Or(w.cfg.OffsetFlushInterval, commitInterval))}
	client, leave, err := w.consumer(c, settings, r)
	if err != nil {
		return err
	}
	defer leave()
	defer func() { err = errors.Join(err, r.close()) }()
	if r.dead, err = w.deadLettersOf(ctx, c, t, settings); err != nil {
		return err
	}
	if err := sink.Start(ctx, r.environment(), settings); err != nil {
		return err
	}
	r.running.Store(true)
	w.setTask(c, t, status{state: stateRunning})
	defer func() {
		finishCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sinkFinishTimeout)
		defer cancel()
		r.finish(finishCtx, client, err)
	}()
	for {
		pollCtx, cancel := r.progress.pollContext(ctx)
		fetches := client.PollRecords(pollCtx, maxPoll)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchError(fetches); err != nil {
			w.log.Warn("connect: reading for a sink failed, trying again", "connector", c.name, "error", err)
		}
		if err := r.drain(ctx, fetches.Records()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if r.progress.due() {
			if err := r.progress.commit(ctx, client); err != nil && ctx.Err() == nil {
				w.log.Warn("connect: offsets were not committed, trying again", "connector", c.name, "error", err)
			}
		}
		client.AllowRebalance()
	}
}

// sinkRun is one run of a sink task.
type sinkRun struct {
	w        *worker
	c        *connector
	t        *task
	p        *pipeline
	sink     plugin.SinkTask
	dead     *deadLetters
	progress *progress
	running  atomic.Bool // between the sink's start and its close
}

func (r *sinkRun) close() error {
	r.running.Store(false)
	return r.sink.Close()
}

// finish writes what was put, as far as that is quickly done, and commits it. As
// with the real worker, a task that failed commits only what was written before.
func (r *sinkRun) finish(ctx context.Context, client *kgo.Client, failed error) {
	if failed != nil {
		r.commit(ctx, client)
	}
	flushCtx, cancel := context.WithTimeout(ctx, sinkFlushTimeout)
	defer cancel()
	if err := r.sink.Flush(flushCtx); err != nil && failed == nil {
		r.w.log.Warn("connect: some records were not written; they will be delivered again", "connector", r.c.name, "error", err)
	}
	if failed == nil {
		r.commit(ctx, client)
	}
}

func (r *sinkRun) commit(ctx context.Context, client *kgo.Client) {
	if err := r.progress.commit(ctx, client); err != nil {
		r.w.log.Warn("connect: the last offsets were not committed; records will be delivered again", "connector", r.c.name, "error", err)
	}
}

// revoked writes and commits what was read of partitions before somebody else gets
// them. The client calls it while no record is being put.
func (r *sinkRun) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	if r.running.Load() {
		r.finish(ctx, client, nil)
	}
	r.progress.forget(partitions)
}

// lost forgets partitions that somebody else has already.
func (r *sinkRun) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	r.progress.forget(partitions)
}

func fetchError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("reading topic %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// drain converts records and puts them into the sink. When one can't be converted
// none of them is put, as with the real worker.
func (r *sinkRun) drain(ctx context.Context, raw []*kgo.Record) error {
	records := make([]*plugin.Record, 0, len(raw))
	for _, d := range r.progress.begin(raw) {
		r.w.usedTopic(r.c, r.t.id, d.record.Topic)
		out, err := r.p.fromKafka(ctx, d.record)
		switch {
		case err == nil && out != nil:
			out.Raw = d
			records = append(records, out)
			continue
		case err == nil:
		case passing(ctx, err):
			return ctx.Err()
		case !r.p.errors.all:
			return exceeded(err)
		default:
			if err := r.skip(ctx, d.record, err); err != nil {
				return err
			}
		}
		r.progress.end(d)
	}
	return r.sink.Put(ctx, records)
}

// skip leaves a record out that can't be converted or transformed.
func (r *sinkRun) skip(ctx context.Context, raw *kgo.Record, err error) error {
	attrs := []any{"topic", raw.Topic, "partition", raw.Partition, "offset", raw.Offset}
	if r.p.errors.messages {
		attrs = append(attrs, "key", string(raw.Key), "value", string(raw.Value))
	}
	r.p.errors.tell(r.w, r.c, r.t.id, err, attrs...)
	failed, ok := errors.AsType[*stageError](err)
	if !ok {
		failed = &stageError{stageTransformation, "", err}
	}
	return r.dead.add(ctx, raw, failed)
}

// environment is what the sink task gets.
func (r *sinkRun) environment() plugin.Environment {
	env := r.w.environment(r.c)
	env.Written = func(records ...*plugin.Record) {
		list := make([]*delivery, 0, len(records))
		for _, record := range records {
			if d, ok := record.Raw.(*delivery); ok {
				list = append(list, d)
			}
		}
		r.progress.end(list...)
	}
	env.Report = func(ctx context.Context, record *plugin.Record, cause error) error {
		d, ok := record.Raw.(*delivery)
		if !ok {
			return fmt.Errorf("reporting a record of topic %s: it was not read from a topic", record.Topic)
		}
		r.p.errors.tell(r.w, r.c, r.t.id, cause, "topic", d.record.Topic, "partition", d.record.Partition, "offset", d.record.Offset)
		return r.dead.add(ctx, d.record, &stageError{stageTaskPut, sinkTaskClass, cause})
	}
	return env
}
