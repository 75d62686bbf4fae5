package search

import (
	"errors"
	"fmt"
	"strings"
)

// stringQuery is a query in the language of people: query_string, and the more
// forgiving simple_query_string.
type stringQuery struct {
	text     string
	simple   bool
	fields   []string // none: all
	and      bool     // default operator
	lenient  bool
	wildcard bool // a leading wildcard is allowed
	minimum  string
	most     int // fuzzy_max_expansions
	boost    float32
}

func parseQueryString(_ *parseState, name string, n *node) (query, *apiError) {
	q := &stringQuery{simple: name == "simple_query_string", wildcard: true}
	found := false
	for _, m := range n.members {
		text, _ := m.value.scalar()
		switch m.name {
		case "query":
			q.text, found = text, true
		case "default_field":
			if q.simple {
				return nil, unsupportedKey(name, m)
			}
			q.fields = []string{text}
		case "fields":
			q.fields = texts(m.value)
		case "default_operator":
			switch strings.ToLower(text) {
			case "and":
				q.and = true
			case "or":
			default:
				return nil, illegalArgument("No enum constant org.elasticsearch.index.query.Operator.%s", strings.ToUpper(text))
			}
		case "lenient":
			q.lenient = text == "true"
		case "allow_leading_wildcard":
			q.wildcard = text == "true"
		case "minimum_should_match":
			q.minimum = text
		case "fuzzy_max_expansions":
			var err *apiError
			if q.most, err = parseExpansions(m.value); err != nil {
				return nil, err
			}
		case "analyze_wildcard", "boost", "_name", "auto_generate_synonyms_phrase_query", "type":
			if m.name == "type" && text != "best_fields" {
				return nil, unsupported("[type] of a query_string query")
			}
		case "analyzer":
			if text != "standard" {
				return nil, illegalArgument("[%s] analyzer [%s] not found", name, text)
			}
		default:
			return nil, unsupportedKey(name, m)
		}
	}
	if !found {
		return nil, parsingError(n.src, n.end-1, "[%s] must be provided with a [query]", strings.ReplaceAll(name, "simple_", ""))
	}
	var err *apiError
	q.boost, err = boostOf(n)
	return q, err
}

func (q *stringQuery) build(x *execution) (iterator, error) { return built(x, q) }

func (q *stringQuery) rewrite(x *execution) (query, error) {
	parsed, err := q.parse(x)
	switch {
	case err != nil:
		return nil, err
	case parsed == nil:
		return matchNoneQuery{}, nil
	case q.boost == 1:
		return parsed, nil
	default:
		return &boolQuery{must: []query{parsed}, boost: q.boost}, nil
	}
}

// parse reads the text; nil stands for one without a query.
func (q *stringQuery) parse(x *execution) (query, error) {
	p := &stringParser{q: q, rest: q.text}
	if q.simple {
		return p.simple(0), nil
	}
	parsed, err := p.clauses(nil, 0)
	if err == nil && strings.TrimSpace(p.rest) != "" {
		err = syntax("Encountered \" \")\" \") \"\"")
	}
	if err != nil {
		e := queryShard(x.ix, "Failed to parse query [%s]", q.text)
		reason := asAPIError(err).reason
		e.cause = newError(0, "parse_exception", "Cannot parse '%s': %s", q.text, reason)
		e.cause.cause = syntax(reason)
		return nil, e
	}
	return parsed, nil
}

// stringParser takes a text apart.
type stringParser struct {
	q    *stringQuery
	rest string
}

// occurrence is how a clause counts.
type occurrence int

const (
	should occurrence = iota
	must
	mustNot
)

type stringClause struct {
	occur occurrence
	query query
}

// syntax is an error of the language.
func syntax(reason string) *apiError { return newError(0, "parse_exception", "%s", reason) }

const maxStringDepth = 30

// What the language's grammar expects where a clause may begin, and after a clause
// inside parentheses.
var (
	clauseTokens = []string{"<NOT>", `"+"`, `"-"`, "<BAREOPER>", `"("`, `"*"`, "<QUOTED>", "<TERM>", "<PREFIXTERM>", "<WILDTERM>", "<REGEXPTERM>", `"["`, `"{"`, "<NUMBER>", "<TERM>"}
	groupTokens  = []string{"<AND>", "<OR>", "<NOT>", `"+"`, `"-"`, "<BAREOPER>", `"("`, `")"`, `"*"`, `"^"`, "<QUOTED>", "<TERM>", "<FUZZY_SLOP>", "<PREFIXTERM>", "<WILDTERM>", "<REGEXPTERM>", `"["`, `"{"`, "<NUMBER>"}
)

// eof is the error of a text that ends too early.
func (p *stringParser) eof(expected []string) error {
	line, col := position([]byte(p.q.text), len(p.q.text))
	var b strings.Builder
	fmt.Fprintf(&b, "Encountered \"<EOF>\" at line %d, column %d.\nWas expecting one of:\n", line, col-1)
	for _, token := range expected {
		b.WriteString("    " + token + " ...\n")
	}
	b.WriteString("    ")
	return syntax(b.String())
}

// word reads an operator that stands alone.
func (p *stringParser) word(names ...string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\n\r　")
	for _, name := range names {
		if !strings.HasPrefix(p.rest, name) {
			continue
		}
		after := p.rest[len(name):]
		if name[0] >= 'A' && name[0] <= 'Z' && after != "" && !strings.ContainsAny(after[:1], " \t\n\r()+-!\"") {
			continue
		}
		p.rest = after
		return true
	}
	return false
}

// clauses reads up to a closing parenthesis or the end.
func (p *stringParser) clauses(fields []string, depth int) (query, error) {
	if depth > maxStringDepth {
		return nil, syntax("too many nested groups")
	}
	var list []stringClause
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\n\r　")
		if p.rest == "" || p.rest[0] == ')' {
			break
		}
		joined := ""
		if p.word("AND", "&&") {
			joined = "and"
		} else if p.word("OR", "||") {
			joined = "or"
		}
		occur := should
		switch {
		case p.word("+"):
			occur = must
		case p.word("-", "!", "NOT"):
			occur = mustNot
		}
		q, err := p.clause(fields, depth)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && list[len(list)-1].occur != mustNot {
			switch {
			case joined == "and":
				list[len(list)-1].occur = must
			case joined == "or" && p.q.and:
				list[len(list)-1].occur = should
			}
		}
		if occur == should && (joined == "and" || p.q.and && joined != "or") {
			occur = must
		}
		if q != nil {
			list = append(list, stringClause{occur, q})
		}
	}
	return p.combine(list), nil
}

func (p *stringParser) combine(list []stringClause) query {
	if len(list) == 0 {
		return nil
	}
	if len(list) == 1 && list[0].occur != mustNot {
		return list[0].query
	}
	b := &boolQuery{boost: 1, minimum: p.q.minimum}
	for _, c := range list {
		switch c.occur {
		case must:
			b.must = append(b.must, c.query)
		case mustNot:
			b.mustNot = append(b.mustNot, c.query)
		default:
			b.should = append(b.should, c.query)
		}
	}
	return b
}

// clause reads one clause: an optional field, then a group or a value.
func (p *stringParser) clause(fields []string, depth int) (query, error) {
	p.rest = strings.TrimLeft(p.rest, " \t\n\r　")
	if p.rest == "" {
		return nil, p.eof(clauseTokens)
	}
	if name, after, ok := p.fieldName(); ok {
		p.rest = after
		fields = []string{name}
		if p.rest == "" {
			return nil, p.eof(clauseTokens)
		}
	}
	var q query
	var err error
	switch {
	case p.rest[0] == '(':
		p.rest = p.rest[1:]
		if q, err = p.clauses(fields, depth+1); err != nil {
			return nil, err
		}
		switch {
		case q == nil:
			return nil, p.eof(clauseTokens)
		case !strings.HasPrefix(p.rest, ")"):
			return nil, p.eof(groupTokens)
		}
		p.rest = p.rest[1:]
	case p.rest[0] == '"':
		end := closing(p.rest[1:], '"')
		if end < 0 {
			return nil, p.eof(clauseTokens)
		}
		text := unescape(p.rest[1 : 1+end])
		p.rest = p.rest[end+2:]
		if _, ok := p.suffix('~'); ok {
			return nil, unsupported("a phrase with slop")
		}
		q = p.over(fields, func(f string, lenient bool) query {
			return &phraseQuery{field: f, text: text, lenient: lenient, boost: 1}
		})
	case p.rest[0] == '/':
		end := closing(p.rest[1:], '/')
		if end < 0 {
			return nil, p.eof(clauseTokens)
		}
		text := p.rest[1 : 1+end]
		p.rest = p.rest[end+2:]
		q = p.over(fields, func(f string, _ bool) query {
			return &patternQuery{kind: "regexp", field: f, value: text, boost: 1}
		})
	case p.rest[0] == '[' || p.rest[0] == '{':
		if q, err = p.between(fields); err != nil {
			return nil, err
		}
	case p.rest[0] == '>' || p.rest[0] == '<':
		if q, err = p.comparison(fields); err != nil {
			return nil, err
		}
	default:
		if q, err = p.term(fields); err != nil {
			return nil, err
		}
	}
	if text, ok := p.suffix('^'); ok {
		boost, err := number32(&node{kind: kindNumber, text: text})
		if err != nil {
			return nil, err
		}
		q = &boolQuery{must: []query{q}, boost: boost}
	}
	return q, nil
}

// fieldName looks for "name:" before a value.
func (p *stringParser) fieldName() (name, after string, ok bool) {
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\':
			i++
		case c == ':':
			if i == 0 {
				return "", "", false
			}
			return unescape(p.rest[:i]), strings.TrimLeft(p.rest[i+1:], " "), true
		case strings.IndexByte(" \t\n\r()\"[]{}/^~+!", c) >= 0:
			return "", "", false
		}
	}
	return "", "", false
}

// suffix reads "~" or "^" with the number behind it.
func (p *stringParser) suffix(mark byte) (string, bool) {
	if p.rest == "" || p.rest[0] != mark {
		return "", false
	}
	end := 1
	for end < len(p.rest) && (p.rest[end] >= '0' && p.rest[end] <= '9' || p.rest[end] == '.') {
		end++
	}
	text := p.rest[1:end]
	p.rest = p.rest[end:]
	return text, true
}

func closing(text string, mark byte) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case mark:
			return i
		}
	}
	return -1
}

func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func (p *stringParser) between(fields []string) (query, error) {
	open := p.rest[0] == '{'
	end := strings.IndexAny(p.rest, "]}")
	if end < 0 {
		return nil, p.eof(clauseTokens)
	}
	from, to, ok := strings.Cut(p.rest[1:end], " TO ")
	if !ok {
		return nil, syntax("a range has the form [from TO to]")
	}
	openHigh := p.rest[end] == '}'
	p.rest = p.rest[end+1:]
	bound := func(text string) *string {
		text = strings.TrimSpace(text)
		if text == "*" {
			return nil
		}
		text = unescape(strings.Trim(text, `"`))
		return &text
	}
	return p.over(fields, func(f string, _ bool) query {
		return &rangeQuery{field: f, from: bound(from), to: bound(to), openLow: open, openHigh: openHigh, boost: 1}
	}), nil
}

func (p *stringParser) comparison(fields []string) (query, error) {
	r := &rangeQuery{boost: 1}
	op := p.rest[:1]
	p.rest = p.rest[1:]
	closed := strings.HasPrefix(p.rest, "=")
	p.rest = strings.TrimPrefix(p.rest, "=")
	text, _ := p.value()
	if text == "" {
		return nil, p.eof(clauseTokens)
	}
	text = unescape(strings.Trim(text, `"`))
	if op == ">" {
		r.from, r.openLow = &text, !closed
	} else {
		r.to, r.openHigh = &text, !closed
	}
	return p.over(fields, func(f string, _ bool) query {
		own := *r
		own.field = f
		return &own
	}), nil
}

// value reads the characters of a term, escapes included; wild says that there
// are wildcards among them.
func (p *stringParser) value() (text string, wild bool) {
	end := 0
loop:
	for ; end < len(p.rest); end++ {
		switch c := p.rest[end]; {
		case c == '\\':
			end++
		case c == '*' || c == '?':
			wild = true
		case strings.IndexByte(" \t\n\r()\"[]{}^~:", c) >= 0:
			break loop
		}
	}
	end = min(end, len(p.rest))
	text = p.rest[:end]
	p.rest = p.rest[end:]
	return text, wild
}

func (p *stringParser) term(fields []string) (query, error) {
	text, wild := p.value()
	if text == "" {
		return nil, syntax("Encountered \" \"" + p.rest[:1] + "\" \"" + p.rest[:1] + " \"\"")
	}
	if len(fields) == 1 && fields[0] == "_exists_" {
		return &existsQuery{unescape(text), 1}, nil
	}
	if text == "*" && (len(fields) == 0 || fields[0] == "*") {
		return matchAllQuery{1}, nil
	}
	if fuzzy, ok := p.suffix('~'); ok {
		distance := -1
		if fuzzy != "" {
			d, err := fuzziness(&node{kind: kindString, text: fuzzy})
			if err != nil {
				return nil, err
			}
			distance = d
		}
		return p.over(fields, func(f string, _ bool) query {
			return &fuzzyQuery{field: f, value: toLower(unescape(text)), distance: distance, most: p.q.most, boost: 1}
		}), nil
	}
	if wild {
		if !p.q.wildcard && strings.ContainsAny(text[:1], "*?") {
			return nil, syntax("'*' or '?' not allowed as first character in WildcardQuery")
		}
		return p.over(fields, func(f string, lenient bool) query {
			if text == "*" {
				return &existsQuery{f, 1}
			}
			return &wildcardTerm{patternQuery{kind: "wildcard", field: f, value: text, boost: 1}, lenient}
		}), nil
	}
	word := unescape(text)
	return p.over(fields, func(f string, lenient bool) query {
		return &matchQuery{field: f, text: word, and: p.q.and, lenient: lenient, boost: 1}
	}), nil
}

// wildcardTerm is a pattern that skips fields that have no terms when it is
// lenient.
type wildcardTerm struct {
	patternQuery
	lenient bool
}

func (q *wildcardTerm) build(x *execution) (iterator, error) { return built(x, q) }

func (q *wildcardTerm) rewrite(x *execution) (query, error) {
	if m := x.mapping.lookup(q.field); m != nil && q.lenient && m.typ != "keyword" && m.typ != "text" {
		return matchNoneQuery{}, nil
	}
	plain := q.patternQuery
	if m := x.mapping.lookup(q.field); m != nil && m.typ == "text" {
		plain.value = toLower(plain.value)
	}
	return &plain, nil
}

// over makes a query for each of the fields; the best counts.
func (p *stringParser) over(fields []string, f func(field string, lenient bool) query) query {
	if len(fields) == 0 {
		fields = p.q.fields
	}
	return &overQuery{fields: fields, lenient: p.q.lenient, make: f}
}

// overQuery is a query on fields that are known only with the mapping.
type overQuery struct {
	fields  []string
	lenient bool
	make    func(field string, lenient bool) query
}

// subs are the queries of the fields.
func (q *overQuery) subs(x *execution) []query {
	fields, lenient := x.weightedFields(q.fields, q.lenient)
	var list []query
	for _, f := range fields {
		sub := q.make(f.path, lenient)
		if lenient {
			sub = &lenientQuery{sub}
		}
		if f.boost != 1 {
			sub = &boolQuery{must: []query{sub}, boost: f.boost}
		}
		list = append(list, sub)
	}
	return list
}

func (q *overQuery) build(x *execution) (iterator, error) { return built(x, q) }

func (q *overQuery) rewrite(x *execution) (query, error) {
	d := &disMaxQuery{boost: 1, queries: q.subs(x)}
	switch len(d.queries) {
	case 0:
		return matchNoneQuery{}, nil
	case 1:
		return d.queries[0], nil
	default:
		return d, nil
	}
}

// lenientQuery finds nothing where its value doesn't fit the field.
type lenientQuery struct{ inner query }

func (q *lenientQuery) build(x *execution) (iterator, error) {
	it, err := q.inner.build(x)
	var e *apiError
	if errors.As(err, &e) {
		return noneIterator{}, nil
	}
	return it, err
}

// simple reads the forgiving language: + and | join, - excludes, quotes make
// phrases, * at the end a prefix. What makes no sense is passed over.
func (p *stringParser) simple(depth int) query {
	var list []stringClause
	and := p.q.and
	joinedAnd, joinedOr := false, false
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\n\r")
		if p.rest == "" {
			break
		}
		c := p.rest[0]
		if c == ')' {
			p.rest = p.rest[1:]
			if depth > 0 {
				break
			}
			continue
		}
		switch c {
		case '+':
			joinedAnd, p.rest = true, p.rest[1:]
			continue
		case '|':
			joinedOr, p.rest = true, p.rest[1:]
			continue
		}
		negated := false
		if c == '-' && len(p.rest) > 1 {
			negated, p.rest = true, p.rest[1:]
		}
		q := p.simpleClause(depth)
		if q == nil {
			continue
		}
		if negated {
			q = &boolQuery{mustNot: []query{q}, should: []query{matchAllQuery{1}}, boost: 1}
		}
		asMust := joinedAnd || and && !joinedOr
		occur := should
		if asMust {
			occur = must
		}
		if len(list) > 0 && (joinedAnd || joinedOr) && len(list) == 1 {
			list[0].occur = occur
		} else if len(list) > 1 && list[len(list)-1].occur != occur {
			list = []stringClause{{occur, p.combine(list)}}
		}
		list = append(list, stringClause{occur, q})
		joinedAnd, joinedOr = false, false
	}
	return p.combine(list)
}

func (p *stringParser) simpleClause(depth int) query {
	switch p.rest[0] {
	case '(':
		if depth < maxStringDepth {
			p.rest = p.rest[1:]
			return p.simple(depth + 1)
		}
	case '"':
		if end := closing(p.rest[1:], '"'); end >= 0 {
			text := unescape(p.rest[1 : 1+end])
			p.rest = p.rest[end+2:]
			return p.over(nil, func(f string, lenient bool) query {
				return &phraseQuery{field: f, text: text, lenient: lenient, boost: 1}
			})
		}
	}
	end := 1
	for end < len(p.rest) && strings.IndexByte(" \t\n\r()+|\"", p.rest[end]) < 0 {
		if p.rest[end] == '\\' {
			end++
		}
		end++
	}
	end = min(end, len(p.rest))
	text := p.rest[:end]
	p.rest = p.rest[end:]
	if prefix, ok := strings.CutSuffix(text, "*"); ok && prefix != "" {
		return p.over(nil, func(f string, _ bool) query {
			return &patternQuery{kind: "prefix", field: f, value: toLower(unescape(prefix)), boost: 1}
		})
	}
	if text = strings.Trim(text, `"()`); text == "" {
		return nil
	}
	return p.over(nil, func(f string, lenient bool) query {
		return &matchQuery{field: f, text: unescape(text), and: p.q.and, lenient: lenient, boost: 1}
	})
}
