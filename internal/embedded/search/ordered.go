package search

import (
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
		s := &walkSegment{offset: offset, dict: dict, it: termsFrom(dict, from)}
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
	seqs := x.column(fieldSeq, true)
	share := roaring.New()
	for it := all.Iterator(); it.HasNext(); {
		doc := it.Next()
		seq, found, err := seqs.first(uint64(doc))
		if err != nil {
			return nil, err
		}
		if found && int(seq%int64(s.max)) == s.id {
			share.Add(doc)
		}
	}
	return share, nil
}
