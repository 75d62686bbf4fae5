package search

import (
	"cmp"
	"html"
	"math"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/rivo/uniseg"
)

// highlight is a "highlight" of a search, in the way of the unified highlighter.
type highlight struct {
	highlightOptions
	fields []highlightField
}

type highlightField struct {
	pattern string
	highlightOptions
}

// highlightOptions can be set for all fields and for each.
type highlightOptions struct {
	pre, post string
	size      int // fragment_size, in characters
	fragments int // 0: the whole text
	noMatch   int
	byScore   bool
	anyField  bool // require_field_match: false
	escape    bool // encoder: html
	query     query
}

func parseHighlight(v *node) (*highlight, *apiError) {
	if v.kind != kindObject {
		return nil, parsingError(v.src, v.start, "Unknown key for a %s in [highlight].", v.token())
	}
	h := &highlight{highlightOptions: highlightOptions{pre: "<em>", post: "</em>", size: 100, fragments: 5}}
	var fields *node
	known := h.params()
	known["fields"] = func(v *node) *apiError {
		if v.kind != kindObject && v.kind != kindArray {
			return wrongToken("highlight", "fields", v)
		}
		fields = v
		return nil
	}
	if err := known.parse("highlight", v); err != nil {
		return nil, err
	}
	if fields == nil {
		return h, nil
	}
	for _, e := range fields.list() {
		if e.kind != kindObject {
			return nil, wrongToken("highlight", "fields", e)
		}
		for _, m := range e.members {
			if m.value.kind != kindObject {
				return nil, wrongToken("highlight_field", m.name, m.value)
			}
			f := highlightField{pattern: m.name, highlightOptions: h.highlightOptions}
			if err := f.params().parse("highlight_field", m.value); err != nil {
				return nil, err
			}
			h.fields = append(h.fields, f)
		}
	}
	return h, nil
}

func (o *highlightOptions) params() params {
	number := func(into *int) func(v *node) *apiError {
		return func(v *node) *apiError {
			f, err := number64(v)
			*into = int(f)
			return err
		}
	}
	tag := func(into *string) func(v *node) *apiError {
		return func(v *node) *apiError {
			if list := texts(v); len(list) > 0 {
				*into = list[0]
			}
			return nil
		}
	}
	return params{
		"pre_tags": tag(&o.pre), "post_tags": tag(&o.post), "fragment_size": number(&o.size), "number_of_fragments": number(&o.fragments),
		"no_match_size": number(&o.noMatch), "boundary_chars": ignored, "boundary_max_scan": ignored, "boundary_scanner_locale": ignored,
		"phrase_limit": ignored, "max_analyzed_offset": ignored, "force_source": ignored, "matched_fields": refusedParam("[matched_fields] of a highlight"),
		"boundary_scanner": func(v *node) *apiError {
			if v.text != "sentence" {
				return unsupported("the boundary scanner [" + v.text + "] of a highlight")
			}
			return nil
		},
		"fragmenter": refusedParam("[fragmenter] of a highlight"),
		"type": func(v *node) *apiError {
			if v.text != "unified" {
				return unsupported("the highlighter [" + v.text + "]; use [unified]")
			}
			return nil
		},
		"order":               func(v *node) *apiError { o.byScore = v.text == "score"; return nil },
		"require_field_match": func(v *node) *apiError { o.anyField = v.kind == kindFalse; return nil },
		"encoder":             func(v *node) *apiError { o.escape = v.text == "html"; return nil },
		"tags_schema": func(v *node) *apiError {
			if v.text == "styled" {
				o.pre, o.post = `<em class="hlt1">`, "</em>"
			}
			return nil
		},
		"highlight_query": func(v *node) (err *apiError) { o.query, err = (&parseState{}).parseQuery(v); return err },
	}
}

// apply marks what a document's fields have of the query.
func (h *highlight) apply(x *execution, rec *record) (object, error) {
	source, _, err := parseJSON(rec.source)
	if err != nil {
		return nil, syntaxError(err)
	}
	o := object{}
	for i := range h.fields {
		f := &h.fields[i]
		q := f.query
		if q == nil {
			q = x.query
		}
		for _, m := range x.fields(f.pattern) {
			if m.typ != "text" && m.typ != "keyword" {
				continue
			}
			match := &marks{x: x, field: m, any: f.anyField}
			match.gather(q)
			if m.typ == "keyword" && strings.Contains(f.pattern, "*") && len(match.tests)+len(match.phrases) == 0 {
				continue
			}
			var values []string
			for _, v := range valuesAt(source, x.mapping.sourcePath(m)) {
				if text, ok := v.scalar(); ok && (m.ignoreAbove == 0 || utf16Length([]byte(text)) <= m.ignoreAbove) {
					values = append(values, text)
				}
			}
			if marked := f.mark(match, values); len(marked) > 0 {
				o.set(m.path, marked)
			}
		}
	}
	return o, nil
}

// span is a marked part of a text, in UTF-16 units.
type span struct {
	start, end int
	term       string
}

// marks finds the parts of a field that a query is about.
type marks struct {
	x       *execution
	field   *mapping
	any     bool
	tests   []func(term string) bool
	phrases []*phraseQuery
}

// gather walks through a query.
func (k *marks) gather(q query) {
	all := func(list []query) {
		for _, sub := range list {
			k.gather(sub)
		}
	}
	exact := func(field string, terms ...string) {
		if k.about(field) {
			k.tests = append(k.tests, func(term string) bool { return slices.Contains(terms, term) })
		}
	}
	switch q := q.(type) {
	case *termsQuery:
		exact(q.field, q.values...)
	case *matchQuery:
		if k.field.typ == "keyword" {
			exact(q.field, q.text)
			return
		}
		for _, t := range analyzeText(q.text, 0) {
			if q.distance != nil {
				k.gather(&fuzzyQuery{field: q.field, value: t.text, distance: *q.distance, prefix: q.prefix})
			} else {
				exact(q.field, t.text)
			}
		}
	case *phraseQuery:
		if k.about(q.field) {
			k.phrases = append(k.phrases, q)
		}
	case *patternQuery:
		k.pattern(q)
	case *wildcardTerm:
		plain := q.patternQuery
		if k.field.typ == "text" {
			plain.value = toLower(plain.value)
		}
		k.pattern(&plain)
	case *fuzzyQuery:
		if k.about(q.field) {
			distance := q.letters()
			k.tests = append(k.tests, func(term string) bool { return runeDistance(term, q.value) <= distance })
		}
	case *multiMatchQuery:
		all(q.subs(k.x))
	case *boolQuery:
		all(q.must)
		all(q.filter)
		all(q.should)
	case *disMaxQuery:
		all(q.queries)
	case *constantQuery:
		k.gather(q.inner)
	case *boostingQuery:
		k.gather(q.positive)
	case *functionScoreQuery:
		k.gather(q.inner)
	case *nestedQuery:
		k.gather(q.inner)
	case *lenientQuery:
		k.gather(q.inner)
	case *overQuery:
		all(q.subs(k.x))
	case *stringQuery:
		if parsed, err := q.parse(k.x); err == nil && parsed != nil {
			k.gather(parsed)
		}
	}
}

func (k *marks) about(field string) bool {
	if k.any || field == k.field.path {
		return true
	}
	m := k.x.mapping.lookup(field)
	return m != nil && m.path == k.field.path
}

func (k *marks) pattern(q *patternQuery) {
	if !k.about(q.field) {
		return
	}
	if re, _, err := q.compile(q.value); err == nil {
		k.tests = append(k.tests, re.MatchString)
	}
}

// spans finds the parts of one value.
func (k *marks) spans(text string) []span {
	tokens := []token{{text: text, end: utf16Length([]byte(text))}}
	if k.field.typ == "text" {
		tokens = analyzeText(text, 0)
	}
	var found []span
	for _, t := range tokens {
		if slices.ContainsFunc(k.tests, func(test func(string) bool) bool { return test(t.text) }) {
			found = append(found, span{t.start, t.end, t.text})
		}
	}
	for _, p := range k.phrases {
		words := analyzeText(p.text, 0)
		for i := 0; len(words) > 0 && i+len(words) <= len(tokens); i++ {
			fits := true
			for j, w := range words {
				t := tokens[i+j].text
				fits = fits && (t == w.text || p.prefix && j == len(words)-1 && strings.HasPrefix(t, w.text))
			}
			if fits {
				found = append(found, span{tokens[i].start, tokens[i+len(words)-1].end, p.text})
			}
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	return slices.CompactFunc(found, func(a, b span) bool { return a.start == b.start && a.end == b.end })
}

// passage is a fragment of a value.
type passage struct {
	units      []uint16
	start, end int
	value      int
	spans      []span
	score      float64
}

// mark gives the fragments of a field's values.
func (o *highlightOptions) mark(k *marks, values []string) []any {
	var passages []*passage
	for i, text := range values {
		passages = append(passages, o.passages(k, text, i)...)
	}
	if o.fragments > 0 && len(passages) > o.fragments {
		slices.SortStableFunc(passages, func(a, b *passage) int { return cmp.Compare(b.score, a.score) })
		passages = passages[:o.fragments]
	}
	slices.SortStableFunc(passages, func(a, b *passage) int {
		if o.byScore && a.score != b.score {
			return cmp.Compare(b.score, a.score)
		}
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.start, b.start))
	})
	list := []any{}
	for _, p := range passages {
		list = append(list, o.render(p))
	}
	if len(list) == 0 && o.noMatch > 0 && len(values) > 0 {
		units := utf16.Encode([]rune(values[0]))
		end := len(units)
		if end > o.noMatch {
			end = following(wordBreaks(values[0]), o.noMatch)
		}
		list = append(list, o.render(&passage{units: units, end: end}))
	}
	return list
}

// passages cuts a value into the fragments that have something to mark.
func (o *highlightOptions) passages(k *marks, text string, value int) []*passage {
	spans := k.spans(text)
	if len(spans) == 0 {
		return nil
	}
	units := utf16.Encode([]rune(text))
	if o.fragments == 0 || k.field.typ == "keyword" {
		return []*passage{{units: units, end: len(units), value: value, spans: spans}}
	}
	breaks := &boundedBreaks{sentences: sentenceBreaks(text), words: wordBreaks(text), size: o.bound(), length: len(units), windowStart: -1, windowEnd: -1, innerStart: -1}
	var list []*passage
	var current *passage
	for _, s := range spans {
		if current == nil || s.start >= current.end {
			start, end := breaks.around(s.start)
			current = &passage{units: units, start: start, end: max(end, s.end), value: value}
			list = append(list, current)
		}
		current.spans = append(current.spans, s)
	}
	for _, p := range list {
		p.rate(list, len(units))
	}
	return list
}

// bound is how long a fragment may be.
func (o *highlightOptions) bound() int {
	if o.size <= 0 {
		return math.MaxInt32 // whole sentences
	}
	return o.size
}

// rate is Lucene's score of a passage.
func (p *passage) rate(all []*passage, length int) {
	const k1, b, pivot = 1.2, 0.75, 87.0
	total := map[string]int{}
	for _, other := range all {
		for _, s := range other.spans {
			total[s.term]++
		}
	}
	mine := map[string]int{}
	for _, s := range p.spans {
		mine[s.term]++
	}
	for term, n := range mine {
		documents := 1 + float64(length)/pivot
		weight := (k1 + 1) * math.Log(1+(documents+0.5)/(float64(total[term])+0.5))
		norm := k1 * ((1 - b) + b*(float64(p.end-p.start)/pivot))
		p.score += weight * float64(n) / (float64(n) + norm)
	}
	p.score *= 1 + 1/math.Log(pivot+float64(p.start))
}

// render puts the tags around the spans of a passage.
func (o *highlightOptions) render(p *passage) string {
	var b strings.Builder
	write := func(from, to int) {
		text := string(utf16.Decode(p.units[from:to]))
		if o.escape {
			text = html.EscapeString(text)
		}
		b.WriteString(text)
	}
	at := p.start
	for _, s := range p.spans {
		if s.start < at {
			continue // it overlaps the one before
		}
		write(at, s.start)
		b.WriteString(o.pre)
		write(s.start, min(s.end, p.end))
		b.WriteString(o.post)
		at = min(s.end, p.end)
	}
	write(at, p.end)
	return strings.TrimSpace(b.String())
}

// wordBreaks and sentenceBreaks give where words and sentences begin, and the end
// of the text, in UTF-16 units.
func wordBreaks(text string) []int     { return breaksOf(text, uniseg.FirstWordInString) }
func sentenceBreaks(text string) []int { return breaksOf(text, uniseg.FirstSentenceInString) }

func breaksOf(text string, next func(string, int) (string, string, int)) []int {
	list, at, state := []int{0}, 0, -1
	for text != "" {
		var part string
		part, text, state = next(text, state)
		at += utf16Length([]byte(part))
		list = append(list, at)
	}
	return list
}

// preceding is the last break before a place, following the first one after it.
func preceding(breaks []int, at int) int {
	i, _ := slices.BinarySearch(breaks, at)
	return breaks[max(0, i-1)]
}

func following(breaks []int, at int) int {
	i, found := slices.BinarySearch(breaks, at)
	if found {
		i++
	}
	return breaks[min(i, len(breaks)-1)]
}

// boundedBreaks finds fragments that are whole sentences when they are short
// enough, and end at a word otherwise. Places are asked for in rising order.
type boundedBreaks struct {
	sentences, words       []int
	size, length           int
	windowStart, windowEnd int
	innerStart, innerEnd   int
}

// around gives the fragment of a match that begins at a place.
func (b *boundedBreaks) around(start int) (from, to int) {
	at := start + 1
	if at > b.windowStart && at < b.windowEnd {
		b.innerStart, b.innerEnd = b.innerEnd, b.windowEnd
	} else {
		b.innerStart = preceding(b.sentences, at)
		target := at + max(0, b.size-(at-b.innerStart))
		if target+1 > b.length {
			b.innerEnd = b.length
		} else {
			b.innerEnd = preceding(b.sentences, target+1)
		}
		if b.innerStart == b.innerEnd {
			b.innerEnd = following(b.sentences, target)
		}
		b.windowStart, b.windowEnd = b.innerStart, b.innerEnd
	}
	if b.size == math.MaxInt32 { // the sentence alone, not as many as fit
		b.innerEnd = following(b.sentences, b.innerStart)
		b.windowStart, b.windowEnd = b.innerStart, b.innerEnd
		return b.innerStart, b.innerEnd
	}
	if b.innerEnd-b.innerStart > b.size {
		if at-b.size > b.innerStart {
			b.innerStart = max(b.innerStart, preceding(b.words, at-b.size))
		}
		remaining := max(0, b.size-(at-b.innerStart))
		if at+remaining < b.windowEnd {
			b.innerEnd = min(b.windowEnd, following(b.words, at+remaining))
		}
	}
	return b.innerStart, b.innerEnd
}

func runeDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := diagonal
			if x[i-1] != y[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(y)]
}
