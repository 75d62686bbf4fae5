package search

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// refreshPolicy is what a write does about searches.
type refreshPolicy string

const (
	refreshNone    refreshPolicy = "false"
	refreshNow     refreshPolicy = "true"
	refreshWaitFor refreshPolicy = "wait_for"
)

func (c *call) refreshPolicy() (refreshPolicy, error) {
	if !c.has("refresh") {
		return refreshNone, nil
	}
	switch v := c.query.Get("refresh"); v {
	case "", "true":
		return refreshNow, nil
	case "false":
		return refreshNone, nil
	case "wait_for":
		return refreshWaitFor, nil
	default:
		return "", illegalArgument("Unknown value for refresh: [%s].", v)
	}
}

// copies reads how many copies must be there for a write.
func (c *call) copies() (string, time.Duration, error) {
	timeout, err := c.duration("timeout", time.Minute)
	return c.param("wait_for_active_shards"), timeout, err
}

// enough reports whether an index has the copies that a write asks for.
func enough(ix *index, asked, timeout string, what func() string) *apiError {
	primaries, total := ix.definition().shards()
	needed, err := strconv.Atoi(asked)
	if asked == "all" {
		needed, err = total/primaries, nil
	}
	if asked == "" || err != nil || needed <= 1 {
		return nil
	}
	return newError(http.StatusServiceUnavailable, "unavailable_shards_exception",
		"[%s][0] Not enough active copies to meet shard count of [%s] (have 1, needed %d). Timeout: [%s], request: [BulkShardRequest [[%s][0]] containing [%s]]",
		ix.name, asked, needed, timeout, ix.name, what())
}

// writeParams reads the parameters that all writes of a document share.
func (c *call) writeParams(op *writeOp) error {
	var err error
	op.routing = c.param("routing")
	if op.version, err = c.optional("version"); err != nil {
		return err
	}
	vt, apiErr := parseVersionType(c.param("version_type"))
	if apiErr != nil {
		return apiErr
	}
	op.versionType = vt
	if op.ifSeq, err = c.optional("if_seq_no"); err != nil {
		return err
	}
	op.ifTerm, err = c.optional("if_primary_term")
	return err
}

func (c *call) optional(name string) (*int64, error) {
	v := c.param(name)
	if v == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		e := illegalArgument("Failed to parse long parameter [%s] with value [%s]", name, v)
		e.cause = newError(0, "number_format_exception", "For input string: \"%s\"", v)
		return nil, e
	}
	return &n, nil
}

// putDocument is PUT and POST /{index}/_doc/{id}, and POST /{index}/_doc.
func putDocument(c *call) (*answer, error) {
	op := &writeOp{action: "index"}
	op.id, op.hasID = c.vars["id"]
	switch v := c.param("op_type"); v {
	case "", "index":
	case "create":
		op.action = "create"
	default:
		return nil, illegalArgument("opType must be 'create' or 'index', found: [%s]", v)
	}
	return writeOne(c, op)
}

// createDocument is PUT and POST /{index}/_create/{id}.
func createDocument(c *call) (*answer, error) {
	return writeOne(c, &writeOp{action: "create", id: c.vars["id"], hasID: true})
}

// deleteDocument is DELETE /{index}/_doc/{id}.
func deleteDocument(c *call) (*answer, error) {
	return writeOne(c, &writeOp{action: "delete", id: c.vars["id"], hasID: true})
}

// updateDocument is POST /{index}/_update/{id}.
func updateDocument(c *call) (*answer, error) {
	op := &writeOp{action: "update", id: c.vars["id"], hasID: true, getSource: c.sourceParams()}
	c.ignore("retry_on_conflict", "lang")
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	u, apiErr := parseUpdate(n)
	if apiErr != nil {
		return nil, apiErr
	}
	op.update = u
	if on, err := c.flag("doc_as_upsert", u.docAsUpsert); err != nil {
		return nil, err
	} else {
		u.docAsUpsert = on
	}
	return writeOne(c, op)
}

// writeOne carries out one write and answers it.
func writeOne(c *call, op *writeOp) (*answer, error) {
	done, full := c.srv.admit(len(c.body))
	if full != nil {
		return nil, full
	}
	defer done()
	if err := c.writeParams(op); err != nil {
		return nil, err
	}
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
	if pipeline := c.param("pipeline"); pipeline != "" && pipeline != "_none" {
		return nil, illegalArgument("pipeline with id [%s] does not exist", pipeline)
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	op.source = c.body
	if len(c.body) == 0 && (op.action == "index" || op.action == "create") {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if problems := op.check(); len(problems) > 0 {
		return nil, validationFailed(problems...)
	}
	ix, err := c.srv.writable(c.vars["index"], requireAlias, op.action != "delete" || op.versionType != versionInternal)
	if err != nil {
		return nil, err
	}
	if err := enough(ix, copies, c.query.Get("timeout"), func() string {
		return fmt.Sprintf("index {[%s][%s], source[%s]}", ix.name, op.id, op.source)
	}); err != nil {
		return nil, err
	}
	if err := ix.blocked(true); err != nil {
		return nil, err
	}
	out, err := ix.writeOne(op)
	if err != nil {
		return nil, err
	}
	if policy != refreshNone && out.result != "noop" {
		if err := ix.engine.refresh(c.ctx); err != nil {
			return nil, err
		}
	}
	a := &answer{status: out.status, body: out.render(c, ix, policy, false), headers: map[string]string{}}
	if out.status == http.StatusCreated {
		a.headers["Location"] = "/" + url.QueryEscape(ix.name) + "/_doc/" + url.QueryEscape(out.id)
	}
	return a, nil
}

func (ix *index) writeOne(op *writeOp) (*outcome, error) {
	w := ix.begin()
	defer w.end()
	out, err := w.apply(op)
	if err != nil {
		return nil, err
	}
	return out, w.commit()
}

// render is the answer to a write, or a part of the answer to a bulk.
func (o *outcome) render(c *call, ix *index, policy refreshPolicy, inBulk bool) object {
	b := object{{"_index", ix.name}, {"_id", o.id}, {"_version", o.version}, {"result", o.result}}
	if policy == refreshNow && o.result != "noop" {
		b = append(b, field{"forced_refresh", true})
	}
	primaries, total := ix.definition().shards()
	shards := object{{"total", total / primaries}, {"successful", 1}, {"failed", 0}}
	if o.result == "noop" && !inBulk {
		shards = object{{"total", 0}, {"successful", 0}, {"failed", 0}}
	}
	b = append(b, field{"_shards", shards}, field{"_seq_no", shownSeq(o.seq)}, field{"_primary_term", o.term})
	if c.compatible == 7 {
		b = append(b, field{"_type", "_doc"})
	}
	if o.get != nil {
		b = append(b, field{"get", o.get})
	}
	return b
}

// getDocument is GET and HEAD /{index}/_doc/{id}.
func getDocument(c *call) (*answer, error) {
	g, err := c.getParams()
	if err != nil {
		return nil, err
	}
	ix, r, err := g.find(c, c.vars["index"], c.vars["id"])
	if err != nil {
		return nil, err
	}
	body, err := g.render(c, ix.name, c.vars["id"], r)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if r == nil {
		status = http.StatusNotFound
	}
	return &answer{status: status, body: body}, nil
}

// getRequest says how a document is read.
type getRequest struct {
	filter      *sourceFilter
	realtime    bool
	refresh     bool
	version     *int64
	versionType versionType
	noStored    bool // stored_fields=_none_
}

func (c *call) getParams() (*getRequest, error) {
	g := &getRequest{filter: c.sourceParams()}
	var err error
	if g.realtime, err = c.flag("realtime", true); err != nil {
		return nil, err
	}
	if g.refresh, err = c.flag("refresh", false); err != nil {
		return nil, err
	}
	if g.version, err = c.optional("version"); err != nil {
		return nil, err
	}
	vt, apiErr := parseVersionType(c.param("version_type"))
	if apiErr != nil {
		return nil, apiErr
	}
	g.versionType = vt
	if fields := c.param("stored_fields"); fields == "_none_" {
		g.noStored = true
	} else if fields != "" {
		return nil, unsupported("the parameter [stored_fields]")
	}
	c.ignore("routing", "preference")
	return g, c.unknown()
}

// find reads a record, nil when there is no such document.
func (g *getRequest) find(c *call, name, id string) (*index, *record, error) {
	ix, err := c.srv.existing(name)
	if err != nil {
		return nil, nil, err
	}
	if err := ix.blocked(false); err != nil {
		return nil, nil, err
	}
	if g.refresh {
		if err := ix.engine.refresh(c.ctx); err != nil {
			return nil, nil, err
		}
	}
	var r *record
	if g.realtime {
		r, err = ix.srv.store.document(ix.number, id)
	} else {
		var snap *snapshot
		if snap, err = ix.engine.acquire(); err != nil {
			return nil, nil, err
		}
		defer snap.release()
		r, err = snap.record(id)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading document %s of %s: %w", id, ix.name, err)
	}
	if !exists(r) {
		return ix, nil, nil
	}
	if g.version != nil && *g.version != r.version {
		return nil, nil, versionConflict(ix, id, "current version [%d] is different than the one provided [%d]", r.version, *g.version)
	}
	return ix, r, nil
}

func (g *getRequest) render(c *call, name, id string, r *record) (object, error) {
	b := object{{"_index", name}}
	if c.compatible == 7 {
		b = append(b, field{"_type", "_doc"})
	}
	b = append(b, field{"_id", id})
	if r == nil {
		return append(b, field{"found", false}), nil
	}
	b = append(b, field{"_version", r.version}, field{"_seq_no", shownSeq(r.seq)}, field{"_primary_term", r.term})
	none := g.filter != nil && g.filter.none
	if r.routing != "" && !none {
		b = append(b, field{"_routing", r.routing})
	}
	b = append(b, field{"found", true})
	if none || g.noStored {
		return b, nil
	}
	source, err := g.filter.apply(r.source)
	if err != nil {
		return nil, err
	}
	return append(b, field{"_source", source}), nil
}

// getSource is GET and HEAD /{index}/_source/{id}.
func getSource(c *call) (*answer, error) {
	g, err := c.getParams()
	if err != nil {
		return nil, err
	}
	_, r, err := g.find(c, c.vars["index"], c.vars["id"])
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, newError(http.StatusNotFound, "resource_not_found_exception", "Document not found [%s]/[%s]", c.vars["index"], c.vars["id"])
	}
	source, err := g.filter.apply(r.source)
	if err != nil {
		return nil, err
	}
	return ok(source)
}

// multiGet is GET and POST /_mget and /{index}/_mget.
func multiGet(c *call) (*answer, error) {
	common, err := c.getParams()
	if err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body or source parameter is required")
	}
	type wanted struct {
		index, id string
		g         getRequest
	}
	var list []wanted
	var problems []string
	for _, m := range n.members {
		switch m.name {
		case "ids":
			for _, e := range m.value.list() {
				id, _ := e.scalar()
				list = append(list, wanted{c.vars["index"], id, *common})
			}
		case "docs":
			for i, d := range m.value.list() {
				w := wanted{index: c.vars["index"], g: *common}
				for _, p := range d.members {
					switch p.name {
					case "_index":
						w.index = p.value.text
					case "_id":
						w.id, _ = p.value.scalar()
					case "_source":
						filter, err := parseSourceFilter(p.value)
						if err != nil {
							return nil, err
						}
						w.g.filter = filter
					case "routing", "_type":
					default:
						return nil, newError(http.StatusBadRequest, "parse_exception", "failed to parse multi get request. unknown field [%s]", p.name)
					}
				}
				if w.index == "" {
					problems = append(problems, fmt.Sprintf("index is missing for doc %d", i))
				}
				if w.id == "" {
					problems = append(problems, fmt.Sprintf("id is missing for doc %d", i))
				}
				list = append(list, w)
			}
		default:
			return nil, parsingError(n.src, m.value.start, "unknown key [%s] for a %s, expected [docs] or [ids]", m.name, m.value.token())
		}
	}
	if len(list) == 0 {
		problems = append(problems, "no documents to get")
	}
	if len(problems) > 0 {
		return nil, validationFailed(problems...)
	}
	docs := []any{}
	for _, w := range list {
		_, r, err := w.g.find(c, w.index, w.id)
		if err != nil {
			e := asAPIError(err)
			if e.typ != "index_not_found_exception" {
				docs = append(docs, object{{"_index", w.index}, {"_id", w.id}, {"error", e.body()[0].value}})
				continue
			}
			r = nil
		}
		shown, err := w.g.render(c, w.index, w.id, r)
		if err != nil {
			return nil, err
		}
		docs = append(docs, shown)
	}
	return ok(object{{"docs", docs}})
}

// names splits a list of a path or parameter.
func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
