package types

import (
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// HashOrder gives the positions of keys in the order in which a Java HashMap
// made for the given number of entries would list them: ksqlDB's maps are such
// maps, so MAP_KEYS, ENTRIES, casts and JSON show this order. A capacity below 0
// stands for Java's default.
func HashOrder(keyType *Type, keys []Value, capacity int) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	if len(keys) < 2 {
		return order
	}
	table := 16
	if capacity >= 0 {
		table = 1
		if capacity > 1 {
			table = 1 << bits.Len(uint(capacity-1))
		}
	}
	for len(keys) > table*3/4 {
		table *= 2
	}
	buckets := make([]uint32, len(keys))
	for i, k := range keys {
		h := JavaHash(keyType, k)
		buckets[i] = (h ^ h>>16) & uint32(table-1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(buckets[a]) - int(buckets[b]) })
	return order
}

// JavaHash is the hash code of the Java object that ksqlDB holds for a value.
func JavaHash(t *Type, v Value) uint32 {
	if v.IsNull() {
		return 0
	}
	switch t.Kind {
	case KindBoolean:
		if v.Bool() {
			return 1231
		}
		return 1237
	case KindInteger:
		return uint32(v.Int())
	case KindBigint:
		return fold(uint64(v.Int()))
	case KindDate:
		return fold(uint64(DateToTimestamp(v.Int())))
	case KindTime, KindTimestamp:
		return fold(uint64(v.Int()))
	case KindDouble:
		if math.IsNaN(v.Double()) {
			return fold(0x7ff8000000000000)
		}
		return fold(math.Float64bits(v.Double()))
	case KindString:
		return hashString(v.Str())
	case KindArray:
		h := uint32(1)
		for _, e := range v.Elems() {
			h = 31*h + JavaHash(t.Elem, e)
		}
		return h
	default:
		return hashString(Text(t, v))
	}
}

func fold(u uint64) uint32 { return uint32(u ^ u>>32) }

func hashString(s string) uint32 {
	var h uint32
	for _, r := range s {
		if r >= utf8.RuneSelf && r > 0xffff {
			r -= 0x10000
			h = 31*h + uint32(0xd800+r>>10)
			h = 31*h + uint32(0xdc00+r&0x3ff)
			continue
		}
		h = 31*h + uint32(r)
	}
	return h
}
