package requests

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
)

// sessionIdle is how long a session that isn't used keeps its place when others
// want it, as in Kafka.
const sessionIdle = 2 * time.Minute

// maxSessionParts is how many partitions a session can have: they stay in memory
// between the requests.
const maxSessionParts = 100_000

// sessions are the fetch sessions (KIP-227): a client says once what it reads,
// and then only what changes; it gets only what is new.
type sessions struct {
	limit int
	now   func() time.Time

	mu   sync.Mutex // guards what follows
	byID map[int32]*session
	last int32
}

// session is one session. Only the request that uses it looks into it; used says
// that one does.
type session struct {
	id    int32
	epoch int32 // of the next request
	parts []*fetchPart
	index map[partKey]*fetchPart
	wake  chan struct{}
	// results is where the parts' results go, request after request.
	results []fetched

	used bool // guarded by sessions.mu
	at   time.Time
}

// partKey names a partition in a session: by topic id, or by name before
// version 13.
type partKey struct {
	id        catalog.ID
	topic     string
	partition int32
}

// fetchPart is one partition that a client reads.
type fetchPart struct {
	key      partKey
	offset   int64
	maxBytes int32
	epoch    int32
	log      *commitlog.Log // nil when there is no such partition
	watching bool
	// What the client knows: an answer of a session leaves out what is no news.
	told      bool
	highWater int64
	start     int64
}

func newSessions(limit int, now func() time.Time) *sessions {
	return &sessions{limit: limit, now: now, byID: map[int32]*session{}}
}

// open makes a session; without an id when there is no place for it, which
// serves one request.
func (ss *sessions) open() *session {
	s := &session{index: map[partKey]*fetchPart{}, wake: make(chan struct{}, 1), epoch: 1, used: true}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.byID) >= ss.limit && !ss.evict() {
		return s
	}
	for s.id == 0 || ss.byID[s.id] != nil {
		ss.last = (ss.last + 1) & 0x7fffffff
		s.id = ss.last
	}
	ss.byID[s.id] = s
	return s
}

// evict makes room by ending the session that was not used for longest.
func (ss *sessions) evict() bool {
	var oldest *session
	for _, s := range ss.byID {
		if !s.used && (oldest == nil || s.at.Before(oldest.at)) {
			oldest = s
		}
	}
	if oldest == nil || ss.now().Sub(oldest.at) < sessionIdle {
		return false
	}
	delete(ss.byID, oldest.id)
	oldest.unwatch()
	return true
}

// use gives the session that a request continues.
func (ss *sessions) use(id, epoch int32) (*session, *kerr.Error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byID[id]
	switch {
	case s == nil || s.used:
		return nil, kerr.FetchSessionIDNotFound
	case s.epoch != epoch:
		return nil, kerr.InvalidFetchSessionEpoch
	}
	if s.epoch++; s.epoch < 0 {
		s.epoch = 1
	}
	s.used = true
	return s, nil
}

// release ends the use of a session by a request.
func (ss *sessions) release(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.used, s.at = false, ss.now()
	if ss.byID[s.id] != s {
		s.unwatch()
	}
}

// end ends a session by its id.
func (ss *sessions) end(id int32) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byID[id]
	delete(ss.byID, id)
	if s != nil && !s.used {
		s.unwatch()
	}
}

func (ss *sessions) close() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, s := range ss.byID {
		delete(ss.byID, id)
		if !s.used {
			s.unwatch()
		}
	}
}

// change takes in what a request says of partitions.
func (s *session) change(req *kmsg.FetchRequest) {
	s.forget(req.ForgottenTopics)
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			key := partKey{t.TopicID, t.Topic, p.Partition}
			part := s.index[key]
			if part == nil {
				part = &fetchPart{key: key}
				s.index[key] = part
				s.parts = append(s.parts, part)
			}
			part.offset, part.maxBytes, part.epoch = p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch
		}
	}
}

func (s *session) forget(topics []kmsg.FetchRequestForgottenTopic) {
	before := len(s.index)
	for i := range topics {
		t := &topics[i]
		for _, p := range t.Partitions {
			key := partKey{t.TopicID, t.Topic, p}
			if part := s.index[key]; part != nil {
				part.unwatch(s.wake)
				delete(s.index, key)
			}
		}
	}
	if len(s.index) < before {
		s.parts = slices.DeleteFunc(s.parts, func(p *fetchPart) bool { return s.index[p.key] != p })
	}
}

// watch has the session woken by new records of its partitions.
func (s *session) watch() {
	for _, p := range s.parts {
		if p.log != nil && !p.watching {
			p.log.Watch(s.wake)
			p.watching = true
		}
	}
}

func (s *session) unwatch() {
	for _, p := range s.parts {
		p.unwatch(s.wake)
	}
}

func (p *fetchPart) unwatch(wake chan struct{}) {
	if p.watching {
		p.log.Unwatch(wake)
		p.watching = false
	}
}
