package search

import (
	"fmt"
	"math"
	"slices"

	segment "github.com/blevesearch/scorch_segment_api/v2"
)

// loadColumn reads all values of a field of a segment.
func loadColumn(seg segment.Segment, path string, numeric bool) (*segmentColumn, error) {
	dict, err := seg.Dictionary(path)
	if err != nil {
		return nil, err
	}
	var c *segmentColumn
	if values, ok := seg.(segment.DocValueVisitable); ok && numeric && dict.Cardinality() > math.MaxUint8 {
		c, err = columnOfValues(seg, values, path)
	} else {
		c, err = columnOfTerms(seg, dict, numeric)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the values of field %q: %w", path, err)
	}
	if numeric {
		err = c.addRepeats(seg, path)
	}
	return c, err
}

// fit makes room for the ordinals of documents, none above top.
func (c *segmentColumn) fit(docs uint64, top uint32) {
	c.top = top
	switch {
	case top <= math.MaxUint8:
		c.small = make([]uint8, docs)
	case top <= math.MaxUint16:
		c.medium = make([]uint16, docs)
	default:
		c.large = make([]uint32, docs)
	}
}

// set gives a document an ordinal; ordinals of a document are given in their order.
func (c *segmentColumn) set(doc uint64, ordinal uint32) {
	switch {
	case c.ordinal(doc) != 0:
		if c.more == nil {
			c.more = map[uint32][]uint32{}
		}
		c.more[uint32(doc)] = append(c.more[uint32(doc)], ordinal)
	case c.small != nil:
		c.small[doc] = uint8(ordinal)
	case c.medium != nil:
		c.medium[doc] = uint16(ordinal)
	default:
		c.large[doc] = ordinal
	}
}

// columnOfTerms turns the lists of documents by term into values by document,
// which is quickest where many documents share a term.
func columnOfTerms(seg segment.Segment, dict segment.TermDictionary, numeric bool) (*segmentColumn, error) {
	c := &segmentColumn{numeric: numeric}
	c.fit(seg.Count(), uint32(dict.Cardinality()))
	if numeric {
		c.table = make([]int64, 0, dict.Cardinality())
	} else {
		c.ends = make([]uint32, 1, dict.Cardinality()+1)
	}
	var postings segment.PostingsList
	var docs segment.PostingsIterator
	it := termsFrom(dict, nil)
	for ordinal := uint32(1); ; ordinal++ {
		entry, err := it.Next()
		if err != nil || entry == nil {
			return c, err
		}
		if ordinal > c.top {
			return nil, fmt.Errorf("the dictionary has more than the %d terms that it tells of", c.top)
		}
		if numeric {
			c.table = append(c.table, exactValue([]byte(entry.Term)))
		} else {
			c.terms = append(c.terms, entry.Term...)
			c.ends = append(c.ends, uint32(len(c.terms)))
		}
		if postings, err = dict.PostingsList([]byte(entry.Term), nil, postings); err != nil {
			return nil, err
		}
		docs = postings.Iterator(false, false, false, docs)
		for {
			p, err := docs.Next()
			if err != nil {
				return nil, err
			}
			if p == nil {
				break
			}
			c.set(p.Number(), ordinal)
		}
	}
}

// columnOfValues reads the values that a segment keeps by document, which is
// quickest where most documents have a value of their own.
func columnOfValues(seg segment.Segment, values segment.DocValueVisitable, path string) (*segmentColumn, error) {
	n := seg.Count()
	numbers := make([]int64, 0, n)
	owners := make([]uint32, 0, n)
	var state segment.DocVisitState
	var err error
	fields := []string{path}
	doc := uint64(0)
	take := func(_ string, term []byte) {
		numbers, owners = append(numbers, exactValue(term)), append(owners, uint32(doc))
	}
	for doc = range n {
		if state, err = values.VisitDocValues(doc, fields, take, state); err != nil {
			return nil, err
		}
	}
	return columnOfNumbers(n, numbers, owners), nil
}

// columnOfNumbers makes a column of numbers and the documents that they are of,
// both in the order of the documents.
func columnOfNumbers(docs uint64, numbers []int64, owners []uint32) *segmentColumn {
	c := &segmentColumn{numeric: true}
	if len(numbers) == 0 {
		c.fit(docs, 0)
		return c
	}
	low, high := slices.Min(numbers), slices.Max(numbers)
	step := uint64(0)
	for _, v := range numbers {
		step = divisor(step, uint64(v)-uint64(low))
		if step == 1 {
			break
		}
	}
	step = max(step, 1)
	span := (uint64(high) - uint64(low)) / step
	if span >= math.MaxUint32-1 || step > math.MaxInt64 {
		c.table = slices.Clone(numbers)
		slices.Sort(c.table)
		c.table = slices.Clip(slices.Compact(c.table))
		c.fit(docs, uint32(len(c.table)))
	} else {
		c.base, c.step = low, int64(step)
		c.fit(docs, uint32(span)+1)
	}
	for i := 0; i < len(numbers); {
		next := i + 1
		for next < len(numbers) && owners[next] == owners[i] {
			next++
		}
		slices.Sort(numbers[i:next])
		for ; i < next; i++ {
			c.set(uint64(owners[i]), c.from(numbers[i]))
		}
	}
	return c
}

// divisor is the greatest that two numbers have in common.
func divisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// addRepeats adds the values that documents have more than once, which the index
// has a field of its own for.
func (c *segmentColumn) addRepeats(seg segment.Segment, path string) error {
	dict, err := seg.Dictionary(path + repeatSuffix)
	if err != nil || dict.Cardinality() == 0 {
		return err
	}
	it := termsFrom(dict, nil)
	for {
		entry, err := it.Next()
		if err != nil || entry == nil {
			return err
		}
		number, again := repeatOf([]byte(entry.Term))
		postings, err := dict.PostingsList([]byte(entry.Term), nil, nil)
		if err != nil {
			return err
		}
		docs := postings.Iterator(false, false, false, nil)
		for {
			p, err := docs.Next()
			if err != nil {
				return err
			}
			if p == nil {
				break
			}
			doc, ordinal := uint32(p.Number()), c.from(number)
			for range again {
				c.set(p.Number(), ordinal)
			}
			slices.Sort(c.more[doc])
		}
	}
}
