package function

import (
	"slices"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const histogramLimit = 1000

func collectAggregates() []aggregateDef {
	var topk, topkDistinct []aggregateOverloadDef
	for _, t := range []string{"DOUBLE", "INT", "BIGINT", "VARCHAR"} {
		topk = append(topk, aggregateOverloadDef{params: t + " val1, ANY... val2, INT k", result: "ARRAY<S>", constants: 1, bind: bindTopK})
	}
	for _, t := range []string{"BIGINT", "INT", "DOUBLE", "DECIMAL", "BYTES", "DATE", "TIME", "TIMESTAMP", "VARCHAR"} {
		topkDistinct = append(topkDistinct, aggregateOverloadDef{params: t + " val1, INT k", result: "ARRAY<" + t + ">", constants: 1, bind: bindTopKDistinct})
	}
	return []aggregateDef{
		{"collect_list", "All values of a column as an array, NULLs included.", []aggregateOverloadDef{{params: "T val1", result: "ARRAY<T>", bind: bindCollectList}}},
		{"collect_set", "The distinct values of a column as an array, in the order of their first rows.", []aggregateOverloadDef{{params: "T val1", result: "ARRAY<T>", bind: bindCollectSet}}},
		{"histogram", "How often each text occurs, as a map; at most 1000 texts are counted.", []aggregateOverloadDef{{params: "VARCHAR val1", result: "MAP<VARCHAR, BIGINT>", bind: bindHistogram}}},
		{"ATTR", "The value of a column that is the same in all rows of a group, else NULL.", []aggregateOverloadDef{{params: "T val1", result: "T", bind: bindAttr}}},
		{"TOPK", "The k largest values of a column, with the values of further columns of the same rows.", topk},
		{"TOPKDISTINCT", "The k largest distinct values of a column.", topkDistinct},
	}
}

func bindCollectList(b Binding) (*aggregator, error) {
	limit, err := limitProperty(b.Properties, "ksql.functions.collect_list.limit")
	if err != nil {
		return nil, err
	}
	elem := b.Args[0]
	t := types.ArrayOf(elem)
	return &aggregator{
		result: t, state: t, init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			elems := state.Elems()
			if len(elems) >= limit {
				return state, nil
			}
			return types.ArrayValue(appended(elems, args[0])), nil
		},
		undo: func(state types.Value, args []types.Value) (types.Value, error) {
			elems := state.Elems()
			for i := len(elems) - 1; i >= 0; i-- {
				if types.Equal(elem, elems[i], args[0]) {
					return types.ArrayValue(slices.Concat(elems[:i], elems[i+1:])), nil
				}
			}
			return state, nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			x, y := a.Elems(), b.Elems()
			return types.ArrayValue(slices.Concat(x, y[:max(min(limit-len(x), len(y)), 0)])), nil
		},
	}, nil
}

func bindCollectSet(b Binding) (*aggregator, error) {
	limit, err := limitProperty(b.Properties, "ksql.functions.collect_set.limit")
	if err != nil {
		return nil, err
	}
	elem := b.Args[0]
	t := types.ArrayOf(elem)
	add := func(state types.Value, v types.Value) types.Value {
		elems := state.Elems()
		if len(elems) >= limit || contains(elem, elems, v) {
			return state
		}
		return types.ArrayValue(appended(elems, v))
	}
	return &aggregator{
		result: t, state: t, init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			return add(state, args[0]), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			for _, v := range b.Elems() {
				a = add(a, v)
			}
			return a, nil
		},
	}, nil
}

func contains(t *types.Type, elems []types.Value, v types.Value) bool {
	return slices.ContainsFunc(elems, func(e types.Value) bool { return types.Equal(t, e, v) })
}

func bindHistogram(Binding) (*aggregator, error) {
	t := types.MapOf(types.String, types.Bigint)
	change := func(state, key types.Value, by int64) types.Value {
		m := state.Map()
		at := slices.IndexFunc(m.Keys, func(k types.Value) bool { return types.Equal(types.String, k, key) })
		if at < 0 {
			if by < 0 || len(m.Keys) >= histogramLimit {
				return state
			}
			return types.MapOfValues(&types.MapValue{Keys: appended(m.Keys, key), Values: appended(m.Values, types.IntValue(by))})
		}
		if count := m.Values[at].Int() + by; count > 0 {
			values := slices.Clone(m.Values)
			values[at] = types.IntValue(count)
			return types.MapOfValues(&types.MapValue{Keys: m.Keys, Values: values})
		}
		return types.MapOfValues(&types.MapValue{
			Keys:   slices.Concat(m.Keys[:at], m.Keys[at+1:]),
			Values: slices.Concat(m.Values[:at], m.Values[at+1:]),
		})
	}
	return &aggregator{
		result: t, state: t, init: types.MapOfValues(&types.MapValue{}),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			return change(state, args[0], 1), nil
		},
		undo: func(state types.Value, args []types.Value) (types.Value, error) {
			return change(state, args[0], -1), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			m := b.Map()
			for i, k := range m.Keys {
				a = change(a, k, m.Values[i].Int())
			}
			return a, nil
		},
		final: namedKeys,
	}, nil
}

// namedKeys gives a histogram the order and the name for NULL that it has in
// ksqlDB's output.
func namedKeys(state types.Value) (types.Value, error) {
	m := state.Map()
	out := &types.MapValue{}
	for _, i := range types.HashOrder(types.String, m.Keys, -1) {
		key := m.Keys[i]
		if key.IsNull() {
			key = types.StringValue("null")
		}
		out.Keys, out.Values = append(out.Keys, key), append(out.Values, m.Values[i])
	}
	return types.MapOfValues(out), nil
}

func bindAttr(b Binding) (*aggregator, error) {
	t := b.Args[0]
	entry := func(v types.Value, n int64) types.Value {
		return types.StructValue([]types.Value{v, types.IntValue(n)})
	}
	change := func(state, v types.Value, by int64) types.Value {
		elems := state.Elems()
		for i, e := range elems {
			if !types.Equal(t, e.Elems()[0], v) {
				continue
			}
			out := slices.Clone(elems)
			out[i] = entry(v, max(0, e.Elems()[1].Int()+by))
			return types.ArrayValue(out)
		}
		if by <= 0 {
			return state
		}
		return types.ArrayValue(appended(elems, entry(v, by)))
	}
	return &aggregator{
		result: t, init: types.ArrayValue(nil),
		state: types.ArrayOf(types.StructOf(types.Field{Name: "VALUE", Type: t}, types.Field{Name: "COUNT", Type: types.Integer})),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			return change(state, args[0], 1), nil
		},
		undo: func(state types.Value, args []types.Value) (types.Value, error) {
			return change(state, args[0], -1), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			for _, e := range b.Elems() {
				a = change(a, e.Elems()[0], e.Elems()[1].Int())
			}
			return a, nil
		},
		final: func(state types.Value) (types.Value, error) {
			found, result := 0, types.Null
			for _, e := range state.Elems() {
				if e.Elems()[1].Int() > 0 {
					found, result = found+1, e.Elems()[0]
				}
			}
			if found != 1 {
				return types.Null, nil
			}
			return result, nil
		},
	}, nil
}

func bindTopK(b Binding) (*aggregator, error) {
	k := int(b.Constants[0].Int())
	sortType, elem := b.Args[0], b.Args[0]
	sortKey := func(v types.Value) types.Value { return v }
	row := func(args []types.Value) types.Value { return args[0] }
	if len(b.Args) > 1 {
		fields := make([]types.Field, len(b.Args))
		for i, t := range b.Args {
			name := "sort_col"
			if i > 0 {
				name = "col" + strconv.Itoa(i-1)
			}
			fields[i] = types.Field{Name: name, Type: t}
		}
		elem = types.StructOf(fields...)
		sortKey = func(v types.Value) types.Value { return v.Elems()[0] }
		row = func(args []types.Value) types.Value { return types.StructValue(slices.Clone(args)) }
	}
	order := func(x, y types.Value) int { return compareJava(sortType, sortKey(y), sortKey(x)) }
	t := types.ArrayOf(elem)
	return &aggregator{
		result: t, state: t, init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			return types.ArrayValue(insertTop(state.Elems(), row(args), k, order)), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			merged := slices.Concat(a.Elems(), b.Elems())
			slices.SortStableFunc(merged, order)
			return types.ArrayValue(merged[:min(max(k, 0), len(merged))]), nil
		},
	}, nil
}

// insertTop puts v behind the values that are not smaller and keeps the first k.
func insertTop(elems []types.Value, v types.Value, k int, order func(x, y types.Value) int) []types.Value {
	at := 0
	for at < len(elems) && order(elems[at], v) <= 0 {
		at++
	}
	if at >= k {
		return elems
	}
	return slices.Concat(elems[:at], []types.Value{v}, elems[at:min(len(elems), k-1)])
}

func bindTopKDistinct(b Binding) (*aggregator, error) {
	k := int(b.Constants[0].Int())
	elem := b.Args[0]
	order := func(x, y types.Value) int { return compareJava(elem, y, x) }
	add := func(state, v types.Value) types.Value {
		if v.IsNull() || contains(elem, state.Elems(), v) {
			return state
		}
		return types.ArrayValue(insertTop(state.Elems(), v, k, order))
	}
	t := types.ArrayOf(elem)
	return &aggregator{
		result: t, state: t, init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			return add(state, args[0]), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			for _, v := range b.Elems() {
				a = add(a, v)
			}
			return a, nil
		},
	}, nil
}
