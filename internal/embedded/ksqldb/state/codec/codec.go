// Package codec turns SQL values into the bytes that stores and internal topics
// hold, and back, by their SQL types.
//
// A record begins with Version. Values are written as a tuple: the number of
// columns, a bit per column that tells which are not NULL, then the contents of
// those. Integers are zigzag varints, texts and bytes have their length before
// them. Nothing of the types is written: who reads must know them. A tuple may be
// read with more columns than it was written with; those it lacks are NULL.
//
// Invariants: the same values always give the same bytes; decoding never panics,
// and never allocates more than the data at hand can justify; decoded values
// share no memory with the data they were read from.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Version is the first byte of every record.
const Version = 1

// ErrCorrupt is wrapped by all errors of decoding.
var ErrCorrupt = errors.New("stored data is damaged")

// AppendRow appends a record: a timestamp in epoch milliseconds and a tuple.
func AppendRow(dst []byte, time int64, cols []*types.Type, values []types.Value) []byte {
	dst = append(dst, Version)
	dst = binary.AppendVarint(dst, time)
	return AppendTuple(dst, cols, values)
}

// DecodeRow reads what AppendRow wrote. The values are put into dst if it is
// large enough.
func DecodeRow(data []byte, cols []*types.Type, dst []types.Value) (time int64, values []types.Value, err error) {
	d := NewDecoder(data)
	d.Version()
	time = d.Varint()
	values = d.Tuple(cols, dst)
	return time, values, d.Finish()
}

// AppendTuple appends the values of columns of the given types.
func AppendTuple(dst []byte, cols []*types.Type, values []types.Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(cols)))
	dst = appendNulls(dst, values)
	for i, t := range cols {
		dst = appendValue(dst, t, values[i])
	}
	return dst
}

func appendNulls(dst []byte, values []types.Value) []byte {
	for i := 0; i < len(values); i += 8 {
		var b byte
		for j := i; j < min(i+8, len(values)); j++ {
			if !values[j].IsNull() {
				b |= 1 << (j - i)
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func appendValue(dst []byte, t *types.Type, v types.Value) []byte {
	if v.IsNull() {
		return dst
	}
	switch t.Kind {
	case types.KindBoolean:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case types.KindDouble:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Double()))
	case types.KindDecimal:
		return appendDecimal(dst, v.Decimal())
	case types.KindString:
		s := v.Str()
		return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	case types.KindBytes:
		b := v.Bytes()
		return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
	case types.KindArray:
		return appendList(dst, t.Elem, v.Elems())
	case types.KindMap:
		m := v.Map()
		return appendList(appendList(dst, t.Key, m.Keys), t.Elem, m.Values)
	case types.KindStruct:
		members := v.Elems()
		dst = appendNulls(dst, members)
		for i, f := range t.Fields {
			dst = appendValue(dst, f.Type, members[i])
		}
		return dst
	default:
		return binary.AppendVarint(dst, v.Int())
	}
}

func appendList(dst []byte, elem *types.Type, values []types.Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	dst = appendNulls(dst, values)
	for _, v := range values {
		dst = appendValue(dst, elem, v)
	}
	return dst
}

// A decimal is its exponent and its digits as text: rare enough not to need
// anything denser.
func appendDecimal(dst []byte, d *apd.Decimal) []byte {
	text := d.Coeff.String()
	if d.Negative {
		text = "-" + text
	}
	dst = binary.AppendVarint(dst, int64(d.Exponent))
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// Decoder reads what the Append functions wrote. After the first error its
// methods give zero values; Finish tells the error.
type Decoder struct {
	data []byte
	text string // a copy of data that texts are cut from
	pos  int
	err  error
}

// NewDecoder makes a decoder of data.
func NewDecoder(data []byte) Decoder { return Decoder{data: data} }

// Finish gives the first error, or one if bytes are left over.
func (d *Decoder) Finish() error {
	if d.err == nil && d.pos != len(d.data) {
		d.fail("%d bytes are left over", len(d.data)-d.pos)
	}
	return d.err
}

func (d *Decoder) fail(reason string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: byte %d of %d: %s", ErrCorrupt, d.pos, len(d.data), fmt.Sprintf(reason, args...))
	}
	d.pos = len(d.data)
}

// Version reads the version byte.
func (d *Decoder) Version() {
	if v := d.Byte(); d.err == nil && v != Version {
		d.fail("version %d, this build reads version %d", v, Version)
	}
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if d.pos >= len(d.data) {
		d.fail("unexpected end")
		return 0
	}
	d.pos++
	return d.data[d.pos-1]
}

// Varint reads a zigzag varint.
func (d *Decoder) Varint() int64 {
	v, n := binary.Varint(d.data[d.pos:])
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.pos += n
	return v
}

// Uvarint reads a varint.
func (d *Decoder) Uvarint() uint64 {
	v, n := binary.Uvarint(d.data[d.pos:])
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.pos += n
	return v
}

// Bytes reads bytes with their length before them. They share the memory of the
// data.
func (d *Decoder) Bytes() []byte {
	n := d.length(1)
	d.pos += n
	return d.data[d.pos-n : d.pos : d.pos]
}

// length reads a number of things that take at least unit eighths of a byte
// times eight, that is unit bytes each (0: an eighth of a byte).
func (d *Decoder) length(unit int) int {
	n := d.Uvarint()
	left := uint64(len(d.data) - d.pos)
	if unit == 0 {
		left *= 8
	}
	if n > left {
		d.fail("a length of %d is more than what follows", n)
		return 0
	}
	return int(n)
}

// Tuple reads the values of columns of the given types, into dst if it is large
// enough. The result is never nil.
func (d *Decoder) Tuple(cols []*types.Type, dst []types.Value) []types.Value {
	if dst == nil || cap(dst) < len(cols) {
		dst = make([]types.Value, len(cols))
	}
	dst = dst[:len(cols)]
	n := d.length(0)
	if n > len(cols) {
		d.fail("%d columns, expected %d", n, len(cols))
		return dst
	}
	nulls := d.nulls(n)
	for i := range dst {
		dst[i] = types.Null
		if i < n && present(nulls, i) {
			dst[i] = d.value(cols[i])
		}
	}
	return dst
}

func (d *Decoder) nulls(n int) []byte {
	size := (n + 7) / 8
	if size > len(d.data)-d.pos {
		d.fail("unexpected end")
		return nil
	}
	d.pos += size
	return d.data[d.pos-size : d.pos]
}

func present(nulls []byte, i int) bool { return nulls != nil && nulls[i/8]&(1<<(i%8)) != 0 }

func (d *Decoder) value(t *types.Type) types.Value {
	switch t.Kind {
	case types.KindBoolean:
		return types.BoolValue(d.Byte() != 0)
	case types.KindDouble:
		if len(d.data)-d.pos < 8 {
			d.fail("unexpected end")
			return types.Null
		}
		d.pos += 8
		return types.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(d.data[d.pos-8:])))
	case types.KindDecimal:
		return d.decimal()
	case types.KindString:
		b := d.Bytes()
		if d.text == "" {
			d.text = string(d.data)
		}
		return types.StringValue(d.text[d.pos-len(b) : d.pos])
	case types.KindBytes:
		return types.BytesValue(append([]byte{}, d.Bytes()...))
	case types.KindArray:
		return types.ArrayValue(d.list(t.Elem))
	case types.KindMap:
		m := &types.MapValue{Keys: d.list(t.Key), Values: d.list(t.Elem)}
		if len(m.Keys) != len(m.Values) {
			d.fail("a map of %d keys and %d values", len(m.Keys), len(m.Values))
			return types.Null
		}
		return types.MapOfValues(m)
	case types.KindStruct:
		nulls := d.nulls(len(t.Fields))
		members := make([]types.Value, len(t.Fields))
		for i, f := range t.Fields {
			if present(nulls, i) {
				members[i] = d.value(f.Type)
			}
		}
		return types.StructValue(members)
	default:
		return types.IntValue(d.Varint())
	}
}

func (d *Decoder) list(elem *types.Type) []types.Value {
	n := d.length(0)
	nulls := d.nulls(n)
	values := make([]types.Value, n)
	for i := range values {
		if present(nulls, i) {
			values[i] = d.value(elem)
		}
	}
	return values
}

func (d *Decoder) decimal() types.Value {
	exponent := d.Varint()
	text := string(d.Bytes())
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	coeff, ok := new(apd.BigInt).SetString(text, 10)
	if !ok || exponent < math.MinInt32 || exponent > math.MaxInt32 {
		d.fail("bad decimal")
		return types.Null
	}
	return types.DecimalValue(&apd.Decimal{Negative: negative, Exponent: int32(exponent), Coeff: *coeff})
}
