package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
)

// liveTopics tells the analyzer which topics the cluster has.
type liveTopics struct{ e *Engine }

func (t liveTopics) Topic(ctx context.Context, name string) (analyze.Topic, bool, error) {
	details, err := t.e.listTopics(ctx, name)
	if err != nil {
		return analyze.Topic{}, false, fmt.Errorf("asking for topic %s: %w", name, err)
	}
	d, ok := details[name]
	if !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return analyze.Topic{}, false, nil
	}
	if d.Err != nil {
		return analyze.Topic{}, false, fmt.Errorf("asking for topic %s: %w", name, d.Err)
	}
	topic := analyze.Topic{Partitions: len(d.Partitions)}
	for _, p := range d.Partitions {
		topic.Replicas = len(p.Replicas)
	}
	configs, err := t.e.admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return analyze.Topic{}, false, fmt.Errorf("asking for the settings of topic %s: %w", name, err)
	}
	for _, resource := range configs {
		for _, c := range resource.Configs {
			if c.Key == "retention.ms" && c.Value != nil {
				if ms, err := strconv.ParseInt(*c.Value, 10, 64); err == nil {
					topic.RetentionMS = ms
				}
			}
		}
	}
	return topic, true, nil
}

// listTopics describes topics, all of them without names. It asks the broker:
// what the client remembers may be from before the statement at hand. What is
// remembered of topics that were made anew is dropped.
func (e *Engine) listTopics(ctx context.Context, names ...string) (kadm.TopicDetails, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return nil, err
	}
	details := kadm.TopicDetails{}
	for _, topic := range resp.Topics {
		if topic.Topic == nil {
			continue
		}
		if e.topicIDs.Note(*topic.Topic, topic.TopicID) {
			e.client.PurgeTopicsFromProducing(*topic.Topic)
		}
		d := kadm.TopicDetail{Topic: *topic.Topic, Partitions: kadm.PartitionDetails{}, Err: kerr.ErrorForCode(topic.ErrorCode)}
		for _, p := range topic.Partitions {
			d.Partitions[p.Partition] = kadm.PartitionDetail{Topic: *topic.Topic, Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas}
		}
		details[*topic.Topic] = d
	}
	return details, nil
}

// overlaidTopics adds topics that earlier statements of a request would make.
type overlaidTopics struct {
	analyze.Topics
	made map[string]analyze.Topic
}

func (t overlaidTopics) Topic(ctx context.Context, name string) (analyze.Topic, bool, error) {
	if topic, ok := t.made[name]; ok {
		return topic, true, nil
	}
	return t.Topics.Topic(ctx, name)
}

func (t overlaidTopics) add(spec *analyze.TopicSpec) {
	if spec == nil {
		return
	}
	topic := analyze.Topic{Partitions: max(spec.Partitions, 1), Replicas: max(spec.Replicas, 1)}
	if spec.RetentionMS != nil {
		topic.RetentionMS = *spec.RetentionMS
	}
	t.made[spec.Name] = topic
}

// checkTopic compares a topic that exists with what a statement asks for. More
// replicas than asked for are fine.
func checkTopic(ctx context.Context, topics analyze.Topics, result analyze.Result) error {
	spec := topicOf(result)
	if spec == nil {
		return nil
	}
	found, exists, err := topics.Topic(ctx, spec.Name)
	if err != nil {
		return err
	}
	if !exists {
		if _, plain := result.(*analyze.CreateSource); plain && spec.Partitions < 1 || spec.Partitions < 0 {
			return topicRefused(spec.Name, "Number of partitions was set to an invalid non-positive value.")
		}
		return nil
	}
	partitions, replicas := spec.Partitions, spec.Replicas
	if partitions == 0 {
		partitions = found.Partitions
	}
	if replicas == 0 {
		replicas = found.Replicas
	}
	if partitions == found.Partitions && replicas <= found.Replicas {
		return nil
	}
	return &Error{Code: CodeServerError, Message: fmt.Sprintf("A Kafka topic with the name '%s' already exists, with different partition/replica/retention "+
		"configuration than required. KSQL expects %d partitions (topic has %d), %d replication factor (topic has %d), and %d retention (topic has %d).",
		spec.Name, partitions, found.Partitions, replicas, found.Replicas, found.RetentionMS, found.RetentionMS)}
}

func topicRefused(name, why string) *Error {
	return &Error{Code: CodeServerError, Message: withCause("Failed to guarantee existence of topic "+name, why)}
}

// ensureTopic creates a topic as described; one that exists was compared with
// the description before.
func (e *Engine) ensureTopic(ctx context.Context, spec *analyze.TopicSpec) error {
	if spec == nil {
		return nil
	}
	configs := map[string]*string{}
	set := func(name, v string) { configs[name] = &v }
	if spec.CleanupPolicy != "" {
		set("cleanup.policy", spec.CleanupPolicy)
	}
	if spec.RetentionMS != nil {
		set("retention.ms", strconv.FormatInt(*spec.RetentionMS, 10))
	}
	partitions, replicas := int32(spec.Partitions), int16(spec.Replicas)
	if partitions == 0 {
		partitions = -1
	}
	if replicas == 0 {
		replicas = -1
	}
	made, err := e.admin.CreateTopic(ctx, partitions, replicas, configs, spec.Name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		why := made.ErrMessage
		if why == "" {
			why = e.creationProblem(ctx, err, spec.Replicas)
		}
		return topicRefused(spec.Name, why)
	}
	return nil
}

// creationProblem is Kafka's text for a topic that can't be made, where the
// broker sends none of its own.
func (e *Engine) creationProblem(ctx context.Context, err error, replicas int) string {
	if !errors.Is(err, kerr.InvalidReplicationFactor) {
		return err.Error()
	}
	brokers, failed := e.admin.ListBrokers(ctx)
	if failed != nil {
		return err.Error()
	}
	return fmt.Sprintf("Unable to replicate the partition %d time(s): The target replication factor of %[1]d cannot be reached because only %d broker(s) are registered.",
		replicas, len(brokers))
}
