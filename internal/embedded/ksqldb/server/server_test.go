package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/ksql"
)

// post sends a statement to /ksql and gives the status and the answer.
func (s *stack) post(sql string, properties map[string]any) (int, string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"ksql": sql, "streamsProperties": properties})
	require.NoError(s.t, err)
	resp, err := http.Post("http://"+s.server.Addr()+"/ksql", "application/vnd.ksql.v1+json", strings.NewReader(string(body)))
	require.NoError(s.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(data)
}

// open sends a query to /query-stream and gives the lines of its answer.
func (s *stack) open(ctx context.Context, sql string, properties map[string]string) (*http.Response, *bufio.Scanner) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"sql": sql, "properties": properties})
	require.NoError(s.t, err)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.server.Addr()+"/query-stream", strings.NewReader(string(body)))
	require.NoError(s.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { resp.Body.Close() })
	require.Equal(s.t, http.StatusOK, resp.StatusCode)
	return resp, bufio.NewScanner(resp.Body)
}

func (s *stack) runningQueries(kind string) []ksql.RunningQuery {
	s.t.Helper()
	all, err := s.client.ListQueries(s.ctx)
	require.NoError(s.t, err)
	var found []ksql.RunningQuery
	for _, q := range all {
		if q.QueryType == kind {
			found = append(found, q)
		}
	}
	return found
}

const clicks = "CREATE STREAM clicks (user STRING KEY, page STRING, n INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=2);"

func TestAStreamMadeByHandIsReadableWithAnyKafkaClient(t *testing.T) {
	s := newStack(t)
	status, body := s.post(clicks, nil)
	require.Equal(t, http.StatusOK, status, body)
	status, body = s.post("CREATE STREAM x AS SELECT user, UCASE(page) AS page, n * 2 AS twice FROM clicks WHERE n > 1;", map[string]any{"auto.offset.reset": "earliest"})
	require.Equal(t, http.StatusOK, status, body)
	assert.Contains(t, body, `"message":"Created query with ID CSAS_X_2"`)
	s.exec("INSERT INTO clicks (user, page, n) VALUES ('ann', 'home', 1); INSERT INTO clicks (ROWTIME, user, page, n) VALUES (1700000000000, 'bob', 'cart', 7);")

	records := s.read("X", func(records []*kgo.Record) bool { return len(records) == 1 })
	assert.Equal(t, "bob", string(records[0].Key))
	assert.JSONEq(t, `{"PAGE":"CART","TWICE":14}`, string(records[0].Value))
	assert.Equal(t, int64(1700000000000), records[0].Timestamp.UnixMilli())
}

func TestARequestIsTriedOutBeforeAnyOfItIsCarriedOut(t *testing.T) {
	s := newStack(t)
	status, body := s.post(clicks+" CREATE STREAM y AS SELECT user, nothing FROM clicks;", nil)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, `"error_code":40001`)
	assert.Contains(t, body, "'NOTHING' cannot be resolved")
	streams, err := s.client.ListStreams(s.ctx)
	require.NoError(t, err)
	require.Len(t, streams, 1, "the processing log alone")

	status, body = s.post(clicks+" CREATE STREAM y AS SELECT user, page FROM clicks; INSERT INTO y (user, page) VALUES ('a', 'b'); DROP STREAM y;", nil)
	assert.Equal(t, http.StatusOK, status, body)
	assert.Empty(t, s.runningQueries("PERSISTENT"))
}

func TestRefusalsSayWhatAndWhere(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	for sql, want := range map[string]string{
		"SHOW STREEMS;":                                        `"message":"line 1:6: Syntax Error`,
		"SHOW STREAMS;\nALTER SYSTEM 'a'='b';":                 `Cannot alter system configs`,
		"SELECT * FROM clicks;":                                `"error_code":40002`,
		"PRINT clicks;":                                        `"error_code":40002`,
		"DROP STREAM nothing;":                                 `"message":"Stream NOTHING does not exist."`,
		"TERMINATE csas_nothing_1;":                            `"message":"Unknown queryId: CSAS_NOTHING_1"`,
		"INSERT INTO clicks (user, n) VALUES ('secret', 'x');": "\"statementText\":\"INSERT INTO `CLICKS` (`USER`, `N`) VALUES ('[value]', '[value]');\"",
		"CREATE STREAM c2 (a INT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=3);": "KSQL expects 3 partitions (topic has 2)",
	} {
		status, body := s.post(sql, nil)
		assert.Equal(t, 4, min(status/100, 4), body)
		assert.Contains(t, body, want)
		assert.NotContains(t, body, "secret")
	}
}

func TestPropertiesOfARequestAreChecked(t *testing.T) {
	s := newStack(t)
	for _, c := range []struct {
		properties map[string]any
		status     int
		want       string
	}{
		{map[string]any{"ksql.streams.auto.offset.reset": "earliest", "cache.max.bytes.buffering": 0, "ksql.streams.num.stream.threads": 1}, 200, "[]"},
		{map[string]any{"auto.offset.reset": "sometimes"}, 400, "Failed to coerce type of value 'sometimes'"},
		{map[string]any{"ksql.service.id": "x"}, 400, "prohibited by the KSQL server"},
		{map[string]any{"nope": true}, 500, "Not recognizable as ksql, streams, consumer, or producer property: 'nope'"},
	} {
		status, body := s.post("SHOW STREAMS;", c.properties)
		assert.Equal(t, c.status, status, body)
		assert.Contains(t, body, c.want)
	}
}

func TestAPushQueryGivesRowsAtOnceAndEndsWithItsConnection(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	ctx, cancel := context.WithCancel(s.ctx)
	_, lines := s.open(ctx, "SELECT user, n FROM clicks WHERE n > 0 EMIT CHANGES;", nil)
	require.True(t, lines.Scan())
	assert.Contains(t, lines.Text(), `"columnNames":["USER","N"]`)
	for i := range 5 {
		s.exec(fmt.Sprintf("INSERT INTO clicks (user, n) VALUES ('u%d', %d);", i, i))
		if i > 0 {
			require.True(t, lines.Scan(), lines.Err())
			assert.Equal(t, fmt.Sprintf(`["u%d",%d]`, i, i), lines.Text())
		}
	}
	assert.Len(t, s.runningQueries("PUSH"), 1)
	cancel()
	assert.Eventually(t, func() bool { return len(s.runningQueries("PUSH")) == 0 }, patience, time.Millisecond)
}

func TestAPushQueryEndsByCloseQueryAndByTerminate(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	for _, end := range []func(id string){
		func(id string) {
			resp, err := http.Post("http://"+s.server.Addr()+"/close-query", "application/json", strings.NewReader(`{"queryId":"`+id+`"}`))
			require.NoError(t, err)
			defer resp.Body.Close()
			assert.Equal(t, http.StatusOK, resp.StatusCode)
		},
		func(id string) { s.exec("TERMINATE " + id + ";") },
	} {
		_, lines := s.open(s.ctx, "SELECT * FROM clicks EMIT CHANGES;", nil)
		require.True(t, lines.Scan())
		var head struct{ QueryID string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &head))
		end(head.QueryID)
		assert.False(t, lines.Scan())
		require.NoError(t, lines.Err())
	}
}

func TestMorePushQueriesThanAllowedAreRefused(t *testing.T) {
	s := newStack(t)
	require.NoError(t, s.server.Stop())
	s.properties = map[string]string{"ksql.max.push.queries": "1"}
	s.start()
	s.exec(clicks)
	_, lines := s.open(s.ctx, "SELECT * FROM clicks EMIT CHANGES;", nil)
	require.True(t, lines.Scan())
	_, err := s.client.Query(s.ctx, "SELECT * FROM clicks EMIT CHANGES;", nil)
	require.ErrorContains(t, err, "exceed the configured limit")
	assert.Empty(t, s.rows("SELECT * FROM clicks;"), "pull queries on streams do not count")
}

func TestTablesAnswerByKeyRangeAndScan(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	s.exec("SET 'auto.offset.reset'='earliest'; CREATE TABLE sums AS SELECT user, SUM(n) AS total FROM clicks GROUP BY user;")
	s.exec("INSERT INTO clicks (user, n) VALUES ('ann', 1); INSERT INTO clicks (user, n) VALUES ('bob', 2); INSERT INTO clicks (user, n) VALUES ('ann', 3);")
	require.Eventually(t, func() bool {
		return fmt.Sprint(s.rows("SELECT total FROM sums WHERE user = 'ann';")) == "[[4]]" && len(s.rows("SELECT * FROM sums;")) == 2
	}, patience, time.Millisecond)
	assert.Equal(t, "[[bob 2]]", fmt.Sprint(s.rows("SELECT * FROM sums WHERE user > 'b';")))
	assert.Equal(t, "[[ann 4]]", fmt.Sprint(s.rows("SELECT * FROM sums WHERE total > 3;")))
	assert.Equal(t, "[[ann 4] [bob 2]]", fmt.Sprint(s.rows("SELECT * FROM sums WHERE user IN ('ann', 'bob', 'ann');")))
	assert.Len(t, s.rows("SELECT * FROM sums LIMIT 1;"), 1)
	assert.Empty(t, s.rows("SELECT * FROM sums WHERE user = 'cid';"))
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	client, err := ksql.New(ksql.Config{URL: "http://" + s.server.Addr(), HTTP2: true})
	require.NoError(t, err)
	defer client.Close()
	rows, err := client.Query(s.ctx, "SELECT user FROM clicks EMIT CHANGES;", nil)
	require.NoError(t, err)
	defer rows.Close()
	s.exec("INSERT INTO clicks (user, n) VALUES ('ann', 1);")
	require.True(t, rows.Next(), rows.Err())
	assert.Equal(t, []any{"ann"}, rows.Values())
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	s := newStack(t)
	s.exec(clicks)
	s.exec("CREATE TYPE pair AS STRUCT<a INT, b INT>;")
	s.exec("SET 'auto.offset.reset'='earliest'; CREATE TABLE sums AS SELECT user, SUM(n) AS total FROM clicks GROUP BY user; " +
		"CREATE STREAM big AS SELECT * FROM clicks WHERE n > 5; CREATE STREAM gone AS SELECT * FROM clicks;")
	s.exec("CREATE STREAM inferred WITH (KAFKA_TOPIC='typed', VALUE_FORMAT='AVRO', PARTITIONS=1) AS SELECT * FROM clicks;")
	s.exec("CREATE STREAM typed (user STRING KEY) WITH (KAFKA_TOPIC='typed', VALUE_FORMAT='AVRO');")
	s.exec("INSERT INTO clicks (user, n) VALUES ('ann', 8);")
	queries := s.runningQueries("PERSISTENT")
	s.exec("PAUSE " + queries[1].ID + "; DROP STREAM gone;")
	require.Eventually(t, func() bool { return len(s.rows("SELECT * FROM sums;")) == 1 }, patience, time.Millisecond)
	// The columns of TYPED stay what they were even when its topic moves on.
	s.exec("DROP STREAM inferred; CREATE STREAM inferred WITH (KAFKA_TOPIC='typed', VALUE_FORMAT='AVRO', PARTITIONS=1) AS SELECT user, page, n, 'x' AS added FROM clicks;")
	before := s.state()

	require.NoError(t, s.server.Stop())
	s.start()
	assert.Equal(t, before, s.state())
	assert.Equal(t, "[[ann 8]]", fmt.Sprint(s.rows("SELECT * FROM sums;")))
	s.exec("INSERT INTO clicks (user, n) VALUES ('ann', 1); RESUME ALL;")
	require.Eventually(t, func() bool { return fmt.Sprint(s.rows("SELECT * FROM sums;")) == "[[ann 9]]" }, patience, time.Millisecond)
	s.read("BIG", func(records []*kgo.Record) bool { return len(records) == 1 })
	status, body := s.post("CREATE STREAM gone AS SELECT * FROM clicks;", nil)
	assert.Equal(t, http.StatusOK, status, body)
}

// state is what the server tells of its metastore.
func (s *stack) state() string {
	s.t.Helper()
	var all strings.Builder
	for _, sql := range []string{"SHOW STREAMS;", "SHOW TABLES;", "SHOW QUERIES;", "SHOW TYPES;", "DESCRIBE STREAMS;", "DESCRIBE TABLES;"} {
		status, body := s.post(sql, nil)
		require.Equal(s.t, http.StatusOK, status, body)
		all.WriteString(body + "\n")
	}
	return all.String()
}

func TestStartAndStop(t *testing.T) {
	s := newStack(t)
	require.NoError(t, s.server.Start(s.ctx), "a second start does nothing")
	taken, err := server.New(server.Config{Listen: s.server.Addr(), Config: engine.Config{Brokers: s.brokers, DataDir: t.TempDir()}})
	require.NoError(t, err)
	require.ErrorContains(t, taken.Start(s.ctx), s.server.Addr()+": the port is in use")
	s.exec(clicks)
	_, lines := s.open(s.ctx, "SELECT * FROM clicks EMIT CHANGES;", nil)
	require.True(t, lines.Scan())
	require.NoError(t, s.server.Stop(), "a push query that runs is ended")
	assert.False(t, lines.Scan())
	require.NoError(t, s.server.Stop())
	require.Error(t, s.server.Start(s.ctx))
	_, err = server.New(server.Config{})
	require.Error(t, err)
}
