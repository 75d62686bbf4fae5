package ksql_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestQueryStreamsRows(t *testing.T) {
	server := newFakeServer(t)
	server.stream(nil,
		`{"queryId":"query_17","columnNames":["ID","N","P"],"columnTypes":["STRING","BIGINT","DECIMAL(6, 2)"]}`+"\n",
		`["a",9007199254740993,`, "1.50]\n\n", "[\"b\",null,-0.25]\n")
	rows, err := server.client(t).Query(t.Context(), "SELECT * FROM T;", map[string]string{"k": "v"})
	require.NoError(t, err)
	defer rows.Close()

	request := server.asked("/query-stream")[0]
	assert.Equal(t, "application/vnd.ksqlapi.delimited.v1", request.Accept)
	assert.Equal(t, map[string]any{"sql": "SELECT * FROM T;", "properties": map[string]any{"k": "v"}}, object(t, request.Body))
	assert.Equal(t, "query_17", rows.QueryID())
	assert.Equal(t, []ksql.Column{{Name: "ID", Type: "STRING"}, {Name: "N", Type: "BIGINT"}, {Name: "P", Type: "DECIMAL(6, 2)"}}, rows.Columns())

	assert.Nil(t, rows.Values())
	assert.Error(t, rows.Scan(nil, nil, nil), "before Next")
	require.True(t, rows.Next())
	var id string
	var n int64
	var price json.Number
	require.NoError(t, rows.Scan(&id, &n, &price))
	assert.Equal(t, "a", id)
	assert.Equal(t, int64(9007199254740993), n)
	assert.Equal(t, json.Number("1.50"), price)
	assert.Equal(t, []any{"a", json.Number("9007199254740993"), json.Number("1.50")}, rows.Values())

	require.True(t, rows.Next())
	assert.ErrorContains(t, rows.Scan(&id, &n, &price), "column 2, N BIGINT: the value is NULL")
	assert.ErrorContains(t, rows.Scan(&id), "1 destinations for 3 columns")
	require.NoError(t, rows.Scan(&id, nil, nil))
	assert.Equal(t, "b", id)

	assert.False(t, rows.Next())
	assert.False(t, rows.Next())
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	require.NoError(t, rows.Close())
	assert.Empty(t, server.asked("/close-query"), "what ended needs no ending")
}

func TestQueryRefused(t *testing.T) {
	server := newFakeServer(t)
	server.mux.HandleFunc("/query-stream", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"@type":"statement_error","error_code":40001,"message":"X does not exist.","statementText":"SELECT * FROM X;","entities":[]}`)
	})
	_, err := server.client(t).Query(t.Context(), "SELECT * FROM X;", nil)
	var got *ksql.Error
	require.ErrorAs(t, err, &got)
	assert.Equal(t, 40001, got.Code)
	assert.Equal(t, "X does not exist.", got.Message)
}

func TestQueryAnswersThatAreNone(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"empty", "", "the answer ended before them"},
		{"no JSON", "hello\n", `from "hello"`},
		{"columns do not match", `{"columnNames":["A"],"columnTypes":[]}`, "1 names, but 0 types"},
		{"error at once", `{"@type":"generic_error","error_code":50000,"message":"boom"}`, "boom"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t)
			server.stream(nil, test.answer)
			_, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
			assert.ErrorContains(t, err, test.want)
		})
	}
	server := newFakeServer(t)
	server.answer("/query-stream", 200, "[]")
	_, err := server.client(t).Query(t.Context(), "SELECT 1;", nil)
	assert.ErrorContains(t, err, `got "application/json"`)
}

func TestRowsThatAreNone(t *testing.T) {
	const header = `{"queryId":"query_1","columnNames":["A"],"columnTypes":["INTEGER"]}` + "\n"
	tests := []struct{ name, row, want string }{
		{"error after rows", `{"@type":"generic_error","error_code":50000,"message":"disk full"}`, "disk full"},
		{"too many values", `[1,2]`, "2 values for 1 columns"},
		{"no JSON", `[1`, "unexpected end"},
		{"an object", `{"a":1}`, "cannot unmarshal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t)
			server.stream(nil, header, "[1]\n", test.row+"\n")
			rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T;", nil)
			require.NoError(t, err)
			defer rows.Close()
			assert.True(t, rows.Next())
			assert.False(t, rows.Next())
			assert.ErrorContains(t, rows.Err(), test.want)
			assert.False(t, rows.Next())
		})
	}
}

func TestACutAnswerIsAnError(t *testing.T) {
	server := newFakeServer(t)
	server.mux.HandleFunc("/query-stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		_, _ = io.WriteString(w, `{"queryId":"query_1","columnNames":["A"],"columnTypes":["INTEGER"]}`+"\n[1]\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T;", nil)
	require.NoError(t, err)
	defer rows.Close()
	assert.True(t, rows.Next())
	assert.False(t, rows.Next())
	assert.ErrorIs(t, rows.Err(), io.ErrUnexpectedEOF)
}

func TestAPullQueryThatIsLeftEarlyKeepsItsConnection(t *testing.T) {
	server := newFakeServer(t)
	server.stream(nil, `{"queryId":"query_1","columnNames":["A"],"columnTypes":["INTEGER"]}`+"\n", "[1]\n", "[2]\n[3]\n")
	client := server.client(t)
	for range 20 {
		rows, err := client.Query(t.Context(), "SELECT A FROM T;", nil)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
		assert.False(t, rows.Next())
		require.NoError(t, rows.Err())
	}
	assert.EqualValues(t, 1, server.connections.Load())
	assert.Empty(t, server.asked("/close-query"))
}

func TestClosingDoesNotWaitForASlowPullQuery(t *testing.T) {
	server := newFakeServer(t)
	release := make(chan struct{})
	defer close(release)
	server.stream(release, `{"queryId":"query_1","columnNames":["A"],"columnTypes":["INTEGER"]}`+"\n", "[1]\n")
	rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T;", nil)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, rows.Close())
}

const pushHeader = `{"queryId":"transient_T_42","columnNames":["A"],"columnTypes":["INTEGER"]}` + "\n"

// pushServer streams one row and then nothing until the query is closed.
func pushServer(t *testing.T) *fakeServer {
	server := newFakeServer(t)
	release := make(chan struct{})
	var once sync.Once
	server.stream(release, pushHeader, "[1]\n")
	server.mux.HandleFunc("/close-query", func(http.ResponseWriter, *http.Request) {
		once.Do(func() { close(release) })
	})
	return server
}

func requireClosed(t *testing.T, server *fakeServer) {
	t.Helper()
	closed := server.asked("/close-query")
	require.Len(t, closed, 1)
	assert.JSONEq(t, `{"queryId":"transient_T_42"}`, closed[0].Body)
}

func TestClosingAPushQueryEndsItOnTheServer(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			server := pushServer(t)
			client, err := ksql.New(ksql.Config{URL: server.URL, HTTP2: http2})
			require.NoError(t, err)
			defer client.Close()
			rows, err := client.Query(t.Context(), "SELECT A FROM T EMIT CHANGES;", nil)
			require.NoError(t, err)
			require.True(t, rows.Next())
			require.NoError(t, rows.Close())
			requireClosed(t, server)
			assert.False(t, rows.Next())
			require.NoError(t, rows.Err())
			require.NoError(t, rows.Close())
			requireClosed(t, server)
		})
	}
}

func TestClosingFromAnotherGoroutineWakesNext(t *testing.T) {
	server := pushServer(t)
	rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.True(t, rows.Next())
	done := make(chan bool)
	go func() { done <- rows.Next() }()
	require.NoError(t, rows.Close())
	assert.False(t, <-done)
	require.NoError(t, rows.Err())
	requireClosed(t, server)
}

func TestCancellingEndsAPushQueryOnTheServer(t *testing.T) {
	server := pushServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := server.client(t).Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	assert.False(t, rows.Next())
	require.ErrorIs(t, rows.Err(), context.Canceled)
	requireClosed(t, server)
	require.NoError(t, rows.Close())
}

func TestCancellingWhileNobodyReadsEndsAPushQueryOnTheServer(t *testing.T) {
	server := newFakeServer(t)
	server.stream(make(chan struct{}), `{"queryId":"q-1","columnNames":["A"],"columnTypes":["INTEGER"]}`+"\n", "[1]\n")
	closed := make(chan struct{})
	server.mux.HandleFunc("/close-query", func(http.ResponseWriter, *http.Request) { close(closed) })
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := server.client(t).Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.True(t, rows.Next())
	cancel()
	<-closed
	require.NoError(t, rows.Close())
}

func TestCancellingBeforeAQueryIsNamedEndsItOnTheServer(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			server := newFakeServer(t)
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			server.mux.HandleFunc("/query-stream", func(w http.ResponseWriter, r *http.Request) {
				cancel()
				w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
				_, _ = io.WriteString(w, pushHeader)
				_ = http.NewResponseController(w).Flush()
				<-release
			})
			server.mux.HandleFunc("/close-query", func(http.ResponseWriter, *http.Request) { close(release) })
			client, err := ksql.New(ksql.Config{URL: server.URL, HTTP2: http2})
			require.NoError(t, err)
			defer client.Close()
			_, err = client.Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
			require.ErrorIs(t, err, context.Canceled)
			requireClosed(t, server)
		})
	}
}

func TestCancellingDoesNotWaitLongForAQueryToBeNamed(t *testing.T) {
	server := newFakeServer(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("that is enough")
	left := make(chan struct{})
	server.mux.HandleFunc("/query-stream", func(_ http.ResponseWriter, r *http.Request) {
		cancel(enough)
		<-r.Context().Done()
		close(left)
	})
	_, err := server.client(t).Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
	require.ErrorIs(t, err, enough)
	<-left
}

func TestAQueryThatIsGoneIsClosed(t *testing.T) {
	server := newFakeServer(t)
	release := make(chan struct{})
	defer close(release)
	server.stream(release, pushHeader)
	server.answer("/close-query", 400, `{"@type":"generic_error","error_code":40000,"message":"No query with id transient_T_42"}`)
	rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.NoError(t, rows.Close())
}

func TestClosingSaysWhenTheServerDidNot(t *testing.T) {
	server := newFakeServer(t)
	release := make(chan struct{})
	defer close(release)
	server.stream(release, pushHeader)
	server.answer("/close-query", 500, `{"@type":"generic_error","error_code":50000,"message":"no"}`)
	rows, err := server.client(t).Query(t.Context(), "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.ErrorContains(t, rows.Close(), "ending query transient_T_42")
}

func TestAQueryThatCannotBeEndedIsSaidOnce(t *testing.T) {
	server := newFakeServer(t)
	release := make(chan struct{})
	defer close(release)
	server.stream(release, pushHeader)
	server.answer("/close-query", 500, `{"@type":"generic_error","error_code":50000,"message":"no"}`)
	var log bytes.Buffer
	client, err := ksql.New(ksql.Config{URL: server.URL, Retry: quick, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := client.Query(ctx, "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	cancel()
	assert.False(t, rows.Next())
	require.ErrorIs(t, rows.Err(), context.Canceled)
	require.ErrorContains(t, rows.Close(), "ending query transient_T_42")
	assert.Equal(t, 1, strings.Count(log.String(), "could not be ended"), log.String())

	log.Reset()
	rows, err = client.Query(t.Context(), "SELECT A FROM T EMIT CHANGES;", nil)
	require.NoError(t, err)
	require.Error(t, rows.Close())
	assert.Empty(t, log.String(), "the caller was told")
}

type level string

func TestScan(t *testing.T) {
	text := func(s string) *string { return &s }
	date := time.Date(2026, 11, 22, 0, 0, 1, 5e6, time.UTC)
	tests := []struct {
		sqlType, json string
		dest          any
		want          any
	}{
		{"STRING", `"x\u00fc\ud83d\ude00"`, new(string), "xü😀"},
		{"BIGINT", `12`, new(string), "12"},
		{"BOOLEAN", `true`, new(string), "true"},
		{"DECIMAL(6, 2)", `1.50`, new(string), "1.50"},
		{"INTEGER", `-7`, new(int), -7},
		{"BIGINT", `9223372036854775807`, new(int64), int64(math.MaxInt64)},
		{"INTEGER", `5`, new(int32), int32(5)},
		{"DECIMAL(6, 2)", `3.00`, new(int), 3},
		{"DOUBLE", `1.0E10`, new(float64), 1e10},
		{"DOUBLE", `"-Infinity"`, new(float64), math.Inf(-1)},
		{"DOUBLE", `"Infinity"`, new(float64), math.Inf(1)},
		{"DOUBLE", `0.1`, new(json.Number), json.Number("0.1")},
		{"BOOLEAN", `false`, new(bool), false},
		{"BYTES", `"AQID"`, new([]byte), []byte{1, 2, 3}},
		{"STRING", `"AQID"`, new([]byte), []byte("AQID")},
		{"TIMESTAMP", `"2026-11-22T00:00:01.005"`, new(time.Time), date},
		{"ARRAY<INTEGER>", `[1,null]`, new(json.RawMessage), json.RawMessage(`[1,null]`)},
		{"MAP<STRING, INTEGER>", `{"k":1}`, new(any), map[string]any{"k": json.Number("1")}},
		{"STRING", `null`, new(any), nil},
		{"STRING", `null`, new(*string), (*string)(nil)},
		{"STRING", `"x"`, new(*string), text("x")},
		{"STRING", `"gold"`, new(level), level("gold")},
		{"STRING", `null`, new(sql.NullString), sql.NullString{}},
		{"STRING", `"x"`, new(sql.NullString), sql.NullString{String: "x", Valid: true}},
		{"BIGINT", `3`, new(sql.NullInt64), sql.NullInt64{Int64: 3, Valid: true}},
		{"INTEGER", `3`, new(sql.Null[int]), sql.Null[int]{V: 3, Valid: true}},
		{"DOUBLE", `0.5`, new(sql.NullFloat64), sql.NullFloat64{Float64: 0.5, Valid: true}},
		{"DECIMAL(3, 1)", `0.5`, new(sql.NullString), sql.NullString{String: "0.5", Valid: true}},
		{"BOOLEAN", `true`, new(sql.NullBool), sql.NullBool{Bool: true, Valid: true}},
		{"BYTES", `"AQID"`, new(sql.Null[[]byte]), sql.Null[[]byte]{V: []byte{1, 2, 3}, Valid: true}},
		{"TIMESTAMP", `"2026-11-22T00:00:01.005"`, new(sql.NullTime), sql.NullTime{Time: date, Valid: true}},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s into %T", test.sqlType, test.json, test.dest), func(t *testing.T) {
			rows := oneRow(t, test.sqlType, test.json)
			require.NoError(t, rows.Scan(test.dest))
			assert.EqualValues(t, test.want, dereference(test.dest))
		})
	}
	t.Run("NaN", func(t *testing.T) {
		var f float64
		require.NoError(t, oneRow(t, "DOUBLE", `"NaN"`).Scan(&f))
		assert.True(t, math.IsNaN(f))
	})
}

func TestScanRefuses(t *testing.T) {
	tests := []struct {
		sqlType, json string
		dest          any
		want          string
	}{
		{"INTEGER", `1.5`, new(int), "not a whole number"},
		{"BIGINT", `9223372036854775808`, new(int64), "does not fit into 64 bits"},
		{"BIGINT", `3000000000`, new(int32), "does not fit into 32 bits"},
		{"STRING", `"1"`, new(int), "not a number"},
		{"STRING", `"x"`, new(float64), "not a number"},
		{"STRING", `"x"`, new(json.Number), "not a number"},
		{"INTEGER", `1`, new(bool), "not a boolean"},
		{"BYTES", `"?"`, new([]byte), "base64"},
		{"STRING", `"x"`, new(time.Time), "not a TIMESTAMP"},
		{"ARRAY<INTEGER>", `[1]`, new(string), "not a scalar"},
		{"STRING", `null`, new(string), "NULL"},
		{"STRING", `"x"`, new(chan int), "cannot scan into a *chan int"},
		{"STRING", `"x"`, "no pointer", "must be a pointer"},
		{"STRING", `null`, "no pointer", "NULL"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s into %T", test.sqlType, test.json, test.dest), func(t *testing.T) {
			assert.ErrorContains(t, oneRow(t, test.sqlType, test.json).Scan(test.dest), test.want)
		})
	}
}

func oneRow(t *testing.T, sqlType, value string) *ksql.Rows {
	t.Helper()
	server := newFakeServer(t)
	header, err := json.Marshal(map[string]any{"queryId": "query_1", "columnNames": []string{"V"}, "columnTypes": []string{sqlType}})
	require.NoError(t, err)
	server.stream(nil, string(header), "\n["+value+"]\n")
	rows, err := server.client(t).Query(t.Context(), "SELECT V FROM T;", nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = rows.Close() })
	require.True(t, rows.Next(), rows.Err())
	return rows
}

func dereference(dest any) any {
	switch d := dest.(type) {
	case *string:
		return *d
	case *int:
		return *d
	case *int32:
		return *d
	case *int64:
		return *d
	case *float64:
		return *d
	case *bool:
		return *d
	case *[]byte:
		return *d
	case *json.Number:
		return *d
	case *json.RawMessage:
		return *d
	case *time.Time:
		return *d
	case *any:
		return *d
	case **string:
		return *d
	case *level:
		return *d
	case *sql.NullString:
		return *d
	case *sql.NullInt64:
		return *d
	case *sql.Null[int]:
		return *d
	case *sql.NullFloat64:
		return *d
	case *sql.NullBool:
		return *d
	case *sql.Null[[]byte]:
		return *d
	case *sql.NullTime:
		return *d
	}
	panic(fmt.Sprintf("%T", dest))
}
