package ksql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/ksql"
)

// embeddedURL starts an embedded Kafka and ksqlDB and returns the latter's address.
func embeddedURL(t *testing.T) string {
	t.Helper()
	kafka, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, kafka.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, kafka.Stop()) })
	server, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: []string{kafka.Addr()}, DataDir: t.TempDir(),
	}})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	return "http://" + server.Addr()
}

func TestOnTheEmbeddedServer(t *testing.T) {
	url := embeddedURL(t)
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			client, err := ksql.New(ksql.Config{URL: url, HTTP2: http2})
			require.NoError(t, err)
			defer client.Close()
			testOnServer(t, client, fmt.Sprintf("_%v", http2))
		})
	}
}

// testOnServer uses streams whose names end in suffix.
func testOnServer(t *testing.T, client *ksql.Client, suffix string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	named := func(sql string) string { return strings.ReplaceAll(sql, "#", suffix) }
	earliest := map[string]string{"auto.offset.reset": "earliest"}

	info, err := client.Info(ctx)
	require.NoError(t, err)
	assert.Equal(t, "RUNNING", info.ServerStatus)
	health, err := client.Health(ctx)
	require.NoError(t, err)
	assert.True(t, health.Healthy)

	entities, err := client.Exec(ctx, named(`CREATE STREAM s# (k STRING KEY, b BIGINT, d DECIMAL(10, 2), x DOUBLE) WITH (KAFKA_TOPIC='s#', VALUE_FORMAT='JSON', PARTITIONS=2);
		CREATE TABLE t# AS SELECT k, LATEST_BY_OFFSET(b) AS b, LATEST_BY_OFFSET(d) AS d, LATEST_BY_OFFSET(x) AS x FROM s# GROUP BY k;`),
		ksql.ExecOptions{Properties: map[string]any{"auto.offset.reset": "earliest"}})
	require.NoError(t, err)
	require.Len(t, entities, 2)
	status, err := client.WaitCommand(ctx, entities[1])
	require.NoError(t, err)
	assert.NotEmpty(t, status.QueryID)
	_, err = client.Exec(ctx, named(`INSERT INTO s# VALUES ('it''s', 9007199254740993, 1.50, 0.1); INSERT INTO s# (k) VALUES ('empty');`), ksql.ExecOptions{})
	require.NoError(t, err)

	_, err = client.Exec(ctx, "CREATE STREAM ;", ksql.ExecOptions{})
	var refusal *ksql.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, ksql.CodeBadStatement, refusal.Code)
	_, err = client.Query(ctx, "SELECT * FROM nope EMIT CHANGES;", nil)
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, 400, refusal.HTTPStatus)

	// A push query from the start sees both, and is gone when it is closed.
	push, err := client.Query(ctx, named("SELECT k, b FROM s# EMIT CHANGES;"), earliest)
	require.NoError(t, err)
	seen := map[string]*int64{}
	for len(seen) < 2 && push.Next() {
		var key string
		var b *int64
		require.NoError(t, push.Scan(&key, &b))
		seen[key] = b
	}
	require.NoError(t, push.Err())
	require.NotNil(t, seen["it's"])
	assert.Equal(t, int64(9007199254740993), *seen["it's"])
	assert.Nil(t, seen["empty"])
	require.NoError(t, push.Close())
	requireGone(t, client, push.QueryID())

	left, leave := context.WithCancel(ctx)
	push, err = client.Query(left, named("SELECT k FROM s# EMIT CHANGES;"), nil)
	require.NoError(t, err)
	leave()
	assert.False(t, push.Next())
	require.ErrorIs(t, push.Err(), context.Canceled)
	requireGone(t, client, push.QueryID())

	// The table has what the stream was given.
	require.Eventually(t, func() bool {
		pull, err := client.Query(ctx, named("SELECT b, d, x FROM t# WHERE k = ")+ksql.Quote("it's")+";", nil)
		require.NoError(t, err)
		defer pull.Close()
		if !pull.Next() {
			require.NoError(t, pull.Err())
			return false
		}
		assert.Equal(t, []any{json.Number("9007199254740993"), json.Number("1.50"), json.Number("0.1")}, pull.Values())
		return true
	}, 10*time.Second, 5*time.Millisecond)

	description, err := client.Describe(ctx, strings.ToUpper("t"+suffix))
	require.NoError(t, err)
	assert.Equal(t, "TABLE", description.Type)
	assert.Equal(t, "DECIMAL(10, 2)", description.Fields[2].Schema.String())

	lines := 0
	require.NoError(t, client.Print(ctx, named("PRINT 's#' FROM BEGINNING LIMIT 2;"), nil, func(line string) error {
		if strings.HasPrefix(line, "rowtime: ") {
			lines++
		}
		return nil
	}))
	assert.Equal(t, 2, lines)
}

// requireGone waits until the server does not list a query.
func requireGone(t *testing.T, client *ksql.Client, queryID string) {
	t.Helper()
	require.NotEmpty(t, queryID)
	require.Eventually(t, func() bool {
		queries, err := client.ListQueries(t.Context())
		require.NoError(t, err)
		for _, query := range queries {
			if query.ID == queryID {
				return false
			}
		}
		return true
	}, 10*time.Second, 5*time.Millisecond, queryID)
}
