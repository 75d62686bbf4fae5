package testfunc

import (
	"errors"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

type aggregate struct {
	params    string
	constants int
	bind      func(b function.Binding) (function.Aggregator, error)
}

// fold is an aggregate function of which the state is the result, but for what
// final adds.
type fold struct {
	t     *types.Type
	init  types.Value
	add   func(state types.Value, args []types.Value) types.Value
	undo  func(state types.Value, args []types.Value) types.Value
	merge func(a, b types.Value) types.Value
	final func(state types.Value) types.Value
}

func (f *fold) ResultType() *types.Type { return f.t }
func (f *fold) StateType() *types.Type  { return f.t }
func (f *fold) Init() types.Value       { return f.init }
func (f *fold) CanUndo() bool           { return f.undo != nil }

func (f *fold) Add(state types.Value, args []types.Value, _ int64) (types.Value, error) {
	return f.add(state, args), nil
}

func (f *fold) Undo(state types.Value, args []types.Value) (types.Value, error) {
	if f.undo == nil {
		return types.Null, errors.New("the function works on streams only")
	}
	return f.undo(state, args), nil
}

func (f *fold) Merge(a, b types.Value) (types.Value, error) { return f.merge(a, b), nil }

func (f *fold) Result(state types.Value) (types.Value, error) {
	if f.final == nil {
		return state, nil
	}
	return f.final(state), nil
}

func plus(a, b types.Value) types.Value { return types.IntValue(a.Int() + b.Int()) }

// weigh is a whole number as it is and a text as its length; NULL is 0.
func weigh(t *types.Type, v types.Value) int64 {
	switch {
	case v.IsNull():
		return 0
	case t.Kind == types.KindString:
		return length(v)
	default:
		return v.Int()
	}
}

// sumOfWeights starts with the weights of the constants, or adds them to the
// result only.
func sumOfWeights(atEnd bool) func(b function.Binding) (function.Aggregator, error) {
	return func(b function.Binding) (function.Aggregator, error) {
		start := int64(0)
		for i, c := range b.Constants {
			t := types.Integer
			if i > 0 && !atEnd {
				t = types.String
			}
			start += weigh(t, c)
		}
		f := &fold{t: types.Bigint, init: types.IntValue(start), merge: plus, add: func(state types.Value, args []types.Value) types.Value {
			sum := state.Int()
			for i, v := range args {
				sum += weigh(b.Args[i], v)
			}
			return types.IntValue(sum)
		}}
		if atEnd {
			f.init = types.IntValue(0)
			f.final = func(state types.Value) types.Value { return types.IntValue(state.Int() + start) }
		}
		return f, nil
	}
}

// complete lists the first argument of the rows that have no NULL.
func complete(b function.Binding) (function.Aggregator, error) {
	return &fold{
		t: types.ArrayOf(b.Args[0]), init: types.ArrayValue(nil),
		add: func(state types.Value, args []types.Value) types.Value {
			if slices.ContainsFunc(args, types.Value.IsNull) {
				return state
			}
			return types.ArrayValue(append(slices.Clip(state.Elems()), args[0]))
		},
		merge: func(a, b types.Value) types.Value { return types.ArrayValue(slices.Concat(a.Elems(), b.Elems())) },
	}, nil
}

func aggregates() map[string][]aggregate {
	return map[string][]aggregate{
		"MULTI_ARG":       {{"BIGINT val1, VARCHAR val2, INT initArg1, VARCHAR... initArg2", 2, sumOfWeights(false)}},
		"FOUR_ARG":        {{"BIGINT val1, VARCHAR val2, VARCHAR val3, VARCHAR val4, INT initArg1, VARCHAR... initArg2", 2, sumOfWeights(false)}},
		"FIVE_ARG":        {{"BIGINT val1, VARCHAR val2, VARCHAR val3, VARCHAR val4, INT val5, INT initArg1, VARCHAR... initArg2", 2, sumOfWeights(false)}},
		"VAR_ARG":         {{"BIGINT val1, VARCHAR... val2", 0, sumOfWeights(false)}},
		"MID_VAR_ARG":     {{"BIGINT val1, VARCHAR... val2, INT first, INT second", 2, sumOfWeights(true)}},
		"GENERIC_VAR_ARG": {{"A val1, B val2, C... val3", 0, complete}},
		"OBJ_COL_ARG":     {{"INT val1, ANY... val2", 0, complete}},
		"test_udaf": {
			{"BIGINT val1", 0, bindSum}, {"INT val1", 0, bindSum},
			{"DOUBLE val1", 0, func(function.Binding) (function.Aggregator, error) {
				add := func(a, b types.Value) types.Value { return types.DoubleValue(a.Double() + b.Double()) }
				return &fold{
					t: types.Double, init: types.DoubleValue(0), merge: add,
					add: func(state types.Value, args []types.Value) types.Value { return add(state, args[0]) },
				}, nil
			}},
			{"VARCHAR val1, VARCHAR initialString", 1, func(b function.Binding) (function.Aggregator, error) {
				return &fold{
					t: types.Bigint, init: types.IntValue(length(b.Constants[0])), merge: plus,
					add: func(state types.Value, args []types.Value) types.Value {
						return types.IntValue(state.Int() + length(args[0]))
					},
				}, nil
			}},
			{"STRUCT<A INT, B INT> val1", 0, bindStructSum},
		},
	}
}

func bindSum(function.Binding) (function.Aggregator, error) {
	return &fold{
		t: types.Bigint, init: types.IntValue(0), merge: plus,
		add: func(state types.Value, args []types.Value) types.Value { return plus(state, args[0]) },
		undo: func(state types.Value, args []types.Value) types.Value {
			return types.IntValue(state.Int() - args[0].Int())
		},
	}, nil
}

func bindStructSum(function.Binding) (function.Aggregator, error) {
	add := func(a, b types.Value) types.Value {
		x, y := a.Elems(), b.Elems()
		if len(y) == 0 {
			return a
		}
		return types.StructValue([]types.Value{plus(x[0], y[0]), plus(x[1], y[1])})
	}
	return &fold{
		t:    types.StructOf(types.Field{Name: "A", Type: types.Integer}, types.Field{Name: "B", Type: types.Integer}),
		init: types.StructValue([]types.Value{types.IntValue(0), types.IntValue(0)}), merge: add,
		add: func(state types.Value, args []types.Value) types.Value { return add(state, args[0]) },
	}, nil
}
