package ksql_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestNewRefusesAnAddressThatIsNone(t *testing.T) {
	for _, url := range []string{"localhost:8088", "ftp://x", "http://", "http://a/?q=1", "http://a b/", "://"} {
		_, err := ksql.New(ksql.Config{URL: url})
		assert.Error(t, err, url)
	}
	client, err := ksql.New(ksql.Config{})
	require.NoError(t, err)
	assert.Equal(t, ksql.DefaultURL, client.URL())
	client.Close()
	client.Close()
}

const createdEntity = `[{"@type":"currentStatus","statementText":"CREATE STREAM A (K STRING KEY) WITH (KAFKA_TOPIC='a');",
	"commandId":"stream/` + "`A`" + `/create","commandStatus":{"status":"SUCCESS","message":"Stream created","queryId":null},
	"commandSequenceNumber":9007199254740993,"warnings":[{"message":"mind the gap"}]},
	{"@type":"streams","statementText":"SHOW STREAMS;","streams":[],"warnings":[]}]`

func TestExecSendsTheStatementAsItIs(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/ksql", 200, createdEntity)
	sequence := int64(0)
	const sql = "-- a comment\nCREATE STREAM a (k STRING KEY) WITH (KAFKA_TOPIC='two  blanks\tand <tab>');"

	entities, err := server.client(t).Exec(t.Context(), sql, ksql.ExecOptions{
		Properties:            map[string]any{"auto.offset.reset": "earliest"},
		SessionVariables:      map[string]string{"x": "1"},
		CommandSequenceNumber: &sequence,
	})
	require.NoError(t, err)

	request := server.asked("/ksql")[0]
	assert.Equal(t, "application/vnd.ksql.v1+json", request.Accept)
	assert.Equal(t, "application/vnd.ksql.v1+json", request.ContentType)
	assert.Equal(t, map[string]any{
		"ksql":                  sql,
		"streamsProperties":     map[string]any{"auto.offset.reset": "earliest"},
		"sessionVariables":      map[string]any{"x": "1"},
		"commandSequenceNumber": 0.0,
	}, object(t, request.Body))

	require.Len(t, entities, 2)
	assert.Equal(t, "currentStatus", entities[0].Type)
	assert.Equal(t, "stream/`A`/create", entities[0].CommandID)
	assert.Equal(t, ksql.CommandStatus{Status: "SUCCESS", Message: "Stream created"}, entities[0].CommandStatus)
	assert.Equal(t, int64(9007199254740993), entities[0].CommandSequenceNumber)
	assert.Equal(t, []string{"mind the gap"}, entities[0].Warnings)
	assert.Equal(t, int64(-1), entities[1].CommandSequenceNumber)
	assert.JSONEq(t, `{"@type":"streams","statementText":"SHOW STREAMS;","streams":[],"warnings":[]}`, string(entities[1].Raw))
}

func TestHeadersGoWithEveryRequest(t *testing.T) {
	var got http.Header
	server := newFakeServer(t)
	server.mux.HandleFunc("/ksql", func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = w.Write([]byte("[]"))
	})
	client, err := ksql.New(ksql.Config{URL: server.URL, Headers: map[string]string{"X-Tenant": "a", "Accept": "b"}})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Exec(t.Context(), "X;", ksql.ExecOptions{})
	require.NoError(t, err)
	assert.Equal(t, "a", got.Get("X-Tenant"))
	assert.Equal(t, []string{"application/vnd.ksql.v1+json"}, got.Values("Accept"))
}

func TestExecWithoutOptionsSendsTheStatementAlone(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/ksql", 200, "[]")
	entities, err := server.client(t).Exec(t.Context(), "INSERT INTO a VALUES (1);", ksql.ExecOptions{})
	require.NoError(t, err)
	assert.Empty(t, entities)
	assert.Equal(t, map[string]any{"ksql": "INSERT INTO a VALUES (1);"}, object(t, server.asked("/ksql")[0].Body))
}

func TestExecErrors(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   ksql.Error
		text   string
	}{
		{"statement", 400, `{"@type":"statement_error","error_code":40001,"message":"line 1:1: Syntax Error\nUnknown statement 'FOO'","statementText":"FOO;","entities":[]}`,
			ksql.Error{HTTPStatus: 400, Code: 40001, Message: "line 1:1: Syntax Error\nUnknown statement 'FOO'", Statement: "FOO;"},
			"ksqlDB refused it (error 40001): line 1:1: Syntax Error\nUnknown statement 'FOO'"},
		{"generic", 500, `{"@type":"generic_error","error_code":50000,"message":"out of order"}`,
			ksql.Error{HTTPStatus: 500, Code: 50000, Message: "out of order", Statement: "X;"},
			"ksqlDB failed (error 50000): out of order"},
		{"page of a proxy", 502, "<html>\n<h1>Bad Gateway</h1></html>",
			ksql.Error{HTTPStatus: 502, Message: "<html> <h1>Bad Gateway</h1></html>", Statement: "X;"},
			"ksqlDB failed (HTTP status 502 Bad Gateway): <html> <h1>Bad Gateway</h1></html>"},
		{"nothing", 405, "",
			ksql.Error{HTTPStatus: 405, Statement: "X;"},
			"ksqlDB refused it (HTTP status 405 Method Not Allowed)"},
		{"JSON of something else", 404, `{"detail":"no route"}`,
			ksql.Error{HTTPStatus: 404, Message: `{"detail":"no route"}`, Statement: "X;"},
			`ksqlDB refused it (HTTP status 404 Not Found): {"detail":"no route"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t)
			server.answer("/ksql", test.status, test.body)
			_, err := server.client(t).Exec(t.Context(), " X;\n", ksql.ExecOptions{})
			var got *ksql.Error
			require.ErrorAs(t, err, &got)
			got.Entities = nil
			assert.Equal(t, test.want, *got)
			assert.Equal(t, test.text, err.Error())
		})
	}
}

func TestAnErrorKeepsWhatRanBeforeIt(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/ksql", 400, `{"@type":"statement_error","error_code":40001,"message":"no","statementText":"B;","entities":`+createdEntity+`}`)
	_, err := server.client(t).Exec(t.Context(), "A; B;", ksql.ExecOptions{})
	var got *ksql.Error
	require.ErrorAs(t, err, &got)
	require.Len(t, got.Entities, 2)
	assert.Equal(t, "stream/`A`/create", got.Entities[0].CommandID)
}

func TestExecRefusesAnswersThatAreNone(t *testing.T) {
	for _, body := range []string{"", "{}", "[1]", "[{", `[{"commandSequenceNumber":"x"}]`} {
		server := newFakeServer(t)
		server.answer("/ksql", 200, body)
		_, err := server.client(t).Exec(t.Context(), "X;", ksql.ExecOptions{})
		assert.ErrorContains(t, err, "reading ksqlDB's answer", body)
	}
	_, err := newFakeServer(t).client(t).Exec(t.Context(), " \n", ksql.ExecOptions{})
	assert.ErrorContains(t, err, "empty")
}

func TestIsNotReady(t *testing.T) {
	assert.True(t, ksql.IsNotReady(&ksql.Error{HTTPStatus: 503, Code: 50302}))
	assert.True(t, ksql.IsNotReady(&ksql.Error{HTTPStatus: 503}))
	assert.False(t, ksql.IsNotReady(&ksql.Error{HTTPStatus: 400, Code: 40001}))
	assert.False(t, ksql.IsNotReady(errors.New("x")))
}

func TestAnUnreachableServerIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := "http://" + listener.Addr().String()
	require.NoError(t, listener.Close())
	client, err := ksql.New(ksql.Config{URL: address + "/"})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Info(t.Context())
	require.ErrorContains(t, err, "reaching ksqlDB at "+address)
	assert.NotContains(t, err.Error(), "\"", "the address is said once")
}

func TestACallEndsWithItsContext(t *testing.T) {
	server := newFakeServer(t)
	entered := make(chan struct{})
	server.mux.HandleFunc("/ksql", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	_, err := server.client(t).Exec(ctx, "X;", ksql.ExecOptions{})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestCredentialsGoWithEveryRequest(t *testing.T) {
	for _, viaURL := range []bool{true, false} {
		server := newFakeServer(t)
		server.answer("/info", 200, `{"KsqlServerInfo":{"version":"7.9.0","kafkaClusterId":"c","ksqlServiceId":"default_","serverStatus":"RUNNING"}}`)
		server.answer("/healthcheck", 200, `{"isHealthy":true,"details":{}}`)
		server.answer("/ksql", 200, "[]")
		server.stream(nil, `{"queryId":"query_1","columnNames":[],"columnTypes":[]}`)
		config := ksql.Config{URL: server.URL, Username: "me", Password: "p:w"}
		if viaURL {
			config = ksql.Config{URL: "http://me:p%3Aw@" + server.Listener.Addr().String()}
		}
		client, err := ksql.New(config)
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Info(t.Context())
		require.NoError(t, err)
		_, err = client.Health(t.Context())
		require.NoError(t, err)
		_, err = client.Exec(t.Context(), "X;", ksql.ExecOptions{})
		require.NoError(t, err)
		rows, err := client.Query(t.Context(), "SELECT * FROM a;", nil)
		require.NoError(t, err)
		require.NoError(t, rows.Close())
		require.Len(t, server.requests, 4)
		for _, request := range server.requests {
			assert.Equal(t, "Basic bWU6cDp3", request.Authorization, request.Path)
		}
		assert.NotContains(t, client.URL(), "me")
	}
}

func TestHTTP2WithPriorKnowledge(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/ksql", 200, "[]")
	client, err := ksql.New(ksql.Config{URL: server.URL, HTTP2: true})
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Exec(t.Context(), "X;", ksql.ExecOptions{})
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", server.asked("/ksql")[0].Proto)
}
