package expr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// BenchmarkFilterAndProjection is a WHERE and ten columns over a decoded row of
// ten columns.
func BenchmarkFilterAndProjection(b *testing.B) {
	schema := schemaOf(b, "STREAM", "ID STRING KEY, A INT, B BIGINT, C DOUBLE, D STRING, E STRING, F BOOLEAN, G INT, H BIGINT, J TIMESTAMP")
	scope, c := expr.ScopeOf(schema, false), newCompiler(b)
	where, err := parser.ParseExpr("A > 10 AND D = 'CREATED' AND (C * A >= 20.5e0 OR F) AND E LIKE 'J%'")
	require.NoError(b, err)
	filter, err := c.CompilePredicate(where, scope)
	require.NoError(b, err)
	var columns []*expr.Compiled
	for _, text := range []string{
		"ID", "A", "A + G", "B * 2", "C * A", "D", "CASE WHEN A > 5 THEN 'many' ELSE 'few' END", "COALESCE(E, 'none')", "F", "H - B",
	} {
		column, err := compileText(c, scope, text)
		require.NoError(b, err, text)
		columns = append(columns, column)
	}
	row := &types.Row{
		Key: []types.Value{types.StringValue("o-1")},
		Value: []types.Value{
			types.IntValue(42), types.IntValue(7_000_000_000), types.DoubleValue(1.5), types.StringValue("CREATED"),
			types.StringValue("JUMPERS"), types.BoolValue(true), types.IntValue(3), types.IntValue(9), types.IntValue(1_600_000_000_000),
		},
	}
	out := make([]types.Value, len(columns))
	b.ReportAllocs()
	for b.Loop() {
		ok, err := filter(row)
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		for i, column := range columns {
			if out[i], err = column.Eval(row); err != nil {
				b.Fatal(err)
			}
		}
	}
}
