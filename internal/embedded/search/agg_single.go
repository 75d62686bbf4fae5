package search

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"
)

// singleBucket is an aggregation with one bucket: filter, missing, global,
// nested, reverse_nested, sampler.
type singleBucket struct {
	spec   *aggSpec
	kind   string
	bucket bucket
	// sampled are the documents of the index at hand that a sampler has chosen.
	sampled sampleHeap
	last    uint64 // the last document that reverse_nested led to
	led     bool
}

func (s *singleBucket) collect(p *aggPart, b *batch) error {
	into := func(b *batch) error { return s.bucket.collect(p, s.spec, b) }
	switch part := p.bound[s.spec.slot].(type) {
	case docBits: // filter
		return p.groups[s.spec.slot].onlyIn(b, part, into)
	case *fieldValues: // missing
		return s.collectMissing(p, part, b, into)
	case *globalPart:
		return nil
	case *nestedPart:
		return s.collectNested(part, b, into)
	case *samplerPart:
		for i, doc := range b.docs {
			one := sample{doc: uint64(doc), score: b.score(i), segment: b.segment}
			var err error
			if one.seq, _, err = part.seqs.first(one.doc); err != nil {
				return err
			}
			s.sampled.offer(one, part.size)
		}
		return nil
	default:
		return into(b)
	}
}

func (s *singleBucket) collectMissing(p *aggPart, v *fieldValues, b *batch, into func(*batch) error) error {
	var failed error
	err := p.groups[s.spec.slot].only(b, func(i int) bool {
		has, err := v.has(uint64(b.docs[i]))
		failed = errors.Join(failed, err)
		return !has
	}, into)
	return errors.Join(failed, err)
}

// collectNested takes in the documents that others lead to.
func (s *singleBucket) collectNested(part *nestedPart, b *batch, into func(*batch) error) error {
	led := batch{segment: b.segment}
	if b.scores != nil {
		led.scores = []float32{}
	}
	for i, doc := range b.docs {
		for _, other := range part.follow(uint64(doc)) {
			if part.once && !part.first(s, other) {
				continue
			}
			led.docs = append(led.docs, uint32(other))
			if b.scores != nil {
				led.scores = append(led.scores, b.scores[i])
			}
		}
	}
	if len(led.docs) == 0 {
		return nil
	}
	return into(&led)
}

func (s *singleBucket) flush(p *aggPart) error {
	switch part := p.bound[s.spec.slot].(type) {
	case *globalPart:
		err := p.x.batches(part.docs, func(b *batch) error { return s.bucket.collect(p, s.spec, b) })
		if err != nil {
			return err
		}
	case *samplerPart:
		list := []sample(s.sampled)
		slices.SortFunc(list, func(a, b sample) int { return cmp.Compare(a.doc, b.doc) })
		for _, d := range list {
			one := &batch{segment: d.segment, docs: []uint32{uint32(d.doc)}, scores: []float32{d.score}}
			if err := s.bucket.collect(p, s.spec, one); err != nil {
				return err
			}
		}
		s.sampled = nil
	}
	return flushAll(p, s.bucket.subs)
}

func (s *singleBucket) metric(name string) (float64, bool) {
	return float64(s.bucket.count), name == "" || name == "doc_count" || name == "_count"
}

func (s *singleBucket) typed() string {
	if s.kind == "sampler" && s.bucket.count == 0 && s.bucket.subs == nil {
		return "unmapped_sampler"
	}
	return s.kind
}

func (s *singleBucket) result(r *aggResult) (object, error) {
	return s.bucket.render(r, s.spec, object{{"doc_count", s.bucket.count}})
}

// filterBody has the documents that match a query.
type filterBody struct{ query query }

func parseFilterAgg(_ *aggParse, _ *aggSpec, n *node) (aggBody, *apiError) {
	q, err := (&parseState{}).parseQuery(n)
	return &filterBody{q}, err
}

func (b *filterBody) bind(p *aggPart, _ *aggSpec) (any, error) {
	docs, err := p.x.docs(b.query)
	if err != nil {
		return nil, err
	}
	return bitsOf(docs), nil
}

func (b *filterBody) start(spec *aggSpec) aggregator {
	return &singleBucket{spec: spec, kind: "filter"}
}

// missingBody has the documents without a value.
type missingBody struct{ valueSource }

func parseMissingAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &missingBody{}
	if err := b.params(spec.kind).parse(spec.kind, n); err != nil {
		return nil, err
	}
	return b, b.require()
}

func (b *missingBody) bind(p *aggPart, _ *aggSpec) (any, error) { return p.x.values(&b.valueSource) }
func (b *missingBody) start(spec *aggSpec) aggregator {
	return &singleBucket{spec: spec, kind: "missing"}
}

// globalBody has all documents, whatever the query.
type globalBody struct{}

type globalPart struct{ docs *roaring.Bitmap }

func parseGlobalAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	return &globalBody{}, params{}.parse(spec.kind, n)
}

func (b *globalBody) bind(p *aggPart, _ *aggSpec) (any, error) {
	docs, err := p.x.base(p.search.filter)
	return &globalPart{docs}, err
}

func (b *globalBody) start(spec *aggSpec) aggregator {
	return &singleBucket{spec: spec, kind: "global"}
}

// samplerBody has the best matches of each index.
type samplerBody struct{ size int }

type samplerPart struct {
	size int
	seqs *fieldColumn
}

func parseSampler(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &samplerBody{size: 100}
	return b, params{"shard_size": func(v *node) *apiError {
		text, _ := v.scalar()
		i, err := strconv.Atoi(text)
		if err != nil || i <= 0 {
			return illegalArgument("shard_size must be greater than 0, got [%s]", text)
		}
		b.size = i
		return nil
	}}.parse(spec.kind, n)
}

func (b *samplerBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	if len(spec.subs) == 0 {
		return nil, illegalArgument("Sampler aggregation must be used with child aggregations.")
	}
	return &samplerPart{b.size, p.x.column(fieldSeq, true)}, nil
}

func (b *samplerBody) start(spec *aggSpec) aggregator {
	return &singleBucket{spec: spec, kind: "sampler"}
}

type sample struct {
	doc     uint64
	seq     int64 // of equal ones those that were written first are taken
	score   float32
	segment int
}

// sampleHeap keeps the worst of the best on top.
type sampleHeap []sample

func (h sampleHeap) Len() int { return len(h) }
func (h sampleHeap) Less(i, j int) bool {
	if h[i].score != h[j].score {
		return h[i].score < h[j].score
	}
	return h[i].seq > h[j].seq
}
func (h sampleHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *sampleHeap) Push(x any)   { *h = append(*h, x.(sample)) }
func (h *sampleHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (h *sampleHeap) offer(s sample, size int) {
	if h.Len() < size {
		heap.Push(h, s)
		return
	}
	if worst := (*h)[0]; s.score > worst.score || s.score == worst.score && s.seq < worst.seq {
		(*h)[0] = s
		heap.Fix(h, 0)
	}
}

// filtersBody has a bucket per query.
type filtersBody struct {
	names   []string // nil for unnamed ones
	queries []query
	other   bool
	rest    string // the name of the bucket of what matches none
}

func parseFiltersAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &filtersBody{rest: "_other_"}
	err := params{
		"filters": func(v *node) *apiError {
			if v.kind == kindObject {
				b.names = []string{}
				for _, m := range v.members {
					q, err := (&parseState{}).parseQuery(m.value)
					if err != nil {
						return err
					}
					b.names, b.queries = append(b.names, m.name), append(b.queries, q)
				}
				return nil
			}
			for _, e := range v.list() {
				q, err := (&parseState{}).parseQuery(e)
				if err != nil {
					return err
				}
				b.queries = append(b.queries, q)
			}
			return nil
		},
		"other_bucket":     func(v *node) *apiError { b.other = v.kind == kindTrue; return nil },
		"other_bucket_key": func(v *node) *apiError { b.other, b.rest = true, v.text; return nil },
		"keyed": func(v *node) *apiError {
			if v.kind == kindFalse {
				return unsupported("[keyed: false] of a filters aggregation; give the filters as a list")
			}
			return nil
		},
	}.parse(spec.kind, n)
	if err == nil && len(b.queries) == 0 {
		err = illegalArgument("[filters] cannot be empty.")
	}
	return b, err
}

func (b *filtersBody) bind(p *aggPart, _ *aggSpec) (any, error) {
	var sets []docBits
	for _, q := range b.queries {
		docs, err := p.x.docs(q)
		if err != nil {
			return nil, err
		}
		sets = append(sets, bitsOf(docs))
	}
	return sets, nil
}

func (b *filtersBody) start(spec *aggSpec) aggregator {
	n := len(b.queries)
	if b.other {
		n++
	}
	return &filters{spec: spec, body: b, buckets: make([]bucket, n)}
}

type filters struct {
	spec    *aggSpec
	body    *filtersBody
	buckets []bucket
}

func (f *filters) collect(p *aggPart, b *batch) error {
	sets := p.bound[f.spec.slot].([]docBits)
	g := &p.groups[f.spec.slot]
	for i, set := range sets {
		err := g.onlyIn(b, set, func(b *batch) error {
			return f.buckets[i].collect(p, f.spec, b)
		})
		if err != nil {
			return err
		}
	}
	if !f.body.other {
		return nil
	}
	rest := func(at int) bool {
		return !slices.ContainsFunc(sets, func(set docBits) bool { return set.has(b.docs[at]) })
	}
	return g.only(b, rest, func(b *batch) error { return f.buckets[len(f.buckets)-1].collect(p, f.spec, b) })
}

func (f *filters) flush(p *aggPart) error {
	for i := range f.buckets {
		if err := flushAll(p, f.buckets[i].subs); err != nil {
			return err
		}
	}
	return nil
}

func (f *filters) metric(string) (float64, bool) { return 0, false }
func (f *filters) typed() string                 { return "filters" }

func (f *filters) result(r *aggResult) (object, error) {
	if err := r.count(len(f.buckets)); err != nil {
		return nil, err
	}
	shown := []any{}
	for i := range f.buckets {
		b := &f.buckets[i]
		o, err := b.render(r, f.spec, object{{"doc_count", b.count}})
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
	}
	if err := r.parents(f.spec, shown); err != nil {
		return nil, err
	}
	return bucketList(shown, append(slices.Clip(f.body.names), f.body.rest), f.body.names != nil), nil
}
