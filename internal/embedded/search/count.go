package search

import "net/http"

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
	if c.has("terminate_after") {
		if req.terminate, err = c.number("terminate_after", 0); err != nil {
			return nil, err
		}
		if req.terminate < 0 {
			return nil, illegalArgument("terminateAfter must be > 0")
		}
	}
	c.ignore("preference", "routing", "min_score")
	if c.query.Get("min_score") != "" {
		return nil, unsupported("[min_score] of a count")
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
	answer := object{{"count", value}, {"_shards", shards}}
	if early, has := body.get("terminated_early"); has && req.terminate > 0 {
		answer = append(object{{"terminated_early", early}}, answer...)
	}
	return ok(answer)
}

// maxAnalyzed is how many tokens an answer of _analyze has, as
// index.analyze.max_token_count has it.
const maxAnalyzed = 10000

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
		if len(list)+len(tokens) > maxAnalyzed {
			return nil, newError(http.StatusInternalServerError, "illegal_state_exception", "The number of tokens produced by calling _analyze has exceeded the allowed maximum of [%d]. This limit can be set by changing the [index.analyze.max_token_count] index level setting.", maxAnalyzed)
		}
		for _, t := range tokens {
			list = append(list, object{{"token", t.text}, {"start_offset", offset + t.start}, {"end_offset", offset + t.end}, {"type", t.kind}, {"position", t.position}})
			place = t.position + 1
		}
		offset += utf16Length([]byte(text)) + 1
	}
	return ok(object{{"tokens", list}})
}
