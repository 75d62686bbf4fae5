package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// partition is the one partition of the topic.
const partition = 0

// topic reads and writes the topic that keeps the registry.
type topic struct {
	name   string
	kafka  []kgo.Opt // of every client
	client *kgo.Client
	log    *slog.Logger
}

func openTopic(cfg Config) (*topic, error) {
	client, err := kgo.NewClient(append(cfg.kafka(),
		kgo.ClientID(clientID),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(writeTimeout),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka for the schemas topic: %w", err)
	}
	return &topic{name: cfg.Topic, kafka: cfg.kafka(), client: client, log: cfg.Logger}, nil
}

func (t *topic) close() { t.client.Close() }

// create makes the topic when it is missing.
func (t *topic) create(ctx context.Context) error {
	policy := "compact"
	_, err := kadm.NewClient(t.client).CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": &policy}, t.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", t.name, err)
	}
	return nil
}

// end gives the offset after the last record.
func (t *topic) end(ctx context.Context) (int64, error) {
	ends, err := kadm.NewClient(t.client).ListEndOffsets(ctx, t.name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("reading where topic %s ends: %w", t.name, err)
	}
	end, ok := ends.Lookup(t.name, partition)
	if !ok {
		return 0, fmt.Errorf("reading topic %s: it has no partition %d", t.name, partition)
	}
	if len(ends[t.name]) != 1 {
		return 0, fmt.Errorf("reading topic %s: it has %d partitions, a registry's has 1: choose another topic", t.name, len(ends[t.name]))
	}
	return end.Offset, nil
}

// read hands the records from an offset on to apply, in order, and gives the offset
// after the last one. Records that apply can't read are skipped.
func (t *topic) read(ctx context.Context, from int64, apply func(key, value []byte) error) (int64, error) {
	end, err := t.end(ctx)
	if err != nil {
		return 0, err
	}
	if end <= from {
		return from, nil
	}
	consumer, err := kgo.NewClient(append(slices.Clip(t.kafka),
		kgo.ClientID(clientID),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.name: {partition: kgo.NewOffset().At(from)}}),
	)...)
	if err != nil {
		return 0, fmt.Errorf("connecting to Kafka for the schemas topic: %w", err)
	}
	defer consumer.Close()
	next := from
	for next < end {
		fetches := consumer.PollFetches(ctx)
		if errs := fetches.Errors(); len(errs) > 0 {
			return 0, fmt.Errorf("reading topic %s: %w", t.name, errs[0].Err)
		}
		for _, r := range fetches.Records() {
			if r.Offset >= end {
				return end, nil
			}
			next = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			if err := apply(r.Key, r.Value); err != nil {
				t.log.Warn("schema registry: skipping a record that can't be read", "topic", t.name, "offset", r.Offset, "error", err)
			}
		}
	}
	return next, nil
}

// write appends records and returns once they are acknowledged.
func (t *topic) write(ctx context.Context, records []record) ([]*kgo.Record, error) {
	raw := make([]*kgo.Record, len(records))
	for i, r := range records {
		key, value, err := r.encode()
		if err != nil {
			return nil, err
		}
		raw[i] = &kgo.Record{Topic: t.name, Partition: partition, Key: key, Value: value}
	}
	if err := t.client.ProduceSync(ctx, raw...).FirstErr(); err != nil {
		return nil, fmt.Errorf("writing to topic %s: %w", t.name, err)
	}
	return raw, nil
}
