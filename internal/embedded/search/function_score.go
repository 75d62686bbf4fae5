package search

import (
	"encoding/base64"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// functionScoreQuery changes the scores of another query by functions.
type functionScoreQuery struct {
	inner     query
	functions []scoreFunction
	scoreMode string
	boostMode string
	maxBoost  float32
	minScore  *float32
	boost     float32
}

// scoreFunction is one function, for the documents that its filter has.
type scoreFunction struct {
	filter query
	weight *float32
	kind   string // weight, field_value_factor, random_score, gauss, exp, linear

	field    string
	factor   float64
	modifier string
	missing  *float64
	seed     *uint64

	origin, scale, offset string
	decay                 float64
	mode                  string // multi_value_mode
}

var decayKinds = []string{"gauss", "exp", "linear"}

func parseFunctionScore(p *parseState, name string, n *node) (query, *apiError) {
	q := &functionScoreQuery{inner: matchAllQuery{1}, scoreMode: "multiply", boostMode: "multiply", maxBoost: math.MaxFloat32}
	var single []member
	var err *apiError
	for _, m := range n.members {
		switch m.name {
		case "query":
			q.inner, err = p.parseQuery(m.value)
		case "functions":
			for _, e := range m.value.list() {
				f, fErr := parseFunction(p, e)
				if fErr != nil {
					return nil, fErr
				}
				q.functions = append(q.functions, f)
			}
		case "score_mode":
			q.scoreMode = strings.ToLower(m.value.text)
			if !slices.Contains([]string{"multiply", "sum", "avg", "first", "max", "min"}, q.scoreMode) {
				err = illegalArgument("No enum constant org.elasticsearch.common.lucene.search.function.FunctionScoreQuery.ScoreMode.%s", strings.ToUpper(q.scoreMode))
			}
		case "boost_mode":
			q.boostMode = strings.ToLower(m.value.text)
			if !slices.Contains([]string{"multiply", "replace", "sum", "avg", "max", "min"}, q.boostMode) {
				err = illegalArgument("No enum constant org.elasticsearch.common.lucene.search.function.CombineFunction.%s", strings.ToUpper(q.boostMode))
			}
		case "max_boost":
			q.maxBoost, err = number32(m.value)
		case "min_score":
			f, fErr := number32(m.value)
			q.minScore, err = &f, fErr
		case "boost", "_name":
		case "weight", "field_value_factor", "random_score", "script_score", "gauss", "exp", "linear":
			single = append(single, m)
		default:
			if m.value.kind != kindObject {
				return nil, parsingError(m.value.src, m.value.start, "failed to parse [function_score] query. field [%s] is not supported", m.name)
			}
			return nil, parsingError(m.value.src, m.value.start, "no [%s] registered for [function_score]", m.name)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(single) > 0 {
		if len(q.functions) > 0 {
			return nil, parsingError(n.src, single[0].value.start, "failed to parse [function_score] query. already found [functions] array, now encountering [%s].", single[0].name)
		}
		f, fErr := parseFunction(p, &node{kind: kindObject, members: single, src: n.src, start: n.start, end: n.end})
		if fErr != nil {
			return nil, fErr
		}
		q.functions = append(q.functions, f)
	}
	q.boost, err = boostOf(n)
	return q, err
}

func parseFunction(p *parseState, n *node) (scoreFunction, *apiError) {
	f := scoreFunction{kind: "weight", factor: 1, modifier: "none", decay: 0.5, mode: "min"}
	if n.kind != kindObject {
		return f, parsingError(n.src, n.start, "failed to parse [function_score]. malformed query, expected a [START_OBJECT] while parsing functions but got a [%s] instead", n.token())
	}
	for _, m := range n.members {
		var err *apiError
		switch m.name {
		case "filter":
			f.filter, err = p.parseQuery(m.value)
		case "weight":
			w, wErr := number32(m.value)
			f.weight, err = &w, wErr
		case "field_value_factor":
			f.kind = m.name
			err = f.parseFactor(m.value)
		case "random_score":
			f.kind = m.name
			if seed := m.value.get("seed"); seed != nil {
				text, _ := seed.scalar()
				h := fnv.New64a()
				_, _ = h.Write([]byte(text))
				s := h.Sum64()
				f.seed = &s
			}
		case "gauss", "exp", "linear":
			f.kind = m.name
			err = f.parseDecay(m.value)
		case "script_score":
			err = illegalArgument("script_lang not supported [painless]")
		default:
			err = parsingError(m.value.src, m.value.start, "no [%s] registered for [function_score]", m.name)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *scoreFunction) parseFactor(v *node) *apiError {
	for _, m := range v.members {
		var err *apiError
		switch m.name {
		case "field":
			f.field = m.value.text
		case "factor":
			f.factor, err = number64(m.value)
		case "modifier":
			f.modifier = strings.ToLower(m.value.text)
			if !slices.Contains([]string{"none", "log", "log1p", "log2p", "ln", "ln1p", "ln2p", "square", "sqrt", "reciprocal"}, f.modifier) {
				err = illegalArgument("No enum constant org.elasticsearch.common.lucene.search.function.FieldValueFactorFunction.Modifier.%s", strings.ToUpper(f.modifier))
			}
		case "missing":
			d, dErr := number64(m.value)
			f.missing, err = &d, dErr
		default:
			err = parsingError(v.src, m.value.start, "field_value_factor query does not support [%s]", m.name)
		}
		if err != nil {
			return err
		}
	}
	if f.field == "" {
		return parsingError(v.src, v.end-1, "[field_value_factor] required field 'field' missing")
	}
	return nil
}

func (f *scoreFunction) parseDecay(v *node) *apiError {
	for _, m := range v.members {
		if m.name == "multi_value_mode" {
			f.mode = strings.ToLower(m.value.text)
			continue
		}
		f.field = m.name
		for _, p := range m.value.members {
			text, _ := p.value.scalar()
			switch p.name {
			case "origin":
				f.origin = text
			case "scale":
				f.scale = text
			case "offset":
				f.offset = text
			case "decay":
				d, err := number64(p.value)
				if err != nil {
					return err
				}
				if d <= 0 || d >= 1 {
					return illegalArgument("decay must be in the range [0..1].")
				}
				f.decay = d
			default:
				return parsingError(v.src, p.value.start, "[%s] does not support [%s]", f.kind, p.name)
			}
		}
	}
	if f.field == "" || f.scale == "" {
		return newError(400, "parse_exception", "[scale] must be set for numeric fields.")
	}
	return nil
}

// boundFunction is a function on an index.
type boundFunction struct {
	*scoreFunction
	docs                           *roaring.Bitmap // nil for all
	values                         *fieldValues
	originAt, scaleAt, toleranceAt float64
	random                         *rand.Rand
}

func (f *scoreFunction) bind(x *execution) (*boundFunction, error) {
	b := &boundFunction{scoreFunction: f}
	var err error
	if f.filter != nil {
		if b.docs, err = x.docs(f.filter); err != nil {
			return nil, err
		}
	}
	if f.kind == "random_score" {
		seed := rand.Uint64()
		if f.seed != nil {
			seed = *f.seed
		}
		b.random = rand.New(rand.NewPCG(seed, 1))
	}
	if f.field == "" {
		return b, nil
	}
	if x.mapping.lookup(f.field) == nil {
		if f.kind == "field_value_factor" && f.missing == nil {
			return nil, newError(400, "exception", "Unable to find a field mapper for field [%s]. No 'missing' value defined.", f.field)
		}
		if f.kind != "field_value_factor" {
			return nil, newError(400, "parse_exception", "unknown field [%s]", f.field)
		}
	}
	if b.values, err = x.values(&valueSource{field: f.field}); err != nil {
		return nil, err
	}
	if b.values.kind == termValues || b.values.m != nil && b.values.m.typ == "geo_point" {
		return nil, unsupported("a score function on the field [" + f.field + "], which is no number and no date,")
	}
	if !slices.Contains(decayKinds, f.kind) {
		return b, nil
	}
	return b, b.bindDecay(x)
}

func (b *boundFunction) bindDecay(x *execution) error {
	if b.values.m.typ == "date" {
		origin := b.origin
		if origin == "" {
			origin = "now"
		}
		at, err := b.values.m.format.parseMath(origin, false, x.now)
		if err != nil {
			return err
		}
		scale, err := parseTimeValue("scale", b.scale)
		if err != nil {
			return err
		}
		b.originAt, b.scaleAt = float64(at), float64(scale.Milliseconds())
		if b.offset != "" {
			offset, err := parseTimeValue("offset", b.offset)
			if err != nil {
				return err
			}
			b.toleranceAt = float64(offset.Milliseconds())
		}
		return nil
	}
	for _, s := range []struct {
		text string
		into *float64
	}{{b.origin, &b.originAt}, {b.scale, &b.scaleAt}, {b.offset, &b.toleranceAt}} {
		if s.text == "" {
			continue
		}
		f, err := number64(&node{kind: kindString, text: s.text})
		if err != nil {
			return err
		}
		*s.into = f
	}
	return nil
}

// value is what the function makes of a document.
func (b *boundFunction) value(doc uint64, score float32) (float64, error) {
	v := 1.0
	switch b.kind {
	case "random_score":
		v = b.random.Float64()
	case "field_value_factor":
		list, err := b.values.numbers(doc)
		switch {
		case err != nil:
			return 0, err
		case len(list) > 0:
			v = b.values.double(list[0])
		case b.missing != nil:
			v = *b.missing
		default:
			return 0, newError(400, "exception", "Missing value for field [%s]", b.field)
		}
		v = modify(b.modifier, v*b.factor)
		if v < 0 || math.IsNaN(v) {
			return 0, illegalArgument("field value function must not produce negative scores, but got: [%s] for field value: [%s]", javaFloat(v, 64), b.field)
		}
	case "gauss", "exp", "linear":
		list, err := b.values.numbers(doc)
		if err != nil {
			return 0, err
		}
		if len(list) > 0 {
			distance := math.Inf(1)
			for _, raw := range list {
				distance = math.Min(distance, math.Abs(b.values.double(raw)-b.originAt))
			}
			v = b.fade(math.Max(0, distance-b.toleranceAt))
		}
	}
	if b.weight != nil {
		v *= float64(*b.weight)
	}
	return v, nil
}

func modify(modifier string, v float64) float64 {
	switch modifier {
	case "log":
		return math.Log10(v)
	case "log1p":
		return math.Log10(v + 1)
	case "log2p":
		return math.Log10(v + 2)
	case "ln":
		return math.Log(v)
	case "ln1p":
		return math.Log1p(v)
	case "ln2p":
		return math.Log1p(v + 1)
	case "square":
		return v * v
	case "sqrt":
		return math.Sqrt(v)
	case "reciprocal":
		return 1 / v
	default:
		return v
	}
}

func (b *boundFunction) fade(distance float64) float64 {
	switch b.kind {
	case "gauss":
		return math.Exp(0.5 * distance * distance / (0.5 * b.scaleAt * b.scaleAt / math.Log(b.decay)))
	case "exp":
		return math.Exp(math.Log(b.decay) / b.scaleAt * distance)
	default:
		scale := b.scaleAt / (1 - b.decay)
		return math.Max(0, (scale-distance)/scale)
	}
}

func (q *functionScoreQuery) build(x *execution) (iterator, error) {
	it, err := q.inner.build(x)
	if err != nil {
		return nil, err
	}
	f := &functionIterator{iterator: it, q: q}
	for i := range q.functions {
		b, err := q.functions[i].bind(x)
		if err != nil {
			return nil, joinClose(err, it.close)
		}
		f.functions = append(f.functions, b)
	}
	return f, nil
}

type functionIterator struct {
	iterator
	q         *functionScoreQuery
	functions []*boundFunction
	begun     bool
	doc       uint64
	current   float32
}

func (it *functionIterator) advance(target uint64) (uint64, error) {
	if it.begun && it.doc >= target {
		return it.doc, nil
	}
	for {
		doc, err := it.iterator.advance(target)
		it.begun, it.doc = true, doc
		if err != nil || doc == noDoc {
			return doc, err
		}
		if it.current, err = it.rate(doc); err != nil {
			return noDoc, err
		}
		if it.q.minScore == nil || it.current >= *it.q.minScore {
			return doc, nil
		}
		target = doc + 1
	}
}

func (it *functionIterator) score() float32 { return it.current }

// rate combines the functions with each other and with the query's score.
func (it *functionIterator) rate(doc uint64) (float32, error) {
	score := it.iterator.score()
	var values, weights []float64
	for _, f := range it.functions {
		if f.docs != nil && !f.docs.Contains(uint32(doc)) {
			continue
		}
		v, err := f.value(doc, score)
		if err != nil {
			return 0, err
		}
		weight := 1.0
		if f.weight != nil {
			weight = float64(*f.weight)
		}
		values, weights = append(values, v), append(weights, weight)
		if it.q.scoreMode == "first" {
			break
		}
	}
	if len(it.functions) == 0 || len(values) == 0 {
		if it.q.boostMode == "replace" && len(it.functions) > 0 {
			return it.q.boost, nil
		}
		return score * it.q.boost, nil
	}
	made := math.Min(combineScores(it.q.scoreMode, values, weights), float64(it.q.maxBoost))
	s := float64(score)
	switch it.q.boostMode {
	case "multiply":
		s *= made
	case "replace":
		s = made
	case "sum":
		s += made
	case "avg":
		s = (s + made) / 2
	case "max":
		s = math.Max(s, made)
	case "min":
		s = math.Min(s, made)
	}
	return float32(s) * it.q.boost, nil
}

func combineScores(mode string, values, weights []float64) float64 {
	out := values[0]
	switch mode {
	case "multiply":
		for _, v := range values[1:] {
			out *= v
		}
	case "max":
		out = slices.Max(values)
	case "min":
		out = slices.Min(values)
	case "sum", "avg":
		sum, all := 0.0, 0.0
		for i, v := range values {
			sum += v
			all += weights[i]
		}
		if out = sum; mode == "avg" {
			out = sum / all
		}
	}
	return out
}

// parseWrapper reads a query that stands in base64.
func parseWrapper(p *parseState, name string, n *node) (query, *apiError) {
	if err := onlyKeys(name, n, "query"); err != nil {
		return nil, err
	}
	inner := n.get("query")
	if inner == nil {
		return nil, parsingError(n.src, n.end-1, "wrapper query has no [query]")
	}
	raw, err := base64.StdEncoding.DecodeString(inner.text)
	if err != nil {
		return nil, illegalArgument("the [query] of a wrapper query is not base64")
	}
	parsed, _, err := parseJSON(raw)
	if err != nil {
		return nil, syntaxError(err)
	}
	return p.parseQuery(parsed)
}

// scriptQuery can't be carried out: there is no language for scripts.
type scriptQuery struct{}

func parseScript(_ *parseState, name string, n *node) (query, *apiError) {
	if n.get("script") == nil {
		return nil, parsingError(n.src, n.end-1, "script must be provided with a [filter]")
	}
	return scriptQuery{}, nil
}

func (scriptQuery) build(x *execution) (iterator, error) {
	e := queryShard(x.ix, "failed to create query: script_lang not supported [painless]")
	e.cause = illegalArgument("script_lang not supported [painless]")
	return nil, e
}

// prefixWordsQuery is match_bool_prefix: words, the last of which may be the
// beginning of one.
type prefixWordsQuery struct {
	matchQuery
}

func parsePrefixWords(p *parseState, name string, n *node) (query, *apiError) {
	q, err := parseMatch(p, name, n)
	if err != nil {
		return nil, err
	}
	return &prefixWordsQuery{*q.(*matchQuery)}, nil
}

func (q *prefixWordsQuery) build(x *execution) (iterator, error) { return built(x, q) }

func (q *prefixWordsQuery) rewrite(x *execution) (query, error) {
	m := x.mapping.lookup(q.field)
	if m == nil || m.typ != "text" {
		return &q.matchQuery, nil
	}
	tokens := analyzeText(q.text, 0)
	if len(tokens) == 0 {
		return matchNoneQuery{}, nil
	}
	all := &boolQuery{minimum: q.minimum, boost: 1}
	into := &all.should
	if q.and {
		into, all.minimum = &all.must, ""
	}
	for i, t := range tokens {
		if i == len(tokens)-1 {
			*into = append(*into, &patternQuery{kind: "prefix", field: q.field, value: t.text, boost: q.boost})
		} else {
			*into = append(*into, &termsQuery{field: q.field, values: []string{t.text}, one: true, boost: q.boost})
		}
	}
	return all, nil
}
