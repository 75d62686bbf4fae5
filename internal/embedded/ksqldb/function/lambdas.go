package function

import (
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func lambdaFunctions() []scalarDef {
	return []scalarDef{
		{"transform", CategoryLambda, "An array or a map with each element replaced by what a lambda makes of it.", []overloadDef{
			{params: "MAP<K, V> map, LAMBDA (K, V) => R biFunction1, LAMBDA (K, V) => T biFunction2", result: "MAP<R, T>", bind: transformMap},
			{params: "ARRAY<T> array, LAMBDA (T) => R function", result: "ARRAY<R>", impl: Impl{FL: transformArray}},
		}},
		{"filter", CategoryLambda, "The elements of an array or a map for which a lambda is true.", []overloadDef{
			{params: "MAP<K, V> map, LAMBDA (K, V) => BOOLEAN biFunction", result: "MAP<K, V>", bind: filterMap},
			{params: "ARRAY<T> array, LAMBDA (T) => BOOLEAN function", result: "ARRAY<T>", impl: Impl{FL: filterArray}},
		}},
		{"reduce", CategoryLambda, "What is left when a lambda takes in the elements of an array or a map one by one.", []overloadDef{
			{params: "ARRAY<T> list, S initialState, LAMBDA (S, T) => S biFunction", result: "S", nulls: true, impl: Impl{FL: reduceArray}},
			{params: "MAP<K, V> map, S initialState, LAMBDA (S, K, V) => S triFunction", result: "S", nulls: true, bind: reduceMap},
		}},
	}
}

func transformArray(args []types.Value, lambdas []Lambda) (types.Value, error) {
	elems := args[0].Elems()
	out := make([]types.Value, len(elems))
	for i, e := range elems {
		v, err := lambdas[1](e)
		if err != nil {
			return types.Null, err
		}
		out[i] = v
	}
	return types.ArrayValue(out), nil
}

var errNullMapValue = errors.New("a value of the map made by the lambda is NULL")

func transformMap(args []*types.Type, result *types.Type) (Impl, error) {
	key := args[0].Key
	return Impl{FL: func(args []types.Value, lambdas []Lambda) (types.Value, error) {
		out := &types.MapValue{}
		for k, v := range entries(key, args[0]) {
			newKey, err := lambdas[1](k, v)
			if err != nil {
				return types.Null, err
			}
			value, err := lambdas[2](k, v)
			if err != nil {
				return types.Null, err
			}
			if value.IsNull() {
				return types.Null, errNullMapValue
			}
			if _, ok := out.Get(result.Key, newKey); ok {
				return types.Null, fmt.Errorf("Duplicate key %s", types.Text(result.Key, newKey))
			}
			out.Keys, out.Values = append(out.Keys, newKey), append(out.Values, value)
		}
		return types.MapOfValues(out), nil
	}}, nil
}

var errNullPredicate = errors.New("the condition of the lambda is NULL")

func holds(lambda Lambda, inputs ...types.Value) (bool, error) {
	v, err := lambda(inputs...)
	if err == nil && v.IsNull() {
		err = errNullPredicate
	}
	return err == nil && v.Bool(), err
}

func filterArray(args []types.Value, lambdas []Lambda) (types.Value, error) {
	var out []types.Value
	for _, e := range args[0].Elems() {
		ok, err := holds(lambdas[1], e)
		if err != nil {
			return types.Null, err
		}
		if ok {
			out = append(out, e)
		}
	}
	return types.ArrayValue(out), nil
}

func filterMap(args []*types.Type, _ *types.Type) (Impl, error) {
	key := args[0].Key
	return Impl{FL: func(args []types.Value, lambdas []Lambda) (types.Value, error) {
		out := &types.MapValue{}
		for k, v := range entries(key, args[0]) {
			ok, err := holds(lambdas[1], k, v)
			if err != nil {
				return types.Null, err
			}
			if !ok {
				continue
			}
			if v.IsNull() {
				return types.Null, errNullMapValue
			}
			out.Keys, out.Values = append(out.Keys, k), append(out.Values, v)
		}
		return types.MapOfValues(out), nil
	}}, nil
}

func reduceArray(args []types.Value, lambdas []Lambda) (types.Value, error) {
	state := args[1]
	if state.IsNull() || args[0].IsNull() {
		return state, nil
	}
	var err error
	for _, e := range args[0].Elems() {
		if state, err = lambdas[2](state, e); err != nil {
			return types.Null, err
		}
	}
	return state, nil
}

func reduceMap(args []*types.Type, _ *types.Type) (Impl, error) {
	if args[0] == nil {
		return Impl{}, errors.New("the type of the map to reduce is not known: cast it to one")
	}
	key := args[0].Key
	return Impl{FL: func(args []types.Value, lambdas []Lambda) (types.Value, error) {
		state := args[1]
		if state.IsNull() || args[0].IsNull() {
			return state, nil
		}
		var err error
		for k, v := range entries(key, args[0]) {
			if state, err = lambdas[2](state, k, v); err != nil {
				return types.Null, err
			}
		}
		return state, nil
	}}, nil
}
