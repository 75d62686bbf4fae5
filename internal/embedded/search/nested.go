package search

import (
	"slices"
	"strings"

	index_api "github.com/blevesearch/bleve_index_api"
)

// fieldNestedPath is the field of the documents that the objects of a nested
// field are; its term is the field's full name.
const fieldNestedPath = "_nested_path"

// hasNested reports whether documents may have others inside.
func (m *mapping) hasNested() bool {
	if m.typ == "nested" {
		return true
	}
	for _, c := range m.props {
		if c.hasNested() {
			return true
		}
	}
	return false
}

// nestedParent is the innermost nested field around a full name, empty for none.
func (m *mapping) nestedParent(path string) string {
	parent, current := "", m
	for name := range strings.SplitSeq(path, ".") {
		if current = current.props[name]; current == nil || current.path == path {
			break
		}
		if current.typ == "nested" {
			parent = current.path
		}
	}
	return parent
}

// nestedDepth is how many nested fields lead to a full name, itself included.
func (m *mapping) nestedDepth(path string) int {
	if path == "" {
		return 0
	}
	n, current := 0, m
	for name := range strings.SplitSeq(path, ".") {
		if current = current.props[name]; current == nil {
			return n
		}
		if current.typ == "nested" {
			n++
		}
	}
	return n
}

// inside gives an execution whose documents are the objects of a nested field;
// an empty path leads back to whole documents.
func (x *execution) inside(path string) *execution {
	inner := *x
	inner.within = path
	return &inner
}

// parent gives the document of an outer scope in which a nested one stands.
func (x *execution) parent(doc uint64, levels int) (uint64, error) {
	chain, err := x.snap.reader.(index_api.NestedReader).Ancestors(index_api.NewIndexInternalID(nil, doc), nil)
	if err != nil || levels >= len(chain) {
		return doc, err
	}
	return uint64(chain[levels]), nil
}

// nestedQuery has the documents with an object of a nested field that matches.
type nestedQuery struct {
	path     string
	inner    query
	mode     string // avg, sum, min, max, none
	unmapped bool   // ignore_unmapped
	boost    float32
}

func parseNested(p *parseState, name string, n *node) (query, *apiError) {
	q := &nestedQuery{mode: "avg"}
	var err *apiError
	for _, m := range n.members {
		switch m.name {
		case "path":
			q.path = m.value.text
		case "query":
			q.inner, err = p.parseQuery(m.value)
		case "score_mode":
			if q.mode = m.value.text; !slices.Contains([]string{"avg", "sum", "min", "max", "none"}, q.mode) {
				err = illegalArgument("No score mode for child query [%s] found", q.mode)
			}
		case "ignore_unmapped":
			q.unmapped = m.value.kind == kindTrue
		case "inner_hits":
			err = unsupported("[inner_hits] of a nested query")
		case "boost", "_name":
		default:
			err = unsupportedKey(name, m)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case q.path == "":
		return nil, illegalArgument("[nested] requires 'path' field")
	case q.inner == nil:
		return nil, illegalArgument("[nested] requires 'query' field")
	}
	q.boost, err = boostOf(n)
	return q, err
}

func (q *nestedQuery) build(x *execution) (iterator, error) {
	m := x.mapping.lookup(q.path)
	if m == nil || m.typ != "nested" {
		if q.unmapped {
			return noneIterator{}, nil
		}
		e := queryShard(x.ix, "failed to create query: [nested] failed to find nested object under path [%s]", q.path)
		e.cause = newError(0, "illegal_state_exception", "[nested] failed to find nested object under path [%s]", q.path)
		return nil, e
	}
	inner := x.inside(q.path)
	only, err := inner.live()
	if err != nil {
		return nil, err
	}
	it, err := q.inner.build(inner)
	if err != nil {
		return nil, err
	}
	levels := x.mapping.nestedDepth(q.path) - x.mapping.nestedDepth(x.within)
	type tally struct {
		n              int
		sum, low, high float32
	}
	found := map[uint64]*tally{}
	for target := uint64(0); ; {
		doc, err := it.advance(target)
		if err != nil {
			return nil, joinClose(err, it.close)
		}
		if doc == noDoc {
			break
		}
		target = doc + 1
		if !only.Contains(uint32(doc)) {
			continue
		}
		parent, err := x.parent(doc, levels)
		if err != nil {
			return nil, joinClose(err, it.close)
		}
		s := it.score()
		t := found[parent]
		if t == nil {
			t = &tally{low: s, high: s}
			found[parent] = t
		}
		t.n++
		t.sum += s
		t.low, t.high = min(t.low, s), max(t.high, s)
	}
	if err := it.close(); err != nil {
		return nil, err
	}
	scores := map[uint64]float32{}
	for doc, t := range found {
		s := float32(0)
		switch q.mode {
		case "avg":
			s = t.sum / float32(t.n)
		case "sum":
			s = t.sum
		case "min":
			s = t.low
		case "max":
			s = t.high
		}
		scores[doc] = s * q.boost
	}
	return newScoredSet(scores), nil
}

// scoredSet has documents with a score each.
type scoredSet struct {
	docs   []uint64
	at     int
	scores map[uint64]float32
}

func newScoredSet(scores map[uint64]float32) *scoredSet {
	s := &scoredSet{scores: scores}
	for doc := range scores {
		s.docs = append(s.docs, doc)
	}
	slices.Sort(s.docs)
	return s
}

func (s *scoredSet) advance(target uint64) (uint64, error) {
	for s.at < len(s.docs) && s.docs[s.at] < target {
		s.at++
	}
	if s.at == len(s.docs) {
		return noDoc, nil
	}
	return s.docs[s.at], nil
}

func (s *scoredSet) score() float32 { return s.scores[s.docs[min(s.at, len(s.docs)-1)]] }
func (s *scoredSet) close() error   { return nil }

// nestedBody goes from documents to the objects of a nested field, or back.
type nestedBody struct {
	path    string
	reverse bool
}

func parseNestedAgg(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &nestedBody{}
	err := params{"path": func(v *node) *apiError { b.path = v.text; return nil }}.parse(spec.kind, n)
	if err == nil && b.path == "" {
		err = parsingError(n.src, n.end-1, "Missing [path] field for nested aggregation [%s]", spec.name)
	}
	return b, err
}

func parseReverseNested(_ *aggParse, spec *aggSpec, n *node) (aggBody, *apiError) {
	b := &nestedBody{reverse: true}
	return b, params{"path": func(v *node) *apiError { b.path = v.text; return nil }}.parse(spec.kind, n)
}

// nestedPart leads from documents of one scope to those of another.
type nestedPart struct {
	lead map[uint64][]uint64
	once bool // a document is taken once, however often it is led to in a row
}

func (n *nestedPart) follow(doc uint64) []uint64 { return n.lead[doc] }

// first reports whether a document is another than the last one.
func (n *nestedPart) first(s *singleBucket, doc uint64) bool {
	if s.led && s.last == doc {
		return false
	}
	s.led, s.last = true, doc
	return true
}

func (b *nestedBody) bind(p *aggPart, spec *aggSpec) (any, error) {
	part := &nestedPart{lead: map[uint64][]uint64{}, once: b.reverse}
	scope := p.x.within
	if b.reverse {
		if scope == "" {
			return nil, illegalArgument("Reverse nested aggregation [%s] can only be used inside a [nested] aggregation", spec.name)
		}
		docs, err := p.x.live()
		if err != nil {
			return nil, err
		}
		levels := p.x.mapping.nestedDepth(scope) - p.x.mapping.nestedDepth(b.path)
		for it := docs.Iterator(); it.HasNext(); {
			doc := uint64(it.Next())
			parent, err := p.x.parent(doc, levels)
			if err != nil {
				return nil, err
			}
			part.lead[doc] = []uint64{parent}
		}
		return part, nil
	}
	if m := p.x.mapping.lookup(b.path); m == nil || m.typ != "nested" {
		return part, nil
	}
	docs, err := p.x.inside(b.path).live()
	if err != nil {
		return nil, err
	}
	levels := p.x.mapping.nestedDepth(b.path) - p.x.mapping.nestedDepth(scope)
	for it := docs.Iterator(); it.HasNext(); {
		doc := uint64(it.Next())
		parent, err := p.x.parent(doc, levels)
		if err != nil {
			return nil, err
		}
		part.lead[parent] = append(part.lead[parent], doc)
	}
	return part, nil
}

func (b *nestedBody) start(spec *aggSpec) aggregator {
	return &singleBucket{spec: spec, kind: spec.kind}
}
