package serde

import (
	"sort"
	"unicode/utf16"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// StringHash is Java's String.hashCode.
func StringHash(s string) uint32 {
	var h uint32
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != '\uFFFD' {
			h = 31*(31*h+uint32(hi)) + uint32(lo)
			continue
		}
		h = 31*h + uint32(r)
	}
	return h
}

// HashMapOrder gives the order in which a java.util.HashMap with the given
// strings as keys is walked: by bucket, and within a bucket in the order given.
// capacity is the initial capacity the map was made with; 0 stands for the
// default of 16.
func HashMapOrder(keys []string, capacity int) []int {
	table := 16
	if capacity > 0 {
		for table = 1; table < capacity; table *= 2 {
		}
	}
	for len(keys) > table*3/4 {
		table *= 2
	}
	order := make([]int, len(keys))
	bucket := make([]uint32, len(keys))
	for i, k := range keys {
		h := StringHash(k)
		order[i] = i
		bucket[i] = (h ^ h>>16) & uint32(table-1)
	}
	sort.SliceStable(order, func(a, b int) bool { return bucket[order[a]] < bucket[order[b]] })
	return order
}

// HashMap makes a MAP with STRING keys whose entries are in the order of a
// java.util.HashMap, in which ksqlDB keeps the maps it reads.
func HashMap(keys []string, values []types.Value, capacity int) types.Value {
	m := &types.MapValue{Keys: make([]types.Value, len(keys)), Values: make([]types.Value, len(keys))}
	if len(keys) == 1 {
		m.Keys[0], m.Values[0] = types.StringValue(keys[0]), values[0]
		return types.MapOfValues(m)
	}
	for to, from := range HashMapOrder(keys, capacity) {
		m.Keys[to], m.Values[to] = types.StringValue(keys[from]), values[from]
	}
	return types.MapOfValues(m)
}
