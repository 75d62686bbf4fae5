package search

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxQueryDepth bounds the nesting of queries, as indices.query.bool does.
const maxQueryDepth = 30

// queryParser reads one kind of query from the value of its name.
type queryParser func(p *parseState, name string, n *node) (query, *apiError)

// parseState is on its way through a query.
type parseState struct{ depth int }

var queryParsers map[string]queryParser

func init() {
	queryParsers = map[string]queryParser{
		"match_all": parseMatchAll, "match_none": parseMatchNone,
		"term": parseTerm, "terms": parseTerms, "ids": parseIDs, "exists": parseExists, "range": parseRange,
		"prefix": parsePattern, "wildcard": parsePattern, "regexp": parsePattern, "fuzzy": parseFuzzy,
		"match": parseMatch, "match_phrase": parsePhrase, "match_phrase_prefix": parsePhrase, "multi_match": parseMultiMatch,
		"query_string": parseQueryString, "simple_query_string": parseQueryString,
		"bool": parseBool, "constant_score": parseConstant, "dis_max": parseDisMax, "boosting": parseBoosting,
		"nested": parseNested, "function_score": parseFunctionScore, "wrapper": parseWrapper, "script": parseScript,
		"match_bool_prefix": parsePrefixWords, "geo_distance": parseGeoQuery, "geo_bounding_box": parseGeoQuery,
	}
}

// refusedQueries are the real server's that this one hasn't got.
var refusedQueries = []string{
	"has_child", "has_parent", "parent_id", "geo_shape", "geo_polygon", "geo_grid", "shape",
	"more_like_this", "percolate", "script_score", "pinned", "distance_feature", "rank_feature",
	"intervals", "combined_fields", "span_term", "span_near", "span_or", "span_not", "span_first", "span_multi",
	"span_containing", "span_within", "terms_set", "knn", "semantic", "text_expansion", "sparse_vector", "weighted_tokens", "rule_query", "span_field_masking", "field_masking_span",
}

// parseQuery reads a query.
func (p *parseState) parseQuery(n *node) (query, *apiError) {
	if p.depth++; p.depth > maxQueryDepth {
		return nil, illegalArgument("The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth]")
	}
	defer func() { p.depth-- }()
	if n.kind != kindObject {
		return nil, parsingError(n.src, n.start, "[_na] query malformed, must start with start_object")
	}
	if len(n.members) == 0 {
		return nil, illegalArgument("query malformed, empty clause found at [%s]", at(n.src, n.end-1))
	}
	m := n.members[0]
	if m.value.kind != kindObject {
		return nil, parsingError(n.src, m.value.start, "[%s] query malformed, no start_object after query name", m.name)
	}
	parse := queryParsers[m.name]
	if parse == nil {
		if slices.Contains(refusedQueries, m.name) {
			return nil, parsingError(n.src, m.value.start, "the query [%s] is not supported by the embedded search server; use a real Elasticsearch for it", m.name)
		}
		e := parsingError(n.src, m.value.start, "unknown query [%s]", m.name)
		e.cause = newError(0, "named_object_not_found_exception", "[%s] unknown field [%s]", at(n.src, m.value.start), m.name)
		return nil, e
	}
	q, err := parse(p, m.name, m.value)
	if err != nil {
		return nil, err
	}
	if len(n.members) > 1 {
		return nil, parsingError(n.src, n.members[1].start, "[%s] malformed query, expected [END_OBJECT] but found [FIELD_NAME]", m.name)
	}
	return q, nil
}

func number32(n *node) (float32, *apiError) {
	text, _ := n.scalar()
	f, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return 0, newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", text)
	}
	return float32(f), nil
}

// boostOf reads the boost of a query, 1 when there is none.
func boostOf(n *node) (float32, *apiError) {
	b := n.get("boost")
	if b == nil {
		return 1, nil
	}
	v, err := number32(b)
	if err == nil && v < 0 {
		return 0, illegalArgument("negative [boost] are not allowed in [%s], use a value between 0 and 1 to deboost", javaFloat(float64(v), 32))
	}
	return v, err
}

func unsupportedKey(name string, m member) *apiError {
	return parsingError(m.value.src, m.value.start, "[%s] query does not support [%s]", name, m.name)
}

// contentKey is the error of queries that are parsed by declared fields.
func contentKey(name string, m member) *apiError {
	e := parsingError(m.value.src, m.value.start, "[%s] [%s] unknown field [%s]", at(m.value.src, m.start), name, m.name)
	e.cause = contentError(m.value.src, m.start, "[%s] unknown field [%s]", name, m.name)
	return e
}

func onlyKeys(name string, n *node, keys ...string) *apiError {
	for _, m := range n.members {
		if !slices.Contains(keys, m.name) && m.name != "boost" && m.name != "_name" {
			return contentKey(name, m)
		}
	}
	return nil
}

func parseMatchAll(_ *parseState, name string, n *node) (query, *apiError) {
	if err := onlyKeys(name, n); err != nil {
		return nil, err
	}
	boost, err := boostOf(n)
	return matchAllQuery{boost}, err
}

func parseMatchNone(_ *parseState, name string, n *node) (query, *apiError) {
	return matchNoneQuery{}, onlyKeys(name, n)
}

// fieldBody splits {"field": value} or {"field": {parameters}}. In the short form
// the parameters are nil.
func fieldBody(name string, n *node) (path string, value, params *node, _ *apiError) {
	for _, m := range n.members {
		if m.name == "boost" || m.name == "_name" {
			if _, scalar := m.value.scalar(); scalar && len(n.members) > 1 {
				continue
			}
		}
		if path != "" {
			return "", nil, nil, parsingError(n.src, m.value.start, "[%s] query doesn't support multiple fields, found [%s] and [%s]", name, path, m.name)
		}
		path = m.name
		if m.value.kind == kindObject {
			params = m.value
		} else {
			value = m.value
		}
	}
	if path == "" {
		return "", nil, nil, illegalArgument("field name is null or empty")
	}
	return path, value, params, nil
}

func parseTerm(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	q := &termsQuery{field: path, one: true}
	if q.boost, err = boostOf(n); err != nil {
		return nil, err
	}
	if params != nil {
		for _, m := range params.members {
			switch m.name {
			case "value", "term":
				value = m.value
			case "case_insensitive":
				q.fold = m.value.kind == kindTrue
			case "boost", "_name":
			default:
				return nil, unsupportedKey(name, m)
			}
		}
		if q.boost, err = boostOf(params); err != nil {
			return nil, err
		}
	}
	if value == nil || value.kind == kindNull {
		return nil, illegalArgument("value cannot be null")
	}
	text, scalar := value.scalar()
	if !scalar {
		return nil, parsingError(n.src, value.start, "[%s] query does not support array of values", name)
	}
	q.values = []string{text}
	return q, nil
}

func parseTerms(_ *parseState, name string, n *node) (query, *apiError) {
	q := &termsQuery{}
	var err *apiError
	if q.boost, err = boostOf(n); err != nil {
		return nil, err
	}
	for _, m := range n.members {
		switch {
		case m.name == "boost" || m.name == "_name":
		case m.value.kind == kindArray:
			if q.field != "" {
				return nil, parsingError(n.src, m.value.start, "[terms] query does not support multiple fields")
			}
			q.field = m.name
			for _, e := range m.value.elements {
				text, scalar := e.scalar()
				if !scalar {
					return nil, parsingError(n.src, e.start, "No value specified for terms query")
				}
				q.values = append(q.values, text)
			}
		case m.value.kind == kindObject:
			return nil, unsupported("a terms lookup")
		default:
			return nil, unsupportedKey(name, m)
		}
	}
	if q.field == "" {
		return nil, parsingError(n.src, n.end-1, "[terms] query requires a field name, followed by array of terms or a document lookup specification")
	}
	return q, nil
}

func parseIDs(_ *parseState, name string, n *node) (query, *apiError) {
	if err := onlyKeys(name, n, "values"); err != nil {
		return nil, err
	}
	q := &idsQuery{}
	var err *apiError
	q.boost, err = boostOf(n)
	if values := n.get("values"); values != nil {
		for _, e := range values.list() {
			text, _ := e.scalar()
			q.values = append(q.values, text)
		}
	}
	return q, err
}

func parseExists(_ *parseState, name string, n *node) (query, *apiError) {
	for _, m := range n.members {
		if m.name != "field" && m.name != "boost" && m.name != "_name" {
			return nil, unsupportedKey(name, m)
		}
	}
	f := n.get("field")
	if f == nil {
		return nil, parsingError(n.src, n.end-1, "[exists] must be provided with a [field]")
	}
	boost, err := boostOf(n)
	return &existsQuery{f.text, boost}, err
}

func parseRange(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	if params == nil {
		return nil, parsingError(n.src, value.start, "[range] query does not support [%s]", path)
	}
	q := &rangeQuery{field: path}
	if q.boost, err = boostOf(params); err != nil {
		return nil, err
	}
	bound := func(v *node) *string {
		text, scalar := v.scalar()
		if !scalar {
			return nil
		}
		return &text
	}
	for _, m := range params.members {
		switch m.name {
		case "gt", "gte", "from":
			q.from, q.openLow = bound(m.value), m.name == "gt"
		case "lt", "lte", "to":
			q.to, q.openHigh = bound(m.value), m.name == "lt"
		case "include_lower":
			q.openLow = m.value.kind == kindFalse
		case "include_upper":
			q.openHigh = m.value.kind == kindFalse
		case "format":
			f, formatErr := newDateFormat(m.value.text)
			if formatErr != nil {
				return nil, formatErr
			}
			q.format = f
		case "time_zone":
			s := &dateScanner{text: m.value.text, ok: true}
			seconds := 0
			if m.value.text != "UTC" {
				seconds = s.zone()
			}
			if !s.ok || s.text != "" && m.value.text != "UTC" {
				return nil, unsupported(fmt.Sprintf("the time zone [%s]; give an offset like +01:00", m.value.text))
			}
			q.zone = time.Duration(seconds) * time.Second
		case "relation":
			return nil, unsupported("[relation] of a range query")
		case "boost", "_name":
		default:
			return nil, unsupportedKey(name, m)
		}
	}
	return q, nil
}

func parsePattern(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	q := &patternQuery{kind: name, field: path, boost: 1}
	if params != nil {
		for _, m := range params.members {
			switch {
			case m.name == "value" || m.name == name:
				value = m.value
			case m.name == "case_insensitive":
				q.fold = m.value.kind == kindTrue
			case m.name == "boost" || m.name == "_name" || m.name == "rewrite":
			case name == "regexp" && (m.name == "flags" || m.name == "max_determinized_states" || m.name == "flags_value"):
			default:
				return nil, unsupportedKey(name, m)
			}
		}
		if q.boost, err = boostOf(params); err != nil {
			return nil, err
		}
	}
	if value == nil || value.kind == kindNull {
		return nil, illegalArgument("value cannot be null")
	}
	q.value, _ = value.scalar()
	return q, nil
}

// fuzziness reads a number of letters, -1 for AUTO.
func fuzziness(n *node) (int, *apiError) {
	text, _ := n.scalar()
	if strings.EqualFold(text, "AUTO") {
		return -1, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 || v > 2 {
		return 0, illegalArgument("Invalid fuzziness value: %s", text)
	}
	return v, nil
}

func parseFuzzy(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	q := &fuzzyQuery{field: path, distance: -1, boost: 1}
	if params != nil {
		for _, m := range params.members {
			switch m.name {
			case "value", "term":
				value = m.value
			case "fuzziness":
				if q.distance, err = fuzziness(m.value); err != nil {
					return nil, err
				}
			case "prefix_length":
				q.prefix, _ = strconv.Atoi(m.value.text)
			case "max_expansions":
				if q.most, err = parseExpansions(m.value); err != nil {
					return nil, err
				}
			case "boost", "_name", "transpositions", "rewrite":
			default:
				return nil, unsupportedKey(name, m)
			}
		}
		if q.boost, err = boostOf(params); err != nil {
			return nil, err
		}
	}
	if value == nil || value.kind == kindNull {
		return nil, illegalArgument("value cannot be null")
	}
	q.value, _ = value.scalar()
	return q, nil
}

// parseExpansions reads a max_expansions.
func parseExpansions(v *node) (int, *apiError) {
	text, _ := v.scalar()
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", text)
	}
	if n == 0 {
		n = -1 // 0 would stand for the default
	}
	return n, nil
}

// matchParams reads the parameters of the match queries, all but the text.
func matchParams(name string, params *node, q *matchQuery, also ...string) *apiError {
	for _, m := range params.members {
		text, _ := m.value.scalar()
		switch m.name {
		case "query":
			if m.value.kind == kindNull {
				return parsingError(m.value.src, m.value.start, "No text specified for text query")
			}
			q.text = text
		case "operator":
			switch strings.ToLower(text) {
			case "and":
				q.and = true
			case "or":
			default:
				return illegalArgument("No enum constant org.elasticsearch.index.query.Operator.%s", strings.ToUpper(text))
			}
		case "minimum_should_match":
			q.minimum = text
		case "lenient":
			q.lenient = text == "true"
		case "zero_terms_query":
			switch strings.ToLower(text) {
			case "all":
				q.zeroAll = true
			case "none":
			default:
				return parsingError(m.value.src, m.value.start, "Unsupported zero_terms_query value [%s]", text)
			}
		case "fuzziness":
			d, err := fuzziness(m.value)
			if err != nil {
				return err
			}
			q.distance = &d
		case "prefix_length":
			q.prefix, _ = strconv.Atoi(text)
		case "analyzer":
			if text != "standard" {
				return illegalArgument("[%s] analyzer [%s] not found", name, text)
			}
		case "max_expansions":
			most, err := parseExpansions(m.value)
			if err != nil {
				return err
			}
			if most <= 0 && name != "match_phrase_prefix" {
				return illegalArgument("[%s] requires maxExpansions to be positive.", name)
			}
			q.most = most
		case "boost", "_name", "auto_generate_synonyms_phrase_query", "fuzzy_transpositions", "fuzzy_rewrite":
		default:
			if !slices.Contains(also, m.name) {
				return unsupportedKey(name, m)
			}
		}
	}
	return nil
}

func parseMatch(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	q := &matchQuery{field: path, boost: 1}
	if params == nil {
		if value.kind == kindNull {
			return nil, parsingError(n.src, value.end, "No text specified for text query")
		}
		text, scalar := value.scalar()
		if !scalar {
			return nil, parsingError(n.src, value.start, "[match] unknown token [%s] after [%s]", value.token(), path)
		}
		q.text = text
		return q, nil
	}
	if err := matchParams(name, params, q); err != nil {
		return nil, err
	}
	if params.get("query") == nil {
		return nil, parsingError(n.src, params.end-1, "No text specified for text query")
	}
	q.boost, err = boostOf(params)
	return q, err
}

func parsePhrase(_ *parseState, name string, n *node) (query, *apiError) {
	path, value, params, err := fieldBody(name, n)
	if err != nil {
		return nil, err
	}
	q := &phraseQuery{field: path, prefix: name == "match_phrase_prefix", boost: 1}
	if params != nil {
		inner := &matchQuery{}
		if err := matchParams(name, params, inner, "slop"); err != nil {
			return nil, err
		}
		q.most = inner.most
		if slop := params.get("slop"); slop != nil && slop.text != "0" {
			return nil, unsupported("[slop] of a phrase query")
		}
		if value = params.get("query"); value == nil {
			return nil, parsingError(n.src, params.end-1, "No text specified for text query")
		}
		if q.boost, err = boostOf(params); err != nil {
			return nil, err
		}
	}
	text, scalar := value.scalar()
	if !scalar {
		return nil, parsingError(n.src, value.start, "No text specified for text query")
	}
	q.text = text
	return q, nil
}

func texts(n *node) []string {
	var list []string
	for _, e := range n.list() {
		text, _ := e.scalar()
		list = append(list, text)
	}
	return list
}

func parseMultiMatch(_ *parseState, name string, n *node) (query, *apiError) {
	q := &multiMatchQuery{kind: "best_fields"}
	if err := matchParams(name, n, &q.match, "fields", "type", "tie_breaker", "slop"); err != nil {
		return nil, err
	}
	if n.get("query") == nil {
		return nil, parsingError(n.src, n.end-1, "No text specified for multi_match query")
	}
	var err *apiError
	if q.match.boost, err = boostOf(n); err != nil {
		return nil, err
	}
	if f := n.get("fields"); f != nil {
		q.fields = texts(f)
	}
	if t := n.get("type"); t != nil {
		q.kind = t.text
	}
	switch q.kind {
	case "best_fields", "most_fields", "phrase", "phrase_prefix":
	case "cross_fields", "bool_prefix":
		return nil, unsupported(fmt.Sprintf("a multi_match query of type [%s]", q.kind))
	default:
		return nil, newError(http.StatusBadRequest, "parse_exception", "failed to parse [multi_match] query type [%s]. unknown type.", q.kind)
	}
	if s := n.get("slop"); s != nil && s.text != "0" {
		return nil, unsupported("[slop] of a phrase query")
	}
	if t := n.get("tie_breaker"); t != nil {
		q.tie, err = number32(t)
	}
	return q, err
}

func parseBool(p *parseState, name string, n *node) (query, *apiError) {
	q := &boolQuery{}
	var err *apiError
	if q.boost, err = boostOf(n); err != nil {
		return nil, err
	}
	clauses := map[string]*[]query{"must": &q.must, "filter": &q.filter, "should": &q.should, "must_not": &q.mustNot, "mustNot": &q.mustNot}
	for _, m := range n.members {
		into := clauses[m.name]
		switch {
		case into != nil:
			if m.value.kind != kindObject && m.value.kind != kindArray {
				return nil, contentError(n.src, m.value.start, "[bool] %s doesn't support values of type: %s", m.name, m.value.token())
			}
			for _, e := range m.value.list() {
				sub, err := p.parseQuery(e)
				if err != nil {
					return nil, inside(n, m, err)
				}
				*into = append(*into, sub)
			}
		case m.name == "minimum_should_match":
			q.minimum, _ = m.value.scalar()
		case m.name == "boost" || m.name == "_name":
		case m.name == "adjust_pure_negative":
			if m.value.kind == kindFalse {
				return nil, unsupported("[adjust_pure_negative: false]")
			}
		default:
			return nil, contentError(n.src, m.start, "[bool] unknown field [%s]%s", m.name, suggestion(m.name))
		}
	}
	return q, nil
}

// suggestion names the clauses of a bool query that look like another name.
func suggestion(name string) string {
	var near []string
	for _, known := range []string{"filter", "must", "mustNot", "should"} {
		if d := editDistance(name, known); 2*d < max(len(name), len(known)) {
			near = append(near, known)
		}
	}
	switch len(near) {
	case 0:
		return ""
	case 1:
		return " did you mean [" + near[0] + "]?"
	default:
		return " did you mean any of [" + strings.Join(near, ", ") + "]?"
	}
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// inside wraps the error of a query that stands in a bool query.
func inside(n *node, m member, err *apiError) *apiError {
	wrapped := contentError(n.src, m.value.start, "[bool] failed to parse field [%s]", m.name)
	if m.value.kind == kindArray && len(m.value.elements) > 0 {
		wrapped = contentError(n.src, m.value.elements[0].start, "[bool] failed to parse field [%s]", m.name)
	}
	wrapped.cause = err
	wrapped.root = wrapped
	return wrapped
}

func parseConstant(p *parseState, name string, n *node) (query, *apiError) {
	q := &constantQuery{}
	var err *apiError
	for _, m := range n.members {
		switch m.name {
		case "filter":
			if q.inner, err = p.parseQuery(m.value); err != nil {
				return nil, err
			}
		case "boost", "_name":
		default:
			return nil, parsingError(n.src, m.value.start, "[constant_score] query does not support [%s]", m.name)
		}
	}
	if q.inner == nil {
		return nil, parsingError(n.src, n.end-1, "[constant_score] requires a 'filter' element")
	}
	q.boost, err = boostOf(n)
	return q, err
}

func parseDisMax(p *parseState, name string, n *node) (query, *apiError) {
	q := &disMaxQuery{}
	var err *apiError
	for _, m := range n.members {
		switch m.name {
		case "queries":
			for _, e := range m.value.list() {
				sub, err := p.parseQuery(e)
				if err != nil {
					return nil, err
				}
				q.queries = append(q.queries, sub)
			}
		case "tie_breaker":
			if q.tie, err = number32(m.value); err != nil {
				return nil, err
			}
		case "boost", "_name":
		default:
			return nil, unsupportedKey(name, m)
		}
	}
	if len(q.queries) == 0 {
		return nil, parsingError(n.src, n.end-1, "[dis_max] requires 'queries' field with at least one clause")
	}
	q.boost, err = boostOf(n)
	return q, err
}

func parseBoosting(p *parseState, name string, n *node) (query, *apiError) {
	q := &boostingQuery{factor: -1}
	var err *apiError
	for _, m := range n.members {
		switch m.name {
		case "positive":
			q.positive, err = p.parseQuery(m.value)
		case "negative":
			q.negative, err = p.parseQuery(m.value)
		case "negative_boost":
			q.factor, err = number32(m.value)
		case "boost", "_name":
		default:
			return nil, unsupportedKey(name, m)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case q.positive == nil:
		return nil, parsingError(n.src, n.end-1, "[boosting] query requires 'positive' query to be set'")
	case q.negative == nil:
		return nil, parsingError(n.src, n.end-1, "[boosting] query requires 'negative' query to be set'")
	case q.factor < 0:
		return nil, parsingError(n.src, n.end-1, "[boosting] query requires 'negative_boost' to be set to be a positive value'")
	}
	q.boost, err = boostOf(n)
	return q, err
}
