package search

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	index_api "github.com/blevesearch/bleve_index_api"
)

// defaultExpansions bounds the terms that a prefix at the end of a phrase, or a
// misspelt word, stands for unless max_expansions says otherwise.
const defaultExpansions = 50

// query finds documents. It is parsed once and built for every index.
type query interface {
	build(x *execution) (iterator, error)
}

// execution is one query on one snapshot of an index.
type execution struct {
	ctx     context.Context
	ix      *index
	mapping *mapping
	snap    *snapshot
	now     time.Time
	within  string            // the nested field whose objects are the documents, empty for whole documents
	query   query             // what is searched for, where hits tell about it
	counts  map[string]uint64 // documents that have a field
}

func newExecution(ctx context.Context, ix *index, snap *snapshot, now time.Time) *execution {
	return &execution{ctx: ctx, ix: ix, mapping: ix.definition().mapping, snap: snap, now: now, counts: map[string]uint64{}}
}

// postings reads those of a term.
func (x *execution) postings(path, term string, scored, vectors bool) (index_api.TermFieldReader, error) {
	return x.snap.reader.TermFieldReader(x.ctx, []byte(term), path, scored, scored, vectors)
}

// having counts the documents that have a field.
func (x *execution) having(path string) (uint64, error) {
	if n, ok := x.counts[path]; ok {
		return n, nil
	}
	n, err := x.countPresent(path)
	x.counts[path] = n
	return n, err
}

// term makes the iterator of a term, with scores.
func (x *execution) term(m *mapping, term string, boost float32) (*termIterator, error) {
	text := m.typ == "text"
	r, err := x.postings(m.path, term, text, false)
	if err != nil {
		return nil, err
	}
	all, err := x.having(m.path)
	if err != nil {
		return nil, err
	}
	avg := x.ix.averageValues(m.path, all)
	if text {
		avg = x.ix.averageLength(m.path, all)
	}
	return &termIterator{postings: r, scorer: newBM25(boost, inverseFrequency(all, r.Count()), text, avg)}, nil
}

// constant makes the iterator of a term of a field without lengths, where all
// matches have the same score.
func (x *execution) constant(m *mapping, term string, boost float32) (iterator, error) {
	docs, err := x.termDocs(m.path, term)
	if err != nil {
		return nil, err
	}
	all, err := x.having(m.path)
	scorer := newBM25(boost, inverseFrequency(all, docs.GetCardinality()), false, x.ix.averageValues(m.path, all))
	return newBitmapIterator(docs, scorer.score(1, 0)), err
}

// expand calls f with the terms of a field between two, in order, until f says
// stop. An empty end is open.
func (x *execution) expand(path, from, to string, f func(term string) (bool, error)) (err error) {
	var dict index_api.FieldDict
	if to == "" && from == "" {
		dict, err = x.snap.reader.FieldDict(path)
	} else {
		var end []byte
		if to != "" {
			end = []byte(to)
		}
		dict, err = x.snap.reader.FieldDictRange(path, []byte(from), end)
	}
	if err != nil {
		return err
	}
	for {
		entry, err := dict.Next()
		if err != nil || entry == nil {
			return joinClose(err, dict.Close)
		}
		more, err := f(entry.Term)
		if err != nil || !more {
			return joinClose(err, dict.Close)
		}
	}
}

func joinClose(err error, closeIt func() error) error {
	if closeErr := closeIt(); err == nil {
		err = closeErr
	}
	return err
}

// matchAllQuery has every document.
type matchAllQuery struct{ boost float32 }

func (q matchAllQuery) build(x *execution) (iterator, error) {
	docs, err := x.live()
	return newBitmapIterator(docs, q.boost), err
}

// matchNoneQuery has no document.
type matchNoneQuery struct{}

func (matchNoneQuery) build(*execution) (iterator, error) { return noneIterator{}, nil }

// unparsable is what a query with a value that doesn't fit the field is told.
func unparsable(x *execution, text string) *apiError {
	e := queryShard(x.ix, "failed to create query: For input string: \"%s\"", text)
	e.cause = newError(0, "number_format_exception", "For input string: \"%s\"", text)
	return e
}

// defaultTermsCount bounds the terms of a query, as index.max_terms_count has it.
const defaultTermsCount = 65536

// termsQuery has the documents with one of some exact values.
type termsQuery struct {
	field  string
	values []string
	fold   bool // case_insensitive
	one    bool // scored, as a single term is
	boost  float32
}

func (q *termsQuery) build(x *execution) (iterator, error) {
	if most := x.ix.definition().settings.number("max_terms_count", defaultTermsCount); len(q.values) > most {
		return nil, queryShard(x.ix, "failed to create query: The number of terms [%d] used in the Terms Query request has exceeded the allowed maximum of [%d]. This maximum can be set by changing the [index.max_terms_count] index level setting.", len(q.values), most)
	}
	if q.field == "_id" {
		return (&idsQuery{q.values, q.boost}).build(x)
	}
	if q.field == "_index" {
		if slices.ContainsFunc(q.values, func(p string) bool { return matchSimple(p, x.ix.name) }) {
			return matchAllQuery{q.boost}.build(x)
		}
		return noneIterator{}, nil
	}
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ == "object" || m.typ == "nested" {
		return noneIterator{}, nil
	}
	if err := searchable(x, m); err != nil {
		return nil, err
	}
	if q.fold {
		if m.typ != "keyword" && m.typ != "text" {
			return nil, queryShard(x.ix, "[%s] field which is of type [%s], does not support case insensitive term queries", m.path, m.typ)
		}
		value := []byte(q.values[0])
		docs, err := x.matching(m, &termForm{name: "equal " + q.values[0], fits: func(t []byte) bool { return bytes.EqualFold(t, value) }})
		return newBitmapIterator(docs, q.boost), err
	}
	if it, err := q.single(x, m); it != nil || err != nil {
		return it, err
	}
	docs := x.newDocSet()
	for _, v := range q.values {
		if err := q.collect(x, m, v, docs); err != nil {
			return nil, err
		}
	}
	return newBitmapIterator(docs.whole(), q.boost), nil
}

// unscored is the query without the scores of a single term.
func (q *termsQuery) unscored() *termsQuery {
	if !q.one {
		return q
	}
	plain := *q
	plain.one = false
	return &plain
}

// single makes the iterator of one scored term, nil when there is no such thing.
func (q *termsQuery) single(x *execution, m *mapping) (iterator, error) {
	if !q.one || !m.indexed || len(q.values) != 1 {
		return nil, nil
	}
	switch m.typ {
	case "keyword", "text", "boolean", "flattened":
		term, err := exactText(x, m, q.values[0])
		if err != nil {
			return nil, err
		}
		if m.typ != "text" {
			return x.constant(m, term, q.boost)
		}
		return x.term(m, term, q.boost)
	}
	return nil, nil
}

// collect adds the documents with a value to a set.
func (q *termsQuery) collect(x *execution, m *mapping, v string, docs *docSet) error {
	switch m.typ {
	case "date":
		from, err := m.format.parseMath(v, false, x.now)
		if err != nil {
			return err
		}
		to, err := m.format.parseMath(v, true, x.now)
		if err != nil {
			return err
		}
		found, rangeErr := x.rangeOf(m, from, to)
		docs.more = append(docs.more, found)
		return rangeErr
	case "ip":
		return collectIP(docs, m, v)
	case "keyword", "text", "boolean", "flattened":
		term, err := exactText(x, m, v)
		if err != nil {
			return err
		}
		return docs.term(m.path, term)
	}
	sortable, possible, err := exactNumber(x, m, v)
	if err != nil {
		return err
	}
	if !possible {
		return nil
	}
	return docs.term(m.path, exactTerm(sortable))
}

// searchable reports a field that can't be searched.
func searchable(x *execution, m *mapping) *apiError {
	if m.typ == "binary" {
		return queryShard(x.ix, "Binary fields do not support searching")
	}
	if !m.indexed && !m.docValues {
		e := queryShard(x.ix, "failed to create query: Cannot search on field [%s] since it is not indexed.", m.path)
		if m.typ != "text" {
			e.reason = fmt.Sprintf("failed to create query: Cannot search on field [%s] since it is not indexed nor has doc values.", m.path)
		}
		e.cause = illegalArgument("%s", strings.TrimPrefix(e.reason, "failed to create query: "))
		return e
	}
	return nil
}

// exactText is the term of a value of a keyword, text or boolean field.
func exactText(x *execution, m *mapping, v string) (string, *apiError) {
	if m.typ == "ip" {
		term, err := ipTerm(v)
		if err != nil {
			return "", noAddress(x, err)
		}
		return term, nil
	}
	if m.typ != "boolean" {
		return v, nil
	}
	switch v {
	case "true":
		return "T", nil
	case "false", "":
		return "F", nil
	}
	e := queryShard(x.ix, "failed to create query: Can't parse boolean value [%s], expected [true] or [false]", v)
	e.cause = illegalArgument("Can't parse boolean value [%s], expected [true] or [false]", v)
	return "", e
}

// exactNumber is the sortable form of a value of a numeric field; one that the
// field can't have is not possible.
func exactNumber(x *execution, m *mapping, v string) (sortable int64, possible bool, _ *apiError) {
	f, err := strconv.ParseFloat(v, 64)
	if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, false, unparsable(x, v)
	}
	bounds, whole := integerTypes[m.typ]
	if !whole {
		if m.typ == "float" {
			f = float64(float32(f))
		}
		return sortableDouble(f), true, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		if f != math.Trunc(f) || math.Abs(f) >= math.MaxInt64 {
			return 0, false, nil
		}
		n = int64(f)
	}
	return n, n >= bounds.min && n <= bounds.max, nil
}

// idsQuery has the documents of some ids.
type idsQuery struct {
	values []string
	boost  float32
}

func (q *idsQuery) build(x *execution) (iterator, error) {
	docs := roaring.New()
	for _, id := range q.values {
		internal, err := x.snap.reader.InternalID(id)
		if err != nil {
			return nil, err
		}
		if internal != nil {
			docs.Add(uint32(internal.Value()))
		}
	}
	return newBitmapIterator(docs, q.boost), nil
}

// existsQuery has the documents with a value of a field.
type existsQuery struct {
	field string
	boost float32
}

func (q *existsQuery) build(x *execution) (iterator, error) {
	switch q.field {
	case "_id", "_index", "_seq_no", "_source", "_version":
		return matchAllQuery{q.boost}.build(x)
	}
	docs := x.newDocSet()
	for _, m := range x.fields(q.field) {
		var err error
		m.leaves(func(leaf *mapping) {
			if err == nil && leaf.typ != "alias" {
				err = docs.present(leaf.path)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return newBitmapIterator(docs.whole(), q.boost), nil
}

// fields finds the fields that a name or pattern means.
func (x *execution) fields(pattern string) []*mapping {
	if !strings.Contains(pattern, "*") {
		if m := x.mapping.lookup(pattern); m != nil {
			return []*mapping{m}
		}
		return nil
	}
	var found []*mapping
	x.mapping.leaves(func(m *mapping) {
		if matchSimple(pattern, m.path) {
			found = append(found, m)
		}
	})
	return found
}

// boolQuery combines others.
type boolQuery struct {
	must, filter, should, mustNot []query
	minimum                       string
	boost                         float32
}

func (q *boolQuery) build(x *execution) (iterator, error) {
	if len(q.must)+len(q.filter)+len(q.should)+len(q.mustNot) == 0 {
		return matchAllQuery{q.boost}.build(x)
	}
	it := &boolIterator{boost: q.boost}
	for _, g := range []struct {
		queries []query
		into    *[]iterator
	}{{q.must, &it.required}, {q.filter, &it.filters}, {q.should, &it.optional}, {q.mustNot, &it.excluded}} {
		for _, sub := range g.queries {
			built, err := sub.build(x)
			if err != nil {
				return nil, joinClose(err, it.close)
			}
			*g.into = append(*g.into, built)
		}
	}
	if len(q.must)+len(q.filter) == 0 {
		it.minimum = 1
		if len(q.should) == 0 {
			it.minimum = 0
			all, err := matchAllQuery{1}.build(x)
			if err != nil {
				return nil, joinClose(err, it.close)
			}
			it.filters = append(it.filters, all)
		}
	}
	if q.minimum != "" {
		n, err := minimumOf(q.minimum, len(q.should))
		if err != nil {
			return nil, joinClose(err, it.close)
		}
		it.minimum = n
		if n == 0 && len(it.required)+len(it.filters) == 0 {
			all, err := matchAllQuery{1}.build(x)
			if err != nil {
				return nil, joinClose(err, it.close)
			}
			it.filters = append(it.filters, all)
		}
	}
	return it, nil
}

// minimumOf reads a minimum_should_match for a number of clauses.
func minimumOf(text string, clauses int) (int, error) {
	if strings.Contains(text, "<") {
		n := clauses
		for rule := range strings.FieldsSeq(text) {
			limit, value, _ := strings.Cut(rule, "<")
			l, err := strconv.Atoi(limit)
			if err != nil {
				return 0, illegalArgument("For input string: \"%s\"", text)
			}
			if clauses <= l {
				break
			}
			if n, err = minimumOf(value, clauses); err != nil {
				return 0, err
			}
		}
		return n, nil
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.Atoi(number)
	if err != nil {
		e := newError(400, "number_format_exception", "For input string: \"%s\"", text)
		return 0, e
	}
	if percent {
		v = clauses * v / 100
	}
	if v < 0 {
		v += clauses
	}
	return max(0, v), nil
}

// constantQuery gives all matches one score.
type constantQuery struct {
	inner query
	boost float32
}

func (q *constantQuery) build(x *execution) (iterator, error) {
	it, err := q.inner.build(x)
	if err != nil {
		return nil, err
	}
	return constantIterator{it, q.boost}, nil
}

// disMaxQuery takes the best score of several.
type disMaxQuery struct {
	queries []query
	tie     float32
	boost   float32
}

func (q *disMaxQuery) build(x *execution) (iterator, error) {
	it := &disMaxIterator{tie: q.tie}
	it.boost, it.minimum = q.boost, 1
	for _, sub := range q.queries {
		built, err := sub.build(x)
		if err != nil {
			return nil, joinClose(err, it.close)
		}
		it.optional = append(it.optional, built)
	}
	return it, nil
}

// boostingQuery lowers the score of what also matches another.
type boostingQuery struct {
	positive, negative query
	factor, boost      float32
}

func (q *boostingQuery) build(x *execution) (iterator, error) {
	positive, err := q.positive.build(x)
	if err != nil {
		return nil, err
	}
	negative, err := q.negative.build(x)
	if err != nil {
		return nil, joinClose(err, positive.close)
	}
	return &boostingIterator{iterator: positive, negative: negative, factor: q.factor, boost: q.boost}, nil
}

type boostingIterator struct {
	iterator
	negative      iterator
	factor, boost float32
	doc           uint64
}

func (it *boostingIterator) advance(target uint64) (uint64, error) {
	doc, err := it.iterator.advance(target)
	it.doc = doc
	if err == nil && doc != noDoc {
		_, err = it.negative.advance(doc)
	}
	return doc, err
}

func (it *boostingIterator) score() float32 {
	s := it.iterator.score() * it.boost
	if at, err := it.negative.advance(it.doc); err == nil && at == it.doc {
		s *= it.factor
	}
	return s
}

func (it *boostingIterator) close() error {
	return joinClose(it.iterator.close(), it.negative.close)
}

// weights splits "field^2" into its parts.
func weights(fields []string) (map[string]float32, []string) {
	boosts := map[string]float32{}
	var ordered []string
	for _, f := range fields {
		name, boost, has := strings.Cut(f, "^")
		w := float32(1)
		if has {
			if v, err := strconv.ParseFloat(boost, 32); err == nil {
				w = float32(v)
			}
		}
		if _, seen := boosts[name]; !seen {
			ordered = append(ordered, name)
		}
		boosts[name] = w
	}
	return boosts, ordered
}

// weightedField is a field of a query on several, and how much it counts.
type weightedField struct {
	path  string
	boost float32
}

// weightedFields finds the fields that a query on several names; one that names none
// looks at all, and passes over those that its value doesn't fit.
func (x *execution) weightedFields(given []string, lenient bool) (list []weightedField, _ bool) {
	if len(given) == 0 || len(given) == 1 && given[0] == "*" {
		given, lenient = x.allFields(), true
	}
	boosts, ordered := weights(given)
	for _, pattern := range ordered {
		if !strings.Contains(pattern, "*") {
			list = append(list, weightedField{pattern, boosts[pattern]})
			continue
		}
		for _, m := range x.fields(pattern) {
			list = append(list, weightedField{m.path, boosts[pattern]})
		}
	}
	return list, lenient
}

// allFields are those that a query without fields looks at.
func (x *execution) allFields() []string {
	found := map[string]bool{}
	x.mapping.leaves(func(m *mapping) {
		if m.indexed && m.typ != "alias" {
			found[m.path] = true
		}
	})
	return slices.Sorted(maps.Keys(found))
}
