// Package connect is the part of Kafka Connect's data model that lies between
// registered schemas and ksqlDB's columns: AVRO, JSON_SR and PROTOBUF schemas
// are first turned into Connect schemas, and the rules of what is a column, and
// what may be read as which SQL type, are written once, on these.
//
// Invariants: a *Schema is immutable once built; it is a tree, never a cycle.
package connect

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
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
	Map
	Struct
)

var typeNames = [...]string{
	Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64",
	Boolean: "boolean", String: "string", Bytes: "bytes", Array: "array", Map: "map", Struct: "struct",
}

// String gives Connect's name of the type, in lower case.
func (t Type) String() string {
	if int(t) < len(typeNames) && typeNames[t] != "" {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// The names of Connect's logical types.
const (
	Decimal   = "org.apache.kafka.connect.data.Decimal"
	Date      = "org.apache.kafka.connect.data.Date"
	Time      = "org.apache.kafka.connect.data.Time"
	Timestamp = "org.apache.kafka.connect.data.Timestamp"
)

// Schema is a Connect schema.
type Schema struct {
	Type     Type
	Optional bool
	// Name is the logical type or the name of the record.
	Name string
	// Precision and Scale belong to Decimal. A Precision of 0 means that the
	// schema doesn't tell; ksqlDB takes 64 then.
	Precision int
	Scale     int
	// Key and Value are the types of a Map's entries; Value is that of an
	// Array's elements too.
	Key    *Schema
	Value  *Schema
	Fields []Field
}

// Field is a member of a Struct.
type Field struct {
	Name   string
	Schema *Schema
}

// defaultPrecision is the precision of decimals whose schema doesn't give one.
const defaultPrecision = 64

// Policy says what happens to the names of inferred columns.
type Policy uint8

const (
	// UpperCase makes the names of columns and struct members upper case.
	UpperCase Policy = iota
	// OriginalCase leaves them as they are.
	OriginalCase
)

// Columns turns a record's schema into columns as ksqlDB's
// ConnectKsqlSchemaTranslator does: every type becomes optional, and members of
// a type that ksqlDB doesn't have are left out.
func Columns(s *Schema, policy Policy) ([]types.Column, error) {
	t, ok := toSQL(s, policy)
	if !ok {
		return nil, fmt.Errorf("Unsupported type at root of schema: Unsupported type: %s", s.Type)
	}
	if t.Kind != types.KindStruct {
		return nil, fmt.Errorf("KSQL stream/table schema must be structured")
	}
	if len(t.Fields) == 0 {
		return nil, fmt.Errorf("Schema does not include any columns with types that ksqlDB supports.\nschema: %s", describe(s))
	}
	cols := make([]types.Column, len(t.Fields))
	for i, f := range t.Fields {
		cols[i] = types.Column{Name: f.Name, Type: f.Type}
	}
	return cols, nil
}

func describe(s *Schema) string {
	parts := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		parts[i] = f.Name + " " + strings.ToUpper(f.Schema.Type.String())
	}
	return strings.Join(parts, ", ")
}

// toSQL gives the SQL type of a schema, or false when there is none.
func toSQL(s *Schema, policy Policy) (*types.Type, bool) {
	switch s.Type {
	case Int8, Int16:
		return types.Integer, true
	case Int32:
		switch s.Name {
		case Time:
			return types.Time, true
		case Date:
			return types.Date, true
		default:
			return types.Integer, true
		}
	case Int64:
		if s.Name == Timestamp {
			return types.Timestamp, true
		}
		return types.Bigint, true
	case Float32, Float64:
		return types.Double, true
	case Boolean:
		return types.Boolean, true
	case String:
		return types.String, true
	case Bytes:
		if s.Name != Decimal {
			return types.Bytes, true
		}
		precision := s.Precision
		if precision == 0 {
			precision = defaultPrecision
		}
		return types.DecimalOf(precision, s.Scale), true
	case Array:
		elem, ok := toSQL(s.Value, policy)
		if !ok {
			return nil, false
		}
		return types.ArrayOf(elem), true
	case Map:
		switch s.Key.Type {
		case Int8, Int16, Int32, Int64, Boolean, String:
		default:
			return nil, false
		}
		value, ok := toSQL(s.Value, policy)
		if !ok {
			return nil, false
		}
		return types.MapOf(types.String, value), true
	case Struct:
		var fields []types.Field
		for _, f := range s.Fields {
			t, ok := toSQL(f.Schema, policy)
			if !ok {
				continue
			}
			name := f.Name
			if policy == UpperCase {
				name = strings.ToUpper(name)
			}
			fields = append(fields, types.Field{Name: name, Type: t})
		}
		return types.StructOf(fields...), true
	default:
		return nil, false
	}
}

// Readable reports whether a value of the schema may be read as the SQL type,
// with the error of ksqlDB's ConnectDataTranslator when not. Members, elements
// and entries are not looked at.
func Readable(s *Schema, t *types.Type, path string) error {
	ok := false
	switch t.Kind {
	case types.KindBoolean:
		ok = s.Type == Boolean
	case types.KindInteger, types.KindDate, types.KindTime:
		ok = s.Type == Int8 || s.Type == Int16 || s.Type == Int32
	case types.KindBigint, types.KindTimestamp:
		ok = s.Type <= Int64
	case types.KindDouble:
		ok = s.Type == Float32 || s.Type == Float64
	case types.KindString:
		ok = s.Type <= String
	case types.KindBytes, types.KindDecimal:
		ok = s.Type == Bytes
	case types.KindArray:
		ok = s.Type == Array
	case types.KindMap:
		ok = s.Type == Map
	case types.KindStruct:
		ok = s.Type == Struct
	}
	if !ok {
		return fmt.Errorf("Cannot deserialize type %s as type %s for path: %s", s.Type, FromSQL(t), path)
	}
	if (s.Name == Decimal) != (t.Kind == types.KindDecimal) && s.Type == Bytes {
		return fmt.Errorf("Invalid Java object for schema %q with type BYTES: the data is of type %s, path: %s", s.Name, t, path)
	}
	return nil
}

// FromSQL is the Connect type of a SQL type.
func FromSQL(t *types.Type) Type {
	switch t.Kind {
	case types.KindBoolean:
		return Boolean
	case types.KindInteger, types.KindDate, types.KindTime:
		return Int32
	case types.KindBigint, types.KindTimestamp:
		return Int64
	case types.KindDouble:
		return Float64
	case types.KindString:
		return String
	case types.KindBytes, types.KindDecimal:
		return Bytes
	case types.KindArray:
		return Array
	case types.KindMap:
		return Map
	default:
		return Struct
	}
}

// Unsupported looks for a type that ksqlDB can't serialise with when the schema
// is named by its id, where types are not widened. The error is ksqlDB's.
func Unsupported(s *Schema) error {
	switch s.Type {
	case Int8, Int16, Float32:
		return fmt.Errorf("Unexpected schema type: Schema{%s}", strings.ToUpper(s.Type.String()))
	case Array, Map:
		if s.Type == Map {
			if err := Unsupported(s.Key); err != nil {
				return err
			}
		}
		return Unsupported(s.Value)
	case Struct:
		for _, f := range s.Fields {
			if err := Unsupported(f.Schema); err != nil {
				return err
			}
		}
	}
	return nil
}
