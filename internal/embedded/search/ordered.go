package search

import (
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// What it costs to step to the next term of a field, and to look at the value of
// a document, relative to each other.
const (
	termCost  = 16
	valueCost = 1
)

// ordered takes in the first of some documents in the order of a field's terms,
// which the index keeps sorted. It reports false, and has done nothing, where
// looking at every document is quicker, or the only way.
func (c *collector) ordered(p *hitPart, docs *roaring.Bitmap) (bool, error) {
	if len(p.sorters) != 1 || c.best != nil {
		return false, nil
	}
	s := p.sorters[0]
	ascending := !s.key.desc && !s.first && s.fallback == nil && (s.key.mode == "" || s.key.mode == "min")
	if !ascending || !s.indexed || s.kind == "boolean" {
		return false, nil
	}
	walk := &termWalk{x: p.x}
	if err := walk.open(s.path, c.beginning(p)); err != nil {
		return false, err
	}
	matches := int(docs.GetCardinality())
	if matches == 0 {
		return true, nil
	}
	if steps := c.keep() * (walk.terms/matches + 1); steps*termCost > matches*valueCost {
		return false, nil
	}
	seen := roaring.New()
	for {
		found, err := walk.next(docs)
		if err != nil || found == nil {
			if err == nil && len(c.hits) < c.keep() { // those without a value come last
				err = c.offerAll(p, roaring.AndNot(docs, seen))
			}
			return true, err
		}
		found.AndNot(seen)
		if err := c.offerAll(p, found); err != nil {
			return true, err
		}
		seen.Or(found)
		if len(c.hits) >= c.keep() {
			return true, nil
		}
	}
}

// ranked takes in the first of some documents in the order of the values' numbers
// in each segment, so that a document is looked at closely only when it may belong
// to the page. It reports false, and has done nothing, where that isn't possible.
// byWriting orders by when documents were written, whatever the request says, and
// gives all of them one score.
func (c *collector) ranked(p *hitPart, docs *roaring.Bitmap, byWriting bool, score float32) (bool, error) {
	column, desc := p.seqs, false
	switch {
	case c.best != nil || c.behind != nil || p.after != nil:
		return false, nil
	case byWriting && len(p.sorters) == 0:
	case len(p.sorters) > 0 && p.sorters[0].values != nil && p.sorters[0].fallback == nil && p.sorters[0].key.mode == "":
		column, desc = p.sorters[0].values, p.sorters[0].key.desc
	default:
		return false, nil
	}
	missingLast := len(p.sorters) == 0 || !p.sorters[0].first
	it := docs.Iterator()
	for it.HasNext() {
		s := column.at(uint64(it.PeekNext()))
		if s.column == nil {
			inside := roaring.New()
			inside.AddRange(s.begin, s.end)
			if err := column.look(s, docs.AndCardinality(inside)); err != nil {
				return false, err
			}
		}
		if err := c.rankedIn(p, s, it, desc, missingLast, score); err != nil {
			return true, err
		}
	}
	return true, nil
}

// rankedIn takes in documents of one segment.
func (c *collector) rankedIn(p *hitPart, s *columnSegment, it roaring.IntPeekable, desc, missingLast bool, score float32) error {
	single := s.column != nil && s.column.more == nil
	bound := rankBound{worst: noDoc}
	if single && len(c.hits) >= c.keep() {
		bound.follow(c, p, s.column, desc)
	}
	for n := 0; it.HasNext() && uint64(it.PeekNext()) < s.end; n++ {
		doc := uint64(it.Next())
		if n&0xfff == 0 && p.x.ctx.Err() != nil {
			return p.x.ctx.Err()
		}
		if single && bound.known {
			ordinal := s.column.ordinal(doc - s.begin)
			if ordinal == 0 && missingLast || ordinal != 0 && (desc && ordinal < bound.ordinal || !desc && ordinal > bound.ordinal) {
				c.noteScore(score)
				continue
			}
		}
		if err := c.offer(p, doc, score); err != nil {
			return err
		}
		if single && len(c.hits) >= c.keep() {
			bound.follow(c, p, s.column, desc)
		}
	}
	return nil
}

// rankBound is the place that the worst hit's value has, or would have, among the
// values of a segment: what lies behind it doesn't belong to the page.
type rankBound struct {
	known   bool
	ordinal uint32
	worst   uint64 // the document that it is of
}

func (b *rankBound) follow(c *collector, p *hitPart, column *segmentColumn, desc bool) {
	worst := c.hits[0]
	if worst.part.order != p.order { // hits of other indexes may be ordered by other values
		b.known = false
		return
	}
	if b.worst == worst.doc {
		return
	}
	b.worst, b.known = worst.doc, false
	term, ok := p.termOf(worst)
	if !ok {
		return
	}
	n := len(column.ends) - 1
	if desc {
		b.ordinal = uint32(sort.Search(n, func(i int) bool { return string(column.term(uint32(i+1))) >= term })) + 1
	} else {
		b.ordinal = uint32(sort.Search(n, func(i int) bool { return string(column.term(uint32(i+1))) > term }))
	}
	b.known = true
}

// termOf is the term of the value that a hit is ordered by first.
func (p *hitPart) termOf(h *hit) (string, bool) {
	if len(p.sorters) == 0 {
		return exactTerm(h.seq), true
	}
	v := h.values[0]
	if v.missing {
		return "", false
	}
	switch p.sorters[0].kind {
	case "text", "ip":
		return v.text, true
	case "boolean":
		return []string{"F", "T"}[v.number&1], true
	default:
		return exactTerm(v.number), true
	}
}

// noteScore takes note of a match that isn't looked at.
func (c *collector) noteScore(score float32) {
	if c.scored {
		c.maxScore = max(c.maxScore, score)
	}
}

// beginning is the first term that can be in the page.
func (c *collector) beginning(p *hitPart) []byte {
	after := p.after
	if after == nil && c.behind != nil && c.behind.part.order == p.order {
		after = c.behind.values
	}
	if after == nil || after[0].missing {
		return nil
	}
	if kind := p.sorters[0].kind; kind == "text" || kind == "ip" {
		return []byte(after[0].text)
	}
	return []byte(exactTerm(after[0].number))
}

func (c *collector) offerAll(p *hitPart, docs *roaring.Bitmap) error {
	for it := docs.Iterator(); it.HasNext(); {
		if err := c.offer(p, uint64(it.Next()), 0); err != nil {
			return err
		}
	}
	return p.x.ctx.Err()
}

// termWalk goes through the terms of a field in their order, over all segments.
type termWalk struct {
	x        *execution
	terms    int
	segments []*walkSegment
}

type walkSegment struct {
	offset   uint64
	dict     segment.TermDictionary
	it       segment.DictionaryIterator
	term     string
	done     bool
	postings segment.PostingsList
	docs     segment.PostingsIterator
}

func (w *termWalk) open(path string, from []byte) error {
	offset := uint64(0)
	for _, seg := range w.x.segments() {
		dict, err := seg.Segment().Dictionary(path)
		if err != nil {
			return err
		}
		s := &walkSegment{offset: offset, dict: dict, it: dict.AutomatonIterator(nil, from, nil)}
		if err := s.step(); err != nil {
			return err
		}
		w.terms += dict.Cardinality()
		w.segments = append(w.segments, s)
		offset += uint64(seg.FullSize())
	}
	return nil
}

func (s *walkSegment) step() error {
	entry, err := s.it.Next()
	if err != nil {
		return err
	}
	if s.done = entry == nil; !s.done {
		s.term = entry.Term
	}
	return nil
}

// next gives those of some documents that have the next term, nil behind the last
// one.
func (w *termWalk) next(among *roaring.Bitmap) (*roaring.Bitmap, error) {
	least := ""
	any := false
	for _, s := range w.segments {
		if !s.done && (!any || s.term < least) {
			least, any = s.term, true
		}
	}
	if !any {
		return nil, nil
	}
	found := roaring.New()
	for _, s := range w.segments {
		if s.done || s.term != least {
			continue
		}
		var err error
		if s.postings, err = s.dict.PostingsList([]byte(least), nil, s.postings); err != nil {
			return nil, err
		}
		s.docs = s.postings.Iterator(false, false, false, s.docs)
		for {
			p, err := s.docs.Next()
			if err != nil {
				return nil, err
			}
			if p == nil {
				break
			}
			if doc := uint32(s.offset + p.Number()); among.Contains(doc) {
				found.Add(doc)
			}
		}
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// docs gives the documents of a slice.
func (s *sliceSpec) docs(x *execution) (*roaring.Bitmap, error) {
	all, err := x.live()
	if err != nil {
		return nil, err
	}
	seqs, err := x.column(fieldSeq)
	if err != nil {
		return nil, err
	}
	share := roaring.New()
	for it := all.Iterator(); it.HasNext(); {
		doc := it.Next()
		err := seqs.visit(uint64(doc), func(term []byte) {
			if int(exactValue(term)%int64(s.max)) == s.id {
				share.Add(doc)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return share, nil
}
