package types

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// CastFunc converts one value; NULL stays NULL.
type CastFunc func(v Value) (Value, error)

// Cast gives the conversion of CAST from one type to another, or an error when
// there is none. The conversion of a type to itself, and of the type of NULL
// (nil) to any, is nil.
func Cast(from, to *Type) (CastFunc, error) {
	if from == nil || from.Equal(to) {
		return nil, nil
	}
	convert, err := castNonNull(from, to)
	if err != nil {
		return nil, err
	}
	return func(v Value) (Value, error) {
		if v.IsNull() {
			return Null, nil
		}
		return convert(v)
	}, nil
}

func castNonNull(from, to *Type) (CastFunc, error) {
	switch to.Kind {
	case KindString:
		if f := castToString(from); f != nil {
			return f, nil
		}
	case KindInteger, KindBigint, KindDouble:
		if f := castToNumber(from, to.Kind); f != nil {
			return f, nil
		}
	case KindDecimal:
		if f := castToDecimal(from, to); f != nil {
			return f, nil
		}
	case KindBoolean, KindBytes, KindTimestamp, KindDate, KindTime:
		if f := castToOther(from, to.Kind); f != nil {
			return f, nil
		}
	case KindArray, KindMap, KindStruct:
		if from.Kind == to.Kind {
			return castNested(from, to)
		}
	}
	return nil, fmt.Errorf("Cast of %s to %s is not supported", from, to)
}

func castToString(from *Type) CastFunc {
	switch from.Kind {
	case KindBytes:
		return nil
	case KindString:
		return func(v Value) (Value, error) { return v, nil }
	case KindDecimal:
		return func(v Value) (Value, error) { return StringValue(DecimalText(v.Decimal())), nil }
	default:
		return func(v Value) (Value, error) { return StringValue(Text(from, v)), nil }
	}
}

func castToNumber(from *Type, to Kind) CastFunc {
	switch from.Kind {
	case KindInteger, KindBigint:
		switch to {
		case KindInteger:
			return func(v Value) (Value, error) { return IntValue(int64(int32(v.Int()))), nil }
		case KindBigint:
			return func(v Value) (Value, error) { return v, nil }
		default:
			return func(v Value) (Value, error) { return DoubleValue(float64(v.Int())), nil }
		}
	case KindDouble:
		if to == KindInteger {
			return func(v Value) (Value, error) {
				return IntValue(min(max(DoubleToInt(v.Double()), math.MinInt32), math.MaxInt32)), nil
			}
		}
		return func(v Value) (Value, error) { return IntValue(DoubleToInt(v.Double())), nil }
	case KindDecimal:
		switch to {
		case KindInteger:
			return func(v Value) (Value, error) { return IntValue(int64(int32(DecimalInt(v.Decimal())))), nil }
		case KindBigint:
			return func(v Value) (Value, error) { return IntValue(DecimalInt(v.Decimal())), nil }
		default:
			return func(v Value) (Value, error) { return DoubleValue(DecimalFloat(v.Decimal())), nil }
		}
	case KindString:
		return func(v Value) (Value, error) { return parseNumber(v.Str(), to) }
	default:
		return nil
	}
}

// DoubleToInt truncates towards zero; what does not fit 64 bits becomes the
// smallest or largest number, NaN becomes 0.
func DoubleToInt(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(f)
	}
}

func parseNumber(text string, to Kind) (Value, error) {
	text = TrimBlanks(text)
	switch to {
	case KindInteger, KindBigint:
		bits := 64
		if to == KindInteger {
			bits = 32
		}
		i, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return Null, fmt.Errorf("For input string: \"%s\"", text)
		}
		return IntValue(i), nil
	default:
		f, err := ParseDouble(text)
		return DoubleValue(f), err
	}
}

// TrimBlanks cuts blanks and control characters at both ends, as Java's
// String.trim.
func TrimBlanks(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
}

// ParseDouble reads a number as Java's Double.parseDouble; NaN, infinities and
// numbers too large are refused.
func ParseDouble(text string) (float64, error) {
	number := text
	if n := len(text); n > 1 && strings.ContainsRune("dDfF", rune(text[n-1])) && !strings.HasPrefix(strings.ToLower(text), "0x") {
		number = text[:n-1]
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.ContainsAny(number, "_") || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("Invalid double value: %s", text)
	}
	return f, nil
}

func castToDecimal(from, to *Type) CastFunc {
	p, s := to.Precision, to.Scale
	switch from.Kind {
	case KindInteger, KindBigint:
		return func(v Value) (Value, error) {
			d, err := CastDecimal(DecimalFromInt(v.Int()), p, s)
			return DecimalValue(d), err
		}
	case KindDouble:
		return func(v Value) (Value, error) {
			d, err := DecimalFromDouble(v.Double(), p)
			if err != nil {
				return Null, err
			}
			d, err = CastDecimal(d, p, s)
			return DecimalValue(d), err
		}
	case KindDecimal:
		return func(v Value) (Value, error) {
			d, err := CastDecimal(v.Decimal(), p, s)
			return DecimalValue(d), err
		}
	case KindString:
		return func(v Value) (Value, error) {
			d, err := ParseDecimal(TrimBlanks(v.Str()))
			if err != nil {
				return Null, err
			}
			d, err = CastDecimal(d, p, s)
			return DecimalValue(d), err
		}
	default:
		return nil
	}
}

func castToOther(from *Type, to Kind) CastFunc {
	switch {
	case from.Kind == KindString:
		return func(v Value) (Value, error) { return parseOther(TrimBlanks(v.Str()), to) }
	case from.Kind == KindTimestamp && to == KindDate:
		return func(v Value) (Value, error) { return IntValue(TimestampToDate(v.Int())), nil }
	case from.Kind == KindTimestamp && to == KindTime:
		return func(v Value) (Value, error) { return IntValue(TimestampToTime(v.Int())), nil }
	case from.Kind == KindDate && to == KindTimestamp:
		return func(v Value) (Value, error) { return IntValue(DateToTimestamp(v.Int())), nil }
	default:
		return nil
	}
}

func parseOther(text string, to Kind) (Value, error) {
	switch to {
	case KindBoolean:
		return BoolValue(ParseBoolean(text)), nil
	case KindBytes:
		b, err := DecodeBase64(text)
		return BytesValue(b), err
	case KindTimestamp:
		i, err := ParseTimestamp(text)
		return IntValue(i), err
	case KindDate:
		i, err := ParseDate(text)
		return IntValue(i), err
	default:
		i, err := ParseTime(text)
		return IntValue(i), err
	}
}

// ParseBoolean reads a BOOLEAN: any non-empty prefix of true or yes, in any
// case, is true, everything else is false.
func ParseBoolean(text string) bool {
	return isPrefixOf(text, "true") || isPrefixOf(text, "yes")
}

// ParseBooleanExact is ParseBoolean for texts that must be a boolean: prefixes
// of false and no are false, others are refused.
func ParseBooleanExact(text string) (value, ok bool) {
	if ParseBoolean(text) {
		return true, true
	}
	return false, isPrefixOf(text, "false") || isPrefixOf(text, "no")
}

func isPrefixOf(text, word string) bool {
	return text != "" && len(text) <= len(word) && strings.EqualFold(text, word[:len(text)])
}

// DecodeBase64 decodes standard base 64, with or without padding; bits left
// over at the end are ignored, as Java does.
func DecodeBase64(text string) ([]byte, error) {
	raw := strings.TrimRight(text, "=")
	if padding := len(text) - len(raw); padding > 0 && len(text)%4 != 0 || padding > 2 {
		return nil, fmt.Errorf("'%s' is not valid base 64: wrong padding", text)
	}
	b, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil {
		return nil, fmt.Errorf("'%s' is not valid base 64: %w", text, err)
	}
	return b, nil
}

func castNested(from, to *Type) (CastFunc, error) {
	unsupported := func(error) error {
		return fmt.Errorf("Cast of %s to %s is not supported", from, to)
	}
	switch from.Kind {
	case KindArray:
		elem, err := castElement(from.Elem, to.Elem)
		if err != nil {
			return nil, unsupported(err)
		}
		return func(v Value) (Value, error) {
			out, err := castAll(v.Elems(), elem)
			return ArrayValue(out), err
		}, nil
	case KindMap:
		key, err := castElement(from.Key, to.Key)
		if err != nil {
			return nil, unsupported(err)
		}
		elem, err := castElement(from.Elem, to.Elem)
		if err != nil {
			return nil, unsupported(err)
		}
		return func(v Value) (Value, error) { return castMap(v.Map(), to, key, elem) }, nil
	default:
		return castStruct(from, to, unsupported)
	}
}

func castElement(from, to *Type) (CastFunc, error) {
	f, err := Cast(from, to)
	if f == nil && err == nil {
		f = func(v Value) (Value, error) { return v, nil }
	}
	return f, err
}

func castAll(in []Value, f CastFunc) ([]Value, error) {
	out := make([]Value, len(in))
	for i, e := range in {
		v, err := f(e)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func castMap(m *MapValue, to *Type, key, elem CastFunc) (Value, error) {
	keys, err := castAll(m.Keys, key)
	if err != nil {
		return Null, err
	}
	values, err := castAll(m.Values, elem)
	if err != nil {
		return Null, err
	}
	b := NewMapBuilder(to.Key, len(keys))
	for i := range keys {
		b.Put(keys[i], values[i])
	}
	return b.Value(), nil
}

func castStruct(from, to *Type, unsupported func(error) error) (CastFunc, error) {
	type member struct {
		from int
		cast CastFunc
	}
	members := make([]member, len(to.Fields))
	for i, f := range to.Fields {
		at := from.FieldIndex(f.Name)
		members[i].from = at
		if at < 0 {
			continue
		}
		c, err := castElement(from.Fields[at].Type, f.Type)
		if err != nil {
			return nil, unsupported(err)
		}
		members[i].cast = c
	}
	return func(v Value) (Value, error) {
		in := v.Elems()
		out := make([]Value, len(members))
		for i, m := range members {
			if m.from < 0 {
				continue
			}
			c, err := m.cast(in[m.from])
			if err != nil {
				return Null, err
			}
			out[i] = c
		}
		return StructValue(out), nil
	}, nil
}

// MapBuilder collects the entries of a MAP; a key that comes again replaces the
// value of the first.
type MapBuilder struct {
	key *Type
	m   *MapValue
}

// NewMapBuilder starts a map with keys of a type.
func NewMapBuilder(key *Type, size int) *MapBuilder {
	return &MapBuilder{key: key, m: &MapValue{Keys: make([]Value, 0, size), Values: make([]Value, 0, size)}}
}

// Put adds an entry.
func (b *MapBuilder) Put(key, value Value) {
	for i, k := range b.m.Keys {
		if Equal(b.key, k, key) {
			b.m.Values[i] = value
			return
		}
	}
	b.m.Keys = append(b.m.Keys, key)
	b.m.Values = append(b.m.Values, value)
}

// Value is the map. Nothing may be added afterwards.
func (b *MapBuilder) Value() Value { return MapOfValues(b.m) }
