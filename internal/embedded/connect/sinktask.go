package connect

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const (
	topicsSetting      = "topics"
	topicsRegexSetting = "topics.regex"
	groupPrefix        = "connect-"
	sinkTaskClass      = "org.apache.kafka.connect.sink.SinkTask"
	maxPoll            = 500 // records, as Kafka's own consumers
)

// consumer makes a member of a sink connector's consumer group.
func (w *worker) consumer(c *connector, settings map[string]string) (*kgo.Client, error) {
	opts := append(w.cfg.kafka(),
		kgo.ClientID("connector-consumer-"+c.name),
		kgo.ConsumerGroup(groupPrefix+c.name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.MetadataMinAge(metadataMinAge),
	)
	if pattern := settings[topicsRegexSetting]; pattern != "" {
		opts = append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+pattern+")$"))
	} else {
		opts = append(opts, kgo.ConsumeTopics(config.SplitList(settings[topicsSetting])...))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	return client, nil
}

// runSink runs a sink task until it fails or ctx ends.
func (w *worker) runSink(ctx context.Context, c *connector, t *task, sink plugin.SinkTask, settings map[string]string) (err error) {
	p, err := w.newPipeline(settings)
	if err != nil {
		return err
	}
	client, err := w.consumer(c, settings)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	defer func() { err = errors.Join(err, sink.Close()) }()
	dead, err := w.deadLettersOf(ctx, c, t, settings)
	if err != nil {
		return err
	}
	if err := sink.Start(ctx, w.sinkEnvironment(c, t, p, dead), settings); err != nil {
		return err
	}
	w.setTask(c, t, status{state: stateRunning})
	committer := &committer{client: client, now: w.cfg.Clock.Now}
	defer func() {
		if commitErr := committer.commit(context.WithoutCancel(ctx)); commitErr != nil {
			w.log.Warn("connect: the last offsets were not committed; records will be delivered again", "connector", c.name, "error", commitErr)
		}
	}()
	for {
		pollCtx, cancel := committer.pollContext(ctx)
		fetches := client.PollRecords(pollCtx, maxPoll)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetchError(fetches); err != nil {
			w.log.Warn("connect: reading for a sink failed, trying again", "connector", c.name, "error", err)
		}
		if records := fetches.Records(); len(records) > 0 {
			done, err := w.drain(ctx, c, t, p, dead, sink, records)
			committer.reached(records[:done])
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
		if committer.due() {
			if err := committer.commit(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("connect: offsets were not committed, trying again", "connector", c.name, "error", err)
			}
		}
		client.AllowRebalance()
	}
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
// none of them is put, as with the real worker. It gives how many, from the first
// on, need not come again.
func (w *worker) drain(ctx context.Context, c *connector, t *task, p *pipeline, dead *deadLetters, sink plugin.SinkTask, raw []*kgo.Record) (int, error) {
	records := make([]*plugin.Record, 0, len(raw))
	positions := make([]int, 0, len(raw)) // of the records among the raw ones
	for i, r := range raw {
		w.usedTopic(c, t.id, r.Topic)
		out, err := p.fromKafka(ctx, r)
		switch {
		case err == nil && out != nil:
			records, positions = append(records, out), append(positions, i)
		case err == nil:
		case passing(ctx, err):
			return 0, ctx.Err()
		case !p.errors.all:
			return 0, exceeded(err)
		default:
			if err := w.skip(ctx, c, t, p, dead, r, err); err != nil {
				return 0, err
			}
		}
	}
	if len(records) == 0 {
		return len(raw), nil
	}
	if done, err := sink.Put(ctx, records); err != nil {
		return positions[min(done, len(positions)-1)], err
	}
	return len(raw), nil
}

// skip leaves a record out that can't be converted or transformed.
func (w *worker) skip(ctx context.Context, c *connector, t *task, p *pipeline, dead *deadLetters, r *kgo.Record, err error) error {
	attrs := []any{"topic", r.Topic, "partition", r.Partition, "offset", r.Offset}
	if p.errors.messages {
		attrs = append(attrs, "key", string(r.Key), "value", string(r.Value))
	}
	p.errors.tell(w, c, t.id, err, attrs...)
	failed, ok := errors.AsType[*stageError](err)
	if !ok {
		failed = &stageError{stageTransformation, "", err}
	}
	return dead.add(ctx, r, failed)
}

// sinkEnvironment is what a sink task gets.
func (w *worker) sinkEnvironment(c *connector, t *task, p *pipeline, dead *deadLetters) plugin.Environment {
	env := w.environment(c)
	env.Report = func(ctx context.Context, r *plugin.Record, cause error) error {
		raw, ok := r.Raw.(*kgo.Record)
		if !ok {
			return fmt.Errorf("reporting a record of topic %s: it was not read from a topic", r.Topic)
		}
		p.errors.tell(w, c, t.id, cause, "topic", raw.Topic, "partition", raw.Partition, "offset", raw.Offset)
		return dead.add(ctx, raw, &stageError{stageTaskPut, sinkTaskClass, cause})
	}
	return env
}
