package search

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// maxContexts is how many scrolls, and how many points in time, may be open.
	maxContexts = 500
	// maxKeepAlive bounds how long a context is kept without being used.
	maxKeepAlive = 24 * time.Hour
)

// searchContext is a state of some indexes that is kept for later searches: a
// scroll or a point in time.
type searchContext struct {
	number  uint64
	id      string
	scroll  *scroll // nil for a point in time
	targets []target
	snaps   []*snapshot
	timer   *time.Timer
	keep    time.Duration
	users   int  // requests that use it
	gone    bool // to be released by the last user
}

// scroll is how far a scroll has come. One request at a time moves it.
type scroll struct {
	mu   sync.Mutex
	req  searchRequest
	last *hit
}

// contexts are the open ones.
type contexts struct {
	mu   sync.Mutex
	next uint64
	open map[uint64]*searchContext
}

const contextMark = "orderflow"

// contextID is what clients get: a mark, the number and the names of the indexes,
// which errors show after the context has gone.
func contextID(number uint64, targets []target) string {
	b := binary.BigEndian.AppendUint64([]byte(contextMark), number)
	return base64.URLEncoding.EncodeToString(append(b, joinNames(targets)...))
}

func parseContextID(id string) (number uint64, indices []string, ok bool) {
	b, err := base64.URLEncoding.DecodeString(id)
	if err != nil || !strings.HasPrefix(string(b), contextMark) || len(b) < len(contextMark)+8 {
		return 0, nil, false
	}
	b = b[len(contextMark):]
	return binary.BigEndian.Uint64(b), strings.Split(string(b[8:]), ", "), true
}

// add opens a context on snapshots, which it owns from then on.
func (cs *contexts) add(ctx *searchContext) *apiError {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	same := 0
	for _, other := range cs.open {
		if (other.scroll == nil) == (ctx.scroll == nil) {
			same++
		}
	}
	if same >= maxContexts {
		kind, setting := "scroll", "search.max_open_scroll_context"
		if ctx.scroll == nil {
			kind, setting = "point in time", "search.max_open_pit_context"
		}
		return newError(http.StatusTooManyRequests, "too_many_scroll_contexts_exception", "Trying to create too many %s contexts. Must be less than or equal to: [%d]. This limit can be set by changing the [%s] setting.", kind, maxContexts, setting)
	}
	if cs.open == nil {
		cs.open = map[uint64]*searchContext{}
	}
	cs.next++
	ctx.number = cs.next
	ctx.id = contextID(ctx.number, ctx.targets)
	ctx.timer = time.AfterFunc(ctx.keep, func() { cs.free(ctx.number) })
	cs.open[ctx.number] = ctx
	return nil
}

// use gives a context to a request, nil when there is none of that number; the
// request calls done. keep above 0 sets how long it is kept from now on.
func (cs *contexts) use(number uint64, scroll bool, keep time.Duration) *searchContext {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	ctx := cs.open[number]
	if ctx == nil || (ctx.scroll != nil) != scroll {
		return nil
	}
	if keep > 0 {
		ctx.keep = keep
	}
	ctx.timer.Reset(ctx.keep)
	ctx.users++
	return ctx
}

func (cs *contexts) done(ctx *searchContext) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if ctx.users--; ctx.users == 0 && ctx.gone {
		releaseAll(ctx.snaps)
	}
}

// free closes a context and reports whether it was open.
func (cs *contexts) free(number uint64) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	ctx := cs.open[number]
	if ctx == nil {
		return false
	}
	delete(cs.open, number)
	ctx.timer.Stop()
	ctx.gone = true
	if ctx.users == 0 {
		releaseAll(ctx.snaps)
	}
	return true
}

// freeAll closes the scrolls, and the points in time too when all is set.
func (cs *contexts) freeAll(all bool) {
	cs.mu.Lock()
	var numbers []uint64
	for n, ctx := range cs.open {
		if all || ctx.scroll != nil {
			numbers = append(numbers, n)
		}
	}
	cs.mu.Unlock()
	for _, n := range numbers {
		cs.free(n)
	}
}

func checkKeepAlive(keep time.Duration, text string) *apiError {
	if keep > maxKeepAlive {
		return illegalArgument("Keep alive for request (%s) is too large. It must be less than (1d). This limit can be set by changing the [search.max_keep_alive] cluster level setting.", text)
	}
	return nil
}

// beginScroll answers the first page of a scroll.
func (c *call) beginScroll(req *searchRequest, e expression, index string, keep time.Duration) (object, error) {
	found, err := c.srv.resolve(index, e)
	if err != nil {
		return nil, err
	}
	if err := checkKeepAlive(keep, c.query.Get("scroll")); err != nil {
		if len(found) > 0 {
			err = failedSearch(found[0].index, c.srv.nodeID, err)
		}
		return nil, err
	}
	snaps, err := acquireAll(found)
	if err != nil {
		return nil, err
	}
	req.scrolled = true
	if !req.exactAsked { // a scroll always counts exactly
		req.totals = countAll
	}
	r, err := c.runOn(req, found, snaps)
	if err != nil {
		releaseAll(snaps)
		return nil, err
	}
	body, err := r.render()
	if err != nil {
		releaseAll(snaps)
		return nil, err
	}
	s := &scroll{req: *req}
	s.req.aggs = nil
	s.advance(r)
	ctx := &searchContext{scroll: s, targets: found, snaps: snaps, keep: keep}
	if err := c.srv.contexts.add(ctx); err != nil {
		releaseAll(snaps)
		return nil, err
	}
	return append(object{{"_scroll_id", ctx.id}}, body...), nil
}

// advance takes note of the last hit that was given out, and of the total, which
// is counted once.
func (s *scroll) advance(r *searchRun) {
	for _, p := range r.parts {
		if s.last == nil {
			s.req.knownTotal += p.total
		}
	}
	if n := len(r.top.hits); n > 0 {
		s.last = r.top.hits[n-1]
		s.req.behind = s.last
	}
}

// scrollOn is GET and POST /_search/scroll and /_search/scroll/{id}.
func scrollOn(c *call) (*answer, error) {
	id, keepText := c.vars["id"], c.param("scroll")
	if v := c.param("scroll_id"); v != "" {
		id = v
	}
	asInt, err := c.flag("rest_total_hits_as_int", false)
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n != nil {
		for _, m := range n.members {
			switch m.name {
			case "scroll_id":
				id = m.value.text
			case "scroll":
				keepText = m.value.text
			default:
				return nil, illegalArgument("Unknown parameter [%s] in request body or parameter is of the wrong type[%s] ", m.name, m.value.token())
			}
		}
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, validationFailed("scrollId is missing")
	}
	keep := time.Duration(0)
	if keepText != "" {
		d, err := parseTimeValue("scroll", keepText)
		if err != nil {
			return nil, err
		}
		if err := checkKeepAlive(d, keepText); err != nil {
			return nil, err
		}
		keep = d
	}
	number, _, parsed := parseContextID(id)
	if !parsed {
		return nil, badScrollID()
	}
	ctx := c.srv.contexts.use(number, true, keep)
	if ctx == nil {
		return nil, scrollMissing(number)
	}
	defer c.srv.contexts.done(ctx)
	body, err := c.nextPage(ctx, asInt)
	if err != nil {
		return nil, err
	}
	return ok(append(object{{"_scroll_id", ctx.id}}, body...))
}

func (c *call) nextPage(ctx *searchContext, asInt bool) (object, error) {
	s := ctx.scroll
	s.mu.Lock()
	defer s.mu.Unlock()
	req := s.req
	req.intTotals = asInt
	r, err := c.runOn(&req, ctx.targets, ctx.snaps)
	if err != nil {
		return nil, err
	}
	for _, p := range r.parts {
		p.total = 0 // it is known from the first page
	}
	body, err := r.render()
	if err != nil {
		return nil, err
	}
	s.advance(r)
	return body, nil
}

func badScrollID() *apiError {
	e := illegalArgument("Cannot parse scroll id")
	e.cause = &apiError{typ: "e_o_f_exception", noReason: true}
	return e
}

func contextMissing(number uint64) *apiError {
	return newError(http.StatusNotFound, "search_context_missing_exception", "No search context found for id [%d]", number)
}

func scrollMissing(number uint64) *apiError {
	cause := contextMissing(number)
	e := newError(http.StatusNotFound, "search_phase_execution_exception", "all shards failed")
	e.root, e.cause = cause, cause
	e.phases = object{{"phase", "query"}, {"grouped", true}, {"failed_shards", []any{object{{"shard", -1}, {"index", nil}, {"reason", cause.detail()}}}}}
	return e
}

// clearScroll is DELETE /_search/scroll and /_search/scroll/{id}.
func clearScroll(c *call) (*answer, error) {
	ids := names(c.vars["id"])
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n != nil {
		for _, m := range n.members {
			if m.name != "scroll_id" {
				return nil, illegalArgument("Unknown parameter [%s] in request body or parameter is of the wrong type[%s] ", m.name, m.value.token())
			}
			ids = texts(m.value)
		}
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, validationFailed("no scroll ids specified")
	}
	freed := 0
	if len(ids) == 1 && ids[0] == "_all" {
		c.srv.contexts.freeAll(false)
		return ok(object{{"succeeded", true}, {"num_freed", 1}}) // it counts nodes
	}
	for _, id := range ids {
		number, _, ok := parseContextID(id)
		if !ok {
			return nil, badScrollID()
		}
		if c.srv.contexts.free(number) {
			freed++
		}
	}
	return freedAnswer(freed)
}

func freedAnswer(freed int) (*answer, error) {
	status := http.StatusOK
	if freed == 0 {
		status = http.StatusNotFound
	}
	return &answer{status: status, body: object{{"succeeded", true}, {"num_freed", freed}}}, nil
}

// openPoint is POST /{index}/_pit.
func openPoint(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	keep, err := c.duration("keep_alive", 0)
	if err != nil {
		return nil, err
	}
	c.ignore("routing", "preference", "max_concurrent_shard_requests", "allow_partial_search_results")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if keep <= 0 {
		return nil, validationFailed("[keep_alive] is not specified")
	}
	if err := checkKeepAlive(keep, c.query.Get("keep_alive")); err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	snaps, err := acquireAll(found)
	if err != nil {
		return nil, err
	}
	ctx := &searchContext{targets: found, snaps: snaps, keep: keep}
	if err := c.srv.contexts.add(ctx); err != nil {
		releaseAll(snaps)
		return nil, err
	}
	return ok(object{{"id", ctx.id}})
}

// closePoint is DELETE /_pit.
func closePoint(c *call) (*answer, error) {
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil || n.get("id") == nil {
		return nil, validationFailed("id is empty")
	}
	number, _, parsed := parseContextID(n.get("id").text)
	if !parsed {
		return nil, illegalArgument("invalid id: [%s]", n.get("id").text)
	}
	return freedAnswer(boolIndex(c.srv.contexts.free(number)))
}

// pointInTime is a "pit" of a search.
type pointInTime struct {
	id   string
	keep time.Duration
}

func parsePoint(v *node) (*pointInTime, *apiError) {
	p := &pointInTime{}
	if v.kind != kindObject {
		return nil, wrongToken("pit", "pit", v)
	}
	err := params{
		"id": func(v *node) *apiError { p.id = v.text; return nil },
		"keep_alive": func(v *node) (err *apiError) {
			if p.keep, err = parseTimeValue("keep_alive", v.text); err == nil {
				err = checkKeepAlive(p.keep, v.text)
			}
			return err
		},
	}.parse("pit", v)
	if err == nil && p.id == "" {
		err = illegalArgument("Required [id]")
	}
	return p, err
}

// searchPoint searches in a point in time.
func (c *call) searchPoint(req *searchRequest) (object, error) {
	number, indices, parsed := parseContextID(req.pit.id)
	if !parsed {
		return nil, illegalArgument("invalid id: [%s]", req.pit.id)
	}
	ctx := c.srv.contexts.use(number, false, req.pit.keep)
	if ctx == nil {
		cause := contextMissing(number)
		e := newError(http.StatusNotFound, "search_phase_execution_exception", "all shards failed")
		e.root = cause
		failed := []any{}
		for _, name := range indices {
			failed = append(failed, object{{"shard", 0}, {"index", name}, {"node", c.srv.nodeID}, {"reason", cause.detail()}})
		}
		e.phases = object{{"phase", "query"}, {"grouped", true}, {"failed_shards", failed}}
		return nil, e
	}
	defer c.srv.contexts.done(ctx)
	if len(req.sort) > 0 && req.sort[len(req.sort)-1].field != "_shard_doc" {
		req.sort = append(req.sort, sortKey{field: "_shard_doc"})
	}
	r, err := c.runOn(req, ctx.targets, ctx.snaps)
	if err != nil {
		return nil, err
	}
	body, err := r.render()
	if err != nil {
		return nil, err
	}
	return append(object{{"pit_id", ctx.id}}, body...), nil
}

// sliceSpec is a "slice" of a scroll or point in time: a share of all documents.
type sliceSpec struct{ id, max int }

func parseSlice(v *node) (*sliceSpec, *apiError) {
	s := &sliceSpec{id: -1}
	if v.kind != kindObject {
		return nil, wrongToken("slice", "slice", v)
	}
	number := func(into *int) func(v *node) *apiError {
		return func(v *node) *apiError {
			f, err := number64(v)
			*into = int(f)
			return err
		}
	}
	err := params{"id": number(&s.id), "max": number(&s.max), "field": refusedParam("[field] of a slice")}.parse("slice", v)
	switch {
	case err != nil:
		return nil, err
	case s.max <= 1:
		return nil, illegalArgument("max must be greater than 1")
	case s.id < 0:
		return nil, illegalArgument("id must be greater than or equal to 0")
	case s.id >= s.max:
		return nil, illegalArgument("max must be greater than id")
	}
	return s, nil
}
