package analyze_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
)

// FuzzAnalyze takes any statement that parses through analysis: it is planned
// or refused, and what is planned can be applied to the catalog.
func FuzzAnalyze(f *testing.F) {
	for _, sql := range []string{
		"CREATE STREAM o AS SELECT a.id, x, y FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id WHERE x > 1 PARTITION BY y;",
		"CREATE TABLE o AS SELECT s->f, COUNT(*) AS n FROM a WINDOW HOPPING (SIZE 1 MINUTE, ADVANCE BY 1 SECOND) GROUP BY s->f HAVING COUNT(*) > 1 EMIT FINAL;",
		"CREATE TABLE o AS SELECT t.id, v, q FROM t LEFT JOIN u ON t.fk = u.id;",
		"CREATE STREAM o AS SELECT ROWKEY, a.*, b.y FROM a FULL OUTER JOIN b WITHIN (1 SECOND, 2 SECONDS) GRACE PERIOD 1 DAY ON ABS(a.id) = ABS(b.id);",
		"CREATE OR REPLACE SOURCE TABLE IF NOT EXISTS x (id INT PRIMARY KEY, v DECIMAL(4, 2)) WITH (kafka_topic='x', format='AVRO', window_type='TUMBLING', window_size='1 SECOND');",
		"INSERT INTO b SELECT id, x AS y, EXPLODE(arr) AS z FROM a;",
		"INSERT INTO a (id, s, arr) VALUES (1, STRUCT(f := 1), ARRAY[1, NULL]);",
		"SELECT * FROM agg WHERE id IN (1, 2) AND NOT n = 3 OR id BETWEEN 3 AND 4 LIMIT 1;",
		"SELECT s->*, TRANSFORM(arr, e => e + x) FROM a EMIT CHANGES LIMIT 3;",
		"ALTER STREAM a ADD COLUMN c MAP<STRING, ARRAY<INT>>; DROP TABLE agg DELETE TOPIC; CREATE TYPE z AS STRUCT<a INT>; DROP TYPE z;",
	} {
		f.Add(sql)
	}
	functions, err := function.Builtin(function.Options{})
	require.NoError(f, err)
	e, err := sqltest.New(sqltest.Options{Functions: functions})
	require.NoError(f, err)
	_, err = e.Execute(context.Background(), `
		CREATE STREAM a (id INT KEY, x INT, s STRUCT<f INT, g STRING>, arr ARRAY<INT>) WITH (kafka_topic='a', value_format='JSON', partitions=1);
		CREATE STREAM b (id INT KEY, y INT, z STRING) WITH (kafka_topic='b', value_format='AVRO', partitions=1);
		CREATE TABLE t (id INT PRIMARY KEY, v INT, fk INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);
		CREATE TABLE u (id INT PRIMARY KEY, q STRING) WITH (kafka_topic='u', value_format='JSON', partitions=1);
		CREATE TABLE agg AS SELECT id, COUNT(*) AS n FROM a GROUP BY id;`)
	require.NoError(f, err)
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, sql string) {
		stmts, err := parser.Parse(sql)
		if err != nil {
			return
		}
		a := &analyze.Analyzer{
			Catalog: e.Catalog.Snapshot(), Functions: functions, Registry: e.Registry(), Topics: e, Config: analyze.DefaultConfig(),
		}
		for _, stmt := range stmts {
			switch stmt := stmt.(type) {
			case *ast.Query:
				if _, err := a.Pull(ctx, stmt); err != nil {
					require.NotEmpty(t, err.Error())
				}
				if q, err := a.Push(ctx, stmt); err == nil {
					require.NotEmpty(t, q.Output.Columns)
				}
			case *ast.InsertValues:
				if _, err := a.InsertValues(stmt); err != nil {
					require.NotEmpty(t, err.Error())
				}
			default:
				if r, err := a.Analyze(ctx, stmt); err == nil {
					require.NoError(t, r.Apply(a.Catalog))
				}
			}
		}
	})
}
