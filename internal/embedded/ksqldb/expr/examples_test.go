package expr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// TestExamples evaluates the examples that the registry gives for each function.
func TestExamples(t *testing.T) {
	c := newCompiler(t)
	check := func(info function.Info, evaluate func(testing.TB, *expr.Compiler, function.Example) string) {
		assert.NotEmpty(t, info.Examples, "function %s has no example", info.Name)
		for _, e := range info.Examples {
			assert.Contains(t, strings.ToUpper(e.Call), strings.ToUpper(info.Name)+"(", "an example of %s", info.Name)
			assert.Equal(t, e.Result, evaluate(t, c, e), e.Call)
		}
	}
	for _, f := range c.Registry.Scalars() {
		check(f.Info, evaluateScalar)
	}
	for _, f := range c.Registry.Tables() {
		check(f.Info, evaluateTable)
	}
	for _, f := range c.Registry.Aggregates() {
		check(f.Info, evaluateAggregate)
	}
}

func evaluateScalar(t testing.TB, c *expr.Compiler, e function.Example) string {
	compiled, err := compileText(c, expr.ScopeOf(&types.Schema{}, false), e.Call)
	require.NoError(t, err, e.Call)
	v, err := compiled.Eval(&types.Row{})
	require.NoError(t, err, e.Call)
	return types.Text(compiled.Type, v)
}

func parseCall(t testing.TB, text string) *ast.FunctionCall {
	parsed, err := parser.ParseExpr(text)
	require.NoError(t, err, text)
	call, ok := parsed.(*ast.FunctionCall)
	require.True(t, ok, "%s is no call of a function", text)
	return call
}

func evaluateTable(t testing.TB, c *expr.Compiler, e function.Example) string {
	call, err := c.BindTable(parseCall(t, e.Call), expr.ScopeOf(&types.Schema{}, false))
	require.NoError(t, err, e.Call)
	values, err := call.Eval(&types.Row{})
	require.NoError(t, err, e.Call)
	var rows []string
	for _, v := range values {
		rows = append(rows, types.Text(call.Type, v))
	}
	return strings.Join(rows, "; ")
}

// evaluateAggregate feeds the example's rows, whose columns are X and Y.
func evaluateAggregate(t testing.TB, c *expr.Compiler, e function.Example) string {
	rows := make([][]types.Value, len(e.Rows))
	columns := make([]types.Column, len(e.Rows[0]))
	for i, texts := range e.Rows {
		rows[i] = make([]types.Value, len(texts))
		for j, text := range texts {
			if text == "NULL" {
				continue
			}
			compiled, err := compileText(c, expr.ScopeOf(&types.Schema{}, false), text)
			require.NoError(t, err, text)
			columns[j] = types.Column{Name: []string{"X", "Y"}[j], Type: compiled.Type}
			rows[i][j], err = compiled.Eval(&types.Row{})
			require.NoError(t, err, text)
		}
	}
	schema := &types.Schema{Value: columns}
	scope := expr.ScopeOf(schema, false)
	call, err := c.BindAggregate(parseCall(t, e.Call), scope, nil)
	require.NoError(t, err, e.Call)
	state := call.Init()
	for i, row := range rows {
		args := make([]types.Value, len(call.Args))
		for j, a := range call.Args {
			compiled, err := c.Compile(a, scope)
			require.NoError(t, err, e.Call)
			args[j], err = compiled.Eval(&types.Row{Value: row})
			require.NoError(t, err, e.Call)
		}
		state, err = call.Add(state, args, int64(i))
		require.NoError(t, err, e.Call)
	}
	result, err := call.Result(state)
	require.NoError(t, err, e.Call)
	return types.Text(call.ResultType(), result)
}
