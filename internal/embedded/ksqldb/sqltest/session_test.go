package sqltest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/ksql/testrun"
)

func TestScripts(t *testing.T) {
	runner, err := testrun.New(testrun.Config{NewEngine: func(context.Context) (testrun.Engine, error) { return sqltest.NewSession(sqltest.Options{}) }})
	require.NoError(t, err)
	results, err := runner.RunFile(t.Context(), "testdata/statements.sql")
	require.NoError(t, err)
	for _, r := range results {
		t.Run(r.Name, func(t *testing.T) { assert.NoError(t, r.Err) })
	}
}

func TestDeleteTopicTakesTheRecordsAway(t *testing.T) {
	s, err := sqltest.NewSession(sqltest.Options{ForgetDeleted: true})
	require.NoError(t, err)
	for _, sql := range []string{
		"CREATE STREAM s (k INT KEY, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);",
		"INSERT INTO s (k, v) VALUES (1, 2);",
		"ASSERT VALUES s (k, v) VALUES (1, 2);",
		"DROP STREAM s DELETE TOPIC;",
		"CREATE STREAM s (k INT KEY, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=3);",
		"INSERT INTO s (k, v) VALUES (1, 3);",
		"ASSERT VALUES s (k, v) VALUES (1, 3);",
	} {
		require.NoError(t, s.Execute(t.Context(), sql, nil), sql)
	}
}
