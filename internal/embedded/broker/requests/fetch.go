package requests

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// maxFetchWait bounds how long a client can have its request wait.
const maxFetchWait = 5 * time.Minute

// fetch answers Fetch: records of partitions from offsets on, as soon as there
// are enough of them.
func (s *Server) fetch(ctx context.Context, _ *wire.Client, req *kmsg.FetchRequest) (*kmsg.FetchResponse, error) {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	sess, kept, err := s.session(req)
	if err != nil {
		resp.ErrorCode = err.Code
		return resp, nil
	}
	defer s.sessions.release(sess)
	if kept {
		resp.SessionID = sess.id
	}
	s.resolve(sess, req.Version)
	// Without a session, or with the first request of one, the client knows
	// nothing: it is told of every partition.
	full := !kept || req.SessionEpoch <= 0
	wait := min(time.Duration(max(req.MaxWaitMillis, 0))*time.Millisecond, maxFetchWait)
	var timer *time.Timer
	for {
		results, bytes, news := s.read(sess, req)
		if bytes >= int(req.MinBytes) || news || wait == 0 || ctx.Err() != nil || len(sess.parts) == 0 {
			respond(resp, sess, results, full)
			clear(results) // a session that isn't used keeps no records
			return resp, nil
		}
		if timer == nil {
			timer = time.NewTimer(wait)
			defer timer.Stop()
			sess.watch()
			continue // what came between the look and the watch
		}
		select {
		case <-sess.wake:
			s.resolve(sess, req.Version)
			sess.watch()
		case <-timer.C:
			wait = 0
		case <-ctx.Done():
		}
	}
}

// session gives the session of a request; kept tells whether the client can go
// on with it.
func (s *Server) session(req *kmsg.FetchRequest) (sess *session, kept bool, err *kerr.Error) {
	switch {
	case req.Version < 7 || req.SessionEpoch == -1:
		if req.SessionID != 0 {
			s.sessions.end(req.SessionID)
		}
		sess = &session{index: map[partKey]*fetchPart{}, wake: make(chan struct{}, 1)}
	case req.SessionEpoch == 0:
		if req.SessionID != 0 {
			s.sessions.end(req.SessionID)
		}
		sess = s.sessions.open()
		kept = sess.id != 0
	default:
		if sess, err = s.sessions.use(req.SessionID, req.SessionEpoch); err != nil {
			return nil, false, err
		}
		kept = true
	}
	sess.change(req)
	if kept && len(sess.parts) > maxSessionParts {
		s.sessions.end(sess.id) // this request is answered
		kept = false
	}
	return sess, kept, nil
}

// resolve finds the logs of a session's partitions, which can be gone, or made
// anew, since the last request.
func (s *Server) resolve(sess *session, version int16) {
	var topic *catalog.Topic
	var last partKey
	for i, p := range sess.parts {
		if i == 0 || p.key.id != last.id || p.key.topic != last.topic {
			last = p.key
			if version >= 13 {
				topic = s.cfg.Catalog.ByID(p.key.id)
			} else {
				topic = s.cfg.Catalog.Topic(p.key.topic)
			}
		}
		var log *commitlog.Log
		if topic != nil {
			log = topic.Partition(p.key.partition)
		}
		if log != p.log {
			p.unwatch(sess.wake)
			p.log, p.told = log, false
		}
	}
}

// fetched is what was read of one partition.
type fetched struct {
	raw       []byte
	err       int16
	highWater int64
	start     int64
}

// read looks at all partitions; news tells that the client should hear of
// something at once. Partitions that got records are put behind the others, so
// that each gets its turn.
func (s *Server) read(sess *session, req *kmsg.FetchRequest) (results []fetched, bytes int, news bool) {
	if cap(sess.results) < len(sess.parts) {
		sess.results = make([]fetched, len(sess.parts))
	}
	results = sess.results[:len(sess.parts)]
	clear(results)
	left := s.cfg.MaxFetchBytes
	if req.MaxBytes > 0 {
		left = min(left, int(req.MaxBytes))
	}
	for i, p := range sess.parts {
		r := &results[i]
		r.err, r.highWater, r.start = s.check(p, req.Version), -1, -1
		if r.err != 0 {
			news = true
			continue
		}
		r.start, r.highWater = p.log.Bounds()
		if p.offset == r.highWater || left <= 0 && bytes > 0 {
			continue
		}
		raw, err := p.log.Read(p.offset, min(int(p.maxBytes), left), bytes == 0)
		if err != nil {
			s.warnStorage(err)
			r.err, news = code(err), true
			continue
		}
		r.raw = raw
		bytes += len(raw)
		left -= len(raw)
	}
	return results, bytes, news
}

func (s *Server) check(p *fetchPart, version int16) int16 {
	switch {
	case p.log == nil && version >= 13 && s.cfg.Catalog.ByID(p.key.id) == nil:
		return kerr.UnknownTopicID.Code
	case p.log == nil:
		return kerr.UnknownTopicOrPartition.Code
	case p.epoch > commitlog.LeaderEpoch:
		return kerr.UnknownLeaderEpoch.Code
	}
	return 0
}

// respond puts together the answer: all partitions, or those with news.
func respond(resp *kmsg.FetchResponse, sess *session, results []fetched, full bool) {
	at := map[partKey]int{} // of a topic in the answer
	var idle, served []*fetchPart
	for i, p := range sess.parts {
		r := results[i]
		news := len(r.raw) > 0 || r.err != 0 || !p.told || r.highWater != p.highWater || r.start != p.start
		if len(r.raw) > 0 {
			served = append(served, p)
		} else {
			idle = append(idle, p)
		}
		if !full && !news {
			continue
		}
		p.told, p.highWater, p.start = r.err == 0, r.highWater, r.start
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.Partition, rp.ErrorCode = p.key.partition, r.err
		rp.HighWatermark, rp.LastStableOffset, rp.LogStartOffset = r.highWater, r.highWater, r.start
		rp.RecordBatches = r.raw
		if rp.RecordBatches == nil {
			rp.RecordBatches = []byte{}
		}
		topic := partKey{id: p.key.id, topic: p.key.topic}
		n, ok := at[topic]
		if !ok {
			n = len(resp.Topics)
			at[topic] = n
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = p.key.topic, p.key.id
			resp.Topics = append(resp.Topics, rt)
		}
		resp.Topics[n].Partitions = append(resp.Topics[n].Partitions, rp)
	}
	if len(idle) > 0 && len(served) > 0 {
		sess.parts = append(idle, served...)
	}
}
