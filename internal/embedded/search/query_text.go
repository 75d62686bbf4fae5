package search

import "strings"

// matchQuery analyzes a text and looks for its terms.
type matchQuery struct {
	field    string
	text     string
	and      bool
	minimum  string
	lenient  bool
	zeroAll  bool // zero_terms_query: all
	distance *int // fuzziness
	prefix   int
	most     int // max_expansions
	boost    float32
}

func (q *matchQuery) build(x *execution) (iterator, error) { return built(x, q) }

func (q *matchQuery) rewrite(x *execution) (query, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ != "text" {
		var one query = &termsQuery{field: q.field, values: []string{q.text}, one: true, boost: q.boost}
		if q.lenient {
			one = &lenientQuery{one}
		}
		return one, nil
	}
	if err := searchable(x, m); err != nil {
		return nil, err
	}
	tokens := analyzeText(q.text, 0)
	if len(tokens) == 0 {
		if q.zeroAll {
			return matchAllQuery{q.boost}, nil
		}
		return matchNoneQuery{}, nil
	}
	var clauses []query
	for _, t := range tokens {
		if q.distance != nil {
			clauses = append(clauses, &fuzzyQuery{field: q.field, value: t.text, distance: *q.distance, prefix: q.prefix, most: q.most, boost: q.boost})
		} else {
			clauses = append(clauses, &termsQuery{field: q.field, values: []string{t.text}, one: true, boost: q.boost})
		}
	}
	switch {
	case len(clauses) == 1:
		return clauses[0], nil
	case q.and:
		return &boolQuery{must: clauses, boost: 1}, nil
	default:
		return &boolQuery{should: clauses, minimum: q.minimum, boost: 1}, nil
	}
}

// phraseQuery looks for terms one after the other; the last one may be the
// beginning of a term.
type phraseQuery struct {
	field   string
	text    string
	prefix  bool
	lenient bool
	most    int // max_expansions
	boost   float32
}

func (q *phraseQuery) build(x *execution) (iterator, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ != "text" {
		if q.prefix && m != nil && m.typ == "keyword" {
			return (&patternQuery{kind: "prefix", field: q.field, value: q.text, boost: q.boost}).build(x)
		}
		return (&matchQuery{field: q.field, text: q.text, lenient: q.lenient, boost: q.boost}).build(x)
	}
	if err := searchable(x, m); err != nil {
		return nil, err
	}
	tokens := analyzeText(q.text, 0)
	switch {
	case len(tokens) == 0:
		return noneIterator{}, nil
	case len(tokens) == 1 && !q.prefix:
		return x.term(m, tokens[0].text, q.boost)
	}
	it := &phraseIterator{}
	all, err := x.having(m.path)
	if err != nil {
		return nil, err
	}
	idf := 0.0
	for i, t := range tokens {
		terms := []string{t.text}
		if q.prefix && i == len(tokens)-1 {
			if terms, err = x.beginning(m.path, t.text, max(1, expansions(q.most))); err != nil {
				return nil, joinClose(err, it.close)
			}
		}
		var place []*termIterator
		for _, term := range terms {
			r, err := x.postings(m.path, term, true, true)
			if err != nil {
				return nil, joinClose(err, it.close)
			}
			place = append(place, &termIterator{postings: r})
			idf += inverseFrequency(all, r.Count())
		}
		it.places = append(it.places, place)
	}
	it.scorer = newBM25(q.boost, idf, true, x.ix.averageLength(m.path, all))
	return it, nil
}

// expansions is how many terms an unfinished or misspelt word may stand for: what
// max_expansions says, 0 for nothing.
func expansions(most int) int {
	if most == 0 {
		return defaultExpansions
	}
	return most
}

// beginning gives the first terms of a field that begin with a text.
func (x *execution) beginning(path, prefix string, most int) ([]string, error) {
	var terms []string
	err := x.expand(path, prefix, "", func(term string) (bool, error) {
		if !strings.HasPrefix(term, prefix) {
			return false, nil
		}
		terms = append(terms, term)
		return len(terms) < most, nil
	})
	return terms, err
}

// multiMatchQuery looks into several fields.
type multiMatchQuery struct {
	fields []string // none: all
	kind   string   // best_fields, most_fields, phrase, phrase_prefix
	tie    float32
	match  matchQuery
}

func (q *multiMatchQuery) build(x *execution) (iterator, error) { return built(x, q) }

func (q *multiMatchQuery) rewrite(x *execution) (query, error) {
	subs := q.subs(x)
	switch {
	case len(subs) == 0:
		return matchNoneQuery{}, nil
	case len(subs) == 1:
		return subs[0], nil
	case q.kind == "most_fields":
		return &boolQuery{should: subs, boost: 1}, nil
	default:
		return &disMaxQuery{queries: subs, tie: q.tie, boost: 1}, nil
	}
}

// subs are the queries of the fields.
func (q *multiMatchQuery) subs(x *execution) []query {
	fields, lenient := x.weightedFields(q.fields, q.match.lenient)
	var subs []query
	for _, f := range fields {
		boost := q.match.boost * f.boost
		switch q.kind {
		case "phrase", "phrase_prefix":
			subs = append(subs, &phraseQuery{field: f.path, text: q.match.text, prefix: q.kind == "phrase_prefix", lenient: lenient, most: q.match.most, boost: boost})
		default:
			sub := q.match
			sub.field, sub.boost, sub.lenient = f.path, boost, lenient
			subs = append(subs, &sub)
		}
	}
	return subs
}
