package search

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
)

// remember keeps the query, for what is told about hits.
func (x *execution) remember(q query) error {
	x.query = q
	return nil
}

// explain tells how the score of a document came about.
func (x *execution) explain(doc uint64, score float32) (object, error) {
	return x.explainQuery(x.query, doc, score)
}

func explanation(value any, description string, details ...any) object {
	if details == nil {
		details = []any{}
	}
	return object{{"value", value}, {"description", description}, {"details", details}}
}

// explainQuery tells how one query scores a document that it matches.
func (x *execution) explainQuery(q query, doc uint64, score float32) (object, error) {
	var subs []query
	how := "sum of:"
	switch q := q.(type) {
	case *termsQuery:
		if m := x.mapping.lookup(q.field); m != nil && q.field != "_id" {
			it, err := q.single(x, m)
			if err != nil {
				return nil, err
			}
			if it != nil {
				if err := it.close(); err != nil {
					return nil, err
				}
				term, apiErr := exactText(x, m, q.values[0])
				if apiErr != nil {
					return nil, apiErr
				}
				t, err := x.term(m, term, q.boost)
				if err != nil {
					return nil, err
				}
				return t.explain(x, m, q.values[0], q.boost, doc)
			}
		}
	case *matchQuery:
		if m := x.mapping.lookup(q.field); m == nil || m.typ != "text" {
			return x.explainQuery(&termsQuery{field: q.field, values: []string{q.text}, one: true, boost: q.boost}, doc, score)
		}
		for _, t := range analyzeText(q.text, 0) {
			subs = append(subs, &termsQuery{field: q.field, values: []string{t.text}, one: true, boost: q.boost})
		}
	case *boolQuery:
		subs = append(append(subs, q.must...), q.should...)
	case *disMaxQuery:
		subs, how = q.queries, "max of:"
		if q.tie > 0 {
			how = fmt.Sprintf("max plus %s times others of:", javaFloat(float64(q.tie), 32))
		}
	case *multiMatchQuery:
		subs, how = q.subs(x), "max of:"
	}
	details := []any{}
	for _, sub := range subs {
		it, err := sub.build(x)
		if err != nil {
			return nil, err
		}
		at, err := it.advance(doc)
		part := float32(0)
		if err == nil && at == doc {
			part = it.score()
		}
		if err = joinClose(err, it.close); err != nil {
			return nil, err
		}
		if at != doc {
			continue
		}
		one, err := x.explainQuery(sub, doc, part)
		if err != nil {
			return nil, err
		}
		details = append(details, one)
	}
	switch {
	case len(details) == 1 && len(subs) == 1:
		return details[0].(object), nil
	case len(details) > 0:
		return explanation(score, how, details...), nil
	}
	return explanation(score, describeQuery(q)), nil
}

// explain shows BM25 at work on the document that has the term.
func (t *termIterator) explain(x *execution, m *mapping, value string, boost float32, doc uint64) (object, error) {
	if _, err := t.advance(doc); err != nil {
		return nil, joinClose(err, t.close)
	}
	n := t.postings.Count()
	all, err := x.having(m.path)
	if err != nil {
		return nil, joinClose(err, t.close)
	}
	freq, length := float32(1), float32(1)
	if t.scorer.norms {
		freq = float32(t.current.Freq)
		if t.current.Norm > 0 {
			length = float32(shownLength(int(math.Round(1 / (t.current.Norm * t.current.Norm)))))
		}
	}
	average := t.scorer.avg
	idf := float32(inverseFrequency(all, n))
	tf := freq / (freq + bm25K1*((1-bm25B)+bm25B*length/average))
	score := t.score()
	number, err := x.written(doc)
	if err != nil {
		return nil, joinClose(err, t.close)
	}
	body := explanation(score, fmt.Sprintf("score(freq=%s), computed as boost * idf * tf from:", javaFloat(float64(freq), 32)),
		explanation(boost*(bm25K1+1), "boost"),
		explanation(idf, "idf, computed as log(1 + (N - n + 0.5) / (n + 0.5)) from:",
			explanation(n, "n, number of documents containing term"), explanation(all, "N, total number of documents with field")),
		explanation(tf, "tf, computed as freq / (freq + k1 * (1 - b + b * dl / avgdl)) from:",
			explanation(freq, "freq, occurrences of term within document"), explanation(float32(bm25K1), "k1, term saturation parameter"),
			explanation(float32(bm25B), "b, length normalization parameter"), explanation(length, "dl, length of field"),
			explanation(average, "avgdl, average length of field")))
	return explanation(score, fmt.Sprintf("weight(%s:%s in %d) [PerFieldSimilarity], result of:", m.path, value, number), body), t.close()
}

// written is the sequence number that clients see of a document, which stands for
// its place in the index.
func (x *execution) written(doc uint64) (uint64, error) {
	seq, found, err := x.column(fieldSeq, true).first(doc)
	if !found {
		seq = firstSeq
	}
	return shownSeq(uint64(seq)), err
}

// describeQuery shows a query as Lucene does.
func describeQuery(q query) string {
	join := func(list []query, prefix string) string {
		var parts []string
		for _, sub := range list {
			parts = append(parts, prefix+describeQuery(sub))
		}
		return strings.Join(parts, " ")
	}
	switch q := q.(type) {
	case matchAllQuery:
		return "*:*"
	case matchNoneQuery:
		return "MatchNoDocsQuery(\"\")"
	case *idsQuery:
		var ids []string
		for _, id := range q.values {
			ids = append(ids, fmt.Sprintf("[% x]", encodeID(id)))
		}
		return "_id:(" + strings.Join(ids, " ") + ")"
	case *termsQuery:
		if len(q.values) == 1 {
			return q.field + ":" + q.values[0]
		}
		return q.field + ":(" + strings.Join(q.values, " ") + ")"
	case *matchQuery:
		var parts []string
		for _, t := range analyzeText(q.text, 0) {
			parts = append(parts, q.field+":"+t.text)
		}
		return strings.Join(parts, " ")
	case *phraseQuery:
		return q.field + ":\"" + q.text + "\""
	case *existsQuery:
		return "FieldExistsQuery [field=" + q.field + "]"
	case *constantQuery:
		return "ConstantScore(" + describeQuery(q.inner) + ")"
	case *rangeQuery:
		low, high := "*", "*"
		if q.from != nil {
			low = *q.from
		}
		if q.to != nil {
			high = *q.to
		}
		return fmt.Sprintf("%s:[%s TO %s]", q.field, low, high)
	case *patternQuery:
		return q.field + ":" + q.value
	case *boolQuery:
		var parts []string
		for _, p := range []string{join(q.must, "+"), join(q.filter, "#"), join(q.should, ""), join(q.mustNot, "-")} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		return strings.Join(parts, " ")
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", q), "*search.")
	}
}

// encodeID is an id as Elasticsearch keeps it in Lucene: packed when it consists
// of digits or looks like URL-safe base64, else as it is.
func encodeID(id string) []byte {
	if id != "" && strings.Trim(id, "0123456789") == "" {
		b := []byte{0xfe}
		for i := 0; i < len(id); i += 2 {
			low := byte(0x0f)
			if i+1 < len(id) {
				low = id[i+1] - '0'
			}
			b = append(b, (id[i]-'0')<<4|low)
		}
		return b
	}
	if packed, err := base64.RawURLEncoding.Strict().DecodeString(id); err == nil && id != "" {
		if packed[0] >= 0xfd {
			return append([]byte{0xfd}, packed...)
		}
		return packed
	}
	return append([]byte{0xff}, id...)
}
