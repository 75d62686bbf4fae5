package storage

import (
	"bytes"
	"maps"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/broker/batch"
)

// atContent is where the part of a batch begins that a broker leaves as it is: the
// checksum and what it covers.
const atContent = 17

// model is what the broker has told its clients.
type model struct {
	topics map[string]*topic
	// offsets are those committed; doubts are the commits since then of which nobody
	// knows whether they are there, of which one may be.
	offsets   map[offsetKey]int64
	doubts    []map[offsetKey]int64
	producers map[int64]bool // ids that were given out
	cluster   string
	lost      bool // the machine ended and nothing was promised for that
	cut       bool // the machine ended: of what is not acknowledged, any part may be there
}

type offsetKey struct {
	group, topic string
	partition    int32
}

// topic is one topic that exists, or may.
type topic struct {
	name      string
	compacted bool
	parts     []*part
	doubtful  bool // nobody knows whether it will exist after the next start
	hidden    bool // it doesn't exist until then
	grown     int  // how many partitions it may have instead
}

// part is one partition.
type part struct {
	stored []*sent // in the log, by offset
	// sent are the batches that may be in it, in the order of sending.
	sent []*sent
	// appended are those of them that the broker has appended, by offset.
	appended []*sent
	end      int64 // of the log, visible or not
	// start is the lowest offset that the log may begin with, limit the highest.
	start, limit int64
	failed       bool // a sync failed since the start
	shaky        bool // housekeeping failed, so that what it removed can be back with the machine's end
	gaps         bool // unacknowledged batches were damaged by an end of the machine or a sync that failed
}

// sent is a batch that was sent.
type sent struct {
	raw      batch.Batch
	base     int64
	producer *producer
}

func (s *sent) next() int64 { return s.base + int64(s.raw.NumRecords()) }

func (s *sent) same(b batch.Batch) bool { return bytes.Equal(s.raw[atContent:], b[atContent:]) }

func newModel() *model {
	return &model{topics: map[string]*topic{}, offsets: map[offsetKey]int64{}, producers: map[int64]bool{}}
}

func (m *model) names() []string { return slices.Sorted(maps.Keys(m.topics)) }

// ended says that the machine ended.
func (m *model) ended(lossy bool) {
	m.cut = true
	m.lost = m.lost || lossy
}

// has finds a batch among those that are in the log.
func (p *part) has(b batch.Batch) *sent {
	for _, s := range p.stored {
		if s.same(b) {
			return s
		}
	}
	return nil
}

// at gives the stored batch that has an offset, nil when there is none.
func (p *part) at(offset int64) *sent {
	i, found := slices.BinarySearchFunc(p.stored, offset, func(s *sent, offset int64) int {
		switch {
		case s.next() <= offset:
			return -1
		case s.base > offset:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return p.stored[i]
}

// last is the offset behind the last stored batch.
func (p *part) last() int64 {
	if len(p.stored) == 0 {
		return 0
	}
	return p.stored[len(p.stored)-1].next()
}

// store moves a batch from those sent to those stored.
func (p *part) store(s *sent, base int64) error {
	if base < p.last() {
		return broken("a batch is stored at offset %d, where the log has %d to %d already", base, p.stored[0].base, p.last())
	}
	s.base = base
	p.sent = slices.DeleteFunc(p.sent, func(other *sent) bool { return other == s })
	p.stored = append(p.stored, s)
	return nil
}

// found takes over a batch that is in the log and was not known to be.
func (p *part) found(b batch.Batch) error {
	for _, s := range p.sent {
		if s.same(b) {
			return p.store(s, b.BaseOffset())
		}
	}
	if s := p.has(b); s != nil {
		return broken("the batch at offset %d is there again at %d", s.base, b.BaseOffset())
	}
	return broken("the batch at offset %d was never sent", b.BaseOffset())
}

// forget drops what is not in the log any more, after an end of the machine that
// nothing was promised for.
func (p *part) forget(there map[*sent]bool, start, end int64) {
	p.stored = slices.DeleteFunc(p.stored, func(s *sent) bool { return !there[s] })
	p.start, p.limit, p.end, p.gaps = start, start, end, true
}

// mayStart tells whether the log may begin with an offset.
func (p *part) mayStart(at int64) bool {
	for p.gaps && p.limit < at && p.at(p.limit) == nil {
		p.limit++ // there is nothing to be read there
	}
	return at >= p.start && at <= p.limit
}
