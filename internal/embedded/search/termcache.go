package search

import (
	"slices"
	"strings"
)

const (
	// cachedTerms is how many terms of a field are kept, cachedFields of how many
	// fields.
	cachedTerms  = 1024
	cachedFields = 256
)

// termCache keeps fields with one term, which many documents share: states,
// products, quantities. It is for one writer at a time.
type termCache struct {
	fields map[string]*cachedField
	lists  map[string]*termField
}

// cachedField is what the cache has of a field.
type cachedField struct {
	options      int
	terms        map[string]cachedTerm
	hits, misses int
	off          bool // its terms are hardly ever the same
}

type cachedTerm struct{ exact, coarse *termField }

func newTermCache() *termCache {
	return &termCache{fields: map[string]*cachedField{}, lists: map[string]*termField{}}
}

// get finds a term of a field, or makes it.
func (c *termCache) get(m *mapping, term string, fill func(*cachedTerm)) cachedTerm {
	f := c.fields[m.path]
	if f == nil || f.options != int(optionsOf(m)) {
		if len(c.fields) >= cachedFields {
			clear(c.fields)
		}
		f = &cachedField{options: int(optionsOf(m)), terms: map[string]cachedTerm{}}
		c.fields[m.path] = f
	}
	if found, ok := f.terms[term]; ok {
		f.hits++
		return found
	}
	t := cachedTerm{exact: newTermField(m.path, optionsOf(m))}
	t.exact.add(term)
	if fill != nil {
		fill(&t)
	}
	if f.off {
		return t
	}
	f.misses++
	if len(f.terms) >= cachedTerms {
		if f.off = f.hits < f.misses; f.off {
			f.terms = nil
			return t
		}
		clear(f.terms)
		f.hits, f.misses = 0, 0
	}
	t.exact.shared = true
	if t.coarse != nil {
		t.coarse.shared = true
	}
	f.terms[term] = t
	return t
}

func (c *termCache) term(m *mapping, term string) *termField { return c.get(m, term, nil).exact }

// number gives the field of a number, and the one of its shortened forms.
func (c *termCache) number(m *mapping, sortable int64) (exact, coarse *termField) {
	fill := func(t *cachedTerm) {
		t.coarse = newTermField(m.path+coarseSuffix, termOptions)
		t.coarse.addCoarse(sortable)
	}
	t := c.get(m, exactTerm(sortable), fill)
	if t.coarse == nil {
		fill(&t)
	}
	return t.exact, t.coarse
}

// list gives the field of the names of a document's fields, which most documents
// of an index have in common.
func (c *termCache) list(names []string) *termField {
	slices.Sort(names)
	key := strings.Join(names, "\x00")
	if f := c.lists[key]; f != nil {
		return f
	}
	f := newTermField(fieldNames, termOptions)
	for _, name := range names {
		f.add(name)
	}
	f.shared = true
	if len(c.lists) >= cachedFields {
		clear(c.lists)
	}
	c.lists[key] = f
	return f
}
