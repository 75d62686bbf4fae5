package search

import (
	"fmt"
	"net/http"
)

// validateQuery is GET and POST /_validate/query and /{index}/_validate/query.
func validateQuery(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	explain, err := c.flag("explain", false)
	if err != nil {
		return nil, err
	}
	c.ignore("rewrite", "all_shards")
	req := &searchRequest{query: matchAllQuery{1}}
	if err := c.queryParams(req); err != nil {
		return nil, err
	}
	if err := c.unknown(); err != nil {
		return nil, err
	}
	found, err := c.srv.resolve(c.vars["index"], e)
	if err != nil {
		return nil, err
	}
	invalid := func(e *apiError) (*answer, error) {
		o := object{{"valid", false}}
		if explain {
			o = append(o, field{"error", javaMessage(e)})
		}
		return ok(o)
	}
	n, err := c.json()
	if err != nil {
		return invalid(asAPIError(err))
	}
	if n != nil {
		for _, m := range n.members {
			if m.name != "query" {
				return invalid(parsingError(n.src, m.start, "request does not support [%s]", m.name))
			}
			q, apiErr := (&parseState{}).parseQuery(m.value)
			if apiErr != nil {
				return invalid(apiErr)
			}
			req.query = q
		}
	}
	shards := object{{"total", 1}, {"successful", 1}, {"failed", 0}}
	explanations := []any{}
	valid := true
	snaps, err := acquireAll(found)
	if err != nil {
		return nil, err
	}
	defer releaseAll(snaps)
	for i, t := range found {
		x := newExecution(c.ctx, t.index, snaps[i], c.srv.cfg.Clock())
		it, err := req.query.build(x)
		one := object{{"index", t.name}}
		if err != nil {
			valid = false
			one = append(one, field{"valid", false}, field{"error", javaMessage(asAPIError(err))})
		} else {
			one = append(one, field{"valid", true}, field{"explanation", describeQuery(req.query)})
			if err := it.close(); err != nil {
				return nil, err
			}
		}
		explanations = append(explanations, one)
	}
	o := object{{"_shards", shards}, {"valid", valid}}
	if explain {
		o = append(o, field{"explanations", explanations})
	}
	return ok(o)
}

// javaMessage shows an error with its causes as the real server does in a text.
func javaMessage(e *apiError) string {
	classes := map[string]string{
		"parsing_exception": "org.elasticsearch.common.ParsingException", "named_object_not_found_exception": "org.elasticsearch.xcontent.NamedObjectNotFoundException",
		"x_content_parse_exception": "org.elasticsearch.xcontent.XContentParseException", "illegal_argument_exception": "java.lang.IllegalArgumentException",
		"query_shard_exception": "org.elasticsearch.index.query.QueryShardException", "parse_exception": "org.elasticsearch.ElasticsearchParseException",
		"number_format_exception": "java.lang.NumberFormatException",
	}
	text := ""
	for ; e != nil; e = e.cause {
		name := classes[e.typ]
		if name == "" {
			name = e.typ
		}
		if e.typ == "query_shard_exception" {
			name = "[" + fmt.Sprint(metaOf(e, "index")) + "/" + fmt.Sprint(metaOf(e, "index_uuid")) + "] " + name
		}
		if text != "" {
			text += "; "
		}
		text += name + ": " + e.reason
	}
	return text
}

func metaOf(e *apiError, name string) any {
	v, _ := e.meta.get(name)
	return v
}

// explainDocument is GET and POST /{index}/_explain/{id}.
func explainDocument(c *call) (*answer, error) {
	ix, err := c.srv.existing(c.vars["index"])
	if err != nil {
		return nil, err
	}
	req := &searchRequest{}
	if err := c.queryParams(req); err != nil {
		return nil, err
	}
	c.ignore("routing", "preference", "stored_fields", "_source", "_source_includes", "_source_excludes")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	n, err := c.json()
	if err != nil {
		return nil, err
	}
	if n != nil {
		for _, m := range n.members {
			if m.name != "query" {
				return nil, parsingError(n.src, m.start, "request does not support [%s]", m.name)
			}
			q, apiErr := (&parseState{}).parseQuery(m.value)
			if apiErr != nil {
				return nil, apiErr
			}
			req.query = q
		}
	}
	if req.query == nil {
		return nil, validationFailed("query is missing")
	}
	snap, err := ix.engine.acquire()
	if err != nil {
		return nil, err
	}
	defer snap.release()
	id := c.vars["id"]
	o := object{{"_index", ix.name}, {"_id", id}}
	internal, err := snap.reader.InternalID(id)
	if err != nil {
		return nil, err
	}
	if internal == nil {
		return &answer{status: http.StatusNotFound, body: append(o, field{"matched", false})}, nil
	}
	x := newExecution(c.ctx, ix, snap, c.srv.cfg.Clock())
	if err := x.remember(req.query); err != nil {
		return nil, queryFailure(ix, c, err)
	}
	doc := internal.Value()
	it, err := req.query.build(x)
	if err != nil {
		return nil, queryFailure(ix, c, err)
	}
	at, err := it.advance(doc)
	score := it.score
	if err != nil {
		return nil, joinClose(err, it.close)
	}
	if at != doc {
		o = append(o, field{"matched", false}, field{"explanation", object{{"value", float32(0)}, {"description", noMatch(req.query)}, {"details", []any{}}}})
		return &answer{status: http.StatusOK, body: o}, it.close()
	}
	why, err := x.explain(doc, score())
	if err = joinClose(err, it.close); err != nil {
		return nil, err
	}
	return ok(append(o, field{"matched", true}, field{"explanation", why}))
}

// noMatch says in Lucene's words that a document doesn't match.
func noMatch(q query) string {
	if _, ok := q.(*termsQuery); ok {
		return "no matching term"
	}
	return "no matching clause"
}

func queryFailure(ix *index, c *call, err error) error {
	if e := asAPIError(err); e.status < 500 {
		return failedSearch(ix, c.srv.nodeID, e)
	}
	return err
}
