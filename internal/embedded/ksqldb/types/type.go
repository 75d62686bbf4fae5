// Package types holds ksqlDB's SQL types, the values of those types, schemas
// (named and typed columns) and rows.
//
// Invariants: a *Type is immutable once built and may be shared; a Value does
// not know its full SQL type, the expression, column or schema it belongs to
// does; a Value is immutable, so rows may share values, and code that wants to
// change an array, map or struct builds a new one.
package types

import (
	"fmt"
	"strings"
)

// Kind is the base of a SQL type.
type Kind uint8

// The base types of ksqlDB.
const (
	KindBoolean Kind = iota + 1
	KindInteger
	KindBigint
	KindDouble
	KindDecimal
	KindString
	KindBytes
	KindTime
	KindDate
	KindTimestamp
	KindArray
	KindMap
	KindStruct
)

var kindNames = [...]string{
	KindBoolean: "BOOLEAN", KindInteger: "INTEGER", KindBigint: "BIGINT",
	KindDouble: "DOUBLE", KindDecimal: "DECIMAL", KindString: "STRING",
	KindBytes: "BYTES", KindTime: "TIME", KindDate: "DATE",
	KindTimestamp: "TIMESTAMP", KindArray: "ARRAY", KindMap: "MAP",
	KindStruct: "STRUCT",
}

// String gives ksqlDB's name of the base type, such as INTEGER or STRING.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Type is a SQL type. Precision and Scale are set for DECIMAL; Elem is the
// element type of an ARRAY and the value type of a MAP; Key is the key type of
// a MAP; Fields are the members of a STRUCT in order.
type Type struct {
	Kind      Kind
	Precision int
	Scale     int
	Key       *Type
	Elem      *Type
	Fields    []Field
}

// Field is a member of a STRUCT type.
type Field struct {
	Name string
	Type *Type
}

// The types without parameters.
var (
	Boolean   = &Type{Kind: KindBoolean}
	Integer   = &Type{Kind: KindInteger}
	Bigint    = &Type{Kind: KindBigint}
	Double    = &Type{Kind: KindDouble}
	String    = &Type{Kind: KindString}
	Bytes     = &Type{Kind: KindBytes}
	Time      = &Type{Kind: KindTime}
	Date      = &Type{Kind: KindDate}
	Timestamp = &Type{Kind: KindTimestamp}
)

// DecimalOf is DECIMAL(precision, scale).
func DecimalOf(precision, scale int) *Type {
	return &Type{Kind: KindDecimal, Precision: precision, Scale: scale}
}

// ArrayOf is ARRAY<elem>.
func ArrayOf(elem *Type) *Type { return &Type{Kind: KindArray, Elem: elem} }

// MapOf is MAP<key, value>.
func MapOf(key, value *Type) *Type { return &Type{Kind: KindMap, Key: key, Elem: value} }

// StructOf is STRUCT<fields...>.
func StructOf(fields ...Field) *Type { return &Type{Kind: KindStruct, Fields: fields} }

// Equal reports whether two types are the same, parameters, member names and
// member order included. A nil type (that of the NULL literal) equals only nil.
func (t *Type) Equal(o *Type) bool {
	if t == o {
		return true
	}
	if t == nil || o == nil || t.Kind != o.Kind || t.Precision != o.Precision || t.Scale != o.Scale {
		return false
	}
	if !t.Key.Equal(o.Key) || !t.Elem.Equal(o.Elem) || len(t.Fields) != len(o.Fields) {
		return false
	}
	for i, f := range t.Fields {
		if f.Name != o.Fields[i].Name || !f.Type.Equal(o.Fields[i].Type) {
			return false
		}
	}
	return true
}

// IsNumeric reports whether the type is INTEGER, BIGINT, DECIMAL or DOUBLE.
func (t *Type) IsNumeric() bool {
	return t != nil && (t.Kind == KindInteger || t.Kind == KindBigint || t.Kind == KindDecimal || t.Kind == KindDouble)
}

// FieldIndex is the position of the named struct member, or -1.
func (t *Type) FieldIndex(name string) int {
	for i, f := range t.Fields {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// String gives the type as ksqlDB prints it in headers and error texts:
// DECIMAL(4, 2), ARRAY<STRING>, STRUCT<`A` INTEGER>. The type of NULL is "null".
func (t *Type) String() string { return t.format(QuoteName) }

// Unquoted is String with bare member names: STRUCT<A INTEGER>.
func (t *Type) Unquoted() string { return t.format(func(name string) string { return name }) }

func (t *Type) format(member func(string) string) string {
	if t == nil {
		return "null"
	}
	switch t.Kind {
	case KindDecimal:
		return fmt.Sprintf("DECIMAL(%d, %d)", t.Precision, t.Scale)
	case KindArray:
		return "ARRAY<" + t.Elem.format(member) + ">"
	case KindMap:
		return "MAP<" + t.Key.format(member) + ", " + t.Elem.format(member) + ">"
	case KindStruct:
		if len(t.Fields) == 0 {
			return "STRUCT< >"
		}
		var b strings.Builder
		b.WriteString("STRUCT<")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(member(f.Name) + " " + f.Type.format(member))
		}
		b.WriteString(">")
		return b.String()
	default:
		return t.Kind.String()
	}
}

// QuoteName puts a name between back-ticks, doubling those inside.
func QuoteName(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}
