package rehearsal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/rehearsal"
)

func TestEngineTellsWhatItHas(t *testing.T) {
	engine, err := rehearsal.New(t.Context(), map[string]int{"given": 7}, nil)
	require.NoError(t, err)
	for _, sql := range []string{
		"CREATE TYPE place AS STRUCT<street STRING>;",
		"CREATE STREAM s (k INT KEY, v place, ts BIGINT) WITH (KAFKA_TOPIC='given', VALUE_FORMAT='JSON', TIMESTAMP='ts');",
		"CREATE TABLE t WITH (PARTITIONS=2) AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY k;",
	} {
		require.NoError(t, engine.Execute(t.Context(), sql, map[string]string{"auto.offset.reset": "earliest"}), sql)
	}
	assert.Equal(t, map[string]int{"given": 7, "T": 2}, engine.Topics())
	assert.Equal(t, map[string]string{"PLACE": "STRUCT<`STREET` STRING>"}, engine.Types())
	source, ok := engine.Source("S")
	require.True(t, ok)
	assert.Equal(t, []migrate.Column{{Name: "K", Type: "INTEGER", Role: "KEY"}, {Name: "V", Type: "STRUCT<`STREET` STRING>"}, {Name: "TS", Type: "BIGINT"}}, source.Columns)
	assert.Equal(t, []any{"STREAM", "given", 7, "KAFKA", "JSON", "", "TS", ""},
		[]any{source.Kind, source.Topic, source.Partitions, source.KeyFormat, source.ValueFormat, source.Window, source.Timestamp, source.Query})
	_, ok = engine.Source("NONE")
	assert.False(t, ok)
	sources := engine.Sources()
	require.Len(t, sources, 2)
	assert.Equal(t, "TUMBLING", sources[1].Window)
	queries := engine.Queries()
	require.Len(t, queries, 1)
	assert.Equal(t, sources[1].Query, queries[0].ID)
	assert.Equal(t, []string{"S"}, queries[0].Sources)
	assert.Equal(t, "T", queries[0].Sink)
	assert.Equal(t, "earliest", queries[0].Properties["auto.offset.reset"])
	steps, ok := engine.Explain(queries[0].ID)
	require.True(t, ok)
	assert.Contains(t, steps, "[ SINK ]")
	_, ok = engine.Explain("NONE_1")
	assert.False(t, ok)
}

func TestNormalize(t *testing.T) {
	engine, err := rehearsal.New(t.Context(), nil, nil)
	require.NoError(t, err)
	for text, same := range map[string]string{
		"create or replace stream a with (partitions=3, value_format='json') as select * from b; -- all":  "CREATE STREAM IF NOT EXISTS A WITH (VALUE_FORMAT='json', REPLICAS=1, RETENTION_MS=5) AS SELECT * FROM B EMIT CHANGES;",
		"INSERT INTO a SELECT x, y+1 AS z FROM b WHERE x > 1;":                                            "insert into A\n select X, (Y + 1) as `Z` from B B where (X > 1) emit changes;",
		"CREATE TABLE t (k INT PRIMARY KEY) WITH (KAFKA_TOPIC='t');\nALTER TABLE t ADD COLUMN x VARCHAR;": "CREATE TABLE T (K INTEGER PRIMARY KEY) WITH (CLEANUP_POLICY='compact', KAFKA_TOPIC='t'); ALTER TABLE T ADD COLUMN X STRING;",
	} {
		want, err := engine.Normalize(same)
		require.NoError(t, err)
		got, err := engine.Normalize(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	one, err := engine.Normalize("INSERT INTO a SELECT x FROM b;")
	require.NoError(t, err)
	other, err := engine.Normalize("INSERT INTO a SELECT x FROM c;")
	require.NoError(t, err)
	assert.NotEqual(t, one, other)
	_, err = engine.Normalize("CREATE NOTHING;")
	assert.Error(t, err)
}
