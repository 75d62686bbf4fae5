package search

// topHitsBody shows documents of a bucket.
type topHitsBody struct{ req *searchRequest }

func parseTopHits(_ *aggParse, _ *aggSpec, n *node) (aggBody, *apiError) {
	req, err := parseHitOptions("top_hits", n, 3)
	return &topHitsBody{req}, err
}

func (b *topHitsBody) scored() bool { return b.req.scored() }

func (b *topHitsBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	const window = 100
	if b.req.from+b.req.size > window {
		return nil, illegalArgument("Top hits result window is too large, the top hits aggregator [%s]'s from + size must be less than or equal to: [%d] but was [%d]. This limit can be set by changing the [index.max_inner_result_window] index level setting.", spec.name, window, b.req.from+b.req.size)
	}
	return newCollector(b.req).open(p.search)
}

func (b *topHitsBody) start(spec *aggSpec) aggregator {
	return &topHits{spec: spec, body: b, top: newCollector(b.req)}
}

type topHits struct {
	spec  *aggSpec
	body  *topHitsBody
	top   *collector
	run   *searchRun
	total int
}

func (t *topHits) collect(p *aggPart, b *batch) error {
	t.total += len(b.docs)
	t.run = p.run
	part := p.bound[t.spec.slot].(*hitPart)
	for i, doc := range b.docs {
		if err := t.top.offer(part, uint64(doc), b.score(i)); err != nil {
			return err
		}
	}
	return nil
}

func (t *topHits) flush(p *aggPart) error        { t.run = p.run; return nil }
func (t *topHits) metric(string) (float64, bool) { return 0, false }
func (t *topHits) typed() string                 { return "top_hits" }

func (t *topHits) result(*aggResult) (object, error) {
	shown := []any{}
	fetch := &fetcher{run: t.run, req: t.body.req}
	for _, h := range t.top.page() {
		o, err := fetch.hit(h)
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
	}
	return object{{"hits", object{{"total", object{{"value", t.total}, {"relation", "eq"}}}, {"max_score", t.top.max()}, {"hits", shown}}}}, nil
}
