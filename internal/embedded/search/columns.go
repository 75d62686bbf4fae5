package search

import (
	"math"
	"slices"
	"sort"
	"sync"
)

// segmentColumn has the values of one field of a segment by document. Each value
// has an ordinal above 0; those of greater values are greater, though not every
// ordinal need be in use. Nothing of a column changes once it is made.
type segmentColumn struct {
	// One of the three has each document's first, least ordinal, 0 for none: the
	// narrowest that fits.
	small  []uint8
	medium []uint16
	large  []uint32
	more   map[uint32][]uint32 // the other values of documents that have several
	top    uint32              // the greatest ordinal

	// Texts: the values one after the other, and where they end, beginning with 0.
	terms []byte
	ends  []uint32

	// Numbers: either a table by ordinal less one, or even steps from a base.
	numeric bool
	table   []int64
	base    int64
	step    int64

	counted  sync.Once
	counts   []uint32 // documents by ordinal; counted when first asked for
	sketched sync.Once
	sketch   *distinct // of all values, made when first asked for
}

// docs is the number of the segment's documents, deleted ones included.
func (c *segmentColumn) docs() int { return len(c.small) + len(c.medium) + len(c.large) }

func (c *segmentColumn) ordinal(doc uint64) uint32 {
	switch {
	case c.small != nil:
		return uint32(c.small[doc])
	case c.medium != nil:
		return uint32(c.medium[doc])
	default:
		return c.large[doc]
	}
}

// number gives a value of a numeric field in its sortable form.
func (c *segmentColumn) number(ordinal uint32) int64 {
	if c.table != nil {
		return c.table[ordinal-1]
	}
	return c.base + int64(ordinal-1)*c.step
}

// from gives the first ordinal whose number isn't below one; it is above top when
// there is none.
func (c *segmentColumn) from(number int64) uint32 {
	switch {
	case c.table != nil:
		i, _ := slices.BinarySearch(c.table, number)
		return uint32(i) + 1
	case c.top == 0 || number <= c.base:
		return 1
	case number > c.number(c.top):
		return c.top + 1
	default: // the distance fits: no two numbers of the column are further apart
		return uint32((uint64(number)-uint64(c.base)+uint64(c.step)-1)/uint64(c.step)) + 1
	}
}

// term gives a value of a field with texts.
func (c *segmentColumn) term(ordinal uint32) []byte {
	return c.terms[c.ends[ordinal-1]:c.ends[ordinal]]
}

// fromTerm gives the first ordinal whose text isn't before one.
func (c *segmentColumn) fromTerm(term string) uint32 {
	return uint32(sort.Search(int(c.top), func(i int) bool { return string(c.term(uint32(i+1))) >= term })) + 1
}

// dense reports whether a list by ordinal has about as many places as there are
// documents, or less.
func (c *segmentColumn) dense() bool {
	return int(c.top) <= max(c.docs(), math.MaxUint16)
}

// gather puts the ordinals of documents, whose numbers begin with one, into a list
// of the same length.
func (c *segmentColumn) gather(docs []uint32, begin uint32, into []uint32) {
	switch {
	case c.small != nil:
		gatherFrom(c.small, docs, begin, into)
	case c.medium != nil:
		gatherFrom(c.medium, docs, begin, into)
	default:
		gatherFrom(c.large, docs, begin, into)
	}
}

func gatherFrom[T uint8 | uint16 | uint32](ordinals []T, docs []uint32, begin uint32, into []uint32) {
	into = into[:len(docs)]
	for i, doc := range docs {
		into[i] = uint32(ordinals[doc-begin])
	}
}

// histogram gives how many documents have each ordinal, those that were deleted
// included. It is for dense columns with one value a document.
func (c *segmentColumn) histogram() []uint32 {
	c.counted.Do(func() {
		counts := make([]uint32, int(c.top)+1)
		switch {
		case c.small != nil:
			countInto(c.small, counts)
		case c.medium != nil:
			countInto(c.medium, counts)
		default:
			countInto(c.large, counts)
		}
		c.counts = counts
	})
	return c.counts
}

func countInto[T uint8 | uint16 | uint32](ordinals []T, counts []uint32) {
	for _, o := range ordinals {
		counts[o]++
	}
}

// between gives the documents with an ordinal from low to high, as words of bits.
func (c *segmentColumn) between(low, high uint32) []uint64 {
	words := make([]uint64, (c.docs()+63)/64)
	switch {
	case c.small != nil:
		selectBetween(c.small, low, high, words)
	case c.medium != nil:
		selectBetween(c.medium, low, high, words)
	default:
		selectBetween(c.large, low, high, words)
	}
	for doc, list := range c.more {
		if slices.ContainsFunc(list, func(o uint32) bool { return o >= low && o <= high }) {
			words[doc/64] |= 1 << (doc % 64)
		}
	}
	return words
}

func selectBetween[T uint8 | uint16 | uint32](ordinals []T, low, high uint32, words []uint64) {
	span := high - low
	for i := range words {
		block := ordinals[i*64 : min(i*64+64, len(ordinals))]
		word := uint64(0)
		for j, o := range block {
			// 1 where the ordinal lies within, without a branch.
			word |= ((uint64(span)-uint64(uint32(o)-low))>>63 ^ 1) << j
		}
		words[i] = word
	}
}

// among gives the documents with one of some ordinals, which stand as bits, as
// words of bits.
func (c *segmentColumn) among(chosen []uint64) []uint64 {
	words := make([]uint64, (c.docs()+63)/64)
	switch {
	case c.small != nil:
		selectAmong(c.small, chosen, words)
	case c.medium != nil:
		selectAmong(c.medium, chosen, words)
	default:
		selectAmong(c.large, chosen, words)
	}
	for doc, list := range c.more {
		if slices.ContainsFunc(list, func(o uint32) bool { return chosen[o/64]&(1<<(o%64)) != 0 }) {
			words[doc/64] |= 1 << (doc % 64)
		}
	}
	return words
}

func selectAmong[T uint8 | uint16 | uint32](ordinals []T, chosen, words []uint64) {
	for i, o := range ordinals {
		words[i/64] |= chosen[o/64] >> (o % 64) & 1 << (i % 64)
	}
}

// bytes is what the column needs in memory, all that is made of it later included.
func (c *segmentColumn) bytes() int {
	size := len(c.small) + 2*len(c.medium) + 4*len(c.large) + len(c.terms) + 4*len(c.ends) + 8*len(c.table) + 48*len(c.more)
	if c.dense() {
		size += 4*int(c.top) + 1<<sketchBits
	}
	return size
}
