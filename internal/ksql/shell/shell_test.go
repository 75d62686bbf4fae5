package shell_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/shell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type request struct {
	KSQL       string            `json:"ksql"`
	SQL        string            `json:"sql"`
	Properties map[string]string `json:"properties"`
	Streams    map[string]string `json:"streamsProperties"`
	Variables  map[string]string `json:"sessionVariables"`
}

// server answers statements with the answers it was given.
type server struct {
	*httptest.Server
	info     string // answer to GET /info; empty for none
	mu       sync.Mutex
	requests []request
}

func newServer(t *testing.T, answers map[string]string) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/info" && s.info != "" {
			fmt.Fprint(w, s.info)
			return
		}
		var asked request
		body, _ := io.ReadAll(r.Body)
		assert.NoError(t, json.Unmarshal(body, &asked))
		s.mu.Lock()
		s.requests = append(s.requests, asked)
		s.mu.Unlock()
		if r.URL.Path == "/query-stream" {
			w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		}
		answer, ok := answers[asked.KSQL+asked.SQL]
		if !ok {
			w.WriteHeader(400)
			answer = `{"@type":"statement_error","error_code":40001,"message":"line 1:1: Syntax Error"}`
		}
		fmt.Fprint(w, strings.TrimSuffix(answer, "…"))
		if strings.HasSuffix(answer, "…") {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) asked(statement string) []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []request
	for _, r := range s.requests {
		if r.KSQL == statement {
			found = append(found, r)
		}
	}
	return found
}

func (s *server) client(t *testing.T) *ksql.Client {
	t.Helper()
	client, err := ksql.New(ksql.Config{URL: s.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

var answers = map[string]string{
	"CREATE STREAM A;": `[{"@type":"currentStatus","commandId":"stream/A/create","commandStatus":{"status":"SUCCESS","message":"Stream created","queryId":null},"warnings":[{"message":"mind"}]}]`,
	"SHOW STREAMS;":    `[{"@type":"streams","streams":[{"type":"STREAM","name":"B","topic":"b","keyFormat":"KAFKA","valueFormat":"AVRO","isWindowed":false},{"type":"STREAM","name":"A","topic":"a.v1","keyFormat":"KAFKA","valueFormat":"JSON","isWindowed":false}],"warnings":[]}]`,
	"DESCRIBE T;": `[{"@type":"sourceDescription","sourceDescription":{"name":"T","type":"TABLE","topic":"t","keyFormat":"KAFKA","valueFormat":"AVRO","fields":[
		{"name":"K","schema":{"type":"BIGINT"},"type":"KEY"},{"name":"V","schema":{"type":"STRING"}}]},"warnings":[]}]`,
	"SHOW ODD;":                         `[{"@type":"odd","x":1}]`,
	"DROP STREAM IF EXISTS A;":          `[{"@type":"warning_entity","message":"A is not there","warnings":[]}]`,
	"INSERT INTO A VALUES (1);":         `[]`,
	"SELECT * FROM T;":                  `{"queryId":"query_1","columnNames":["ID","N"],"columnTypes":["STRING","BIGINT"]}` + "\n" + `["a\nb",9007199254740993]` + "\n" + `[null,1]` + "\n",
	"SELECT * FROM T WHERE K = 'v';":    `{"queryId":"query_1","columnNames":["ID"],"columnTypes":["STRING"]}` + "\n",
	"SELECT * FROM T EMIT CHANGES;":     `{"queryId":"query_2","columnNames":["ID"],"columnTypes":["STRING"]}` + "\n" + `["a"]` + "\n…",
	"PRINT 't' FROM BEGINNING LIMIT 1;": "Key format: JSON\n\nrowtime: 1, key: x\n",
}

func TestExecute(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"command", "CREATE STREAM A", "Stream created\nwarning: mind\n"},
		{"list", "SHOW STREAMS;", "" +
			" Stream Name | Kafka Topic | Key Format | Value Format | Windowed\n" +
			"-------------+-------------+------------+--------------+----------\n" +
			" A           | a.v1        | KAFKA      | JSON         | false\n" +
			" B           | b           | KAFKA      | AVRO         | false\n"},
		{"describe", "DESCRIBE T;", "" +
			"Name                 : T\n\n" +
			" Field | Type\n" +
			"-------+----------------------\n" +
			" K     | BIGINT (primary key)\n" +
			" V     | VARCHAR(STRING)\n\n" +
			"For runtime statistics and query details run: DESCRIBE T EXTENDED;\n"},
		{"unknown entity", "SHOW ODD;", "{\n  \"@type\": \"odd\",\n  \"x\": 1\n}\n"},
		{"warning", "DROP STREAM IF EXISTS A;", "warning: A is not there\n"},
		{"no entity", "INSERT INTO A VALUES (1);", ""},
		{"query", "SELECT * FROM T;", "" +
			"+----------------+-------------+\n" +
			"|ID              |N            |\n" +
			"+----------------+-------------+\n" +
			`|a\nb            |9007199254740993|` + "\n" +
			"|null            |1            |\n"},
		{"topic", "PRINT 't' FROM BEGINNING LIMIT 1;", "Key format: JSON\nrowtime: 1, key: x\n"},
		{"several", "CREATE STREAM A; INSERT INTO A VALUES (1);\n-- nothing", "Stream created\nwarning: mind\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			s := shell.New(shell.Config{Client: newServer(t, answers).client(t), Out: &out, Err: io.Discard})
			require.NoError(t, s.Execute(t.Context(), test.text))
			assert.Equal(t, test.want, out.String())
		})
	}
}

func TestExecuteAsJSON(t *testing.T) {
	var out bytes.Buffer
	s := shell.New(shell.Config{Client: newServer(t, answers).client(t), Out: &out, Err: io.Discard, Output: shell.JSON})
	require.NoError(t, s.Execute(t.Context(), "SELECT * FROM T; SHOW ODD;"))
	assert.Equal(t, `{"ID":"a\nb","N":9007199254740993}`+"\n"+`{"ID":null,"N":1}`+"\n"+`{"@type":"odd","x":1}`+"\n", out.String())
}

func TestSessionSettingsGoWithTheStatements(t *testing.T) {
	server := newServer(t, answers)
	s := shell.New(shell.Config{Client: server.client(t), Out: io.Discard, Err: io.Discard})
	require.NoError(t, s.Execute(t.Context(), "SET 'auto.offset.reset' = 'earliest'; DEFINE k = 'v';\nSELECT * FROM T WHERE K = '${k}'; UNSET 'auto.offset.reset'; SHOW STREAMS;"))
	require.Len(t, server.requests, 2)
	assert.Equal(t, request{SQL: "SELECT * FROM T WHERE K = 'v';", Properties: map[string]string{"auto.offset.reset": "earliest"}}, server.requests[0])
	assert.Equal(t, request{KSQL: "SHOW STREAMS;", Variables: map[string]string{"k": "v"}}, server.requests[1])
}

func TestTheFirstErrorEndsAScript(t *testing.T) {
	server := newServer(t, answers)
	s := shell.New(shell.Config{Client: server.client(t), In: strings.NewReader("SHOW STREAMS;\nNONSENSE;\nSHOW ODD;"), Out: io.Discard, Err: io.Discard})
	require.ErrorContains(t, s.Run(t.Context()), "Syntax Error")
	assert.Len(t, server.requests, 2)
	require.ErrorContains(t, s.Execute(t.Context(), "SHOW STREAMS;\n NONSENSE;"), "line 2:2: ksqlDB refused it")
	require.ErrorContains(t, s.Execute(t.Context(), "SHOW '"), "this string has no end")
	require.ErrorContains(t, s.Execute(t.Context(), "SHOW ${x};"), "the variable x: it is not defined")
	s = shell.New(shell.Config{Client: server.client(t), In: strings.NewReader("SHOW STREAMS"), Out: io.Discard, Err: io.Discard})
	require.ErrorContains(t, s.Run(t.Context()), "this statement has no end")
}

func TestInteractive(t *testing.T) {
	server := newServer(t, answers)
	var out, errs bytes.Buffer
	s := shell.New(shell.Config{
		Client: server.client(t), Out: &out, Err: &errs, Interactive: true,
		In: strings.NewReader("NONSENSE;\nCREATE\r\n STREAM A; -- done\n\nCREATE STREAM A;\nexit\nSHOW ODD;\n"),
	})
	require.NoError(t, s.Run(t.Context()))
	assert.Equal(t, "Stream created\nwarning: mind\n", out.String())
	assert.Equal(t, "ksql> ksqlDB refused it (error 40001): line 1:1: Syntax Error\nksql>     > "+
		"ksqlDB refused it (error 40001): line 1:1: Syntax Error\nksql> ksql> ksql> ", errs.String())
	assert.Len(t, server.requests, 3)
	assert.Equal(t, "CREATE\n STREAM A;", server.requests[1].KSQL)
}

// signalWriter closes seen when text was written to it.
type signalWriter struct {
	written strings.Builder
	text    string
	seen    chan struct{}
	once    sync.Once
}

func newSignalWriter(text string) *signalWriter {
	return &signalWriter{text: text, seen: make(chan struct{})}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.written.Write(p)
	if strings.Contains(w.written.String(), w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func TestAnInterruptEndsThePushQueryAndThenTheShell(t *testing.T) {
	interrupts := make(chan struct{})
	in, typed := io.Pipe()
	out, errs := newSignalWriter("|a "), newSignalWriter("1 row\nksql> ")
	s := shell.New(shell.Config{Client: newServer(t, answers).client(t), In: in, Out: out, Err: errs, Interrupts: interrupts, Interactive: true})
	done := make(chan error)
	go func() { done <- s.Run(t.Context()) }()
	_, err := io.WriteString(typed, "SELECT * FROM T EMIT CHANGES;\n")
	require.NoError(t, err)
	<-out.seen
	interrupts <- struct{}{}
	<-errs.seen
	interrupts <- struct{}{}
	require.NoError(t, <-done)
	require.NoError(t, typed.Close())
}

func TestAnInterruptEndsAScript(t *testing.T) {
	server := newServer(t, answers)
	interrupts := make(chan struct{})
	out := newSignalWriter("|a ")
	s := shell.New(shell.Config{Client: server.client(t), Out: out, Err: io.Discard, Interrupts: interrupts})
	done := make(chan error)
	go func() { done <- s.Execute(t.Context(), "SELECT * FROM T EMIT CHANGES; SHOW ODD;") }()
	<-out.seen
	interrupts <- struct{}{}
	require.NoError(t, <-done)
	assert.Empty(t, server.asked("SHOW ODD;"))
}
