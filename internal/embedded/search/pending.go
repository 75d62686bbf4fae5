package search

import (
	"context"
	"net/http"
	"slices"
)

const (
	// pendingDocuments and pendingBytes bound what writers leave to the indexer in
	// memory; beyond that it reads the database.
	pendingDocuments = 20000
	pendingBytes     = 48 << 20
	// lagDocuments and lagBytes are how far the indexer may be behind before writers
	// wait for it.
	lagDocuments = 10000
	lagBytes     = 16 << 20
	// parsedOverhead is about what a parsed document takes beside its text, in
	// bytes.
	parsedOverhead = 1000
)

// change is a write on its way into the inverted index.
type change struct {
	seq    uint64
	id     string
	parsed *parsedDocument // nil when the document was deleted
	fresh  bool            // the database never had a document of this id before
	bytes  int
}

// pending has the latest changes in their order, without gaps up to the last one.
type pending struct {
	list  []change
	bytes int
}

// add takes in changes; when they are too many, those that the indexer hasn't got
// to yet are left to the database.
func (p *pending) add(list []change) {
	for _, c := range list {
		p.bytes += c.bytes
	}
	p.list = append(p.list, list...)
	if len(p.list) > pendingDocuments || p.bytes > pendingBytes {
		p.list, p.bytes = nil, 0
	}
}

// take gives up to limit changes after a sequence number, up to another, when the
// list has all of them; nil when it hasn't.
func (p *pending) take(after, upTo uint64, limit int) []change {
	if len(p.list) == 0 || p.list[0].seq > after+1 {
		return nil
	}
	from, _ := slices.BinarySearchFunc(p.list, after+1, func(c change, seq uint64) int { return int(int64(c.seq) - int64(seq)) })
	to := from
	size := 0
	for to < len(p.list) && to-from < limit && p.list[to].seq <= upTo && size < batchBytes {
		size += p.list[to].bytes
		to++
	}
	taken := p.list[from:to:to]
	for _, c := range p.list[:to] {
		p.bytes -= c.bytes
	}
	p.list = p.list[to:]
	if len(p.list) == 0 {
		p.list = nil // so that what was indexed can go
	}
	return taken
}

// admit takes a write's body into account until the function that it returns is
// called; a body beyond the limit is refused, so that clients send it again later.
func (s *Server) admit(size int) (func(), *apiError) {
	n := int64(size)
	before := s.writing.Add(n) - n
	if before+n <= s.cfg.WriteLimit {
		return func() { s.writing.Add(-n) }, nil
	}
	s.writing.Add(-n)
	return nil, newError(http.StatusTooManyRequests, "es_rejected_execution_exception",
		"rejected execution of coordinating operation [coordinating_and_primary_bytes=%d, replica_bytes=0, all_bytes=%d, coordinating_operation_bytes=%d, max_coordinating_and_primary_bytes=%d]",
		before, before, n, s.cfg.WriteLimit)
}

// keepUp waits while the indexer is far behind, so that bulks come in as fast as
// they can be found, and not faster.
func (e *engine) keepUp(ctx context.Context) error {
	for {
		e.mu.Lock()
		far := e.written-min(e.written, e.indexed) > lagDocuments || e.pending.bytes > lagBytes
		failed, indexed := e.failed, e.progress
		e.hurry = e.hurry || far
		e.mu.Unlock()
		if !far || failed != nil {
			return nil
		}
		e.notify()
		select {
		case <-indexed:
		case <-e.stopped:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
