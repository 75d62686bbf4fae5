package search

import (
	"net/http"
	"strings"
)

// destination is where a reindex writes.
type destination struct {
	index       string
	opType      string
	versionType versionType
	routing     string
}

// reindex is POST /_reindex.
func reindex(c *call) (*answer, error) {
	body, err := c.json()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if c.has("pipeline") {
		return nil, illegalArgument("_reindex doesn't support [pipeline] as a query parameter. Specify it in the [dest] object instead.")
	}
	q := &byQuery{what: "a reindex", created: true, updated: true}
	dest := &destination{versionType: versionInternal}
	if err := q.parseReindex(c, body, dest); err != nil {
		return nil, err
	}
	if err := refuseScript(body); err != nil {
		return nil, err
	}
	if err := q.parseCommon(c); err != nil {
		return nil, err
	}
	if problems := dest.check(q); len(problems) > 0 {
		return nil, validationFailed(problems...)
	}
	found, err := c.srv.resolve(q.index, q.names)
	if err != nil {
		return nil, err
	}
	for _, t := range found {
		if t.index == c.srv.destination(dest.index) {
			return nil, validationFailed("reindex cannot write into an index its reading from [" + t.name + "]")
		}
	}
	q.into, q.op = dest.index, func(_ *index, id string, r *record) (*writeOp, error) { return dest.write(q, id, r) }
	return q.answerOn(c, found)
}

// destination is the index that writes to a name go to, nil when it has to be made.
func (s *Server) destination(name string) *index {
	s.catalog.RLock()
	ix, aliased := s.indices[name], s.aliased(name)
	s.catalog.RUnlock()
	if ix == nil && len(aliased) > 0 {
		ix, _ = writeIndex(name, aliased) // writing says what is wrong with it
	}
	return ix
}

func (q *byQuery) parseReindex(c *call, body *node, dest *destination) error {
	if body.kind != kindObject {
		return parsingError(body.src, body.start, "Expected [START_OBJECT] but found [%s]", body.token())
	}
	var source *node
	for _, m := range body.members {
		var err error
		switch m.name {
		case "source":
			source = m.value
			err = q.parseFrom(m.value)
		case "dest":
			err = dest.parse(m.value)
		case "conflicts":
			err = q.parseConflicts(m.value.text)
		case "max_docs", "script":
		default:
			err = contentError(body.src, m.start, "[reindex] unknown field [%s]", m.name)
		}
		if err != nil {
			return err
		}
	}
	if source == nil {
		q.search, q.batch = &searchRequest{query: matchAllQuery{1}}, defaultBatch
	}
	return q.parseMaxDocs(c, body.get("max_docs"))
}

// parseFrom reads the "source" of a reindex.
func (q *byQuery) parseFrom(v *node) error {
	if v.kind == kindObject && v.get("remote") != nil {
		return unsupported("[remote] of a reindex")
	}
	if err := q.parseSource(v, "index"); err != nil {
		return err
	}
	if list := v.get("index"); list != nil {
		q.index = strings.Join(texts(list), ",")
	}
	return nil
}

func (d *destination) parse(v *node) error {
	if v.kind != kindObject {
		return contentError(v.src, v.start, "[reindex] dest doesn't support values of type: %s", v.token())
	}
	for _, m := range v.members {
		text := m.value.text
		switch m.name {
		case "index":
			d.index = text
		case "op_type":
			switch text {
			case "index", "create":
				d.opType = text
			default:
				return illegalArgument("opType must be 'create' or 'index', found: [%s]", text)
			}
		case "version_type":
			vt, err := parseVersionType(text)
			if err != nil {
				return err
			}
			d.versionType = vt
		case "routing":
			d.routing = text
		case "pipeline":
			if text != "" && text != "_none" {
				return illegalArgument("pipeline with id [%s] does not exist", text)
			}
		default:
			return contentError(v.src, m.start, "[dest] unknown field [%s]", m.name)
		}
	}
	return nil
}

// check reports what is missing.
func (d *destination) check(q *byQuery) []string {
	var problems []string
	if q.index == "" {
		problems = append(problems, "use _all if you really want to copy from all existing indexes")
	}
	if q.search.source != nil && q.search.source.none {
		problems = append(problems, "_source:false is not supported in this context")
	}
	switch {
	case d.index == "":
		problems = append(problems, "index must be specified")
	case d.routing != "" && d.routing != "keep" && d.routing != "discard" && !strings.HasPrefix(d.routing, "="):
		problems = append(problems, "routing must be unset, [keep], [discard] or [=<some new value>]")
	}
	return problems
}

// write is the write of a document at the destination.
func (d *destination) write(q *byQuery, id string, r *record) (*writeOp, error) {
	op := &writeOp{action: "index", id: id, hasID: true, source: r.source, routing: r.routing, versionType: d.versionType}
	if d.opType == "create" {
		op.action = "create"
	}
	if d.versionType != versionInternal {
		version := r.version
		op.version = &version
	}
	switch {
	case d.routing == "discard":
		op.routing = ""
	case strings.HasPrefix(d.routing, "="):
		op.routing = d.routing[1:]
	}
	if q.search.source != nil {
		kept, err := q.search.source.apply(r.source)
		if err != nil {
			return nil, err
		}
		op.source = encodeJSON(kept, false)
	}
	return op, nil
}
