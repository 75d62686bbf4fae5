package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
)

// liveTopics tells the analyzer which topics the cluster has.
type liveTopics struct{ e *Engine }

func (t liveTopics) Topic(ctx context.Context, name string) (analyze.Topic, bool, error) {
	details, err := t.e.admin.ListTopicsWithInternal(ctx, name)
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

// ensureTopic creates a topic as described; one that exists was compared with
// the description by the analyzer.
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
	_, err := e.admin.CreateTopic(ctx, partitions, replicas, configs, spec.Name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", spec.Name, err)
	}
	return nil
}
