package search

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// defaultBatch is how many documents a request by query writes at once.
const defaultBatch = 1000

// maxSlices is how many slices a request by query may have, each of which the answer
// tells of, as index.max_slices_per_scroll has it.
const maxSlices = 1024

// byQuery is a request that writes for each match of a query: an update or deletion
// by query, or a reindex. It goes through the matches that searches saw when it
// began, in batches, and writes only where a document has not changed since.
type byQuery struct {
	what    string // for errors
	search  *searchRequest
	index   string
	names   expression
	op      func(ix *index, id string, r *record) (*writeOp, error)
	into    string // the index that is written, empty for that of the document
	created bool   // the answer tells what was created
	updated bool   // and updated
	maxDocs int    // 0 for all
	batch   int
	proceed bool // version conflicts are only counted
	slices  int
	rate    float64 // documents a second, 0 for as many as possible
	refresh bool
}

// progress is what became of a request by query, or of one of its slices.
type progress struct {
	total, updated, created, deleted, batches, conflicts int
	throttled                                            time.Duration
	failures                                             []any
	status                                               int
}

// deleteByQuery is POST /{index}/_delete_by_query.
func deleteByQuery(c *call) (*answer, error) {
	q := &byQuery{what: "a deletion by query", op: func(_ *index, id string, r *record) (*writeOp, error) {
		return unchanged("delete", id, r), nil
	}}
	body, err := q.parseMatches(c)
	if err != nil {
		return nil, err
	}
	if body.get("query") == nil && c.query.Get("q") == "" {
		return nil, validationFailed("query is missing")
	}
	return q.answer(c)
}

// updateByQuery is POST /{index}/_update_by_query. Without scripts it writes each
// document as it is, under the mapping that the index has now.
func updateByQuery(c *call) (*answer, error) {
	q := &byQuery{what: "an update by query", updated: true, op: func(_ *index, id string, r *record) (*writeOp, error) {
		op := unchanged("index", id, r)
		op.source, op.routing = r.source, r.routing
		return op, nil
	}}
	body, err := q.parseMatches(c)
	if err != nil {
		return nil, err
	}
	if err := refuseScript(body); err != nil {
		return nil, err
	}
	return q.answer(c)
}

// unchanged is a write of a document that is carried out only if nobody else has
// written it since.
func unchanged(action, id string, r *record) *writeOp {
	seq, term := int64(shownSeq(r.seq)), r.term
	return &writeOp{action: action, id: id, hasID: true, versionType: versionInternal, ifSeq: &seq, ifTerm: &term}
}

// refuseScript answers as a node without script languages.
func refuseScript(body *node) error {
	s := body.get("script")
	if s == nil {
		return nil
	}
	lang := "painless"
	if l := s.get("lang"); l != nil {
		lang = l.text
	}
	return illegalArgument("script_lang not supported [%s]", lang)
}

// parseMatches reads the body and the parameters of an update or deletion by query.
func (q *byQuery) parseMatches(c *call) (*node, error) {
	body, err := c.json()
	if err != nil {
		return nil, err
	}
	q.index = c.vars["index"]
	if q.names, err = c.options(expression{}); err != nil {
		return nil, err
	}
	if c.has("from") {
		return nil, validationFailed("from is not supported in this context")
	}
	if c.has("size") {
		return nil, illegalArgument("invalid parameter [size], use [max_docs] instead")
	}
	if err := q.parseSource(body, "conflicts", "max_docs", "script"); err != nil {
		return nil, err
	}
	if err := c.queryParams(q.search); err != nil {
		return nil, err
	}
	if q.search.terminate, err = c.number("terminate_after", q.search.terminate); err != nil {
		return nil, err
	}
	if q.batch, err = c.number("scroll_size", q.batch); err != nil {
		return nil, err
	}
	conflicts := c.param("conflicts")
	if v := body.get("conflicts"); v != nil {
		conflicts = v.text
	}
	if err := q.parseConflicts(conflicts); err != nil {
		return nil, err
	}
	if err := q.parseMaxDocs(c, body.get("max_docs")); err != nil {
		return nil, err
	}
	if pipeline := c.param("pipeline"); pipeline != "" && pipeline != "_none" {
		return nil, illegalArgument("pipeline with id [%s] does not exist", pipeline)
	}
	if c.param("sort") != "" {
		return nil, unsupported("[sort] of " + q.what)
	}
	c.ignore("preference", "request_cache", "routing", "search_type", "stats", "version", "search_timeout")
	return body, q.parseCommon(c)
}

// parseSource reads which documents are meant; keys are those of the body that are
// not of the search.
func (q *byQuery) parseSource(body *node, keys ...string) error {
	q.search, q.batch = &searchRequest{query: matchAllQuery{1}, totals: countAll}, defaultBatch
	if body == nil {
		return nil
	}
	if body.kind != kindObject {
		return parsingError(body.src, body.start, "Expected [START_OBJECT] but found [%s]", body.token())
	}
	rest := *body
	rest.members = nil
	for _, m := range body.members {
		if !slices.Contains(keys, m.name) {
			rest.members = append(rest.members, m)
		}
	}
	req, err := parseSearch(&rest)
	if err != nil {
		return err
	}
	for _, m := range rest.members {
		switch m.name {
		case "query", "post_filter", "min_score", "slice", "terminate_after", "_source":
		case "size":
			q.batch = req.size
		case "from":
			return validationFailed("from is not supported in this context")
		default:
			return unsupported("[" + m.name + "] of " + q.what)
		}
	}
	if req.minScore != nil || req.postFilter != nil {
		return unsupported("[min_score] or [post_filter] of " + q.what)
	}
	req.from, req.size = 0, 0
	q.search = req
	return nil
}

func (q *byQuery) parseConflicts(text string) error {
	switch text {
	case "", "abort":
	case "proceed":
		q.proceed = true
	default:
		return illegalArgument("conflicts may only be \"proceed\" or \"abort\" but was [%s]", text)
	}
	return nil
}

func (q *byQuery) parseMaxDocs(c *call, v *node) error {
	given := func(n int) error {
		if n != -1 && n <= 0 {
			return illegalArgument("[max_docs] parameter must be greater than 0 or -1 for all, but was [%d]", n)
		}
		if q.maxDocs != 0 && q.maxDocs != n {
			return illegalArgument("[max_docs] set to two different values [%d] and [%d]", q.maxDocs, n)
		}
		q.maxDocs = n
		return nil
	}
	if v != nil {
		n, err := strconv.Atoi(v.text)
		if err != nil {
			return newError(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", v.text)
		}
		if err := given(n); err != nil {
			return err
		}
	}
	if c.has("max_docs") {
		n, err := c.number("max_docs", 0)
		if err != nil {
			return err
		}
		if err := given(n); err != nil {
			return err
		}
	}
	q.maxDocs = max(q.maxDocs, 0)
	return nil
}

// parseCommon reads the parameters of all requests by query.
func (q *byQuery) parseCommon(c *call) error {
	switch text := c.param("slices"); text {
	case "", "auto": // an index is one shard
		q.slices = 1
	default:
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return illegalArgument("[slices] must be a positive integer or the string \"auto\", but was [%s]", text)
		case n < 1:
			return illegalArgument("[slices] must be at least 1 but was [%s]", text)
		case n > maxSlices:
			return illegalArgument("The number of slices [%s] is too large. It must be less than [%d]. This limit can be set by changing the [index.max_slices_per_scroll] index level setting.", text, maxSlices)
		}
		q.slices = n
	}
	if q.slices > 1 && q.search.slice != nil {
		return validationFailed("can't specify both manual and automatic slicing at the same time")
	}
	if q.slices > 1 && q.maxDocs > 0 && q.maxDocs < q.slices {
		return illegalArgument("[max_docs] should be >= [slices]")
	}
	if text := c.param("requests_per_second"); text != "" {
		f, err := strconv.ParseFloat(text, 32)
		if err != nil || f <= 0 && f != -1 {
			return illegalArgument("[requests_per_second] must be a float greater than 0. Use -1 to disable throttling.")
		}
		q.rate = max(f, 0)
	}
	if q.batch <= 0 {
		return validationFailed("[size] cannot be [0] in a scroll context")
	}
	wait, err := c.flag("wait_for_completion", true)
	if err != nil {
		return err
	}
	if !wait {
		return unsupported("[wait_for_completion=false] of " + q.what)
	}
	if q.refresh, err = c.flag("refresh", false); err != nil {
		return err
	}
	if _, _, err := c.copies(); err != nil {
		return err
	}
	if _, err := c.duration("scroll", 0); err != nil {
		return err
	}
	return c.unknown()
}

// answer carries the request out.
func (q *byQuery) answer(c *call) (*answer, error) {
	found, err := c.srv.resolve(q.index, q.names)
	if err != nil {
		return nil, err
	}
	return q.answerOn(c, found)
}

func (q *byQuery) answerOn(c *call, found []target) (*answer, error) {
	snaps, err := acquireAll(found)
	if err != nil {
		return nil, err
	}
	defer releaseAll(snaps)
	all := progress{status: http.StatusOK}
	var slicesOf []any
	for slice := range q.slices {
		limit := q.maxDocs / q.slices
		if q.slices > 1 {
			q.search.slice = &sliceSpec{id: slice, max: q.slices}
		}
		p := progress{status: http.StatusOK}
		if err := q.slice(c, found, snaps, limit, &p); err != nil {
			return nil, err
		}
		all.add(&p)
		slicesOf = append(slicesOf, append(object{{"slice_id", slice}}, q.render(&p)...))
	}
	body := append(object{{"took", c.elapsed()}, {"timed_out", false}}, q.render(&all)...)
	if q.slices > 1 {
		body = append(body, field{"slices", slicesOf})
	}
	if all.failures == nil {
		all.failures = []any{}
	}
	return &answer{status: all.status, body: append(body, field{"failures", all.failures})}, nil
}

func (p *progress) add(o *progress) {
	p.total += o.total
	p.updated += o.updated
	p.created += o.created
	p.deleted += o.deleted
	p.batches += o.batches
	p.conflicts += o.conflicts
	p.throttled += o.throttled
	p.failures = append(p.failures, o.failures...)
	p.status = max(p.status, o.status)
}

func (q *byQuery) render(p *progress) object {
	o := object{{"total", p.total}}
	if q.updated {
		o = append(o, field{"updated", p.updated})
	}
	if q.created {
		o = append(o, field{"created", p.created})
	}
	rate := float32(-1)
	if q.rate > 0 {
		rate = float32(q.rate)
	}
	return append(o, object{
		{"deleted", p.deleted}, {"batches", p.batches}, {"version_conflicts", p.conflicts}, {"noops", 0},
		{"retries", object{{"bulk", 0}, {"search", 0}}},
		{"throttled_millis", p.throttled.Milliseconds()}, {"requests_per_second", rate}, {"throttled_until_millis", 0},
	}...)
}

// match is a document to write for.
type match struct {
	ix *index
	id string
	r  *record
}

// slice goes through the matches of one slice.
func (q *byQuery) slice(c *call, found []target, snaps []*snapshot, limit int, p *progress) error {
	matches, err := q.matches(c, found, snaps, limit)
	if err != nil {
		return err
	}
	for _, m := range matches {
		p.total += int(m.docs.GetCardinality())
	}
	written := map[*index]bool{}
	var batch []match
	began := time.Now()
	done := 0
	flush := func() error {
		if len(batch) == 0 || len(p.failures) > 0 {
			return nil
		}
		p.batches++
		if err := q.write(c, batch, written, p); err != nil {
			return err
		}
		done += len(batch)
		if q.rate > 0 && done < p.total {
			pause := time.Duration(float64(len(batch))/q.rate*float64(time.Second)) - time.Since(began)
			p.throttled += max(pause, 0)
			if err := sleep(c.ctx, pause); err != nil {
				return err
			}
		}
		batch, began = batch[:0], time.Now()
		return nil
	}
	for _, m := range matches {
		for it := m.docs.Iterator(); it.HasNext() && len(p.failures) == 0; {
			next, err := m.read(uint64(it.Next()))
			if err != nil {
				return err
			}
			if batch = append(batch, next); len(batch) == q.batch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if q.refresh {
		for ix := range written {
			if err := ix.engine.refresh(c.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write carries out the writes of a batch, one commit for each index.
func (q *byQuery) write(c *call, batch []match, written map[*index]bool, p *progress) error {
	var order []*index
	groups := map[*index][]*writeOp{}
	for _, m := range batch {
		ix := m.ix
		if q.into != "" {
			var err error
			if ix, err = c.srv.writable(q.into, false, true); err != nil {
				return err
			}
		}
		op, err := q.op(ix, m.id, m.r)
		if err != nil {
			return err
		}
		if groups[ix] == nil {
			order = append(order, ix)
		}
		groups[ix] = append(groups[ix], op)
	}
	for _, ix := range order {
		ops := groups[ix]
		outcomes, failed, err := ix.carryOut(c.ctx, ops)
		if err != nil {
			return err
		}
		written[ix] = true
		for i, op := range ops {
			if e := failed[i]; e != nil {
				p.fail(ix, op, e, q.proceed)
				continue
			}
			switch outcomes[i].result {
			case "created":
				p.created++
			case "updated":
				p.updated++
			case "deleted":
				p.deleted++
			}
		}
	}
	return nil
}

// fail notes a write that could not be carried out.
func (p *progress) fail(ix *index, op *writeOp, e *apiError, proceed bool) {
	if e.status == http.StatusConflict {
		p.conflicts++
		if proceed {
			return
		}
	}
	p.failures = append(p.failures, object{{"index", ix.name}, {"id", op.id}, {"cause", e.detail()}, {"status", e.status}})
	p.status = max(p.status, e.status)
}
