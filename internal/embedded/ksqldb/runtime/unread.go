package runtime

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
)

// Unread gives the first offset of a partition that a query has not read and
// committed yet, or may have to look at after a crash for what it had written, so that
// a broker can keep it; false when there is none. It is 0 while a query that reads the
// topic doesn't run.
func (r *Runtime) Unread(topic string, partition int32) (offset int64, needed bool) {
	r.mu.Lock()
	queries := make([]*query, 0, len(r.queries))
	for _, q := range r.queries {
		queries = append(queries, q)
	}
	r.mu.Unlock()
	keep := func(at int64) {
		if !needed || at < offset {
			offset, needed = at, true
		}
	}
	for _, q := range queries {
		s, tp := q.running(), topicPartition{Topic: topic, Partition: partition}
		if reads(q.spec.Topology, topic) {
			keep(s.committed(tp))
		}
		if at, ok := s.unsettled(tp); ok {
			keep(at)
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

// unsettled gives the lowest offset of a partition from which on outputs of the tasks
// may lie that they don't know to be written.
func (s *session) unsettled(tp topicPartition) (lowest int64, ok bool) {
	if s == nil {
		return 0, false
	}
	for _, t := range s.tasks {
		t.mu.Lock()
		at, found := t.unsettled[tp]
		t.mu.Unlock()
		if found && (!ok || at < lowest) {
			lowest, ok = at, true
		}
	}
	return lowest, ok
}
