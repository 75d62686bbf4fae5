package search

import (
	"fmt"
	"strings"

	index_api "github.com/blevesearch/bleve_index_api"
)

// fetcher makes hits of the answer from documents.
type fetcher struct {
	run *searchRun
	req *searchRequest
}

func (f *fetcher) hit(h *hit) (object, error) {
	req, x := f.req, h.part.x
	snap := x.snap
	id, err := snap.reader.ExternalID(index_api.NewIndexInternalID(nil, h.doc))
	if err != nil {
		return nil, err
	}
	rec, err := snap.record(id)
	if err != nil {
		return nil, fmt.Errorf("reading document %s of %s: %w", id, x.ix.name, err)
	}
	c := f.run.c
	o := object{}
	if req.explain {
		o = append(o, field{"_shard", fmt.Sprintf("[%s][0]", x.ix.name)}, field{"_node", c.srv.nodeID})
	}
	o = append(o, field{"_index", x.ix.name})
	if c.compatible == 7 {
		o = append(o, field{"_type", "_doc"})
	}
	if !req.noStored {
		o = append(o, field{"_id", id})
	}
	if req.version {
		o = append(o, field{"_version", rec.version})
	}
	if req.seqNo {
		o = append(o, field{"_seq_no", shownSeq(rec.seq)}, field{"_primary_term", rec.term})
	}
	var score any
	if req.scored() {
		score = h.score
	}
	o = append(o, field{"_score", score})
	if rec.routing != "" {
		o = append(o, field{"_routing", rec.routing})
	}
	if len(rec.ignored) > 0 {
		o = append(o, field{"_ignored", rec.ignored})
	}
	if !(req.source != nil && req.source.none) && !req.noStored {
		source, err := req.source.apply(rec.source)
		if err != nil {
			return nil, err
		}
		o = append(o, field{"_source", source})
	}
	fields, err := f.fields(h, rec)
	if err != nil {
		return nil, err
	}
	if len(fields) > 0 {
		o = append(o, field{"fields", fields})
	}
	if req.highlight != nil {
		marked, err := req.highlight.apply(x, rec)
		if err != nil {
			return nil, err
		}
		if len(marked) > 0 {
			o = append(o, field{"highlight", marked})
		}
	}
	if len(h.values) > 0 && !req.byScore() {
		values := []any{}
		for i, s := range h.part.sorters {
			values = append(values, s.render(h.values[i]))
		}
		o = append(o, field{"sort", values})
	}
	if req.explain {
		why, err := x.explain(h.doc, h.score)
		if err != nil {
			return nil, err
		}
		o = append(o, field{"_explanation", why})
	}
	return f.innerHits(o, h)
}

// fields gives the values that "fields", "docvalue_fields" and "collapse" ask for.
func (f *fetcher) fields(h *hit, rec *record) (object, error) {
	o := object{}
	for _, want := range f.req.docvalues {
		for _, m := range h.part.x.fields(want.pattern) {
			if m.typ == "object" || m.typ == "nested" || want.pattern != m.path && !m.docValues {
				continue
			}
			v, err := h.part.x.values(&valueSource{field: m.path, format: want.format})
			if err != nil {
				return nil, err
			}
			list, err := docValueList(v, h.doc)
			if err != nil {
				return nil, err
			}
			if len(list) > 0 {
				o.set(m.path, list)
			}
		}
	}
	if len(f.req.fields) > 0 {
		n, _, err := parseJSON(rec.source)
		if err != nil {
			return nil, syntaxError(err)
		}
		for _, want := range f.req.fields {
			if err := want.fromSource(h.part.x, n, "", &o); err != nil {
				return nil, err
			}
		}
		if err := f.nestedFields(h.part.x, h.part.x.mapping, n, "", &o); err != nil {
			return nil, err
		}
	}
	if s := h.part.collapse; s != nil && !h.collapsed.missing {
		value := s.render(h.collapsed)
		if s.kind == "boolean" {
			value = h.collapsed.number != 0
		}
		o.set(f.req.collapse.field, []any{value})
	}
	return o, nil
}

func docValueList(v *fieldValues, doc uint64) ([]any, error) {
	list := []any{}
	if v.kind == termValues {
		found, err := v.texts(doc)
		for _, t := range found {
			list = append(list, v.show.text(t))
		}
		return list, err
	}
	found, err := v.numbers(doc)
	for _, raw := range found {
		switch {
		case v.m.typ == "geo_point":
			lat, lon := geoCoordinates(raw)
			list = append(list, fmt.Sprintf("%s, %s", javaFloat(lat, 64), javaFloat(lon, 64)))
		case v.m.typ == "date":
			list = append(list, v.show.dateText(raw))
		case v.m.typ == "boolean":
			list = append(list, raw != 0)
		case v.show.number != nil:
			list = append(list, v.show.number.format(v.double(raw)))
		case v.kind == doubleValues:
			list = append(list, doubleOf(raw))
		default:
			list = append(list, raw)
		}
	}
	return list, err
}

// fieldWish is one entry of "fields" or "docvalue_fields".
type fieldWish struct {
	pattern string
	format  string
}

// parseFieldWishes reads "fields" or "docvalue_fields".
func parseFieldWishes(name string, v *node) ([]fieldWish, *apiError) {
	var list []fieldWish
	for _, e := range v.list() {
		switch e.kind {
		case kindString:
			list = append(list, fieldWish{pattern: e.text})
		case kindObject:
			w := fieldWish{}
			err := params{
				"field":            func(v *node) *apiError { w.pattern = v.text; return nil },
				"format":           func(v *node) *apiError { w.format, _ = v.scalar(); return nil },
				"include_unmapped": ignored,
			}.parse("fields", e)
			if err != nil {
				return nil, err
			}
			if w.pattern == "" {
				return nil, illegalArgument("Required [field]")
			}
			list = append(list, w)
		default:
			return nil, parsingError(e.src, e.start, "Unknown key for a %s in [%s].", e.token(), name)
		}
	}
	return list, nil
}

// fromSource puts the values of the fields that a wish names into o, read from the
// source and shown in the fields' own form.
func (w fieldWish) fromSource(x *execution, source *node, within string, o *object) error {
	for _, m := range x.fields(w.pattern) {
		if m.typ == "object" || m.typ == "nested" || x.mapping.nestedParent(m.path) != within {
			continue
		}
		path := m.path
		if real := x.mapping.sourcePath(m); real != "" {
			path = real
		}
		if within != "" {
			path = strings.TrimPrefix(path, within+".")
		}
		list := []any{}
		for _, v := range valuesAt(source, path) {
			shown, err := w.show(x, m, v)
			if err != nil {
				return err
			}
			if shown != nil {
				list = append(list, shown)
			}
		}
		if len(list) > 0 {
			name := m.path
			if !strings.Contains(w.pattern, "*") {
				name = w.pattern
			}
			if within != "" {
				name = strings.TrimPrefix(name, within+".")
			}
			o.set(name, list)
		}
	}
	return nil
}

// nestedFields puts the values of the objects of nested fields below m into o, object
// by object.
func (f *fetcher) nestedFields(x *execution, m *mapping, source *node, within string, o *object) error {
	var failed error
	m.all(func(child *mapping) {
		if child.typ != "nested" || failed != nil || x.mapping.nestedParent(child.path) != within {
			return
		}
		path := child.path
		if within != "" {
			path = strings.TrimPrefix(path, within+".")
		}
		list := []any{}
		for _, n := range valuesAt(source, path) {
			inner := object{}
			for _, want := range f.req.fields {
				if failed = want.fromSource(x, n, child.path, &inner); failed != nil {
					return
				}
			}
			if failed = f.nestedFields(x, child, n, child.path, &inner); failed != nil {
				return
			}
			if len(inner) > 0 {
				list = append(list, inner)
			}
		}
		if len(list) > 0 {
			o.set(path, list)
		}
	})
	return failed
}

// show is one value in the form of its field; nil leaves it out.
func (w fieldWish) show(x *execution, m *mapping, v *node) (any, error) {
	text, scalar := v.scalar()
	if !scalar {
		if m.typ == "flattened" {
			return v, nil
		}
		if m.typ != "geo_point" {
			return nil, nil
		}
	}
	switch m.typ {
	case "geo_point":
		lat, lon, err := parseGeoPoint(v)
		if err != nil {
			return nil, nil
		}
		return object{{"coordinates", []any{lon, lat}}, {"type", "Point"}}, nil
	case "date":
		t, _, ok := m.format.parse(text)
		if !ok {
			return nil, nil
		}
		format := m.format
		if w.format != "" {
			f, err := newDateFormat(w.format)
			if err != nil {
				return nil, err
			}
			format = f
		}
		return format.format(t.UnixMilli()), nil
	case "long", "integer", "short", "byte":
		n, err := wholeNumber(text)
		if err != nil || !n.IsInt64() {
			return nil, nil
		}
		return n.Int64(), nil
	case "double", "float", "half_float":
		f, err := number64(v)
		if err != nil {
			return nil, nil
		}
		if m.typ != "double" {
			return float32(f), nil
		}
		return f, nil
	case "boolean":
		return text == "true", nil
	case "keyword":
		if m.ignoreAbove > 0 && utf16Length([]byte(text)) > m.ignoreAbove {
			return nil, nil
		}
	}
	return text, nil
}

// valuesAt gives the values below a full name, arrays taken apart.
func valuesAt(n *node, path string) []*node {
	if n.kind == kindArray {
		var list []*node
		for _, e := range n.elements {
			list = append(list, valuesAt(e, path)...)
		}
		return list
	}
	if path == "" {
		if n.kind == kindNull {
			return nil
		}
		return []*node{n}
	}
	if n.kind != kindObject {
		return nil
	}
	var list []*node
	for _, m := range n.members {
		if m.name == path {
			list = append(list, valuesAt(m.value, "")...)
		} else if rest, ok := strings.CutPrefix(path, m.name+"."); ok {
			list = append(list, valuesAt(m.value, rest)...)
		}
	}
	return list
}
