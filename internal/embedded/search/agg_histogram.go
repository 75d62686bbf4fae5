package search

import (
	"cmp"
	"math"
	"slices"
)

// histogramBody groups documents by intervals of numbers or of time.
type histogramBody struct {
	valueSource
	kind     string
	interval float64
	offset   float64
	rounding rounding // of date_histogram
	least    int64
	keyed    bool
	orders   []bucketOrder
	extended *bounds
	hard     *bounds
}

// bounds are the ends of a histogram, nil for open ones.
type bounds struct{ min, max *node }

func parseBounds(kind, name string, v *node) (*bounds, *apiError) {
	if v.kind != kindObject {
		return nil, wrongToken(kind, name, v)
	}
	b := &bounds{}
	take := func(into **node) func(v *node) *apiError {
		return func(v *node) *apiError {
			if v.kind != kindNull {
				*into = v
			}
			return nil
		}
	}
	if kind == "date_histogram" {
		return b, params{"min": take(&b.min), "max": take(&b.max)}.parse("bounds", v)
	}
	number := func(into **node) func(v *node) *apiError {
		return func(v *node) *apiError {
			if v.kind == kindNull {
				return nil
			}
			*into = v
			_, err := number64(v)
			if err != nil || b.min == nil || b.max == nil {
				return err
			}
			return b.inOrder()
		}
	}
	return b, params{"min": number(&b.min), "max": number(&b.max)}.parse("double_bounds", v)
}

// inOrder reports numbers that are the wrong way round.
func (b *bounds) inOrder() *apiError {
	low, err := number64(b.min)
	if err != nil {
		return err
	}
	high, err := number64(b.max)
	if err != nil || low < high {
		return err
	}
	failed := illegalArgument("Cannot instantiate an object of org.elasticsearch.search.aggregations.bucket.histogram.DoubleBounds")
	failed.cause = &apiError{typ: "invocation_target_exception", noReason: true}
	failed.cause.cause = illegalArgument("max bound [%s] must be greater than min bound [%s]", javaFloat(high, 64), javaFloat(low, 64))
	return unbuilt("double_bounds", failed)
}

func (b *histogramBody) common(spec *aggSpec) params {
	return b.params(spec.kind).with(params{
		"keyed": func(v *node) *apiError { b.keyed = v.kind == kindTrue; return nil },
		"min_doc_count": func(v *node) *apiError {
			f, err := number64(v)
			if err == nil && f < 0 {
				err = illegalArgument("[minDocCount] must be greater than or equal to 0. Found [%d] in [%s]", int64(f), spec.name)
			}
			b.least = int64(f)
			return err
		},
		"order": func(v *node) (err *apiError) { b.orders, err = parseOrder(spec.kind, v); return err },
		"extended_bounds": func(v *node) (err *apiError) {
			b.extended, err = parseBounds(spec.kind, "extended_bounds", v)
			return err
		},
		"hard_bounds": func(v *node) (err *apiError) { b.hard, err = parseBounds(spec.kind, "hard_bounds", v); return err },
	})
}

func parseHistogram(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &histogramBody{kind: spec.kind, orders: []bucketOrder{{path: "_key"}}}
	p := b.common(spec)
	delete(p, "time_zone")
	p["interval"] = func(v *node) (err *apiError) {
		if b.interval, err = number64(v); err == nil && !(b.interval > 0) {
			err = illegalArgument("[interval] must be >0 for histogram aggregation [%s]", spec.name)
		}
		return err
	}
	p["offset"] = func(v *node) (err *apiError) { b.offset, err = number64(v); return err }
	if err := p.parse(spec.kind, n); err != nil {
		return nil, err
	}
	return b, b.require()
}

func parseDateHistogram(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &histogramBody{kind: spec.kind, orders: []bucketOrder{{path: "_key"}}}
	p := b.common(spec).with(b.rounding.params())
	if err := p.parse(spec.kind, n); err != nil {
		return nil, err
	}
	b.rounding.zone = b.zone
	return b, b.require()
}

// params are those of an interval of time.
func (r *rounding) params() params {
	one := func(name, other string) *apiError {
		if r.unit != 0 || r.fixed != 0 {
			return illegalArgument("Cannot use [%s] with [%s] configuration option.", name, other)
		}
		return nil
	}
	return params{
		"calendar_interval": func(v *node) (err *apiError) {
			if err = one("calendar_interval", "fixed_interval"); err == nil {
				r.unit, err = parseCalendarInterval(v.text)
			}
			return err
		},
		"fixed_interval": func(v *node) (err *apiError) {
			if err = one("fixed_interval", "calendar_interval"); err == nil {
				r.fixed, err = parseFixedInterval(v.text)
			}
			return err
		},
		"offset": func(v *node) (err *apiError) { r.offset, err = parseOffset(v.text); return err },
	}
}

// histogramPart is what a histogram has of an index.
type histogramPart struct {
	values     *fieldValues
	low, high  float64 // hard bounds
	from, upTo float64 // extended bounds, NaN for none
	cut        map[*segmentColumn]*columnEdges
}

// edges cuts a column into the intervals of the histogram, nil when there are too
// many.
func (h *histogramPart) edges(b *histogramBody, c *segmentColumn) *columnEdges {
	if e, done := h.cut[c]; done {
		return e
	}
	v := h.values
	key := func(raw int64) float64 { return b.key(v.double(raw)) }
	if v.m != nil && v.m.typ == "boolean" {
		h.cut[c] = nil
		return nil
	}
	e := edgesOf(c, key, func(key float64) uint32 { return c.from(v.raised(key)) }, b.next)
	h.cut[c] = e
	return e
}

// inside reports whether an interval lies within the hard bounds.
func (h *histogramPart) inside(key float64) bool { return key >= h.low && key < h.high }

func (b *histogramBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	v, err := p.x.values(&b.valueSource)
	if err != nil {
		return nil, err
	}
	if v.kind == termValues || v.m != nil && (v.m.typ == "geo_point" || b.kind == "date_histogram" && v.m.typ != "date" && v.kind != longValues) {
		return nil, unsuited(v.m, b.kind)
	}
	switch {
	case b.kind == "histogram" && b.interval == 0:
		return nil, illegalArgument("interval must be positive, got: 0.0")
	case b.kind == "date_histogram" && b.rounding.unit == 0 && b.rounding.fixed == 0:
		return nil, illegalArgument("Invalid interval specified, must be non-null and non-empty")
	case b.rounding.fixed < 0:
		return nil, illegalArgument("Zero or negative time interval not supported")
	}
	if err := checkOrders(b.orders, spec); err != nil {
		return nil, err
	}
	h := &histogramPart{values: v, low: math.Inf(-1), high: math.Inf(1), from: math.NaN(), upTo: math.NaN(), cut: map[*segmentColumn]*columnEdges{}}
	for _, s := range []struct {
		given    *bounds
		min, max *float64
	}{{b.hard, &h.low, &h.high}, {b.extended, &h.from, &h.upTo}} {
		if s.given == nil {
			continue
		}
		if err := v.readEnd(p.x, s.given.min, b.kind == "date_histogram", b.zone, s.min); err != nil {
			return nil, err
		}
		if err := v.readEnd(p.x, s.given.max, b.kind == "date_histogram", b.zone, s.max); err != nil {
			return nil, err
		}
		if *s.min > *s.max {
			return nil, illegalArgument("[extended_bounds.min][%s] cannot be greater than [extended_bounds.max][%s] for histogram aggregation [%s]", javaFloat(*s.min, 64), javaFloat(*s.max, 64), spec.name)
		}
		if s.given == b.hard && b.kind == "date_histogram" { // whole intervals count
			for _, end := range []*float64{s.min, s.max} {
				if !math.IsInf(*end, 0) {
					*end = b.key(*end)
				}
			}
		}
	}
	return h, nil
}

func (b *histogramBody) start(spec *aggSpec) aggregator {
	return &histogram{spec: spec, body: b, buckets: map[float64]*keyedBucket{}, from: math.NaN(), upTo: math.NaN()}
}

// key is the beginning of a value's interval.
func (b *histogramBody) key(v float64) float64 {
	if b.kind == "date_histogram" {
		return float64(b.rounding.round(int64(v)))
	}
	return math.Floor((v-b.offset)/b.interval)*b.interval + b.offset
}

func (b *histogramBody) next(key float64) float64 {
	if b.kind == "date_histogram" {
		return float64(b.rounding.next(int64(key)))
	}
	return b.key(key + b.interval*1.5)
}

// histogram has a bucket per interval.
type histogram struct {
	spec       *aggSpec
	body       *histogramBody
	show       *valueFormat
	buckets    map[float64]*keyedBucket
	from, upTo float64
}

// bucket gives the bucket of an interval, and makes it when there is none.
func (h *histogram) bucket(key float64) *keyedBucket {
	b := h.buckets[key]
	if b == nil {
		b = &keyedBucket{raw: sortableDouble(key)}
		h.buckets[key] = b
	}
	return b
}

func (h *histogram) collect(p *aggPart, b *batch) error {
	part := p.bound[h.spec.slot].(*histogramPart)
	c, ordinals, err := part.values.ordinals(b)
	if err != nil {
		return err
	}
	var edges *columnEdges
	if c != nil {
		edges = part.edges(h.body, c)
	}
	if edges == nil {
		return b.each(func(one *batch, doc uint64) error { return h.collectOne(p, part, one, doc) })
	}
	g := &p.groups[h.spec.slot]
	if v := part.values; v.missing {
		if key := h.body.key(v.double(v.number)); part.inside(key) {
			err := g.only(b, func(i int) bool { return ordinals[i] == 0 }, func(b *batch) error {
				return h.bucket(key).collect(p, h.spec, b)
			})
			if err != nil {
				return err
			}
		}
	}
	intervals, top := edges.of(ordinals), uint32(len(edges.keys))
	if len(h.spec.subs) == 0 {
		g.count(intervals, top, func(i uint32, n int) {
			if key := edges.keys[i-1]; part.inside(key) {
				h.bucket(key).count += int64(n)
			}
		})
		return nil
	}
	return g.split(b, intervals, top, func(i uint32, b *batch) error {
		if key := edges.keys[i-1]; part.inside(key) {
			return h.bucket(key).collect(p, h.spec, b)
		}
		return nil
	})
}

func (h *histogram) collectWhole(p *aggPart, segment int) (bool, error) {
	if len(h.spec.subs) > 0 {
		return false, nil
	}
	part := p.bound[h.spec.slot].(*histogramPart)
	c, err := part.values.whole(segment)
	if err != nil || c == nil {
		return false, err
	}
	edges := part.edges(h.body, c)
	if edges == nil {
		return false, nil
	}
	counts := c.histogram()
	for i, key := range edges.keys {
		n := int64(0)
		from, to := edges.bounds(i + 1)
		for _, count := range counts[from:to] {
			n += int64(count)
		}
		if n > 0 && part.inside(key) {
			h.bucket(key).count += n
		}
	}
	return true, nil
}

// collectOne takes in a document that may have several values.
func (h *histogram) collectOne(p *aggPart, part *histogramPart, one *batch, doc uint64) error {
	list, err := part.values.numbers(doc)
	if err != nil {
		return err
	}
	if len(list) > 1 && len(h.spec.subs) > 0 {
		list = slices.Clone(list)
	}
	previous := math.NaN()
	for _, raw := range list {
		key := h.body.key(part.values.double(raw))
		if !part.inside(key) || key == previous {
			continue
		}
		previous = key
		if err := h.bucket(key).collect(p, h.spec, one); err != nil {
			return err
		}
	}
	return nil
}

func (h *histogram) flush(p *aggPart) error {
	part := p.bound[h.spec.slot].(*histogramPart)
	if h.show == nil || h.show.typ == "unmapped" {
		h.show = part.values.show
	}
	if !math.IsNaN(part.from) {
		h.from = part.from
	}
	if !math.IsNaN(part.upTo) {
		h.upTo = part.upTo
	}
	for _, b := range h.buckets {
		if err := flushAll(p, b.subs); err != nil {
			return err
		}
	}
	return nil
}

func (h *histogram) metric(string) (float64, bool) { return 0, false }
func (h *histogram) typed() string                 { return h.body.kind }

// ordered gives the buckets by their keys, with those between that have no
// documents when they are shown.
func (h *histogram) ordered() ([]*keyedBucket, *apiError) {
	list := make([]*keyedBucket, 0, len(h.buckets))
	for _, b := range h.buckets {
		if b.count >= h.body.least {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b *keyedBucket) int { return cmp.Compare(a.raw, b.raw) })
	if h.body.least > 0 {
		return list, nil
	}
	first, last := math.NaN(), math.NaN()
	if len(list) > 0 {
		first, last = doubleOf(list[0].raw), doubleOf(list[len(list)-1].raw)
	}
	if !math.IsNaN(h.from) {
		if from := h.body.key(h.from); !(first < from) {
			first = from
		}
	}
	if !math.IsNaN(h.upTo) {
		if upTo := h.body.key(h.upTo); !(last > upTo) {
			last = upTo
		}
	}
	if math.IsNaN(first) {
		return list, nil
	}
	if math.IsNaN(last) {
		last = first
	}
	var filled []*keyedBucket
	for key := first; key <= last; key = h.body.next(key) {
		b := h.buckets[key]
		if b == nil {
			b = &keyedBucket{raw: sortableDouble(key)}
		}
		if filled = append(filled, b); len(filled) > maxBuckets {
			return nil, atTheEnd((&aggResult{}).count(len(filled)))
		}
	}
	return filled, nil
}

func (h *histogram) result(r *aggResult) (object, error) {
	list, apiErr := h.ordered()
	if apiErr != nil {
		return nil, apiErr
	}
	if o := h.body.orders; len(o) != 1 || o[0].path != "_key" || o[0].desc {
		if err := sortBuckets(list, o, h.spec); err != nil {
			return nil, err
		}
	}
	if err := r.count(len(list)); err != nil {
		return nil, err
	}
	shown, names := []any{}, []string{}
	for _, b := range list {
		o, name := h.head(doubleOf(b.raw))
		o, err := b.render(r, h.spec, append(o, field{"doc_count", b.count}))
		if err != nil {
			return nil, err
		}
		shown, names = append(shown, o), append(names, name)
	}
	if err := r.parents(h.spec, shown); err != nil {
		return nil, err
	}
	return bucketList(shown, names, h.body.keyed), nil
}

// head is what a bucket shows of its key, and its name where buckets have names.
func (h *histogram) head(key float64) (object, string) {
	if h.body.kind == "date_histogram" {
		show := h.show
		if show == nil || show.typ != "date" {
			show = &valueFormat{typ: "date", zone: h.body.zone}
		}
		text := show.dateText(int64(key))
		return object{{"key_as_string", text}, {"key", int64(key)}}, text
	}
	if h.show != nil && h.show.number != nil {
		text := h.show.number.format(key)
		return object{{"key_as_string", text}, {"key", key}}, text
	}
	return object{{"key", key}}, javaFloat(key, 64)
}

// floorTo is the beginning of the interval that a number lies in.
func floorTo(v, interval float64) float64 { return math.Floor(v/interval) * interval }
