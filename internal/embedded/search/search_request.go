package search

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultSize   = 10
	defaultWindow = 10000
	// countAll asks for the exact number of matches.
	countAll = -1
	// countNone asks for none.
	countNone = 0
)

// searchRequest is a search, from its body and its parameters.
type searchRequest struct {
	query       query
	postFilter  query
	from, size  int
	sort        []sortKey
	after       []*node
	source      *sourceFilter
	trackScores bool
	totals      int // how far matches are counted: countAll, countNone or a number
	exactAsked  bool
	minScore    *float32
	version     bool
	seqNo       bool
	noStored    bool
	explain     bool
	terminate   int // terminate_after: documents of an index that are looked at, 0 for all
	timeout     time.Duration
	aggs        *aggTree
	fields      []fieldWish
	docvalues   []fieldWish
	highlight   *highlight
	collapse    *collapseSpec
	pit         *pointInTime
	slice       *sliceSpec
	boosts      []indexBoost
	intTotals   bool
	typedKeys   bool
	raw         []byte // the body, by which answers are kept
	partial     bool   // an index that can't be searched doesn't keep others from it

	scrolled   bool // a page of a scroll
	behind     *hit // of a scroll: the last hit of the page before
	knownTotal int  // of a scroll: what the first page counted
}

// indexBoost multiplies the scores of some indexes.
type indexBoost struct {
	pattern string
	boost   float32
}

// refusedSearchKeys are the real server's that this one hasn't got.
var refusedSearchKeys = []string{
	"suggest", "rescore", "script_fields", "runtime_mappings", "knn", "rank", "ext", "retriever", "sub_searches", "fielddata_fields",
}

// parseSearch reads the body of a search.
func parseSearch(n *node) (*searchRequest, *apiError) {
	r := &searchRequest{query: matchAllQuery{1}, size: defaultSize, totals: defaultWindow, partial: true}
	if n == nil {
		return r, nil
	}
	if n.kind != kindObject {
		return nil, parsingError(n.src, n.start, "Expected [START_OBJECT] but found [%s]", n.token())
	}
	r.raw = n.raw()
	for _, m := range n.members {
		if err := r.parseKey(m); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *searchRequest) parseKey(m member) *apiError {
	v := m.value
	unknown := parsingError(v.src, v.start, "Unknown key for a %s in [%s].", v.token(), m.name)
	text, scalar := v.scalar()
	flag := func(into *bool) *apiError {
		if text != "true" && text != "false" {
			return illegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", text)
		}
		*into = text == "true"
		return nil
	}
	var err *apiError
	switch m.name {
	case "query", "post_filter":
		if v.kind != kindObject {
			return unknown
		}
		q, err := (&parseState{}).parseQuery(v)
		if err != nil {
			return err
		}
		if m.name == "query" {
			r.query = q
		} else {
			r.postFilter = q
		}
	case "from", "size", "terminate_after":
		if !scalar {
			return unknown
		}
		i, convErr := strconv.Atoi(text)
		if convErr != nil {
			return newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", text)
		}
		switch m.name {
		case "from":
			r.from = i
			if i < 0 {
				return illegalArgument("[from] parameter cannot be negative but was [%d]", i)
			}
		case "size":
			r.size = i
			if i < 0 {
				return illegalArgument("[size] parameter cannot be negative, found [%d]", i)
			}
		default:
			if i < 0 {
				return illegalArgument("terminateAfter must be > 0")
			}
			r.terminate = i
		}
	case "sort":
		r.sort, err = parseSort(v)
	case "search_after":
		if v.kind != kindArray {
			return unknown
		}
		r.after = v.elements
	case "_source":
		r.source, err = parseSourceFilter(v)
	case "track_scores":
		err = flag(&r.trackScores)
	case "version":
		err = flag(&r.version)
	case "seq_no_primary_term":
		err = flag(&r.seqNo)
	case "track_total_hits":
		r.totals, err = parseTotals(text)
		r.exactAsked = r.totals == countAll
	case "min_score":
		f, numErr := number32(v)
		r.minScore, err = &f, numErr
	case "timeout":
		r.timeout, err = parseTimeValue("timeout", text)
	case "explain":
		err = flag(&r.explain)
	case "profile":
		on := false
		if err = flag(&on); err == nil && on {
			return unsupported("[profile] of a search")
		}
	case "stats":
	case "aggs", "aggregations":
		if v.kind != kindObject {
			return unknown
		}
		r.aggs, err = parseAggs(v)
	case "fields":
		r.fields, err = parseFieldWishes(m.name, v)
	case "docvalue_fields":
		r.docvalues, err = parseFieldWishes(m.name, v)
	case "highlight":
		r.highlight, err = parseHighlight(v)
	case "collapse":
		r.collapse, err = parseCollapse(v)
	case "pit":
		r.pit, err = parsePoint(v)
	case "slice":
		r.slice, err = parseSlice(v)
	case "indices_boost":
		err = r.parseBoosts(v)
	case "stored_fields":
		if list := texts(v); len(list) != 1 || list[0] != "_none_" {
			return unsupported("[stored_fields] of a search")
		}
		r.noStored = true
	default:
		if slices.Contains(refusedSearchKeys, m.name) {
			return unsupported("[" + m.name + "] of a search")
		}
		return unknown
	}
	return err
}

// parseBoosts reads "indices_boost".
func (r *searchRequest) parseBoosts(v *node) *apiError {
	for _, e := range v.list() {
		if e.kind != kindObject {
			return parsingError(e.src, e.start, "Expected [START_OBJECT] in [indices_boost] but found [%s]", e.token())
		}
		for _, m := range e.members {
			boost, err := number32(m.value)
			if err != nil {
				return err
			}
			r.boosts = append(r.boosts, indexBoost{m.name, boost})
		}
	}
	return nil
}

// check reports parts of a request that don't go together.
func (r *searchRequest) check(scroll bool) *apiError {
	var problems []string
	if scroll {
		if r.size == 0 {
			problems = append(problems, "[size] cannot be [0] in a scroll context")
		}
		if r.from > 0 {
			problems = append(problems, "using [from] is not allowed in a scroll context")
		}
		if r.totals != countAll && r.totals != defaultWindow {
			problems = append(problems, "disabling [track_total_hits] is not allowed in a scroll context")
		}
		if r.collapse != nil {
			problems = append(problems, "cannot use `collapse` in a scroll context")
		}
		if r.pit != nil {
			problems = append(problems, "using [point in time] is not allowed in a scroll context")
		}
		if len(r.after) > 0 {
			problems = append(problems, "`search_after` cannot be used in a scroll context.")
		}
	} else if r.slice != nil && r.pit == nil {
		problems = append(problems, "[slice] can only be used with [scroll] or [point-in-time] requests")
	}
	if len(r.after) > 0 && r.from > 0 {
		problems = append(problems, "[from] parameter must be set to 0 when [search_after] is used")
	}
	if len(problems) > 0 {
		return validationFailed(problems...)
	}
	return nil
}

func parseTotals(text string) (int, *apiError) {
	switch text {
	case "true":
		return countAll, nil
	case "false":
		return countNone, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", text)
	}
	if n < 0 {
		return 0, illegalArgument("[track_total_hits] parameter must be positive or equals to -1, got %d", n)
	}
	return n, nil
}

// searchParams reads the parameters of a search over what its body says.
func (c *call) searchParams(r *searchRequest) error {
	var err error
	if c.has("size") {
		if r.size, err = c.number("size", defaultSize); err != nil {
			return err
		}
		if r.size < 0 {
			return illegalArgument("[size] parameter cannot be negative, found [%d]", r.size)
		}
	}
	if c.has("from") {
		if r.from, err = c.number("from", 0); err != nil {
			return err
		}
		if r.from < 0 {
			return illegalArgument("[from] parameter cannot be negative but was [%d]", r.from)
		}
	}
	if err := c.queryParams(r); err != nil {
		return err
	}
	for _, key := range names(c.param("sort")) {
		name, order, _ := strings.Cut(key, ":")
		k := sortKey{field: name, desc: name == "_score"}
		switch order {
		case "":
		case "asc", "desc":
			k.desc = order == "desc"
		default:
			continue // as the real server has it
		}
		r.sort = append(r.sort, k)
	}
	if f := c.sourceParams(); f != nil {
		r.source = f
	}
	for _, p := range []struct {
		name string
		into *bool
	}{
		{"track_scores", &r.trackScores}, {"version", &r.version}, {"seq_no_primary_term", &r.seqNo},
		{"rest_total_hits_as_int", &r.intTotals}, {"typed_keys", &r.typedKeys},
	} {
		if *p.into, err = c.flag(p.name, *p.into); err != nil {
			return err
		}
	}
	if v := c.param("track_total_hits"); v != "" {
		n, apiErr := parseTotals(v)
		if apiErr != nil {
			return apiErr
		}
		r.totals, r.exactAsked = n, n == countAll
	}
	if r.intTotals {
		r.totals, r.exactAsked = countAll, true
	}
	if c.has("timeout") {
		if r.timeout, err = c.duration("timeout", 0); err != nil {
			return err
		}
	}
	if c.has("terminate_after") {
		if r.terminate, err = c.number("terminate_after", 0); err != nil {
			return err
		}
		if r.terminate < 0 {
			return illegalArgument("terminateAfter must be > 0")
		}
	}
	if r.explain, err = c.flag("explain", r.explain); err != nil {
		return err
	}
	for _, name := range names(c.param("docvalue_fields")) {
		r.docvalues = append(r.docvalues, fieldWish{pattern: name})
	}
	for _, name := range []string{"suggest_field", "suggest_text", "stored_fields"} {
		if v := c.param(name); v != "" && v != "false" && v != "0" {
			return unsupported("the parameter [" + name + "]")
		}
	}
	if _, err := c.flag("request_cache", false); err != nil {
		return err
	}
	if r.partial, err = c.flag("allow_partial_search_results", true); err != nil {
		return err
	}
	c.ignore("preference", "routing", "search_type", "batched_reduce_size", "max_concurrent_shard_requests", "pre_filter_shard_size", "ccs_minimize_roundtrips", "min_compatible_shard_node", "include_named_queries_score", "stats")
	return nil
}

// queryParams reads the query that stands in parameters.
func (c *call) queryParams(r *searchRequest) error {
	q := &stringQuery{text: c.param("q"), wildcard: true, boost: 1}
	if df := c.param("df"); df != "" {
		q.fields = []string{df}
	}
	switch op := strings.ToLower(c.param("default_operator")); op {
	case "and":
		q.and = true
	case "", "or":
	default:
		return illegalArgument("No enum constant org.elasticsearch.index.query.Operator.%s", strings.ToUpper(op))
	}
	var err error
	if q.lenient, err = c.flag("lenient", false); err != nil {
		return err
	}
	if v := c.param("analyzer"); v != "" && v != "standard" {
		return illegalArgument("analyzer [%s] not found", v)
	}
	c.ignore("analyze_wildcard")
	if q.text != "" {
		r.query = q
	}
	return nil
}

// sortKey is one criterion of an order.
type sortKey struct {
	field    string
	desc     bool
	missing  *node
	unmapped string
	format   *dateFormat
	mode     string
}

// parseSort reads the "sort" of a body.
func parseSort(n *node) ([]sortKey, *apiError) {
	var keys []sortKey
	for _, e := range n.list() {
		switch e.kind {
		case kindString:
			keys = append(keys, sortKey{field: e.text, desc: e.text == "_score"})
		case kindObject:
			for _, m := range e.members {
				k, err := parseSortKey(m)
				if err != nil {
					return nil, err
				}
				keys = append(keys, k)
			}
		default:
			return nil, illegalArgument("malformed sort format, within the sort array, an object, or an actual string are allowed")
		}
	}
	return keys, nil
}

func parseSortKey(m member) (sortKey, *apiError) {
	k := sortKey{field: m.name, desc: m.name == "_score"}
	order := func(v *node, offset int) *apiError {
		switch strings.ToLower(v.text) {
		case "asc":
			k.desc = false
		case "desc":
			k.desc = true
		default:
			e := contentError(v.src, offset, "[field_sort] failed to parse field [order]")
			e.cause = illegalArgument("No enum constant org.elasticsearch.search.sort.SortOrder.%s", strings.ToUpper(v.text))
			return e
		}
		return nil
	}
	if m.value.kind != kindObject {
		err := order(m.value, m.value.start)
		if err != nil && err.cause != nil {
			err = err.cause
			err.status = http.StatusBadRequest
		}
		return k, err
	}
	for _, p := range m.value.members {
		switch p.name {
		case "order":
			if err := order(p.value, p.value.start); err != nil {
				return k, err
			}
		case "missing":
			k.missing = p.value
		case "unmapped_type":
			k.unmapped = p.value.text
		case "format":
			f, err := newDateFormat(p.value.text)
			if err != nil {
				return k, err
			}
			k.format = f
		case "mode":
			k.mode = p.value.text
			if !slices.Contains([]string{"min", "max", "sum", "avg", "median"}, k.mode) {
				e := contentError(p.value.src, p.value.start, "[field_sort] failed to parse field [mode]")
				e.cause = illegalArgument("Unknown SortMode [%s]", k.mode)
				return k, e
			}
		case "numeric_type":
			return k, unsupported("[numeric_type] of a sort")
		default:
			return k, contentError(p.value.src, p.start, "[field_sort] unknown field [%s]", p.name)
		}
	}
	return k, nil
}
