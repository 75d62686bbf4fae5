package parser

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

func mustParse(t *testing.T, sql string) ast.Statement {
	t.Helper()
	statements, err := ParseTest(sql)
	require.NoError(t, err)
	require.Len(t, statements, 1)
	return statements[0]
}

func TestSamplesParse(t *testing.T) {
	for _, sql := range samples {
		_, err := ParseTest(sql)
		assert.NoError(t, err, sql)
	}
}

func TestNamesAreResolved(t *testing.T) {
	q := mustParse(t, "SELECT a, `a`, \"a\"\"b\", `a``b`, 1x FROM `my-Source` t;").(*ast.Query)
	var names []string
	for _, item := range q.Select {
		names = append(names, item.(*ast.SingleColumn).Expr.(*ast.ColumnRef).Name.Name)
	}
	assert.Equal(t, []string{"A", "a", `a"b`, "a`b", "1X"}, names)
	from := q.From.(*ast.AliasedSource)
	assert.Equal(t, "my-Source", from.Name.Name)
	assert.True(t, from.Name.Quoted)
	assert.Equal(t, "T", from.Ref())
}

func TestLiterals(t *testing.T) {
	cases := map[string]ast.Literal{
		"1":                    &ast.IntegerLiteral{Value: 1},
		"-1":                   &ast.IntegerLiteral{Value: -1},
		"2147483647":           &ast.IntegerLiteral{Value: 2147483647},
		"2147483648":           &ast.LongLiteral{Value: 2147483648},
		"-9223372036854775808": &ast.LongLiteral{Value: -9223372036854775808},
		"1.50":                 &ast.DecimalLiteral{Text: "1.50"},
		"-.5":                  &ast.DecimalLiteral{Text: "-0.5"},
		"007.":                 &ast.DecimalLiteral{Text: "7."},
		"1E3":                  &ast.DoubleLiteral{Value: 1000},
		"1.5e-1":               &ast.DoubleLiteral{Value: 0.15},
		"'it''s'":              &ast.StringLiteral{Value: "it's"},
		"''":                   &ast.StringLiteral{},
		"TRUE":                 &ast.BooleanLiteral{Value: true},
		"null":                 &ast.NullLiteral{},
	}
	for sql, want := range cases {
		got, err := ParseExpr(sql)
		require.NoError(t, err, sql)
		assert.True(t, ast.Same(want, got), "%s gives %#v", sql, got)
	}
}

func TestPrecedence(t *testing.T) {
	cases := map[string]string{
		"a + b * c":                      "(A + (B * C))",
		"a - b - c":                      "((A - B) - C)",
		"a || b + c || d":                "((A || (B + C)) || D)",
		"-a * b":                         "(-A * B)",
		"a - -1":                         "(A - -1)",
		"a -1":                           "(A - 1)",
		"not a = b and c":                "((NOT (A = B)) AND C)",
		"a or b and c":                   "(A OR (B AND C))",
		"a = b + 1 or not c":             "((A = (B + 1)) OR (NOT C))",
		"a between 1 and 2 and b":        "((A BETWEEN 1 AND 2) AND B)",
		"a not in (1) or b not like 'x'": "((NOT (A IN (1))) OR (NOT (B LIKE 'x')))",
		"a is not distinct from b":       "(NOT (A IS DISTINCT FROM B))",
		"a is not null":                  "(A IS NOT NULL)",
		"s->f[1]->g":                     "S->F[1]->G",
		"f(x => x + y, 1)":               "",
		"f(a, x => x + y)":               "F(A, (X) => (X + Y))",
		"case when a then 1 else 2 end":  "(CASE WHEN A THEN 1 ELSE 2 END)",
		"timestampadd(hours, 1, t)":      "TIMESTAMPADD(HOURS, 1, T)",
		"cast(a as decimal(4,2))":        "CAST(A AS DECIMAL(4, 2))",
		"map('k' := v)['k']":             "MAP('k':=V)['k']",
		"struct(a := 1, `b` := 2)->`b`":  "STRUCT(A:=1, `b`:=2)->`b`",
		"array[1, array[2]]":             "ARRAY[1, ARRAY[2]]",
		"a = b = c":                      "",
		"a = not b":                      "",
		"a and":                          "",
		"(a, b)":                         "",
		"1 2":                            "",
	}
	for sql, want := range cases {
		e, err := ParseExpr(sql)
		if want == "" {
			assert.Error(t, err, sql)
			continue
		}
		if assert.NoError(t, err, sql) {
			assert.Equal(t, want, ast.Format(e), sql)
		}
	}
}

func TestLambdaVariablesAreTold(t *testing.T) {
	e, err := ParseExpr("F(X, X => X + Y)")
	require.NoError(t, err)
	call := e.(*ast.FunctionCall)
	assert.IsType(t, &ast.ColumnRef{}, call.Args[0])
	sum := call.Args[1].(*ast.Lambda).Body.(*ast.Arithmetic)
	assert.IsType(t, &ast.LambdaVariable{}, sum.Left)
	assert.IsType(t, &ast.ColumnRef{}, sum.Right)
}

func TestDataTypes(t *testing.T) {
	cases := map[string]string{
		"int":                             "INTEGER",
		"varchar(10)":                     "STRING",
		"STRING(STRING)":                  "STRING",
		"int array array":                 "ARRAY<ARRAY<INTEGER>>",
		"map<string,array<double>>":       "MAP<STRING, ARRAY<DOUBLE>>",
		"struct<a int, `b` decimal(3,1)>": "STRUCT<A INTEGER, `b` DECIMAL(3, 1)>",
		"struct<>":                        "STRUCT< >",
		"address":                         "ADDRESS",
		"ARRAY":                           "`ARRAY`",
		"array<int":                       "",
		"decimal":                         "",
		"int int":                         "",
	}
	for sql, want := range cases {
		got, err := ParseDataType(sql)
		if want == "" {
			assert.Error(t, err, sql)
			continue
		}
		if assert.NoError(t, err, sql) && sql != "ARRAY" {
			assert.Equal(t, want, ast.Format(got), sql)
		}
	}
}

func TestPositionsCountCharacters(t *testing.T) {
	sql := "-- über\nSELECT 'ü',\n  bad FROM s;"
	q := mustParse(t, sql).(*ast.Query)
	assert.Equal(t, ast.Position{Offset: 9, Line: 2, Column: 1}, q.Pos())
	assert.Equal(t, "SELECT 'ü',\n  bad FROM s;", q.Text())
	text := q.Select[0].(*ast.SingleColumn).Expr
	assert.Equal(t, "2:8", text.Pos().String())
	assert.Equal(t, "2:11", text.End().String())
	assert.Equal(t, "'ü'", sql[text.Pos().Offset:text.End().Offset])
	assert.Equal(t, "3:3", q.Select[1].Pos().String())
}

func TestEveryNodeLiesWithinItsParent(t *testing.T) {
	for _, sql := range samples {
		statements, err := ParseTest(sql)
		require.NoError(t, err, sql)
		for _, s := range statements {
			requireInside(t, sql, s)
		}
	}
}

func requireInside(t *testing.T, sql string, parent ast.Node) {
	t.Helper()
	ast.Walk(parent, func(n ast.Node) bool {
		if n == parent {
			return true
		}
		require.True(t, n.Pos().IsValid(), "%T in %s", n, sql)
		require.GreaterOrEqual(t, n.Pos().Offset, parent.Pos().Offset, "%T in %T of %s", n, parent, sql)
		require.LessOrEqual(t, n.End().Offset, parent.End().Offset, "%T in %T of %s", n, parent, sql)
		require.Less(t, n.Pos().Offset, n.End().Offset, "%T in %s", n, sql)
		requireInside(t, sql, n)
		return false
	})
}

func TestStatementsKeepTheirText(t *testing.T) {
	texts, err := Split("/* first */ SHOW STREAMS ; -- then\n CREATE STREAM ${n} AS SELECT ';' FROM `a;b`\n;")
	require.NoError(t, err)
	assert.Equal(t, []string{"SHOW STREAMS ;", "CREATE STREAM ${n} AS SELECT ';' FROM `a;b`\n;"}, texts)
	texts, err = Split(" -- nothing")
	require.NoError(t, err)
	assert.Empty(t, texts)
}

func TestErrorsSayWhereWhatAndWhatToDo(t *testing.T) {
	cases := []struct{ sql, message, hint string }{
		{"SHOW STREEMS;", "line 1:6: Syntax Error\nSyntax error at or near 'STREEMS' at line 1:6",
			"Did you mean STREAMS instead of 'STREEMS'?"},
		{"SHOW STREAMS", "line 1:13: Syntax Error\nmissing ';' at '<EOF>'",
			"Every statement ends with a semicolon."},
		{"SELECT * FORM S;", "line 1:10: Syntax Error\nExpecting {',', 'FROM'}",
			"Did you mean FROM instead of 'FORM'?"},
		{"SELECT *\nFROM S\nWHERE A = “x”;", "line 3:11: Syntax Error\n", "typographic quote"},
		{"SELECT A FROM S WHERE A = 'x;", "line 1:27: Syntax Error\n", "never closed with a single quote"},
		{"SELECT A FROM S ORDER BY A;", "line 1:23: Syntax Error\n", "ksqlDB has no ORDER BY."},
		{"SELECT A FROM (SELECT 1);", "line 1:15: Syntax Error\n", "no sub-queries"},
		{"SELECT DISTINCT A FROM S;", `line 1:8: Syntax Error` + "\n" + `"DISTINCT" is a reserved keyword`, "use GROUP BY"},
		{"CREATE STREAM 'x' (A INT);", "line 1:15: Syntax Error", "single quotes are for text"},
		{"CREATE STREAM X (TOPIC STRING) WITH (KAFKA_TOPIC='x');", "line 1:18: Syntax Error", "`TOPIC`"},
		{"CREATE STREAM X WITH (KAFKA_TOPIC=\"x\");", "line 1:35: Syntax Error", "double quotes are for names"},
		{"SELECT * FROM S GROUP BY A WHERE B = 1;", "line 1:28: Syntax Error\n", "The clauses come in this order"},
		{"SELECT *\u00a0FROM S;", "line 1:9: Syntax Error\n", "invisible character"},
		{"SELECT * FROM A JOIN B IN A.X = B.X;", "line 1:24: Syntax Error\nExpecting {'WITHIN', 'ON'}", "WITHIN or ON"},
		{"/* never closed", "line 1:1: Syntax Error\nUnknown statement '/'", "never closed with */"},
		{"SELECT X.A FROM S;", "Failed to prepare statement: 'X' is not a valid stream/table name or alias.", "alias"},
		{"SELECT 99999999999999999999 FROM S;", "Failed to prepare statement: line 1:9: Invalid numeric literal", "BIGINT"},
		{"INSERT INTO S (A) VALUES (1, 2);", "Failed to prepare statement: Expected number columns and values to match: 1, 2", ""},
		{"CREATE STREAM X AS SELECT A FROM S LIMIT 1;", "CREATE STREAM AS SELECT statements don't support LIMIT", ""},
		{"SELECT A, FROM S;", "line 1:11: Syntax Error", "a comma too many"},
		{"SELECT * FROM A, B;", "line 1:16: Syntax Error", "joined with JOIN"},
		{"INSERT INTO S VALUES (1), (2);", "line 1:25: Syntax Error\nExpecting ';'", "one row of VALUES"},
		{"DROP STREAM IF EXIST X;", "line 1:16: Syntax Error", "EXISTS"},
		{"CREATE TABLE AS SELECT A FROM S;", "line 1:14: Syntax Error\nSyntax error at or near 'AS' at line 1:14", "reserved word"},
		{"SELECT A FROM S WHERE (A = 1;", "line 1:29: Syntax Error\nmissing ')' at ';'", "')' was expected"},
		{"SELECT A FROM S WHERE F(A B);", "line 1:27: Syntax Error\nExpecting {',', ')'}", "',' or ')'"},
		{"SELECT F(A B) FROM S;", "line 1:12: Syntax Error\nSyntax error at or near 'B'", "',' or ')'"},
		{"SELECT A FROM S WINDOW SLIDING (5 DAYS) GROUP BY A;", "line 1:32: Syntax Error\nExpecting {'TUMBLING', 'HOPPING', 'SESSION'}", "no SLIDING windows"},
		{"SELECT * FROM S EMIT CHANGE;", "line 1:22: Syntax Error", "EMIT CHANGES"},
		{"SELECT * FROM S WERE A = 1;", "line 1:22: Syntax Error", "Did you mean WHERE instead of 'WERE'?"},
		{"SELECT A FROM S GROUPBY A;", "line 1:25: Syntax Error", "Did you mean GROUP instead of 'GROUPBY'?"},
		{"SELECT A FROM S WHERE A = 'it's';", "line 1:31: Syntax Error", "a single quote inside text is written ''"},
		{"SELECT * FROM A UNION SELECT * FROM B;", "line 1:23: Syntax Error", "ksqlDB has no UNION"},
		{"SELECT * FROM A JOIN B ON A.X = B.X WITHIN 1 HOUR;", "line 1:37: Syntax Error", "WITHIN stands before ON."},
		{"SELECT * FROM S X CHANGES;", "line 1:19: Syntax Error", "EMIT CHANGES"},
		{"SELECT * FROM S WINDOW TUMBLING (SIZE 5 FORTNIGHTS);", "line 1:41: Syntax Error\n", "a unit of time"},
	}
	for _, c := range cases {
		_, err := Parse(c.sql)
		var e *Error
		if assert.ErrorAs(t, err, &e, c.sql) {
			assert.Contains(t, e.Message, c.message, c.sql)
			assert.Contains(t, e.Hint, c.hint, c.sql)
			assert.Contains(t, err.Error(), strings.TrimSuffix(e.Message, "\n"))
			assert.Contains(t, err.Error(), e.Hint)
		}
	}
}

func TestTestStatementsNeedParseTest(t *testing.T) {
	for _, sql := range []string{"ASSERT VALUES S (A) VALUES (1);", "RUN SCRIPT 'x';", "ASSERT STREAM S;"} {
		_, err := Parse(sql)
		assert.Error(t, err, sql)
		_, err = ParseTest(sql)
		assert.NoError(t, err, sql)
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	const n = 50_000
	for name, sql := range map[string]string{
		"parentheses": "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n) + " FROM S;",
		"functions":   "SELECT " + strings.Repeat("F(", n) + "1" + strings.Repeat(")", n) + " FROM S;",
		"signs":       "SELECT " + strings.Repeat("- ", n) + "A FROM S;",
		"not":         "SELECT " + strings.Repeat("NOT ", n) + "A FROM S;",
		"chain":       "SELECT 1" + strings.Repeat(" + 1", n) + " FROM S;",
		"subscripts":  "SELECT A" + strings.Repeat("[1]", n) + " FROM S;",
		"types":       "CREATE TYPE T AS " + strings.Repeat("ARRAY<", n) + "INT" + strings.Repeat(">", n) + ";",
		"arrays":      "CREATE TYPE T AS INT" + strings.Repeat(" ARRAY", n) + ";",
		"explain":     strings.Repeat("EXPLAIN ", n) + "SHOW STREAMS;",
		"joins":       "SELECT * FROM A" + strings.Repeat(" JOIN B ON TRUE", n) + ";",
		"lambdas":     "SELECT " + strings.Repeat("F(A, X => ", n) + "1" + strings.Repeat(")", n) + " FROM S;",
	} {
		_, err := Parse(sql)
		assert.ErrorContains(t, err, "too large to parse", name)
	}
}

func TestLongTextTakesLinearTime(t *testing.T) {
	const n = 100_000
	for name, sql := range map[string]string{
		"statements":     strings.Repeat("SHOW STREAMS;\n", n),
		"columns":        "SELECT A" + strings.Repeat(", A", n) + " FROM S;",
		"open comments":  strings.Repeat("/*", n),
		"quotes":         "SELECT " + strings.Repeat("''", n) + "' FROM S;",
		"open variables": strings.Repeat("${", n),
		"lambda look":    "SELECT " + strings.Repeat("F(A, (", 100) + strings.Repeat("A, ", n) + "A FROM S;",
		"values":         "INSERT INTO S VALUES (1" + strings.Repeat(", (1)", n) + ");",
		"properties":     "CREATE STREAM S WITH (A=1" + strings.Repeat(", A=1", n) + ");",
	} {
		start := time.Now()
		_, _ = Parse(sql)
		assert.Less(t, time.Since(start), 5*time.Second, name)
	}
}

func TestSubstitute(t *testing.T) {
	vars := map[string]string{
		"n": "orders", "q": "`my orders`", "bq": "`orders`", "i": "5", "d": "-1.5", "s": "'it''s'", "t": "it's", "b": "TRUE",
	}
	cases := map[string]string{
		"SELECT * FROM ${n};":                              "SELECT * FROM orders;",
		"SELECT * FROM ${bq} WHERE A = ${i};":              "SELECT * FROM `orders` WHERE A = 5;",
		"SELECT ${d}, ${s}, ${b} FROM S;":                  "SELECT -1.5, 'it''s', TRUE FROM S;",
		"SELECT 'a ${t} ${i}${none} ${' FROM S;":           "SELECT 'a it''s 5${none} ${' FROM S;",
		"SELECT 1-${d}, A.${n}, 1${n} FROM A;":             "SELECT 1- -1.5, A.orders, 1 orders FROM A;",
		"/* ${n} */ SHOW STREAMS; -- ${n}":                 "/* ${n} */ SHOW STREAMS; -- ${n}",
		"SET 'x' = '${i}'; PRINT ${n}; PRINT '${n}';":      "SET 'x' = '5'; PRINT orders; PRINT 'orders';",
		"CREATE STREAM ${n} WITH (${n}=${i}, 'a'='${n}');": "CREATE STREAM orders WITH (orders=5, 'a'='orders');",
	}
	for sql, want := range cases {
		got, err := Substitute(sql, vars)
		if assert.NoError(t, err, sql) {
			assert.Equal(t, want, got)
		}
	}
	for sql, want := range map[string]string{
		"SELECT ${n} FROM S;":                   "Illegal argument at Line: 1, Col: 8. Got: 'orders'",
		"SELECT * FROM ${q};":                   "Illegal argument at Line: 1, Col: 15. Identifier names cannot start",
		"SELECT * FROM ${i};":                   "Got: '5'",
		"SHOW STREAMS;\nSELECT * FROM ${none};": "Illegal argument at Line: 2, Col: 15.",
		"SELECT ${i};":                          "line 1:12: Syntax Error\nExpecting {',', 'FROM'}",
		"SELECT A FROM S WHERE A = ${t};":       "Got: 'it's'",
	} {
		_, err := Substitute(sql, vars)
		assert.ErrorContains(t, err, want, sql)
	}
}

func TestUndefinedVariablesAreRefused(t *testing.T) {
	for _, sql := range []string{"SELECT A, ${x} FROM S;", "SELECT A FROM ${x};"} {
		_, err := Parse(sql)
		assert.ErrorContains(t, err, "The variable ${x} has no value", sql)
	}
}

func TestQueryClauses(t *testing.T) {
	q := mustParse(t, "SELECT A FROM S X LEFT JOIN T ON X.A = T.A JOIN U WITHIN (1 HOUR, 2 SECONDS) GRACE PERIOD 3 DAYS ON X.A = U.A "+
		"WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS, RETENTION 1 DAY) GROUP BY A LIMIT -5;").(*ast.Query)
	assert.Equal(t, ast.EmitUnspecified, q.Emit)
	require.NotNil(t, q.Limit)
	assert.Equal(t, int32(-5), *q.Limit)
	outer := q.From.(*ast.Join)
	assert.Equal(t, ast.InnerJoin, outer.Type)
	assert.Equal(t, "U", outer.Right.Ref())
	assert.Equal(t, time.Hour, outer.Within.Before.Duration())
	assert.Equal(t, int64(2000), outer.Within.After.Millis())
	assert.Equal(t, int64(3*86_400_000), outer.Within.Grace.Millis())
	inner := outer.Left.(*ast.Join)
	assert.Equal(t, ast.LeftJoin, inner.Type)
	assert.Equal(t, "X", inner.Left.(*ast.AliasedSource).Ref())
	assert.Equal(t, ast.HoppingWindow, q.Window.Type)
	assert.Equal(t, int64(5000), q.Window.Advance.Millis())
	assert.Nil(t, q.Window.Grace)
	assert.Len(t, q.GroupBy.Exprs, 1)
}

func TestReservedWordsAreThoseOfTheTree(t *testing.T) {
	for word, k := range keywords {
		assert.Equal(t, !nonReserved[k], ast.IsReserved(word), word)
	}
}
