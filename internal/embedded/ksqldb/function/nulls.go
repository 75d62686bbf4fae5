package function

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func nullFunctions() []scalarDef {
	first := func(args []types.Value) (types.Value, error) {
		for _, v := range args {
			if !v.IsNull() {
				return v, nil
			}
		}
		return types.Null, nil
	}
	return []scalarDef{
		{"COALESCE", CategoryConditional, "The first of the arguments that is not NULL.", []overloadDef{
			{params: "T first, T... others", result: "T", nulls: true, impl: Impl{FN: first}},
		}},
		{"IFNULL", CategoryConditional, "A value, or another when it is NULL.", []overloadDef{
			{params: "T expression, T altValue", result: "T", nulls: true, impl: f2(func(a, b types.Value) (types.Value, error) {
				if a.IsNull() {
					return b, nil
				}
				return a, nil
			})},
		}},
		{"NULLIF", CategoryConditional, "A value, or NULL when it equals another.", []overloadDef{
			{params: "T expr1, T expr2", result: "T", nulls: true, bind: func(args []*types.Type, result *types.Type) (Impl, error) {
				return f2(func(a, b types.Value) (types.Value, error) {
					if types.Equal(result, a, b) {
						return types.Null, nil
					}
					return a, nil
				}), nil
			}},
		}},
		{"AS_VALUE", CategoryOther, "A copy of a key column in the value.", []overloadDef{
			{params: "T keyColumn", result: "T", impl: f1(same)},
		}},
	}
}
