package search

import (
	"container/list"
	"sync"
	"sync/atomic"

	segment "github.com/blevesearch/scorch_segment_api/v2"
)

const (
	// columnCacheBytes bounds the columns that are kept in memory, of all indexes.
	columnCacheBytes = 64 << 20
	// columnTermBytes is what a term of a column is taken to need before it is
	// known.
	columnTermBytes = 24
	// columnShare is of what share of a segment's documents a search has to want the
	// values at once for the whole column to be loaded for it.
	columnShare = 16
	// columnOften is after how many values in relation to the documents, read one by
	// one by many searches, the column is loaded beside them: to read one value means
	// to unpack those of a thousand documents.
	columnOften = 256
)

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
	visits  map[columnKey]*columnVisits // of columns that aren't loaded
	order   *list.List                  // of *cachedColumn, the latest in front
	bytes   int
	filters *filterCache
	answers *requestCache
}

// columnVisits is what is known of a column that isn't loaded.
type columnVisits struct {
	values  atomic.Uint64 // read one by one
	loading sync.Mutex    // held by who loads it, so that nobody does twice
	ordered atomic.Bool   // it is about to be loaded beside the searches
}

func newColumnCache() *columnCache {
	return &columnCache{entries: map[columnKey]*list.Element{}, visits: map[columnKey]*columnVisits{}, order: list.New(), filters: newFilterCache(), answers: newRequestCache()}
}

// find gives a column, or, when it isn't loaded, how often its values were read.
func (c *columnCache) find(key columnKey) (*segmentColumn, *columnVisits) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*cachedColumn).column, nil
	}
	v := c.visits[key]
	if v == nil {
		v = &columnVisits{}
		c.visits[key] = v
	}
	return nil, v
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
	c.filters.keep(e, segments)
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
	numeric  bool
	fields   []string
	segments []*columnSegment
	current  int
	list     []uint32
}

type columnSegment struct {
	begin, end uint64
	id         uint64
	segment    segment.Segment
	column     *segmentColumn // nil while values are read one by one
	visits     *columnVisits
	large      bool // too large to be kept in memory
	state      segment.DocVisitState
}

// column gives the column of a field, of texts or of numbers.
func (x *execution) column(path string, numeric bool) *fieldColumn {
	c := &fieldColumn{x: x, path: path, numeric: numeric, fields: []string{path}}
	if numeric {
		c.fields = append(c.fields, path+repeatSuffix)
	}
	offset := uint64(0)
	for _, s := range x.segments() {
		size := uint64(s.FullSize())
		c.segments = append(c.segments, &columnSegment{begin: offset, end: offset + size, id: s.Id(), segment: s.Segment()})
		offset += size
	}
	return c
}

// numeric reports whether the values of a field are kept as numbers.
func (m *mapping) numeric() bool { return m.typ != "boolean" && kindOfValues(m.typ) != termValues }

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

// visit calls f with each text of a document, in their order. It is f's for the
// call alone.
func (c *fieldColumn) visit(doc uint64, f func(term []byte)) error {
	s, err := c.loaded(doc)
	if err != nil {
		return err
	}
	if s.column == nil {
		return c.visitValues(s, doc, func(_ string, term []byte) { f(term) })
	}
	local := doc - s.begin
	first := s.column.ordinal(local)
	if first == 0 {
		return nil
	}
	f(s.column.term(first))
	for _, ordinal := range s.column.more[uint32(local)] {
		f(s.column.term(ordinal))
	}
	return nil
}

// numbers appends the numbers of a document to a list, in their order.
func (c *fieldColumn) numbers(doc uint64, list []int64) ([]int64, error) {
	s, err := c.loaded(doc)
	if err != nil {
		return list, err
	}
	if s.column == nil {
		err := c.visitValues(s, doc, func(path string, term []byte) {
			if path == c.path {
				list = append(list, exactValue(term))
				return
			}
			number, again := repeatOf(term)
			for range again {
				list = append(list, number)
			}
		})
		return list, err
	}
	local := doc - s.begin
	first := s.column.ordinal(local)
	if first == 0 {
		return list, nil
	}
	list = append(list, s.column.number(first))
	for _, ordinal := range s.column.more[uint32(local)] {
		list = append(list, s.column.number(ordinal))
	}
	return list, nil
}

// first gives the least number of a document.
func (c *fieldColumn) first(doc uint64) (number int64, found bool, err error) {
	s, err := c.loaded(doc)
	if err != nil {
		return 0, false, err
	}
	if s.column != nil {
		if ordinal := s.column.ordinal(doc - s.begin); ordinal != 0 {
			return s.column.number(ordinal), true, nil
		}
		return 0, false, nil
	}
	err = c.visitValues(s, doc, func(path string, term []byte) {
		if v := exactValue(term); path == c.path && (!found || v < number) {
			number, found = v, true
		}
	})
	return number, found, err
}

// visitValues reads a document's values from the disk.
func (c *fieldColumn) visitValues(s *columnSegment, doc uint64, f func(path string, term []byte)) (err error) {
	if values, ok := s.segment.(segment.DocValueVisitable); ok {
		s.state, err = values.VisitDocValues(doc-s.begin, c.fields, f, s.state)
	}
	return err
}

// loaded gives the segment of a document, one of whose values is wanted. Its column
// may be in memory.
func (c *fieldColumn) loaded(doc uint64) (*columnSegment, error) {
	s := c.at(doc)
	if s.column == nil {
		return s, c.look(s, 1)
	}
	return s, nil
}

// ordinals gives those of the documents of a batch, and the column that they are
// of; nil when there is none in memory, or when a document has several values. The
// list is good until the next call.
func (c *fieldColumn) ordinals(b *batch) (*segmentColumn, []uint32, error) {
	s := c.segments[b.segment]
	if s.column == nil {
		if err := c.look(s, uint64(len(b.docs))); err != nil || s.column == nil {
			return nil, nil, err
		}
	}
	if s.column.more != nil {
		return nil, nil, nil
	}
	if cap(c.list) < len(b.docs) {
		c.list = make([]uint32, len(b.docs), max(len(b.docs), batchSize))
	}
	c.list = c.list[:len(b.docs)]
	s.column.gather(b.docs, uint32(s.begin), c.list)
	return s.column, c.list, nil
}

// whole gives the column of a segment all of whose documents match; nil as ordinals
// does, or when a list by ordinal would be long.
func (c *fieldColumn) whole(i int) (*segmentColumn, error) {
	s := c.segments[i]
	if s.column == nil {
		if err := c.look(s, s.end-s.begin); err != nil || s.column == nil {
			return nil, err
		}
	}
	if s.column.more != nil || !s.column.dense() {
		return nil, nil
	}
	return s.column, nil
}

// look finds the column of a segment, of which some values are wanted.
func (c *fieldColumn) look(s *columnSegment, values uint64) error {
	if s.visits == nil {
		if s.column, s.visits = c.x.ix.srv.columns.find(c.key(s)); s.column != nil {
			return nil
		}
	}
	seen := s.visits.values.Add(values)
	switch {
	case s.large:
		return nil
	case values*columnShare > s.end-s.begin:
		return c.load(s)
	case seen*columnOften > s.end-s.begin:
		c.loadBeside(s)
	}
	return nil
}

// loadBeside loads the column of a segment while searches go on without it.
func (c *fieldColumn) loadBeside(s *columnSegment) {
	x := c.x
	if s.visits.ordered.Swap(true) {
		return
	}
	if !x.ix.srv.requests.TryRLock() { // the server is about to stop
		return
	}
	x.snap.refs.Add(1)
	beside := &fieldColumn{x: x, path: c.path, numeric: c.numeric}
	segment := &columnSegment{begin: s.begin, end: s.end, id: s.id, segment: s.segment, visits: s.visits}
	go func() {
		defer x.ix.srv.requests.RUnlock()
		defer x.snap.release()
		if err := beside.load(segment); err != nil {
			x.ix.srv.cfg.Logger.Warn("search: a column could not be loaded; its values are read one by one", "index", x.ix.name, "field", c.path, "error", err)
		}
	}()
}

func (c *fieldColumn) key(s *columnSegment) columnKey {
	return columnKey{c.x.ix.engine, s.id, c.path}
}

// load reads the whole column of a segment, unless it is too large to be kept.
func (c *fieldColumn) load(s *columnSegment) error {
	s.visits.loading.Lock()
	defer s.visits.loading.Unlock()
	cache := c.x.ix.srv.columns
	if s.column, _ = cache.find(c.key(s)); s.column != nil {
		return nil
	}
	dict, err := s.segment.Dictionary(c.path)
	if err != nil {
		return err
	}
	size := 4 * int(s.end-s.begin)
	if c.numeric {
		size += 8 * dict.Cardinality()
	} else {
		size += columnTermBytes * dict.Cardinality()
	}
	if size > columnCacheBytes/2 {
		s.large = true
		return nil
	}
	if s.column, err = loadColumn(s.segment, c.path, c.numeric); err == nil {
		cache.put(c.key(s), s.column)
	}
	return err
}
