package runtime

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// Unread gives the first offset of a partition that a query has not read and
// committed yet, so that a broker can keep it; false when no query reads the topic.
// It is 0 while a query that reads it doesn't run.
func (r *Runtime) Unread(topic string, partition int32) (offset int64, needed bool) {
	r.mu.Lock()
	queries := make([]*query, 0, len(r.queries))
	for _, q := range r.queries {
		queries = append(queries, q)
	}
	r.mu.Unlock()
	for _, q := range queries {
		if !reads(q.spec.Topology, topic) {
			continue
		}
		at := q.running().committed(topicPartition{Topic: topic, Partition: partition})
		if !needed || at < offset {
			offset, needed = at, true
		}
	}
	return offset, needed
}

func reads(t *exec.Topology, topic string) bool {
	return slices.ContainsFunc(t.Subs, func(sub *exec.SubTopology) bool {
		return slices.ContainsFunc(sub.Sources, func(src exec.Source) bool { return src.Topic == topic })
	})
}

// committed gives the lowest position that the tasks which read a partition have
// committed; 0 when it isn't known.
func (s *session) committed(tp topicPartition) int64 {
	if s == nil {
		return 0
	}
	lowest, known := int64(0), false
	for _, t := range s.tasks {
		t.mu.Lock()
		at, ok := t.read[tp]
		t.mu.Unlock()
		if ok && (!known || at < lowest) {
			lowest, known = at, true
		}
	}
	return lowest
}
