package search

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
)

// rangeBody groups documents by ranges of numbers, dates or addresses.
type rangeBody struct {
	valueSource
	kind   string
	keyed  bool
	ranges []rangeSpec
}

// rangeSpec is one range of a request; its ends are nil where it is open.
type rangeSpec struct {
	key      string
	from, to *node
	mask     string
}

func parseRangeAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &rangeBody{kind: spec.kind}
	p := b.params(spec.kind).with(params{
		"keyed": func(v *node) *apiError { b.keyed = v.kind == kindTrue; return nil },
		"ranges": func(v *node) *apiError {
			if v.kind != kindArray {
				return wrongToken(spec.kind, "ranges", v)
			}
			for _, e := range v.elements {
				r := rangeSpec{}
				take := func(into **node) func(v *node) *apiError {
					return func(v *node) *apiError {
						if v.kind != kindNull {
							*into = v
						}
						return nil
					}
				}
				known := params{
					"key": func(v *node) *apiError { r.key, _ = v.scalar(); return nil }, "from": take(&r.from), "to": take(&r.to),
				}
				if spec.kind == "ip_range" {
					known["mask"] = func(v *node) *apiError { r.mask = v.text; return nil }
				}
				if e.kind != kindObject {
					return wrongToken(spec.kind, "ranges", e)
				}
				if err := known.parse("range", e); err != nil {
					return err
				}
				b.ranges = append(b.ranges, r)
			}
			return nil
		},
	})
	if spec.kind != "date_range" {
		delete(p, "time_zone")
	}
	if err := p.parse(spec.kind, n); err != nil {
		return nil, err
	}
	return b, b.require()
}

// boundRange is a range as an index understands it: from is in it, to is not.
type boundRange struct {
	from, to     float64
	fromIP, toIP []byte
	position     int // in the request
	index        int // among the sorted ones
}

type rangePart struct {
	values *fieldValues
	ranges []boundRange
}

// within gives the ordinals of a column that lie in a range: the first one, and how
// many there are.
func (p *rangePart) within(r *boundRange, c *segmentColumn) (from, span uint32) {
	from, to := uint32(1), c.top+1
	if p.values.kind == termValues {
		if r.fromIP != nil {
			from = c.fromTerm(string(r.fromIP))
		}
		if r.toIP != nil {
			to = c.fromTerm(string(r.toIP))
		}
	} else {
		if !math.IsInf(r.from, -1) {
			from = c.from(p.values.raised(r.from))
		}
		if !math.IsInf(r.to, 1) {
			to = c.from(p.values.raised(r.to))
		}
	}
	if to <= from {
		return 1, 0
	}
	return from, to - from
}

// has reports whether a document without a column has a value in a range.
func (p *rangePart) has(r *boundRange, texts []string, numbers []int64) bool {
	return slices.ContainsFunc(texts, func(t string) bool {
		return (r.fromIP == nil || t >= string(r.fromIP)) && (r.toIP == nil || t < string(r.toIP))
	}) || slices.ContainsFunc(numbers, func(raw int64) bool {
		v := p.values.double(raw)
		return v >= r.from && v < r.to
	})
}

func (b *rangeBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	if len(b.ranges) == 0 {
		return nil, illegalArgument("No [ranges] specified for the [%s] aggregation", spec.name)
	}
	v, err := p.x.values(&b.valueSource)
	if err != nil {
		return nil, err
	}
	if v.m != nil {
		wrong := v.kind == termValues && b.kind != "ip_range" || b.kind == "ip_range" && v.m.typ != "ip" || v.m.typ == "geo_point"
		if wrong || b.kind == "date_range" && v.m.typ != "date" && v.kind != longValues {
			return nil, unsuited(v.m, b.kind)
		}
	}
	part := &rangePart{values: v}
	for i, r := range b.ranges {
		bound := boundRange{from: math.Inf(-1), to: math.Inf(1), position: i}
		if b.kind == "ip_range" {
			if err := bound.addresses(r); err != nil {
				return nil, err
			}
		} else {
			for _, end := range []struct {
				n    *node
				into *float64
			}{{r.from, &bound.from}, {r.to, &bound.to}} {
				if err := v.readEnd(p.x, end.n, b.kind == "date_range", b.zone, end.into); err != nil {
					return nil, err
				}
			}
		}
		part.ranges = append(part.ranges, bound)
	}
	slices.SortStableFunc(part.ranges, func(a, b boundRange) int {
		if c := cmp.Compare(a.from, b.from); c != 0 {
			return c
		}
		if c := bytes.Compare(a.fromIP, b.fromIP); c != 0 {
			return c
		}
		return cmp.Compare(a.to, b.to)
	})
	for i := range part.ranges {
		part.ranges[i].index = i
	}
	return part, nil
}

func (r *boundRange) addresses(s rangeSpec) error {
	if s.mask != "" {
		prefix, err := netip.ParsePrefix(s.mask)
		if err != nil {
			return illegalArgument("'%s' is not an IP string literal.", s.mask)
		}
		low, high := prefixRange(prefix)
		r.fromIP = []byte(hex.EncodeToString(low))
		if after := successor(high); after != nil {
			r.toIP = []byte(hex.EncodeToString(after))
		}
		return nil
	}
	for _, end := range []struct {
		n    *node
		into *[]byte
	}{{s.from, &r.fromIP}, {s.to, &r.toIP}} {
		if end.n == nil {
			continue
		}
		term, err := ipTerm(end.n.text)
		if err != nil {
			return err
		}
		*end.into = []byte(term)
	}
	return nil
}

func (b *rangeBody) start(spec *aggSpec) aggregator {
	return &ranges{spec: spec, body: b, buckets: make([]bucket, len(b.ranges))}
}

// ranges has a bucket per range.
type ranges struct {
	spec    *aggSpec
	body    *rangeBody
	part    *rangePart
	buckets []bucket
}

func (a *ranges) collect(p *aggPart, b *batch) error {
	part := p.bound[a.spec.slot].(*rangePart)
	v := part.values
	c, ordinals, err := v.ordinals(b)
	if err != nil {
		return err
	}
	if c == nil || v.missing || v.m.typ == "boolean" {
		return b.each(func(one *batch, doc uint64) error { return a.collectOne(p, part, one, doc) })
	}
	for i := range part.ranges {
		r := &part.ranges[i]
		from, span := part.within(r, c)
		if len(a.spec.subs) == 0 {
			n := int64(0)
			for _, o := range ordinals {
				if o-from < span {
					n++
				}
			}
			a.buckets[r.index].count += n
			continue
		}
		err := p.groups[a.spec.slot].only(b, func(i int) bool { return ordinals[i]-from < span }, func(b *batch) error {
			return a.buckets[r.index].collect(p, a.spec, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *ranges) collectWhole(p *aggPart, segment int) (bool, error) {
	part := p.bound[a.spec.slot].(*rangePart)
	c, err := part.values.whole(segment)
	if err != nil || c == nil || len(a.spec.subs) > 0 || part.values.m.typ == "boolean" {
		return false, err
	}
	counts := c.histogram()
	for i := range part.ranges {
		r := &part.ranges[i]
		from, span := part.within(r, c)
		for _, n := range counts[from : from+span] {
			a.buckets[r.index].count += int64(n)
		}
	}
	return true, nil
}

// collectOne takes in a document that may have several values.
func (a *ranges) collectOne(p *aggPart, part *rangePart, one *batch, doc uint64) error {
	var texts []string
	var numbers []int64
	var err error
	if part.values.kind == termValues {
		texts, err = part.values.texts(doc)
	} else {
		numbers, err = part.values.numbers(doc)
	}
	if err != nil {
		return err
	}
	if len(a.spec.subs) > 0 { // the lists are read again below
		texts, numbers = slices.Clone(texts), slices.Clone(numbers)
	}
	for i := range part.ranges {
		if r := &part.ranges[i]; part.has(r, texts, numbers) {
			if err := a.buckets[r.index].collect(p, a.spec, one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *ranges) flush(p *aggPart) error {
	part := p.bound[a.spec.slot].(*rangePart)
	if a.part == nil || a.part.values.m == nil {
		a.part = part
	}
	for i := range a.buckets {
		if err := flushAll(p, a.buckets[i].subs); err != nil {
			return err
		}
	}
	return nil
}

func (a *ranges) metric(string) (float64, bool) { return 0, false }
func (a *ranges) typed() string                 { return a.body.kind }

func (a *ranges) result(r *aggResult) (object, error) {
	if a.part == nil {
		return object{{"buckets", []any{}}}, nil
	}
	if err := r.count(len(a.buckets)); err != nil {
		return nil, err
	}
	shown, names := []any{}, []string{}
	for i := range a.part.ranges {
		bound := &a.part.ranges[i]
		name, o := a.head(bound)
		if !a.body.keyed {
			o = append(object{{"key", name}}, o...)
		}
		b := &a.buckets[i]
		o, err := b.render(r, a.spec, append(o, field{"doc_count", b.count}))
		if err != nil {
			return nil, err
		}
		shown, names = append(shown, o), append(names, name)
	}
	if err := r.parents(a.spec, shown); err != nil {
		return nil, err
	}
	return bucketList(shown, names, a.body.keyed), nil
}

// head is the name of a range, and its ends.
func (a *ranges) head(b *boundRange) (string, object) {
	o := object{}
	from, to := "*", "*"
	if a.body.kind == "ip_range" {
		if b.fromIP != nil {
			from = shownIP(string(b.fromIP))
			o = append(o, field{"from", from})
		}
		if b.toIP != nil {
			to = shownIP(string(b.toIP))
			o = append(o, field{"to", to})
		}
		name := from + "-" + to
		if mask := a.body.ranges[b.position].mask; mask != "" {
			name = mask
		}
		if key := a.body.ranges[b.position].key; key != "" {
			name = key
		}
		return name, o
	}
	show := a.part.values.show
	if a.body.kind == "date_range" && (show == nil || show.typ != "date") {
		show = &valueFormat{typ: "date", zone: a.body.zone}
	}
	for _, end := range []struct {
		name string
		v    float64
		text *string
	}{{"from", b.from, &from}, {"to", b.to, &to}} {
		if math.IsInf(end.v, 0) {
			continue
		}
		o = append(o, field{end.name, end.v})
		*end.text = javaFloat(end.v, 64)
		if text := show.double(end.v); text != "" {
			o = append(o, field{end.name + "_as_string", text})
			*end.text = text
		}
	}
	name := from + "-" + to
	if key := a.body.ranges[b.position].key; key != "" {
		name = key
	}
	return name, o
}
