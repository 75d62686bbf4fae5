package search

import (
	"cmp"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Places of documents without a value. A place tells where a document's value
// stands in its segment, in the order that is asked for; smaller ones come first.
const (
	placeFirst = 0
	placeLast  = math.MaxUint32 - 1
)

// rankLevel is one criterion of an order, as columns tell it.
type rankLevel struct {
	values *fieldColumn
	desc   bool
	first  bool // documents without a value come first
	after  *sortValue
	text   bool
	sorter *sorter // nil for the order of writing
	index  int     // of the sorter
}

// ranked takes in the first of some documents in the order of their values' places
// in each segment, so that a document is looked at closely only when it may belong
// to the page. It reports false, and has done nothing, where that isn't possible.
// byWriting orders by when documents were written, whatever the request says, and
// gives all of them one score.
func (c *collector) ranked(p *hitPart, docs *roaring.Bitmap, byWriting bool, score float32) (bool, error) {
	if c.best != nil {
		return false, nil
	}
	levels := c.levels(p, byWriting)
	if len(levels) == 0 {
		return false, nil
	}
	if c.scored && !docs.IsEmpty() {
		c.maxScore = max(c.maxScore, score)
	}
	if c.keep() == 0 {
		return true, nil
	}
	r := &ranking{c: c, p: p, levels: levels, segment: -1}
	order := r.order()
	if order == nil {
		return true, r.takeAll(docs, score)
	}
	for _, segment := range order {
		if err := r.takeAll(p.x.ofSegment(docs, segment), score); err != nil {
			return true, err
		}
	}
	return true, nil
}

// takeAll goes through documents of some segments.
func (r *ranking) takeAll(docs *roaring.Bitmap, score float32) error {
	err := r.p.x.batches(docs, func(b *batch) error {
		if b.segment != r.segment {
			if err := r.finish(score); err != nil {
				return err
			}
			r.begin(b.segment)
		}
		return r.take(b)
	})
	if err != nil {
		return err
	}
	err = r.finish(score)
	r.segment = -1
	return err
}

// order gives the segments, those in front that may have the first documents, so
// that most of the others have none to offer; nil where that isn't known.
func (r *ranking) order() []int {
	l := &r.levels[0]
	if l.after != nil || !l.values.numeric || l.first {
		return nil
	}
	var order []int
	best := map[int]int64{}
	for i, s := range l.values.segments {
		if s.column == nil && l.values.look(s, 0) != nil || s.column == nil {
			return nil
		}
		if s.column.top > 0 {
			best[i] = s.column.number(1)
			if l.desc {
				best[i] = s.column.number(s.column.top)
			}
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, hasX := best[a]
		y, hasY := best[b]
		switch {
		case !hasX || !hasY:
			return boolIndex(!hasX) - boolIndex(!hasY)
		case l.desc:
			return cmp.Compare(y, x)
		default:
			return cmp.Compare(x, y)
		}
	})
	return order
}

// levels are the criteria, the order of writing at the end; none when values in
// memory can't tell the order.
func (c *collector) levels(p *hitPart, byWriting bool) []rankLevel {
	writing := rankLevel{values: p.seqs}
	if len(p.sorters) == 0 {
		if !byWriting || c.behind != nil {
			return nil
		}
		return []rankLevel{writing}
	}
	after, seq := p.after, int64(0)
	if c.behind != nil {
		after = c.behind.values
		switch {
		case c.behind.part.order == p.order:
			seq = c.behind.seq
		case c.behind.part.order < p.order:
			seq = -1 // all that are equal come after it
		default:
			seq = math.MaxInt64
		}
	}
	var list []rankLevel
	for i, s := range p.sorters {
		if s.kind == "score" && byWriting && after == nil {
			continue // all have the same
		}
		if s.values == nil || s.fallback != nil {
			return nil
		}
		l := rankLevel{values: s.values, desc: s.key.desc, first: s.first, text: !s.numeric(), sorter: s, index: i}
		if after != nil {
			v := l.termed(after[i])
			l.after = &v
		}
		list = append(list, l)
	}
	switch {
	case c.behind != nil:
		writing.after = &sortValue{number: seq}
	case p.after != nil:
		writing.after = &sortValue{number: math.MaxInt64} // what is equal doesn't come after
	}
	return append(list, writing)
}

// place is where a document with an ordinal stands.
func (l *rankLevel) place(ordinal, top uint32) uint32 {
	switch {
	case ordinal != 0 && l.desc:
		return top + 1 - ordinal
	case ordinal != 0:
		return ordinal
	case l.first:
		return placeFirst
	default:
		return placeLast
	}
}

// termed is a value with the term that a column of texts has for it.
func (l *rankLevel) termed(v sortValue) sortValue {
	if l.sorter.kind == "boolean" && !v.missing {
		v.text = []string{"F", "T"}[v.number&1]
	}
	return v
}

// edge gives the places of what has a value: from the first one on, up to the
// second.
func (l *rankLevel) edge(c *segmentColumn, v sortValue) (from, to uint32) {
	if v.missing {
		from = l.place(0, c.top)
		return from, from + 1
	}
	at, exact := uint32(0), uint32(0)
	if l.text {
		if at = c.fromTerm(v.text); at <= c.top && string(c.term(at)) == v.text {
			exact = 1
		}
	} else if at = c.from(v.number); at <= c.top && c.number(at) == v.number {
		exact = 1
	}
	if l.desc {
		to = c.top + 2 - at
		return to - exact, to
	}
	return at, at + exact
}

// ranking chooses the documents of a segment that may belong to the page.
type ranking struct {
	c      *collector
	p      *hitPart
	levels []rankLevel

	segment int
	column  *segmentColumn // of the first level, nil when it tells nothing
	// Places from afterFrom on come after what the page begins behind; those below
	// afterTo are equal to it by the first criterion.
	afterFrom, afterTo uint32
	limit              uint32   // places behind it don't belong to the page
	docs, places       []uint32 // the candidates before limit
	ties               []uint32 // those at limit
	spare              []uint32
	all                []uint32 // of a segment that tells nothing
}

// begin goes on to another segment.
func (r *ranking) begin(segment int) {
	r.segment, r.column = segment, nil
	r.docs, r.places, r.ties, r.all = r.docs[:0], r.places[:0], r.ties[:0], r.all[:0]
	r.afterFrom, r.afterTo, r.limit = 0, 0, math.MaxUint32
}

// open finds the column of the first level.
func (r *ranking) open(b *batch) ([]uint32, error) {
	l := &r.levels[0]
	column, ordinals, err := l.values.ordinals(b)
	if err != nil || column == nil {
		return nil, err
	}
	if r.column == nil {
		r.column = column
		if l.after != nil {
			r.afterFrom, r.afterTo = l.edge(column, *l.after)
		}
		if len(r.c.hits) >= r.c.keep() {
			r.bound(l)
		}
	}
	return ordinals, nil
}

// bound leaves out what comes behind the worst hit that there is.
func (r *ranking) bound(l *rankLevel) {
	worst := r.c.hits[0]
	if worst.part.order != r.p.order {
		return
	}
	v := sortValue{number: worst.seq}
	if l.sorter != nil {
		v = l.termed(worst.values[l.index])
	}
	_, to := l.edge(r.column, v)
	r.limit = max(to, 1) - 1
}

// take looks at documents of the segment.
func (r *ranking) take(b *batch) error {
	ordinals, err := r.open(b)
	if err != nil {
		return err
	}
	if ordinals == nil {
		r.all = append(r.all, b.docs...)
		return nil
	}
	if r.limit == 0 { // not even the first place is before the worst hit
		return nil
	}
	l, top := &r.levels[0], r.column.top
	missing := l.place(0, top)
	full := max(2*r.c.keep(), batchSize/8)
	for i, o := range ordinals {
		place := o
		switch {
		case o == 0:
			place = missing
		case l.desc:
			place = top + 1 - o
		}
		if place > r.limit || place < r.afterFrom {
			continue
		}
		doc := b.docs[i]
		if place < r.afterTo {
			if after, err := r.comesAfter(doc, 1); err != nil || !after {
				if err != nil {
					return err
				}
				continue
			}
		}
		if place == r.limit {
			r.ties = append(r.ties, doc)
			continue
		}
		r.docs, r.places = append(r.docs, doc), append(r.places, place)
		if len(r.docs) >= full {
			r.tighten()
		}
	}
	return nil
}

// comesAfter reports whether a document comes after what the page begins behind, by
// the criteria from one on.
func (r *ranking) comesAfter(doc uint32, level int) (bool, error) {
	for ; level < len(r.levels); level++ {
		l := &r.levels[level]
		c, _, err := l.values.ordinals(&batch{segment: r.segment, docs: []uint32{doc}})
		if err != nil {
			return false, err
		}
		if c == nil {
			return true, nil // it is looked at closely
		}
		s := l.values.segments[r.segment]
		place := l.place(c.ordinal(uint64(doc)-s.begin), c.top)
		from, to := l.edge(c, *l.after)
		if place < from || place >= to {
			return place >= to, nil
		}
	}
	return false, nil
}

// tighten drops candidates that so many others come before that they can't be in
// the page.
func (r *ranking) tighten() {
	keep := r.c.keep()
	if len(r.docs) <= keep {
		return
	}
	r.spare = append(r.spare[:0], r.places...)
	r.limit = smallest(r.spare, keep)
	r.ties = r.ties[:0]
	n := 0
	for i, place := range r.places {
		switch {
		case place < r.limit:
			r.docs[n], r.places[n] = r.docs[i], place
			n++
		case place == r.limit:
			r.ties = append(r.ties, r.docs[i])
		}
	}
	r.docs, r.places = r.docs[:n], r.places[:n]
}

// finish takes in what is left of a segment.
func (r *ranking) finish(score float32) error {
	if r.segment < 0 {
		return nil
	}
	r.tighten()
	ties, err := r.first(r.ties, 1, r.c.keep()-len(r.docs))
	if err != nil {
		return err
	}
	for _, list := range [][]uint32{r.docs, ties, r.all} {
		for i, doc := range list {
			if i&0xfff == 0 && r.p.x.ctx.Err() != nil {
				return r.p.x.ctx.Err()
			}
			if err := r.c.offer(r.p, uint64(doc), score); err != nil {
				return err
			}
		}
	}
	return nil
}

// first gives at least the first ones of some documents by the criteria from one
// on.
func (r *ranking) first(docs []uint32, level, keep int) ([]uint32, error) {
	if len(docs) <= keep || keep <= 0 || level == len(r.levels) {
		return docs[:min(len(docs), max(keep, 0))], nil
	}
	l := &r.levels[level]
	c, ordinals, err := l.values.ordinals(&batch{segment: r.segment, docs: docs})
	if err != nil || c == nil {
		return docs, err
	}
	places := slices.Clone(ordinals)
	for i, o := range places {
		places[i] = l.place(o, c.top)
	}
	limit := smallest(slices.Clone(places), keep)
	var before, ties []uint32
	for i, place := range places {
		switch {
		case place < limit:
			before = append(before, docs[i])
		case place == limit:
			ties = append(ties, docs[i])
		}
	}
	ties, err = r.first(ties, level+1, keep-len(before))
	return append(before, ties...), err
}

// smallest gives the n-th smallest of some numbers, counted from 1, and puts them
// into another order.
func smallest(list []uint32, n int) uint32 {
	low, high := 0, len(list)-1
	for low < high {
		pivot := list[low+(high-low)/2]
		i, j := low, high
		for i <= j {
			for list[i] < pivot {
				i++
			}
			for list[j] > pivot {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i++
				j--
			}
		}
		switch {
		case n-1 <= j:
			high = j
		case n-1 >= i:
			low = i
		default:
			return list[n-1]
		}
	}
	return list[n-1]
}
