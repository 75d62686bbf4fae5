package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// trimInterval is how often internal topics are relieved of what was read.
const trimInterval = 5 * time.Second

// prepareTopics makes a topology's internal topics where they are missing, and
// gives the number of partitions of every topic that it reads or writes.
func (r *Runtime) prepareTopics(ctx context.Context, topology *exec.Topology) (map[string]int32, error) {
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
	partitions, err := r.partitions(ctx, external)
	if err != nil {
		return nil, err
	}
	if err := r.createInternals(ctx, topology, internal, partitions); err != nil {
		return nil, err
	}
	return partitions, r.learnEnds(ctx, written)
}

// createInternals makes internal topics and adds their numbers of partitions.
// One that exists keeps its own number.
func (r *Runtime) createInternals(ctx context.Context, topology *exec.Topology, internal []string, partitions map[string]int32) error {
	for _, name := range internal {
		counts, err := topology.PartitionCounts(partitions)
		if err != nil {
			return err
		}
		made, err := r.createInternal(ctx, name, counts[name])
		if err != nil {
			return err
		}
		if made {
			partitions[name] = counts[name]
			continue
		}
		found, err := r.partitions(ctx, []string{name})
		if err != nil {
			return err
		}
		partitions[name] = found[name]
	}
	_, err := topology.PartitionCounts(partitions)
	return err
}

func missing(topic string) error {
	return fmt.Errorf("topic %s does not exist: create it, or drop what reads and writes it", topic)
}

// partitions gives the numbers of partitions of topics, which must exist.
func (r *Runtime) partitions(ctx context.Context, topics []string) (map[string]int32, error) {
	found, err := r.present(ctx, topics)
	if err != nil {
		return nil, err
	}
	counts := map[string]int32{}
	for _, topic := range topics {
		t, ok := found[topic]
		if !ok {
			return nil, missing(topic)
		}
		counts[topic] = t.partitions
	}
	return counts, nil
}

// presentTopic is a topic as it is now. A topic that is made anew under the name of
// one that was deleted has another id; brokers that know no ids give zeros.
type presentTopic struct {
	partitions int32
	id         [16]byte
}

// present gives those topics that exist. It asks the broker: what the client
// remembers may be from before a topic was made, changed or deleted.
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
		}
	}
	return found, nil
}

// createInternal makes an internal topic; false says that it is there.
func (r *Runtime) createInternal(ctx context.Context, name string, partitions int32) (bool, error) {
	value := func(s string) *string { return &s }
	_, err := r.admin.CreateTopic(ctx, partitions, -1, map[string]*string{
		"cleanup.policy": value("delete"), "retention.ms": value("-1"),
		"segment.bytes": value("52428800"), "message.timestamp.type": value("CreateTime"),
	}, name)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("creating internal topic %s: %w", name, err)
	}
	r.Forget(name)
	return true, nil
}

// Forget drops what the runtime remembers of topics. It has to be called when a
// topic was deleted or made, since a new one may carry the name of an old one.
func (r *Runtime) Forget(topics ...string) {
	for _, topic := range topics {
		r.ends.forget(topic)
	}
	r.client.PurgeTopicsFromProducing(topics...)
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
