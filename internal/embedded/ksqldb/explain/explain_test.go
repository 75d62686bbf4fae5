package explain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/explain"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

const sources = `
CREATE STREAM s (id INT KEY, a INT, arr ARRAY<INT>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM r (id INT KEY, b INT) WITH (KAFKA_TOPIC='r', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE u (id INT PRIMARY KEY, w INT) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON', PARTITIONS=1);`

// explained analyzes a statement over the sources and describes its query.
func explained(t *testing.T, sql string) explain.Query {
	t.Helper()
	functions, err := function.Builtin(function.Options{})
	require.NoError(t, err)
	cfg, err := analyze.ConfigFrom(map[string]string{})
	require.NoError(t, err)
	a := &analyze.Analyzer{Catalog: catalog.New(), Functions: functions, Config: cfg}
	statements, err := parser.Parse(sources + sql)
	require.NoError(t, err)
	for _, stmt := range statements {
		if q, ok := stmt.(*ast.Query); ok {
			push, err := a.Push(t.Context(), q)
			require.NoError(t, err)
			return explain.Query{ID: "q", Plan: push.Output, Select: q}
		}
		result, err := a.Analyze(t.Context(), stmt)
		require.NoError(t, err, stmt.Text())
		require.NoError(t, result.Apply(a.Catalog))
		if r, ok := result.(*analyze.CreateAsSelect); ok {
			return explain.Query{ID: "q", Plan: r.Query.Plan, Select: stmt.(*ast.CreateAsSelect).Query}
		}
	}
	t.Fatal("the statement has no query")
	return explain.Query{}
}

func TestPlansAndTopologies(t *testing.T) {
	for sql, want := range map[string][]string{
		"SELECT id, EXPLODE(arr) AS e FROM s EMIT CHANGES;": {
			"[ FLAT_MAP ] | Schema: ID INTEGER KEY, A INTEGER, ARR ARRAY<INTEGER>, ROWTIME BIGINT, ROWPARTITION INTEGER, ROWOFFSET BIGINT, ID INTEGER, KSQL_SYNTH_0 INTEGER | Logger: q.FlatMap",
			"Processor: FlatMap (stores: [])", "KSTREAM-PROCESSOR-0000000004",
		},
		"CREATE STREAM o AS SELECT a + 1 AS k, id FROM s PARTITION BY a + 1;": {
			"[ REKEY ] | Schema: K INTEGER KEY, A INTEGER, ", "Logger: q.PartitionBy", "PartitionBy-SelectKey",
		},
		"CREATE STREAM o AS SELECT ROWKEY, s.id, a, b FROM s FULL JOIN r WITHIN 1 HOUR GRACE PERIOD 1 MINUTE ON s.id = r.id;": {
			"R_ID INTEGER, ROWKEY INTEGER", "Join-outer-this-join (stores: [KSTREAM-OUTEROTHER-0000000009-store, KSTREAM-OUTERSHARED-0000000008-store])",
			"Join-outer-other-join (stores: [KSTREAM-OUTERTHIS-0000000008-store, KSTREAM-OUTERSHARED-0000000008-store])",
		},
		"CREATE TABLE o AS SELECT t.id, v, w FROM t JOIN u ON t.id = u.id;": {
			"[ JOIN ] | Schema: T_ID INTEGER KEY, T_V INTEGER, T_ROWTIME BIGINT", "KTABLE-JOINTHIS-0000000013 (stores: [KafkaTopic_Right-Reduce])",
			"KTABLE-MERGE-0000000012", "KSTREAM-SINK-0000000017",
		},
		"CREATE STREAM o AS SELECT s.id, a, b, v FROM s JOIN r WITHIN 1 HOUR ON s.id = r.id JOIN t ON s.id = t.id;": {
			"Logger: q.L_Join", "Logger: q.PrependAliasL_Left", "Logger: q.KafkaTopic_L_Right.Source", "Logger: q.KafkaTopic_Right.Source",
		},
		"CREATE TABLE o AS SELECT v, COUNT(*) AS n, SUM(id) AS x FROM t GROUP BY v;": {
			"[ AGGREGATE ] | Schema: V INTEGER KEY, V INTEGER, ROWTIME BIGINT, ID INTEGER, KSQL_AGG_VARIABLE_0 BIGINT, KSQL_AGG_VARIABLE_1 INTEGER",
			"KTABLE-AGGREGATE-0000000010 (stores: [Aggregate-Aggregate-Materialize])", "Sub-topology: 1",
		},
		"CREATE TABLE o AS SELECT a, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY a EMIT FINAL;": {
			"[ SUPPRESS ]", "Logger: q.Aggregate.Project",
		},
	} {
		q := explained(t, sql)
		text := explain.ExecutionPlan(q) + explain.Topology(q)
		for _, part := range want {
			assert.Contains(t, text, part, "%s\n%s", sql, text)
		}
		assert.Equal(t, text, explain.ExecutionPlan(q)+explain.Topology(q))
		for _, line := range strings.Split(explain.Topology(q), "\n") {
			assert.NotContains(t, line, "topics: []", "every source has its topic: %s", sql)
		}
	}
}
