package search

import (
	"slices"
	"strings"
	"sync"
)

const (
	// cachedTerms is how many terms of a field are kept, cachedFields of how many
	// fields.
	cachedTerms  = 1024
	cachedFields = 256
	// maxShapes is how many combinations of fields get a term of their own.
	maxShapes = 128
)

// termCache keeps what many documents have in common: states, products,
// quantities, the hours of dates, and which fields they have. It is for one parser
// at a time.
type termCache struct {
	shapes *shapes
	fields map[string]*cachedField
	json   jsonParser

	lastNames []string // the names that were asked for last, in the document's order
	lastShape string

	fieldsHint int      // fields of the last document
	names      []string // room for the names of the next one
}

// cachedField is what the cache has of a field.
type cachedField struct {
	coarseName string
	texts      memo[string, string]
	numbers    memo[int64, string]
	lists      memo[int64, *termList]
}

// memo keeps values that are asked for again and again, and gives up when they
// hardly ever are.
type memo[K comparable, V any] struct {
	known        map[K]V
	hits, misses int
	off          bool
}

// get gives the value of a key, and whether it was known.
func (m *memo[K, V]) get(key K, fill func() V) (V, bool) {
	if found, ok := m.known[key]; ok {
		m.hits++
		return found, true
	}
	v := fill()
	if m.off {
		return v, false
	}
	m.misses++
	switch {
	case m.known == nil:
		m.known = map[K]V{}
	case len(m.known) >= cachedTerms:
		if m.off = m.hits < m.misses; m.off {
			m.known = nil
			return v, false
		}
		clear(m.known)
		m.hits, m.misses = 0, 0
	}
	m.known[key] = v
	return v, false
}

func newTermCache(s *shapes) *termCache {
	return &termCache{shapes: s, fields: map[string]*cachedField{}}
}

func (c *termCache) field(path string) *cachedField {
	f := c.fields[path]
	if f == nil {
		if len(c.fields) >= cachedFields {
			clear(c.fields)
		}
		path = strings.Clone(path)
		f = &cachedField{coarseName: path + coarseSuffix}
		c.fields[path] = f
	}
	return f
}

// term gives a term of a field, and whether other documents have it too.
func (c *termCache) term(path, term string) (known string, common bool) {
	// Cloned, since a term is a part of the text that it was read from.
	known, common = c.field(path).texts.get(term, func() string { return strings.Clone(term) })
	return known, common
}

// number gives the term of a number, and whether other documents have it too.
func (c *termCache) number(path string, sortable int64) (term string, common bool) {
	return c.field(path).numbers.get(sortable, func() string { return exactTerm(sortable) })
}

// coarse gives the name of the field of the shortened forms, and those of a number.
func (c *termCache) coarse(path string, sortable int64, shifts []uint) (name string, list *termList) {
	f := c.field(path)
	list, _ = f.lists.get(sortable>>shifts[0], func() *termList {
		l := coarseTerms(sortable, shifts)
		l.shared = true
		return l
	})
	return f.coarseName, list
}

// shape gives the term of a combination of fields; false when there are too many
// for each to have one.
func (c *termCache) shape(names []string) (string, bool) {
	if c.lastShape != "" && slices.Equal(names, c.lastNames) {
		return c.lastShape, true
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	term, ok := c.shapes.term(sorted)
	if ok {
		c.lastNames, c.lastShape = slices.Clone(names), term
	}
	return term, ok
}

// The terms of the field of names: one of a single name, or one of a combination,
// in which a separator stands before the first name and behind each.
const (
	namePrefix     = "\x01"
	shapePrefix    = "\x00"
	shapeSeparator = "\x00"
)

// shapes are the combinations of fields that an index's documents have. Most
// documents of an index have the same one, so one term instead of one for each
// field says which fields a document has.
type shapes struct {
	mu    sync.Mutex
	known map[string]bool
}

// term gives the term of a sorted list of names.
func (s *shapes) term(sorted []string) (string, bool) {
	var b strings.Builder
	b.WriteString(shapePrefix)
	for _, name := range sorted {
		if strings.Contains(name, shapeSeparator) {
			return "", false
		}
		b.WriteString(name)
		b.WriteString(shapeSeparator)
	}
	term := b.String()
	if len(term) > maxTermBytes {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[term] {
		return term, true
	}
	if len(s.known) >= maxShapes {
		return "", false
	}
	if s.known == nil {
		s.known = map[string]bool{}
	}
	s.known[term] = true
	return term, true
}

// parsers lends out the caches of an index's parsers.
type parsers struct {
	shapes shapes
	mu     sync.Mutex
	idle   []*termCache
}

// maxIdleParsers is how many caches are kept.
const maxIdleParsers = 4

func (p *parsers) get() *termCache {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return c
	}
	return newTermCache(&p.shapes)
}

func (p *parsers) put(c *termCache) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < maxIdleParsers {
		p.idle = append(p.idle, c)
	}
}
