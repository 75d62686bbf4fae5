package ksql_test

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestInfoAndHealth(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/info", 200, `{"KsqlServerInfo":{"version":"7.9.0","kafkaClusterId":"abc","ksqlServiceId":"default_","serverStatus":"RUNNING"}}`)
	server.answer("/healthcheck", 200, `{"isHealthy":false,"details":{"kafka":{"isHealthy":true},"commandRunner":{"isHealthy":false}},"serverState":"READY"}`)
	client := server.client(t)
	info, err := client.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ksql.Info{Version: "7.9.0", KafkaClusterID: "abc", ServiceID: "default_", ServerStatus: "RUNNING"}, info)
	health, err := client.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ksql.Health{Details: map[string]bool{"kafka": true, "commandRunner": false}, ServerState: "READY"}, health)
}

func TestInfoKeepsTheServersError(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/info", 503, `{"@type":"generic_error","error_code":50302,"message":"KSQL is not yet ready to serve requests."}`)
	_, err := server.client(t).Info(t.Context())
	require.ErrorContains(t, err, "asking for the server's info")
	assert.True(t, ksql.IsNotReady(err))
}

func TestWaitCommandAsksUntilItIsOver(t *testing.T) {
	entity := ksql.Entity{CommandID: "stream/`A B`/create", CommandStatus: ksql.CommandStatus{Status: ksql.StatusQueued, QueryID: "CSAS_1"}}
	for _, test := range []struct{ last, wantErr string }{{"SUCCESS", ""}, {"ERROR", "it broke"}} {
		server := newFakeServer(t)
		var asked atomic.Int32
		server.mux.HandleFunc("/status/", func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				_, _ = io.WriteString(w, `{"status":"EXECUTING","message":"Executing statement","queryId":null}`)
				return
			}
			_, _ = io.WriteString(w, `{"status":"`+test.last+`","message":"it broke","queryId":null}`)
		})
		status, err := server.client(t).WaitCommand(t.Context(), entity)
		assert.Equal(t, ksql.CommandStatus{Status: test.last, Message: "it broke", QueryID: "CSAS_1"}, status)
		if test.wantErr == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, test.wantErr)
		}
		assert.Equal(t, "/status/stream/%60A%20B%60/create", server.requests[0].Path)
	}
}

func TestWaitCommandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	entity := ksql.Entity{CommandID: "stream/`A`/create", CommandStatus: ksql.CommandStatus{Status: ksql.StatusQueued}}
	_, err := newFakeServer(t).client(t).WaitCommand(ctx, entity)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = newFakeServer(t).client(t).WaitCommand(t.Context(), ksql.Entity{Type: "streams"})
	assert.NoError(t, err, "an entity without a command")
}

func TestCommandStatusRefusesWhatIsNoCommand(t *testing.T) {
	for _, id := range []string{"", "stream", "stream/x"} {
		_, err := newFakeServer(t).client(t).CommandStatus(t.Context(), id)
		assert.ErrorContains(t, err, "type/entity/action", id)
	}
}

func TestListsAndDescribe(t *testing.T) {
	server := newFakeServer(t)
	answers := map[string]string{
		"SHOW STREAMS;": `[{"@type":"streams","streams":[{"type":"STREAM","name":"S","topic":"s","keyFormat":"KAFKA","valueFormat":"AVRO","isWindowed":false}],"warnings":[]}]`,
		"SHOW TABLES;":  `[{"@type":"tables","tables":[{"type":"TABLE","name":"T","topic":"t","keyFormat":"JSON","valueFormat":"AVRO","isWindowed":true}],"warnings":[]}]`,
		"SHOW QUERIES;": `[{"@type":"queries","queries":[{"queryString":"q","sinks":["T"],"sinkKafkaTopics":["t"],"id":"CTAS_T_1","statusCount":{"RUNNING":1},"queryType":"PERSISTENT","state":"RUNNING"}],"warnings":[]}]`,
		"DESCRIBE `t`;": `[{"@type":"sourceDescription","sourceDescription":{"name":"t","windowType":"TUMBLING","type":"TABLE","topic":"t","fields":[
			{"name":"K","schema":{"type":"BIGINT","fields":null,"memberSchema":null},"type":"KEY"},
			{"name":"D","schema":{"type":"DECIMAL","fields":null,"memberSchema":null,"parameters":{"precision":6,"scale":2}}},
			{"name":"M","schema":{"type":"MAP","fields":null,"memberSchema":{"type":"ARRAY","fields":null,"memberSchema":{"type":"STRUCT","fields":[
				{"name":"x","schema":{"type":"INTEGER","fields":null,"memberSchema":null}},{"name":"Y","schema":{"type":"STRING","fields":null,"memberSchema":null}}],"memberSchema":null}}}}],
			"readQueries":[],"writeQueries":[],"extended":false},"warnings":[]}]`,
		"DESCRIBE `t` EXTENDED;": `[{"@type":"sourceDescription","sourceDescription":{"name":"t","extended":true,"queryOffsetSummaries":[
			{"groupId":"g1","topicSummaries":[{"kafkaTopic":"s","offsets":[{"partition":1,"logStartOffset":0,"logEndOffset":9,"consumerOffset":7}]}]},
			{"groupId":"g2","topicSummaries":[]}]},"warnings":[]}]`,
		"SHOW NOTHING;": `[]`,
	}
	server.mux.HandleFunc("/ksql", func(w http.ResponseWriter, _ *http.Request) {
		requests := server.asked("/ksql")
		_, _ = io.WriteString(w, answers[object(t, requests[len(requests)-1].Body)["ksql"].(string)])
	})
	client := server.client(t)

	streams, err := client.ListStreams(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []ksql.Source{{Name: "S", Type: "STREAM", Topic: "s", KeyFormat: "KAFKA", ValueFormat: "AVRO"}}, streams)
	tables, err := client.ListTables(t.Context())
	require.NoError(t, err)
	assert.True(t, tables[0].IsWindowed)
	queries, err := client.ListQueries(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "CTAS_T_1", queries[0].ID)
	assert.Equal(t, map[string]int{"RUNNING": 1}, queries[0].StatusCount)
	description, err := client.Describe(t.Context(), "t")
	require.NoError(t, err)
	assert.Equal(t, "TUMBLING", description.WindowType)
	assert.Equal(t, "KEY", description.Fields[0].Type)
	assert.Equal(t, "DECIMAL(6, 2)", description.Fields[1].Schema.String())
	assert.Equal(t, "MAP<STRING, ARRAY<STRUCT<`x` INTEGER, `Y` STRING>>>", description.Fields[2].Schema.String())
	offsets, err := client.WriterOffsets(t.Context(), "t")
	require.NoError(t, err)
	require.Len(t, offsets, 2)
	assert.Equal(t, "s", offsets[0].Topics[0].Topic)
	assert.Equal(t, int64(7), offsets[0].Topics[0].Offsets[0].Committed)
	assert.Empty(t, offsets[1].Topics, "nothing is committed yet")
}

func TestConnectorsAndQueryErrors(t *testing.T) {
	server := newFakeServer(t)
	server.mux.HandleFunc("/ksql", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked := object(t, string(body))["ksql"]
		switch asked {
		case "SHOW CONNECTORS;":
			_, _ = io.WriteString(w, `[{"@type":"connector_list","statementText":"SHOW CONNECTORS;","warnings":[],"connectors":[{"name":"a","type":"source","className":"x","state":"RUNNING"},{"name":"B"}]}]`)
		default:
			assert.Equal(t, "EXPLAIN CSAS_A_1;", asked)
			_, _ = io.WriteString(w, `[{"@type":"queryDescription","queryDescription":{"id":"CSAS_A_1","queryErrors":[{"timestamp":1,"errorMessage":"first","type":"USER"},{"errorMessage":"second"}]}}]`)
		}
	})
	client := server.client(t)
	names, err := client.ListConnectors(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "B"}, names)
	messages, err := client.QueryErrors(t.Context(), "CSAS_A_1")
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "second"}, messages)
}
