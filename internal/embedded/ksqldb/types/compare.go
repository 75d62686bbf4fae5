package types

import (
	"bytes"
	"cmp"
	"strings"
)

// Equal reports whether two values of one type are the same. NULL equals NULL.
// Maps are equal whatever the order of their entries; decimals are equal when
// their numbers are, whatever the scale.
func Equal(t *Type, a, b Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	switch t.Kind {
	case KindArray, KindStruct:
		as, bs := a.Elems(), b.Elems()
		if len(as) != len(bs) {
			return false
		}
		for i := range as {
			elem := t.Elem
			if t.Kind == KindStruct {
				elem = t.Fields[i].Type
			}
			if !Equal(elem, as[i], bs[i]) {
				return false
			}
		}
		return true
	case KindMap:
		am, bm := a.Map(), b.Map()
		if len(am.Keys) != len(bm.Keys) {
			return false
		}
		for i, k := range am.Keys {
			other, ok := bm.Get(t.Key, k)
			if !ok || !Equal(t.Elem, am.Values[i], other) {
				return false
			}
		}
		return true
	default:
		return Compare(t, a, b) == 0
	}
}

// Compare orders two non-null values of one primitive type: false before true,
// numbers and times by size, strings and bytes by their bytes. For types
// without an order it gives 0 for equal values and 1 otherwise.
func Compare(t *Type, a, b Value) int {
	switch t.Kind {
	case KindDouble:
		return cmp.Compare(a.Double(), b.Double())
	case KindDecimal:
		return a.Decimal().Cmp(b.Decimal())
	case KindString:
		return strings.Compare(a.Str(), b.Str())
	case KindBytes:
		return bytes.Compare(a.Bytes(), b.Bytes())
	case KindArray, KindMap, KindStruct:
		if Equal(t, a, b) {
			return 0
		}
		return 1
	default:
		return cmp.Compare(a.Int(), b.Int())
	}
}

// CompareText orders texts as Java does, by their UTF-16 units: characters
// beyond the basic plane come before U+E000.
func CompareText(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		if (a[i] >= 0xf0) != (b[i] >= 0xf0) && a[i] >= 0xee && b[i] >= 0xee {
			return cmp.Compare(b[i], a[i])
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// CompareBytes orders BYTES as Java's ByteBuffer does: each byte is signed.
func CompareBytes(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(int8(a[i]), int8(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}
