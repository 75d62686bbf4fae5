package search

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"
)

// compositeBody has a bucket per combination of values, in pages.
type compositeBody struct {
	size    int
	sources []*compositeSource
	after   *node
}

// compositeSource is one part of the key.
type compositeSource struct {
	valueSource
	name         string
	kind         string // terms, histogram, date_histogram
	desc         bool
	missingBelow bool // missing_bucket
	last         bool // missing_order: last
	first        bool
	interval     float64
	rounding     rounding
}

func parseComposite(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &compositeBody{size: defaultSize}
	err := params{
		"size": func(v *node) *apiError {
			text, _ := v.scalar()
			i, err := strconv.Atoi(text)
			if err != nil || i <= 0 {
				return illegalArgument("[size] must be greater than 0. Found [%s] in [%s]", text, spec.name)
			}
			b.size = i
			return nil
		},
		"after": func(v *node) *apiError { b.after = v; return nil },
		"sources": func(v *node) *apiError {
			if v.kind != kindArray {
				return wrongToken(spec.kind, "sources", v)
			}
			for _, e := range v.elements {
				s, err := parseCompositeSource(e)
				if err != nil {
					return err
				}
				b.sources = append(b.sources, s)
			}
			if len(b.sources) == 0 {
				return unbuilt(spec.kind, illegalArgument("Composite [sources] cannot be null or empty"))
			}
			return nil
		},
	}.parse(spec.kind, n)
	if err != nil {
		return nil, err
	}
	if len(b.sources) == 0 {
		return nil, illegalArgument("Required [sources]")
	}
	return b, nil
}

func parseCompositeSource(n *node) (*compositeSource, *apiError) {
	if n.kind != kindObject || len(n.members) != 1 || n.members[0].value.kind != kindObject || len(n.members[0].value.members) != 1 {
		return nil, parsingError(n.src, n.start, "expected value source of the form {name: {type: {...}}}, but got [%s]", n.token())
	}
	m := n.members[0]
	def := m.value.members[0]
	s := &compositeSource{name: m.name, kind: def.name}
	p := s.params(def.name).with(params{
		"order": func(v *node) *apiError {
			switch strings.ToLower(v.text) {
			case "asc":
			case "desc":
				s.desc = true
			default:
				return illegalArgument("No enum constant org.elasticsearch.search.sort.SortOrder.%s", strings.ToUpper(v.text))
			}
			return nil
		},
		"missing_bucket": func(v *node) *apiError { s.missingBelow = v.kind == kindTrue; return nil },
		"missing_order": func(v *node) *apiError {
			s.first, s.last = strings.EqualFold(v.text, "first"), strings.EqualFold(v.text, "last")
			return nil
		},
	})
	delete(p, "missing")
	switch def.name {
	case "terms":
		delete(p, "time_zone")
	case "histogram":
		p["interval"] = func(v *node) (err *apiError) {
			if s.interval, err = number64(v); err == nil && s.interval <= 0 {
				err = illegalArgument("[interval] must be greater than 0 for [histogram] source")
			}
			return err
		}
	case "date_histogram":
		p = p.with(s.rounding.params())
	default:
		return nil, parsingError(def.value.src, def.value.start, "invalid source type: %s", def.name)
	}
	if err := p.parse(def.name, def.value); err != nil {
		return nil, err
	}
	s.rounding.zone = s.zone
	return s, s.require()
}

func (b *compositeBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	list := make([]*fieldValues, len(b.sources))
	for i, s := range b.sources {
		v, err := p.x.values(&s.valueSource)
		if err != nil {
			return nil, err
		}
		if v.m != nil && (v.m.typ == "geo_point" || s.kind != "terms" && v.kind == termValues) {
			return nil, unsuited(v.m, "composite")
		}
		list[i] = v
	}
	return &compositePart{values: list, cut: make([]map[*segmentColumn]*columnEdges, len(list))}, nil
}

func (b *compositeBody) start(spec *aggSpec) aggregator {
	return &composite{spec: spec, body: b, buckets: map[string]*compositeBucket{}, show: make([]*fieldValues, len(b.sources))}
}

// compositeValue is one part of a bucket's key.
type compositeValue struct {
	missing bool
	raw     int64 // in its sortable form
	text    string
}

type compositeBucket struct {
	values []compositeValue
	bucket
}

type composite struct {
	spec    *aggSpec
	body    *compositeBody
	show    []*fieldValues
	after   []compositeValue
	buckets map[string]*compositeBucket
	key     []byte
}

// compare is the order of keys.
func (b *compositeBody) compare(x, y []compositeValue) int {
	for i, s := range b.sources {
		a, c := x[i], y[i]
		if a.missing || c.missing {
			if a.missing == c.missing {
				continue
			}
			first := !s.desc // missing ones count as least
			if s.first || s.last {
				first = s.first
			}
			if a.missing == first {
				return -1
			}
			return 1
		}
		d := cmp.Compare(a.raw, c.raw)
		if d == 0 {
			d = strings.Compare(a.text, c.text)
		}
		if d != 0 {
			if s.desc {
				return -d
			}
			return d
		}
	}
	return 0
}

// see takes note of an index's fields, and reads "after" once they are known.
func (c *composite) see(list []*fieldValues) error {
	fresh := false
	for i, v := range list {
		if c.show[i] == nil || c.show[i].m == nil && v.m != nil {
			c.show[i], fresh = v, true
		}
	}
	if c.body.after == nil || !fresh {
		return nil
	}
	if c.body.after.kind != kindObject || len(c.body.after.members) != len(c.body.sources) {
		return illegalArgument("[after] has %d value(s) but [sources] has %d", len(c.body.after.members), len(c.body.sources))
	}
	c.after = nil
	for i, s := range c.body.sources {
		n := c.body.after.get(s.name)
		if n == nil {
			return illegalArgument("Missing value for [after.%s]", s.name)
		}
		v, err := s.parse(n, c.show[i])
		if err != nil {
			return err
		}
		c.after = append(c.after, v)
	}
	return nil
}

// parse reads a value of "after".
func (s *compositeSource) parse(n *node, v *fieldValues) (compositeValue, *apiError) {
	if n.kind == kindNull {
		return compositeValue{missing: true}, nil
	}
	text, _ := n.scalar()
	switch {
	case v.kind == termValues && v.m != nil && v.m.typ == "ip":
		term, err := ipTerm(text)
		return compositeValue{text: term}, err
	case v.kind == termValues || v.kind == noValues:
		return compositeValue{text: text}, nil
	case v.m != nil && v.m.typ == "boolean":
		return compositeValue{raw: int64(boolIndex(text == "true" || text == "1"))}, nil
	case v.m != nil && v.m.typ == "date" && n.kind == kindString:
		format := v.show.date
		if format == nil {
			format = mustDateFormat(defaultDateFormat)
		}
		t, _, ok := format.parse(text)
		if !ok {
			return compositeValue{}, dateError(format, text)
		}
		return compositeValue{raw: t.UnixMilli()}, nil
	}
	f, err := number64(n)
	if err != nil {
		return compositeValue{}, err
	}
	if s.kind == "histogram" || v.kind == doubleValues {
		return compositeValue{raw: sortableDouble(f)}, nil
	}
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		return compositeValue{raw: whole}, nil
	}
	return compositeValue{raw: int64(f)}, nil
}

// values gives the parts of a key that a document has from one source.
func (s *compositeSource) values(v *fieldValues, doc uint64) ([]compositeValue, error) {
	var list []compositeValue
	if v.kind == termValues {
		found, err := v.texts(doc)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			list = append(list, compositeValue{text: t})
		}
	} else {
		found, err := v.numbers(doc)
		if err != nil {
			return nil, err
		}
		for _, raw := range found {
			if s.kind != "terms" {
				raw = s.rawKey(s.interval64(v, raw))
			}
			if v := (compositeValue{raw: raw}); len(list) == 0 || list[len(list)-1] != v {
				list = append(list, v)
			}
		}
	}
	if len(list) == 0 && s.missingBelow {
		list = append(list, compositeValue{missing: true})
	}
	return list, nil
}

func (c *composite) collect(p *aggPart, b *batch) error {
	part := p.bound[c.spec.slot].(*compositePart)
	if err := c.see(part.values); err != nil {
		return err
	}
	groups, places, err := part.places(c.body, b)
	if err != nil {
		return err
	}
	if places == nil {
		return b.each(func(one *batch, doc uint64) error { return c.combine(p, part.values, doc, one, nil) })
	}
	top := uint32(1)
	for _, place := range places {
		top *= place.size
	}
	return p.groups[c.spec.slot].split(b, groups, top, func(group uint32, b *batch) error {
		group--
		key := make([]compositeValue, len(places))
		for i := range places {
			key[i] = places[i].value(group % places[i].size)
			group /= places[i].size
		}
		return c.take(p, b, key)
	})
}

// compositePart is what a composite aggregation has of an index.
type compositePart struct {
	values []*fieldValues
	cut    []map[*segmentColumn]*columnEdges
	groups []uint32
}

// place is one source's part of the number of a combination: 0 for a missing value,
// then one for each of its values.
type place struct {
	size  uint32
	value func(n uint32) compositeValue
}

// places gives for every document of a batch the number of its combination of
// values, counted from 1, 0 for none; places are nil where it can't be told like
// that.
func (p *compositePart) places(body *compositeBody, b *batch) ([]uint32, []place, error) {
	p.groups = slices.Grow(p.groups[:0], len(b.docs))[:len(b.docs)]
	for i := range p.groups {
		p.groups[i] = 1
	}
	places := make([]place, len(body.sources))
	unit := uint64(1)
	for i, s := range body.sources {
		v := p.values[i]
		c, ordinals, err := v.ordinals(b)
		if err != nil || c == nil {
			return nil, nil, err
		}
		numbers := ordinals
		if s.kind == "terms" {
			places[i] = place{c.top + 1, func(n uint32) compositeValue {
				raw, text := v.keyOf(c, n)
				return compositeValue{raw: raw, text: text}
			}}
		} else {
			e := p.edges(i, s, c)
			if e == nil {
				return nil, nil, nil
			}
			numbers = e.of(ordinals)
			places[i] = place{uint32(len(e.keys)) + 1, func(n uint32) compositeValue {
				return compositeValue{raw: s.rawKey(e.keys[n-1])}
			}}
		}
		inner := places[i].value
		places[i].value = func(n uint32) compositeValue {
			if n == 0 {
				return compositeValue{missing: true}
			}
			return inner(n)
		}
		next := unit * uint64(places[i].size)
		if next >= math.MaxUint32 {
			return nil, nil, nil
		}
		for j, n := range numbers {
			switch {
			case n == 0 && !s.missingBelow:
				p.groups[j] = 0
			case p.groups[j] != 0:
				p.groups[j] += n * uint32(unit)
			}
		}
		unit = next
	}
	return p.groups, places, nil
}

// edges cuts a column into the intervals of a source, nil when there are too many.
func (p *compositePart) edges(i int, s *compositeSource, c *segmentColumn) *columnEdges {
	if e, done := p.cut[i][c]; done {
		return e
	}
	if p.cut[i] == nil {
		p.cut[i] = map[*segmentColumn]*columnEdges{}
	}
	v := p.values[i]
	var e *columnEdges
	if c.numeric {
		e = edgesOf(c, func(raw int64) float64 { return s.interval64(v, raw) }, func(key float64) uint32 { return c.from(v.raised(key)) }, s.next)
	}
	p.cut[i][c] = e
	return e
}

// interval64 is the beginning of the interval of a value.
func (s *compositeSource) interval64(v *fieldValues, raw int64) float64 {
	if s.kind == "histogram" {
		return floorTo(v.double(raw), s.interval)
	}
	return float64(s.rounding.round(raw))
}

// next is the beginning of the interval behind another.
func (s *compositeSource) next(key float64) float64 {
	if s.kind == "histogram" {
		return floorTo(key+s.interval*1.5, s.interval)
	}
	return float64(s.rounding.next(int64(key)))
}

// rawKey is the beginning of an interval as a part of a key.
func (s *compositeSource) rawKey(key float64) int64 {
	if s.kind == "histogram" {
		return sortableDouble(key)
	}
	return int64(key)
}

// combine collects a document under every combination of its values.
func (c *composite) combine(p *aggPart, list []*fieldValues, doc uint64, one *batch, head []compositeValue) error {
	if len(head) == len(list) {
		return c.take(p, one, head)
	}
	i := len(head)
	values, err := c.body.sources[i].values(list[i], doc)
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := c.combine(p, list, doc, one, append(head, v)); err != nil {
			return err
		}
	}
	return nil
}

func (c *composite) take(p *aggPart, docs *batch, values []compositeValue) error {
	if c.after != nil && c.body.compare(values, c.after) <= 0 {
		return nil
	}
	c.key = c.key[:0]
	for _, v := range values {
		c.key = append(c.key, byte(boolIndex(v.missing)))
		c.key = binary.AppendVarint(c.key, v.raw)
		c.key = appendText(c.key, v.text)
	}
	b := c.buckets[string(c.key)]
	if b == nil {
		if len(c.buckets) > 4*c.body.size+1000 {
			c.drop()
		}
		b = &compositeBucket{values: slices.Clone(values)}
		c.buckets[string(c.key)] = b
	}
	return b.collect(p, c.spec, docs)
}

// drop forgets buckets that can't be in the page any more: those behind the
// first size ones of all that were ever seen. One that is dropped is behind the
// page for good, as buckets before it are never forgotten.
func (c *composite) drop() {
	list := c.sorted()
	limit := list[min(len(list), c.body.size)-1].values
	for key, b := range c.buckets {
		if c.body.compare(b.values, limit) > 0 {
			delete(c.buckets, key)
		}
	}

}

func (c *composite) sorted() []*compositeBucket {
	list := make([]*compositeBucket, 0, len(c.buckets))
	for _, b := range c.buckets {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *compositeBucket) int { return c.body.compare(a.values, b.values) })
	return list
}

func (c *composite) flush(p *aggPart) error {
	if err := c.see(p.bound[c.spec.slot].(*compositePart).values); err != nil {
		return err
	}
	for _, b := range c.buckets {
		if err := flushAll(p, b.subs); err != nil {
			return err
		}
	}
	return nil
}

func (c *composite) metric(string) (float64, bool) { return 0, false }
func (c *composite) typed() string                 { return "composite" }

func (c *composite) result(r *aggResult) (object, error) {
	list := c.sorted()
	if len(list) > c.body.size {
		list = list[:c.body.size]
	}
	if err := r.count(len(list)); err != nil {
		return nil, err
	}
	shown := []any{}
	o := object{}
	for i, b := range list {
		key := object{}
		for j, s := range c.body.sources {
			key = append(key, field{s.name, s.shown(b.values[j], c.show[j])})
		}
		if i == len(list)-1 {
			o = append(o, field{"after_key", key})
		}
		body, err := b.render(r, c.spec, object{{"key", key}, {"doc_count", b.count}})
		if err != nil {
			return nil, err
		}
		shown = append(shown, body)
	}
	if err := r.parents(c.spec, shown); err != nil {
		return nil, err
	}
	return append(o, field{"buckets", shown}), nil
}

// shown is a part of a key as the answer has it.
func (s *compositeSource) shown(v compositeValue, f *fieldValues) any {
	switch {
	case v.missing:
		return nil
	case f.kind == termValues:
		return f.show.text(v.text)
	case s.kind == "histogram":
		return doubleOf(v.raw)
	case f.show.typ == "boolean":
		return v.raw != 0
	case s.format != "" && (f.show.typ == "date" || s.kind == "date_histogram"):
		return f.show.dateText(v.raw)
	case f.kind == doubleValues:
		return doubleOf(v.raw)
	default:
		return v.raw
	}
}
