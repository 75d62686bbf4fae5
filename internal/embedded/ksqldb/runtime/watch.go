package runtime

import (
	"context"
	"time"
)

// watch looks for partitions that were added to topics of running queries. The
// session of such a query begins anew, with tasks for them.
func (r *Runtime) watch(ctx context.Context) {
	tick := time.NewTicker(r.cfg.PartitionInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		sessions := r.sessions()
		counts, err := r.present(ctx, topicsOf(sessions))
		if err != nil {
			if ctx.Err() == nil {
				r.log.Debug("looking for added partitions; it is tried again", "error", err)
			}
			continue
		}
		for _, s := range sessions {
			s.compare(counts)
		}
	}
}

func (r *Runtime) sessions() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sessions []*session
	for _, q := range r.queries {
		if s := q.running(); s != nil {
			sessions = append(sessions, s)
		}
	}
	return sessions
}

func topicsOf(sessions []*session) []string {
	seen := map[string]bool{}
	var topics []string
	for _, s := range sessions {
		for topic := range s.partitions {
			if !seen[topic] {
				seen[topic] = true
				topics = append(topics, topic)
			}
		}
	}
	return topics
}

// compare ends the session when a topic has more partitions than it knows.
func (s *session) compare(counts map[string]int32) {
	for topic, known := range s.partitions {
		if counts[topic] <= known {
			continue
		}
		s.growsOnce.Do(func() {
			s.q.rt.log.Info("partitions were added to a topic; the query begins anew with them",
				"query", s.q.spec.QueryID, "topic", topic, "from", known, "to", counts[topic])
			s.q.rt.client.ForceMetadataRefresh()
			close(s.grown)
		})
		return
	}
}
