package data

import (
	"sort"
	"unicode/utf16"
)

// SortAsHashMap puts the entries of a map with string keys into the order in
// which Java's HashMap lists them after they were put in the map's order. What
// the real converters read into a HashMap comes out in that order.
func (m *Map) SortAsHashMap() {
	capacity := uint32(16)
	for len(m.Keys)*4 > int(capacity)*3 {
		capacity *= 2
	}
	bucket := make([]uint32, len(m.Keys))
	for i, k := range m.Keys {
		text, ok := k.(string)
		if !ok {
			return
		}
		h := javaHash(text)
		bucket[i] = (h ^ h>>16) & (capacity - 1)
	}
	sort.Stable(&byBucket{m, bucket})
}

func javaHash(text string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(text)) {
		h = 31*h + uint32(unit)
	}
	return h
}

type byBucket struct {
	*Map
	bucket []uint32
}

func (b *byBucket) Len() int           { return len(b.Keys) }
func (b *byBucket) Less(i, j int) bool { return b.bucket[i] < b.bucket[j] }
func (b *byBucket) Swap(i, j int) {
	b.Keys[i], b.Keys[j] = b.Keys[j], b.Keys[i]
	b.Values[i], b.Values[j] = b.Values[j], b.Values[i]
	b.bucket[i], b.bucket[j] = b.bucket[j], b.bucket[i]
}
