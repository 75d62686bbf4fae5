package search

import (
	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// docSet gathers documents by segment, those that were deleted included until it
// is complete.
type docSet struct {
	x     *execution
	parts []*roaring.Bitmap // by segment, nil for none; not to be changed once whole is called
	more  []*roaring.Bitmap // complete sets that belong to it
}

func (x *execution) newDocSet() *docSet {
	return &docSet{x: x, parts: make([]*roaring.Bitmap, len(x.segments()))}
}

// segments are those of the snapshot.
func (x *execution) segments() []*scorch.SegmentSnapshot {
	return x.snap.reader.(*scorch.IndexSnapshot).Segments()
}

// part is the set of a segment.
func (s *docSet) part(i int) *roaring.Bitmap {
	if s.parts[i] == nil {
		s.parts[i] = roaring.New()
	}
	return s.parts[i]
}

// whole is the set by the documents' numbers in the snapshot.
func (s *docSet) whole() *roaring.Bitmap {
	all := roaring.New()
	offset := uint64(0)
	for i, seg := range s.x.segments() {
		if p := s.parts[i]; p != nil {
			if d := seg.Deleted(); d != nil {
				p = roaring.AndNot(p, d)
			}
			if offset > 0 {
				p = roaring.AddOffset64(p, int64(offset))
			}
			all.Or(p)
		}
		offset += uint64(seg.FullSize())
	}
	for _, more := range s.more {
		all.Or(more)
	}
	return all
}

// orPostings is what zap's lists of documents can do.
type orPostings interface{ OrInto(*roaring.Bitmap) }

// addPostings puts the documents of a list into a set.
func addPostings(list segment.PostingsList, into *roaring.Bitmap) error {
	if whole, ok := list.(orPostings); ok {
		whole.OrInto(into)
		return nil
	}
	it := list.Iterator(false, false, false, nil)
	for {
		p, err := it.Next()
		if err != nil || p == nil {
			return err
		}
		into.Add(uint32(p.Number()))
	}
}

// term adds the documents with a term.
func (s *docSet) term(path, term string) error {
	for i, seg := range s.x.segments() {
		dict, err := seg.Segment().Dictionary(path)
		if err != nil {
			return err
		}
		list, err := dict.PostingsList([]byte(term), nil, nil)
		if err != nil {
			return err
		}
		if list.Count() == 0 {
			continue
		}
		if err := addPostings(list, s.part(i)); err != nil {
			return err
		}
	}
	return nil
}

// verdict is what is to be done with a term.
type verdict int

const (
	skipTerm verdict = iota
	takeTerm
	stopTerms
)

// terms adds the documents with terms from one on, in their order, as judge says.
// An empty beginning is open.
func (s *docSet) terms(path, from string, judge func(term string) verdict) error {
	var start []byte
	if from != "" {
		start = []byte(from)
	}
	for i, seg := range s.x.segments() {
		if err := s.x.ctx.Err(); err != nil {
			return err
		}
		if err := s.segmentTerms(i, seg.Segment(), path, start, judge); err != nil {
			return err
		}
	}
	return nil
}

func (s *docSet) segmentTerms(i int, seg segment.Segment, path string, start []byte, judge func(term string) verdict) error {
	_, err := s.x.termsInto(s.part(i), seg, path, string(start), judge)
	return err
}

// termsInto adds the documents of a segment with terms from one on, in their order,
// as judge says, and counts the terms that it went through. An empty beginning is
// open.
func (x *execution) termsInto(docs *roaring.Bitmap, seg segment.Segment, path, from string, judge func(term string) verdict) (int, error) {
	dict, err := seg.Dictionary(path)
	if err != nil {
		return 0, err
	}
	var start []byte
	if from != "" {
		start = []byte(from)
	}
	var list segment.PostingsList
	it := termsFrom(dict, start)
	for n := 0; ; n++ {
		entry, err := it.Next()
		if err != nil || entry == nil {
			return n, err
		}
		if n&0xfff == 0xfff && x.ctx.Err() != nil {
			return n, x.ctx.Err()
		}
		switch judge(entry.Term) {
		case stopTerms:
			return n, nil
		case skipTerm:
			continue
		}
		if list, err = dict.PostingsList([]byte(entry.Term), nil, list); err != nil {
			return n, err
		}
		if err := addPostings(list, docs); err != nil {
			return n, err
		}
	}
}

// termsFrom goes through the terms of a field from one on, without counting the
// documents that each has where that can be left out.
func termsFrom(dict segment.TermDictionary, start []byte) segment.DictionaryIterator {
	type uncounted interface {
		AutomatonIteratorOmitCount(a segment.Automaton, startKeyInclusive, endKeyExclusive []byte) segment.DictionaryIterator
	}
	if d, ok := dict.(uncounted); ok {
		return d.AutomatonIteratorOmitCount(nil, start, nil)
	}
	return dict.AutomatonIterator(nil, start, nil)
}

// termDocs gives the documents with a term.
func (x *execution) termDocs(path, term string) (*roaring.Bitmap, error) {
	s := x.newDocSet()
	err := s.term(path, term)
	return s.whole(), err
}

// live gives all documents of the snapshot that are not part of another.
func (x *execution) live() (*roaring.Bitmap, error) {
	all := roaring.New()
	offset := uint64(0)
	for _, seg := range x.segments() {
		size := uint64(seg.FullSize())
		all.AddRange(offset, offset+size)
		if d := seg.Deleted(); d != nil {
			all.AndNot(roaring.AddOffset64(d, int64(offset)))
		}
		offset += size
	}
	if !x.mapping.hasNested() {
		return all, nil
	}
	if x.within != "" {
		return x.termDocs(fieldNestedPath, x.within)
	}
	inner := x.newDocSet()
	err := inner.terms(fieldNestedPath, "", func(string) verdict { return takeTerm })
	all.AndNot(inner.whole())
	return all, err
}

// base gives the documents that a query, which may be nil, narrows all to.
func (x *execution) base(q query) (*roaring.Bitmap, error) {
	if q == nil {
		return x.live()
	}
	return x.docs(q)
}
