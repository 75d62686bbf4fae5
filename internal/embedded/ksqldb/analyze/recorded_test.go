package analyze_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
)

// recordedFolder is where the recordings are; the test is skipped without them.
func recordedFolder(t *testing.T) string {
	t.Helper()
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = "../../../../../shared/recorded"
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no recordings at %s: set ORDERFLOW_RECORDED to their folder", root)
	}
	return root
}

type exchange struct {
	Setup       bool   `json:"setup"`
	Path        string `json:"path"`
	RequestBody string `json:"request_body"`
	Body        string `json:"body"`
	Chunks      [][]any
	Note        string `json:"note"`
}

func (x exchange) answer() string {
	if x.Body != "" {
		return x.Body
	}
	var b strings.Builder
	for _, c := range x.Chunks {
		b.WriteString(c[1].(string))
	}
	return b.String()
}

func readExchanges(t *testing.T, path string) []exchange {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var out []exchange
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var x exchange
		require.NoError(t, json.Unmarshal(lines.Bytes(), &x))
		out = append(out, x)
	}
	require.NoError(t, lines.Err())
	return out
}

// wanted is what the real server said of a statement: the text of the error, or
// the statement as rewritten.
func wanted(answer string) (failure, text string) {
	var fault struct {
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(answer), &fault) == nil && fault.Message != "" {
		return fault.Message, ""
	}
	var list []struct {
		StatementText string `json:"statementText"`
	}
	if json.Unmarshal([]byte(answer), &list) == nil && len(list) > 0 {
		return "", list[len(list)-1].StatementText
	}
	return "", ""
}

// server stands in for the engine's REST face, as far as analysis goes.
type server struct {
	*sqltest.Engine
	functions *function.Registry
}

func newServer(t testing.TB) *server {
	t.Helper()
	functions, err := function.Builtin(function.Options{})
	require.NoError(t, err)
	e, err := sqltest.New(sqltest.Options{Functions: functions, Now: func() time.Time { return time.UnixMilli(0) }})
	require.NoError(t, err)
	return &server{e, functions}
}

// run takes statements through analysis and gives the text of the last one that
// is rewritten.
func (s *server) run(sql string) (string, error) {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return "", err
	}
	text := ""
	for _, stmt := range stmts {
		a := &analyze.Analyzer{Catalog: s.Catalog, Functions: s.functions, Registry: s.Registry(), Topics: s, QueryNumber: 1}
		if a.Config, err = analyze.ConfigFrom(s.Properties()); err != nil {
			return "", err
		}
		if q, ok := stmt.(*ast.Query); ok {
			if q.Emit == ast.EmitUnspecified {
				_, err = a.Pull(context.Background(), q)
			} else {
				_, err = a.Push(context.Background(), q)
			}
			if err != nil {
				return "", err
			}
			continue
		}
		r, err := s.describe(a, stmt)
		if err != nil {
			return "", err
		}
		if r != "" {
			text = r
		}
		if _, err := s.Execute(context.Background(), stmt.Text()); err != nil {
			return "", err
		}
	}
	return text, nil
}

// describe analyzes a statement for its text.
func (s *server) describe(a *analyze.Analyzer, stmt ast.Statement) (string, error) {
	switch stmt.(type) {
	case *ast.CreateSource, *ast.CreateAsSelect, *ast.InsertInto, *ast.DropSource, *ast.AlterSource, *ast.CreateType, *ast.DropType:
		r, err := a.Analyze(context.Background(), stmt)
		if err != nil {
			return "", err
		}
		switch r := r.(type) {
		case *analyze.CreateSource:
			return r.Text, nil
		case *analyze.CreateAsSelect:
			return r.Text, nil
		}
	}
	return "", nil
}

func sqlOf(x exchange) string {
	var body struct {
		KSQL string `json:"ksql"`
		SQL  string `json:"sql"`
	}
	if json.Unmarshal([]byte(x.RequestBody), &body) != nil {
		return ""
	}
	return body.KSQL + body.SQL
}

// isAnalyzed reports whether a request holds statements that analysis decides
// on, and not the topics, the settings of the request or the server.
func isAnalyzed(x exchange, sql, failure string) bool {
	for _, part := range []string{
		"A Kafka topic with the name", "Failed to guarantee existence", "should be issued to the websocket endpoint",
		"Expected exactly one", "table scans can be enabled", "already exists.", "Unknown queryId",
	} {
		if strings.Contains(failure, part) {
			return false
		}
	}
	if strings.Contains(x.RequestBody, "sessionVariables") || strings.Contains(sql, "DEFINE") {
		return false
	}
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(word) {
	case "CREATE", "INSERT", "DROP", "ALTER":
		return !strings.Contains(strings.ToUpper(sql), "SYSTEM") && !strings.Contains(strings.ToUpper(sql), "CONNECTOR")
	case "SELECT":
		return true
	}
	return false
}

// differs are the requests whose answers differ on purpose or by what the
// recorded server had around it, each with the reason.
var differs = map[string]string{
	"CREATE STREAM X (K INT KEY) WITH (KAFKA_TOPIC='s1', VALUE_FORMAT='PROTOBUF', VALUE_SCHEMA_ID=1);": "the recorded registry had no schema 1",
	"CREATE STREAM X WITH (VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID=1) AS SELECT ID, A FROM S1;":           "the recorded registry had no schema 1",
	"CREATE STREAM X AS SELECT ID, SUBSTRING(E) FROM S1;":                                              "the order of the alternatives is that of a Java hash map",
	"CREATE STREAM X AS SELECT ID, A FROM S1 WHERE A LIKE '1%';":                                       "the text is that of a Java compiler",
	"CREATE STREAM X AS SELECT ID, A FROM S1 WHERE A BETWEEN 'a' AND 'b';":                             "the text is that of a Java compiler",
	"CREATE STREAM X AS SELECT ID, ARR['a'] AS Z FROM S1;":                                             "the text is that of a Java compiler",
	"CREATE TABLE X AS SELECT ID, LATEST_BY_OFFSET(A, 0) AS N FROM S1 GROUP BY ID;":                    "ours says what is wrong",
	"INSERT INTO T1 (ID, V) VALUES (NULL, 5);":                                                         "the broker refuses it",
	"INSERT INTO KSQL_PROCESSING_LOG (LOGGER) VALUES ('x');":                                           "the server makes that stream",
	"SELECT ID, EXPLODE(ARR) AS X FROM S1 EMIT CHANGES LIMIT 5;":                                       "table functions work in push queries here",
	"SELECT ID, A FROM S1 EMIT CHANGES LIMIT 1;":                                                       "one of the requests has properties that the server can't read",
	"SELECT * FROM AGGW WHERE ID=1 AND WINDOWSTART > 'yesterday';":                                     "the index is that of Java's parser",
}

// TestRecordedStatements compares what analysis makes of statements, the texts
// of errors and of rewritten statements, with what a real server answered.
func TestRecordedStatements(t *testing.T) {
	root := recordedFolder(t)
	for _, file := range []string{"errors.jsonl", "ddl.jsonl", "insert-values.jsonl", "pull.jsonl", "push.jsonl"} {
		t.Run(file, func(t *testing.T) {
			s := newServer(t)
			same, all := 0, 0
			for _, x := range readExchanges(t, filepath.Join(root, "http", file)) {
				if strings.Contains(x.Note, "cleaned") {
					s = newServer(t)
				}
				sql := sqlOf(x)
				failure, text := wanted(x.answer())
				if sql == "" || !isAnalyzed(x, sql, failure) {
					continue
				}
				got, err := s.run(sql)
				all++
				if _, ok := differs[sql]; !ok && agree(t, x, sql, got, err, failure, text) {
					same++
				}
				// What got created against expectation was dropped again.
				if x, found := s.Catalog.Source("X"); found {
					_, err := s.Execute(context.Background(), "DROP "+x.Kind.String()+" X;")
					require.NoError(t, err)
				}
			}
			t.Logf("%s: %d of %d statements agree", file, same, all)
		})
	}
}

// agree compares one answer.
func agree(t *testing.T, x exchange, sql, got string, err error, failure, text string) bool {
	if failure == "" {
		return assert.NoError(t, err, sql) && (got == "" || assert.Equal(t, text, got, sql))
	}
	if !assert.Error(t, err, "%s\nwant %s", sql, failure) {
		return false
	}
	// Numbers of queries are positions in the recorded server's log.
	numbers := regexp.MustCompile(`INSERTQUERY_\d+`)
	message := err.Error()
	if e := (*parser.Error)(nil); errors.As(err, &e) {
		message = e.Message
	}
	if x.Path != "/ksql" {
		failure, _, _ = strings.Cut(failure, "\nCaused by: line")
		failure = strings.TrimSuffix(failure, "\nStatement: "+sql)
	}
	clean := func(s string) string { return numbers.ReplaceAllString(strings.TrimSpace(s), "INSERTQUERY") }
	return assert.Equal(t, clean(failure), clean(message), sql)
}
