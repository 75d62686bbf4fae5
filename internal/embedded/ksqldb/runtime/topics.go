package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// maxBatchBytes bounds the batches of topics that may have larger ones.
const maxBatchBytes = 64 << 20

// trimInterval is how often internal topics are relieved of what was read.
const trimInterval = 5 * time.Second

// prepareTopics makes a topology's internal topics where they are missing, and
// gives every topic that it reads or writes.
func (r *Runtime) prepareTopics(ctx context.Context, topology *exec.Topology) (map[string]presentTopic, error) {
	internal := make([]string, 0, len(topology.Internal))
	for _, in := range topology.Internal {
		internal = append(internal, in.Name)
	}
	var external, written []string
	add := func(list []string, topic string) []string {
		if slices.Contains(list, topic) {
			return list
		}
		return append(list, topic)
	}
	for _, sub := range topology.Subs {
		for _, src := range sub.Sources {
			if !src.Internal {
				external = add(external, src.Topic)
			}
		}
		for _, topic := range sub.Writes {
			written = add(written, topic)
			if !slices.Contains(internal, topic) {
				external = add(external, topic)
			}
		}
	}
	topics, err := r.existing(ctx, external)
	if err != nil {
		return nil, err
	}
	if err := r.createInternals(ctx, topology, internal, topics); err != nil {
		return nil, err
	}
	r.learnLimits(ctx, written)
	return topics, r.learnEnds(ctx, written)
}

// defaultBatchBytes is how large batches of outputs may be where a topic doesn't say.
const defaultBatchBytes = 1_000_012

// batchLimits are how large the batches of topics may be, by topic.
type batchLimits struct{ known sync.Map }

// of is a topic's limit, in bytes.
func (l *batchLimits) of(topic string) int32 {
	if limit, ok := l.known.Load(topic); ok {
		return limit.(int32)
	}
	return defaultBatchBytes
}

// learnLimits asks how large batches of topics may be, since a client doesn't split one
// that a broker refuses. Where that can't be asked, the default is taken.
func (r *Runtime) learnLimits(ctx context.Context, topics []string) {
	if len(topics) == 0 {
		return
	}
	configs, err := r.admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		r.log.Debug("asking how large the batches of topics may be", "error", err)
		return
	}
	for _, topic := range configs {
		for _, c := range topic.Configs {
			if c.Key != "max.message.bytes" || c.Value == nil {
				continue
			}
			n, err := strconv.ParseInt(*c.Value, 10, 32)
			if err != nil {
				continue
			}
			limit := int32(min(max(n, 512), maxBatchBytes))
			if before, known := r.limits.known.Swap(topic.Name, limit); known && before != limit {
				r.output.renew() // it noted the limit when it wrote first
			}
		}
	}
}

// createInternals makes internal topics and adds them. One that exists keeps its
// own number of partitions.
func (r *Runtime) createInternals(ctx context.Context, topology *exec.Topology, internal []string, topics map[string]presentTopic) error {
	for _, name := range internal {
		counts, err := topology.PartitionCounts(partitionsOf(topics))
		if err != nil {
			return err
		}
		if err := r.createInternal(ctx, name, counts[name]); err != nil {
			return err
		}
		found, err := r.existing(ctx, []string{name})
		if err != nil {
			return err
		}
		topics[name] = found[name]
	}
	_, err := topology.PartitionCounts(partitionsOf(topics))
	return err
}

func missing(topic string) error {
	return fmt.Errorf("topic %s does not exist: create it, or drop what reads and writes it", topic)
}

// existing gives topics, all of which must exist.
func (r *Runtime) existing(ctx context.Context, topics []string) (map[string]presentTopic, error) {
	found, err := r.present(ctx, topics)
	if err != nil {
		return nil, err
	}
	for _, topic := range topics {
		if _, ok := found[topic]; !ok {
			return nil, missing(topic)
		}
	}
	return found, nil
}

func partitionsOf(topics map[string]presentTopic) map[string]int32 {
	counts := map[string]int32{}
	for name, t := range topics {
		counts[name] = t.partitions
	}
	return counts
}

// presentTopic is a topic as it is now. A topic that is made anew under the name of
// one that was deleted has another id; brokers that know no ids give zeros.
type presentTopic struct {
	partitions int32
	id         topicID
}

// present gives those topics that exist. It asks the broker: what the client
// remembers may be from before a topic was made, changed or deleted. What is
// remembered of a topic that was made anew is dropped.
func (r *Runtime) present(ctx context.Context, topics []string) (map[string]presentTopic, error) {
	found := map[string]presentTopic{}
	if len(topics) == 0 {
		return found, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, r.client)
	if err != nil {
		return nil, fmt.Errorf("asking for the partitions of topics: %w", err)
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
		case err != nil:
			return nil, fmt.Errorf("asking for the partitions of topic %s: %w", *t.Topic, err)
		default:
			found[*t.Topic] = presentTopic{partitions: int32(len(t.Partitions)), id: t.TopicID}
			if r.ids.Note(*t.Topic, t.TopicID) {
				r.Forget(*t.Topic)
			}
		}
	}
	return found, nil
}

// createInternal makes an internal topic unless it is there.
func (r *Runtime) createInternal(ctx context.Context, name string, partitions int32) error {
	value := func(s string) *string { return &s }
	_, err := r.admin.CreateTopic(ctx, partitions, -1, map[string]*string{
		"cleanup.policy": value("delete"), "retention.ms": value("-1"),
		"segment.bytes": value("52428800"), "message.timestamp.type": value("CreateTime"),
	}, name)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating internal topic %s: %w", name, err)
	}
	r.Forget(name)
	return nil
}

// Forget drops what the runtime remembers of topics. It has to be called when a
// topic was deleted or made, since a new one may carry the name of an old one.
func (r *Runtime) Forget(topics ...string) {
	for _, topic := range topics {
		r.ends.forget(topic)
	}
	r.output.renew()
}

// learnEnds asks for the ends of topics that a query writes to.
func (r *Runtime) learnEnds(ctx context.Context, topics []string) error {
	if len(topics) == 0 {
		return nil
	}
	ends, err := r.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking where output topics end: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		r.ends.set(topicPartition{Topic: o.Topic, Partition: o.Partition}, o.Offset)
	})
	return nil
}

func (s *session) hasInternal() bool { return len(s.q.spec.Topology.Internal) > 0 }

// trim deletes records of internal topics that their reader has committed and
// that no writer could miss when it looks for what it had sent.
func (s *session) trim(ctx context.Context) error {
	tick := time.NewTicker(trimInterval)
	defer tick.Stop()
	done := map[topicPartition]int64{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		limits := s.trimLimits()
		offsets := kadm.Offsets{}
		for tp, limit := range limits {
			if limit > done[tp] {
				offsets.AddOffset(tp.Topic, tp.Partition, limit, -1)
				done[tp] = limit
			}
		}
		if len(offsets) == 0 {
			continue
		}
		if _, err := s.q.rt.admin.DeleteRecords(ctx, offsets); err != nil && ctx.Err() == nil {
			s.q.rt.log.Warn("trimming internal topics; it is tried again", "query", s.q.spec.QueryID, "error", err)
			clear(done)
		}
	}
}

// trimLimits gives, per internal partition, the offset below which nobody needs
// a record. One read record always stays, so that the partition's offsets are
// never lost.
func (s *session) trimLimits() map[topicPartition]int64 {
	limits := map[topicPartition]int64{}
	for _, t := range s.tasks {
		t.mu.Lock()
		for i := range t.Sources {
			tp := topicPartition{Topic: t.Sources[i].Topic, Partition: t.ID().Partition}
			if position, ok := t.read[tp]; ok && t.Sources[i].Internal {
				limits[tp] = position - 1
			}
		}
		t.mu.Unlock()
	}
	for _, t := range s.tasks {
		t.mu.Lock()
		for tp, bound := range t.unsettled {
			if limit, ok := limits[tp]; ok {
				limits[tp] = min(limit, bound)
			}
		}
		t.mu.Unlock()
	}
	return limits
}
