package search

import (
	"errors"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
	index_api "github.com/blevesearch/bleve_index_api"
)

// noDoc is behind the last document.
const noDoc = math.MaxUint64

// iterator goes through the documents that match a query, by their number in the
// snapshot.
type iterator interface {
	// advance moves to the first match that is not before target and gives it,
	// noDoc when there is none. Targets never go back.
	advance(target uint64) (uint64, error)
	// score is that of the current match.
	score() float32
	close() error
}

// noneIterator has no matches.
type noneIterator struct{}

func (noneIterator) advance(uint64) (uint64, error) { return noDoc, nil }
func (noneIterator) score() float32                 { return 0 }
func (noneIterator) close() error                   { return nil }

// termIterator has the documents with a term.
type termIterator struct {
	postings index_api.TermFieldReader
	current  *index_api.TermFieldDoc
	spare    index_api.TermFieldDoc
	id       index_api.IndexInternalID
	done     bool
	scorer   *bm25
}

func (it *termIterator) advance(target uint64) (uint64, error) {
	switch {
	case it.done:
		return noDoc, nil
	case it.current != nil && it.current.ID.Value() >= target:
		return it.current.ID.Value(), nil
	}
	var err error
	if it.current != nil && target == it.current.ID.Value()+1 || it.current == nil && target == 0 {
		it.current, err = it.postings.Next(it.spare.Reset())
	} else {
		it.id = index_api.NewIndexInternalID(it.id, target)
		it.current, err = it.postings.Advance(it.id, it.spare.Reset())
	}
	if err != nil || it.current == nil {
		it.done = true
		return noDoc, err
	}
	return it.current.ID.Value(), nil
}

func (it *termIterator) score() float32 {
	return it.scorer.score(it.current.Freq, it.current.Norm)
}

func (it *termIterator) close() error { return it.postings.Close() }

// bm25 scores the matches of a term or phrase as Lucene does.
type bm25 struct {
	weight float32 // boost * idf
	norms  bool
	avg    float32
}

const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

func newBM25(boost float32, idf float64, norms bool, avg float32) *bm25 {
	return &bm25{weight: boost * (bm25K1 + 1) * float32(idf), norms: norms, avg: avg}
}

// inverseFrequency is Lucene's idf of a term that n of all documents have.
func inverseFrequency(all, n uint64) float64 {
	all = max(all, n)
	return math.Log(1 + (float64(all)-float64(n)+0.5)/(float64(n)+0.5))
}

func (s *bm25) score(freq uint64, norm float64) float32 {
	if s == nil {
		return 0
	}
	inverse := 1 / (bm25K1 * ((1 - bm25B) + bm25B/s.avg))
	if !s.norms {
		freq = 1 // how often is not kept where lengths aren't
	}
	if s.norms && norm > 0 {
		length := shownLength(int(math.Round(1 / (norm * norm))))
		inverse = 1 / (bm25K1 * ((1 - bm25B) + bm25B*float32(length)/s.avg))
	}
	return s.weight - s.weight/(1+float32(freq)*inverse)
}

// shownLength is a field's length after Lucene has kept it in one byte.
func shownLength(n int) int {
	const exact = 24
	if n < exact+16 {
		return n
	}
	v := uint64(n - exact)
	shift := 0
	for v>>shift >= 16 {
		shift++
	}
	return exact + int(v>>shift<<shift)
}

// bitmapIterator has a set of documents, all with the same score.
type bitmapIterator struct {
	set   *roaring.Bitmap
	docs  roaring.IntPeekable
	doc   uint64
	begun bool
	boost float32
}

func newBitmapIterator(docs *roaring.Bitmap, boost float32) iterator {
	return &bitmapIterator{set: docs, docs: docs.Iterator(), boost: boost}
}

func (it *bitmapIterator) advance(target uint64) (uint64, error) {
	if it.begun && it.doc >= target {
		return it.doc, nil
	}
	it.begun, it.doc = true, noDoc
	if target > math.MaxUint32 {
		return noDoc, nil
	}
	it.docs.AdvanceIfNeeded(uint32(target))
	if it.docs.HasNext() {
		it.doc = uint64(it.docs.Next())
	}
	return it.doc, nil
}

func (it *bitmapIterator) score() float32 { return it.boost }
func (it *bitmapIterator) close() error   { return nil }

// constantIterator gives all matches of another one score.
type constantIterator struct {
	iterator
	boost float32
}

func (it constantIterator) score() float32 { return it.boost }

// boolIterator combines others: all of required and filters, at least minimum of
// optional, none of excluded. Scores of required and optional are added up.
type boolIterator struct {
	required, filters, optional, excluded []iterator
	minimum                               int
	boost                                 float32
	doc                                   uint64
	begun                                 bool
	// essential are those of optional one of which each match that matters has; nil
	// for all. negligible is the best score of the others together.
	essential  []iterator
	negligible float64
}

func (it *boolIterator) advance(target uint64) (uint64, error) {
	if it.begun && it.doc >= target {
		return it.doc, nil
	}
	it.begun = true
	var err error
	for {
		if target, err = it.candidate(target); err != nil || target == noDoc {
			it.doc = noDoc
			return noDoc, err
		}
		ok, err := it.accepts(target)
		if err != nil {
			it.doc = noDoc
			return noDoc, err
		}
		if ok {
			it.doc = target
			return target, nil
		}
		target++
	}
}

// candidate gives the first document from target on that all of required and
// filters have, or that enough of optional may have.
func (it *boolIterator) candidate(target uint64) (uint64, error) {
	if len(it.required)+len(it.filters) == 0 {
		first := uint64(noDoc)
		among := it.optional
		if it.essential != nil {
			among = it.essential
		}
		for _, o := range among {
			doc, err := o.advance(target)
			if err != nil {
				return noDoc, err
			}
			first = min(first, doc)
		}
		return first, nil
	}
	for {
		agreed := true
		for _, group := range [][]iterator{it.filters, it.required} {
			for _, r := range group {
				doc, err := r.advance(target)
				if err != nil || doc == noDoc {
					return noDoc, err
				}
				if doc != target {
					target, agreed = doc, false
				}
			}
		}
		if agreed {
			return target, nil
		}
	}
}

func (it *boolIterator) accepts(doc uint64) (bool, error) {
	for _, e := range it.excluded {
		at, err := e.advance(doc)
		if err != nil || at == doc {
			return false, err
		}
	}
	matching := 0
	for _, o := range it.optional {
		at, err := o.advance(doc)
		if err != nil {
			return false, err
		}
		if at == doc {
			matching++
		}
	}
	return matching >= it.minimum, nil
}

func (it *boolIterator) score() float32 {
	sum := 0.0
	for _, r := range it.required {
		sum += float64(r.score())
	}
	for _, o := range it.optional {
		if at, err := o.advance(it.doc); err == nil && at == it.doc {
			sum += float64(o.score())
		}
	}
	return float32(sum) * it.boost
}

func (it *boolIterator) close() error {
	var errs []error
	for _, group := range [][]iterator{it.required, it.filters, it.optional, it.excluded} {
		for _, i := range group {
			errs = append(errs, i.close())
		}
	}
	return errors.Join(errs...)
}

// disMaxIterator has the matches of any; the best score counts, the others by
// the tie breaker.
type disMaxIterator struct {
	boolIterator
	tie float32
}

func (it *disMaxIterator) score() float32 {
	best, others := float32(0), float32(0)
	for _, o := range it.optional {
		if at, err := o.advance(it.doc); err == nil && at == it.doc {
			s := o.score()
			others += min(best, s)
			best = max(best, s)
		}
	}
	return (best + it.tie*others) * it.boost
}

// phraseIterator has the documents with terms one after the other. Each place
// can have several terms.
type phraseIterator struct {
	places [][]*termIterator
	scorer *bm25
	doc    uint64
	begun  bool
	freq   uint64
	norm   float64
}

func (it *phraseIterator) advance(target uint64) (uint64, error) {
	if it.begun && it.doc >= target {
		return it.doc, nil
	}
	it.begun = true
	for {
		agreed := true
		for _, place := range it.places {
			first := uint64(noDoc)
			for _, t := range place {
				doc, err := t.advance(target)
				if err != nil {
					it.doc = noDoc
					return noDoc, err
				}
				first = min(first, doc)
			}
			if first == noDoc {
				it.doc = noDoc
				return noDoc, nil
			}
			if first != target {
				target, agreed = first, false
			}
		}
		if !agreed {
			continue
		}
		if it.freq = it.occurrences(target); it.freq > 0 {
			it.doc = target
			return target, nil
		}
		target++
	}
}

// occurrences counts the phrase in a document that has all its terms.
func (it *phraseIterator) occurrences(doc uint64) uint64 {
	var starts map[uint64]bool
	for i, place := range it.places {
		next := map[uint64]bool{}
		for _, t := range place {
			if t.done || t.current == nil || t.current.ID.Value() != doc {
				continue
			}
			it.norm = t.current.Norm
			for _, v := range t.current.Vectors {
				if start := v.Pos - uint64(i); v.Pos >= uint64(i) && (i == 0 || starts[start]) {
					next[start] = true
				}
			}
		}
		if starts = next; len(starts) == 0 {
			return 0
		}
	}
	return uint64(len(starts))
}

func (it *phraseIterator) score() float32 { return it.scorer.score(it.freq, it.norm) }

func (it *phraseIterator) close() error {
	var errs []error
	for _, place := range it.places {
		for _, t := range place {
			errs = append(errs, t.close())
		}
	}
	return errors.Join(errs...)
}
