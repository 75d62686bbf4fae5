package search

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
)

// termsBody groups documents by the values of a field.
type termsBody struct {
	valueSource
	kind      string
	size      int
	least     int64
	orders    []bucketOrder
	includes  *termFilter
	excludes  *termFilter
	showError bool
	most      int64 // rare_terms: max_doc_count
	base      query // significant_terms: background_filter
}

// termFilter chooses terms: a regular expression, a list, or a share of all.
type termFilter struct {
	pattern    *regexp.Regexp
	list       []string
	partition  uint32
	partitions uint32
}

func parseTermFilter(kind, name string, v *node) (*termFilter, *apiError) {
	f := &termFilter{}
	switch v.kind {
	case kindString:
		re, _, err := (&patternQuery{kind: "regexp"}).compile(v.text)
		if err != nil {
			return nil, illegalArgument("%s", err.Error())
		}
		f.pattern = re
	case kindArray:
		f.list = texts(v)
	case kindObject:
		part, all := v.get("partition"), v.get("num_partitions")
		if name != "include" || part == nil || all == nil {
			return nil, wrongToken(kind, name, v)
		}
		p, err1 := strconv.ParseUint(part.text, 10, 32)
		n, err2 := strconv.ParseUint(all.text, 10, 32)
		if err1 != nil || err2 != nil || n == 0 || p >= n {
			return nil, illegalArgument("The [partition] must be smaller than [num_partitions], both whole numbers: found [%s] and [%s]", part.text, all.text)
		}
		f.partition, f.partitions = uint32(p), uint32(n)
	default:
		return nil, wrongToken(kind, name, v)
	}
	return f, nil
}

func (f *termFilter) matches(text string) bool {
	switch {
	case f.pattern != nil:
		return f.pattern.MatchString(text)
	case f.partitions > 0:
		h := fnv.New32a()
		_, _ = h.Write([]byte(text))
		return h.Sum32()%f.partitions == f.partition
	}
	for _, t := range f.list {
		if t == text {
			return true
		}
		a, errA := strconv.ParseFloat(t, 64)
		b, errB := strconv.ParseFloat(text, 64)
		if errA == nil && errB == nil && a == b {
			return true
		}
	}
	return false
}

func (b *termsBody) parseParams(spec *aggSpec, n *node, more params) *apiError {
	positive := func(name string, into *int64, least int64) func(v *node) *apiError {
		return func(v *node) *apiError {
			text, _ := v.scalar()
			i, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return newError(400, "number_format_exception", "For input string: \"%s\"", text)
			}
			if i < least {
				if least == 0 {
					return illegalArgument("[%s] must be greater than or equal to 0. Found [%d] in [%s]", name, i, spec.name)
				}
				return illegalArgument("[%s] must be greater than 0. Found [%d] in [%s]", name, i, spec.name)
			}
			*into = i
			return nil
		}
	}
	size, unused := int64(b.size), int64(0)
	p := b.params(spec.kind).with(params{
		"size":                      positive("size", &size, 1),
		"shard_size":                positive("shardSize", &unused, 1),
		"min_doc_count":             positive("minDocCount", &b.least, 0),
		"shard_min_doc_count":       positive("shardMinDocCount", &unused, 0),
		"max_doc_count":             positive("maxDocCount", &b.most, 1),
		"execution_hint":            ignored,
		"collect_mode":              ignored,
		"show_term_doc_count_error": func(v *node) *apiError { b.showError = v.kind == kindTrue; return nil },
		"include":                   func(v *node) (err *apiError) { b.includes, err = parseTermFilter(spec.kind, "include", v); return err },
		"exclude":                   func(v *node) (err *apiError) { b.excludes, err = parseTermFilter(spec.kind, "exclude", v); return err },
		"order":                     func(v *node) (err *apiError) { b.orders, err = parseOrder(spec.kind, v); return err },
	})
	for name, read := range more {
		if read == nil {
			delete(p, name)
		} else {
			p[name] = read
		}
	}
	if err := p.parse(spec.kind, n); err != nil {
		return err
	}
	b.size = int(size)
	return b.require()
}

func parseTermsAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &termsBody{kind: spec.kind, size: defaultSize, least: 1, orders: []bucketOrder{{"_count", true}, {"_key", false}}}
	return b, b.parseParams(spec, n, params{"max_doc_count": nil})
}

func parseRareTerms(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &termsBody{kind: spec.kind, size: maxBuckets, least: 1, most: 1, orders: []bucketOrder{{"_count", false}, {"_key", false}}}
	return b, b.parseParams(spec, n, params{
		"precision": ignored, "size": nil, "shard_size": nil, "min_doc_count": nil, "shard_min_doc_count": nil, "order": nil,
		"collect_mode": nil, "execution_hint": nil, "show_term_doc_count_error": nil,
	})
}

func parseSignificant(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &termsBody{kind: spec.kind, size: defaultSize, least: 3}
	more := params{
		"jlh": ignored, "order": nil, "max_doc_count": nil, "show_term_doc_count_error": nil, "collect_mode": nil, "missing": nil,
		"background_filter": func(v *node) (err *apiError) { b.base, err = (&parseState{}).parseQuery(v); return err },
	}
	for _, name := range []string{"gnd", "chi_square", "mutual_information", "percentage", "script_heuristic", "p_value"} {
		more[name] = refusedParam("[" + name + "] of a significant_terms aggregation")
	}
	return b, b.parseParams(spec, n, more)
}

func (b *termsBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	v, err := p.x.values(&b.valueSource)
	if err != nil {
		return nil, err
	}
	if v.m != nil && v.m.typ == "geo_point" {
		return nil, unsuited(v.m, b.kind)
	}
	if err := checkOrders(b.orders, spec); err != nil {
		return nil, err
	}
	return v, nil
}

func (b *termsBody) start(spec *aggSpec) aggregator {
	return &terms{spec: spec, body: b, texts: map[string]*keyedBucket{}, numbers: map[int64]*keyedBucket{}}
}

// terms has a bucket per value.
type terms struct {
	spec    *aggSpec
	body    *termsBody
	kind    valueKind
	show    *valueFormat
	texts   map[string]*keyedBucket
	numbers map[int64]*keyedBucket
	parts   []*execution // significant_terms, and those that show empty buckets
	docs    int64
}

func (t *terms) see(v *fieldValues) {
	if t.show == nil || t.show.typ == "unmapped" {
		t.show, t.kind = v.show, v.kind
	}
}

// bucket gives the bucket of a value, and makes it when there is none.
func (t *terms) bucket(kind valueKind, raw int64, text string) *keyedBucket {
	if kind == termValues {
		b := t.texts[text]
		if b == nil {
			b = &keyedBucket{text: text}
			t.texts[text] = b
		}
		return b
	}
	b := t.numbers[raw]
	if b == nil {
		b = &keyedBucket{raw: raw}
		t.numbers[raw] = b
	}
	return b
}

// at gives the bucket of a column's value.
func (t *terms) at(v *fieldValues, c *segmentColumn, ordinal uint32) *keyedBucket {
	if v.kind == termValues {
		if b := t.texts[string(c.term(ordinal))]; b != nil { // without a copy of the text
			return b
		}
	}
	raw, text := v.keyOf(c, ordinal)
	return t.bucket(v.kind, raw, text)
}

func (t *terms) collect(p *aggPart, b *batch) error {
	v := p.bound[t.spec.slot].(*fieldValues)
	t.see(v)
	t.docs += int64(len(b.docs))
	c, ordinals, err := v.ordinals(b)
	if err != nil {
		return err
	}
	if c == nil {
		return b.each(func(one *batch, doc uint64) error { return t.collectOne(p, v, one, doc) })
	}
	g := &p.groups[t.spec.slot]
	if v.missing {
		err := g.only(b, func(i int) bool { return ordinals[i] == 0 }, func(b *batch) error {
			return t.bucket(v.kind, v.number, v.text).collect(p, t.spec, b)
		})
		if err != nil {
			return err
		}
	}
	if len(t.spec.subs) == 0 {
		g.count(ordinals, c.top, func(ordinal uint32, n int) { t.at(v, c, ordinal).count += int64(n) })
		return nil
	}
	return g.split(b, ordinals, c.top, func(ordinal uint32, b *batch) error {
		return t.at(v, c, ordinal).collect(p, t.spec, b)
	})
}

func (t *terms) collectWhole(p *aggPart, segment int) (bool, error) {
	if len(t.spec.subs) > 0 {
		return false, nil
	}
	v := p.bound[t.spec.slot].(*fieldValues)
	c, err := v.whole(segment)
	if err != nil || c == nil {
		return false, err
	}
	t.see(v)
	t.docs += int64(c.docs())
	for ordinal, n := range c.histogram() {
		if ordinal > 0 && n > 0 {
			t.at(v, c, uint32(ordinal)).count += int64(n)
		}
	}
	return true, nil
}

// collectOne takes in a document that may have several values.
func (t *terms) collectOne(p *aggPart, v *fieldValues, one *batch, doc uint64) error {
	if v.kind == termValues {
		list, err := v.texts(doc)
		if err != nil {
			return err
		}
		if len(t.spec.subs) > 0 { // the list is read again below
			list = slices.Clone(list)
		}
		for i, text := range list {
			if i > 0 && slices.Contains(list[:i], text) {
				continue
			}
			if err := t.bucket(v.kind, 0, text).collect(p, t.spec, one); err != nil {
				return err
			}
		}
		return nil
	}
	list, err := v.numbers(doc)
	if err != nil {
		return err
	}
	if len(t.spec.subs) > 0 {
		list = slices.Clone(list)
	}
	for i, raw := range list {
		if i > 0 && slices.Contains(list[:i], raw) {
			continue
		}
		if err := t.bucket(v.kind, raw, "").collect(p, t.spec, one); err != nil {
			return err
		}
	}
	return nil
}

func (t *terms) flush(p *aggPart) error {
	v := p.bound[t.spec.slot].(*fieldValues)
	t.see(v)
	t.parts = append(t.parts, p.x)
	if t.body.least == 0 && v.m != nil {
		if err := t.addEmpty(p.x, v); err != nil {
			return err
		}
	}
	for _, b := range t.texts {
		if err := t.flushBucket(p, b); err != nil {
			return err
		}
	}
	for _, b := range t.numbers {
		if err := t.flushBucket(p, b); err != nil {
			return err
		}
	}
	return nil
}

// flushBucket lets the aggregations of a bucket, also of an empty one that is shown,
// know of the end of an index.
func (t *terms) flushBucket(p *aggPart, b *keyedBucket) error {
	if b.subs == nil && t.body.least == 0 {
		b.subs = startAll(t.spec.subs)
	}
	return flushAll(p, b.subs)
}

// addEmpty makes buckets of the values that no document of the search has.
func (t *terms) addEmpty(x *execution, v *fieldValues) error {
	if v.missing {
		t.bucket(v.kind, v.number, v.text)
	}
	return x.expand(v.m.path, "", "", func(term string) (bool, error) {
		raw := int64(0)
		switch {
		case v.kind == termValues:
		case v.m.typ == "boolean":
			raw = booleanOf([]byte(term))
		default:
			raw = exactValue([]byte(term))
		}
		t.bucket(v.kind, raw, term)
		return true, x.ctx.Err()
	})
}

func (t *terms) metric(string) (float64, bool) { return 0, false }

func (t *terms) typed() string {
	prefix := map[valueKind]string{noValues: "s", longValues: "l", doubleValues: "d", termValues: "s"}[t.kind]
	switch t.body.kind {
	case "rare_terms":
		return prefix + "rareterms"
	case "significant_terms":
		if t.kind == noValues {
			return "umsigterms"
		}
		return "sig" + prefix + "terms"
	default:
		return prefix + "terms"
	}
}

// chosen gives the buckets that the filters leave, and the documents in all.
func (t *terms) chosen() (list []*keyedBucket, total int64) {
	take := func(b *keyedBucket) {
		if t.body.includes != nil || t.body.excludes != nil {
			shown, _ := t.shownKey(b)
			if t.body.includes != nil && !t.body.includes.matches(shown) || t.body.excludes != nil && t.body.excludes.matches(shown) {
				return
			}
		}
		if b.count < t.body.least || t.body.most > 0 && b.count > t.body.most {
			return
		}
		total += b.count
		list = append(list, b)
	}
	for _, b := range t.texts {
		take(b)
	}
	for _, b := range t.numbers {
		take(b)
	}
	return list, total
}

// shownKey is the text of a bucket's key, and the key.
func (t *terms) shownKey(b *keyedBucket) (string, any) {
	key, text := t.show.key(t.kind, b.raw, b.text)
	if text != "" {
		return text, key
	}
	switch k := key.(type) {
	case string:
		return k, key
	case int64:
		return strconv.FormatInt(k, 10), key
	case float64:
		return javaFloat(k, 64), key
	}
	return "", key
}

func (t *terms) result(r *aggResult) (object, error) {
	if t.body.kind == "significant_terms" {
		return t.significant(r)
	}
	list, total := t.chosen()
	if err := sortBuckets(list, t.body.orders, t.spec); err != nil {
		return nil, err
	}
	if len(list) > t.body.size {
		list = list[:t.body.size]
	}
	if err := r.count(len(list)); err != nil {
		return nil, err
	}
	shown := []any{}
	for _, b := range list {
		total -= b.count
		o := t.bucketHead(b)
		if t.body.showError {
			o = append(o, field{"doc_count_error_upper_bound", 0})
		}
		o, err := b.render(r, t.spec, o)
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
	}
	if err := r.parents(t.spec, shown); err != nil {
		return nil, err
	}
	if t.body.kind == "rare_terms" {
		return object{{"buckets", shown}}, nil
	}
	return object{{"doc_count_error_upper_bound", 0}, {"sum_other_doc_count", total}, {"buckets", shown}}, nil
}

func (t *terms) bucketHead(b *keyedBucket) object {
	key, text := t.show.key(t.kind, b.raw, b.text)
	o := object{{"key", key}}
	if text != "" {
		o = append(o, field{"key_as_string", text})
	}
	return append(o, field{"doc_count", b.count})
}

// significant compares how common values are in the matches and elsewhere, by
// the score JLH.
func (t *terms) significant(r *aggResult) (object, error) {
	superset := int64(0)
	background := map[*keyedBucket]int64{}
	list, _ := t.chosen()
	for _, x := range t.parts {
		base, err := x.base(t.body.base)
		if err != nil {
			return nil, err
		}
		superset += int64(base.GetCardinality())
		m := x.mapping.lookup(t.body.field)
		if m == nil {
			continue
		}
		for _, b := range list {
			term := b.text
			switch {
			case m.typ == "boolean":
				term = map[int64]string{0: "F", 1: "T"}[b.raw]
			case t.kind != termValues:
				term = exactTerm(b.raw)
			}
			docs, err := x.termDocs(m.path, term)
			if err != nil {
				return nil, err
			}
			background[b] += int64(base.AndCardinality(docs))
		}
	}
	scores := map[*keyedBucket]float64{}
	list = slices.DeleteFunc(list, func(b *keyedBucket) bool {
		inside, outside := float64(b.count)/float64(t.docs), float64(background[b])/float64(superset)
		if inside <= outside || outside == 0 {
			return true
		}
		scores[b] = (inside - outside) * (inside / outside)
		return false
	})
	slices.SortFunc(list, func(a, b *keyedBucket) int {
		if scores[a] != scores[b] {
			if scores[a] > scores[b] {
				return -1
			}
			return 1
		}
		return compareKeys(a, b)
	})
	if len(list) > t.body.size {
		list = list[:t.body.size]
	}
	if err := r.count(len(list)); err != nil {
		return nil, err
	}
	shown := []any{}
	for _, b := range list {
		o := append(t.bucketHead(b), field{"score", scores[b]}, field{"bg_count", background[b]})
		o, err := b.render(r, t.spec, o)
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
	}
	return object{{"doc_count", t.docs}, {"bg_count", superset}, {"buckets", shown}}, nil
}
