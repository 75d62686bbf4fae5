package engine

import (
	"context"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// facts are what the analysis of a statement found outside of the metastore.
// They are logged with it, so that it means the same whenever it is replayed.
type facts struct {
	// Topics are the topics that were asked for, by name; nil for one that did
	// not exist.
	Topics map[string]*topicFacts `json:"topics,omitempty"`
	// Schemas are the ids of the schemas that were the latest of a subject.
	Schemas map[string]int `json:"schemas,omitempty"`
}

type topicFacts struct {
	Partitions  int   `json:"partitions"`
	Replicas    int   `json:"replicas"`
	RetentionMS int64 `json:"retentionMs,omitempty"`
}

func newFacts() *facts { return &facts{Topics: map[string]*topicFacts{}, Schemas: map[string]int{}} }

// noting writes down what topics and the registry answer.
func (f *facts) noting(topics analyze.Topics, reg format.SchemaRegistry) (analyze.Topics, format.SchemaRegistry) {
	if reg != nil {
		reg = notingRegistry{reg, f}
	}
	return notingTopics{topics, f}, reg
}

// replaying answers from what was written down.
func (f *facts) replaying(reg format.SchemaRegistry) (analyze.Topics, format.SchemaRegistry) {
	if reg != nil {
		reg = replayedRegistry{reg, f}
	}
	return replayedTopics{f}, reg
}

type notingTopics struct {
	analyze.Topics
	facts *facts
}

func (t notingTopics) Topic(ctx context.Context, name string) (analyze.Topic, bool, error) {
	topic, exists, err := t.Topics.Topic(ctx, name)
	switch {
	case err != nil:
	case exists:
		t.facts.Topics[name] = &topicFacts{topic.Partitions, topic.Replicas, topic.RetentionMS}
	default:
		t.facts.Topics[name] = nil
	}
	return topic, exists, err
}

type replayedTopics struct{ facts *facts }

func (t replayedTopics) Topic(_ context.Context, name string) (analyze.Topic, bool, error) {
	if found := t.facts.Topics[name]; found != nil {
		return analyze.Topic{Partitions: found.Partitions, Replicas: found.Replicas, RetentionMS: found.RetentionMS}, true, nil
	}
	return analyze.Topic{}, false, nil
}

type notingRegistry struct {
	format.SchemaRegistry
	facts *facts
}

func (r notingRegistry) Latest(ctx context.Context, subject string) (registry.Schema, error) {
	schema, err := r.SchemaRegistry.Latest(ctx, subject)
	if err == nil {
		r.facts.Schemas[subject] = schema.ID
	}
	return schema, err
}

type replayedRegistry struct {
	format.SchemaRegistry
	facts *facts
}

func (r replayedRegistry) Latest(ctx context.Context, subject string) (registry.Schema, error) {
	id, ok := r.facts.Schemas[subject]
	if !ok {
		return registry.Schema{}, registry.ErrNotFound
	}
	schema, err := r.SchemaByID(ctx, id)
	schema.ID, schema.Subject = id, subject
	return schema, err
}
