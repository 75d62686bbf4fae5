package function

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// entries yields a map's entries in the order in which ksqlDB's map lists them.
func entries(key *types.Type, v types.Value) func(yield func(k, v types.Value) bool) {
	m := v.Map()
	return func(yield func(k, v types.Value) bool) {
		for _, i := range types.HashOrder(key, m.Keys, len(m.Keys)) {
			if !yield(m.Keys[i], m.Values[i]) {
				return
			}
		}
	}
}

func mapFunctions() []scalarDef {
	toEntries := scalarDef{name: "ENTRIES", category: CategoryMap, description: "The entries of a map as an array of structs, sorted by key on request."}
	for _, t := range []string{"VARCHAR", "BIGINT", "INT", "DOUBLE", "BOOLEAN"} {
		toEntries.overloads = append(toEntries.overloads, overloadDef{
			params: "MAP<VARCHAR, " + t + "> map, BOOLEAN sorted", result: "ARRAY<STRUCT<K VARCHAR, V " + t + ">>",
			impl: f2(func(m, sorted types.Value) (types.Value, error) {
				var out []types.Value
				for k, v := range entries(types.String, m) {
					out = append(out, types.StructValue([]types.Value{k, v}))
				}
				if sorted.Bool() {
					slices.SortStableFunc(out, func(a, b types.Value) int {
						return types.CompareText(a.Elems()[0].Str(), b.Elems()[0].Str())
					})
				}
				return types.ArrayValue(out), nil
			}),
		})
	}
	return []scalarDef{
		toEntries,
		{"map_keys", CategoryMap, "The keys of a map.", []overloadDef{{params: "MAP<VARCHAR, T> input", result: "ARRAY<VARCHAR>", impl: f1(func(m types.Value) (types.Value, error) {
			var out []types.Value
			for k := range entries(types.String, m) {
				out = append(out, k)
			}
			return types.ArrayValue(out), nil
		})}}},
		{"map_values", CategoryMap, "The values of a map.", []overloadDef{{params: "MAP<VARCHAR, T> input", result: "ARRAY<T>", impl: f1(func(m types.Value) (types.Value, error) {
			var out []types.Value
			for _, v := range entries(types.String, m) {
				out = append(out, v)
			}
			return types.ArrayValue(out), nil
		})}}},
		{"map_union", CategoryMap, "The entries of two maps; the second one's where both have a key.", []overloadDef{
			{params: "MAP<VARCHAR, T> map1, MAP<VARCHAR, T> map2", result: "MAP<VARCHAR, T>", nulls: true, impl: f2(func(a, b types.Value) (types.Value, error) {
				if a.IsNull() && b.IsNull() {
					return types.Null, nil
				}
				out := types.NewMapBuilder(types.String, 0)
				for _, m := range []*types.MapValue{a.Map(), b.Map()} {
					if m == nil {
						continue
					}
					for i, k := range m.Keys {
						out.Put(k, m.Values[i])
					}
				}
				return out.Value(), nil
			})},
		}},
		{"AS_MAP", CategoryMap, "A map of keys and values given as two arrays.", []overloadDef{
			{params: "ARRAY<VARCHAR> keys, ARRAY<T> values", result: "MAP<VARCHAR, T>", impl: f2(func(keys, values types.Value) (types.Value, error) {
				out := types.NewMapBuilder(types.String, len(keys.Elems()))
				for i, k := range keys.Elems() {
					v := types.Null
					if i < len(values.Elems()) {
						v = values.Elems()[i]
					}
					out.Put(k, v)
				}
				return out.Value(), nil
			})},
		}},
	}
}
