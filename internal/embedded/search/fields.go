package search

import (
	"slices"

	"github.com/blevesearch/bleve/v2/numeric"
	index_api "github.com/blevesearch/bleve_index_api"
)

// Names in the inverted index that no document can have.
const (
	fieldNames = "_field_names" // the fields that a document has values of
	fieldSeq   = "_seq_no"      // sequence number, for the order of equal hits
	// coarseSuffix marks the field with the shortened forms of numbers, which make
	// ranges quick in fields without doc values.
	coarseSuffix = "\x01"
)

// coarseShifts gives by how many bits the shorter forms of a field's numbers are
// shorter. Doubles differ in their upper half, whole numbers in their lower one.
// Where the numbers stand in a column, ranges are found there and need none.
func (m *mapping) coarseShifts() []uint {
	if m.docValues || !m.indexed {
		return nil
	}
	switch m.typ {
	case "double", "float":
		return []uint{32, 48}
	case "half_float":
		return []uint{48}
	case "short", "byte":
		return nil
	case "integer":
		return []uint{16}
	default:
		return []uint{16, 32}
	}
}

// positionGap keeps phrases from matching across the values of a field.
const positionGap = 100

// How often a term is in a document, where scorch is to keep nothing of it: terms
// that many documents have get along with a byte less each, and those of one
// document go into the dictionary alone.
var (
	rareTerm   = frequency(1)
	commonTerm = frequency(0)
)

func frequency(n int) *index_api.TokenFreq {
	tf := &index_api.TokenFreq{}
	tf.SetFrequency(n)
	return tf
}

// termList has the several terms of a field, analyzed already.
type termList struct {
	terms  index_api.TokenFrequencies
	length int
	next   int  // position of the next value's first token
	shared bool // by several documents: it isn't to be changed
}

func newTermList() *termList { return &termList{terms: index_api.TokenFrequencies{}} }

// add puts in a term without position, unless it is there already.
func (l *termList) add(term string, tf *index_api.TokenFreq) bool {
	if _, ok := l.terms[term]; ok {
		return false
	}
	l.terms[term] = tf
	l.length++
	return true
}

// addText puts in the tokens of a text.
func (l *termList) addText(text string) int {
	tokens := analyzeText(text, l.next)
	for _, t := range tokens {
		tf := l.terms[t.text]
		if tf == nil {
			tf = &index_api.TokenFreq{}
			l.terms[t.text] = tf
		}
		tf.Locations = append(tf.Locations, &index_api.TokenLocation{Start: t.start, End: t.end, Position: t.position + 1})
		tf.SetFrequency(tf.Frequency() + 1)
		l.next = t.position + 1
	}
	l.length += len(tokens)
	l.next += positionGap
	return len(tokens)
}

// documentField is a field of a document: one term, or a list.
type documentField struct {
	name    string
	options index_api.FieldIndexingOptions
	term    string
	common  bool // other documents have the term too
	exact   bool // its terms are whole texts that are scored
	list    *termList
}

func (f *documentField) length() int {
	if f.list != nil {
		return f.list.length
	}
	return 1
}

// own makes the field one of several terms that the document alone has.
func (f *documentField) own() *termList {
	switch {
	case f.list == nil:
		f.list = newTermList()
		f.list.add(f.term, rareTerm)
	case f.list.shared:
		own := newTermList()
		for term, tf := range f.list.terms {
			own.add(term, tf)
		}
		f.list = own
	}
	return f.list
}

// parsedDocument is a document ready for the inverted index.
type parsedDocument struct {
	fields  []documentField
	names   []string // the fields that it has values of
	ignored []string
	// lengths has the number of tokens of each text field.
	lengths map[string]int
	nested  []*parsedDocument
	cache   *termCache
}

// newParsedDocument begins a document, with the room that the last one took.
func newParsedDocument(cache *termCache) *parsedDocument {
	return &parsedDocument{cache: cache, fields: make([]documentField, 0, cache.fieldsHint), names: cache.names[:0]}
}

// within begins the document of an object inside d.
func (d *parsedDocument) within(path string) *parsedDocument {
	inner := &parsedDocument{cache: d.cache}
	inner.fields = append(inner.fields, documentField{name: fieldNestedPath, options: termOptions, term: path, common: true})
	d.nested = append(d.nested, inner)
	return inner
}

// find gives a field of the document, nil when it has none of that name.
func (d *parsedDocument) find(name string) *documentField {
	for i := range d.fields {
		if d.fields[i].name == name {
			return &d.fields[i]
		}
	}
	return nil
}

// many gives a field of the document to which terms can be added.
func (d *parsedDocument) many(name string, options index_api.FieldIndexingOptions) *termList {
	f := d.find(name)
	if f == nil {
		d.fields = append(d.fields, documentField{name: name, options: options, list: newTermList()})
		f = &d.fields[len(d.fields)-1]
	}
	return f.own()
}

const (
	termOptions  = index_api.IndexField | index_api.SkipFreqNorm
	valueOptions = termOptions | index_api.DocValues
	textOptions  = index_api.IndexField | index_api.IncludeTermVectors
	idOptions    = index_api.IndexField | index_api.StoreField
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
	f := d.find(m.path)
	if f == nil {
		known, common := d.cache.term(m.path, term)
		d.addOnly(m, known, common)
		return
	}
	f.own().add(term, rareTerm)
}

// addOnly puts in the first term of a field.
func (d *parsedDocument) addOnly(m *mapping, term string, common bool) {
	d.present(m.path)
	exact := m.typ == "keyword" || m.typ == "boolean" || m.typ == "flattened"
	d.fields = append(d.fields, documentField{name: m.path, options: optionsOf(m), term: term, common: common, exact: exact})
}

func (d *parsedDocument) addText(m *mapping, text string) {
	if d.lengths == nil {
		d.lengths = map[string]int{}
	}
	d.lengths[m.path] += d.many(m.path, textOptions).addText(text)
	d.present(m.path)
}

// addNumber puts in a number in its sortable form.
func (d *parsedDocument) addNumber(m *mapping, sortable int64) {
	if f := d.find(m.path); f != nil {
		if exact := exactTerm(sortable); !f.own().add(exact, rareTerm) {
			d.repeat(m, exact)
			return
		}
	} else {
		term, common := d.cache.number(m.path, sortable)
		d.addOnly(m, term, common)
	}
	shifts := m.coarseShifts()
	if len(shifts) == 0 {
		return
	}
	name, list := d.cache.coarse(m.path, sortable, shifts)
	if f := d.find(name); f == nil {
		d.fields = append(d.fields, documentField{name: name, options: termOptions, list: list})
	} else if f.list != list {
		own := f.own()
		for term, tf := range list.terms {
			own.add(term, tf)
		}
	}
}

// coarseTerms are the shortened forms of a number.
func coarseTerms(sortable int64, shifts []uint) *termList {
	l := newTermList()
	for _, shift := range shifts {
		l.add(shortTerm(sortable, shift), commonTerm)
	}
	return l
}

// exactTerm is a number's term; terms sort as the numbers do.
func exactTerm(sortable int64) string { return shortTerm(sortable, 0) }

// shortTerm is a number's term without its lowest bits: what numeric.PrefixCoded
// reads.
func shortTerm(sortable int64, shift uint) string {
	var b [11]byte
	bits := (uint64(sortable) ^ 1<<63) >> shift
	n := (63-int(shift))/7 + 1
	b[0] = numeric.ShiftStartInt64 + byte(shift)
	for i := n; i > 0; i-- {
		b[i] = byte(bits & 0x7f)
		bits >>= 7
	}
	return string(b[:n+1])
}

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

// seal completes the document and ends its use of the cache, which belongs to the
// parser.
func (d *parsedDocument) seal() {
	if shape, ok := d.cache.shape(d.names); ok {
		d.fields = append(d.fields, documentField{name: fieldNames, options: termOptions, term: shape, common: true})
	} else {
		names := newTermList()
		for _, name := range d.names {
			names.add(namePrefix+name, commonTerm)
		}
		d.fields = append(d.fields, documentField{name: fieldNames, options: termOptions, list: names})
	}
	for _, inner := range d.nested {
		inner.seal()
	}
	d.cache.fieldsHint, d.cache.names = len(d.fields), d.names
	d.cache, d.names = nil, nil
}

// allLengths adds up the numbers of tokens, and of keywords beyond the first one, of a document and of all inside it.
func (d *parsedDocument) allLengths() map[string]int {
	for i := range d.fields {
		if f := &d.fields[i]; f.exact && f.length() > 1 {
			if d.lengths == nil {
				d.lengths = map[string]int{}
			}
			d.lengths[f.name] += f.length() - 1
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
