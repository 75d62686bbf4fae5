package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded"
	"github.com/orderflow/orderflow/internal/ksql"
)

// testServer is a server to run SQL tests on.
type testServer struct {
	*embedded.Stack
	t      *testing.T
	client *ksql.Client
	admin  *kadm.Client
	schema *sr.Client
}

func startTestServer(t *testing.T) *testServer {
	t.Helper()
	free := embedded.Server{Listen: "127.0.0.1:0"}
	stack, err := embedded.Start(t.Context(), embedded.Config{
		DataDir: t.TempDir(), Kafka: free, SchemaRegistry: free, Elasticsearch: free, Connect: free, KsqlDB: free,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stack.Stop()) })
	client, err := ksql.New(ksql.Config{URL: stack.KsqlDB()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	kafka, err := kgo.NewClient(kgo.SeedBrokers(stack.Brokers()...), kgo.MetadataMinAge(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	schema, err := sr.NewClient(sr.URLs(stack.SchemaRegistry()))
	require.NoError(t, err)
	return &testServer{stack, t, client, kadm.NewClient(kafka), schema}
}

// test runs `orderflow test --on-server`.
func (s *testServer) test(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"test", "--on-server", "--wait", "2s", "--settle", "50ms",
		"--kafka", s.Brokers()[0], "--schema-registry", s.SchemaRegistry(), "--ksqldb", s.KsqlDB()}, args...)
	code = run(ctx, args, &out, &errs, func(string) (string, bool) { return "", false })
	return code, out.String(), errs.String()
}

// left lists what is on the server.
func (s *testServer) left() (names []string) {
	s.t.Helper()
	streams, err := s.client.ListStreams(s.t.Context())
	require.NoError(s.t, err)
	tables, err := s.client.ListTables(s.t.Context())
	require.NoError(s.t, err)
	for _, source := range append(streams, tables...) {
		names = append(names, source.Name)
	}
	types, err := s.client.ListTypes(s.t.Context())
	require.NoError(s.t, err)
	for name := range types {
		names = append(names, name)
	}
	found, err := s.admin.ListTopics(kadm.WithAuthorizedOps(s.t.Context()))
	require.NoError(s.t, err)
	names = append(names, found.Names()...)
	subjects, err := s.schema.Subjects(s.t.Context())
	require.NoError(s.t, err)
	return append(names, subjects...)
}

func writeSQL(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// times are what differs from run to run.
var times = regexp.MustCompile(`\(\S+s\)|, [\d.]+m?s\n|time="[\d.]+"`)

const failingTests = `--@test: another value
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=3);
CREATE STREAM o AS SELECT id, v * 2 AS d FROM s;
INSERT INTO s VALUES (1, 2);
INSERT INTO s (id, v, ROWTIME) VALUES (1, 3, 30);
INSERT INTO s (id, v) VALUES (1, 4);
ASSERT VALUES s (id, v, ROWTIME) VALUES (1, 2, 0);
ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 4, 0);
ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 6, 30);
ASSERT VALUES o (id, d, ROWTIME) VALUES (1, 8, 31);
--@test: a record too few
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='AVRO', partitions=1);
INSERT INTO s (id, v) VALUES (7, 2);
ASSERT VALUES s (id) VALUES (7);
ASSERT VALUES s (id) VALUES (7);
--@test: a tombstone
CREATE TABLE s (id INT PRIMARY KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s (id, v) VALUES (7, 2);
ASSERT NULL VALUES s (id) KEY (7);
--@test: what is refused, and a type
CREATE TYPE pair AS STRUCT<a INT>;
CREATE STREAM s (id INT KEY, v PAIR) WITH (kafka_topic='s', value_format='JSON', partitions=1);
ASSERT STREAM s (id INT KEY, v STRUCT<a INT>) WITH (kafka_topic='s', value_format='JSON');
CREATE STREAM o AS SELECT v FROM s;
--@test: an error that does not come
--@expected.message: must include the key column
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
--@test: a query that is ended, and a topic that is made anew
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v FROM s;
INSERT INTO s (id, v) VALUES (1, 1);
TERMINATE CSAS_O_0;
INSERT INTO s (id, v) VALUES (1, 2);
DROP STREAM o DELETE TOPIC;
CREATE STREAM s2 (id INT KEY, v INT) WITH (kafka_topic='s2', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, v FROM s2;
INSERT INTO s2 (id, v) VALUES (1, 3);
ASSERT VALUES o (v) VALUES (1);
ASSERT VALUES o (v) VALUES (3);
`

func TestSQLTestsGiveTheSameVerdictsOnAServer(t *testing.T) {
	server := startTestServer(t)
	before := server.left()
	failing := writeSQL(t, "failing.sql", failingTests)
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"migrations":      {[]string{migrationTests, "--run", "2000 fails|a minute apart|30 seconds begin|by the registered schema"}, 0},
		"statements":      {[]string{"../../internal/embedded/ksqldb/sqltest/testdata", "--no-schemas"}, 0},
		"those that fail": {[]string{failing, "--no-schemas"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			junit := filepath.Join(t.TempDir(), "junit.xml")
			args := append(c.args, "--junit", junit)
			code, want, wantErrs := runTestCommand(t, args...)
			require.Equal(t, c.code, code, want)
			wantReport, err := os.ReadFile(junit)
			require.NoError(t, err)
			code, got, errs := server.test(t.Context(), args...)
			assert.Equal(t, c.code, code)
			assert.Equal(t, times.ReplaceAllString(want, ""), times.ReplaceAllString(got, ""))
			assert.Equal(t, wantErrs, errs)
			report, err := os.ReadFile(junit)
			require.NoError(t, err)
			assert.Equal(t, times.ReplaceAllString(string(wantReport), ""), times.ReplaceAllString(string(report), ""))
			assert.Equal(t, before, server.left(), "nothing stays")
		})
	}
}

func TestSQLTestsThatNeedTheVirtualClockAreSkippedOnAServer(t *testing.T) {
	server := startTestServer(t)
	junit := filepath.Join(t.TempDir(), "junit.xml")
	code, out, errs := server.test(t.Context(), "--no-schemas", "--junit", junit, writeSQL(t, "clock.sql", `--@test: the time
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT id, unix_timestamp() AS t FROM s;
--@test: late
CREATE STREAM s (id INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
INSERT INTO s (id, v) VALUES (1, 1);
CREATE STREAM o AS SELECT id, v FROM s;
`))
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "     needs the virtual clock: UNIX_TIMESTAMP() gives the server's own time (line 3)\n")
	assert.Contains(t, out, "     needs the virtual clock: on a server the query that line 7 makes would also read what topic s had before it\n")
	assert.Contains(t, out, "2 tests, 0 failed, 2 skipped")
	report, err := os.ReadFile(junit)
	require.NoError(t, err)
	assert.Contains(t, string(report), `skipped="2"`)
}

func TestSQLTestsLeaveWhatIsNotTheirs(t *testing.T) {
	server := startTestServer(t)
	_, err := server.admin.CreateTopics(t.Context(), 1, 1, nil, "theirs", "orders.v1")
	require.NoError(t, err)
	before := server.left()
	for want, text := range map[string]string{
		"topic theirs is on the Kafka cluster already":    "CREATE STREAM s (id INT KEY) WITH (kafka_topic='theirs', value_format='JSON');",
		"topic orders.v1 is on the Kafka cluster already": "CREATE STREAM s (id INT KEY) WITH (kafka_topic='s', value_format='JSON', partitions=1);\nCREATE STREAM o WITH (kafka_topic='orders.v1') AS SELECT * FROM s;",
		"has no use for this statement":                   "CREATE SINK CONNECTOR c WITH ('a' = 'b');",
	} {
		code, out, _ := server.test(t.Context(), "--no-schemas", writeSQL(t, "a.sql", "--@test: a\n--@expected.message: on the Kafka cluster already\n"+text))
		assert.Equal(t, 1, code)
		assert.Contains(t, out, want)
	}
	code, out, _ := server.test(t.Context(), writeSQL(t, "a.sql", "--@test: a\nCREATE STREAM s (id INT KEY) WITH (kafka_topic='s', value_format='JSON', partitions=1);"))
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "topic orders.v1 is on the Kafka cluster already, and tests delete the topics that they use")
	assert.Equal(t, before, server.left())

	_, err = server.client.Exec(t.Context(), "CREATE STREAM mine (id INT) WITH (kafka_topic='theirs', value_format='JSON');", ksql.ExecOptions{})
	require.NoError(t, err)
	code, _, errs := server.test(t.Context(), "--no-schemas", writeSQL(t, "a.sql", "--@test: a\nDROP STREAM mine DELETE TOPIC;"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "has 1 streams and tables (MINE among them), and tests need a server that has none")
	assert.Contains(t, server.left(), "MINE")
}

func TestAnInterruptedSQLTestCleansUp(t *testing.T) {
	server := startTestServer(t)
	before := server.left()
	ctx, interrupt := context.WithCancel(t.Context())
	path := writeSQL(t, "a.sql", `--@test: waits
CREATE STREAM a (id INT KEY, v INT) WITH (kafka_topic='a', value_format='AVRO', partitions=1);
CREATE STREAM b (id INT KEY, v INT) WITH (kafka_topic='b', value_format='JSON', partitions=1);
CREATE STREAM o AS SELECT a.id AS id, a.v AS v FROM a JOIN b WITHIN 1 HOUR ON a.id = b.id;
INSERT INTO a (id, v) VALUES (1, 1);
ASSERT VALUES o (id) VALUES (1);
`)
	done := make(chan struct{})
	var code int
	var errs string
	go func() {
		defer close(done)
		code, _, errs = server.test(ctx, "--settle", "1h", path)
	}()
	require.Eventually(t, func() bool {
		ends, err := server.admin.ListEndOffsets(t.Context(), "a")
		if err != nil {
			return false
		}
		end, _ := ends.Lookup("a", 0)
		return end.Offset > 0
	}, 20*time.Second, 5*time.Millisecond)
	interrupt()
	<-done
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "context canceled")
	assert.Equal(t, before, server.left())
}
