// Package data is Kafka Connect's data model: schemas, structs and records'
// values as connectors, transformations and converters exchange them.
//
// Values are Go values: int8, int16, int32, int64, float32, float64, bool,
// string, []byte, []any (array), *Map (map) and *Struct. The logical types Date,
// Time and Timestamp are time.Time in UTC, Decimal is Decimal. A value without a
// schema is one of the same, a JSON object being a *Map with string keys.
//
// Invariants: a *Schema is immutable once a record refers to it; a Struct has
// exactly one value per field of its schema, in the schema's order.
package data

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Type is a Connect type.
type Type uint8

// Connect's types.
const (
	Int8 Type = iota + 1
	Int16
	Int32
	Int64
	Float32
	Float64
	Boolean
	String
	Bytes
	Array
	MapType
	StructType
)

var typeNames = [...]string{
	Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64",
	Boolean: "boolean", String: "string", Bytes: "bytes", Array: "array", MapType: "map", StructType: "struct",
}

// String gives Connect's name of the type, in lower case.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// TypeByName finds a type by Connect's name of it, in any case.
func TypeByName(name string) (Type, bool) {
	name = strings.ToLower(name)
	for t, n := range typeNames {
		if n == name && n != "" {
			return Type(t), true
		}
	}
	return 0, false
}

// Primitive reports whether values of the type have no parts.
func (t Type) Primitive() bool { return t >= Int8 && t <= Bytes }

// The names of Connect's logical types.
const (
	DecimalName   = "org.apache.kafka.connect.data.Decimal"
	DateName      = "org.apache.kafka.connect.data.Date"
	TimeName      = "org.apache.kafka.connect.data.Time"
	TimestampName = "org.apache.kafka.connect.data.Timestamp"
)

// Schema describes a value.
type Schema struct {
	Type     Type
	Optional bool
	// Name is the logical type or the name of the struct, empty for none.
	Name string
	// Version is nil for none.
	Version *int
	Doc     string
	// Default is the value that stands in for a missing one; HasDefault tells
	// a null default from none.
	Default    any
	HasDefault bool
	// Symbols are those of an enum in their order, nil where it is not known; what
	// the enum is stands in the parameters.
	Symbols    []string
	Parameters map[string]string
	// Key and Value are the types of a map's entries; Value is that of an
	// array's elements too.
	Key    *Schema
	Value  *Schema
	Fields []Field
}

// Field is a member of a struct.
type Field struct {
	Name   string
	Schema *Schema
}

// FieldIndex is the position of the field with a name, -1 for none.
func (s *Schema) FieldIndex(name string) int {
	return slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
}

// Clone copies the schema; its parts are shared.
func (s *Schema) Clone() *Schema {
	c := *s
	c.Fields = slices.Clone(s.Fields)
	c.Parameters = maps.Clone(s.Parameters)
	return &c
}

// AsOptional gives the schema with the Optional flag as told.
func (s *Schema) AsOptional(optional bool) *Schema {
	if s.Optional == optional {
		return s
	}
	c := s.Clone()
	c.Optional = optional
	return c
}

// Version makes a version to put into a Schema.
func Version(n int) *int { return &n }

// Of makes a schema of a type without name, required.
func Of(t Type) *Schema { return &Schema{Type: t} }

// OptionalOf makes a schema of a type without name, optional.
func OptionalOf(t Type) *Schema { return &Schema{Type: t, Optional: true} }

// Timestamp makes the schema of milliseconds since 1970 in UTC.
func Timestamp() *Schema { return &Schema{Type: Int64, Name: TimestampName, Version: Version(1)} }

// Date makes the schema of days since 1970.
func Date() *Schema { return &Schema{Type: Int32, Name: DateName, Version: Version(1)} }

// DecimalSchema makes the schema of exact numbers with a number of decimals.
func DecimalSchema(scale int) *Schema {
	return &Schema{Type: Bytes, Name: DecimalName, Version: Version(1), Parameters: map[string]string{"scale": strconv.Itoa(scale)}}
}

// TimeOfDay makes the schema of milliseconds since midnight.
func TimeOfDay() *Schema { return &Schema{Type: Int32, Name: TimeName, Version: Version(1)} }

// Equal reports whether two schemas say the same, nil being equal to nil.
func Equal(a, b *Schema) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	if a.Type != b.Type || a.Optional != b.Optional || a.Name != b.Name || a.Doc != b.Doc || a.HasDefault != b.HasDefault ||
		(a.Version == nil) != (b.Version == nil) || a.Version != nil && *a.Version != *b.Version ||
		!maps.Equal(a.Parameters, b.Parameters) || fmt.Sprint(a.Default) != fmt.Sprint(b.Default) || !Equal(a.Key, b.Key) || !Equal(a.Value, b.Value) {
		return false
	}
	return slices.EqualFunc(a.Fields, b.Fields, func(x, y Field) bool { return x.Name == y.Name && Equal(x.Schema, y.Schema) })
}

// String names the schema as Java's ConnectSchema does.
func (s *Schema) String() string {
	if s == nil {
		return "null"
	}
	if s.Name != "" {
		return "Schema{" + s.Name + ":" + strings.ToUpper(s.Type.String()) + "}"
	}
	return "Schema{" + strings.ToUpper(s.Type.String()) + "}"
}
