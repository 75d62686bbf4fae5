package function

import (
	"fmt"
	"math"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// aggregator is an aggregate function made of functions over the state.
type aggregator struct {
	result, state *types.Type
	init          types.Value
	add           func(state types.Value, args []types.Value, seq int64) (types.Value, error)
	undo          func(state types.Value, args []types.Value) (types.Value, error)
	merge         func(a, b types.Value) (types.Value, error)
	// final is nil where the state is the result.
	final func(state types.Value) (types.Value, error)
}

func (a *aggregator) ResultType() *types.Type { return a.result }
func (a *aggregator) StateType() *types.Type  { return a.state }
func (a *aggregator) Init() types.Value       { return a.init }
func (a *aggregator) CanUndo() bool           { return a.undo != nil }

func (a *aggregator) Add(state types.Value, args []types.Value, seq int64) (types.Value, error) {
	return a.add(state, args, seq)
}

func (a *aggregator) Undo(state types.Value, args []types.Value) (types.Value, error) {
	if a.undo == nil {
		return types.Null, fmt.Errorf("undoing a row: the aggregate function works on streams only")
	}
	return a.undo(state, args)
}

func (a *aggregator) Merge(x, y types.Value) (types.Value, error) { return a.merge(x, y) }

func (a *aggregator) Result(state types.Value) (types.Value, error) {
	if a.final == nil {
		return state, nil
	}
	return a.final(state)
}

func aggregateFunctions() []aggregateDef {
	var list []aggregateDef
	for _, group := range [][]aggregateDef{
		arithmeticAggregates(), offsetAggregates(), collectAggregates(), statisticAggregates(),
	} {
		list = append(list, group...)
	}
	return list
}

func arithmeticAggregates() []aggregateDef {
	extreme := func(sign int) []aggregateOverloadDef {
		var list []aggregateOverloadDef
		for _, t := range []string{"DECIMAL", "DOUBLE", "INT", "BIGINT", "VARCHAR", "TIMESTAMP", "TIME", "DATE", "BYTES"} {
			list = append(list, aggregateOverloadDef{params: t + " val1", result: t, bind: func(b Binding) (*aggregator, error) {
				return bindExtreme(b.Args[0], sign), nil
			}})
		}
		return list
	}
	return []aggregateDef{
		{"COUNT", "Counts the rows of a group; with a column, those where it is not NULL.", []aggregateOverloadDef{
			{params: "T val1", result: "BIGINT", bind: func(Binding) (*aggregator, error) { return bindCount(), nil }},
		}},
		{"SUM", "The sum of a column.", []aggregateOverloadDef{
			{params: "DECIMAL val1", result: "DECIMAL", bind: bindSum}, {params: "DOUBLE val1", result: "DOUBLE", bind: bindSum},
			{params: "INT val1", result: "INT", bind: bindSum}, {params: "BIGINT val1", result: "BIGINT", bind: bindSum},
		}},
		{"avg", "The arithmetic mean of a column.", []aggregateOverloadDef{
			{params: "DOUBLE val1", result: "DOUBLE", bind: bindAvg}, {params: "INT val1", result: "DOUBLE", bind: bindAvg}, {params: "BIGINT val1", result: "DOUBLE", bind: bindAvg},
		}},
		{"MIN", "The smallest value of a column.", extreme(-1)},
		{"MAX", "The largest value of a column.", extreme(1)},
		{"sum_list", "The sum of all elements of an array column.", []aggregateOverloadDef{
			{params: "ARRAY<DOUBLE> val1", result: "DOUBLE", bind: bindSumList}, {params: "ARRAY<INT> val1", result: "INT", bind: bindSumList},
			{params: "ARRAY<BIGINT> val1", result: "BIGINT", bind: bindSumList},
		}},
	}
}

func bindCount() *aggregator {
	step := func(by int64) func(state types.Value, args []types.Value) (types.Value, error) {
		return func(state types.Value, args []types.Value) (types.Value, error) {
			if len(args) > 0 && args[0].IsNull() {
				return state, nil
			}
			return types.IntValue(state.Int() + by), nil
		}
	}
	count := step(1)
	return &aggregator{
		result: types.Bigint, state: types.Bigint, init: types.IntValue(0),
		add:   func(state types.Value, args []types.Value, _ int64) (types.Value, error) { return count(state, args) },
		undo:  step(-1),
		merge: func(a, b types.Value) (types.Value, error) { return types.IntValue(a.Int() + b.Int()), nil },
	}
}

// number is the arithmetic of a numeric type.
type number struct {
	zero     types.Value
	add, sub func(a, b types.Value) (types.Value, error)
}

func numberOf(t *types.Type) number {
	switch t.Kind {
	case types.KindDouble:
		return number{
			zero: types.DoubleValue(0),
			add:  func(a, b types.Value) (types.Value, error) { return types.DoubleValue(a.Double() + b.Double()), nil },
			sub:  func(a, b types.Value) (types.Value, error) { return types.DoubleValue(a.Double() - b.Double()), nil },
		}
	case types.KindInteger:
		return number{
			zero: types.IntValue(0),
			add: func(a, b types.Value) (types.Value, error) {
				return types.IntValue(int64(int32(a.Int() + b.Int()))), nil
			},
			sub: func(a, b types.Value) (types.Value, error) {
				return types.IntValue(int64(int32(a.Int() - b.Int()))), nil
			},
		}
	case types.KindBigint:
		return number{
			zero: types.IntValue(0),
			add:  func(a, b types.Value) (types.Value, error) { return types.IntValue(a.Int() + b.Int()), nil },
			sub:  func(a, b types.Value) (types.Value, error) { return types.IntValue(a.Int() - b.Int()), nil },
		}
	default:
		return decimalNumber(t)
	}
}

// decimalNumber adds with one digit more than the type has and then checks that
// the result fits.
func decimalNumber(t *types.Type) number {
	p, s := t.Precision, t.Scale
	zero, err := types.Rescale(types.DecimalFromInt(0), s)
	if err != nil {
		zero = types.DecimalFromInt(0)
	}
	return number{
		zero: types.DecimalValue(zero),
		add: func(a, b types.Value) (types.Value, error) {
			d, err := types.AddDecimal(a.Decimal(), b.Decimal(), p+1, s)
			if err != nil {
				return types.Null, err
			}
			d, err = types.FitDecimal(d, p, s)
			return types.DecimalValue(d), err
		},
		sub: func(a, b types.Value) (types.Value, error) {
			d, err := types.SubDecimal(a.Decimal(), b.Decimal(), p+1, s)
			return types.DecimalValue(d), err
		},
	}
}

func bindSum(b Binding) (*aggregator, error) {
	t := b.Args[0]
	n := numberOf(t)
	return &aggregator{
		result: t, state: t, init: n.zero, merge: n.add,
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			return n.add(state, args[0])
		},
		undo: func(state types.Value, args []types.Value) (types.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			return n.sub(state, args[0])
		},
	}, nil
}

func bindSumList(b Binding) (*aggregator, error) {
	t := b.Args[0].Elem
	n := numberOf(t)
	total := func(list types.Value) (types.Value, error) {
		sum := n.zero
		var err error
		for _, e := range list.Elems() {
			if e.IsNull() {
				continue
			}
			if sum, err = n.add(sum, e); err != nil {
				return types.Null, err
			}
		}
		return sum, nil
	}
	step := func(apply func(a, b types.Value) (types.Value, error)) func(types.Value, []types.Value) (types.Value, error) {
		return func(state types.Value, args []types.Value) (types.Value, error) {
			sum, err := total(args[0])
			if err != nil {
				return types.Null, err
			}
			return apply(state, sum)
		}
	}
	add := step(n.add)
	return &aggregator{
		result: t, state: t, init: n.zero, merge: n.add, undo: step(n.sub),
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) { return add(state, args) },
	}, nil
}

func bindAvg(b Binding) (*aggregator, error) {
	t := b.Args[0]
	n := numberOf(t)
	step := func(apply func(a, b types.Value) (types.Value, error), by int64) func(types.Value, []types.Value) (types.Value, error) {
		return func(state types.Value, args []types.Value) (types.Value, error) {
			if args[0].IsNull() {
				return state, nil
			}
			s := state.Elems()
			sum, err := apply(s[0], args[0])
			return types.StructValue([]types.Value{sum, types.IntValue(s[1].Int() + by)}), err
		}
	}
	add := step(n.add, 1)
	return &aggregator{
		result: types.Double,
		state:  types.StructOf(types.Field{Name: "SUM", Type: t}, types.Field{Name: "COUNT", Type: types.Bigint}),
		init:   types.StructValue([]types.Value{n.zero, types.IntValue(0)}),
		add:    func(state types.Value, args []types.Value, _ int64) (types.Value, error) { return add(state, args) },
		undo:   step(n.sub, -1),
		merge: func(a, b types.Value) (types.Value, error) {
			x, y := a.Elems(), b.Elems()
			sum, err := n.add(x[0], y[0])
			return types.StructValue([]types.Value{sum, types.IntValue(x[1].Int() + y[1].Int())}), err
		},
		final: func(state types.Value) (types.Value, error) {
			s := state.Elems()
			if s[1].Int() == 0 {
				return types.DoubleValue(0), nil
			}
			return types.DoubleValue(toFloat(t, s[0]) / float64(s[1].Int())), nil
		},
	}, nil
}

func toFloat(t *types.Type, v types.Value) float64 {
	if t.Kind == types.KindDouble {
		return v.Double()
	}
	return float64(v.Int())
}

// compareJava orders values as Java's compareTo does.
func compareJava(t *types.Type, a, b types.Value) int {
	switch t.Kind {
	case types.KindString:
		return types.CompareText(a.Str(), b.Str())
	case types.KindBytes:
		return types.CompareBytes(a.Bytes(), b.Bytes())
	case types.KindDouble:
		return compareDoubles(a.Double(), b.Double())
	default:
		return types.Compare(t, a, b)
	}
}

// compareDoubles puts NaN above all and -0.0 below 0.0.
func compareDoubles(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	x, y := int64(math.Float64bits(a)), int64(math.Float64bits(b))
	if math.IsNaN(a) {
		x = math.MaxInt64
	}
	if math.IsNaN(b) {
		y = math.MaxInt64
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	default:
		return 0
	}
}

func bindExtreme(t *types.Type, sign int) *aggregator {
	pick := func(a, b types.Value) (types.Value, error) {
		if a.IsNull() || !b.IsNull() && compareJava(t, b, a)*sign > 0 {
			return b, nil
		}
		return a, nil
	}
	return &aggregator{
		result: t, state: t, merge: pick,
		add: func(state types.Value, args []types.Value, _ int64) (types.Value, error) { return pick(state, args[0]) },
	}
}

// limitProperty reads a limit such as ksql.functions.collect_list.limit; none
// and negative ones mean no limit.
func limitProperty(properties map[string]string, name string) (int, error) {
	text, ok := properties[name]
	if !ok || text == "" {
		return math.MaxInt, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("reading property %s: %q is not a whole number", name, text)
	}
	if n < 0 {
		return math.MaxInt, nil
	}
	return n, nil
}
