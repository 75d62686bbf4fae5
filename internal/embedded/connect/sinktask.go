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
func (w *worker) runSink(ctx context.Context, c *connector, t *task, sink plugin.SinkTask) (err error) {
	p, err := w.newPipeline(t.config)
	if err != nil {
		return err
	}
	client, err := w.consumer(c, t.config)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	defer func() { err = errors.Join(err, sink.Close()) }()
	if err := sink.Start(ctx, w.environment(c), t.config); err != nil {
		return err
	}
	w.setTask(c, t, status{state: stateRunning})
	committer := &committer{client: client, now: w.cfg.Now}
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
			done, err := w.drain(ctx, c, t, p, sink, records)
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

// drain converts records and puts them into the sink. It gives how many, from the
// first on, need not come again.
func (w *worker) drain(ctx context.Context, c *connector, t *task, p *pipeline, sink plugin.SinkTask, raw []*kgo.Record) (int, error) {
	records := make([]*plugin.Record, 0, len(raw))
	positions := make([]int, 0, len(raw)) // of the records among the raw ones
	done := len(raw)
	var failed error
	for i, r := range raw {
		timestamp := r.Timestamp.UnixMilli()
		partition := r.Partition
		record := &plugin.Record{
			Topic: r.Topic, Partition: &partition, Timestamp: &timestamp,
			KafkaTopic: r.Topic, KafkaPartition: r.Partition, KafkaOffset: r.Offset,
		}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, plugin.Header{Key: h.Key, Value: h.Value})
		}
		w.usedTopic(c, t.id, r.Topic)
		out, err := p.fromBytes(ctx, record, r.Key, r.Value)
		if err != nil {
			if passing(ctx, err) {
				return 0, ctx.Err()
			}
			if !p.tolerant {
				failed, done = exceeded(err), i
				break
			}
			w.log.Warn("connect: skipping a record", "connector", c.name, "task", t.id, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		if out != nil {
			records, positions = append(records, out), append(positions, i)
		}
	}
	if len(records) > 0 {
		if written, err := sink.Put(ctx, records); err != nil {
			return positions[min(written, len(positions)-1)], err
		}
	}
	return done, failed
}
