package search

import (
	"fmt"

	index_api "github.com/blevesearch/bleve_index_api"
)

// scorchDocument shows a parsed document to scorch. All documents of a batch share
// the views of their fields: scorch looks at one document after the other, and
// keeps of a field's terms only the texts.
type scorchDocument struct {
	id     string
	seq    string // the term of its sequence number, empty for an object of a nested field
	parsed *parsedDocument
	views  *documentViews
	inner  []*scorchDocument
}

// document makes the document of a change, and those of the objects of its nested
// fields, each with an id that no client can give.
func (v *documentViews) document(id string, seq uint64, parsed *parsedDocument) *scorchDocument {
	return v.tree(id, id, exactTerm(int64(seq)), parsed, new(int))
}

func (v *documentViews) tree(root, id, seq string, parsed *parsedDocument, n *int) *scorchDocument {
	d := &scorchDocument{id: id, seq: seq, parsed: parsed, views: v}
	for _, inner := range parsed.nested {
		*n++
		d.inner = append(d.inner, v.tree(root, fmt.Sprintf("%s\x00%d", root, *n), "", inner, n))
	}
	return d
}

func (d *scorchDocument) ID() string { return d.id }

// Size is only counted, never relied on.
func (d *scorchDocument) Size() int                                      { return parsedOverhead }
func (d *scorchDocument) VisitComposite(index_api.CompositeFieldVisitor) {}
func (d *scorchDocument) HasComposite() bool                             { return false }
func (d *scorchDocument) NumPlainTextBytes() uint64                      { return 0 }
func (d *scorchDocument) AddIDField()                                    {} // it always has it
func (d *scorchDocument) StoredFieldsBytes() uint64                      { return 0 }
func (d *scorchDocument) Indexed() bool                                  { return false }

// VisitFields shows the fields, the id among them. Scorch visits all documents once
// more while it visits the first one, so each level of visits has its own views.
func (d *scorchDocument) VisitFields(visit index_api.FieldVisitor) {
	views := d.views
	if views.level == len(views.levels) {
		views.levels = append(views.levels, new(viewLevel))
	}
	v := views.levels[views.level]
	views.level++
	defer func() { views.level-- }()
	v.id.set("_id", idOptions, d.id, false)
	visit(&v.id)
	if d.seq != "" {
		v.seq.set(fieldSeq, valueOptions, d.seq, false)
		visit(&v.seq)
	}
	for i := range d.parsed.fields {
		f := &d.parsed.fields[i]
		if i == len(v.fields) {
			v.fields = append(v.fields, new(fieldView))
		}
		view := v.fields[i]
		if f.list != nil {
			view.setList(f.name, f.options, f.list)
		} else {
			view.set(f.name, f.options, f.term, f.common)
		}
		visit(view)
	}
}

// VisitNestedDocuments shows the objects of nested fields.
func (d *scorchDocument) VisitNestedDocuments(visit func(index_api.Document)) {
	for _, inner := range d.inner {
		visit(inner)
	}
}

// documentViews are the fields of the documents that scorch looks at.
type documentViews struct {
	levels []*viewLevel
	level  int
}

// viewLevel is the fields of one document.
type viewLevel struct {
	id, seq fieldView
	fields  []*fieldView
}

// fieldView is a field as scorch takes it in. It has its map of a single term ready
// for the next document.
type fieldView struct {
	name    string
	options index_api.FieldIndexingOptions
	term    string
	common  bool
	list    *termList
	value   []byte

	single       index_api.TokenFrequencies
	singleTerm   string
	singleCommon bool
}

func (f *fieldView) set(name string, options index_api.FieldIndexingOptions, term string, common bool) {
	f.name, f.options, f.term, f.common, f.list = name, options, term, common, nil
}

func (f *fieldView) setList(name string, options index_api.FieldIndexingOptions, list *termList) {
	f.name, f.options, f.term, f.list = name, options, "", list
}

func (f *fieldView) Name() string                            { return f.name }
func (f *fieldView) ArrayPositions() []uint64                { return nil }
func (f *fieldView) EncodedFieldType() byte                  { return 't' }
func (f *fieldView) Analyze()                                {}
func (f *fieldView) Options() index_api.FieldIndexingOptions { return f.options }
func (f *fieldView) NumPlainTextBytes() uint64               { return 0 }

// Value is the text of a stored field.
func (f *fieldView) Value() []byte {
	f.value = append(f.value[:0], f.term...)
	return f.value
}

func (f *fieldView) AnalyzedLength() int {
	if f.list != nil {
		return f.list.length
	}
	return 1
}

func (f *fieldView) AnalyzedTokenFrequencies() index_api.TokenFrequencies {
	if f.list != nil {
		return f.list.terms
	}
	switch {
	case f.single == nil:
		f.single = index_api.TokenFrequencies{}
	case f.singleTerm == f.term && f.singleCommon == f.common:
		return f.single
	default:
		delete(f.single, f.singleTerm)
	}
	tf := rareTerm
	if f.common {
		tf = commonTerm
	}
	f.single[f.term], f.singleTerm, f.singleCommon = tf, f.term, f.common
	return f.single
}

// freshKey is the key in a batch of a document that no segment has yet. It sorts
// behind all ids, which are UTF-8, so that scorch needn't look for it.
func freshKey(id string) string { return "\xff" + id }
