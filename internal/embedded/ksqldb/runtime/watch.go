package runtime

import (
	"context"
	"fmt"
	"time"
)

// watch looks for what was done to the topics of running queries from outside. The
// session of a query whose topic got partitions begins anew, with tasks for them;
// that of a query whose topic was deleted, or deleted and made anew, ends with an
// error that says so.
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
		topics, err := r.present(ctx, topicsOf(sessions))
		if err != nil {
			if ctx.Err() == nil {
				r.log.Debug("looking for changes of topics; it is tried again", "error", err)
			}
			continue
		}
		for _, s := range sessions {
			s.compare(topics)
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

// compare ends the session when a topic is not as it was.
func (s *session) compare(topics map[string]presentTopic) {
	for topic, known := range s.partitions {
		now, ok := topics[topic]
		var why error
		switch {
		case !ok:
			why = fmt.Errorf("topic %s was deleted while the query was running: create it again, or drop the query", topic)
		case isAnother(s.topics[topic].id, now.id):
			why = fmt.Errorf("topic %s was deleted and made anew while the query was running", topic)
		case now.partitions > known:
			why = errGrown
		default:
			continue
		}
		s.changeOnce.Do(func() {
			if why == errGrown {
				s.q.rt.log.Info("partitions were added to a topic; the query begins anew with them",
					"query", s.q.spec.QueryID, "topic", topic, "from", known, "to", now.partitions)
			} else {
				s.q.rt.Forget(topic)
			}
			s.q.rt.client.ForceMetadataRefresh()
			s.q.rt.output.renew() // what it knows of the topic is too old to write to all of it
			s.changed <- why
		})
		return
	}
}
