package search

import (
	"container/heap"
	"slices"
)

// hit is a match on its way into the answer.
type hit struct {
	part   *hitPart
	doc    uint64
	seq    int64
	score  float32
	values []sortValue
	// collapsed is the value by which hits are collapsed.
	collapsed sortValue
}

// hitPart is what a collector has of an index.
type hitPart struct {
	*searchPart
	sorters  []*sorter
	seqs     *fieldColumn
	after    []sortValue
	collapse *sorter
}

// collector keeps the hits that come first in an order.
type collector struct {
	req    *searchRequest
	scored bool
	hits   []*hit // a heap with the worst on top, unless hits are collapsed
	// best has, for collapsed hits, the first one of every value.
	best map[sortValue]*hit
	// behind leaves out hits that don't come after it.
	behind   *hit
	maxScore float32
	spare    *hit
}

func newCollector(req *searchRequest) *collector {
	c := &collector{req: req, scored: req.scored()}
	if req.collapse != nil {
		c.best = map[sortValue]*hit{}
	}
	return c
}

// keep is how many hits are needed.
func (c *collector) keep() int { return c.req.from + c.req.size }

// open sets up the order on an index.
func (c *collector) open(p *searchPart) (*hitPart, error) {
	h := &hitPart{searchPart: p}
	for _, k := range c.req.sort {
		s, err := newSorter(p.x, k)
		if err != nil {
			return nil, err
		}
		h.sorters = append(h.sorters, s)
	}
	if c.req.collapse != nil {
		if err := collapsible(p.x, c.req.collapse.field); err != nil {
			return nil, err
		}
		s, err := newSorter(p.x, sortKey{field: c.req.collapse.field})
		if err != nil {
			return nil, err
		}
		h.collapse = s
	}
	h.seqs = p.x.column(fieldSeq, true)
	if len(c.req.after) > 0 {
		if len(h.sorters) == 0 {
			return nil, illegalArgument("Sort must contain at least one field.")
		}
		if len(c.req.after) != len(h.sorters) {
			return nil, illegalArgument("search_after has %d value(s) but sort has %d.", len(c.req.after), len(h.sorters))
		}
		for i, n := range c.req.after {
			v, err := h.sorters[i].parse(p.x, n)
			if err != nil {
				return nil, err
			}
			h.after = append(h.after, v)
		}
	}
	return h, nil
}

func (h *hitPart) compare(a, b []sortValue) int {
	for i, s := range h.sorters {
		if c := s.compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// before is the order of hits: by the criteria or the score, then as they were
// written.
func before(a, b *hit) bool {
	if len(a.part.sorters) > 0 {
		if c := a.part.compare(a.values, b.values); c != 0 {
			return c < 0
		}
	} else if a.score != b.score {
		return a.score > b.score
	}
	if a.part.order != b.part.order {
		return a.part.order < b.part.order
	}
	return a.seq < b.seq
}

func (c *collector) Len() int           { return len(c.hits) }
func (c *collector) Less(i, j int) bool { return before(c.hits[j], c.hits[i]) }
func (c *collector) Swap(i, j int)      { c.hits[i], c.hits[j] = c.hits[j], c.hits[i] }
func (c *collector) Push(x any)         { c.hits = append(c.hits, x.(*hit)) }
func (c *collector) Pop() any {
	last := c.hits[len(c.hits)-1]
	c.hits = c.hits[:len(c.hits)-1]
	return last
}

// offer takes a match into the first ones when it belongs there.
func (c *collector) offer(p *hitPart, doc uint64, score float32) error {
	if c.scored {
		c.maxScore = max(c.maxScore, score)
	}
	keep := c.keep()
	if keep == 0 {
		return nil
	}
	full := c.best == nil && len(c.hits) >= keep
	if full && len(p.sorters) == 0 && score < c.hits[0].score {
		return nil
	}
	h := c.spare
	if h == nil {
		h = &hit{}
	}
	c.spare = nil
	*h = hit{part: p, doc: doc, score: score, values: h.values[:0]}
	for _, s := range p.sorters {
		v, err := s.read(doc, score)
		if err != nil {
			return err
		}
		h.values = append(h.values, v)
	}
	if p.after != nil && p.compare(h.values, p.after) <= 0 || full && len(p.sorters) > 0 && c.worse(h) {
		c.spare = h
		return nil
	}
	var err error
	if h.seq, _, err = p.seqs.first(doc); err != nil {
		return err
	}
	if c.behind != nil && !before(c.behind, h) {
		c.spare = h
		return nil
	}
	switch {
	case c.best != nil:
		v, err := p.collapseValue(doc)
		if err != nil {
			return err
		}
		h.collapsed = v
		if old := c.best[v]; old == nil || before(h, old) {
			c.best[v] = h
		}
	case !full:
		heap.Push(c, h)
	case before(h, c.hits[0]):
		c.spare = c.hits[0]
		c.hits[0] = h
		heap.Fix(c, 0)
	default:
		c.spare = h
	}
	return nil
}

// worse reports whether the criteria alone put a match behind the worst hit.
func (c *collector) worse(h *hit) bool {
	worst := c.hits[0]
	return h.part.order == worst.part.order && h.part.compare(h.values, worst.values) > 0
}

// page gives the hits of the answer in their order.
func (c *collector) page() []*hit {
	list := c.hits
	if c.best != nil {
		list = nil
		for _, h := range c.best {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *hit) int {
		switch {
		case before(a, b):
			return -1
		case before(b, a):
			return 1
		default:
			return 0
		}
	})
	c.hits = list
	return list[min(c.req.from, len(list)):min(c.keep(), len(list))]
}

// max is the best score, nil where none is shown.
func (c *collector) max() any {
	shown := len(c.req.sort) == 0 || c.req.trackScores || c.req.byScore()
	if !c.scored || !shown || len(c.hits) == 0 && len(c.best) == 0 {
		return nil
	}
	return c.maxScore
}
