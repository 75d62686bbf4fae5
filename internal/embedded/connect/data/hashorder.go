package data

import (
	"sort"
	"unicode/utf16"
)

// A Java HashMap lists its entries by where their keys' hashes put them, so the
// order depends on the keys, the room it was made with and the order in which they
// were put. What the real classes keep in a HashMap comes out in that order.

// hashRoom is the number of buckets of a HashMap that was made with none in mind.
const hashRoom = 16

// SortAsHashMap puts the entries into the order of a
// HashMap that they were put into one after the other.
func (m *Map) SortAsHashMap() { m.sortByHash(hashRoom) }

// SortAsHashMapFor is SortAsHashMap for a HashMap that was told to make room for
// size buckets.
func (m *Map) SortAsHashMapFor(size int) { m.sortByHash(powerOfTwo(size)) }

// SortAsCopy is SortAsHashMap for a HashMap that began as a copy of another with
// size entries, and may have got more since.
func (m *Map) SortAsCopy(size int) {
	if size == 0 {
		m.sortByHash(hashRoom)
		return
	}
	m.sortByHash(powerOfTwo(int(float32(size)/0.75 + 1)))
}

func powerOfTwo(least int) int {
	n := 1
	for n < least {
		n *= 2
	}
	return n
}

func (m *Map) sortByHash(room int) {
	for len(m.Keys)*4 > room*3 {
		room *= 2
	}
	bucket := make([]uint32, len(m.Keys))
	for i, k := range m.Keys {
		h, ok := javaHash(k)
		if !ok {
			return
		}
		bucket[i] = (h ^ h>>16) & uint32(room-1) //nolint:gosec // at most twice the number of entries
	}
	sort.Stable(&byBucket{m, bucket})
}

// javaHash is a key's hash code; ok is false for keys whose code is not known.
func javaHash(key any) (h uint32, ok bool) {
	switch key := key.(type) {
	case string:
		for _, unit := range utf16.Encode([]rune(key)) {
			h = 31*h + uint32(unit)
		}
		return h, true
	case int8:
		return uint32(int32(key)), true //nolint:gosec // the bits
	case int16:
		return uint32(int32(key)), true //nolint:gosec // the bits
	case int32:
		return uint32(key), true //nolint:gosec // the bits
	case int64:
		return uint32(uint64(key) ^ uint64(key)>>32), true //nolint:gosec // the bits
	case bool:
		if key {
			return 1231, true
		}
		return 1237, true
	default:
		return 0, false
	}
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
