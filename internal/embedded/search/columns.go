package search

import (
	"container/list"
	"math"
	"sync"
	"sync/atomic"

	segment "github.com/blevesearch/scorch_segment_api/v2"
)

const (
	// columnCacheBytes bounds the columns that are kept in memory, of all indexes.
	columnCacheBytes = 48 << 20
	// columnTermBytes is what a term of a column is taken to need before it is
	// known.
	columnTermBytes = 24
	// columnShare is the share of a segment's documents after whose values were
	// read one by one, by one search or by many, the whole column is loaded.
	columnShare = 16
)

// segmentColumn has the values of one field of a segment: for every document the
// number of its first value in the sorted list of all, 0 for none.
type segmentColumn struct {
	small  []uint8 // one of the three is used, the narrowest that fits
	medium []uint16
	large  []uint32
	more   map[uint32][]uint32 // the other values of those that have several
	terms  []byte
	ends   []uint32 // of the terms, beginning with 0

	once    sync.Once
	numbers []int64 // of a numeric field, by ordinal less one
}

// number gives a value of a numeric field in its sortable form.
func (c *segmentColumn) number(ordinal uint32) int64 {
	c.once.Do(func() {
		numbers := make([]int64, len(c.ends)-1)
		for i := range numbers {
			numbers[i] = exactValue(c.term(uint32(i + 1)))
		}
		c.numbers = numbers
	})
	return c.numbers[ordinal-1]
}

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

func (c *segmentColumn) term(ordinal uint32) []byte {
	return c.terms[c.ends[ordinal-1]:c.ends[ordinal]]
}

func (c *segmentColumn) visit(doc uint64, f func(term []byte)) {
	first := c.ordinal(doc)
	if first == 0 {
		return
	}
	f(c.term(first))
	if c.more != nil {
		for _, ordinal := range c.more[uint32(doc)] {
			f(c.term(ordinal))
		}
	}
}

func (c *segmentColumn) bytes() int {
	// The numbers are counted as if they were there already.
	return len(c.small) + 2*len(c.medium) + 4*len(c.large) + len(c.terms) + 12*len(c.ends) + 48*len(c.more)
}

// loadColumn turns the lists of documents by term into values by document.
func loadColumn(seg segment.Segment, path string) (*segmentColumn, error) {
	dict, err := seg.Dictionary(path)
	if err != nil {
		return nil, err
	}
	c := &segmentColumn{ends: make([]uint32, 1, dict.Cardinality()+1)}
	var set func(doc uint64, ordinal uint32)
	switch n := seg.Count(); {
	case dict.Cardinality() <= math.MaxUint8:
		c.small = make([]uint8, n)
		set = func(doc uint64, ordinal uint32) { c.small[doc] = uint8(ordinal) }
	case dict.Cardinality() <= math.MaxUint16:
		c.medium = make([]uint16, n)
		set = func(doc uint64, ordinal uint32) { c.medium[doc] = uint16(ordinal) }
	default:
		c.large = make([]uint32, n)
		set = func(doc uint64, ordinal uint32) { c.large[doc] = ordinal }
	}
	var postings segment.PostingsList
	var docs segment.PostingsIterator
	it := dict.AutomatonIterator(nil, nil, nil)
	for {
		entry, err := it.Next()
		if err != nil || entry == nil {
			return c, err
		}
		c.terms = append(c.terms, entry.Term...)
		c.ends = append(c.ends, uint32(len(c.terms)))
		ordinal := uint32(len(c.ends) - 1)
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
			if c.ordinal(p.Number()) == 0 {
				set(p.Number(), ordinal)
				continue
			}
			if c.more == nil {
				c.more = map[uint32][]uint32{}
			}
			c.more[uint32(p.Number())] = append(c.more[uint32(p.Number())], ordinal)
		}
	}
}

// columnKey names a column. Segments never change, so neither do their columns.
type columnKey struct {
	engine  *engine
	segment uint64
	path    string
}

type cachedColumn struct {
	key    columnKey
	column *segmentColumn
}

// columnCache keeps the columns that were used last.
type columnCache struct {
	mu      sync.Mutex
	entries map[columnKey]*list.Element
	visits  map[columnKey]*atomic.Uint64 // of columns that aren't loaded
	order   *list.List                   // of *cachedColumn, the latest in front
	bytes   int
}

func newColumnCache() *columnCache {
	return &columnCache{entries: map[columnKey]*list.Element{}, visits: map[columnKey]*atomic.Uint64{}, order: list.New()}
}

// visited counts how many values of a column were read one by one.
func (c *columnCache) visited(key columnKey) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.visits[key]
	if n == nil {
		n = &atomic.Uint64{}
		c.visits[key] = n
	}
	return n
}

func (c *columnCache) get(key columnKey) *segmentColumn {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedColumn).column
}

func (c *columnCache) put(key columnKey, column *segmentColumn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key] != nil {
		return
	}
	delete(c.visits, key)
	c.entries[key] = c.order.PushFront(&cachedColumn{key, column})
	c.bytes += column.bytes()
	for c.bytes > columnCacheBytes && c.order.Len() > 1 {
		c.remove(c.order.Back())
	}
}

func (c *columnCache) remove(e *list.Element) {
	entry := c.order.Remove(e).(*cachedColumn)
	delete(c.entries, entry.key)
	c.bytes -= entry.column.bytes()
}

// keep drops the columns of an index's segments that are not among some.
func (c *columnCache) keep(e *engine, segments map[uint64]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, entry := range c.entries {
		if key.engine == e && !segments[key.segment] {
			c.remove(entry)
		}
	}
	for key := range c.visits {
		if key.engine == e && !segments[key.segment] {
			delete(c.visits, key)
		}
	}
}

// fieldColumn reads the values that a snapshot has of a field: from the doc values
// on disk while few are wanted, from a column in memory once many are. It is for
// one goroutine.
type fieldColumn struct {
	x        *execution
	path     string
	fields   []string
	segments []*columnSegment
	current  int
}

type columnSegment struct {
	begin, end uint64
	id         uint64
	segment    segment.Segment
	column     *segmentColumn // nil while values are read one by one
	visits     *atomic.Uint64
	large      bool // too large to be kept in memory
	state      segment.DocVisitState
}

// column gives the column of a field.
func (x *execution) column(path string) (*fieldColumn, error) {
	c := &fieldColumn{x: x, path: path, fields: []string{path}}
	offset := uint64(0)
	for _, s := range x.segments() {
		size := uint64(s.FullSize())
		c.segments = append(c.segments, &columnSegment{begin: offset, end: offset + size, id: s.Id(), segment: s.Segment()})
		offset += size
	}
	return c, nil
}

// at gives the segment of a document.
func (c *fieldColumn) at(doc uint64) *columnSegment {
	if s := c.segments[c.current]; doc >= s.begin && doc < s.end {
		return s
	}
	low, high := 0, len(c.segments)-1
	for low < high {
		if middle := (low + high) / 2; doc >= c.segments[middle].end {
			low = middle + 1
		} else {
			high = middle
		}
	}
	c.current = low
	return c.segments[low]
}

// visit calls f with each value of a document, in their order. The value is f's
// for the call alone.
func (c *fieldColumn) visit(doc uint64, f func(term []byte)) error {
	s := c.at(doc)
	if s.column == nil {
		if err := c.look(s, 1); err != nil {
			return err
		}
	}
	if s.column != nil {
		s.column.visit(doc-s.begin, f)
		return nil
	}
	values, ok := s.segment.(segment.DocValueVisitable)
	if !ok {
		return nil
	}
	var err error
	s.state, err = values.VisitDocValues(doc-s.begin, c.fields, func(_ string, term []byte) { f(term) }, s.state)
	return err
}

// look finds the column of a segment, of which some values are wanted.
func (c *fieldColumn) look(s *columnSegment, values uint64) error {
	if s.visits == nil {
		key := columnKey{c.x.ix.engine, s.id, c.path}
		if s.column = c.x.ix.srv.columns.get(key); s.column != nil {
			return nil
		}
		s.visits = c.x.ix.srv.columns.visited(key)
	}
	if s.visits.Add(values)*columnShare <= s.end-s.begin || s.large {
		return nil
	}
	return c.load(s)
}

// loaded gives the segment of a document when its column is in memory, nil when
// its values are read one by one.
func (c *fieldColumn) loaded(doc uint64) (*columnSegment, error) {
	s := c.at(doc)
	if s.column == nil {
		if err := c.look(s, 1); err != nil || s.column == nil {
			return nil, err
		}
	}
	return s, nil
}

// load reads the whole column of a segment, unless it is too large to be kept.
func (c *fieldColumn) load(s *columnSegment) error {
	dict, err := s.segment.Dictionary(c.path)
	if err != nil {
		return err
	}
	if 4*int(s.end-s.begin)+columnTermBytes*dict.Cardinality() > columnCacheBytes/2 {
		s.large = true
		return nil
	}
	if s.column, err = loadColumn(s.segment, c.path); err == nil {
		c.x.ix.srv.columns.put(columnKey{c.x.ix.engine, s.id, c.path}, s.column)
	}
	return err
}
