package search

import (
	"fmt"
	"math"
	"strings"

	"github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/numeric"
	index_api "github.com/blevesearch/bleve_index_api"
)

// Names in the inverted index that no document can have.
const (
	fieldNames  = "_field_names" // the fields that a document has values of
	fieldSeq    = "_seq_no"      // sequence number, for the order of equal hits
	fieldRecord = "_record"      // the document's record, stored
	// coarseSuffix marks the field with the shortened forms of numbers, which
	// make ranges quick; the field itself has the exact ones alone, so that its
	// doc values are small.
	coarseSuffix = "\x01"
)

// coarseStep is by how many bits each shorter form of a number is shorter.
const coarseStep = 8

// positionGap keeps phrases from matching across the values of a field.
const positionGap = 100

// termField is a field of a document as scorch takes it in, analyzed already.
type termField struct {
	name    string
	options index_api.FieldIndexingOptions
	value   []byte
	terms   index_api.TokenFrequencies
	length  int
	next    int // position of the next value's first token
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
	byName  map[string]*termField
	ignored []string
	// lengths has the number of tokens of each text field.
	lengths map[string]int
	nested  []*parsedDocument
}

func newParsedDocument() *parsedDocument {
	return &parsedDocument{byName: map[string]*termField{}, lengths: map[string]int{}}
}

func (d *parsedDocument) field(name string, options index_api.FieldIndexingOptions) *termField {
	f := d.byName[name]
	if f == nil {
		f = &termField{name: name, options: options, terms: index_api.TokenFrequencies{}}
		d.byName[name] = f
		d.fields = append(d.fields, f)
	}
	return f
}

const (
	termOptions   = index_api.IndexField | index_api.SkipFreqNorm
	valueOptions  = termOptions | index_api.DocValues
	textOptions   = index_api.IndexField | index_api.IncludeTermVectors
	storedOptions = index_api.StoreField
)

// present notes that the document has a value of a field.
func (d *parsedDocument) present(path string) {
	d.field(fieldNames, termOptions).add(path)
}

func (d *parsedDocument) addTerm(m *mapping, term string) {
	options := index_api.FieldIndexingOptions(valueOptions)
	if !m.docValues {
		options = termOptions
	}
	d.field(m.path, options).add(term)
	d.present(m.path)
}

func (d *parsedDocument) addText(m *mapping, text string) {
	d.lengths[m.path] += d.field(m.path, textOptions).addText(text)
	d.present(m.path)
}

// addNumber puts in a number in its sortable form.
func (d *parsedDocument) addNumber(m *mapping, sortable int64) {
	d.addTerm(m, exactTerm(sortable))
	if !m.indexed {
		return
	}
	coarse := d.field(m.path+coarseSuffix, termOptions)
	for shift := uint(coarseStep); shift < 64; shift += coarseStep {
		coarse.add(string(numeric.MustNewPrefixCodedInt64(sortable, shift)))
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

// build makes scorch's document. record is what the store has of it.
func (d *parsedDocument) build(id string, seq uint64, record []byte) *document.Document {
	doc := d.tree(id, new(int))
	order := &termField{name: fieldSeq, options: valueOptions, terms: index_api.TokenFrequencies{}}
	order.add(exactTerm(int64(seq & math.MaxInt64)))
	doc.AddField(order)
	doc.AddField(&termField{name: fieldRecord, options: storedOptions, value: record})
	return doc
}

// tree makes the documents of a document and of the objects of its nested fields,
// each with an id that no client can give.
func (d *parsedDocument) tree(id string, n *int) *document.Document {
	doc := document.NewDocument(id)
	for _, f := range d.fields {
		doc.AddField(f)
	}
	root, _, _ := strings.Cut(id, "\x00")
	for _, inner := range d.nested {
		*n++
		doc.AddNestedDocument(inner.tree(fmt.Sprintf("%s\x00%d", root, *n), n))
	}
	return doc
}

// allLengths adds up the numbers of tokens of a document and of all inside it.
func (d *parsedDocument) allLengths() map[string]int {
	for _, inner := range d.nested {
		for name, n := range inner.allLengths() {
			d.lengths[name] += n
		}
	}
	return d.lengths
}
