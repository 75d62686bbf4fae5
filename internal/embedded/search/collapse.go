package search

import (
	"fmt"
	"net/http"
	"slices"
)

// collapseSpec is a "collapse".
type collapseSpec struct {
	field string
	inner []*innerHits
}

// innerHits is a search among the hits that a collapsed one stands for.
type innerHits struct {
	name string
	req  *searchRequest
}

func parseCollapse(v *node) (*collapseSpec, *apiError) {
	c := &collapseSpec{}
	if v.kind != kindObject {
		return nil, parsingError(v.src, v.start, "Unknown key for a %s in [collapse].", v.token())
	}
	err := params{
		"field":                         func(v *node) *apiError { c.field = v.text; return nil },
		"max_concurrent_group_searches": ignored,
		"max_concurrent_group_requests": ignored,
		"inner_hits": func(v *node) *apiError {
			for _, e := range v.list() {
				if e.kind != kindObject {
					return wrongToken("collapse", "inner_hits", e)
				}
				in := &innerHits{}
				req, err := parseHitOptions("inner_hits", e, 3, "name")
				if err != nil {
					return err
				}
				if n := e.get("name"); n != nil {
					in.name = n.text
				}
				in.req = req
				c.inner = append(c.inner, in)
			}
			return nil
		},
	}.parse("collapse", v)
	if err == nil && c.field == "" {
		err = illegalArgument("Required [field]")
	}
	return c, err
}

// innerHits appends the hits that a collapsed one stands for.
func (f *fetcher) innerHits(o object, h *hit) (object, error) {
	if f.req.collapse == nil || len(f.req.collapse.inner) == 0 {
		return o, nil
	}
	all := object{}
	for _, in := range f.req.collapse.inner {
		req := *in.req
		value := query(&boolQuery{mustNot: []query{&existsQuery{f.req.collapse.field, 1}}, boost: 1})
		if !h.collapsed.missing {
			text := h.collapsed.text
			if h.part.collapse.kind != "text" {
				text = fmt.Sprint(h.part.collapse.render(h.collapsed))
			}
			value = &termsQuery{field: f.req.collapse.field, values: []string{text}, boost: 1}
		}
		req.query = &boolQuery{must: []query{f.req.query}, filter: []query{value}, boost: 1}
		req.totals = countAll
		var found []target
		var snaps []*snapshot
		for _, p := range f.run.parts {
			found, snaps = append(found, p.target), append(snaps, p.x.snap)
		}
		inner, err := f.run.c.runOn(&req, found, snaps)
		if err != nil {
			return nil, err
		}
		body, err := inner.render()
		if err != nil {
			return nil, err
		}
		hits, _ := body.get("hits")
		all = append(all, field{in.name, object{{"hits", hits}}})
	}
	return append(o, field{"inner_hits", all}), nil
}

// parseHitOptions reads what top_hits and inner_hits say about their hits.
func parseHitOptions(kind string, n *node, size int, also ...string) (*searchRequest, *apiError) {
	r := &searchRequest{query: matchAllQuery{1}, size: size, totals: countAll}
	known := []string{"from", "size", "sort", "_source", "version", "seq_no_primary_term", "track_scores", "explain", "highlight", "docvalue_fields", "fields", "stored_fields"}
	for _, m := range n.members {
		switch {
		case slices.Contains(known, m.name):
			if err := r.parseKey(m); err != nil {
				return nil, err
			}
		case slices.Contains(also, m.name):
		default:
			return nil, parsingError(n.src, m.value.start, "Unknown key for a %s in [%s].", m.value.token(), m.name)
		}
	}
	return r, nil
}

// collapsible reports a field by which hits can't be collapsed.
func collapsible(x *execution, path string) *apiError {
	m := x.mapping.lookup(path)
	if m == nil || m.typ == "object" || m.typ == "nested" {
		return illegalArgument("no mapping found for `%s` in order to collapse on", path)
	}
	if _, whole := integerTypes[m.typ]; !whole && m.typ != "keyword" && kindOfValues(m.typ) != doubleValues {
		return illegalArgument("collapse is not supported for the field [%s] of the type [%s]", path, m.typ)
	}
	return nil
}

// collapseValue is the value by which a document is collapsed, of which it may have
// one alone.
func (p *hitPart) collapseValue(doc uint64) (sortValue, error) {
	v, n, err := p.collapse.value(doc, 0)
	if err == nil && n > 1 {
		e := newError(http.StatusInternalServerError, "illegal_state_exception", "failed to extract doc:%d, the grouping field must be single valued", doc)
		return v, e
	}
	return v, err
}
