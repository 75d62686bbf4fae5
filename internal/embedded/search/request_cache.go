package search

import (
	"bytes"
	"container/list"
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	// requestCacheBytes bounds the answers that are kept, of all indexes.
	requestCacheBytes = 8 << 20
	// answerWeight is how many bytes of memory a byte of an encoded answer stands for.
	answerWeight = 8
)

// requestCache keeps the answers of searches without hits, as Elasticsearch's shard
// request cache does, for as long as the indexes stay as they are.
type requestCache struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	order   *list.List // of *cachedAnswer, the latest in front
	bytes   int
}

type cachedAnswer struct {
	key  string
	body object
	size int
	// defs keep the definitions that the key names from being replaced by others of
	// the same address.
	defs []*definition
}

func newRequestCache() *requestCache {
	return &requestCache{entries: map[string]*list.Element{}, order: list.New()}
}

// answerKey names a search on a state of indexes; it is empty when its answer isn't
// to be kept: that of one with hits, or of one that depends on the time or on chance.
func (c *call) answerKey(req *searchRequest, found []target, snaps []*snapshot) (string, []*definition) {
	if req.size > 0 || req.scrolled || req.pit != nil || req.timeout > 0 || req.raw == nil || c.query.Get("request_cache") == "false" ||
		bytes.Contains(req.raw, []byte("now")) || bytes.Contains(req.raw, []byte("random_score")) {
		return "", nil
	}
	var key strings.Builder
	var defs []*definition
	for i, t := range found {
		def := t.definition()
		if def.settings["index.requests.cache.enable"] == "false" {
			return "", nil
		}
		defs = append(defs, def)
		fmt.Fprintf(&key, "%s %s %d %p\x00", t.name, t.uuid, snaps[i].seq, def)
		for _, f := range t.filters {
			if f != nil {
				key.Write(f.raw())
			}
			key.WriteByte(0)
		}
	}
	key.WriteString(c.query.Encode())
	key.WriteByte(0)
	key.Write(req.raw)
	return key.String(), defs
}

// get gives an answer, whose first field is the time that it took.
func (c *requestCache) get(key string, took int64) (object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	body := slices.Clone(e.Value.(*cachedAnswer).body)
	body.set("took", took)
	return body, true
}

func (c *requestCache) put(key string, defs []*definition, body object) {
	size := answerWeight*len(encodeJSON(body, false)) + len(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key] != nil || size > requestCacheBytes/4 {
		return
	}
	c.entries[key] = c.order.PushFront(&cachedAnswer{key, body, size, defs})
	for c.bytes += size; c.bytes > requestCacheBytes; {
		c.remove(c.order.Back())
	}
}

func (c *requestCache) remove(e *list.Element) {
	entry := c.order.Remove(e).(*cachedAnswer)
	delete(c.entries, entry.key)
	c.bytes -= entry.size
}
