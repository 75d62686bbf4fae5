package function

import (
	"cmp"
	"errors"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// offsetAggregates are LATEST_BY_OFFSET and EARLIEST_BY_OFFSET. Their states
// keep with each value the number of the row in the order of processing, by
// which sessions are merged.
func offsetAggregates() []aggregateDef {
	overloads := func(latest bool) []aggregateOverloadDef {
		name := "earliestN"
		if latest {
			name = "latestN"
		}
		list := func(b Binding) (*aggregator, error) {
			ignore := len(b.Constants) < 2 || b.Constants[1].Bool()
			n := b.Constants[0].Int()
			if n <= 0 {
				return nil, errors.New(name + " must be 1 or greater")
			}
			return bindByOffsetList(b.Args[0], latest, int(n), ignore), nil
		}
		one := func(b Binding) (*aggregator, error) {
			return bindByOffset(b.Args[0], latest, len(b.Constants) == 0 || b.Constants[0].Bool()), nil
		}
		return []aggregateOverloadDef{
			{params: "T val1", result: "T", bind: one},
			{params: "T val1, INT " + name, result: "ARRAY<T>", constants: 1, bind: list},
			{params: "T val1, INT " + name + ", BOOLEAN ignoreNulls", result: "ARRAY<T>", constants: 2, bind: list},
			{params: "T val1, BOOLEAN ignoreNulls", result: "T", constants: 1, bind: one},
		}
	}
	return []aggregateDef{
		{"LATEST_BY_OFFSET", "The value, or the n values, of the rows processed last.", overloads(true)},
		{"EARLIEST_BY_OFFSET", "The value, or the n values, of the rows processed first.", overloads(false)},
	}
}

func sequenced(t *types.Type) *types.Type {
	return types.StructOf(types.Field{Name: "SEQ", Type: types.Bigint}, types.Field{Name: "VAL", Type: t})
}

func withSequence(seq int64, v types.Value) types.Value {
	return types.StructValue([]types.Value{types.IntValue(seq), v})
}

func bindByOffset(t *types.Type, latest, ignoreNulls bool) *aggregator {
	a := &aggregator{
		result: t, state: sequenced(t),
		add: func(state types.Value, args []types.Value, seq int64) (types.Value, error) {
			if args[0].IsNull() && ignoreNulls || !latest && !state.IsNull() {
				return state, nil
			}
			return withSequence(seq, args[0]), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			switch {
			case a.IsNull():
				return b, nil
			case b.IsNull():
				return a, nil
			case latest == (b.Elems()[0].Int() > a.Elems()[0].Int()):
				return b, nil
			default:
				return a, nil
			}
		},
	}
	a.final = func(state types.Value) (types.Value, error) {
		if state.IsNull() {
			return types.Null, nil
		}
		return state.Elems()[1], nil
	}
	return a
}

func bindByOffsetList(t *types.Type, latest bool, n int, ignoreNulls bool) *aggregator {
	return &aggregator{
		result: types.ArrayOf(t), state: types.ArrayOf(sequenced(t)), init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value, seq int64) (types.Value, error) {
			elems := state.Elems()
			if args[0].IsNull() && ignoreNulls || !latest && len(elems) >= n {
				return state, nil
			}
			keep := elems[max(len(elems)-n+1, 0):]
			return types.ArrayValue(appended(keep, withSequence(seq, args[0]))), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			merged := slices.Concat(a.Elems(), b.Elems())
			slices.SortStableFunc(merged, func(x, y types.Value) int {
				return cmp.Compare(x.Elems()[0].Int(), y.Elems()[0].Int())
			})
			return types.ArrayValue(merged[:min(n, len(merged))]), nil
		},
		final: func(state types.Value) (types.Value, error) {
			elems := state.Elems()
			out := make([]types.Value, len(elems))
			for i, e := range elems {
				out[i] = e.Elems()[1]
			}
			return types.ArrayValue(out), nil
		},
	}
}

// appended is a new slice with one element more.
func appended(elems []types.Value, v types.Value) []types.Value {
	out := make([]types.Value, len(elems)+1)
	copy(out, elems)
	out[len(elems)] = v
	return out
}
