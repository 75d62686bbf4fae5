package expr_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const columns = "K STRING KEY, I INT, L BIGINT, D DOUBLE, N DECIMAL(6, 2), T STRING, B BOOLEAN, A ARRAY<INT>, M MAP<STRING, INT>, ST STRUCT<X INT, Y STRING>"

func row(values ...types.Value) *types.Row {
	all := make([]types.Value, 9)
	copy(all, values)
	return &types.Row{Key: []types.Value{types.StringValue("key")}, Value: all, Time: 1234, Partition: 3, Offset: 77}
}

func eval(t testing.TB, text string, r *types.Row) (string, error) {
	c, err := compileText(newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false), text)
	require.NoError(t, err, text)
	v, err := c.Eval(r)
	return types.Text(c.Type, v), err
}

func TestNullRules(t *testing.T) {
	empty := row()
	for text, want := range map[string]string{
		"I = 1": "false", "I <> 1": "false", "NOT (I = 1)": "true", "I < L": "false", "T = 'x'": "false", "B = true": "false",
		"I IS NULL": "true", "I IS NOT NULL": "false", "I IS DISTINCT FROM L": "false", "I IS DISTINCT FROM 1": "true",
		"I IS NOT DISTINCT FROM NULLIF(1, 1)": "true", "I IN (1, 2)": "false", "I NOT IN (1, 2)": "true", "I BETWEEN 0 AND 9": "false",
		"A[1]": "null", "M['k']": "null", "ST->X": "null", "UCASE(T)": "null", "COALESCE(T, 'none')": "none", "T + 'x'": "nullx",
		"true OR B": "true", "false AND B": "false", "CASE WHEN I = 1 THEN 'a' ELSE 'b' END": "b", "CAST(I AS STRING)": "null",
	} {
		got, err := eval(t, text, empty)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"I + 1", "-I", "B AND true", "NOT B", "T LIKE 'a%'", "CASE WHEN B THEN 1 END"} {
		_, err := eval(t, text, empty)
		assert.Error(t, err, text)
	}
}

func TestErrorsInsideArgumentsAreNull(t *testing.T) {
	r := row(types.IntValue(7))
	for text, want := range map[string]string{
		"ARRAY[1 / (I - 7), 2]":                             "[null, 2]",
		"STRUCT(A := 1 / (I - 7), B := 2)":                  "Struct{B=2}",
		"COALESCE(CAST('x' AS INT), 5)":                     "5",
		"COALESCE(INT_FROM_BYTES(TO_BYTES('', 'utf8')), 5)": "5",
	} {
		got, err := eval(t, text, r)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	_, err := eval(t, "COALESCE(1 / (I - 7), 5)", r)
	assert.ErrorIs(t, err, types.ErrDivisionByZero, "an operation as argument fails the whole")
}

func TestNestedErrorsAreReported(t *testing.T) {
	c := newCompiler(t)
	var seen []error
	c.Nested = func(_ *types.Row, err error) { seen = append(seen, err) }
	compiled, err := compileText(c, expr.ScopeOf(schemaOf(t, "STREAM", columns), false), "CAST(T AS INT)")
	require.NoError(t, err)
	r := row()
	r.Value[4] = types.StringValue("x")
	v, err := compiled.Eval(r)
	require.NoError(t, err)
	assert.True(t, v.IsNull())
	require.Len(t, seen, 1)
	assert.Contains(t, seen[0].Error(), "x")
}

func TestArithmeticIsThatOfJava(t *testing.T) {
	r := row(types.IntValue(2147483647), types.IntValue(9223372036854775807), types.DoubleValue(0))
	for text, want := range map[string]string{
		"I + 1": "-2147483648", "L + 1": "-9223372036854775808", "-7 / 2": "-3", "-7 % 2": "-1", "I + L": "-9223372034707292162",
		"1 / D": "Infinity", "D / D": "NaN", "1.5 + 2": "3.5", "10 / 4.0": "2.500000", "2 * 1.5": "3.0", "0.1 + 1e0": "1.1",
	} {
		got, err := eval(t, text, r)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	_, err := eval(t, "I / (I - 2147483647)", r)
	assert.ErrorIs(t, err, types.ErrDivisionByZero)
	_, err = eval(t, "1 / 3.0", r)
	assert.Error(t, err, "an inexact decimal quotient")
}

func TestCaseComputesOnlyWhatIsChosen(t *testing.T) {
	got, err := eval(t, "CASE WHEN I = 0 THEN 0 ELSE 10 / I END", row(types.IntValue(0)))
	require.NoError(t, err)
	assert.Equal(t, "0", got)
}

func TestLambdas(t *testing.T) {
	r := row(types.IntValue(10))
	r.Value[6] = types.ArrayValue([]types.Value{types.IntValue(1), types.IntValue(2)})
	r.Value[7] = types.MapOfValues(&types.MapValue{Keys: []types.Value{types.StringValue("a")}, Values: []types.Value{types.IntValue(1)}})
	for text, want := range map[string]string{
		"TRANSFORM(A, x => x + I)":                                       "[11, 12]",
		"TRANSFORM(A, x => TRANSFORM(A, y => x * 10 + y))":               "[[11, 12], [21, 22]]",
		"REDUCE(A, 0, (acc, x) => acc + x)":                              "3",
		"FILTER(A, x => x > 1)":                                          "[2]",
		"TRANSFORM(M, (key, v) => UCASE(key), (key, v) => v + I)":        "{A=11}",
		"TRANSFORM(ARRAY[1, 2], x => REDUCE(A, x, (acc, y) => acc * y))": "[2, 4]",
	} {
		got, err := eval(t, text, r)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"Hello World", "%o%", true}, {"Hello World", "_ello World", true}, {"", "%", true}, {"", "_", false}, {"abc", "a%c%", true},
		{"a.b", "a.b", true}, {"axb", "a.b", false}, {"😀", "_", true}, {"aXbXc", "%X%X%", true}, {"ab", "a%b%c", false},
		{"line\nend", "line%", false}, {"line\nend", "line\n%", true}, {"%", "!%", false}, {"mississippi", "m%iss%ippi", true},
	} {
		got, err := eval(t, "T LIKE '"+c.pattern+"'", row(types.Null, types.Null, types.Null, types.Null, types.StringValue(c.text)))
		require.NoError(t, err)
		assert.Equal(t, c.want, got == "true", "%q LIKE %q", c.text, c.pattern)
	}
	got, err := eval(t, "T LIKE 'a!_b!%' ESCAPE '!'", row(types.Null, types.Null, types.Null, types.Null, types.StringValue("a_b%")))
	require.NoError(t, err)
	assert.Equal(t, "true", got)
	_, err = eval(t, "T LIKE 'a!' ESCAPE '!'", row(types.Null, types.Null, types.Null, types.Null, types.StringValue("a")))
	assert.EqualError(t, err, "LIKE pattern must not end with escape character")
}

func TestSlots(t *testing.T) {
	schema := schemaOf(t, "STREAM", columns)
	schema.Header = []types.Column{{Name: "H", Type: expr.HeadersType, Header: "*"}, {Name: "H1", Type: types.Bytes, Header: "=a"}}
	scope := expr.ScopeOf(schema, true)
	r := row(types.IntValue(1))
	r.Window = types.Window{Kind: types.TimeWindow, Start: 100, End: 200}
	r.Headers = []types.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b"}}
	for text, want := range map[string]string{
		"K": "key", "I": "1", "ROWTIME": "1234", "ROWPARTITION": "3", "ROWOFFSET": "77", "WINDOWSTART": "100", "WINDOWEND": "200",
		"FROM_BYTES(H1, 'utf8')": "2", "H[3]->KEY": "b", "H[3]->VALUE": "null", "ARRAY_LENGTH(H)": "3",
	} {
		c, err := compileText(newCompiler(t), scope, text)
		require.NoError(t, err, text)
		v, err := c.Eval(r)
		require.NoError(t, err, text)
		assert.Equal(t, want, types.Text(c.Type, v), text)
	}
	c, err := compileText(newCompiler(t), scope, "I")
	require.NoError(t, err)
	v, err := c.Eval(&types.Row{})
	require.NoError(t, err)
	assert.True(t, v.IsNull(), "the columns of a record without value are NULL")
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		"NOCOL + 1":      "Line: 1, Col: 1: SELECT column 'NOCOL' cannot be resolved.",
		"I + X.I":        "'X' is not a valid stream/table name or alias.",
		"T = 5":          "Cannot compare T (STRING) to 5 (INTEGER) with EQUAL.\nStatement: (T = 5)",
		"I + T":          "Error processing expression: (I + T). Unsupported arithmetic types. INTEGER STRING\nStatement: (I + T)",
		"NOPE(I)":        "Can't find any functions with the name 'NOPE'",
		"ST->Z":          "Could not find field 'Z' in 'ST'.",
		"I->Z":           "Expected STRUCT type, got: INTEGER",
		"T[1]":           "Subscript expression (T[1]) do not apply to STRING.",
		"ARRAY[]":        "Array constructor cannot be empty. Please supply at least one element (see https://github.com/confluentinc/ksql/issues/4239).",
		"NULL":           "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).",
		"B = NULL":       "Comparison with NULL not supported: BOOLEAN = NULL\nUse 'IS NULL' or 'IS NOT NULL' instead.",
		"COUNT(I) + 1":   "Aggregate functions are not allowed here: COUNT(I)",
		"CAST(I AS FOO)": "Cannot resolve unknown type: FOO",
		"CASE WHEN B THEN I ELSE L END": "Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses.\n" +
			"THEN type: INTEGER.\nDEFAULT type: BIGINT.",
		"TRANSFORM(A, i => I)": "Lambda function argument can't be a column name: I",
	} {
		_, err := compileText(newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false), text)
		if assert.Error(t, err, text) {
			assert.Equal(t, want, err.Error(), text)
		}
	}
	_, err := compileText(newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false), "1 + (2 * NOCOL)")
	var e *expr.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, ast.Position{Offset: 9, Line: 1, Column: 10}, e.Pos)
}

func TestErrorsOfCodeShowTheExpressionAndTheSchema(t *testing.T) {
	scope := expr.ScopeOf(schemaOf(t, "STREAM", "K STRING KEY, B BOOLEAN"), false).In("WHERE")
	_, err := compileText(newCompiler(t), scope, "CAST(B AS BIGINT) = 1")
	assert.EqualError(t, err, "Invalid Predicate: Cast of BOOLEAN to BIGINT is not supported. expression: (CAST(B AS BIGINT) = 1), "+
		"schema:`K` STRING KEY, `B` BOOLEAN, `ROWTIME` BIGINT, `ROWPARTITION` INTEGER, `ROWOFFSET` BIGINT")
}

func TestAmbiguousColumns(t *testing.T) {
	scope := &expr.Scope{Columns: []expr.ScopeColumn{
		{Qualifier: "S1", Name: "ID", Type: types.Integer}, {Qualifier: "S2", Name: "ID", Type: types.Integer},
	}}
	_, err := compileText(newCompiler(t), scope, "ID")
	assert.EqualError(t, err, "Line: 1, Col: 1: Column 'ID' is ambiguous. Could be S1.ID or S2.ID.")
	_, err = compileText(newCompiler(t), scope, "S2.ID")
	assert.NoError(t, err)
}

func TestConstantsAreFoldedUnlessVolatile(t *testing.T) {
	for text, want := range map[string]bool{
		"1 + 2 * 3": true, "UCASE('x')": true, "I + 1": false, "RANDOM()": false, "LEN(UUID())": false, "UNIX_TIMESTAMP() + 1": false,
		"CASE WHEN 1 = 1 THEN 'a' END": true,
	} {
		c, err := compileText(newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false), text)
		require.NoError(t, err)
		assert.Equal(t, want, c.Constant, text)
	}
	_, err := eval(t, "1 / 0", row())
	assert.ErrorIs(t, err, types.ErrDivisionByZero, "an error is one of each row, not of the statement")
}

func TestTypeOfAllowsAggregatesAndTableFunctions(t *testing.T) {
	c, scope := newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false)
	for text, want := range map[string]string{
		"COUNT(*)": "BIGINT", "SUM(I) + COUNT(*)": "BIGINT", "TOPK(D, 3)": "ARRAY<DOUBLE>", "EXPLODE(A)": "INTEGER",
		"LATEST_BY_OFFSET(T, 2)": "ARRAY<STRING>", "AVG(I) > 1e0": "BOOLEAN", "COLLECT_LIST(N)": "ARRAY<DECIMAL(6, 2)>",
	} {
		e, err := parser.ParseExpr(text)
		require.NoError(t, err)
		typ, err := c.TypeOf(e, scope)
		require.NoError(t, err, text)
		assert.Equal(t, want, typ.String(), text)
	}
}

func TestBindAggregateTellsColumnsFromConstants(t *testing.T) {
	c, scope := newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false)
	bind := func(text string) (*expr.AggregateCall, error) {
		e, err := parser.ParseExpr(text)
		require.NoError(t, err)
		return c.BindAggregate(e.(*ast.FunctionCall), scope, nil)
	}
	call, err := bind("TOPK(I, T, 3)")
	require.NoError(t, err)
	assert.Len(t, call.Args, 2)
	assert.Equal(t, "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>", call.ResultType().String())
	call, err = bind("count(*)")
	require.NoError(t, err)
	assert.Equal(t, "COUNT", call.Name)
	assert.Empty(t, call.Args)
	_, err = bind("TOPK(I, I)")
	assert.EqualError(t, err, "Parameter 2 passed to function TOPK must be a literal constant, but was expression: 'I'")
	_, err = bind("LATEST_BY_OFFSET(I, 0)")
	assert.EqualError(t, err, "latestN must be 1 or greater")
}

func TestBindTable(t *testing.T) {
	c, scope := newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false)
	e, err := parser.ParseExpr("EXPLODE(ARRAY[I, 2, 1 / (I - 7)])")
	require.NoError(t, err)
	call, err := c.BindTable(e.(*ast.FunctionCall), scope)
	require.NoError(t, err)
	assert.Equal(t, types.Integer, call.Type)
	rows, err := call.Eval(row(types.IntValue(7)))
	require.NoError(t, err)
	assert.Equal(t, "[7, 2, null]", types.Text(types.ArrayOf(types.Integer), types.ArrayValue(rows)))
}

func TestOneCompiledServesManyTasks(t *testing.T) {
	c, err := compileText(newCompiler(t), expr.ScopeOf(schemaOf(t, "STREAM", columns), false),
		"CONCAT(REGEXP_REPLACE(T, '[0-9]+', '#'), CAST(REDUCE(A, I, (acc, x) => acc + x) AS STRING), FORMAT_TIMESTAMP(FROM_UNIXTIME(L), 'yyyy'))")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for task := range 4 {
		wg.Go(func() {
			for n := range 200 {
				r := row(types.IntValue(int64(task)), types.IntValue(int64(n)*86_400_000*365))
				r.Value[4] = types.StringValue(strings.Repeat("9", task+1) + "x")
				r.Value[6] = types.ArrayValue([]types.Value{types.IntValue(int64(n))})
				v, err := c.Eval(r)
				if assert.NoError(t, err) {
					assert.Contains(t, v.Str(), "#x")
				}
			}
		})
	}
	wg.Wait()
}

func TestFormat(t *testing.T) {
	for text, want := range map[string]string{
		"a + b*2":                        "(A + (B * 2))",
		"not a = 'it''s' and b is null":  "((NOT (A = 'it''s')) AND (B IS NULL))",
		"s->x[1]":                        "S->X[1]",
		"count(*)":                       "COUNT(*)",
		"cast(a as decimal(4,2))":        "CAST(A AS DECIMAL(4, 2))",
		"case when a then 1 else 2 end":  "(CASE WHEN A THEN 1 ELSE 2 END)",
		"a between 1 and null":           "(A BETWEEN 1 AND null)",
		"transform(a, (x) => x || 'y')":  "TRANSFORM(A, (X) => CONCAT(X, 'y'))",
		"map('k' := 1.50, 'l' := 1e-3)":  "MAP('k':=1.50, 'l':=1E-3)",
		"struct(a := - b)":               "STRUCT(A:=-B)",
		"a not like 'x%' escape '!'":     "(NOT (A LIKE 'x%' ESCAPE '!'))",
		"a in (1, 2)":                    "(A IN (1, 2))",
		"timestampadd(seconds, 1, `ts`)": "TIMESTAMPADD(SECONDS, 1, ts)",
	} {
		e, err := parser.ParseExpr(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, expr.Format(e), text)
	}
}

func TestResolveType(t *testing.T) {
	custom := func(name string) (*types.Type, bool) { return types.Double, name == "PRICE" }
	for text, want := range map[string]string{
		"varchar(10)": "STRING", "DECIMAL(4, 2)": "DECIMAL(4, 2)", "ARRAY<PRICE>": "ARRAY<DOUBLE>", "MAP<STRING, INT>": "MAP<STRING, INTEGER>",
		"STRUCT<a int, `b` STRING>": "STRUCT<`A` INTEGER, `b` STRING>",
	} {
		d, err := parser.ParseDataType(text)
		require.NoError(t, err, text)
		typ, err := expr.ResolveType(d, custom)
		require.NoError(t, err, text)
		assert.Equal(t, want, typ.String())
	}
	for text, want := range map[string]string{
		"DECIMAL(0, 0)": "DECIMAL precision must be >= 1: DECIMAL(0,0)", "DECIMAL(2, 3)": "DECIMAL precision must be >= scale: DECIMAL(2,3)",
		"NOPE": "Cannot resolve unknown type: NOPE", "STRUCT<A INT, A INT>": "Duplicate field names found in STRUCT: '`A` INTEGER' and '`A` INTEGER'",
	} {
		d, err := parser.ParseDataType(text)
		require.NoError(t, err, text)
		_, err = expr.ResolveType(d, nil)
		assert.EqualError(t, err, want)
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"I + L * D", "CASE WHEN B THEN A[1] ELSE M['k'] END", "T LIKE '%a' OR I BETWEEN 1 AND 2", "TRANSFORM(A, x => x + I)",
		"SUBSTRING(T, -2, 1)", "CAST(N AS STRING)", "ARRAY[1, '2', NULL]", "ROUND(N, 1)", "SPLIT_TO_MAP(T, ';', '=')",
	} {
		f.Add(text)
	}
	registry, err := function.Builtin(function.Options{})
	require.NoError(f, err)
	c := &expr.Compiler{Registry: registry}
	scope := expr.ScopeOf(schemaOf(f, "STREAM", columns), false)
	full := row(types.IntValue(7), types.IntValue(-1), types.DoubleValue(2.5), decimal(f, "12.35"), types.StringValue("a=1;b"), types.BoolValue(true),
		types.ArrayValue([]types.Value{types.IntValue(3), types.Null}), types.MapOfValues(&types.MapValue{}),
		types.StructValue([]types.Value{types.IntValue(1), types.Null}))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parser.ParseExpr(text)
		if err != nil {
			return
		}
		compiled, err := c.Compile(e, scope)
		if err != nil {
			return
		}
		for _, r := range []*types.Row{full, row(), {}} {
			if v, err := compiled.Eval(r); err == nil {
				_ = types.Text(compiled.Type, v)
			}
		}
	})
}

func decimal(t testing.TB, text string) types.Value {
	d, err := types.ParseDecimal(text)
	require.NoError(t, err)
	return types.DecimalValue(d)
}
