package avroschema

import (
	"slices"
	"strings"
)

// Type is the type of a schema, spelled as in Avro's JSON.
type Type string

// The types of Avro 1.12.
const (
	Null    Type = "null"
	Boolean Type = "boolean"
	Int     Type = "int"
	Long    Type = "long"
	Float   Type = "float"
	Double  Type = "double"
	Bytes   Type = "bytes"
	String  Type = "string"
	Record  Type = "record"
	Enum    Type = "enum"
	Array   Type = "array"
	Map     Type = "map"
	Union   Type = "union"
	Fixed   Type = "fixed"
)

func (t Type) primitive() bool {
	switch t {
	case Null, Boolean, Int, Long, Float, Double, Bytes, String:
		return true
	default:
		return false
	}
}

// upper is the type in the spelling of Java's enum, used in messages.
func (t Type) upper() string { return strings.ToUpper(string(t)) }

// Schema is a parsed schema.
type Schema struct {
	typ     Type
	isError bool // a record declared with type "error"
	name    name // of record, enum and fixed
	doc     *string
	aliases []name
	props   []member

	fields      []*field  // of a record
	symbols     []string  // of an enum
	enumDefault *string   // of an enum
	elem        *Schema   // items of an array, values of a map
	branches    []*Schema // of a union
	size        int       // of a fixed
}

// Type is the type of the schema.
func (s *Schema) Type() Type { return s.typ }

// FullName is the name of a record, enum or fixed with its namespace, else the
// type.
func (s *Schema) FullName() string {
	if s.named() {
		return s.name.full()
	}
	return string(s.typ)
}

func (s *Schema) named() bool { return s.typ == Record || s.typ == Enum || s.typ == Fixed }

type field struct {
	name         string
	doc          *string
	schema       *Schema
	defaultValue *value
	order        string // "" for ascending
	aliases      []string
	props        []member
	pos          int
}

// name is the name of a named type; space is empty when it has no namespace.
type name struct{ space, simple string }

func (n name) full() string {
	if n.space == "" {
		return n.simple
	}
	return n.space + "." + n.simple
}

// qualified is the name as it is written where space is the namespace in force.
func (n name) qualified(space string) string {
	if n.space == space && !Type(n.simple).primitive() {
		return n.simple
	}
	return n.full()
}

// HasField reports whether a record has a field of a name.
func (s *Schema) HasField(name string) bool {
	return slices.ContainsFunc(s.fields, func(f *field) bool { return f.name == name })
}
