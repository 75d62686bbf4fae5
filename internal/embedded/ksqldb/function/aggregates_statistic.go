package function

import (
	"math"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func statisticAggregates() []aggregateDef {
	deviation := func(root bool) []aggregateOverloadDef {
		var list []aggregateOverloadDef
		for _, t := range []string{"DOUBLE", "INT", "BIGINT"} {
			list = append(list, aggregateOverloadDef{params: t + " val1", result: "DOUBLE", bind: func(b Binding) (*aggregator, error) {
				return bindDeviation(b.Args[0], root), nil
			}})
		}
		return list
	}
	return []aggregateDef{
		{"STDDEV_SAMP", "The sample variance of a column (ksqlDB's name for it promises the standard deviation).", deviation(false)},
		{"STDDEV_SAMPLE", "The sample standard deviation of a column.", deviation(true)},
		{"correlation", "The Pearson correlation coefficient of two columns.", []aggregateOverloadDef{
			{params: "DOUBLE val1, DOUBLE val2", result: "DOUBLE", bind: bindCorrelation},
			{params: "INT val1, INT val2", result: "DOUBLE", bind: bindCorrelation},
			{params: "BIGINT val1, BIGINT val2", result: "DOUBLE", bind: bindCorrelation},
		}},
		{"COUNT_DISTINCT", "How many distinct values a column has: exact for few, with an error of about 1 % for many.", []aggregateOverloadDef{
			{params: "T val1", result: "BIGINT", bind: bindCountDistinct},
		}},
	}
}

// bindDeviation is the one-pass variance of Youngs and Cramer. Whole numbers
// are summed as such, with the wrap-around that comes with it, as in ksqlDB.
func bindDeviation(t *types.Type, root bool) *aggregator {
	n := numberOf(t)
	// delta is value * count - sum, in the arithmetic of the column's type.
	delta := func(value types.Value, count int64, sum types.Value) float64 {
		if t.Kind == types.KindDouble {
			return value.Double()*float64(count) - sum.Double()
		}
		return float64(value.Int()*count - sum.Int())
	}
	mean := func(sum types.Value, count int64) float64 {
		if t.Kind != types.KindDouble && !root {
			return float64(sum.Int() / count)
		}
		return toFloat(t, sum) / float64(count)
	}
	state := func(sum types.Value, count int64, m2 float64) types.Value {
		return types.StructValue([]types.Value{sum, types.IntValue(count), types.DoubleValue(m2)})
	}
	return &aggregator{
		result: types.Double, init: state(n.zero, 0, 0),
		state: types.StructOf(types.Field{Name: "SUM", Type: t}, types.Field{Name: "COUNT", Type: types.Bigint},
			types.Field{Name: "M2", Type: types.Double}),
		add: func(old types.Value, args []types.Value, _ int64) (types.Value, error) {
			if args[0].IsNull() {
				return old, nil
			}
			s := old.Elems()
			count := s[1].Int() + 1
			sum, err := n.add(args[0], s[0])
			if err != nil {
				return types.Null, err
			}
			m2 := s[2].Double()
			if count > 1 {
				d := delta(args[0], count, sum)
				m2 += d * d / float64(count*(count-1))
			}
			return state(sum, count, m2), nil
		},
		undo: func(old types.Value, args []types.Value) (types.Value, error) {
			if args[0].IsNull() {
				return old, nil
			}
			s := old.Elems()
			count := s[1].Int() - 1
			sum, err := n.sub(s[0], args[0])
			if err != nil {
				return types.Null, err
			}
			m2 := s[2].Double()
			if count > 0 {
				// ksqlDB computes the difference as if the row came once more.
				again, err := n.add(s[0], args[0])
				if err != nil {
					return types.Null, err
				}
				d := delta(args[0], s[1].Int()+1, again)
				m2 -= d * d / float64(count*(count+1))
			}
			return state(sum, count, m2), nil
		},
		merge: func(a, b types.Value) (types.Value, error) {
			x, y := a.Elems(), b.Elems()
			sum, err := n.add(x[0], y[0])
			if err != nil {
				return types.Null, err
			}
			cx, cy := x[1].Int(), y[1].Int()
			m2 := x[2].Double() + y[2].Double()
			if cx > 0 && cy > 0 {
				d := mean(x[0], cx) - mean(y[0], cy)
				m2 += float64(cx*cy) * d * d / float64(cx+cy)
			}
			return state(sum, cx+cy, m2), nil
		},
		final: func(v types.Value) (types.Value, error) {
			s := v.Elems()
			if s[1].Int() < 2 {
				return types.DoubleValue(0), nil
			}
			variance := s[2].Double() / float64(s[1].Int()-1)
			if root {
				return types.DoubleValue(math.Sqrt(variance)), nil
			}
			return types.DoubleValue(variance), nil
		},
	}
}

// bindCorrelation keeps the sums of x, y, x², y², xy and the count.
func bindCorrelation(b Binding) (*aggregator, error) {
	tx, ty := b.Args[0], b.Args[1]
	state := func(sums [5]float64, count int64) types.Value {
		members := make([]types.Value, 0, 6)
		for _, s := range sums {
			members = append(members, types.DoubleValue(s))
		}
		return types.StructValue(append(members, types.IntValue(count)))
	}
	read := func(v types.Value) (sums [5]float64, count int64) {
		s := v.Elems()
		for i := range sums {
			sums[i] = s[i].Double()
		}
		return sums, s[5].Int()
	}
	step := func(sign float64) func(types.Value, []types.Value) (types.Value, error) {
		return func(old types.Value, args []types.Value) (types.Value, error) {
			if args[0].IsNull() || args[1].IsNull() {
				return old, nil
			}
			x, y := toFloat(tx, args[0]), toFloat(ty, args[1])
			sums, count := read(old)
			for i, term := range [5]float64{x, y, x * x, y * y, x * y} {
				sums[i] += sign * term
			}
			return state(sums, count+int64(sign)), nil
		}
	}
	add := step(1)
	t := types.StructOf(
		types.Field{Name: "X_SUM", Type: types.Double}, types.Field{Name: "Y_SUM", Type: types.Double},
		types.Field{Name: "X_SQUARED_SUM", Type: types.Double}, types.Field{Name: "Y_SQUARED_SUM", Type: types.Double},
		types.Field{Name: "XY_SUM", Type: types.Double}, types.Field{Name: "COUNT", Type: types.Bigint})
	return &aggregator{
		result: types.Double, state: t, init: state([5]float64{}, 0), undo: step(-1),
		add: func(old types.Value, args []types.Value, _ int64) (types.Value, error) { return add(old, args) },
		merge: func(a, b types.Value) (types.Value, error) {
			x, cx := read(a)
			y, cy := read(b)
			for i := range x {
				x[i] += y[i]
			}
			return state(x, cx+cy), nil
		},
		final: func(v types.Value) (types.Value, error) {
			s, count := read(v)
			n := float64(count)
			numerator := n*s[4] - s[0]*s[1]
			denominator := math.Sqrt((n*s[2] - s[0]*s[0]) * (n*s[3] - s[1]*s[1]))
			return types.DoubleValue(numerator / denominator), nil
		},
	}, nil
}
