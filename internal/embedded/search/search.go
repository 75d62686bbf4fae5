package search

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
)

// searchPart is a search on one index.
type searchPart struct {
	x      *execution
	order  int // among the parts
	target target
	filter query // of the aliases by which the index was named, nil for none
	query  query // with all that belongs to it
	total  int
	begun  bool      // matches were taken in
	failed *apiError // why it couldn't be searched
}

// searchRun is a search on all its indexes.
type searchRun struct {
	c        *call
	req      *searchRequest
	parts    []*searchPart
	top      *collector
	aggs     *aggTree
	deadline time.Time // zero for none
	timedOut bool
	early    bool // terminate_after was reached
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
	scroll, err := c.duration("scroll", 0)
	if err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if err := req.check(c.query.Has("scroll")); err != nil {
		return nil, err
	}
	body, err := c.search(req, e, c.vars["index"], scroll)
	if err != nil {
		return nil, err
	}
	return ok(body)
}

// search finds the indexes of a request and carries it out. scroll is how long
// the context for more pages is kept, 0 for none.
func (c *call) search(req *searchRequest, e expression, index string, scroll time.Duration) (object, error) {
	switch {
	case req.pit != nil:
		if index != "" {
			return nil, validationFailed("[indices] cannot be used with point in time. Do not specify any index with point in time.")
		}
		return c.searchPoint(req)
	case scroll > 0:
		return c.beginScroll(req, e, index, scroll)
	}
	found, err := c.srv.resolve(index, e)
	if err != nil {
		return nil, err
	}
	return c.run(req, found)
}

// run carries out a search on what indexes have now.
func (c *call) run(req *searchRequest, found []target) (object, error) {
	snaps, err := acquireAll(found)
	if err != nil {
		return nil, err
	}
	defer releaseAll(snaps)
	cache := c.srv.columns.answers
	key, defs := c.answerKey(req, found, snaps)
	if key != "" {
		if body, known := cache.get(key, c.elapsed()); known {
			return body, nil
		}
	}
	r, err := c.runOn(req, found, snaps)
	if err != nil {
		return nil, err
	}
	body, err := r.render()
	if err == nil && key != "" {
		cache.put(key, defs, slices.Clip(body))
	}
	return body, err
}

// acquireAll takes hold of what searches of some indexes see now.
func acquireAll(found []target) ([]*snapshot, error) {
	var snaps []*snapshot
	for _, t := range found {
		if err := t.blocked(false); err != nil {
			releaseAll(snaps)
			return nil, err
		}
		snap, err := t.engine.acquire()
		if err != nil {
			releaseAll(snaps)
			return nil, err
		}
		snaps = append(snaps, snap)
	}
	return snaps, nil
}

func releaseAll(snaps []*snapshot) {
	for _, s := range snaps {
		s.release()
	}
}

// runOn carries out a search on snapshots, one for every index.
func (c *call) runOn(req *searchRequest, found []target, snaps []*snapshot) (*searchRun, error) {
	r := &searchRun{c: c, req: req, top: newCollector(req)}
	r.top.behind = req.behind
	if req.timeout > 0 {
		r.deadline = c.srv.cfg.Clock().Add(req.timeout)
	}
	if req.aggs != nil {
		r.aggs = req.aggs.start()
	}
	for i, t := range found {
		p := &searchPart{order: i, target: t, x: newExecution(c.ctx, t.index, snaps[i], c.srv.cfg.Clock())}
		r.parts = append(r.parts, p)
		if err := r.part(p); err != nil {
			var apiErr *apiError
			switch {
			case !errors.As(err, &apiErr):
				return nil, fmt.Errorf("searching index %s: %w", t.name, err)
			case apiErr.typ == "search_phase_execution_exception":
				return nil, apiErr
			case p.begun || !req.partial:
				return nil, failedSearch(t.index, c.srv.nodeID, apiErr)
			}
			p.failed = apiErr
		}
	}
	return r, r.allFailed()
}

// allFailed gives the error of a search none of whose indexes could be searched; of
// others the answer tells.
func (r *searchRun) allFailed() error {
	var first *apiError
	failures := []any{}
	for _, p := range r.parts {
		if p.failed == nil {
			return nil
		}
		e := failedSearch(p.target.index, r.c.srv.nodeID, p.failed)
		if first == nil {
			first = e
		}
		failures = append(failures, r.failure(p))
	}
	if first == nil {
		return nil
	}
	first.phases.set("failed_shards", failures)
	return first
}

// failure tells of an index that couldn't be searched.
func (r *searchRun) failure(p *searchPart) object {
	return object{{"shard", 0}, {"index", p.target.name}, {"node", r.c.srv.nodeID}, {"reason", p.failed.detail()}}
}

// filterOf is the query that the aliases by which alone an index was named put in
// front of every search, nil when there is none.
func (t target) filterOf() (query, *apiError) {
	all := &boolQuery{boost: 1}
	for _, f := range t.filters {
		if f == nil {
			return nil, nil // one of the aliases shows everything
		}
		q, err := (&parseState{}).parseQuery(f)
		if err != nil {
			return nil, err
		}
		all.should = append(all.should, q)
	}
	if len(all.should) == 0 {
		return nil, nil
	}
	return all, nil
}

// part searches one index.
func (r *searchRun) part(p *searchPart) (err error) {
	req := r.req
	window := p.target.definition().settings.number("max_result_window", defaultWindow)
	if req.from+req.size > window && !req.scrolled {
		return illegalArgument("Result window is too large, from + size must be less than or equal to: [%d] but was [%d]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.", window, req.from+req.size)
	}
	if req.scrolled && req.size > window {
		return illegalArgument("Batch size is too large, size must be less than or equal to: [%d] but was [%d]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting.", window, req.size)
	}
	hits, err := r.top.open(p)
	if err != nil {
		return err
	}
	filter, apiErr := p.target.filterOf()
	if apiErr != nil {
		return apiErr
	}
	p.filter = filter
	q := req.query
	if filter != nil {
		q = &boolQuery{must: []query{q}, filter: []query{filter}, boost: 1}
	}
	if p.x.mapping.hasNested() { // their objects are documents too
		q = &boolQuery{must: []query{q}, filter: []query{matchAllQuery{1}}, boost: 1}
	}
	for _, b := range req.boosts {
		if matchSimple(b.pattern, p.target.name) {
			q = &boolQuery{must: []query{q}, boost: b.boost}
			break
		}
	}
	var aggs *aggPart
	if r.aggs != nil {
		if aggs, err = r.aggs.open(r, p); err != nil {
			return err
		}
	}
	if req.highlight != nil || req.explain {
		if err := p.x.remember(q); err != nil {
			return err
		}
	}
	var post *roaring.Bitmap
	if req.postFilter != nil {
		if post, err = p.x.docs(req.postFilter); err != nil {
			return err
		}
	}
	if req.terminate > 0 && !(aggs == nil && req.size == 0 && isCounted(req.query)) {
		if q, err = r.firstWritten(p, q); err != nil {
			return err
		}
	}
	p.query = q
	if !req.scored() && req.minScore == nil && !r.aggs.scored() {
		err = r.unscored(p, hits, aggs, q, post)
	} else {
		err = r.collect(p, hits, aggs, q, post)
	}
	if err == nil && aggs != nil {
		err = flushAll(aggs, r.aggs.roots)
	}
	return err
}

// collect goes through the matches with their scores.
func (r *searchRun) collect(p *searchPart, hits *hitPart, aggs *aggPart, q query, post *roaring.Bitmap) error {
	if aggs != nil && !r.aggs.scored() && r.req.slice == nil && r.req.minScore == nil {
		docs, err := p.x.docs(q)
		if err == nil {
			err = r.aggregate(aggs, docs)
		}
		if err != nil {
			return err
		}
		aggs = nil
	}
	it, err := q.build(p.x)
	if err != nil {
		return err
	}
	if set, ok := it.(*bitmapIterator); ok && aggs == nil && r.req.plain() {
		// All have the same score, so the first ones are those written first.
		if done, err := r.equal(p, hits, set, post); done || err != nil {
			return err
		}
	}
	return joinClose(r.eachMatch(p, hits, aggs, it, post), it.close)
}

// eachMatch goes through the matches one by one.
func (r *searchRun) eachMatch(p *searchPart, hits *hitPart, aggs *aggPart, it iterator, post *roaring.Bitmap) (err error) {
	var slice *roaring.Bitmap
	if r.req.slice != nil {
		if slice, err = r.req.slice.docs(p.x); err != nil {
			return err
		}
	}
	feed := &aggFeed{run: r, part: aggs}
	limit, counted, err := r.limiter(p, it, aggs, post)
	if err != nil {
		return err
	}
	p.begun = true
	seen, least := 0, float32(0)
	for target := uint64(0); ; {
		doc, err := it.advance(target)
		if err != nil {
			return err
		}
		if doc == noDoc {
			return feed.flush()
		}
		target = doc + 1
		if stop, err := r.pause(p, seen); stop || err != nil {
			return errors.Join(err, feed.flush())
		}
		if slice != nil && !slice.Contains(uint32(doc)) {
			continue
		}
		score := it.score()
		if r.req.minScore != nil && score < *r.req.minScore {
			continue
		}
		seen++
		if err := feed.add(doc, score); err != nil {
			return err
		}
		if post != nil && !post.Contains(uint32(doc)) {
			continue
		}
		if !counted {
			p.total++
		}
		if err := r.top.offer(hits, doc, score); err != nil {
			return err
		}
		if limit != nil && (counted || p.total > r.req.totals) && len(r.top.hits) == r.top.keep() {
			if worst := r.top.hits[0].score; worst > least {
				least = worst
				limit.limit(least)
			}
		}
	}
}

// limiter gives the iterator when it can leave out matches that don't come among
// the first ones, nil otherwise. Where sets tell how many there are they are counted
// here.
func (r *searchRun) limiter(p *searchPart, it iterator, aggs *aggPart, post *roaring.Bitmap) (limit limited, counted bool, err error) {
	limit, ok := it.(limited)
	if !ok || aggs != nil || len(r.req.sort) > 0 || r.req.collapse != nil || r.req.minScore != nil || r.req.slice != nil || r.top.keep() == 0 || r.req.scrolled {
		return nil, false, nil
	}
	switch {
	case r.req.totals == countNone:
		return limit, true, nil
	case math.IsInf(best(it), 1): // to count matches means to go through them
		if r.req.totals == countAll {
			return nil, false, nil
		}
		return limit, false, nil
	}
	docs, err := p.x.docs(p.query)
	if err != nil {
		return nil, false, err
	}
	if post != nil {
		docs = roaring.And(docs, post)
	}
	p.total += int(docs.GetCardinality())
	return limit, true, nil
}

// aggFeed hands matches and their scores to aggregations in batches.
type aggFeed struct {
	run   *searchRun
	part  *aggPart // nil for none
	end   uint64   // of the segment at hand
	batch batch
}

func (f *aggFeed) add(doc uint64, score float32) error {
	if f.part == nil {
		return nil
	}
	b := &f.batch
	if doc >= f.end || len(b.docs) == batchSize {
		if err := f.flush(); err != nil {
			return err
		}
		segments := f.part.x.segments()
		begin := uint64(0)
		for i, seg := range segments {
			if f.end = begin + uint64(seg.FullSize()); doc < f.end {
				b.segment = i
				break
			}
			begin = f.end
		}
	}
	b.docs, b.scores = append(b.docs, uint32(doc)), append(b.scores, score)
	return nil
}

func (f *aggFeed) flush() error {
	b := &f.batch
	if f.part == nil || len(b.docs) == 0 {
		return nil
	}
	err := collectAll(f.part, f.run.aggs.roots, b)
	b.docs, b.scores = b.docs[:0], b.scores[:0]
	return err
}

// aggregate gives all matches to the aggregations.
func (r *searchRun) aggregate(aggs *aggPart, docs *roaring.Bitmap) error {
	aggs.search.begun = true
	err := r.aggs.collect(aggs, docs, r.late)
	if errors.Is(err, errLate) {
		r.timedOut = true
		return nil
	}
	return err
}

// errLate ends what goes through matches when the time of a search is over.
var errLate = errors.New("the search's time is over")

func (r *searchRun) late() error {
	if !r.deadline.IsZero() && r.c.srv.cfg.Clock().After(r.deadline) {
		return errLate
	}
	return nil
}

// plain reports whether every match counts, whatever its score.
func (r *searchRequest) plain() bool {
	return r.slice == nil && r.minScore == nil && r.terminate == 0 && r.timeout == 0
}

// equal takes in matches that all have the same score.
func (r *searchRun) equal(p *searchPart, hits *hitPart, set *bitmapIterator, post *roaring.Bitmap) (bool, error) {
	docs := set.set
	if post != nil {
		docs = roaring.And(docs, post)
	}
	done, err := r.top.ranked(hits, docs, true, set.boost)
	if done {
		p.total += int(docs.GetCardinality())
	}
	return done, err
}

// pause is called before every match; it reports that the search is to stop.
func (r *searchRun) pause(p *searchPart, seen int) (bool, error) {
	if seen&0x3ff != 0x3ff {
		return false, nil
	}
	if r.late() != nil {
		r.timedOut = true
		return true, nil
	}
	return false, p.x.ctx.Err()
}

// unscored takes in the matches without their scores.
func (r *searchRun) unscored(p *searchPart, hits *hitPart, aggs *aggPart, q query, post *roaring.Bitmap) error {
	docs, err := p.x.docs(q)
	if err != nil {
		return err
	}
	if r.req.slice != nil {
		slice, err := r.req.slice.docs(p.x)
		if err != nil {
			return err
		}
		docs = roaring.And(docs, slice)
	}
	if aggs != nil {
		if err := r.aggregate(aggs, docs); err != nil {
			return err
		}
	}
	if post != nil {
		docs = roaring.And(docs, post)
	}
	p.begun = true
	p.total += int(docs.GetCardinality())
	if r.top.keep() == 0 {
		return nil
	}
	if done, err := r.top.ordered(hits, docs); done || err != nil {
		return err
	}
	if done, err := r.top.ranked(hits, docs, false, 0); done || err != nil {
		return err
	}
	for it, seen := docs.Iterator(), 0; it.HasNext(); seen++ {
		if stop, err := r.pause(p, seen); stop || err != nil {
			return err
		}
		if err := r.top.offer(hits, uint64(it.Next()), 0); err != nil {
			return err
		}
	}
	return nil
}

// firstWritten narrows a query to the matches that were written first, as many as
// terminate_after says.
func (r *searchRun) firstWritten(p *searchPart, q query) (query, error) {
	docs, err := p.x.docs(q)
	if err != nil || int(docs.GetCardinality()) <= r.req.terminate {
		return q, err
	}
	byWriting := newCollector(&searchRequest{size: r.req.terminate, sort: []sortKey{{field: "_doc"}}})
	hits, err := byWriting.open(p)
	if err != nil {
		return nil, err
	}
	if _, err := byWriting.ranked(hits, docs, false, 0); err != nil {
		return nil, err
	}
	first := roaring.New()
	for _, h := range byWriting.page() {
		first.Add(uint32(h.doc))
	}
	r.early = true
	if isCounted(r.req.query) && r.aggs == nil { // how many there are is known all the same
		p.total = int(docs.GetCardinality()) - int(first.GetCardinality())
	}
	return &boolQuery{must: []query{q}, filter: []query{docsQuery{first}}, boost: 1}, nil
}

// docsQuery has some documents of one snapshot.
type docsQuery struct{ docs *roaring.Bitmap }

func (q docsQuery) build(*execution) (iterator, error) { return newBitmapIterator(q.docs, 1), nil }

// isCounted reports whether an index knows how many documents match without
// looking at them.
func isCounted(q query) bool {
	switch q := q.(type) {
	case matchAllQuery, matchNoneQuery, *existsQuery:
		return true
	case *termsQuery:
		return q.one
	case *rangeQuery:
		return true
	case *constantQuery:
		return isCounted(q.inner)
	default:
		return false
	}
}

// render makes the answer.
func (r *searchRun) render() (object, error) {
	req := r.req
	total := req.knownTotal
	for _, p := range r.parts {
		total += p.total
	}
	shown := []any{}
	fetch := &fetcher{run: r, req: req}
	for _, h := range r.top.page() {
		o, err := fetch.hit(h)
		var apiErr *apiError
		if errors.As(err, &apiErr) && apiErr.typ != "search_phase_execution_exception" {
			return nil, failedSearch(h.part.x.ix, r.c.srv.nodeID, apiErr)
		}
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
	maxScore := r.top.max()
	if len(r.parts) == 0 {
		maxScore = float32(0)
	}
	hits = append(hits, field{"max_score", maxScore}, field{"hits", shown})
	body := object{{"took", r.c.elapsed()}, {"timed_out", r.timedOut}}
	if req.exactAsked || req.terminate > 0 {
		body = append(body, field{"terminated_early", r.early})
	}
	body = append(body, field{"_shards", r.shards()}, field{"hits", hits})
	if r.aggs != nil && len(r.parts) > 0 {
		results, err := r.aggs.results(req.typedKeys)
		if err != nil {
			return nil, err
		}
		body = append(body, field{"aggregations", results})
	}
	return body, nil
}

// shards tells how many were searched, and which ones couldn't be.
func (r *searchRun) shards() object {
	total, failed, failures := 0, 0, []any{}
	for _, p := range r.parts {
		primaries, _ := p.target.definition().shards()
		total += primaries
		if p.failed != nil {
			failed += primaries
			failures = append(failures, r.failure(p))
		}
	}
	o := object{{"total", total}, {"successful", total - failed}, {"skipped", 0}, {"failed", failed}}
	if failed > 0 {
		o = append(o, field{"failures", failures})
	}
	return o
}

// scored reports whether a search needs scores.
func (r *searchRequest) scored() bool {
	if len(r.sort) > 0 {
		return r.trackScores || slices.ContainsFunc(r.sort, func(k sortKey) bool { return k.field == "_score" })
	}
	return r.from+r.size > 0
}

// byScore reports whether hits are ordered as they are without a sort.
func (r *searchRequest) byScore() bool {
	return len(r.sort) == 1 && r.sort[0].field == "_score" && r.sort[0].desc
}
