package parser

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// find returns the folder that the environment variable names, or else the one of
// that name in the folder "shared" beside the repository, and whether it exists.
func find(variable, name string) (string, bool) {
	dir := os.Getenv(variable)
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", name)
	}
	_, err := os.Stat(dir)
	return dir, err == nil
}

// folder is find for a test that is skipped where the folder is absent.
func folder(t testing.TB, variable, name string) string {
	t.Helper()
	dir, ok := find(variable, name)
	if !ok {
		t.Skipf("%s is not here; set %s to the folder that holds it", name, variable)
	}
	return dir
}

// exchange is one recorded request to a ksqlDB server and its answer.
type exchange struct {
	file   string
	line   int
	sql    string
	status int
	// message and statementText are of the error, if the answer is one.
	message       string
	statementText string
	// answers are the statement texts of an answer without error.
	answers []string
}

func recordedExchanges(t testing.TB) []exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(t, "ORDERFLOW_RECORDED", "recorded"), "http", "*.jsonl"))
	require.NoError(t, err)
	files = append(files, filepath.Join(folder(t, "ORDERFLOW_RECORDED", "recorded"), "pipeline", "statements.jsonl"))
	var out []exchange
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		s := bufio.NewScanner(f)
		s.Buffer(nil, 64<<20)
		for n := 1; s.Scan(); n++ {
			if x, ok := readExchange(s.Bytes()); ok {
				x.file, x.line = filepath.Base(file), n
				out = append(out, x)
			}
		}
		require.NoError(t, s.Err())
		require.NoError(t, f.Close())
	}
	return out
}

// readExchange reads a line of http/*.jsonl, or one of pipeline/statements.jsonl,
// which has the statement and the answer without the HTTP around them.
func readExchange(line []byte) (exchange, bool) {
	var raw struct {
		RequestBody any `json:"request_body"`
		SQL         string
		Status      int
		Body        any
		Answer      json.RawMessage
		Chunks      [][]any
	}
	if json.Unmarshal(line, &raw) != nil {
		return exchange{}, false
	}
	var request struct {
		KSQL             string
		SQL              string
		SessionVariables map[string]any
	}
	if text, ok := raw.RequestBody.(string); ok {
		if json.Unmarshal([]byte(text), &request) != nil || request.SessionVariables != nil {
			return exchange{}, false
		}
	}
	x := exchange{sql: request.KSQL + request.SQL + raw.SQL, status: raw.Status}
	if x.sql == "" || strings.Contains(x.sql, "${") {
		return exchange{}, false
	}
	answer, _ := raw.Body.(string)
	answer += string(raw.Answer)
	for _, c := range raw.Chunks {
		if len(c) == 2 {
			part, _ := c[1].(string)
			answer += part
		}
	}
	x.readAnswer(answer)
	return x, true
}

func (x *exchange) readAnswer(answer string) {
	var failure struct {
		Message       string
		StatementText string
	}
	if json.Unmarshal([]byte(answer), &failure) == nil {
		x.message, x.statementText = failure.Message, failure.StatementText
	}
	var list []struct{ StatementText string }
	if json.Unmarshal([]byte(answer), &list) == nil {
		for _, e := range list {
			x.answers = append(x.answers, e.StatementText)
		}
	}
}

// ours are the reasons for a refusal that come from the grammar or from reading
// the tree, not from what streams, tables and types there are.
var ours = regexp.MustCompile(`Syntax Error|^Illegal argument at|Invalid numeric literal|Number overflows|` +
	`LIMIT clause\.$|Expected single character escape|Queries only support one of|Duplicate column names|` +
	`is not a valid stream/table name|must be integer|Expected number columns|ASSERT SCHEMA statements|` +
	`Column .* is a '(PRIMARY )?KEY' column|Unknown type:`)

func TestErrorsAreThoseRecorded(t *testing.T) {
	for _, x := range recordedExchanges(t) {
		_, err := Parse(x.sql)
		if !ours.MatchString(x.message) {
			assert.NoError(t, err, "%s:%d %s", x.file, x.line, x.sql)
			continue
		}
		message, _, _ := strings.Cut(x.message, "\nStatement: ")
		var e *Error
		if assert.ErrorAs(t, err, &e, "%s:%d %s", x.file, x.line, x.sql) {
			assert.Equal(t, message, e.Message, "%s:%d %s", x.file, x.line, x.sql)
			assert.Equal(t, x.statementText, e.StatementText, "%s:%d %s", x.file, x.line, x.sql)
		}
	}
}

// TestRewrittenStatementsAreThoseRecorded checks that the statements as ksqlDB rewrote them are
// formatted as the very same text again.
func TestRewrittenStatementsAreThoseRecorded(t *testing.T) {
	n := 0
	for _, x := range recordedExchanges(t) {
		for _, text := range x.answers {
			if !strings.HasPrefix(text, "CREATE") || strings.Contains(x.sql, text) {
				continue
			}
			statements, err := Parse(text)
			if !assert.NoError(t, err, "%s:%d", x.file, x.line) {
				continue
			}
			n++
			assert.Equal(t, text, ast.Format(statements[0]), "%s:%d", x.file, x.line)
		}
	}
	t.Logf("%d statements", n)
}

// TestRewrittenSourcesAreThoseRecorded checks how a CREATE of a source is rewritten where
// nothing but properties is added: no inferred columns, no custom type (ADDR).
func TestRewrittenSourcesAreThoseRecorded(t *testing.T) {
	n := 0
	for _, x := range recordedExchanges(t) {
		sent, err := Parse(x.sql)
		if err != nil || len(sent) != 1 || len(x.answers) != 1 {
			continue
		}
		c, ok := sent[0].(*ast.CreateSource)
		if !ok || x.answers[0] == c.Text() {
			continue
		}
		got, err := Parse(x.answers[0])
		require.NoError(t, err)
		rewritten := got[0].(*ast.CreateSource)
		if len(c.Elements) != len(rewritten.Elements) || strings.Contains(c.Text(), "ADDR") {
			continue
		}
		n++
		c.With = rewritten.With
		assert.Equal(t, x.answers[0], ast.Format(c), "%s:%d", x.file, x.line)
	}
	t.Logf("%d statements", n)
}
