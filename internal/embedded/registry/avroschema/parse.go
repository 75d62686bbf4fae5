package avroschema

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error says why a text is no Avro schema, in the words of Java's library.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func parseError(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

// What attributes of a schema and a field have a meaning of their own; all
// others are properties.
var (
	schemaAttributes = map[string]bool{"doc": true, "fields": true, "items": true, "name": true, "namespace": true, "size": true, "symbols": true, "values": true, "type": true, "aliases": true}
	fieldAttributes  = map[string]bool{"default": true, "doc": true, "name": true, "order": true, "type": true, "aliases": true}
)

// Parse reads a schema. references are the schemas whose named types it may
// use. Defaults of fields are not checked against their types, as a registry
// doesn't. The error is an *Error.
func Parse(text string, references ...*Schema) (*Schema, error) {
	v, err := parseJSON(text)
	if err != nil {
		return nil, parseError("com.fasterxml.jackson.core.JsonParseException: %v", err)
	}
	p := &parser{names: map[string]*Schema{}}
	for _, ref := range references {
		p.addReference(ref, map[*Schema]bool{})
	}
	return p.schema(&v)
}

type parser struct {
	names map[string]*Schema // by full name
	space string             // the namespace in force
}

// addReference makes the named types of a schema known.
func (p *parser) addReference(s *Schema, seen map[*Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if s.named() {
		p.names[s.name.full()] = s
	}
	p.addReference(s.elem, seen)
	for _, b := range s.branches {
		p.addReference(b, seen)
	}
	for _, f := range s.fields {
		p.addReference(f.schema, seen)
	}
}

func (p *parser) schema(v *value) (*Schema, error) {
	switch v.kind {
	case jsonString:
		s := p.byName(v.text)
		if s == nil {
			return nil, parseError("Undefined name: %s", v)
		}
		return s, nil
	case jsonObject:
		return p.object(v)
	case jsonArray:
		return p.union(v)
	default:
		return nil, parseError("Schema not yet supported: %s", v)
	}
}

// byName gives a primitive or known named type, nil when there is none.
func (p *parser) byName(text string) *Schema {
	if Type(text).primitive() {
		return &Schema{typ: Type(text)}
	}
	n := splitName(text, p.space)
	if s := p.names[n.full()]; s != nil {
		return s
	}
	return p.names[n.simple]
}

func splitName(text, space string) name {
	if dot := strings.LastIndexByte(text, '.'); dot >= 0 {
		space, text = text[:dot], text[dot+1:]
	}
	return name{space, text}
}

func checkName(text string) error {
	if text == "" {
		return parseError("Empty name")
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || r == '_':
		case i == 0:
			return parseError("Illegal initial character: %s", text)
		case !unicode.IsDigit(r):
			return parseError("Illegal character in: %s", text)
		}
	}
	return nil
}

func (p *parser) object(v *value) (*Schema, error) {
	text, ok := v.str("type")
	if !ok {
		return nil, parseError("No type: %s", v)
	}
	saved := p.space
	defer func() { p.space = saved }()
	s := &Schema{typ: Type(text)}
	var err error
	switch s.typ {
	case Null, Boolean, Int, Long, Float, Double, Bytes, String:
	case Record, "error":
		s.isError, s.typ = s.typ == "error", Record
		err = p.record(s, v)
	case Enum:
		err = p.enum(s, v)
	case Fixed:
		err = p.fixed(s, v)
	case Array:
		err = p.element(s, v, "items", "Array has no items type: %s")
	case Map:
		err = p.element(s, v, "values", "Map has no values type: %s")
	default:
		if known := p.byName(text); known != nil {
			return known, nil
		}
		return nil, parseError("Type not supported: %s", text)
	}
	if err != nil {
		return nil, err
	}
	for _, m := range v.members {
		if !schemaAttributes[m.key] && (s.typ != Enum || m.key != "default") {
			s.props = append(s.props, m)
		}
	}
	return s, nil
}

// declare reads what all named types have and makes the type known.
func (p *parser) declare(s *Schema, v *value) error {
	text, ok := v.str("name")
	if !ok {
		return parseError("No name in schema: %s", v)
	}
	space, ok := v.str("namespace")
	if !ok {
		space = p.space
	}
	s.name = splitName(text, space)
	if err := checkName(s.name.simple); err != nil {
		return err
	}
	if doc, ok := v.str("doc"); ok {
		s.doc = &doc
	}
	if Type(s.name.full()).primitive() {
		return parseError("Schemas may not be named after primitives: %s", s.name.full())
	}
	if p.names[s.name.full()] != nil {
		return parseError("Can't redefine: %s", s.name.full())
	}
	p.names[s.name.full()] = s
	if s.name.space != "" {
		p.space = s.name.space
	}
	aliases, err := parseAliases(v)
	for _, alias := range aliases {
		s.aliases = append(s.aliases, splitName(alias, s.name.space))
	}
	return err
}

func parseAliases(v *value) ([]string, error) {
	list := v.get("aliases")
	if list == nil {
		return nil, nil
	}
	if list.kind != jsonArray {
		return nil, parseError("aliases not an array: %s", v)
	}
	var aliases []string
	for i := range list.items {
		if list.items[i].kind != jsonString {
			return nil, parseError("alias not a string: %s", &list.items[i])
		}
		if !slices.Contains(aliases, list.items[i].text) {
			aliases = append(aliases, list.items[i].text)
		}
	}
	return aliases, nil
}

func (p *parser) record(s *Schema, v *value) error {
	if err := p.declare(s, v); err != nil {
		return err
	}
	list := v.get("fields")
	if list == nil || list.kind != jsonArray {
		return parseError("Record has no fields: %s", v)
	}
	byName := map[string]*field{}
	for i := range list.items {
		f, err := p.field(&list.items[i], i)
		if err != nil {
			return err
		}
		if other := byName[f.name]; other != nil {
			return parseError("Duplicate field %s in record %s: %s and %s.", f.name, s.name.full(), f.describe(), other.describe())
		}
		byName[f.name] = f
		s.fields = append(s.fields, f)
	}
	return nil
}

func (f *field) describe() string {
	return fmt.Sprintf("%s type:%s pos:%d", f.name, f.schema.typ.upper(), f.pos)
}

func (p *parser) field(v *value, pos int) (*field, error) {
	text, ok := v.str("name")
	if !ok {
		return nil, parseError("No field name: %s", v)
	}
	f := &field{name: text, pos: pos}
	if doc, ok := v.str("doc"); ok {
		f.doc = &doc
	}
	typ := v.get("type")
	if typ == nil {
		return nil, parseError("No field type: %s", v)
	}
	if typ.kind == jsonString && p.byName(typ.text) == nil {
		return nil, parseError("%s is not a defined name. The type of the %q field must be a defined name or a {\"type\": ...} expression.", typ, text)
	}
	var err error
	if f.schema, err = p.schema(typ); err != nil {
		return nil, err
	}
	if err := checkName(text); err != nil {
		return nil, err
	}
	if order := v.get("order"); order != nil {
		switch f.order = strings.ToLower(order.text); f.order {
		case "ascending":
			f.order = ""
		case "descending", "ignore":
		default:
			return nil, parseError("No enum constant org.apache.avro.Schema.Field.Order.%s", strings.ToUpper(order.text))
		}
	}
	if f.defaultValue = v.get("default"); f.defaultValue != nil {
		f.defaultValue = floatDefault(f.defaultValue, f.schema.typ)
	}
	if f.aliases, err = parseAliases(v); err != nil {
		return nil, err
	}
	for _, m := range v.members {
		if !fieldAttributes[m.key] {
			f.props = append(f.props, m)
		}
	}
	return f, nil
}

// floatDefault turns a number that is written as a string into a number where
// the field is a float or double, as Java does.
func floatDefault(v *value, t Type) *value {
	if v.kind != jsonString || t != Float && t != Double {
		return v
	}
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return v
	}
	return &value{kind: jsonNumber, text: javaDouble(f)}
}

func (p *parser) enum(s *Schema, v *value) error {
	if err := p.declare(s, v); err != nil {
		return err
	}
	list := v.get("symbols")
	if list == nil || list.kind != jsonArray {
		return parseError("Enum has no symbols: %s", v)
	}
	for i := range list.items {
		symbol := list.items[i].text
		if err := checkName(symbol); err != nil {
			return err
		}
		if slices.Contains(s.symbols, symbol) {
			return parseError("Duplicate enum symbol: %s", symbol)
		}
		s.symbols = append(s.symbols, symbol)
	}
	if text, ok := v.str("default"); ok {
		if !slices.Contains(s.symbols, text) {
			return parseError("The Enum Default: %s is not in the enum symbol set: [%s]", text, strings.Join(s.symbols, ", "))
		}
		s.enumDefault = &text
	}
	return nil
}

func (p *parser) fixed(s *Schema, v *value) error {
	if err := p.declare(s, v); err != nil {
		return err
	}
	size := v.get("size")
	if size == nil || size.kind != jsonNumber {
		return parseError("Invalid or no size: %s", v)
	}
	n, err := strconv.ParseInt(size.text, 10, 32)
	if err != nil {
		return parseError("Invalid or no size: %s", v)
	}
	if n < 0 {
		return parseError("Malformed data. Length is negative: %d", n)
	}
	s.size = int(n)
	return nil
}

func (p *parser) element(s *Schema, v *value, key, missing string) error {
	elem := v.get(key)
	if elem == nil {
		return parseError(missing, v)
	}
	var err error
	s.elem, err = p.schema(elem)
	return err
}

func (p *parser) union(v *value) (*Schema, error) {
	s := &Schema{typ: Union}
	for i := range v.items {
		branch, err := p.schema(&v.items[i])
		if err != nil {
			return nil, err
		}
		s.branches = append(s.branches, branch)
	}
	seen := map[string]bool{}
	for _, branch := range s.branches {
		if branch.typ == Union {
			return nil, parseError("Nested union: %s", s.Text())
		}
		if seen[branch.FullName()] {
			return nil, parseError("Duplicate in union:%s", branch.FullName())
		}
		seen[branch.FullName()] = true
	}
	return s, nil
}

// IsParseError reports whether err says that a text is no Avro schema.
func IsParseError(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
