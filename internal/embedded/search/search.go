package search

import (
	"container/heap"
	"errors"
	"fmt"
	"net/http"
	"slices"

	index_api "github.com/blevesearch/bleve_index_api"
)

// record reads a document as the snapshot has it, nil when it has none.
func (s *snapshot) record(id string) (*record, error) {
	doc, err := s.reader.Document(id)
	if err != nil || doc == nil {
		return nil, err
	}
	var raw []byte
	doc.VisitFields(func(f index_api.Field) {
		if f.Name() == fieldRecord {
			raw = f.Value()
		}
	})
	return decodeRecord(raw)
}

// hit is a match on its way into the answer.
type hit struct {
	part   *searchPart
	doc    uint64
	seq    int64
	score  float32
	values []sortValue
}

// searchPart is a search on one index.
type searchPart struct {
	x       *execution
	order   int // among the parts
	sorters []*sorter
	seqs    index_api.DocValueReader
	after   []sortValue
	total   int
}

// hitHeap keeps the worst hit on top.
type hitHeap struct {
	hits []*hit
	less func(a, b *hit) bool
}

func (h *hitHeap) Len() int           { return len(h.hits) }
func (h *hitHeap) Less(i, j int) bool { return h.less(h.hits[j], h.hits[i]) }
func (h *hitHeap) Swap(i, j int)      { h.hits[i], h.hits[j] = h.hits[j], h.hits[i] }
func (h *hitHeap) Push(x any)         { h.hits = append(h.hits, x.(*hit)) }
func (h *hitHeap) Pop() any {
	last := h.hits[len(h.hits)-1]
	h.hits = h.hits[:len(h.hits)-1]
	return last
}

// searchRun is a search on all its indexes.
type searchRun struct {
	c        *call
	req      *searchRequest
	parts    []*searchPart
	top      *hitHeap
	maxScore float32
	scored   bool
}

// search is GET and POST /_search and /{index}/_search.
func search(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		apiErr := asAPIError(err)
		if apiErr.typ == "x_content_e_o_f_exception" {
			apiErr.status = http.StatusInternalServerError // as the real server has it
		}
		return nil, apiErr
	}
	req, apiErr := parseSearch(n)
	if apiErr != nil {
		return nil, apiErr
	}
	if err := c.searchParams(req); err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	body, err := c.run(req, found)
	if err != nil {
		return nil, err
	}
	return ok(body)
}

// run carries out a search and gives the body of its answer.
func (c *call) run(req *searchRequest, found []target) (object, error) {
	r := &searchRun{c: c, req: req, scored: len(req.sort) == 0 || req.trackScores || slices.ContainsFunc(req.sort, func(k sortKey) bool { return k.field == "_score" })}
	r.top = &hitHeap{less: r.before}
	defer func() {
		for _, p := range r.parts {
			p.x.snap.release()
		}
	}()
	for i, t := range found {
		if err := t.blocked(false); err != nil {
			return nil, err
		}
		snap, err := t.engine.acquire()
		if err != nil {
			return nil, err
		}
		p := &searchPart{order: i, x: newExecution(c.ctx, t.index, snap, c.srv.cfg.Clock())}
		r.parts = append(r.parts, p)
		if err := r.part(p, t); err != nil {
			var apiErr *apiError
			if errors.As(err, &apiErr) {
				return nil, failedSearch(t.index, c.srv.nodeID, apiErr)
			}
			return nil, fmt.Errorf("searching index %s: %w", t.name, err)
		}
	}
	return r.render(found)
}

// part searches one index.
func (r *searchRun) part(p *searchPart, t target) (err error) {
	req := r.req
	window := t.definition().settings.number("max_result_window", defaultWindow)
	if req.from+req.size > window {
		return illegalArgument("Result window is too large, from + size must be less than or equal to: [%d] but was [%d]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.", window, req.from+req.size)
	}
	if err := r.prepare(p); err != nil {
		return err
	}
	q := req.query
	for _, filter := range t.filters {
		if filter == nil {
			continue
		}
		parsed, err := (&parseState{}).parseQuery(filter)
		if err != nil {
			return err
		}
		q = &boolQuery{must: []query{q}, filter: []query{parsed}, boost: 1}
	}
	it, err := q.build(p.x)
	if err != nil {
		return err
	}
	var post iterator
	if req.postFilter != nil {
		if post, err = req.postFilter.build(p.x); err != nil {
			return joinClose(err, it.close)
		}
		defer func() { err = joinClose(err, post.close) }()
	}
	err = r.collect(p, it, post)
	return joinClose(err, it.close)
}

// prepare sets up the order.
func (r *searchRun) prepare(p *searchPart) error {
	var err error
	for _, k := range r.req.sort {
		s, err := newSorter(p.x, k)
		if err != nil {
			return err
		}
		p.sorters = append(p.sorters, s)
	}
	if p.seqs, err = p.x.snap.reader.DocValueReader([]string{fieldSeq}); err != nil {
		return err
	}
	if len(r.req.after) > 0 {
		if len(p.sorters) == 0 {
			return illegalArgument("Sort must contain at least one field.")
		}
		if len(r.req.after) != len(p.sorters) {
			return illegalArgument("search_after has %d value(s) but sort has %d.", len(r.req.after), len(p.sorters))
		}
		for i, n := range r.req.after {
			v, err := p.sorters[i].parse(p.x, n)
			if err != nil {
				return err
			}
			p.after = append(p.after, v)
		}
	}
	return nil
}

func (r *searchRun) collect(p *searchPart, it, post iterator) error {
	var id index_api.IndexInternalID
	keep := r.req.from + r.req.size
	for target := uint64(0); ; {
		doc, err := it.advance(target)
		if err != nil || doc == noDoc {
			return err
		}
		target = doc + 1
		if doc&0xfff == 0 && p.x.ctx.Err() != nil {
			return p.x.ctx.Err()
		}
		score := float32(0)
		if r.scored {
			score = it.score()
			if r.req.minScore != nil && score < *r.req.minScore {
				continue
			}
		}
		id = index_api.NewIndexInternalID(id, doc)
		if post != nil {
			if at, err := post.advance(doc); err != nil || at != doc {
				if err != nil {
					return err
				}
				continue
			}
		}
		p.total++
		if r.scored {
			r.maxScore = max(r.maxScore, score)
		}
		if keep == 0 {
			continue
		}
		if err := r.offer(&hit{part: p, doc: doc, score: score}, id, keep); err != nil {
			return err
		}
	}
}

// offer takes a hit into the top ones when it belongs there.
func (r *searchRun) offer(h *hit, id index_api.IndexInternalID, keep int) error {
	p := h.part
	for _, s := range p.sorters {
		v, err := s.read(id, h.score)
		if err != nil {
			return err
		}
		h.values = append(h.values, v)
	}
	if p.after != nil && p.compare(h.values, p.after) <= 0 {
		return nil
	}
	full := r.top.Len() >= keep
	if full && len(p.sorters) == 0 && h.score < r.top.hits[0].score {
		return nil
	}
	err := p.seqs.VisitDocValues(id, func(_ string, term []byte) { h.seq = exactValue(term) })
	if err != nil {
		return err
	}
	if !full {
		heap.Push(r.top, h)
	} else if r.before(h, r.top.hits[0]) {
		r.top.hits[0] = h
		heap.Fix(r.top, 0)
	}
	return nil
}

func (p *searchPart) compare(a, b []sortValue) int {
	for i, s := range p.sorters {
		if c := s.compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// before is the order of hits: by the criteria or the score, then as they were
// written.
func (r *searchRun) before(a, b *hit) bool {
	if len(a.part.sorters) > 0 {
		if c := a.part.compare(a.values, b.values); c != 0 {
			return c < 0
		}
	} else if a.score != b.score {
		return a.score > b.score
	}
	if a.part != b.part {
		return a.part.order < b.part.order
	}
	return a.seq < b.seq
}

// render makes the answer.
func (r *searchRun) render(found []target) (object, error) {
	req := r.req
	total := 0
	for _, p := range r.parts {
		total += p.total
	}
	slices.SortFunc(r.top.hits, func(a, b *hit) int {
		if r.before(a, b) {
			return -1
		}
		return 1
	})
	shown := []any{}
	for _, h := range r.top.hits[min(req.from, len(r.top.hits)):] {
		o, err := r.renderHit(h)
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
	}
	hits := object{}
	relation := "eq"
	if req.totals > 0 && total > req.totals {
		total, relation = req.totals, "gte"
	}
	switch {
	case req.intTotals:
		hits = append(hits, field{"total", total})
	case req.totals != countNone:
		hits = append(hits, field{"total", object{{"value", total}, {"relation", relation}}})
	}
	var maxScore any
	switch {
	case len(found) == 0:
		maxScore = float32(0)
	case r.scored && len(r.top.hits) > 0 && (len(req.sort) == 0 || req.trackScores || r.byScore()):
		maxScore = r.maxScore
	}
	hits = append(hits, field{"max_score", maxScore}, field{"hits", shown})
	body := object{{"took", r.c.elapsed()}, {"timed_out", false}}
	if req.exactAsked || req.terminate {
		body = append(body, field{"terminated_early", false})
	}
	shards := 0
	for _, t := range found {
		primaries, _ := t.definition().shards()
		shards += primaries
	}
	body = append(body, field{"_shards", object{{"total", shards}, {"successful", shards}, {"skipped", 0}, {"failed", 0}}}, field{"hits", hits})
	return body, nil
}

// byScore reports whether hits are ordered as they are without a sort.
func (r *searchRun) byScore() bool {
	return len(r.req.sort) == 1 && r.req.sort[0].field == "_score" && r.req.sort[0].desc
}

func (r *searchRun) renderHit(h *hit) (object, error) {
	req, snap := r.req, h.part.x.snap
	id, err := snap.reader.ExternalID(index_api.NewIndexInternalID(nil, h.doc))
	if err != nil {
		return nil, err
	}
	rec, err := snap.record(id)
	if err != nil {
		return nil, fmt.Errorf("reading document %s of %s: %w", id, h.part.x.ix.name, err)
	}
	o := object{{"_index", h.part.x.ix.name}}
	if r.c.compatible == 7 {
		o = append(o, field{"_type", "_doc"})
	}
	if !req.noStored {
		o = append(o, field{"_id", id})
	}
	if req.version {
		o = append(o, field{"_version", rec.version})
	}
	if req.seqNo {
		o = append(o, field{"_seq_no", shownSeq(rec.seq)}, field{"_primary_term", 1})
	}
	var score any
	if r.scored {
		score = h.score
	}
	o = append(o, field{"_score", score})
	if rec.routing != "" {
		o = append(o, field{"_routing", rec.routing})
	}
	if len(rec.ignored) > 0 {
		o = append(o, field{"_ignored", rec.ignored})
	}
	if !(req.source != nil && req.source.none) && !req.noStored {
		source, err := req.source.apply(rec.source)
		if err != nil {
			return nil, err
		}
		o = append(o, field{"_source", source})
	}
	if len(h.values) > 0 && !r.byScore() {
		values := []any{}
		for i, s := range h.part.sorters {
			values = append(values, s.render(h.values[i]))
		}
		o = append(o, field{"sort", values})
	}
	return o, nil
}

// count is GET and POST /_count and /{index}/_count.
func count(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	req := &searchRequest{query: matchAllQuery{1}, totals: countAll}
	if n != nil {
		if n.kind != kindObject {
			return nil, parsingError(n.src, n.start, "Expected [START_OBJECT] but found [%s]", n.token())
		}
		for _, m := range n.members {
			if m.name != "query" {
				return nil, parsingError(n.src, m.start, "request does not support [%s]", m.name)
			}
			q, err := (&parseState{}).parseQuery(m.value)
			if err != nil {
				return nil, err
			}
			req.query = q
		}
	}
	if err := c.queryParams(req); err != nil {
		return nil, err
	}
	c.ignore("preference", "routing", "min_score", "terminate_after")
	if c.query.Get("min_score") != "" || c.query.Get("terminate_after") != "" {
		return nil, unsupported("[min_score] or [terminate_after] of a count")
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	req.sort = []sortKey{{field: "_doc"}} // no scores
	body, err := c.run(req, found)
	if err != nil {
		return nil, err
	}
	hits, _ := body.get("hits")
	total, _ := hits.(object).get("total")
	value, _ := total.(object).get("value")
	shards, _ := body.get("_shards")
	return ok(object{{"count", value}, {"_shards", shards}})
}

// analyze is GET and POST /_analyze and /{index}/_analyze.
func analyze(c *call) (*answer, error) {
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil || n.get("text") == nil {
		return nil, validationFailed("text is missing")
	}
	whole := false
	for _, m := range n.members {
		switch m.name {
		case "text":
		case "analyzer":
			if m.value.text != "standard" && m.value.text != "keyword" {
				return nil, illegalArgument("failed to find global analyzer [%s]", m.value.text)
			}
			whole = m.value.text == "keyword"
		case "field":
			ix, err := c.srv.existing(c.vars["index"])
			if err != nil {
				return nil, err
			}
			if f := ix.definition().mapping.lookup(m.value.text); f != nil {
				whole = f.typ != "text"
			}
		default:
			return nil, unsupported("[" + m.name + "] of _analyze")
		}
	}
	list := []any{}
	offset, place := 0, 0
	for _, text := range texts(n.get("text")) {
		tokens := analyzeText(text, place)
		if whole {
			tokens = []token{{text: text, end: utf16Length([]byte(text)), position: place, kind: "word"}}
		}
		for _, t := range tokens {
			list = append(list, object{{"token", t.text}, {"start_offset", offset + t.start}, {"end_offset", offset + t.end}, {"type", t.kind}, {"position", t.position}})
			place = t.position + 1
		}
		offset += utf16Length([]byte(text)) + 1
	}
	return ok(object{{"tokens", list}})
}
