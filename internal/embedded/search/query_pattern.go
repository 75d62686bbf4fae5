package search

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	index_api "github.com/blevesearch/bleve_index_api"
)

// patternQuery has the documents with a term of some form.
type patternQuery struct {
	kind  string // prefix, wildcard, regexp
	field string
	value string
	fold  bool
	boost float32
}

func (q *patternQuery) build(x *execution) (iterator, error) {
	if q.field == "_id" || q.field == "_index" {
		return nil, unsupported(fmt.Sprintf("a %s query on [%s]", q.kind, q.field))
	}
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ == "object" || m.typ == "nested" {
		return noneIterator{}, nil
	}
	if m.typ != "keyword" && m.typ != "text" {
		return nil, queryShard(x.ix, "Can only use %s queries on keyword, text and wildcard fields - not on [%s] which is of type [%s]", q.kind, m.path, m.typ)
	}
	if err := searchable(x, m); err != nil {
		return nil, err
	}
	form, err := q.form()
	if err != nil {
		return nil, uncreated(x, illegalArgument("%s", err.Error()))
	}
	form.name = fmt.Sprintf("%s %v %s", q.kind, q.fold, q.value)
	docs, err := x.matching(m, form)
	if err != nil {
		return nil, err
	}
	return newBitmapIterator(docs, q.boost), nil
}

// form is what the terms have to be like.
func (q *patternQuery) form() (*termForm, error) {
	switch {
	case q.kind == "prefix" && !q.fold:
		return &termForm{prefix: q.value}, nil
	case q.kind == "wildcard" && !q.fold:
		g := parseGlob(q.value)
		return &termForm{prefix: g.prefix(), suffix: g.suffix(), fits: g.match}, nil
	}
	pattern, literal, err := q.compile(q.value)
	if err != nil {
		return nil, err
	}
	return &termForm{prefix: literal, fits: pattern.Match}, nil
}

// compile makes a regular expression and the text that all its matches begin
// with.
func (q *patternQuery) compile(value string) (*regexp.Regexp, string, error) {
	expr, literal := "", ""
	switch q.kind {
	case "prefix":
		expr = regexp.QuoteMeta(value) + ".*"
	case "wildcard":
		open := true
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case c == '*':
				expr, open = expr+".*", false
			case c == '?':
				expr, open = expr+".", false
			default:
				if c == '\\' && i+1 < len(value) {
					i++
				}
				expr += regexp.QuoteMeta(value[i : i+1])
				if open {
					literal += value[i : i+1]
				}
			}
		}
	default:
		if i := strings.IndexAny(value, `~<>&@#"`); i >= 0 {
			return nil, "", fmt.Errorf("the operator [%c] of regular expressions is not supported by the embedded search server", value[i])
		}
		expr = value
		if end := strings.IndexAny(value, `.?+*|{}[]()\`); end > 0 && !strings.ContainsAny(value[end:], "|?*{") {
			literal = value[:end]
		}
	}
	flags := "(?s)"
	if q.fold {
		flags, literal = "(?si)", ""
	}
	re, err := regexp.Compile(flags + "^(?:" + expr + ")$")
	if err != nil && q.kind == "regexp" {
		if strings.Contains(err.Error(), "missing closing") {
			return nil, "", fmt.Errorf("unexpected end-of-string")
		}
		return nil, "", err
	}
	return re, literal, err
}

// fuzzyQuery has the documents with a term a few letters away.
type fuzzyQuery struct {
	field, value string
	distance     int // -1: by the length of the value
	prefix       int
	most         int // max_expansions, 0 for the default
	boost        float32
}

// letters is how many letters a term may be away.
func (q *fuzzyQuery) letters() int {
	if q.distance >= 0 {
		return q.distance
	}
	return min(2, len([]rune(q.value))/3)
}

// fuzzyTerm is a term a few letters away, and how much it counts.
type fuzzyTerm struct {
	text  string
	boost float32
}

// terms gives those that the query stands for, the nearest ones when there are more
// than may be. The field is nil when the index hasn't got it.
func (q *fuzzyQuery) terms(x *execution) (*mapping, []fuzzyTerm, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ == "object" || m.typ == "nested" {
		return nil, nil, nil
	}
	if m.typ != "keyword" && m.typ != "text" {
		return nil, nil, uncreated(x, illegalArgument("Can only use fuzzy queries on keyword and text fields - not on [%s] which is of type [%s]", m.path, m.typ))
	}
	if q.most < 0 {
		return nil, nil, uncreated(x, illegalArgument("maxExpansions must be positive."))
	}
	runes := []rune(q.value)
	prefix := string(runes[:min(q.prefix, len(runes))])
	var dict index_api.FieldDict
	var err error
	if letters := q.letters(); letters > 0 {
		dict, err = x.snap.reader.(index_api.IndexReaderFuzzy).FieldDictFuzzy(m.path, q.value, letters, prefix)
	} else { // the value itself
		dict, err = x.snap.reader.FieldDictRange(m.path, []byte(q.value), []byte(q.value))
	}
	if err != nil {
		return nil, nil, err
	}
	var list []fuzzyTerm
	for {
		entry, err := dict.Next()
		if err != nil {
			return nil, nil, joinClose(err, dict.Close)
		}
		if entry == nil {
			break
		}
		boost := q.boost
		if d := int(entry.EditDistance); d > 0 {
			boost *= 1 - float32(d)/float32(min(len([]rune(entry.Term)), len(runes)))
		}
		list = append(list, fuzzyTerm{entry.Term, boost})
	}
	if most := expansions(q.most); len(list) > most {
		slices.SortFunc(list, func(a, b fuzzyTerm) int {
			return cmp.Or(cmp.Compare(b.boost, a.boost), strings.Compare(a.text, b.text))
		})
		list = list[:most]
	}
	return m, list, dict.Close()
}

func (q *fuzzyQuery) build(x *execution) (iterator, error) {
	m, list, err := q.terms(x)
	if err != nil || m == nil {
		return noneIterator{}, err
	}
	any := &boolIterator{minimum: 1, boost: 1}
	for _, t := range list {
		it, err := x.term(m, t.text, t.boost)
		if err != nil {
			return nil, joinClose(err, any.close)
		}
		any.optional = append(any.optional, it)
	}
	return any, nil
}

func (q *fuzzyQuery) docs(x *execution) (*roaring.Bitmap, error) {
	docs := x.newDocSet()
	m, list, err := q.terms(x)
	for _, t := range list {
		if err == nil {
			err = docs.term(m.path, t.text)
		}
	}
	return docs.whole(), err
}

// uncreated is what a query is told that can't be made for an index.
func uncreated(x *execution, cause *apiError) *apiError {
	e := queryShard(x.ix, "failed to create query: %s", cause.reason)
	e.cause = cause
	return e
}
