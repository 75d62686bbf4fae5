package search

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// batchSize is how many documents aggregators are given at once.
const batchSize = 1 << 14

// batch is documents of one segment, in their order. It is the aggregators' for
// the call alone.
type batch struct {
	segment int       // among those of the snapshot
	docs    []uint32  // by their numbers in the snapshot
	scores  []float32 // of each, nil where nobody needs them
}

// score gives that of a document, by its place in the batch.
func (b *batch) score(i int) float32 {
	if b.scores == nil {
		return 0
	}
	return b.scores[i]
}

// ofSegment gives those of some documents that lie in a segment.
func (x *execution) ofSegment(docs *roaring.Bitmap, segment int) *roaring.Bitmap {
	begin := uint64(0)
	for _, seg := range x.segments()[:segment] {
		begin += uint64(seg.FullSize())
	}
	part := roaring.New()
	part.AddRange(begin, begin+uint64(x.segments()[segment].FullSize()))
	part.And(docs)
	return part
}

// batches calls f with documents of the snapshot, in batches of one segment each.
func (x *execution) batches(docs *roaring.Bitmap, f func(*batch) error) error {
	it := docs.ManyIterator()
	list := make([]uint32, batchSize)
	pending := list[:0]
	end := uint64(0)
	for i, seg := range x.segments() {
		end += uint64(seg.FullSize())
		for {
			if len(pending) == 0 {
				pending = list[:it.NextMany(list)]
			}
			n := len(pending)
			if n > 0 && uint64(pending[n-1]) >= end {
				n, _ = slices.BinarySearch(pending, uint32(end))
			}
			if n == 0 {
				break
			}
			if err := x.ctx.Err(); err != nil {
				return err
			}
			if err := f(&batch{segment: i, docs: pending[:n]}); err != nil {
				return err
			}
			pending = pending[n:]
		}
	}
	return nil
}

// grouping puts the documents of a batch together by group. It is used again and
// again, by all aggregators of one definition.
type grouping struct {
	tally  []uint32 // documents by group; all zero between the calls
	keys   []uint64
	docs   []uint32
	scores []float32
	values []float64
	seen   []uint32
}

// sparse is how many groups there may be for each document, or a few, before lists
// by group cost more than to sort.
const (
	sparseGroups = 4
	fewGroups    = 1024
)

// count calls f with every group but 0 that there is, in no order, and how many
// documents it has. groups are those of the documents, none above top.
func (g *grouping) count(groups []uint32, top uint32, f func(group uint32, n int)) {
	if int(top) > sparseGroups*len(groups)+fewGroups {
		sorted := append(g.seen[:0], groups...)
		g.seen = sorted
		slices.Sort(sorted)
		for len(sorted) > 0 {
			n := 1
			for n < len(sorted) && sorted[n] == sorted[0] {
				n++
			}
			if sorted[0] != 0 {
				f(sorted[0], n)
			}
			sorted = sorted[n:]
		}
		return
	}
	tally := g.room(top)
	for _, group := range groups {
		tally[group]++
	}
	tally[0] = 0
	if int(top) <= 2*len(groups) {
		for group, n := range tally {
			if n > 0 {
				tally[group] = 0
				f(uint32(group), int(n))
			}
		}
		return
	}
	for _, group := range groups {
		if n := tally[group]; n > 0 {
			tally[group] = 0
			f(group, int(n))
		}
	}
}

// room gives a tally for groups up to one.
func (g *grouping) room(top uint32) []uint32 {
	if len(g.tally) <= int(top) {
		g.tally = make([]uint32, int(top)+1)
	}
	return g.tally[:top+1]
}

// split calls f with the documents of every group but 0, in the order of the
// groups, as count does.
func (g *grouping) split(b *batch, groups []uint32, top uint32, f func(group uint32, b *batch) error) error {
	g.docs = slices.Grow(g.docs[:0], len(b.docs))[:len(b.docs)]
	part := batch{segment: b.segment}
	if b.scores != nil {
		g.scores = slices.Grow(g.scores[:0], len(b.docs))[:len(b.docs)]
	}
	emit := func(group uint32, from, to int) error {
		part.docs = g.docs[from:to]
		if b.scores != nil {
			part.scores = g.scores[from:to]
		}
		return f(group, &part)
	}
	if int(top) > sparseGroups*len(groups)+fewGroups {
		keys := g.keys[:0]
		for i, group := range groups {
			keys = append(keys, uint64(group)<<32|uint64(i))
		}
		g.keys = keys
		slices.Sort(keys)
		for at, key := range keys {
			g.docs[at] = b.docs[uint32(key)]
			if b.scores != nil {
				g.scores[at] = b.scores[uint32(key)]
			}
		}
		for from := 0; from < len(keys); {
			to := from + 1
			for to < len(keys) && keys[to]>>32 == keys[from]>>32 {
				to++
			}
			if group := uint32(keys[from] >> 32); group != 0 {
				if err := emit(group, from, to); err != nil {
					return err
				}
			}
			from = to
		}
		return nil
	}
	ends := g.room(top)
	for _, group := range groups {
		ends[group]++
	}
	sum := uint32(0)
	for group, n := range ends { // where each group begins
		ends[group] = sum
		sum += n
	}
	for i, group := range groups { // and then where it ends
		at := ends[group]
		ends[group]++
		g.docs[at] = b.docs[i]
		if b.scores != nil {
			g.scores[at] = b.scores[i]
		}
	}
	from := int(ends[0])
	var err error
	for group := 1; group < len(ends) && err == nil; group++ {
		if to := int(ends[group]); to > from {
			err = emit(uint32(group), from, to)
			from = to
		}
	}
	clear(ends)
	return err
}

// only calls f with those documents of a batch that are chosen, by their places,
// unless there are none.
func (g *grouping) only(b *batch, chosen func(i int) bool, f func(*batch) error) error {
	docs, scores := g.docs[:0], g.scores[:0]
	for i, doc := range b.docs {
		if chosen(i) {
			docs = append(docs, doc)
			if b.scores != nil {
				scores = append(scores, b.scores[i])
			}
		}
	}
	g.docs, g.scores = docs, scores
	if len(docs) == 0 {
		return nil
	}
	part := batch{segment: b.segment, docs: docs}
	if b.scores != nil {
		part.scores = scores
	}
	return f(&part)
}

// onlyIn calls f with those documents of a batch that are in a set, unless there are
// none.
func (g *grouping) onlyIn(b *batch, set docBits, f func(*batch) error) error {
	if b.scores != nil {
		return g.only(b, func(i int) bool { return set.has(b.docs[i]) }, f)
	}
	g.docs = slices.Grow(g.docs[:0], len(b.docs))[:len(b.docs)]
	n := 0
	for _, doc := range b.docs {
		if word := int(doc / 64); word < len(set) {
			g.docs[n] = doc
			n += int(set[word] >> (doc % 64) & 1)
		}
	}
	if n == 0 {
		return nil
	}
	return f(&batch{segment: b.segment, docs: g.docs[:n]})
}

// each calls f with the documents of a batch one by one.
func (b *batch) each(f func(one *batch, doc uint64) error) error {
	one := batch{segment: b.segment}
	for i := range b.docs {
		one.docs = b.docs[i : i+1]
		if b.scores != nil {
			one.scores = b.scores[i : i+1]
		}
		if err := f(&one, uint64(b.docs[i])); err != nil {
			return err
		}
	}
	return nil
}

// docBits is a set of documents as bits, for quick look-ups.
type docBits []uint64

func bitsOf(docs *roaring.Bitmap) docBits { return docs.ToDense() }

func (s docBits) has(doc uint32) bool {
	word := int(doc / 64)
	return word < len(s) && s[word]&(1<<(doc%64)) != 0
}
