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
// java.util.HashMap, in which ksqlDB keeps the maps it reads. A key may be NULL.
func HashMap(keys, values []types.Value, capacity int) types.Value {
	m := &types.MapValue{Keys: keys, Values: values}
	if len(keys) < 2 {
		return types.MapOfValues(m)
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = k.Str() // NULL has the hash of "", 0
	}
	m.Keys, m.Values = make([]types.Value, len(keys)), make([]types.Value, len(keys))
	for to, from := range HashMapOrder(texts, capacity) {
		m.Keys[to], m.Values[to] = keys[from], values[from]
	}
	return types.MapOfValues(m)
}

// Entries collects the entries of a map: the last of equal keys wins, in the
// place of the first.
type Entries struct {
	keys, values []types.Value
	at           map[string]int
	null         int // 1 + the place of the NULL key, 0 when there is none
}

// Add adds an entry with a STRING key, which may be NULL.
func (e *Entries) Add(key, value types.Value) {
	if i := e.find(key); i >= 0 {
		e.values[i] = value
		return
	}
	if key.IsNull() {
		e.null = len(e.keys) + 1
	} else if e.at != nil {
		e.at[key.Str()] = len(e.keys)
	}
	e.keys, e.values = append(e.keys, key), append(e.values, value)
}

// few is the number of entries up to which keys are compared one by one.
const few = 8

func (e *Entries) find(key types.Value) int {
	if key.IsNull() {
		return e.null - 1
	}
	if len(e.keys) < few {
		for i, k := range e.keys {
			if !k.IsNull() && k.Str() == key.Str() {
				return i
			}
		}
		return -1
	}
	if e.at == nil {
		e.at = make(map[string]int, 2*few)
		for i, k := range e.keys {
			if !k.IsNull() {
				e.at[k.Str()] = i
			}
		}
	}
	if i, found := e.at[key.Str()]; found {
		return i
	}
	return -1
}

// Sort orders the entries by key, for sources that don't keep an order.
func (e *Entries) Sort() {
	sort.Sort(byKey{e.keys, e.values})
	e.at, e.null = nil, 0
}

type byKey struct{ keys, values []types.Value }

func (b byKey) Len() int           { return len(b.keys) }
func (b byKey) Less(i, j int) bool { return b.keys[i].Str() < b.keys[j].Str() }
func (b byKey) Swap(i, j int) {
	b.keys[i], b.keys[j] = b.keys[j], b.keys[i]
	b.values[i], b.values[j] = b.values[j], b.values[i]
}

// Map makes the MAP. sized is set where ksqlDB makes the map with the number of
// its entries as capacity.
func (e *Entries) Map(sized bool) types.Value {
	capacity := 0
	if sized {
		capacity = len(e.keys)
	}
	return HashMap(e.keys, e.values, capacity)
}
