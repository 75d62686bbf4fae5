package sqltest

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// storesOf are the stores of a sub-topology's one task.
type storesOf struct{ *state.Memory }

func newQuery(q *catalog.Query, topology *exec.Topology, before *Query) (*Query, error) {
	out := &Query{Query: q, Topology: topology, offsets: map[string]int64{}}
	for i, sub := range topology.Subs {
		stores := &storesOf{state.NewMemory()}
		if before != nil && i < len(before.stores) {
			if err := before.tasks[i].Flush(); err != nil {
				return nil, err
			}
			stores = before.stores[i]
		}
		task, err := sub.NewTask(exec.TaskEnv{
			Stores: stores,
			Emit: func(o exec.Output) {
				o.Key, o.Value = slices.Clone(o.Key), slices.Clone(o.Value)
				out.pending = append(out.pending, o)
			},
			Row: func(row *types.Row) {
				if out.row != nil {
					out.row(row)
				}
			},
			Problem: func(p exec.ProcessingError) { out.Problems = append(out.Problems, p) },
		})
		if err != nil {
			return nil, err
		}
		out.stores = append(out.stores, stores)
		out.tasks = append(out.tasks, task)
	}
	return out, nil
}

// Reads reports whether the query reads a topic.
func (q *Query) Reads(topic string) bool {
	return slices.Contains(q.SourceTopics(), topic)
}

// SourceTopics are the topics that the query reads, internal ones left out, in
// the order of its sub-topologies.
func (q *Query) SourceTopics() []string {
	var topics []string
	for _, sub := range q.Topology.Subs {
		for _, s := range sub.Sources {
			if !s.Internal && !slices.Contains(topics, s.Topic) {
				topics = append(topics, s.Topic)
			}
		}
	}
	return topics
}

// Output is a record that a query writes.
type Output struct {
	Topic  string
	Record Record
}

// Process takes one record through the query, internal topics included, and
// gives what it writes to other topics.
func (q *Query) Process(topic string, offset int64, r Record) ([]Output, error) {
	if err := q.process(exec.InRecord{Topic: topic, Offset: offset, Key: r.Key, Value: r.Value, Time: r.Time, Headers: r.Headers}); err != nil {
		return nil, err
	}
	var out []Output
	for len(q.pending) > 0 {
		o := q.pending[0]
		q.pending = q.pending[1:]
		if !o.Internal {
			out = append(out, Output{o.Topic, Record{Key: o.Key, Value: o.Value, Time: o.Time, Headers: o.Headers}})
			continue
		}
		rec := exec.InRecord{Topic: o.Topic, Offset: q.offsets[o.Topic], Key: o.Key, Value: o.Value, Time: o.Time, Headers: o.Headers}
		q.offsets[o.Topic]++
		if err := q.process(rec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (q *Query) process(rec exec.InRecord) error {
	for i, sub := range q.Topology.Subs {
		if !slices.ContainsFunc(sub.Sources, func(s exec.Source) bool { return s.Topic == rec.Topic }) {
			continue
		}
		if err := q.tasks[i].Process(rec); err != nil {
			return err
		}
	}
	return nil
}
