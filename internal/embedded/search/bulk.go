package search

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
)

// bulkItem is one action of a bulk with what became of it.
type bulkItem struct {
	op           writeOp
	index        string
	requireAlias bool
	result       object
	failed       bool
	ix           *index
}

// bulk is POST and PUT /_bulk and /{index}/_bulk.
func bulk(c *call) (*answer, error) {
	done, full := c.srv.admit(len(c.body))
	if full != nil {
		return nil, full
	}
	defer done()
	policy, err := c.refreshPolicy()
	if err != nil {
		return nil, err
	}
	copies, _, err := c.copies()
	if err != nil {
		return nil, err
	}
	requireAlias, err := c.flag("require_alias", false)
	if err != nil {
		return nil, err
	}
	defaults := bulkDefaults{index: c.vars["index"], requireAlias: requireAlias, routing: c.param("routing"), source: c.sourceParams(), typed: c.compatible == 7}
	if pipeline := c.param("pipeline"); pipeline != "" && pipeline != "_none" {
		return nil, illegalArgument("pipeline with id [%s] does not exist", pipeline)
	}
	c.ignore("type", "list_executed_pipelines", "require_data_stream")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	items, err := parseBulk(c.body, defaults)
	if err != nil {
		return nil, err
	}
	if err := c.srv.bulk(c, items, copies, policy); err != nil {
		return nil, err
	}
	list, failed := []any{}, false
	for _, it := range items {
		list = append(list, object{{it.op.action, it.result}})
		failed = failed || it.failed
	}
	return ok(object{{"errors", failed}, {"took", c.elapsed()}, {"items", list}})
}

// bulkDefaults are what the items of a bulk have unless they say otherwise.
type bulkDefaults struct {
	index        string
	requireAlias bool
	routing      string
	source       *sourceFilter
	typed        bool // "_type" is let pass
}

// parseBulk reads the lines of a bulk.
func parseBulk(body []byte, defaults bulkDefaults) ([]*bulkItem, error) {
	if len(body) == 0 {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if body[len(body)-1] != '\n' {
		return nil, illegalArgument("The bulk request must be terminated by a newline [\\n]")
	}
	var items []*bulkItem
	var problems []string
	var parser jsonParser
	for number := 1; len(body) > 0; number++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		it, err := parseAction(&parser, line, number, defaults)
		if err != nil {
			return nil, err
		}
		if it.op.action != "delete" {
			if len(body) == 0 {
				break
			}
			var source []byte
			source, body, _ = bytes.Cut(body, []byte{'\n'})
			it.op.source = bytes.TrimSuffix(source, []byte{'\r'})
			number++
			if it.op.action == "update" {
				if err := it.parseUpdate(defaults); err != nil {
					return nil, err
				}
			}
		}
		if it.index == "" {
			problems = append(problems, "index is missing")
		}
		problems = append(problems, it.op.check()...)
		items = append(items, it)
	}
	if len(items) == 0 {
		problems = append(problems, "no requests added")
	}
	if len(problems) > 0 {
		return nil, validationFailed(problems...)
	}
	return items, nil
}

func (it *bulkItem) parseUpdate(defaults bulkDefaults) error {
	n, _, err := parseJSON(it.op.source)
	if err != nil {
		return syntaxError(err)
	}
	u, apiErr := parseUpdate(n)
	if apiErr != nil {
		return apiErr
	}
	it.op.update = u
	if it.op.getSource == nil {
		it.op.getSource = defaults.source
	}
	return nil
}

// parseAction reads the line that says what to do.
func parseAction(parser *jsonParser, line []byte, number int, defaults bulkDefaults) (*bulkItem, error) {
	n, end, err := parser.parse(line)
	if err != nil {
		// The real server doesn't look for the action's own closing brace.
		if n, _, err2 := parseJSON(append(bytes.Clone(line), '}')); err2 == nil && n.kind == kindObject {
			return parseActionNode(n, number, defaults)
		}
		return nil, syntaxError(err)
	}
	if end < len(line) {
		return nil, illegalArgument("Malformed action/metadata line [%d], expected a single action but found more", number)
	}
	return parseActionNode(n, number, defaults)
}

func parseActionNode(n *node, number int, defaults bulkDefaults) (*bulkItem, error) {
	if n.kind != kindObject {
		return nil, illegalArgument("Malformed action/metadata line [%d], expected START_OBJECT but found [%s]", number, n.token())
	}
	if len(n.members) == 0 {
		return nil, illegalArgument("Malformed action/metadata line [%d], expected FIELD_NAME but found [END_OBJECT]", number)
	}
	if len(n.members) > 1 {
		return nil, illegalArgument("Malformed action/metadata line [%d], expected END_OBJECT but found [FIELD_NAME]", number)
	}
	action, params := n.members[0].name, n.members[0].value
	switch action {
	case "index", "create", "delete", "update":
	default:
		return nil, illegalArgument("Malformed action/metadata line [%d], expected field [create], [delete], [index] or [update] but found [%s]", number, action)
	}
	if params.kind != kindObject {
		return nil, illegalArgument("Malformed action/metadata line [%d], expected START_OBJECT or END_OBJECT but found [%s]", number, params.token())
	}
	it := &bulkItem{index: defaults.index, requireAlias: defaults.requireAlias}
	it.op = writeOp{action: action, routing: defaults.routing, versionType: versionInternal}
	for _, p := range params.members {
		if err := it.parseParam(p, number, defaults); err != nil {
			return nil, err
		}
	}
	return it, nil
}

func (it *bulkItem) parseParam(p member, number int, defaults bulkDefaults) error {
	text, scalar := p.value.scalar()
	if !scalar && p.value.kind != kindNull && p.name != "_source" {
		return illegalArgument("Malformed action/metadata line [%d], expected a simple value for field [%s] but found [%s]", number, p.name, p.value.token())
	}
	whole := func() (*int64, error) {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, illegalArgument("For input string: \"%s\"", text)
		}
		return &v, nil
	}
	var err error
	switch p.name {
	case "_index":
		it.index = text
	case "_id":
		it.op.id, it.op.hasID = text, p.value.kind != kindNull
	case "routing":
		it.op.routing = text
	case "version":
		it.op.version, err = whole()
	case "version_type":
		vt, apiErr := parseVersionType(text)
		if apiErr != nil {
			return apiErr
		}
		it.op.versionType = vt
	case "if_seq_no":
		it.op.ifSeq, err = whole()
	case "if_primary_term":
		it.op.ifTerm, err = whole()
	case "op_type":
		if it.op.action == "index" && text == "create" {
			it.op.action = "create"
		}
	case "retry_on_conflict", "dynamic_templates":
	case "require_alias":
		it.requireAlias = p.value.kind == kindTrue
	case "pipeline":
		if text != "" && text != "_none" {
			return illegalArgument("pipeline with id [%s] does not exist", text)
		}
	case "_source":
		filter, apiErr := parseSourceFilter(p.value)
		if apiErr != nil {
			return apiErr
		}
		it.op.getSource = filter
	case "_type":
		if defaults.typed {
			return nil
		}
		fallthrough
	default:
		return illegalArgument("Action/metadata line [%d] contains an unknown parameter [%s]", number, p.name)
	}
	return err
}

// fail notes the error of an item.
func (it *bulkItem) fail(e *apiError) {
	name := it.index
	if it.ix != nil {
		name = it.ix.name
	}
	it.failed = true
	id := any(it.op.id)
	if !it.op.hasID && it.op.id == "" {
		id = nil
	}
	it.result = object{{"_index", name}, {"_id", id}, {"status", e.status}, {"error", e.detail()}}
}

// bulk carries out items: one commit for each index. An error is one of the
// whole request.
func (s *Server) bulk(c *call, items []*bulkItem, copies string, policy refreshPolicy) error {
	var order []*index
	groups := map[*index][]*bulkItem{}
	for _, it := range items {
		if it.op.hasID && it.op.id == "" {
			it.fail(illegalArgument("if _id is specified it must not be empty"))
			continue
		}
		ix, err := s.writable(it.index, it.requireAlias, it.op.action != "delete" || it.op.versionType != versionInternal)
		if err != nil {
			it.fail(asAPIError(err))
			continue
		}
		it.ix = ix
		if groups[ix] == nil {
			order = append(order, ix)
		}
		groups[ix] = append(groups[ix], it)
	}
	for _, ix := range order {
		if err := enough(ix, copies, c.query.Get("timeout"), func() string { return "bulk" }); err != nil {
			for _, it := range groups[ix] {
				it.fail(err)
			}
			continue
		}
		if err := ix.bulk(c, groups[ix], policy); err != nil {
			return err
		}
	}
	if policy == refreshNone {
		return nil
	}
	for _, ix := range order {
		if err := ix.engine.refresh(c.ctx); err != nil {
			return err
		}
	}
	return nil
}

// bulk writes the items of one index in one commit.
func (ix *index) bulk(c *call, items []*bulkItem, policy refreshPolicy) error {
	ops := make([]*writeOp, len(items))
	for i, it := range items {
		ops[i] = &it.op
	}
	outcomes, failed, err := ix.carryOut(c.ctx, ops)
	if err != nil {
		return err
	}
	for i, it := range items {
		if e := failed[i]; e != nil {
			it.fail(e)
			continue
		}
		it.result = append(outcomes[i].render(c, ix, policy, true), field{"status", outcomes[i].status})
	}
	return nil
}

// carryOut makes writes in one commit. Each has an outcome or an error of its own.
func (ix *index) carryOut(ctx context.Context, ops []*writeOp) ([]*outcome, []*apiError, error) {
	outcomes, failed := make([]*outcome, len(ops)), make([]*apiError, len(ops))
	if blocked := ix.blocked(true); blocked != nil {
		for i := range failed {
			failed[i] = blocked
		}
		return outcomes, failed, nil
	}
	if err := ix.engine.keepUp(ctx); err != nil {
		return nil, nil, err
	}
	cache := ix.parsers.get()
	def := ix.definition()
	for _, op := range ops {
		op.prepare(def, cache)
	}
	ix.parsers.put(cache)
	w := ix.begin()
	defer w.end()
	for i, op := range ops {
		out, err := w.apply(op)
		if err != nil {
			e := asAPIError(err)
			if e.status == http.StatusInternalServerError && e.typ == "exception" {
				return nil, nil, err
			}
			failed[i] = e
			continue
		}
		outcomes[i] = out
	}
	return outcomes, failed, w.commit()
}
