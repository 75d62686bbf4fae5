package testfunc_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/conformance/testfunc"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func registry(t *testing.T) *function.Registry {
	base, err := function.Builtin(function.Options{})
	require.NoError(t, err)
	r, err := testfunc.Registry(base)
	require.NoError(t, err)
	assert.False(t, base.IsKnown("TEST_UDF"), "the base registry must stay as it was")
	return r
}

func TestOverloadsAreChosenAsInKsqlDB(t *testing.T) {
	s, err := registry(t).Scalar("test_udf")
	require.NoError(t, err)
	arg := func(typ *types.Type) function.Arg { return function.Arg{Type: typ} }
	for want, args := range map[string][]function.Arg{
		"doStuffIntString":      {arg(types.Integer), {}},
		"doStuffLongString":     {arg(types.Bigint), {}},
		"doStuffLongLongString": {arg(types.Integer), arg(types.Integer), {}},
		"doStuffLongVarargs":    {arg(types.Bigint), arg(types.Bigint), arg(types.Bigint), arg(types.Bigint), arg(types.Bigint)},
	} {
		o, err := s.Resolve(args)
		require.NoError(t, err)
		impl, err := o.Make(args, types.String)
		require.NoError(t, err)
		v, err := impl.FN(make([]types.Value, len(args)))
		require.NoError(t, err)
		assert.Equal(t, want, v.Str())
	}
}

func TestMiddleConstantsAreAddedOnce(t *testing.T) {
	a, err := registry(t).Aggregate("MID_VAR_ARG")
	require.NoError(t, err)
	o, err := a.Resolve([]*types.Type{types.Bigint, types.String, types.String, types.Integer, types.Integer})
	require.NoError(t, err)
	require.Equal(t, 2, o.ConstantArgs(5))
	agg, err := o.Bind(function.Binding{
		Args:      []*types.Type{types.Bigint, types.String, types.String},
		Constants: []types.Value{types.IntValue(7), types.IntValue(3)},
	})
	require.NoError(t, err)
	state := agg.Init()
	for range 2 {
		state, err = agg.Add(state, []types.Value{types.IntValue(5), types.StringValue("ab"), types.Null}, 0)
		require.NoError(t, err)
	}
	v, err := agg.Result(state)
	require.NoError(t, err)
	assert.EqualValues(t, 24, v.Int())
}
