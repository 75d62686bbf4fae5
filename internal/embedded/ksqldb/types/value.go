package types

import (
	"math"
	"unsafe"

	"github.com/cockroachdb/apd/v3"
)

// Value is a SQL value, or NULL (the zero Value). It is three words wide and
// holds booleans, numbers, dates and strings without allocating: num carries
// the bits (or the length of a string), ref says what they mean.
type Value struct {
	_   [0]func() // not comparable with ==: use Equal with a type
	num uint64
	ref any
}

type (
	stringPtr *byte
	bytesPtr  *byte
	scalarTag struct{}
)

var scalar any = (*scalarTag)(nil)

// MapValue is the content of a MAP: entries in the order of insertion.
type MapValue struct {
	Keys   []Value
	Values []Value
}

// Null is SQL's NULL.
var Null = Value{}

// IsNull reports whether the value is NULL.
func (v Value) IsNull() bool { return v.ref == nil }

// BoolValue makes a BOOLEAN.
func BoolValue(b bool) Value {
	if b {
		return Value{num: 1, ref: scalar}
	}
	return Value{ref: scalar}
}

// IntValue makes an INTEGER, BIGINT, DATE (days since 1970-01-01), TIME
// (milliseconds of the day) or TIMESTAMP (milliseconds since the epoch).
func IntValue(i int64) Value { return Value{num: uint64(i), ref: scalar} }

// DoubleValue makes a DOUBLE.
func DoubleValue(f float64) Value { return Value{num: math.Float64bits(f), ref: scalar} }

// DecimalValue makes a DECIMAL. The decimal must not be changed afterwards.
func DecimalValue(d *apd.Decimal) Value {
	if d == nil {
		return Null
	}
	return Value{ref: d}
}

// StringValue makes a STRING.
func StringValue(s string) Value {
	return Value{num: uint64(len(s)), ref: stringPtr(unsafe.StringData(s))}
}

// BytesValue makes BYTES. The slice must not be changed afterwards; a nil slice
// is an empty value, not NULL.
func BytesValue(b []byte) Value {
	return Value{num: uint64(len(b)), ref: bytesPtr(unsafe.SliceData(b))}
}

// ArrayValue makes an ARRAY. The slice must not be changed afterwards.
func ArrayValue(elems []Value) Value { return Value{ref: &elems} }

// StructValue makes a STRUCT from its members in the order of the type.
func StructValue(members []Value) Value { return Value{ref: &members} }

// MapOfValues makes a MAP. The content must not be changed afterwards.
func MapOfValues(m *MapValue) Value {
	if m == nil {
		return Null
	}
	return Value{ref: m}
}

// Bool is the content of a BOOLEAN.
func (v Value) Bool() bool { return v.num != 0 }

// Int is the content of an INTEGER, BIGINT, DATE, TIME or TIMESTAMP.
func (v Value) Int() int64 { return int64(v.num) }

// Double is the content of a DOUBLE.
func (v Value) Double() float64 { return math.Float64frombits(v.num) }

// Decimal is the content of a DECIMAL, not to be changed; nil for NULL.
func (v Value) Decimal() *apd.Decimal {
	d, _ := v.ref.(*apd.Decimal)
	return d
}

// Str is the content of a STRING, "" for NULL.
func (v Value) Str() string {
	p, ok := v.ref.(stringPtr)
	if !ok || p == nil {
		return ""
	}
	return unsafe.String(p, v.num)
}

// Bytes is the content of BYTES, not to be changed; nil for NULL.
func (v Value) Bytes() []byte {
	p, ok := v.ref.(bytesPtr)
	if !ok || p == nil {
		return nil
	}
	return unsafe.Slice(p, v.num)
}

// Elems are the elements of an ARRAY or the members of a STRUCT, not to be
// changed; nil for NULL.
func (v Value) Elems() []Value {
	p, ok := v.ref.(*[]Value)
	if !ok {
		return nil
	}
	return *p
}

// Map is the content of a MAP, not to be changed; nil for NULL.
func (v Value) Map() *MapValue {
	m, _ := v.ref.(*MapValue)
	return m
}

// Get finds the value of a key of the given type. The second result is false
// when the map has no such key.
func (m *MapValue) Get(keyType *Type, key Value) (Value, bool) {
	for i, k := range m.Keys {
		if Equal(keyType, k, key) {
			return m.Values[i], true
		}
	}
	return Null, false
}
