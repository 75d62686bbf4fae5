package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/numeric"
	index_api "github.com/blevesearch/bleve_index_api"
)

// Names in the inverted index that no document can have.
const (
	fieldNames = "_field_names" // the fields that a document has values of
	fieldSeq   = "_seq_no"      // sequence number, for the order of equal hits
	// coarseSuffix marks the field with the shortened forms of numbers, which
	// make ranges quick; the field itself has the exact ones alone, so that its
	// doc values are small.
	coarseSuffix = "\x01"
)

// coarseStep is by how many bits each shorter form of a number is shorter.
const coarseStep = 16

// positionGap keeps phrases from matching across the values of a field.
const positionGap = 100

// termField is a field of a document as scorch takes it in, analyzed already.
type termField struct {
	name    string
	options index_api.FieldIndexingOptions
	value   []byte
	terms   index_api.TokenFrequencies
	length  int
	next    int  // position of the next value's first token
	shared  bool // by several documents: it isn't to be changed
	exact   bool // its terms are whole texts that are scored
}

func newTermField(name string, options index_api.FieldIndexingOptions) *termField {
	return &termField{name: name, options: options, terms: index_api.TokenFrequencies{}}
}

func (f *termField) clone() *termField {
	own := *f
	own.terms, own.shared = maps.Clone(f.terms), false
	return &own
}

func (f *termField) Name() string                                         { return f.name }
func (f *termField) Value() []byte                                        { return f.value }
func (f *termField) ArrayPositions() []uint64                             { return nil }
func (f *termField) EncodedFieldType() byte                               { return 't' }
func (f *termField) Analyze()                                             {}
func (f *termField) Options() index_api.FieldIndexingOptions              { return f.options }
func (f *termField) AnalyzedLength() int                                  { return f.length }
func (f *termField) AnalyzedTokenFrequencies() index_api.TokenFrequencies { return f.terms }
func (f *termField) NumPlainTextBytes() uint64                            { return uint64(len(f.value)) }
func (f *termField) Size() int                                            { return len(f.name) + len(f.value) + f.terms.Size() }

// add puts in a term without position.
func (f *termField) add(term string) {
	if _, ok := f.terms[term]; ok {
		return
	}
	tf := &index_api.TokenFreq{Term: []byte(term)}
	tf.SetFrequency(1)
	f.terms[term] = tf
	f.length++
}

// addText puts in the tokens of a text.
func (f *termField) addText(text string) int {
	tokens := analyzeText(text, f.next)
	for _, t := range tokens {
		tf := f.terms[t.text]
		if tf == nil {
			tf = &index_api.TokenFreq{Term: []byte(t.text)}
			f.terms[t.text] = tf
		}
		tf.Locations = append(tf.Locations, &index_api.TokenLocation{Start: t.start, End: t.end, Position: t.position + 1})
		tf.SetFrequency(tf.Frequency() + 1)
		f.next = t.position + 1
	}
	f.length += len(tokens)
	f.next += positionGap
	return len(tokens)
}

// parsedDocument is a document ready for the inverted index.
type parsedDocument struct {
	fields  []*termField
	names   []string // the fields that it has values of
	ignored []string
	// lengths has the number of tokens of each text field.
	lengths map[string]int
	nested  []*parsedDocument
	cache   *termCache // nil for none
	common  *termField // the field of the names, once it is made
}

func newParsedDocument(cache *termCache) *parsedDocument {
	return &parsedDocument{cache: cache, fields: make([]*termField, 0, 16), names: make([]string, 0, 8)}
}

// find gives the place of a field among those of the document, -1 for none.
func (d *parsedDocument) find(name string) int {
	for i, f := range d.fields {
		if f.name == name {
			return i
		}
	}
	return -1
}

// field gives a field that the document alone has, so that it can be added to.
func (d *parsedDocument) field(name string, options index_api.FieldIndexingOptions) *termField {
	i := d.find(name)
	if i < 0 {
		f := newTermField(name, options)
		d.fields = append(d.fields, f)
		return f
	}
	if d.fields[i].shared {
		d.fields[i] = d.fields[i].clone()
	}
	return d.fields[i]
}

const (
	termOptions  = index_api.IndexField | index_api.SkipFreqNorm
	valueOptions = termOptions | index_api.DocValues
	textOptions  = index_api.IndexField | index_api.IncludeTermVectors
)

// present notes that the document has a value of a field.
func (d *parsedDocument) present(path string) {
	if !slices.Contains(d.names, path) {
		d.names = append(d.names, path)
	}
}

func optionsOf(m *mapping) index_api.FieldIndexingOptions {
	if m.docValues {
		return valueOptions
	}
	return termOptions
}

func (d *parsedDocument) addTerm(m *mapping, term string) {
	d.present(m.path)
	if d.cache != nil && d.find(m.path) < 0 {
		d.fields = append(d.fields, d.cache.term(m, term))
		return
	}
	f := d.field(m.path, optionsOf(m))
	f.exact = m.typ == "keyword" || m.typ == "boolean" || m.typ == "flattened"
	f.add(term)
}

func (d *parsedDocument) addText(m *mapping, text string) {
	if d.lengths == nil {
		d.lengths = map[string]int{}
	}
	d.lengths[m.path] += d.field(m.path, textOptions).addText(text)
	d.present(m.path)
}

// addNumber puts in a number in its sortable form.
func (d *parsedDocument) addNumber(m *mapping, sortable int64) {
	if m.indexed && d.cache != nil && d.find(m.path) < 0 && d.find(m.path+coarseSuffix) < 0 {
		d.present(m.path)
		exact, coarse := d.cache.number(m, sortable)
		d.fields = append(d.fields, exact, coarse)
		return
	}
	d.addTerm(m, exactTerm(sortable))
	if m.indexed {
		d.field(m.path+coarseSuffix, termOptions).addCoarse(sortable)
	}
}

// addCoarse puts in the shortened forms of a number.
func (f *termField) addCoarse(sortable int64) {
	for shift := uint(coarseStep); shift < 64; shift += coarseStep {
		f.add(string(numeric.MustNewPrefixCodedInt64(sortable, shift)))
	}
}

// exactTerm is a number's term; terms sort as the numbers do.
func exactTerm(sortable int64) string { return string(numeric.MustNewPrefixCodedInt64(sortable, 0)) }

// exactValue reads a number back from its term.
func exactValue(term []byte) int64 {
	v, err := numeric.PrefixCoded(term).Int64()
	if err != nil {
		return 0
	}
	return v
}

// sortableDouble maps doubles to integers of the same order.
func sortableDouble(v float64) int64 {
	if v == 0 {
		v = 0 // also for -0
	}
	return numeric.Float64ToInt64(v)
}

func doubleOf(sortable int64) float64 { return numeric.Int64ToFloat64(sortable) }

// build makes scorch's document.
func (d *parsedDocument) build(id string, seq uint64) *document.Document {
	doc := d.tree(id, new(int))
	order := newTermField(fieldSeq, valueOptions)
	order.add(exactTerm(int64(seq & math.MaxInt64)))
	doc.AddField(order)
	return doc
}

// seal ends the use of the cache, which belongs to the writer.
func (d *parsedDocument) seal() {
	d.common = d.namesField()
	d.cache = nil
}

// namesField is the field of the names of all fields.
func (d *parsedDocument) namesField() *termField {
	if d.cache != nil {
		return d.cache.list(d.names)
	}
	f := newTermField(fieldNames, termOptions)
	for _, name := range d.names {
		f.add(name)
	}
	return f
}

// tree makes the documents of a document and of the objects of its nested fields,
// each with an id that no client can give.
func (d *parsedDocument) tree(id string, n *int) *document.Document {
	doc := document.NewDocument(id)
	for _, f := range d.fields {
		doc.AddField(f)
	}
	if d.common == nil {
		d.common = d.namesField()
	}
	doc.AddField(d.common)
	root, _, _ := strings.Cut(id, "\x00")
	for _, inner := range d.nested {
		*n++
		doc.AddNestedDocument(inner.tree(fmt.Sprintf("%s\x00%d", root, *n), n))
	}
	return doc
}

// allLengths adds up the numbers of tokens, and of keywords beyond the first one, of a document and of all inside it.
func (d *parsedDocument) allLengths() map[string]int {
	for _, f := range d.fields {
		if f.exact && f.length > 1 {
			if d.lengths == nil {
				d.lengths = map[string]int{}
			}
			d.lengths[f.name] += f.length - 1
		}
	}
	for _, inner := range d.nested {
		for name, n := range inner.allLengths() {
			if d.lengths == nil {
				d.lengths = map[string]int{}
			}
			d.lengths[name] += n
		}
	}
	return d.lengths
}
