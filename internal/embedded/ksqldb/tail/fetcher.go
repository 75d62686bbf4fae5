package tail

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetcher is the loop that reads the tails of the partitions that a broker leads.
// It keeps a fetch session (KIP-227): a request names only what has changed.
type fetcher struct {
	reader *Reader
	broker int32

	mu      sync.Mutex
	logs    map[Partition]*tailLog
	changed chan struct{} // has one when logs were added or removed
	cancel  context.CancelFunc

	// The rest belongs to the loop.
	session, epoch int32
	asked          map[Partition]asked // what the session knows
	names          map[topicID]string  // of the topics in it
}

// asked is what a fetch session knows of a partition.
type asked struct {
	topic  topicID
	offset int64
}

func newFetcher(r *Reader, broker int32) *fetcher {
	return &fetcher{
		reader: r, broker: broker, logs: map[Partition]*tailLog{},
		changed: make(chan struct{}, 1), asked: map[Partition]asked{}, names: map[topicID]string{},
	}
}

// add makes the loop read a log too. A fetch that is under way does not know it,
// so it is given up. The Reader's lock is held.
func (f *fetcher) add(l *tailLog) {
	l.broker = f.broker
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logs[l.Partition] = l
	f.notify()
	if f.cancel != nil {
		f.cancel()
	}
}

// remove makes the loop read a log no longer, from its next fetch on.
func (f *fetcher) remove(l *tailLog) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.logs[l.Partition] == l {
		delete(f.logs, l.Partition)
		f.notify()
	}
}

func (f *fetcher) notify() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *fetcher) run() {
	ctx := f.reader.ctx
	var moved []Partition
	whole := true // what to ask for is not only what moved
	failures := 0
	for ctx.Err() == nil {
		select {
		case <-f.changed:
			whole = true
		default:
		}
		req, fetch := f.request(ctx, moved, whole)
		if req == nil {
			select {
			case <-f.changed:
				whole = true
				continue
			case <-ctx.Done():
				return
			}
		}
		resp, err := req.RequestWith(fetch, broker{f.reader.tail, f.broker})
		given := fetch.Err() != nil
		f.done()
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			f.reset()
			whole = true
			if given {
				continue
			}
			// A fetch that was given up takes its connection along, and the next one
			// may find that out: once is nothing.
			if failures++; failures > 1 {
				f.reader.log.Debug("reading the ends of partitions; it is tried again", "broker", f.broker, "error", err)
				f.relocate(ctx, f.all())
			}
			continue
		}
		whole, failures = false, 0
		var stale []*tailLog
		moved, stale = f.take(resp)
		f.answered(resp)
		if len(stale) > 0 {
			f.relocate(ctx, stale)
		}
	}
}

// request makes the next fetch; nil when there is nothing to read.
func (f *fetcher) request(ctx context.Context, moved []Partition, whole bool) (*kmsg.FetchRequest, context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.logs) == 0 {
		f.reset()
		return nil, nil
	}
	req := newFetch(f.reader.cfg.MaxWait)
	req.SessionID, req.SessionEpoch = f.session, f.epoch
	if whole || f.session == 0 {
		moved = moved[:0]
		for p := range f.logs {
			moved = append(moved, p)
		}
		f.forgotten(req)
	}
	slices.SortFunc(moved, comparePartitions)
	for _, p := range moved {
		l := f.logs[p]
		if l == nil {
			continue
		}
		now := asked{l.topic, l.next}
		if known, ok := f.asked[p]; ok && known == now {
			continue
		}
		addPartition(req, p, l.topic, l.next)
		f.asked[p], f.names[l.topic] = now, p.Topic
	}
	fetch, cancel := context.WithCancel(ctx)
	f.cancel = cancel
	return req, fetch
}

func comparePartitions(a, b Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// forgotten tells the session which partitions are no longer read. A session that
// knows one of a topic whose name another topic has now ends: in one that goes by
// names the two could not be told apart.
func (f *fetcher) forgotten(req *kmsg.FetchRequest) {
	for p, known := range f.asked {
		if l := f.logs[p]; l != nil {
			if l.topic != known.topic {
				f.reset()
				req.SessionEpoch, req.ForgottenTopics = f.epoch, nil
				return
			}
			continue
		}
		delete(f.asked, p)
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.TopicID, t.Partitions = p.Topic, known.topic, []int32{p.Partition}
		req.ForgottenTopics = append(req.ForgottenTopics, t)
	}
}

// reset begins a new session with the next fetch. The broker is told the old
// one's id, to let go of it.
func (f *fetcher) reset() {
	f.epoch = 0
	clear(f.asked)
	clear(f.names)
}

func (f *fetcher) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel()
	f.cancel = nil
}

// answered keeps the session's books. A broker without sessions is asked for
// everything each time.
func (f *fetcher) answered(resp *kmsg.FetchResponse) {
	f.session = resp.SessionID
	switch {
	case f.session == 0:
		f.reset()
	case f.epoch == math.MaxInt32:
		f.epoch = 1
	default:
		f.epoch++
	}
}

// take hands an answer's records to the followers. It gives the partitions whose
// offsets moved and those that have to be looked for elsewhere.
func (f *fetcher) take(resp *kmsg.FetchResponse) (moved []Partition, stale []*tailLog) {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		name := t.Topic
		if name == "" { // the answer has ids only
			name = f.names[t.TopicID]
		}
		for j := range t.Partitions {
			rp := &t.Partitions[j]
			p := Partition{name, rp.Partition}
			f.mu.Lock()
			l := f.logs[p]
			f.mu.Unlock()
			if known, ok := f.asked[p]; l == nil || !ok || known != (asked{l.topic, l.next}) || t.Topic == "" && t.TopicID != l.topic {
				continue // asked for on behalf of one that is gone
			}
			b, err := parse(p, l.next, rp)
			switch {
			case err == nil:
				if b.Next > l.next {
					l.next = b.Next
					moved = append(moved, p)
				}
				l.append(b.Records, b.Next, b.End)
			case passing(err) || errors.Is(err, kerr.UnknownTopicOrPartition):
				stale = append(stale, l)
			default:
				f.reader.give(l, explain(p, l.next, err))
			}
		}
	}
	return moved, stale
}

func (f *fetcher) all() []*tailLog {
	f.mu.Lock()
	defer f.mu.Unlock()
	logs := make([]*tailLog, 0, len(f.logs))
	for _, l := range f.logs {
		logs = append(logs, l)
	}
	return logs
}

// relocate waits a little, asks who leads partitions now, and hands them over.
func (f *fetcher) relocate(ctx context.Context, logs []*tailLog) {
	if wait(ctx, retryPause) != nil {
		return
	}
	var topics []string
	for _, l := range logs {
		if !slices.Contains(topics, l.Topic) {
			topics = append(topics, l.Topic)
		}
	}
	leaders, err := f.reader.askLeaders(ctx, topics)
	if err != nil {
		f.reader.log.Debug("looking for the leaders of partitions; it is tried again", "error", err)
		return
	}
	for _, l := range logs {
		at, ok := leaders[l.Partition]
		switch {
		case !ok:
			f.reader.give(l, explain(l.Partition, l.next, errMissing))
		case at.topic != l.topic:
			f.reader.give(l, explain(l.Partition, l.next, errAnew))
		case at.broker >= 0:
			f.reader.move(l, at)
		}
	}
}

// move hands a partition to the loop of the broker that leads it now.
func (r *Reader) move(l *tailLog, to place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.logs[l.Partition] != l {
		return
	}
	r.leaders[l.Partition] = to
	if l.broker == to.broker {
		return
	}
	r.fetchers[l.broker].remove(l)
	r.fetcher(to.broker).add(l)
}
