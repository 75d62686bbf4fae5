package json

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// AppendValue appends a value of the given type as ksqlDB writes it in JSON:
// objects with all members in the order of the type, nulls explicit, decimals
// as numbers, bytes in base64, times as numbers.
func AppendValue(dst []byte, t *types.Type, v types.Value) []byte {
	return appendValue(dst, t, v, false)
}

// AppendValueWithEntries is AppendValue but for maps, which are arrays of
// objects with the members key and value, as JSON_SR writes them.
func AppendValueWithEntries(dst []byte, t *types.Type, v types.Value) []byte {
	return appendValue(dst, t, v, true)
}

func appendValue(dst []byte, t *types.Type, v types.Value, entries bool) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	switch t.Kind {
	case types.KindBoolean:
		return strconv.AppendBool(dst, v.Bool())
	case types.KindDouble:
		return appendDouble(dst, v.Double())
	case types.KindDecimal:
		return types.AppendDecimal(dst, v.Decimal())
	case types.KindString:
		return AppendString(dst, v.Str())
	case types.KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		return append(dst, '"')
	case types.KindArray:
		dst = append(dst, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, t.Elem, e, entries)
		}
		return append(dst, ']')
	case types.KindMap:
		if entries {
			return appendEntries(dst, t, v.Map())
		}
		return appendMap(dst, t, v.Map())
	case types.KindStruct:
		dst = append(dst, '{')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, t.Fields[i].Name), ':')
			dst = appendValue(dst, t.Fields[i].Type, e, entries)
		}
		return append(dst, '}')
	default:
		return strconv.AppendInt(dst, v.Int(), 10)
	}
}

func appendMap(dst []byte, t *types.Type, m *types.MapValue) []byte {
	dst = append(dst, '{')
	for i, k := range m.Keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		name := k.Str()
		if k.IsNull() {
			name = "null"
		}
		dst = append(AppendString(dst, name), ':')
		dst = appendValue(dst, t.Elem, m.Values[i], false)
	}
	return append(dst, '}')
}

func appendEntries(dst []byte, t *types.Type, m *types.MapValue) []byte {
	dst = append(dst, '[')
	for i, k := range m.Keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"key":`...)
		dst = appendValue(dst, t.Key, k, true)
		dst = append(dst, `,"value":`...)
		dst = append(appendValue(dst, t.Elem, m.Values[i], true), '}')
	}
	return append(dst, ']')
}

func appendDouble(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, '"')
		return append(types.AppendDouble(dst, f), '"')
	}
	return types.AppendDouble(dst, f)
}

const hexDigits = "0123456789ABCDEF"

// AppendString appends a string as Jackson's UTF-8 generator does: control
// characters escaped, characters beyond the basic plane as two escapes.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s, true) }

func appendString(dst []byte, s string, escapeSurrogates bool) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r <= 0xFFFF && (r != utf8.RuneError || size > 1) || r > 0xFFFF && !escapeSurrogates {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscaped(dst, r)
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case utf8.RuneError:
		return utf8.AppendRune(dst, r)
	}
	if r > 0xFFFF {
		hi, lo := utf16.EncodeRune(r)
		return appendHex(appendHex(dst, hi), lo)
	}
	return appendHex(dst, r)
}

func appendHex(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
