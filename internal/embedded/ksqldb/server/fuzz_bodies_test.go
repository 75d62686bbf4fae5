package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// fuzzedTypes are content types, and what is accepted, of the requests that are fuzzed.
var fuzzedTypes = []string{
	"application/json", "application/vnd.ksql.v1+json", "application/vnd.ksqlapi.delimited.v1", "application/vnd.ksqlapi.protobuf.v1", "application/x-protobuf", "text/plain", "",
}

// fuzzBodies sends each fuzzed body to a path. It is answered, an error as an error
// of ksqlDB's, and the server still answers afterwards.
func fuzzBodies(f *testing.F, path string, seeds ...string) {
	for i, seed := range seeds {
		f.Add(i, seed)
	}
	s := newStack(f)
	s.ctx = context.Background() // the test's own bound is too short for this
	s.exec(clicks)
	s.exec("CREATE TABLE pages AS SELECT page, COUNT(*) AS n FROM clicks GROUP BY page;")
	s.exec("INSERT INTO clicks (page, n) VALUES ('a', 1);")
	client := &http.Client{}
	f.Cleanup(client.CloseIdleConnections)
	f.Fuzz(func(t *testing.T, kind int, body string) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.server.Addr()+path, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		kind = max(kind, -kind) % len(fuzzedTypes)
		if kind >= 0 && fuzzedTypes[kind] != "" {
			req.Header.Set("Content-Type", fuzzedTypes[kind])
			req.Header.Set("Accept", fuzzedTypes[kind])
		}
		resp, err := client.Do(req)
		if err == nil {
			defer resp.Body.Close()
			answer, readErr := io.ReadAll(resp.Body)
			// Some requests fail the real server in ways that are answered with 500 here,
			// too; and one that accepts nothing gets nothing.
			if resp.StatusCode >= 400 && len(answer) > 0 && !json.Valid(answer) {
				t.Errorf("status %d with an answer that is no JSON: %q", resp.StatusCode, answer)
			}
			err = readErr
		}
		// A stream goes on until the client leaves; a handler that panics ends its
		// connection.
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no answer: %v", err)
		}
		s.stillAnswers(t)
	})
}

// stillAnswers asks the server something simple.
func (s *stack) stillAnswers(t *testing.T) {
	resp, err := http.Get("http://" + s.server.Addr() + "/info")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func FuzzKsqlBodies(f *testing.F) {
	fuzzBodies(f, "/ksql",
		`{"ksql":"SHOW STREAMS;","streamsProperties":{"auto.offset.reset":"earliest"},"commandSequenceNumber":3}`,
		`{"ksql":"DESCRIBE clicks EXTENDED; EXPLAIN SELECT * FROM clicks EMIT CHANGES;","sessionVariables":{"a":"b"},"requestProperties":{}}`,
		`{"ksql":"INSERT INTO clicks (page, n) VALUES ('x', 1 + 2);"}`,
		`{"ksql":"SET 'a'='b'; DEFINE x='y'; SHOW PROPERTIES; PRINT clicks LIMIT 1;"}`,
		`{"ksql":null}`, `[]`, `{`, ``,
	)
}

func FuzzQueryBodies(f *testing.F) {
	fuzzBodies(f, "/query",
		`{"ksql":"SELECT * FROM pages WHERE page='a';","streamsProperties":{"ksql.query.pull.table.scan.enabled":"true"}}`,
		`{"ksql":"SELECT page, COUNT(*) FROM clicks GROUP BY page EMIT CHANGES LIMIT 1;","streamsProperties":{"auto.offset.reset":"earliest"}}`,
		`{"ksql":"PRINT clicks FROM BEGINNING LIMIT 1;"}`,
		`{"ksql":"SHOW STREAMS;","sessionVariables":{"x":"1"}}`, `{"ksql":1}`, `null`,
	)
}

func FuzzQueryStreamBodies(f *testing.F) {
	fuzzBodies(f, "/query-stream",
		`{"sql":"SELECT * FROM pages WHERE page='a';","properties":{}}`,
		`{"sql":"SELECT * FROM clicks EMIT CHANGES LIMIT 1;","properties":{"auto.offset.reset":"earliest"},"sessionVariables":{"a":"1"}}`,
		`{"sql":"SELECT n FROM pages;","requestProperties":{"x":{}}}`, `{"sql":""}`, `"sql"`,
	)
}

func FuzzInsertsStreamBodies(f *testing.F) {
	fuzzBodies(f, "/inserts-stream",
		"{\"target\":\"CLICKS\",\"properties\":{}}\n{\"PAGE\":\"a\",\"N\":1}\n{\"page\":null,\"n\":2}\n",
		"{\"target\":\"clicks\"}\n{\"PAGE\":1,\"N\":\"x\"}\n", "{\"target\":\"pages\"}\n{}\n", "{\"target\":null}\n", "\n\n", "{}{}",
	)
}

// FuzzWebsocketRequests opens a websocket for each fuzzed request.
func FuzzWebsocketRequests(f *testing.F) {
	for _, seed := range []string{
		`{"ksql":"SELECT * FROM clicks EMIT CHANGES LIMIT 1;","streamsProperties":{"auto.offset.reset":"earliest"}}`,
		`{"ksql":"SELECT * FROM pages;"}`, `{"ksql":"PRINT clicks LIMIT 1;"}`, `{"ksql":"SHOW STREAMS;"}`, `{`, ``,
	} {
		f.Add(seed, "")
	}
	s := newStack(f)
	s.ctx = context.Background()
	s.exec(clicks)
	s.exec("CREATE TABLE pages AS SELECT page, COUNT(*) AS n FROM clicks GROUP BY page;")
	f.Fuzz(func(t *testing.T, request, version string) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		parameters := url.Values{"request": {request}}
		if version != "" {
			parameters.Set("version", version)
		}
		conn, resp, err := websocket.Dial(ctx, "ws://"+s.server.Addr()+"/ws/query?"+parameters.Encode(), nil)
		if err == nil {
			for err == nil {
				_, _, err = conn.Read(ctx)
			}
			_ = conn.CloseNow()
		} else if resp == nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no answer: %v", err)
		}
		s.stillAnswers(t)
	})
}
