package search

import (
	"bytes"
	"net/http"
)

// updateRequest is the body of an update.
type updateRequest struct {
	doc         *node
	upsert      *node
	docAsUpsert bool
	detectNoop  bool
	source      *sourceFilter
	ifSeq       *int64
	ifTerm      *int64
}

// parseUpdate reads the body of an update.
func parseUpdate(n *node) (*updateRequest, *apiError) {
	u := &updateRequest{detectNoop: true}
	if n == nil {
		return nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if n.kind != kindObject {
		return nil, parsingError(n.src, n.start, "Expected [START_OBJECT] but found [%s]", n.token())
	}
	for _, m := range n.members {
		on := m.value.kind == kindTrue
		switch m.name {
		case "doc", "upsert":
			if m.value.kind != kindObject {
				return nil, contentError(n.src, m.value.start, "[UpdateRequest] %s doesn't support values of type: %s", m.name, m.value.token())
			}
			if m.name == "doc" {
				u.doc = m.value
			} else {
				u.upsert = m.value
			}
		case "doc_as_upsert":
			u.docAsUpsert = on
		case "detect_noop":
			u.detectNoop = on
		case "script":
			e := illegalArgument("failed to execute script")
			e.cause = illegalArgument("script_lang not supported [painless]")
			return nil, e
		case "scripted_upsert":
			if on {
				return nil, unsupported("a scripted upsert")
			}
		case "_source":
			filter, err := parseSourceFilter(m.value)
			if err != nil {
				return nil, err
			}
			u.source = filter
		case "if_seq_no", "if_primary_term":
			v, err := wholeNumber(m.value.text)
			if err != nil {
				return nil, contentError(n.src, m.value.start, "[UpdateRequest] failed to parse field [%s]", m.name)
			}
			number := v.Int64()
			if m.name == "if_seq_no" {
				u.ifSeq = &number
			} else {
				u.ifTerm = &number
			}
		default:
			hint := ""
			if m.name == "dok" || m.name == "docs" || m.name == "Doc" {
				hint = " did you mean [doc]?"
			}
			return nil, contentError(n.src, m.start, "[UpdateRequest] unknown field [%s]%s", m.name, hint)
		}
	}
	if u.doc == nil && (u.upsert == nil || u.docAsUpsert) {
		return nil, validationFailed("script or doc is missing")
	}
	return u, nil
}

func (w *writer) applyUpdate(op *writeOp, old *record) (*outcome, error) {
	u := op.update
	if u.ifSeq != nil {
		op.ifSeq, op.ifTerm = u.ifSeq, u.ifTerm
	}
	filter := op.getSource
	if u.source != nil {
		filter = u.source
	}
	if !exists(old) {
		source := u.upsert
		if source == nil && u.docAsUpsert {
			source = u.doc
		}
		if source == nil || op.ifSeq != nil {
			return nil, shardError(w.ix, http.StatusNotFound, "document_missing_exception", "[%s]: document missing", op.id)
		}
		out, err := w.put(op, old, bytes.Clone(source.raw()))
		if err != nil {
			return nil, err
		}
		return out, out.give(filter, source.raw())
	}
	if err := w.checkVersion(op, old); err != nil {
		return nil, err
	}
	was, _, err := parseJSON(old.source)
	if err != nil {
		return nil, syntaxError(err)
	}
	merged, changed := any(was), false
	if u.doc != nil {
		merged, changed = mergeSource(was, u.doc)
	}
	if !changed && u.detectNoop {
		out := &outcome{id: op.id, result: "noop", version: old.version, seq: old.seq, term: old.term, status: http.StatusOK}
		return out, out.give(filter, old.source)
	}
	if op.routing == "" {
		op.routing = old.routing
	}
	source := encodeJSON(merged, false)
	out, err := w.put(op, old, source)
	if err != nil {
		return nil, err
	}
	return out, out.give(filter, source)
}

// give adds the source to the outcome of an update when it was asked for.
func (o *outcome) give(filter *sourceFilter, source []byte) error {
	if filter == nil || filter.none {
		return nil
	}
	shown, err := filter.apply(source)
	if err != nil {
		return err
	}
	o.get = object{{"_seq_no", shownSeq(o.seq)}, {"_primary_term", o.term}, {"found", true}, {"_source", shown}}
	return nil
}

// mergeSource puts a partial document into a whole one: objects are merged, all
// else is replaced. It reports whether that changes anything.
func mergeSource(was, patch *node) (any, bool) {
	o, changed := object{}, false
	for _, m := range was.members {
		o = append(o, field{m.name, m.value})
	}
	for _, m := range patch.members {
		old := was.get(m.name)
		switch {
		case old == nil:
			changed = true
			o = append(o, field{m.name, m.value})
		case old.kind == kindObject && m.value.kind == kindObject:
			merged, inner := mergeSource(old, m.value)
			o.set(m.name, merged)
			changed = changed || inner
		default:
			if !sameValue(old, m.value) {
				changed = true
			}
			o.set(m.name, m.value)
		}
	}
	return o, changed
}

// sameValue compares two values without regard to white space.
func sameValue(a, b *node) bool {
	if a.kind != b.kind || a.text != b.text || len(a.members) != len(b.members) || len(a.elements) != len(b.elements) {
		return false
	}
	for _, m := range a.members {
		other := b.get(m.name)
		if other == nil || !sameValue(m.value, other) {
			return false
		}
	}
	for i := range a.elements {
		if !sameValue(a.elements[i], b.elements[i]) {
			return false
		}
	}
	return true
}
