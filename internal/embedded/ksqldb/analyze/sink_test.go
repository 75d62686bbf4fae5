package analyze_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
)

func createAs(t *testing.T, s *server, sql string) *analyze.CreateAsSelect {
	t.Helper()
	stmts, err := parser.Parse(sql)
	require.NoError(t, err)
	r, err := s.analyzer(t).Analyze(context.Background(), stmts[0])
	require.NoError(t, err)
	return r.(*analyze.CreateAsSelect)
}

func TestSinksInheritWhatTheStatementDoesNotSay(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), `
		CREATE STREAM s (id INT KEY, a INT, b STRING) WITH (kafka_topic='s', value_format='AVRO', partitions=3, retention_ms=5000);`)
	require.NoError(t, err)
	ms := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		sql        string
		topic      analyze.TopicSpec
		key, value string
	}{
		{
			"CREATE STREAM o AS SELECT * FROM s;",
			analyze.TopicSpec{Name: "O", Partitions: 3, Replicas: 1, RetentionMS: ms(5000), CleanupPolicy: "delete"}, "KAFKA", "AVRO",
		},
		{
			"CREATE STREAM o WITH (kafka_topic='x', partitions=1, retention_ms=7, value_format='JSON') AS SELECT * FROM s;",
			analyze.TopicSpec{Name: "x", Partitions: 1, Replicas: 1, RetentionMS: ms(7), Explicit: true, CleanupPolicy: "delete"}, "KAFKA", "JSON",
		},
		{
			"CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s GROUP BY id;",
			analyze.TopicSpec{Name: "O", Partitions: 3, Replicas: 1, CleanupPolicy: "compact"}, "KAFKA", "AVRO",
		},
		{
			"CREATE TABLE o WITH (key_format='JSON') AS SELECT id, b, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, RETENTION 2 DAYS) GROUP BY id, b;",
			analyze.TopicSpec{Name: "O", Partitions: 3, Replicas: 1, RetentionMS: ms(172_800_000), CleanupPolicy: "compact,delete"}, "JSON", "AVRO",
		},
		{
			"CREATE STREAM o AS SELECT * FROM s PARTITION BY NULL;",
			analyze.TopicSpec{Name: "O", Partitions: 3, Replicas: 1, RetentionMS: ms(5000), CleanupPolicy: "delete"}, "NONE", "AVRO",
		},
	} {
		r := createAs(t, s, c.sql)
		assert.Equal(t, c.topic, r.Topic, c.sql)
		assert.Equal(t, c.key, r.Source.Topic.Key.Name, c.sql)
		assert.Equal(t, c.value, r.Source.Topic.Value.Name, c.sql)
	}
}

func TestWindowsGetTheirDefaults(t *testing.T) {
	s := newServer(t)
	_, err := s.Execute(context.Background(), `CREATE STREAM s (id INT KEY, a INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);`)
	require.NoError(t, err)
	const day = 24 * time.Hour
	for _, c := range []struct {
		window, emit string
		want         plan.Window
	}{
		{"TUMBLING (SIZE 30 SECONDS)", "CHANGES", plan.Window{Type: plan.Tumbling, Size: 30 * time.Second, Advance: 30 * time.Second, Grace: day - 30*time.Second, Retention: day}},
		{"TUMBLING (SIZE 2 DAYS)", "CHANGES", plan.Window{Type: plan.Tumbling, Size: 2 * day, Advance: 2 * day, Retention: 2 * day}},
		{"HOPPING (SIZE 30 SECONDS, ADVANCE BY 10 SECONDS, GRACE PERIOD 5 SECONDS)", "CHANGES", plan.Window{Type: plan.Hopping, Size: 30 * time.Second, Advance: 10 * time.Second, Grace: 5 * time.Second, Retention: 35 * time.Second}},
		{"SESSION (1 HOUR)", "CHANGES", plan.Window{Type: plan.Session, Size: time.Hour, Advance: time.Hour, Grace: day - time.Hour, Retention: day}},
		{"TUMBLING (SIZE 30 SECONDS, RETENTION 1 MINUTE)", "FINAL", plan.Window{Type: plan.Tumbling, Size: 30 * time.Second, Advance: 30 * time.Second, Retention: time.Minute}},
	} {
		r := createAs(t, s, "CREATE TABLE o AS SELECT id, COUNT(*) AS n FROM s WINDOW "+c.window+" GROUP BY id EMIT "+c.emit+";")
		node := r.Query.Plan
		for len(node.Inputs()) > 0 {
			if agg, ok := node.(*plan.Aggregate); ok {
				assert.Equal(t, c.want, *agg.Window, c.window)
			}
			node = node.Inputs()[0]
		}
	}
}

func TestARequestIsTriedOutWithoutTouchingTheCatalog(t *testing.T) {
	s := newServer(t)
	before := len(s.Catalog.Sources())
	stmts, err := parser.Parse("CREATE STREAM s (id INT KEY, a INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
	require.NoError(t, err)
	a := s.analyzer(t)
	a.Catalog = s.Catalog.Snapshot()
	r, err := a.Analyze(context.Background(), stmts[0])
	require.NoError(t, err)
	require.NoError(t, r.Apply(a.Catalog))
	assert.Len(t, s.Catalog.Sources(), before)
	assert.Len(t, a.Catalog.Sources(), before+1)
}
