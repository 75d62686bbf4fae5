package search

import (
	"net/http"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxBuckets is how many buckets one answer may have, as search.max_buckets has it.
const maxBuckets = 65536

// aggSpec is one aggregation of a request.
type aggSpec struct {
	name, kind string
	body       aggBody
	subs       []*aggSpec
	pipes      []*pipelineSpec // that work on the buckets of this one, or on its siblings
	meta       *node
	slot       int // of what the body bound to an index
}

// aggBody is the definition of an aggregation, of one kind.
type aggBody interface {
	// bind prepares an aggregation for an index: what it returns is given to the
	// aggregators through aggPart.bound.
	bind(p *aggPart, spec *aggSpec) (any, error)
	// start makes an aggregator without documents.
	start(spec *aggSpec) aggregator
}

// aggregator gathers documents.
type aggregator interface {
	// collect takes in documents of the index that p is.
	collect(p *aggPart, b *batch) error
	// flush is called after the last document of an index.
	flush(p *aggPart) error
	// metric gives a number of the result by its name, for orders and pipelines.
	metric(name string) (float64, bool)
	// result gives the body of the answer.
	result(r *aggResult) (object, error)
	// typed is the name of the result's type, for typed_keys.
	typed() string
}

// wholeAggregator is an aggregator that can take in all documents of a segment at
// once, from what is known of its columns.
type wholeAggregator interface {
	// collectWhole reports false, and has done nothing, when it can't.
	collectWhole(p *aggPart, segment int) (bool, error)
}

// aggPart is an index that aggregators read from.
type aggPart struct {
	run    *searchRun
	search *searchPart
	x      *execution
	bound  []any      // by slot
	groups []grouping // by slot
}

// aggResult is on its way through the results.
type aggResult struct {
	typedKeys bool
	buckets   int
}

// count takes note of buckets in the answer.
func (r *aggResult) count(n int) *apiError {
	if r.buckets += n; r.buckets > maxBuckets {
		e := newError(http.StatusBadRequest, "too_many_buckets_exception", "Trying to create too many buckets. Must be less than or equal to: [%d] but this number of buckets was exceeded. This limit can be set by changing the [search.max_buckets] cluster level setting.", maxBuckets)
		e.meta = object{{"max_buckets", maxBuckets}}
		return e
	}
	return nil
}

// aggTree is all aggregations of a request.
type aggTree struct {
	specs []*aggSpec
	pipes []*pipelineSpec
	slots int
	roots []aggregator
}

// start makes the aggregators of a search.
func (t *aggTree) start() *aggTree {
	started := *t
	started.roots = startAll(t.specs)
	return &started
}

func startAll(specs []*aggSpec) []aggregator {
	if len(specs) == 0 {
		return nil
	}
	list := make([]aggregator, len(specs))
	for i, s := range specs {
		list[i] = s.body.start(s)
	}
	return list
}

// open prepares all aggregations for an index.
func (t *aggTree) open(run *searchRun, part *searchPart) (*aggPart, error) {
	p := &aggPart{run: run, search: part, x: part.x, bound: make([]any, t.slots), groups: make([]grouping, t.slots)}
	return p, p.bindAll(t.specs)
}

func (p *aggPart) bindAll(specs []*aggSpec) error {
	for _, s := range specs {
		b, err := s.body.bind(p, s)
		if err != nil {
			return err
		}
		p.bound[s.slot] = b
		for _, sub := range s.subs {
			if sub.kind == "global" {
				return illegalArgument("Aggregation [%s] cannot have a global sub-aggregation [%s]. Global aggregations can only be defined as top level aggregations", s.name, sub.name)
			}
		}
		scope := p.x
		if n, ok := s.body.(*nestedBody); ok {
			p.x = scope.inside(n.path)
		}
		if err := p.bindAll(s.subs); err != nil {
			return err
		}
		p.x = scope
	}
	return nil
}

// scored reports whether an aggregation needs scores.
func (t *aggTree) scored() bool {
	return t != nil && anySpec(t.specs, func(s *aggSpec) bool {
		switch b := s.body.(type) {
		case *topHitsBody:
			return b.scored()
		case *samplerBody:
			return true
		}
		return false
	})
}

func anySpec(specs []*aggSpec, f func(*aggSpec) bool) bool {
	return slices.ContainsFunc(specs, func(s *aggSpec) bool { return f(s) || anySpec(s.subs, f) })
}

func collectAll(p *aggPart, aggs []aggregator, b *batch) error {
	for _, a := range aggs {
		if err := a.collect(p, b); err != nil {
			return err
		}
	}
	return nil
}

// collect takes in documents of an index, none of whose scores are needed.
// late ends it with an error.
func (t *aggTree) collect(p *aggPart, docs *roaring.Bitmap, late func() error) error {
	rest := docs
	var piecemeal []aggregator
	begin := uint64(0)
	for i, seg := range p.x.segments() {
		size := uint64(seg.FullSize())
		segment := roaring.New()
		segment.AddRange(begin, begin+size)
		begin += size
		if size == 0 || docs.AndCardinality(segment) < size {
			continue
		}
		piecemeal = piecemeal[:0]
		for _, a := range t.roots {
			done := false
			if w, ok := a.(wholeAggregator); ok {
				var err error
				if done, err = w.collectWhole(p, i); err != nil {
					return err
				}
			}
			if !done {
				piecemeal = append(piecemeal, a)
			}
		}
		if len(piecemeal) > 0 {
			if err := p.inBatches(segment, piecemeal, late); err != nil {
				return err
			}
		}
		rest = roaring.AndNot(rest, segment)
	}
	return p.inBatches(rest, t.roots, late)
}

func (p *aggPart) inBatches(docs *roaring.Bitmap, aggs []aggregator, late func() error) error {
	return p.x.batches(docs, func(b *batch) error {
		if err := late(); err != nil {
			return err
		}
		return collectAll(p, aggs, b)
	})
}

func flushAll(p *aggPart, aggs []aggregator) error {
	for _, a := range aggs {
		if err := a.flush(p); err != nil {
			return err
		}
	}
	return nil
}

// results gives the "aggregations" of the answer.
func (t *aggTree) results(typedKeys bool) (object, error) {
	r := &aggResult{typedKeys: typedKeys}
	o, err := r.all(object{}, t.specs, t.roots)
	if err != nil {
		return nil, err
	}
	return r.siblings(o, t.pipes)
}

// all appends the results of some aggregations.
func (r *aggResult) all(o object, specs []*aggSpec, aggs []aggregator) (object, error) {
	for i, a := range aggs {
		body, err := a.result(r)
		if err != nil {
			return nil, err
		}
		if specs[i].meta != nil {
			body = append(object{{"meta", specs[i].meta}}, body...)
		}
		o = append(o, field{r.key(a.typed(), specs[i].name), body})
	}
	return o, nil
}

func (r *aggResult) key(typed, name string) string {
	if r.typedKeys {
		return typed + "#" + name
	}
	return name
}

// bucket is a group of documents with the aggregations over them.
type bucket struct {
	count int64
	subs  []aggregator
}

func (b *bucket) collect(p *aggPart, spec *aggSpec, docs *batch) error {
	if b.subs == nil && len(spec.subs) > 0 {
		b.subs = startAll(spec.subs)
	}
	b.count += int64(len(docs.docs))
	return collectAll(p, b.subs, docs)
}

// render appends the results of a bucket's aggregations to what it shows itself.
func (b *bucket) render(r *aggResult, spec *aggSpec, o object) (object, error) {
	if b.subs == nil {
		b.subs = startAll(spec.subs)
	}
	o, err := r.all(o, spec.subs, b.subs)
	if err != nil {
		return nil, err
	}
	return r.siblings(o, spec.pipes)
}

// bucketList is the result of an aggregation with several buckets: a list, or an
// object by their names.
func bucketList(shown []any, names []string, keyed bool) object {
	if !keyed {
		return object{{"buckets", shown}}
	}
	o := object{}
	for i, b := range shown {
		o = append(o, field{names[i], b})
	}
	return object{{"buckets", o}}
}

// aggParser reads one kind of aggregation.
type aggParser func(p *aggParse, spec *aggSpec, n *node) (aggBody, *apiError)

var aggParsers map[string]aggParser

func init() {
	aggParsers = map[string]aggParser{
		"avg": parseMetric, "sum": parseMetric, "min": parseMetric, "max": parseMetric, "stats": parseMetric,
		"extended_stats": parseMetric, "value_count": parseMetric, "cardinality": parseMetric,
		"percentiles": parseMetric, "percentile_ranks": parseMetric, "median_absolute_deviation": parseMetric,
		"weighted_avg": parseWeightedAvg, "top_hits": parseTopHits, "geo_bounds": parseMetric, "geo_centroid": parseMetric,
		"terms": parseTermsAgg, "rare_terms": parseRareTerms, "significant_terms": parseSignificant,
		"histogram": parseHistogram, "date_histogram": parseDateHistogram,
		"range": parseRangeAgg, "date_range": parseRangeAgg, "ip_range": parseRangeAgg,
		"filter": parseFilterAgg, "filters": parseFiltersAgg, "missing": parseMissingAgg, "global": parseGlobalAgg,
		"nested": parseNestedAgg, "reverse_nested": parseReverseNested, "sampler": parseSampler, "composite": parseComposite,
	}
}

// refusedAggs are the real server's that this one hasn't got.
var refusedAggs = []string{
	"variable_width_histogram", "diversified_sampler", "significant_text", "geo_distance", "geohash_grid", "geotile_grid", "ip_prefix", "random_sampler", "scripted_metric",
}

// leafAggs take no aggregations below them.
var leafAggs = []string{
	"avg", "sum", "min", "max", "stats", "extended_stats", "value_count", "cardinality", "percentiles", "percentile_ranks",
	"median_absolute_deviation", "weighted_avg", "top_hits", "geo_bounds", "geo_centroid",
}

// aggParse is on its way through the aggregations of a request.
type aggParse struct{ slots int }

// parseAggs reads the "aggs" of a search.
func parseAggs(n *node) (*aggTree, *apiError) {
	p := &aggParse{}
	specs, pipes, err := p.level(n)
	if err != nil {
		return nil, err
	}
	if err := checkPipelines(specs, pipes, nil); err != nil {
		return nil, err
	}
	return &aggTree{specs: specs, pipes: pipes, slots: p.slots}, nil
}

// level reads aggregations that stand side by side.
func (p *aggParse) level(n *node) ([]*aggSpec, []*pipelineSpec, *apiError) {
	var specs []*aggSpec
	var pipes []*pipelineSpec
	for _, m := range n.members {
		if strings.ContainsAny(m.name, "[]>") {
			return nil, nil, parsingError(n.src, m.start, "Invalid aggregation name [%s]. Aggregation names can contain any character except '[', ']', and '>'", m.name)
		}
		if m.value.kind != kindObject {
			return nil, nil, parsingError(n.src, m.value.start, "Aggregation definition for [%s starts with a [%s], expected a [START_OBJECT].", m.name, m.value.token())
		}
		spec, pipe, err := p.one(m)
		if err != nil {
			return nil, nil, err
		}
		if pipe != nil {
			pipes = append(pipes, pipe)
		} else {
			specs = append(specs, spec)
		}
	}
	return specs, pipes, nil
}

// one reads an aggregation, or a pipeline aggregation.
func (p *aggParse) one(m member) (*aggSpec, *pipelineSpec, *apiError) {
	spec := &aggSpec{name: m.name}
	var pipe *pipelineSpec
	var below *node
	for _, d := range m.value.members {
		switch d.name {
		case "meta":
			if d.value.kind != kindObject {
				return nil, nil, parsingError(d.value.src, d.value.start, "Expected [START_OBJECT] under [meta], but got a [%s] in [%s]", d.value.token(), m.name)
			}
			spec.meta = d.value
			continue
		case "aggs", "aggregations":
			if below != nil {
				return nil, nil, parsingError(d.value.src, d.value.start, "Found two sub aggregation definitions under [%s]", m.name)
			}
			if d.value.kind != kindObject {
				return nil, nil, parsingError(d.value.src, d.value.start, "Expected [START_OBJECT] under [%s], but got a [%s] in [%s]", d.name, d.value.token(), m.name)
			}
			below = d.value
			continue
		}
		if d.value.kind != kindObject {
			return nil, nil, parsingError(d.value.src, d.value.start, "Expected [START_OBJECT] under [%s], but got a [%s] in [%s]", d.name, d.value.token(), m.name)
		}
		if spec.kind != "" {
			return nil, nil, parsingError(d.value.src, d.value.start, "Found two aggregation type definitions in [%s]: [%s] and [%s]", m.name, spec.kind, d.name)
		}
		spec.kind = d.name
		var err *apiError
		switch {
		case aggParsers[d.name] != nil:
			spec.slot = p.slots
			p.slots++
			spec.body, err = aggParsers[d.name](p, spec, d.value)
		case pipelineParsers[d.name]:
			pipe = &pipelineSpec{name: m.name, kind: d.name}
			err = pipe.parse(d.value)
		case slices.Contains(refusedAggs, d.name) || slices.Contains(refusedPipelines, d.name):
			err = unsupported("the aggregation [" + d.name + "]")
		default:
			err = unknownAggregation(d)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if spec.kind == "" {
		return nil, nil, parsingError(m.value.src, m.value.end-1, "Missing definition for aggregation [%s]", m.name)
	}
	if pipe != nil {
		pipe.meta = spec.meta
		if below != nil {
			return nil, nil, illegalArgument("Aggregation [%s] cannot define sub-aggregations", m.name)
		}
		return nil, pipe, nil
	}
	if below != nil {
		if slices.Contains(leafAggs, spec.kind) && len(below.members) > 0 {
			return nil, nil, illegalArgument("Aggregator [%s] of type [%s] cannot accept sub-aggregations", m.name, spec.kind)
		}
		var err *apiError
		if spec.subs, spec.pipes, err = p.level(below); err != nil {
			return nil, nil, err
		}
	}
	return spec, nil, nil
}

func unknownAggregation(d member) *apiError {
	var known []string
	for name := range aggParsers {
		known = append(known, name)
	}
	for name := range pipelineParsers {
		known = append(known, name)
	}
	known = append(append(known, refusedAggs...), refusedPipelines...)
	e := parsingError(d.value.src, d.value.start, "Unknown aggregation type [%s]%s", d.name, didYouMean(d.name, known))
	e.cause = newError(0, "named_object_not_found_exception", "[%s] unknown field [%s]", at(d.value.src, d.value.start), d.name)
	return e
}

// didYouMean names what looks like a name, the nearest first.
func didYouMean(name string, known []string) string {
	type near struct {
		name  string
		score float64
	}
	var list []near
	for _, k := range known {
		score := 1 - float64(editDistance(name, k))/float64(max(len(name), len(k)))
		if score > 0.5 {
			list = append(list, near{k, score})
		}
	}
	slices.SortFunc(list, func(a, b near) int {
		if a.score != b.score {
			if a.score > b.score {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	switch len(list) {
	case 0:
		return ""
	case 1:
		return " did you mean [" + list[0].name + "]?"
	}
	var names []string
	for _, n := range list {
		names = append(names, n.name)
	}
	return " did you mean any of [" + strings.Join(names, ", ") + "]?"
}

// params reads the parameters of an aggregation by their names.
type params map[string]func(v *node) *apiError

// parse reads an object; an error of a parameter is wrapped with its place.
func (p params) parse(kind string, n *node) *apiError {
	for _, m := range n.members {
		read := p[m.name]
		if read == nil {
			known := []string{}
			for name := range p {
				known = append(known, name)
			}
			return contentError(n.src, m.start, "[%s] unknown field [%s]%s", kind, m.name, didYouMean(m.name, known))
		}
		if err := read(m.value); err != nil {
			if err.direct {
				err.direct = false
				return err
			}
			where := m.value.start
			switch { // it is where the reader stood
			case err.offset > 0:
				where = err.offset - 1
			case m.value.kind == kindArray || m.value.kind == kindObject:
				where = m.value.end - 1
			}
			e := contentError(n.src, where, "[%s] failed to parse field [%s]", kind, m.name)
			e.cause = err
			e.root = e.innermost()
			return e
		}
	}
	return nil
}

// unbuilt is what a definition is told whose parameters don't go together.
func unbuilt(kind string, cause *apiError) *apiError {
	e := newError(http.StatusBadRequest, "x_content_parse_exception", "Failed to build [%s] after last required field arrived", kind)
	e.cause = cause
	return e
}

// with adds parameters.
func (p params) with(more params) params {
	for name, read := range more {
		p[name] = read
	}
	return p
}

// wrongToken is a value of a type that a parameter doesn't take.
func wrongToken(kind, name string, v *node) *apiError {
	e := contentError(v.src, v.start, "[%s] %s doesn't support values of type: %s", kind, name, v.token())
	e.direct = true
	return e
}
