package search

import (
	"container/list"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	// filterCacheBytes bounds the sets of documents that are kept, of all indexes.
	filterCacheBytes = 16 << 20
	// filterEntryBytes is what a set needs beside its documents.
	filterEntryBytes = 256
	// recentFilters is among how many filters one has to come again to be kept, as
	// Elasticsearch has it.
	recentFilters = 256
)

// filterKey names the documents of a segment that a filter has.
type filterKey struct {
	engine  *engine
	segment uint64
	name    string
}

type cachedFilter struct {
	key  filterKey
	docs *roaring.Bitmap
	size int
}

type filterName struct {
	engine *engine
	name   string
}

// filterCache keeps the documents of filters that were used more than once. Segments
// never change, so neither do the documents.
type filterCache struct {
	mu      sync.Mutex
	entries map[filterKey]*list.Element
	order   *list.List // of *cachedFilter, the latest in front
	bytes   int
	recent  []filterName // a ring
	next    int
}

func newFilterCache() *filterCache {
	return &filterCache{entries: map[filterKey]*list.Element{}, order: list.New()}
}

// used notes that a filter is used, and reports whether it was shortly before.
func (c *filterCache) used(e *engine, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := filterName{e, name}
	before := slices.Contains(c.recent, f)
	if len(c.recent) < recentFilters {
		c.recent = append(c.recent, f)
	} else {
		c.recent[c.next] = f
		c.next = (c.next + 1) % recentFilters
	}
	return before
}

// get gives the documents of a segment, nil when they aren't known. The set isn't to
// be changed.
func (c *filterCache) get(key filterKey) *roaring.Bitmap {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedFilter).docs
}

func (c *filterCache) put(key filterKey, docs *roaring.Bitmap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := int(docs.GetSizeInBytes()) + filterEntryBytes + len(key.name)
	if c.entries[key] != nil || size > filterCacheBytes {
		return
	}
	c.entries[key] = c.order.PushFront(&cachedFilter{key, docs, size})
	for c.bytes += size; c.bytes > filterCacheBytes; {
		c.remove(c.order.Back())
	}
}

func (c *filterCache) remove(e *list.Element) {
	entry := c.order.Remove(e).(*cachedFilter)
	delete(c.entries, entry.key)
	c.bytes -= entry.size
}

// keep drops what is known of an index's segments that are not among some.
func (c *filterCache) keep(e *engine, segments map[uint64]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, entry := range c.entries {
		if key.engine == e && !segments[key.segment] {
			c.remove(entry)
		}
	}
	c.recent = slices.DeleteFunc(c.recent, func(f filterName) bool { return f.engine == e && len(segments) == 0 })
	c.next = 0
}
