package search

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/bleve/v2/numeric"
	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// termForm is what the terms of some documents are like.
type termForm struct {
	name   string // tells it from others
	prefix string
	suffix string
	fits   func(term []byte) bool // nil: all with the prefix do
}

// matching gives the documents with a term of a form.
func (x *execution) matching(m *mapping, form *termForm) (*roaring.Bitmap, error) {
	column := x.column(m.path, false)
	return x.filtered(m.path+"\x00"+form.name, func(i int, seg segment.Segment) (*roaring.Bitmap, error) {
		if m.docValues && m.typ != "text" {
			s := column.segments[i]
			if err := column.look(s, 0); err != nil {
				return nil, err
			}
			if s.column != nil {
				return s.column.matching(form), nil
			}
		}
		docs := roaring.New()
		seen, err := x.termsInto(docs, seg, m.path, form.prefix, func(term string) verdict {
			switch {
			case !strings.HasPrefix(term, form.prefix):
				return stopTerms
			case form.fits == nil || form.fits([]byte(term)):
				return takeTerm
			default:
				return skipTerm
			}
		})
		if err == nil && form.fits != nil && m.docValues && m.typ != "text" {
			// Once may be an exception; the second time the column is worth its while.
			err = column.look(column.segments[i], uint64(seen)/columnShare)
		}
		return docs, err
	})
}

// matching gives the documents of a column of texts with one of a form.
func (c *segmentColumn) matching(form *termForm) *roaring.Bitmap {
	low := c.fromTerm(form.prefix)
	if form.fits == nil {
		high := low
		if after := successor([]byte(form.prefix)); form.prefix != "" && after != nil {
			high = c.fromTerm(string(after))
		} else {
			high = c.top + 1
		}
		if high == low {
			return roaring.New()
		}
		return roaring.FromDense(c.between(low, high-1), false)
	}
	chosen := make([]uint64, int(c.top)/64+1)
	any := false
	prefix, suffix := []byte(form.prefix), []byte(form.suffix)
	for o := low; o <= c.top; o++ {
		term := c.term(o)
		if !bytes.HasPrefix(term, prefix) {
			break
		}
		if bytes.HasSuffix(term, suffix) && form.fits(term) {
			chosen[o/64] |= 1 << (o % 64)
			any = true
		}
	}
	if !any {
		return roaring.New()
	}
	return roaring.FromDense(c.among(chosen), false)
}

// filtered gathers the documents of each segment, as a function finds them or as
// they are known from earlier searches by the function's name.
func (x *execution) filtered(name string, find func(i int, seg segment.Segment) (*roaring.Bitmap, error)) (*roaring.Bitmap, error) {
	docs := x.newDocSet()
	filters := x.ix.srv.columns.filters
	keep := filters.used(x.ix.engine, name)
	for i, seg := range x.segments() {
		if err := x.ctx.Err(); err != nil {
			return nil, err
		}
		key := filterKey{x.ix.engine, seg.Id(), name}
		if docs.parts[i] = filters.get(key); docs.parts[i] != nil {
			continue
		}
		found, err := find(i, seg.Segment())
		if err != nil {
			return nil, err
		}
		docs.parts[i] = found
		if keep {
			filters.put(key, found)
		}
	}
	return docs.whole(), nil
}

// rangeOf gives the documents with a number between two, both included.
func (x *execution) rangeOf(m *mapping, low, high int64) (*roaring.Bitmap, error) {
	if low > high {
		return roaring.New(), nil
	}
	column := x.column(m.path, true)
	return x.filtered(fmt.Sprintf("%s\x00range %d %d", m.path, low, high), func(i int, seg segment.Segment) (*roaring.Bitmap, error) {
		if m.docValues {
			s := column.segments[i]
			if err := x.lookForRange(column, s); err != nil {
				return nil, err
			}
			if s.column != nil {
				return s.column.inRange(low, high), nil
			}
		}
		docs := roaring.New()
		return docs, x.rangeInto(docs, seg, m, low, high)
	})
}

// lookForRange finds the column of a segment. Where most values are different it
// costs no more to load it than to go through their terms.
func (x *execution) lookForRange(column *fieldColumn, s *columnSegment) error {
	if err := column.look(s, 0); err != nil || s.column != nil {
		return err
	}
	dict, err := s.segment.Dictionary(column.path)
	if err != nil {
		return err
	}
	wanted := uint64(dict.Cardinality()) / columnShare
	if uint64(dict.Cardinality()) > (s.end-s.begin)/columnShare {
		wanted = s.end - s.begin
	}
	return column.look(s, wanted)
}

// inRange gives the documents of a column of numbers with one between two.
func (c *segmentColumn) inRange(low, high int64) *roaring.Bitmap {
	from, to := c.from(low), c.top+1
	if high < math.MaxInt64 {
		to = c.from(high + 1)
	}
	if to <= from {
		return roaring.New()
	}
	return roaring.FromDense(c.between(from, to-1), false)
}

// rangeInto adds the documents of a segment with a number between two: the exact
// numbers at the ends, shorter forms in between.
func (x *execution) rangeInto(docs *roaring.Bitmap, seg segment.Segment, m *mapping, low, high int64) error {
	terms := func(path string, low, high int64, shift uint) error {
		from := string(numeric.MustNewPrefixCodedInt64(low, shift))
		to := string(numeric.MustNewPrefixCodedInt64(high, shift))
		_, err := x.termsInto(docs, seg, path, from, func(term string) verdict {
			if term > to {
				return stopTerms
			}
			return takeTerm
		})
		return err
	}
	// Unsigned arithmetic on the order-preserving form avoids overflows.
	from, to := uint64(low)^(1<<63), uint64(high)^(1<<63)
	signed := func(v uint64) int64 { return int64(v ^ (1 << 63)) }
	shifts := append([]uint{0}, m.coarseShifts()...)
	for i, shift := range shifts {
		path := m.path
		if shift > 0 {
			path += coarseSuffix
		}
		next := uint(64)
		if i+1 < len(shifts) {
			next = shifts[i+1]
		}
		if next >= 64 || from>>next == to>>next {
			return terms(path, signed(from), signed(to), shift)
		}
		mask := uint64(1)<<next - 1
		if from&mask != 0 {
			if err := terms(path, signed(from), signed(from|mask), shift); err != nil {
				return err
			}
			from = (from | mask) + 1
		}
		unit := uint64(1)<<shift - 1
		if to&mask|unit != mask {
			if err := terms(path, signed(to&^mask), signed(to), shift); err != nil {
				return err
			}
			to = (to &^ mask) - 1
		}
		if from > to {
			return nil
		}
	}
	return nil
}
