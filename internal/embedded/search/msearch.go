package search

import (
	"bytes"
	"net/http"
)

// multiSearch is GET and POST /_msearch and /{index}/_msearch.
func multiSearch(c *call) (*answer, error) {
	e, err := c.options(expression{})
	if err != nil {
		return nil, err
	}
	asInt, err := c.flag("rest_total_hits_as_int", false)
	if err != nil {
		return nil, err
	}
	typed, err := c.flag("typed_keys", false)
	if err != nil {
		return nil, err
	}
	c.ignore("max_concurrent_searches", "max_concurrent_shard_requests", "pre_filter_shard_size", "search_type", "ccs_minimize_roundtrips")
	if err := c.unknown(); err != nil {
		return nil, err
	}
	if len(c.body) == 0 {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body or source parameter is required")
	}
	if c.body[len(c.body)-1] != '\n' {
		return nil, illegalArgument("The msearch request must be terminated by a newline [\n]")
	}
	searches, err := parseMultiSearch(c, e)
	if err != nil {
		return nil, err
	}
	if len(searches) == 0 {
		return nil, validationFailed("no requests added")
	}
	responses := []any{}
	for _, s := range searches {
		s.req.intTotals, s.req.typedKeys = asInt, typed
		if asInt {
			s.req.totals, s.req.exactAsked = countAll, true
		}
		body, err := c.search(s.req, s.e, s.index, 0)
		if err != nil {
			e := asAPIError(err)
			responses = append(responses, e.body())
			continue
		}
		responses = append(responses, append(body, field{"status", http.StatusOK}))
	}
	return ok(object{{"took", c.elapsed()}, {"responses", responses}})
}

// oneSearch is a search of a multi search.
type oneSearch struct {
	index string
	e     expression
	req   *searchRequest
}

func parseMultiSearch(c *call, common expression) ([]oneSearch, error) {
	var list []oneSearch
	rest := c.body
	line := func() []byte {
		var l []byte
		l, rest, _ = bytes.Cut(rest, []byte("\n"))
		return l
	}
	left := maxValues // of all searches: they are kept until the last is answered
	parse := func(text []byte) (*node, error) {
		p := jsonParser{most: max(left, 1)}
		n, _, err := p.parse(text)
		if left -= p.count; err != nil {
			return nil, syntaxError(err)
		}
		return n, nil
	}
	for len(rest) > 0 {
		head := line()
		if len(bytes.TrimSpace(head)) == 0 && len(bytes.TrimSpace(rest)) == 0 {
			break
		}
		s := oneSearch{index: c.vars["index"], e: common}
		if len(bytes.TrimSpace(head)) > 0 {
			n, err := parse(head)
			if err != nil {
				return nil, err
			}
			if err := s.parseHead(n); err != nil {
				return nil, err
			}
		}
		if len(rest) == 0 {
			return nil, illegalArgument("Failed to parse request: a header without a search")
		}
		n, err := parse(line())
		if err != nil {
			return nil, err
		}
		req, apiErr := parseSearch(n)
		if apiErr != nil {
			return nil, apiErr
		}
		s.req = req
		list = append(list, s)
	}
	return list, nil
}

func (s *oneSearch) parseHead(n *node) error {
	for _, m := range n.members {
		switch m.name {
		case "index", "indices":
			s.index = ""
			for i, name := range texts(m.value) {
				if i > 0 {
					s.index += ","
				}
				s.index += name
			}
		case "ignore_unavailable":
			s.e.ignoreUnavailable = m.value.kind == kindTrue || m.value.text == "true"
		case "allow_no_indices":
			s.e.forbidNoIndices = m.value.kind == kindFalse || m.value.text == "false"
		case "expand_wildcards", "preference", "routing", "search_type", "request_cache", "ccs_minimize_roundtrips", "allow_partial_search_results", "ignore_throttled":
		default:
			return illegalArgument("key [%s] is not supported in the metadata section", m.name)
		}
	}
	return nil
}
