// Package testfunc has the functions that ksqlDB's own test cases use and that
// its servers do not have: Registry gives a copy of a registry with them.
//
// Invariants: they exist for tests only; nothing outside tests imports the
// package.
package testfunc

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unicode/utf16"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Registry gives a copy of a registry that also has the test functions.
func Registry(base *function.Registry) (*function.Registry, error) {
	r := base.Clone()
	for name, overloads := range scalars() {
		s := &function.Scalar{Info: function.Info{Name: name, Category: function.CategoryOther, Description: "A function for tests."}}
		for _, o := range overloads {
			built, err := o.build()
			if err != nil {
				return nil, fmt.Errorf("declaring %s: %w", name, err)
			}
			s.Overloads = append(s.Overloads, built)
		}
		if err := r.AddScalar(s); err != nil {
			return nil, err
		}
	}
	for name, overloads := range tables() {
		t := &function.Table{Info: function.Info{Name: name, Category: function.CategoryTable, Description: "A function for tests."}}
		for _, o := range overloads {
			built, err := o.build()
			if err != nil {
				return nil, fmt.Errorf("declaring %s: %w", name, err)
			}
			t.Overloads = append(t.Overloads, built)
		}
		if err := r.AddTable(t); err != nil {
			return nil, err
		}
	}
	for name, overloads := range aggregates() {
		a := &function.Aggregate{Info: function.Info{Name: name, Category: function.CategoryAggregate, Description: "A function for tests."}}
		for _, o := range overloads {
			params, err := function.ParseParams(o.params)
			if err != nil {
				return nil, fmt.Errorf("declaring %s: %w", name, err)
			}
			a.Overloads = append(a.Overloads, &function.AggregateOverload{Params: params, Constants: o.constants, Bind: o.bind})
		}
		if err := r.AddAggregate(a); err != nil {
			return nil, err
		}
	}
	return r, nil
}

type scalar struct {
	params string
	result *types.Type
	make   func() function.Impl
}

func (s scalar) build() (*function.Overload, error) {
	params, err := function.ParseParams(s.params)
	return &function.Overload{
		Params: params, HandlesNull: true, Volatile: true,
		Result: func([]function.Arg) (*types.Type, error) { return s.result, nil },
		Make:   func([]function.Arg, *types.Type) (function.Impl, error) { return s.make(), nil },
	}, err
}

func code(f func(args []types.Value) (types.Value, error)) func() function.Impl {
	return func() function.Impl { return function.Impl{FN: f} }
}

func textOf(t *types.Type) func() function.Impl {
	return code(func(args []types.Value) (types.Value, error) {
		return types.StringValue(types.Text(t, args[0])), nil
	})
}

var structA = types.StructOf(types.Field{Name: "A", Type: types.String})

func scalars() map[string][]scalar {
	name := func(s string) func() function.Impl {
		return code(func([]types.Value) (types.Value, error) { return types.StringValue(s), nil })
	}
	lazily := code(func(args []types.Value) (types.Value, error) {
		if !args[1].Bool() {
			return types.Null, errors.New("evaluated although it was not needed")
		}
		return args[0], nil
	})
	product := code(func(args []types.Value) (types.Value, error) {
		return types.IntValue(args[0].Int() * args[1].Int()), nil
	})
	return map[string][]scalar{
		"test_udf": {
			{"INT arg1, VARCHAR arg2", types.String, name("doStuffIntString")},
			{"BIGINT arg1, VARCHAR arg2", types.String, name("doStuffLongString")},
			{"BIGINT arg1, BIGINT arg2, VARCHAR arg3", types.String, name("doStuffLongLongString")},
			{"BIGINT... longs", types.String, name("doStuffLongVarargs")},
			{"STRUCT<A VARCHAR> struct", types.String, code(func(args []types.Value) (types.Value, error) {
				if args[0].IsNull() {
					return types.Null, errors.New("the struct is NULL")
				}
				return args[0].Elems()[0], nil
			})},
			{"", structA, code(func([]types.Value) (types.Value, error) {
				return types.StructValue([]types.Value{types.StringValue("foo")}), nil
			})},
		},
		"bad_udf": {
			{"INT arg1", types.String, code(func([]types.Value) (types.Value, error) { return types.Null, errors.New("boom!") })},
			{"BOOLEAN arg", types.Integer, code(func(args []types.Value) (types.Value, error) {
				if args[0].IsNull() || args[0].Bool() {
					return types.Null, errors.New("You asked me to throw...")
				}
				return types.IntValue(0), nil
			})},
			{"VARCHAR arg", types.String, everyOther},
		},
		"WhenCondition": {{"BOOLEAN retValue, BOOLEAN shouldBeEvaluated", types.Boolean, lazily}},
		"WhenResult":    {{"INT retValue, BOOLEAN shouldBeEvaluated", types.Integer, lazily}},
		"multiply": {
			{"INT v1, INT v2", types.Bigint, product}, {"BIGINT v1, BIGINT v2", types.Bigint, product},
			{"DOUBLE v1, DOUBLE v2", types.Double, code(func(args []types.Value) (types.Value, error) {
				return types.DoubleValue(args[0].Double() * args[1].Double()), nil
			})},
		},
		"tolist": {{"VARCHAR s", types.ArrayOf(types.String), code(func(args []types.Value) (types.Value, error) {
			return types.ArrayValue([]types.Value{args[0]}), nil
		})}},
		"tomap": {{"VARCHAR s", types.MapOf(types.String, types.String), code(func(args []types.Value) (types.Value, error) {
			return types.MapOfValues(&types.MapValue{Keys: []types.Value{args[0]}, Values: []types.Value{args[0]}}), nil
		})}},
		"tostring": {
			{"INT v", types.String, textOf(types.Integer)}, {"BIGINT v", types.String, textOf(types.Bigint)},
			{"DOUBLE v", types.String, textOf(types.Double)}, {"BOOLEAN v", types.String, textOf(types.Boolean)},
			{"VARCHAR v", types.String, textOf(types.String)}, {"STRUCT<A VARCHAR> v", types.String, textOf(structA)},
			{"ARRAY<VARCHAR> v", types.String, textOf(types.ArrayOf(types.String))},
			{"MAP<VARCHAR, VARCHAR> v", types.String, textOf(types.MapOf(types.String, types.String))},
		},
		"tostruct": {{"VARCHAR s", structA, code(func(args []types.Value) (types.Value, error) {
			return types.StructValue([]types.Value{args[0]}), nil
		})}},
	}
}

// everyOther gives NULL for the first, third, ... call.
func everyOther() function.Impl {
	var calls atomic.Int64
	return function.Impl{F1: func(v types.Value) (types.Value, error) {
		if calls.Add(1)%2 == 1 {
			return types.Null, nil
		}
		return v, nil
	}}
}

type table struct {
	params string
	result *types.Type
	rows   func(args []types.Value, in []function.Arg) ([]types.Value, error)
}

func (t table) build() (*function.TableOverload, error) {
	params, err := function.ParseParams(t.params)
	return &function.TableOverload{
		Params: params,
		Result: func([]function.Arg) (*types.Type, error) { return t.result, nil },
		Make: func(in []function.Arg, _ *types.Type) (func([]types.Value) ([]types.Value, error), error) {
			return func(args []types.Value) ([]types.Value, error) { return t.rows(args, in) }, nil
		},
	}, err
}

func tables() map[string][]table {
	one := func(args []types.Value, _ []function.Arg) ([]types.Value, error) {
		if args[0].IsNull() {
			return nil, errors.New("the argument is NULL")
		}
		return args[:1], nil
	}
	// texts gives each argument as text; of arrays and maps their first element.
	texts := func(args []types.Value, in []function.Arg) ([]types.Value, error) {
		out := make([]types.Value, len(args))
		for i, v := range args {
			t := in[i].Type
			switch {
			case v.IsNull():
				return nil, errors.New("an argument is NULL")
			case t.Kind == types.KindArray:
				t, v = t.Elem, v.Elems()[0]
			case t.Kind == types.KindMap:
				t, v = t.Elem, v.Map().Values[0]
			}
			out[i] = types.StringValue(types.Text(t, v))
		}
		return out, nil
	}
	return map[string][]table{
		"test_udtf": {
			{"INT i, BIGINT l, DOUBLE d, BOOLEAN b, VARCHAR s, DECIMAL bd, STRUCT<A VARCHAR> struct", types.String, texts},
			{"ARRAY<INT> i, ARRAY<BIGINT> l, ARRAY<DOUBLE> d, ARRAY<BOOLEAN> b, ARRAY<VARCHAR> s, ARRAY<DECIMAL> bd, ARRAY<STRUCT<A VARCHAR>> struct", types.String, texts},
			{"MAP<VARCHAR, INT> i, MAP<VARCHAR, BIGINT> l, MAP<VARCHAR, DOUBLE> d, MAP<VARCHAR, BOOLEAN> b, MAP<VARCHAR, VARCHAR> s, " +
				"MAP<VARCHAR, DECIMAL> bd, MAP<VARCHAR, STRUCT<A VARCHAR>> struct", types.String, texts},
			{"INT i", types.Integer, one}, {"BIGINT l", types.Bigint, one}, {"DOUBLE d", types.Double, one},
			{"BOOLEAN b", types.Boolean, one}, {"VARCHAR s", types.String, one}, {"STRUCT<A VARCHAR> struct", structA, one},
			{"DECIMAL bd", types.DecimalOf(30, 10), func(args []types.Value, in []function.Arg) ([]types.Value, error) {
				if args[0].IsNull() {
					return nil, errors.New("the argument is NULL")
				}
				d, err := types.FitDecimal(args[0].Decimal(), 30, 10)
				return []types.Value{types.DecimalValue(d)}, err
			}},
		},
		"throwing_udtf": {{"BOOLEAN shouldThrow", types.Boolean, func(args []types.Value, _ []function.Arg) ([]types.Value, error) {
			if args[0].Bool() {
				return nil, errors.New("You asked me to throw...")
			}
			return args, nil
		}}},
	}
}

func length(v types.Value) int64 { return int64(len(utf16.Encode([]rune(v.Str())))) }
