package types

import (
	"strconv"
)

// AppendText appends a value as Java's toString of ksqlDB's value would write
// it, which is what CAST to STRING gives: {a=1, b=2} for maps,
// Struct{X=1,Y=why} for structs with NULL members left out, [3, null] for
// arrays. NULL is "null".
func AppendText(dst []byte, t *Type, v Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case KindInteger, KindBigint:
		return strconv.AppendInt(dst, v.Int(), 10)
	case KindDouble:
		return AppendDouble(dst, v.Double())
	case KindDecimal:
		return append(dst, DecimalScientificText(v.Decimal())...)
	case KindString:
		return append(dst, v.Str()...)
	case KindBytes:
		n := strconv.Itoa(len(v.Bytes()))
		return append(dst, "java.nio.HeapByteBuffer[pos=0 lim="+n+" cap="+n+"]"...)
	case KindTime:
		return append(dst, FormatTime(v.Int())...)
	case KindDate:
		return append(dst, FormatDate(v.Int())...)
	case KindTimestamp:
		return AppendTimestamp(dst, v.Int())
	case KindArray:
		dst = append(dst, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendText(dst, t.Elem, e)
		}
		return append(dst, ']')
	case KindMap:
		m := v.Map()
		dst = append(dst, '{')
		for i, at := range HashOrder(t.Key, m.Keys, len(m.Keys)) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(AppendText(dst, t.Key, m.Keys[at]), '=')
			dst = AppendText(dst, t.Elem, m.Values[at])
		}
		return append(dst, '}')
	case KindStruct:
		dst = append(dst, "Struct{"...)
		first := true
		for i, e := range v.Elems() {
			if e.IsNull() {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(append(dst, t.Fields[i].Name...), '=')
			dst = AppendText(dst, t.Fields[i].Type, e)
		}
		return append(dst, '}')
	default:
		return dst
	}
}

// Text is AppendText as a string.
func Text(t *Type, v Value) string {
	if t != nil && t.Kind == KindString && !v.IsNull() {
		return v.Str()
	}
	return string(AppendText(nil, t, v))
}
