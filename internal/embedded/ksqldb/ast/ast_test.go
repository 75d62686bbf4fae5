package ast_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

func statement(t *testing.T, sql string) ast.Statement {
	t.Helper()
	statements, err := parser.ParseTest(sql)
	require.NoError(t, err)
	require.Len(t, statements, 1)
	return statements[0]
}

func expression(t *testing.T, sql string) ast.Expr {
	t.Helper()
	e, err := parser.ParseExpr(sql)
	require.NoError(t, err)
	return e
}

// everything has a node of each type that Walk must go through.
var everything = []string{
	"SELECT *, S.*, A->B->*, A->B AS C, D[1], F(*), F(X, Y => Y + 1), TIMESTAMPADD(DAYS, 1, T), A || B, -A, A = 1 AND B <> 2, " +
		"NOT A, A IS NULL, A BETWEEN 1 AND 2, A IN (1, 2), A LIKE 'x', CASE WHEN A THEN 1 ELSE 2 END, CASE A WHEN 1 THEN 2 ELSE 3 END, " +
		"CAST(A AS STRUCT<X INT, Y MAP<STRING, ARRAY<INT>>>), ARRAY[A], MAP(A := B), STRUCT(A := B) " +
		"FROM S JOIN T WITHIN (1 DAY, 2 DAYS) GRACE PERIOD 1 HOUR ON S.A = T.B " +
		"WINDOW HOPPING (SIZE 1 DAY, ADVANCE BY 1 HOUR, RETENTION 3 DAYS, GRACE PERIOD 1 DAY) WHERE A = 1 GROUP BY A, B HAVING C = 1;",
	"CREATE STREAM X (A INT KEY) WITH (KAFKA_TOPIC='x');",
	"CREATE STREAM X WITH (KAFKA_TOPIC='x') AS SELECT A FROM S PARTITION BY A;",
	"INSERT INTO X WITH (QUERY_ID='q') SELECT A FROM S;",
	"INSERT INTO X (A) VALUES (1);", "DROP STREAM X;", "ALTER STREAM X ADD COLUMN A INT;", "CREATE TYPE T AS INT;", "DROP TYPE T;",
	"TERMINATE Q;", "PAUSE Q;", "RESUME Q;", "DESCRIBE X;", "DESCRIBE FUNCTION X;", "DESCRIBE CONNECTOR X;", "EXPLAIN Q;", "EXPLAIN SELECT A FROM S;",
	"CREATE SOURCE CONNECTOR X WITH (A='b');", "DROP CONNECTOR X;", "ASSERT TOPIC X WITH (A=1) TIMEOUT 1 DAY;", "ASSERT SCHEMA ID 1 TIMEOUT 1 DAY;",
	"ASSERT VALUES X (A) VALUES (1);", "ASSERT NULL VALUES X (A) KEY (1);", "ASSERT STREAM X (A INT) WITH (A=1);",
}

func TestWalkReachesEveryNode(t *testing.T) {
	for _, sql := range everything {
		s := statement(t, sql)
		want := map[ast.Node]bool{}
		collect(reflect.ValueOf(s), want)
		ast.Walk(s, func(n ast.Node) bool {
			delete(want, n)
			return true
		})
		for n := range want {
			assert.Failf(t, "not reached", "%T %s in %s", n, ast.Format(n), sql)
		}
	}
}

// collect finds all nodes that a value holds.
func collect(v reflect.Value, into map[ast.Node]bool) {
	switch v.Kind() {
	case reflect.Interface, reflect.Slice:
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				collect(v.Index(i), into)
			}
		} else if !v.IsNil() {
			collect(v.Elem(), into)
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if n, ok := v.Interface().(ast.Node); ok {
			into[n] = true
		}
		collect(v.Elem(), into)
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), into)
		}
	}
}

func TestWalkGoesInTheOrderOfTheText(t *testing.T) {
	last := -1
	ast.Walk(statement(t, everything[0]), func(n ast.Node) bool {
		if _, ok := n.(ast.Literal); ok {
			assert.Greater(t, n.Pos().Offset, last)
			last = n.Pos().Offset
		}
		return true
	})
	assert.Positive(t, last)
}

func TestExprsGivesTheRoots(t *testing.T) {
	var got []string
	for _, e := range ast.Exprs(statement(t, "SELECT A + 1, B->* FROM S JOIN T ON S.X = T.Y WHERE C GROUP BY D, E;")) {
		got = append(got, ast.Format(e))
	}
	assert.Equal(t, []string{"(A + 1)", "B", "(S.X = T.Y)", "C", "D", "E"}, got)
}

func TestRewriteReplacesEverywhereAndLeavesTheOriginal(t *testing.T) {
	for _, item := range statement(t, everything[0]).(*ast.Query).Select {
		column, ok := item.(*ast.SingleColumn)
		if !ok {
			continue
		}
		before := ast.Format(column.Expr)
		rewritten := ast.Rewrite(column.Expr, func(e ast.Expr) ast.Expr {
			if _, ok := e.(*ast.ColumnRef); ok {
				return &ast.IntegerLiteral{Value: 42}
			}
			return e
		})
		assert.Equal(t, before, ast.Format(column.Expr))
		ast.Walk(rewritten, func(n ast.Node) bool {
			_, ok := n.(*ast.ColumnRef)
			assert.False(t, ok, "%s", ast.Format(rewritten))
			return true
		})
	}
}

func TestSame(t *testing.T) {
	same := [][2]string{
		{"a + 1", "A  +  1"}, {"`A`", "a"}, {"CAST(a AS INT)", "cast(A as integer)"}, {"(a)", "a"}, {"a != b", "a <> b"}, {".5", "0.5"},
	}
	for _, c := range same {
		assert.True(t, ast.Same(expression(t, c[0]), expression(t, c[1])), c)
	}
	different := [][2]string{
		{"a + 1", "a + 2"}, {"`a`", "a"}, {"s.a", "a"}, {"1", "1.0"}, {"f(a)", "f(a, a)"}, {"a is null", "a is not null"},
		{"cast(a as int)", "cast(a as bigint)"}, {"f(*)", "f()"}, {"'a'", "a"}, {"1.0", "1.00"},
	}
	for _, c := range different {
		assert.False(t, ast.Same(expression(t, c[0]), expression(t, c[1])), c)
	}
	var none *ast.Window
	assert.True(t, ast.Same(nil, none))
	assert.False(t, ast.Same(none, expression(t, "1")))
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"A": "A", "a": "`a`", "A b": "`A b`", "SELECT": "`SELECT`", "KEY": "KEY", "1A": "1A", "1": "`1`", "1E3": "`1E3`", "E3": "E3",
		"A`B": "`A``B`", "": "``", "_A@1": "_A@1", "@A": "`@A`", "Ä": "`Ä`", "DAYS": "`DAYS`",
	} {
		assert.Equal(t, want, ast.QuoteName(name))
	}
	assert.True(t, ast.IsReserved("select"))
	assert.False(t, ast.IsReserved("Key"))
}

func TestMaskHidesValues(t *testing.T) {
	for sql, want := range map[string]string{
		"INSERT INTO s1 (id, `a`) VALUES (1, 'secret');":                                    "INSERT INTO `S1` (`ID`, `a`) VALUES ('[value]', '[value]');",
		"INSERT INTO s1 VALUES (1);":                                                        "INSERT INTO `S1` VALUES ('[value]');",
		"create source connector c with ('connector.class'='x', 'password'='secret', n=1);": "CREATE SOURCE CONNECTOR C WITH ('connector.class'='x', 'password'='[string]', N='[string]');",
		"drop  stream x;": "drop  stream x;",
	} {
		assert.Equal(t, want, ast.Mask(statement(t, sql)))
	}
}

func TestDurationsDoNotOverflow(t *testing.T) {
	d := ast.Duration{Value: math.MaxInt64, Unit: ast.Day}
	assert.Equal(t, int64(math.MaxInt64), d.Millis())
	assert.Positive(t, d.Duration())
	d.Value = math.MinInt64
	assert.Equal(t, int64(math.MinInt64), d.Millis())
	assert.Equal(t, 36*time.Hour, ast.Duration{Value: 36, Unit: ast.Hour}.Duration())
}
