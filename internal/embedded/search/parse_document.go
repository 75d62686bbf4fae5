package search

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxTermBytes is the longest term that Lucene takes.
const maxTermBytes = 32766

// metadataFields can't stand in a document.
var metadataFields = []string{"_id", "_source", "_index", "_routing", "_seq_no", "_version", "_field_names", "_ignored", "_doc_count", "_type", "_tier", "_nested_path", "_primary_term", "_record"}

// dynamicDates are the formats in which a new string field is taken for a date.
var dynamicDates = []*dateFormat{mustDateFormat("strict_date_optional_time"), mustDateFormat("yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis")}

// documentParser turns a document into fields, with the mapping that it needs.
type documentParser struct {
	src    []byte
	id     string
	root   *mapping
	added  map[string]*mapping // what the mapping lacks, by full name
	out    *parsedDocument     // of the object at hand
	fields int                 // of the mapping
	limits mappingLimits
}

type mappingLimits struct{ fields, depth int }

// scope is the object in which a value stands.
type scope struct {
	m       *mapping
	path    string
	dynamic string
	depth   int
}

// parseDocument reads a document under a mapping. The second result is the
// mapping with what the document adds, the same one when that is nothing.
func parseDocument(src []byte, id string, root *mapping, limits mappingLimits, cache *termCache) (*parsedDocument, *mapping, *apiError) {
	trimmed := strings.TrimLeft(string(src[:min(len(src), 64)]), " \t\r\n")
	if trimmed == "" {
		return nil, nil, newError(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if trimmed[0] != '{' {
		return nil, nil, newError(http.StatusInternalServerError, "not_x_content_exception", "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes")
	}
	p := &documentParser{src: src, id: id, root: root, added: map[string]*mapping{}, out: newParsedDocument(cache), fields: root.count(), limits: limits}
	n, _, err := cache.json.parse(src)
	if err != nil {
		return nil, nil, p.syntax(err)
	}
	dynamic := root.dynamic
	if dynamic == "" {
		dynamic = "true"
	}
	if apiErr := p.object(n, scope{m: root, dynamic: dynamic, depth: 1}); apiErr != nil {
		return nil, nil, apiErr
	}
	slices.Sort(p.out.ignored)
	p.out.ignored = slices.Compact(p.out.ignored)
	p.out.seal()
	if len(p.added) == 0 {
		return p.out, root, nil
	}
	merged, apiErr := root.merge(p.additions())
	return p.out, merged, apiErr
}

// additions arranges the new fields as a mapping of their own.
func (p *documentParser) additions() *mapping {
	root := newRoot()
	for _, path := range slices.Sorted(maps.Keys(p.added)) {
		parent := root
		names := strings.Split(path, ".")
		for i, name := range names[:len(names)-1] {
			next := parent.props[name]
			if next == nil {
				if old := p.root.find(strings.Join(names[:i+1], ".")); old != nil {
					shallow := *old
					shallow.props = map[string]*mapping{}
					next = &shallow
				} else {
					next = parent.newObject(name)
				}
				parent.props[name] = next
			}
			parent = next
		}
		last := names[len(names)-1]
		if m := p.added[path]; m.typ != "object" || parent.props[last] == nil {
			parent.props[last] = m
		}
	}
	return root
}

func (p *documentParser) err(offset int, format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, "document_parsing_exception", "[%s] %s", at(p.src, offset), fmt.Sprintf(format, args...))
}

// failed wraps a cause as the failure of the whole document.
func (p *documentParser) failed(offset int, cause *apiError) *apiError {
	e := p.err(offset, "failed to parse: %s", cause.reason)
	e.cause = cause
	return e
}

func (p *documentParser) syntax(err error) *apiError {
	cause := syntaxError(err)
	offset := 0
	if j, ok := err.(*jsonError); ok {
		offset = j.parent
	}
	return p.failed(offset, cause)
}

// bad is a value that doesn't fit its field.
func (p *documentParser) bad(m *mapping, offset int, preview string, cause *apiError) *apiError {
	e := p.err(offset, "failed to parse field [%s] of type [%s] in document with id '%s'. Preview of field's value: '%s'", m.path, m.typ, p.id, preview)
	e.cause = cause
	return e
}

func (p *documentParser) object(n *node, s scope) *apiError {
	for i := range n.members {
		f := &n.members[i]
		if err := checkFieldName(f.name); err != nil {
			return p.failed(f.start, err)
		}
		if s.path == "" && slices.Contains(metadataFields, f.name) {
			cause := p.err(f.value.start, "Field [%s] is a metadata field and cannot be added inside a document. Use the index API request parameters.", f.name)
			e := p.bad(&mapping{path: f.name, typ: f.name}, f.value.start, javaString(f.value), cause)
			e.root = cause
			return e
		}
		inner, name := s, f.name
		for {
			head, rest, dotted := strings.Cut(name, ".")
			if !dotted {
				break
			}
			next, leaf, skip, err := p.enter(inner, head, f.value)
			if err != nil || skip {
				if err != nil {
					return err
				}
				name = ""
				break
			}
			if leaf != nil {
				return p.objectInLeaf(leaf, f.value.start, "{"+rest+"="+javaString(f.value)+"}", f.value)
			}
			inner, name = next, rest
		}
		if name == "" {
			continue
		}
		if err := p.value(inner, name, f.value); err != nil {
			return err
		}
	}
	return nil
}

func checkFieldName(name string) *apiError {
	switch {
	case name == "":
		return illegalArgument("field name cannot be an empty string")
	case strings.Trim(name, ".") == "":
		return illegalArgument("field name cannot contain only dots")
	case strings.TrimSpace(name) == "":
		return illegalArgument("field name cannot contain only whitespace")
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return illegalArgument("field name starting or ending with a [.] makes object resolution ambiguous: [%s]", name)
	default:
		return nil
	}
}

func (p *documentParser) child(s scope, name string) *mapping {
	if s.m != nil {
		if c := s.m.props[name]; c != nil {
			return c
		}
	}
	return p.added[s.join(name)]
}

func (s scope) join(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// enter goes into an object field, which it makes when the mapping lacks it. A
// leaf of that name is given back instead.
func (p *documentParser) enter(s scope, name string, v *node) (inner scope, leaf *mapping, skip bool, err *apiError) {
	c := p.child(s, name)
	if c == nil {
		switch s.dynamic {
		case "false":
			return s, nil, true, nil
		case "strict":
			return s, nil, false, p.strict(s, name, v)
		}
		if s.depth+1 > p.limits.depth {
			return s, nil, false, p.failed(v.start, illegalArgument("Limit of mapping depth [%d] has been exceeded due to object field [%s]", p.limits.depth, s.join(name)))
		}
		c = &mapping{name: name, path: s.join(name), typ: "object", enabled: true, props: map[string]*mapping{}}
		if t := p.template(s, name, "object"); t != nil && t.get("type") != nil && t.get("type").text != "object" {
			return s, nil, false, unsupported("a dynamic template that maps objects to other types")
		}
		if err := p.add(c, v.start); err != nil {
			return s, nil, false, err
		}
	}
	if c.typ != "object" && c.typ != "nested" {
		return s, c, false, nil
	}
	if !c.enabled {
		return s, nil, true, nil
	}
	dynamic := s.dynamic
	if c.dynamic != "" {
		dynamic = c.dynamic
	}
	return scope{m: c, path: c.path, dynamic: dynamic, depth: s.depth + 1}, nil, false, nil
}

func (p *documentParser) strict(s scope, name string, v *node) *apiError {
	within := s.path
	if within == "" {
		within = "_doc"
	}
	return newError(http.StatusBadRequest, "strict_dynamic_mapping_exception", "[%s] mapping set to strict, dynamic introduction of [%s] within [%s] is not allowed", at(p.src, v.start), name, within)
}

// add puts a new field into the mapping.
func (p *documentParser) add(m *mapping, offset int) *apiError {
	p.added[m.path] = m
	fresh := 0
	for _, a := range p.added {
		fresh += 1 + len(a.fields)
	}
	if p.fields+fresh > p.limits.fields {
		return p.failed(offset, illegalArgument("Limit of total fields [%d] has been exceeded while adding new fields [%d]", p.limits.fields, fresh))
	}
	return nil
}

func (p *documentParser) value(s scope, name string, v *node) *apiError {
	switch v.kind {
	case kindArray:
		if c := p.child(s, name); c != nil && c.typ == "geo_point" && len(v.elements) > 0 && v.elements[0].kind == kindNumber {
			return p.leaf(c, v)
		}
		for _, e := range v.elements {
			if err := p.value(s, name, e); err != nil {
				return err
			}
		}
		return nil
	case kindNull:
		if c := p.child(s, name); c != nil && c.typ != "object" && c.nullValue != nil {
			return p.leaf(c, c.nullValue)
		}
		return nil
	case kindObject:
		inner, leaf, skip, err := p.enter(s, name, v)
		if err != nil || skip {
			return err
		}
		switch {
		case leaf != nil && leaf.typ == "flattened":
			return p.flattened(leaf, v)
		case leaf != nil && leaf.typ == "geo_point":
			return p.leaf(leaf, v)
		case leaf != nil:
			return p.objectInLeaf(leaf, v.end-1, javaString(v), v)
		case inner.m.typ == "nested":
			return p.nested(v, inner)
		}
		return p.object(v, inner)
	}
	c := p.child(s, name)
	if c != nil && (c.typ == "object" || c.typ == "nested") {
		if !c.enabled {
			return nil
		}
		return p.err(v.start, "object mapping for [%s] tried to parse field [%s] as object, but found a concrete value", c.path, c.name)
	}
	if existing := s.m != nil && c != nil && s.m.props[name] == c; !existing {
		switch {
		case s.dynamic == "false":
			return nil
		case s.dynamic == "strict":
			return p.strict(s, name, v)
		}
		fresh, err := p.newField(s, name, v)
		if err != nil {
			return err
		}
		switch {
		case c == nil:
			if err := p.add(fresh, v.start); err != nil {
				return err
			}
			c = fresh
		case c.typ != fresh.typ:
			return illegalArgument("mapper [%s] cannot be changed from type [%s] to [%s]", c.path, c.typ, fresh.typ)
		}
	}
	return p.leaf(c, v)
}

// nested takes in an object of a nested field, as a document of its own.
func (p *documentParser) nested(v *node, s scope) *apiError {
	within := p.out
	p.out = within.within(s.m.path)
	err := p.object(v, s)
	p.out = within
	if err == nil && s.m.inRoot {
		err = p.object(v, s)
	}
	return err
}

// flattened takes in all leaves of an object as terms, and again under the names
// of their keys.
func (p *documentParser) flattened(m *mapping, v *node) *apiError {
	var walk func(v *node, key string, depth int) *apiError
	walk = func(v *node, key string, depth int) *apiError {
		switch v.kind {
		case kindObject:
			if depth > m.depthLimit {
				return p.bad(m, v.start, javaString(v), illegalArgument("The provided [flattened] field [%s] exceeds the maximum depth limit of [%d].", m.path, m.depthLimit))
			}
			for _, f := range v.members {
				name := f.name
				if key != "" {
					name = key + "." + f.name
				}
				if err := walk(f.value, name, depth+1); err != nil {
					return err
				}
			}
			return nil
		case kindArray:
			for _, e := range v.elements {
				if err := walk(e, key, depth); err != nil {
					return err
				}
			}
			return nil
		case kindNull:
			if m.nullValue == nil {
				return nil
			}
			v = m.nullValue
		}
		text, _ := v.scalar()
		if m.ignoreAbove > 0 && utf16Length([]byte(text)) > m.ignoreAbove {
			return nil
		}
		p.addTerm(m, text)
		p.addTerm(m.key(key), text)
		return nil
	}
	return walk(v, "", 0)
}

// objectInLeaf is an object where the mapping has a value.
func (p *documentParser) objectInLeaf(m *mapping, offset int, preview string, v *node) *apiError {
	cause := illegalArgument("Cannot parse object as number")
	switch m.typ {
	case "text", "keyword":
		cause = newError(0, "illegal_state_exception", "Can't get text on a START_OBJECT at %s", at(p.src, v.start))
	case "date", "boolean", "binary":
		cause = newError(0, "illegal_state_exception", "Can't get text on a START_OBJECT at %s", at(p.src, v.start))
	case "alias":
		return p.err(v.start, "Cannot write to a field alias [%s].", m.path)
	}
	return p.bad(m, offset, preview, cause)
}

// newField is the mapping of a field that the index doesn't know yet.
func (p *documentParser) newField(s scope, name string, v *node) (*mapping, *apiError) {
	path := s.join(name)
	typ, matched := "text", "string"
	switch v.kind {
	case kindTrue, kindFalse:
		typ, matched = "boolean", "boolean"
	case kindNumber:
		typ, matched = "float", "double"
		if v.isInteger() {
			typ, matched = "long", "long"
			if _, err := strconv.ParseInt(v.text, 10, 64); err != nil {
				return nil, p.failed(v.start, illegalArgument("No matching token for number_type [BIG_INTEGER]"))
			}
		}
	case kindString:
		if p.root.dateDetection == nil || *p.root.dateDetection {
			for _, f := range dynamicDates {
				if _, _, ok := f.parse(v.text); ok && !isNumber(v.text) {
					m := newLeaf(name, path, "date")
					if f != dynamicDates[0] {
						m.format = f
						m.params.set("format", f.name)
					}
					if t := p.template(s, name, "date"); t != nil {
						return p.templated(t, name, path, "date")
					}
					return m, nil
				}
			}
		}
		if p.root.numberDetect && isNumber(v.text) {
			typ, matched = "float", "double"
			if _, err := strconv.ParseInt(v.text, 10, 64); err == nil {
				typ, matched = "long", "long"
			}
		}
	}
	if t := p.template(s, name, matched); t != nil {
		return p.templated(t, name, path, typ)
	}
	m := newLeaf(name, path, typ)
	if typ == "text" {
		k := newLeaf("keyword", path+".keyword", "keyword")
		k.ignoreAbove = defaultIgnoreAbove
		k.params.set("ignore_above", defaultIgnoreAbove)
		m.fields = map[string]*mapping{"keyword": k}
	}
	return m, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// template finds the dynamic template for a new field.
func (p *documentParser) template(s scope, name, matched string) *node {
	path := s.join(name)
	for _, t := range p.root.templates {
		switch {
		case len(t.matchType) > 0 && !matchAny(t.matchType, matched),
			len(t.match) > 0 && !matchAny(t.match, name),
			matchAny(t.unmatch, name),
			len(t.pathMatch) > 0 && !matchAny(t.pathMatch, path),
			matchAny(t.pathUnmatch, path):
			continue
		}
		return t.mapping
	}
	return nil
}

func (p *documentParser) templated(t *node, name, path, typ string) (*mapping, *apiError) {
	if declared := t.get("type"); declared != nil {
		typ = strings.ReplaceAll(declared.text, "{dynamic_type}", typ)
	}
	parent := &mapping{path: strings.TrimSuffix(strings.TrimSuffix(path, name), ".")}
	return parent.parseLeaf(name, typ, t, true)
}

// leaf takes in the value of a leaf and of its multi-fields.
func (p *documentParser) leaf(m *mapping, v *node) *apiError {
	err := p.leafValue(m, v)
	if err != nil {
		if !m.malformedOK || m.typ == "text" || m.typ == "keyword" {
			return err
		}
		p.out.ignored = append(p.out.ignored, m.path)
	}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if err := p.leaf(m.fields[name], v); err != nil {
			return err
		}
	}
	for _, to := range m.copyTo {
		if err := p.copy(m, to, v); err != nil {
			return err
		}
	}
	return nil
}

// copy takes in the value of a field under the name of another, which it makes
// when the mapping lacks it. What is copied isn't copied on.
func (p *documentParser) copy(m *mapping, to string, v *node) *apiError {
	target := p.root.find(to)
	if target == nil {
		target = p.added[to]
	}
	if target == nil {
		parent, name := "", to
		if i := strings.LastIndexByte(to, '.'); i >= 0 {
			parent, name = to[:i], to[i+1:]
		}
		fresh, err := p.newField(scope{path: parent, dynamic: "true"}, name, v)
		if err != nil {
			return err
		}
		if err := p.add(fresh, v.start); err != nil {
			return err
		}
		target = fresh
	}
	if target.typ == "object" || target.typ == "nested" {
		return p.err(v.start, "failed to copy field [%s] to [%s], which is an object", m.path, to)
	}
	plain := *target
	plain.copyTo = nil
	return p.leaf(&plain, v)
}

func (p *documentParser) leafValue(m *mapping, v *node) *apiError {
	text, _ := v.scalar()
	switch m.typ {
	case "alias":
		return p.err(v.start, "Cannot write to a field alias [%s].", m.path)
	case "flattened":
		e := p.bad(m, v.start, text, parsingError(p.src, v.start, "Failed to parse object: expecting token of type [START_OBJECT] but found [%s]", v.token()))
		e.root = e.cause
		return e
	case "ip":
		term, err := ipTerm(text)
		if err != nil {
			return p.bad(m, v.start, text, err)
		}
		p.addTerm(m, term)
		return nil
	case "geo_point":
		lat, lon, err := parseGeoPoint(v)
		if err != nil {
			e := p.bad(m, v.start, javaString(v), err)
			e.reason = fmt.Sprintf("[%s] failed to parse field [%s] of type [%s] in document with id '%s'. Preview of field's value: '%s'", at(p.src, v.start), m.path, m.typ, p.id, javaString(v))
			return e
		}
		p.addTerm(m, exactTerm(geoNumber(lat, lon)))
		return nil
	case "text":
		if m.indexed {
			p.out.addText(m, text)
		}
		return nil
	case "keyword":
		return p.keyword(m, v, text)
	case "boolean":
		switch text {
		case "true":
			p.addTerm(m, "T")
		case "false", "":
			p.addTerm(m, "F")
		default:
			return p.bad(m, v.start, text, illegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", text))
		}
		return nil
	case "date":
		t, _, ok := m.format.parse(text)
		if !ok {
			return p.bad(m, v.start, text, dateError(m.format, text).cause)
		}
		p.addNumber(m, t.UnixMilli())
		return nil
	case "binary":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil && m.docValues {
			return p.bad(m, v.start, text, illegalArgument("Illegal base64 character"))
		}
		return nil
	}
	sortable, present, err := p.number(m, v)
	if err != nil || !present {
		return err
	}
	p.addNumber(m, sortable)
	return nil
}

// addTerm and addNumber leave out what can be neither searched nor sorted by.
func (p *documentParser) addTerm(m *mapping, term string) {
	if m.indexed || m.docValues {
		p.out.addTerm(m, term)
	}
}

func (p *documentParser) addNumber(m *mapping, sortable int64) {
	if m.indexed || m.docValues {
		p.out.addNumber(m, sortable)
	}
}

func (p *documentParser) keyword(m *mapping, v *node, text string) *apiError {
	if m.ignoreAbove > 0 && utf16Length([]byte(text)) > m.ignoreAbove {
		p.out.ignored = append(p.out.ignored, m.path)
		return nil
	}
	if len(text) > maxTermBytes {
		var prefix []string
		for _, b := range []byte(text[:30]) {
			prefix = append(prefix, strconv.Itoa(int(int8(b))))
		}
		return p.bad(m, v.start, text, illegalArgument("Document contains at least one immense term in field=\"%s\" (whose UTF8 encoding is longer than the max length %d), all of which were skipped. Please correct the analyzer to not produce such terms. The prefix of the first immense term is: '[%s]...'", m.path, maxTermBytes, strings.Join(prefix, ", ")))
	}
	p.addTerm(m, text)
	return nil
}

// halfFloat rounds to the eleven bits of a half-precision number.
func halfFloat(v float64) float64 {
	if v == 0 {
		return v
	}
	_, exponent := math.Frexp(v)
	unit := math.Ldexp(1, max(exponent-11, -24))
	return math.RoundToEven(v/unit) * unit
}

// integerTypes has the bounds of the whole-number types.
var integerTypes = map[string]struct {
	min, max int64
	java     string
}{
	"long":    {math.MinInt64, math.MaxInt64, "long"},
	"integer": {math.MinInt32, math.MaxInt32, "int"},
	"short":   {math.MinInt16, math.MaxInt16, "short"},
	"byte":    {math.MinInt8, math.MaxInt8, "byte"},
}

// number reads a value of a numeric field in its sortable form. An empty string
// is no value.
func (p *documentParser) number(m *mapping, v *node) (sortable int64, present bool, _ *apiError) {
	text, _ := v.scalar()
	if v.kind == kindTrue || v.kind == kindFalse {
		msg := "Current token (VALUE_TRUE) not numeric, can not use numeric value accessors"
		if v.kind == kindFalse {
			msg = "Current token (VALUE_FALSE) not numeric, can not use numeric value accessors"
		}
		return 0, false, p.bad(m, v.start, text, syntaxError(&jsonError{src: p.src, offset: v.end, msg: msg}))
	}
	if v.kind == kindString && text == "" {
		return 0, false, nil
	}
	bounds, whole := integerTypes[m.typ]
	if !whole {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, false, p.bad(m, v.start, text, newError(0, "number_format_exception", "For input string: \"%s\"", text))
		}
		switch m.typ {
		case "float":
			f = float64(float32(f))
		case "half_float":
			if f = halfFloat(f); math.Abs(f) > 65504 {
				f = math.Inf(int(math.Copysign(1, f)))
			}
		}
		if math.IsInf(f, 0) || math.IsNaN(f) {
			shown := javaFloat(f, 64)
			preview := text
			if v.kind == kindNumber {
				preview = shown
			}
			return 0, false, p.bad(m, v.start, preview, illegalArgument("[%s] supports only finite values, but got [%s]", m.typ, shown))
		}
		return sortableDouble(f), true, nil
	}
	n, err := wholeNumber(text)
	if err != nil {
		typ := "number_format_exception"
		if m.typ == "long" {
			typ = "illegal_argument_exception"
		}
		return 0, false, p.bad(m, v.start, text, newError(0, typ, "For input string: \"%s\"", text))
	}
	if n.IsInt64() && n.Int64() >= bounds.min && n.Int64() <= bounds.max {
		return n.Int64(), true, nil
	}
	return 0, false, p.bad(m, v.start, text, p.outOfRange(m.typ, v))
}

// outOfRange says that a whole number is too large for its type.
func (p *documentParser) outOfRange(typ string, v *node) *apiError {
	bounds := integerTypes[typ]
	if v.kind == kindString || typ == "byte" {
		article := "a"
		if typ == "integer" {
			article = "an"
		}
		return illegalArgument("Value [%s] is out of range for %s %s", v.text, article, typ)
	}
	msg := fmt.Sprintf("Numeric value (%s) out of range of %s (%d - %d)", v.text, bounds.java, bounds.min, bounds.max)
	if typ == "short" {
		msg = fmt.Sprintf("Numeric value (%s) out of range of Java short", v.text)
	}
	e := syntaxError(&jsonError{src: p.src, offset: v.end, msg: msg})
	e.cause.typ = "input_coercion_exception"
	return e
}

// wholeNumber reads a number and drops its fraction.
func wholeNumber(text string) (*big.Int, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return big.NewInt(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("not a number: %q", text)
	}
	if n, ok := new(big.Int).SetString(text, 10); ok {
		return n, nil
	}
	n, _ := big.NewFloat(f).Int(nil)
	return n, nil
}
