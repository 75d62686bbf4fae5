package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/recordings"
)

// recordedServer gives the answers of a run, in their order, to one statement at a
// time, however the CLI sent them.
type recordedServer struct {
	*httptest.Server
	mu       sync.Mutex
	info     string
	entities []json.RawMessage
	queries  []recordings.Exchange
}

func newRecordedServer(t *testing.T, run recordings.Run) *recordedServer {
	t.Helper()
	s := &recordedServer{}
	for _, e := range run.Exchanges() {
		switch e.Path {
		case "/info":
			s.info = e.Answer
		case "/ksql":
			text := e.Answer
			if strings.HasSuffix(text, "[cut]") {
				text = uncut(t, text, run.Stdout)
			}
			var entities []json.RawMessage
			require.NoError(t, json.Unmarshal([]byte(text), &entities), text)
			for _, entity := range entities {
				if !bytes.Contains(entity, []byte(`"@type":"variables"`)) { // those are the session's
					s.entities = append(s.entities, entity)
				}
			}
		case "/query":
			s.queries = append(s.queries, e)
		}
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(t, w, r) }))
	t.Cleanup(s.Close)
	return s
}

// cutAnswers are the tables that show answers of which the recording has the
// beginning only: their first headings, and the members that the columns are.
var cutAnswers = map[string]struct {
	member, heading string
	columns         []string
}{
	"properties":     {"properties", "Property", []string{"name", "scope", "level", "value"}},
	"function_names": {"functions", "Function Name", []string{"name", "category"}},
}

// uncut makes an answer again from the table that the CLI showed.
func uncut(t *testing.T, text, stdout string) string {
	kind := regexp.MustCompile(`"@type":"(\w+)"`).FindStringSubmatch(text)[1]
	cut, known := cutAnswers[kind]
	require.True(t, known, text)
	var elements []map[string]any
	reading := false
	for _, line := range strings.Split(stdout, "\n") {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case cells[0] == cut.heading:
			reading = true
		case reading && strings.HasPrefix(line, "ksql> "):
			reading = false
		case reading && len(cells) == len(cut.columns) && cells[0] != "":
			element := map[string]any{}
			for i, column := range cut.columns {
				element[column] = cells[i]
			}
			elements = append(elements, element)
		}
	}
	encoded, err := json.Marshal([]any{map[string]any{"@type": kind, "statementText": "", cut.member: elements, "warnings": []any{}}})
	require.NoError(t, err)
	return string(encoded)
}

func (s *recordedServer) answer(t *testing.T, w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	assert.NoError(t, err)
	var request struct {
		KSQL             string
		SessionVariables map[string]string
	}
	_ = json.Unmarshal(body, &request)
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/info":
		_, _ = io.WriteString(w, s.info)
	case "/ksql":
		switch keyword := ksql.Keyword(request.KSQL); {
		case keyword == "INSERT":
			_, _ = io.WriteString(w, "[]")
		case strings.HasPrefix(request.KSQL, "SHOW VARIABLES"):
			variables := []map[string]string{}
			for _, name := range sortedKeys(request.SessionVariables) {
				variables = append(variables, map[string]string{"name": name, "value": request.SessionVariables[name]})
			}
			answer := []any{map[string]any{"@type": "variables", "statementText": request.KSQL, "variables": variables, "warnings": []any{}}}
			assert.NoError(t, json.NewEncoder(w).Encode(answer))
		case keyword == "SELEC" || len(s.entities) == 0:
			// The CLI has a parser of its own, and did not ask.
			w.WriteHeader(http.StatusBadRequest)
			word, _, _ := strings.Cut(request.KSQL, " ")
			_, _ = fmt.Fprintf(w, `{"@type":"statement_error","error_code":40001,"message":"line 1:1: Syntax Error\nUnknown statement '%s'","statementText":"","entities":[]}`, word)
		default:
			_, _ = io.WriteString(w, "["+string(s.entities[0])+"]")
			s.entities = s.entities[1:]
		}
	case "/query", "/query-stream":
		if !assert.NotEmpty(t, s.queries, request.KSQL) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer := s.queries[0]
		s.queries = s.queries[1:]
		text := answer.Answer
		switch {
		case answer.Status != "200":
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path == "/query-stream":
			w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
			text = delimited(t, text)
		}
		_, _ = io.WriteString(w, text)
	}
}

var recordedColumn = regexp.MustCompile("`([^`]+)` (.+?)(?: KEY)?(?:, `|$)")

// delimited writes the answer of /query as /query-stream does.
func delimited(t *testing.T, text string) string {
	var parts []struct {
		Header *struct{ QueryID, Schema string }
		Row    *struct{ Columns json.RawMessage }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &parts), text)
	var lines strings.Builder
	for _, part := range parts {
		switch {
		case part.Header != nil:
			header := map[string]any{"queryId": part.Header.QueryID}
			var names, types []string
			for _, column := range strings.Split(part.Header.Schema, ", ") {
				match := recordedColumn.FindStringSubmatch(column)
				names, types = append(names, match[1]), append(types, match[2])
			}
			header["columnNames"], header["columnTypes"] = names, types
			encoded, err := json.Marshal(header)
			require.NoError(t, err)
			lines.Write(encoded)
		case part.Row != nil:
			lines.Write(part.Row.Columns)
		}
		lines.WriteString("\n")
	}
	return lines.String()
}

// notShown are lines of the CLI that ours leaves out, or says in other words.
var notShown = regexp.MustCompile(strings.Join([]string{
	`^Query Completed$`, `^Query terminated$`, `^Limit Reached$`, `^Topic printing ceased$`, // that it ends says that it has
	`^Message$`, `^Stream created$`, // one line says it: Stream created
	`^ksqlDB, Copyright`, `^CLI v`, `^Server Status: `, `^Having trouble\?`, `^Exiting ksqlDB\.$`, `^PRINT \$\{t\}`, // of the prompt
	`^Successfully (?:un)?(?:set|changed) local property`,
	`^Local runtime statistics$`, `^\(Statistics of the local`, // there were none
	`^For (?:runtime statistics|detailed information|source description)`, // HELP has it
	`^(?:Did you mean|Statement: |Caused by: )`,
	`^Current output format: TABULAR$`, `^Output format set to JSON$`, `^http://localhost:8088$`, // of other names
}, "|"))

// helpText is what HELP shows, which is about the commands of each.
var helpText = regexp.MustCompile(`(?s)\nDescription:\n.*?\nksql> `)

var shellRule = regexp.MustCompile(`^[-+| ]*$`)

// shellLines are the lines of an output that say something, with the cells of
// tables side by side and without colours.
func shellLines(text string) []string {
	var lines []string
	for _, line := range strings.Split(regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(text, ""), "\n") {
		line = regexp.MustCompile(`^(?:ksql> )+`).ReplaceAllString(line, "")
		if shellRule.MatchString(line) {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Join(strings.Fields(cells[i]), " ")
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	return lines
}

// runRecordedShells gives the command lines and input of recorded runs of ksqlDB's
// CLI to `orderflow sql`, and what the server answered then, and looks for each
// line that the CLI showed in what ours shows, in order. It returns how many runs
// match, and how many there are.
func runRecordedShells(t *testing.T) (matched, total int) {
	runs := recordings.Shells(t, repository)
	for _, name := range sortedKeys(runs) {
		if t.Run(name, func(t *testing.T) { compareShell(t, runs[name]) }) {
			matched++
		}
	}
	return matched, len(runs)
}

func compareShell(t *testing.T, run recordings.Run) {
	server := newRecordedServer(t, run)
	dir := t.TempDir()
	// What the scripts had follows from what was sent.
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("s2.sql", "SHOW TYPES;\nSHOW VARIABLES;\n")
	var script strings.Builder
	script.WriteString("SET 'auto.offset.reset'='earliest';\n")
	for _, entity := range server.entities {
		var e struct{ StatementText string }
		require.NoError(t, json.Unmarshal(entity, &e))
		script.WriteString(e.StatementText + "\n")
	}
	write("s.sql", script.String())
	args := slices.Clone(run.Args)
	for i, arg := range args {
		if strings.HasSuffix(arg, ".sql") {
			args[i] = filepath.Join(dir, arg)
		}
	}
	cmd := orderflow(t, append([]string{"sql", "--ksqldb", server.URL}, args...)...)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(run.Stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	shown := shellLines(out.String() + errs.String())
	statements := map[string]bool{}
	for _, line := range shellLines(run.Stdin + script.String() + strings.Join(run.Args, "\n")) {
		statements[line] = true
	}
	stdout := helpText.ReplaceAllString(run.Stdout, "")
	for _, block := range jsonBlocks.FindAllString(stdout, -1) {
		requireJSONShown(t, block, out.String())
	}
	at := 0
	for _, line := range shellLines(jsonBlocks.ReplaceAllString(stdout, "")) {
		if notShown.MatchString(line) {
			continue
		}
		found := slices.Index(shown[at:], line)
		if found < 0 && statements[line] {
			continue // the CLI repeats statements
		}
		if found < 0 {
			found = slices.IndexFunc(shown[at:], func(s string) bool { return strings.Contains(s, line) })
		}
		if assert.GreaterOrEqual(t, found, 0, "%q is not among %q", line, shown[at:min(len(shown), at+12)]) {
			at += found
			continue
		}
		break
	}
	assert.Equal(t, run.ExitCode != 0 || len(shellErrors(run.Stdout)) > 0, err != nil, "%v: %s", err, errs.String())
}

// jsonBlocks are answers that the CLI shows as JSON, over many lines.
var jsonBlocks = regexp.MustCompile(`(?ms)^(?:ksql> )?[\[{].*?^[\]}] ?\]?$`)

// requireJSONShown looks for what the CLI shows as JSON among the lines of ours: an
// answer as one of its elements, a row as an object with the same values.
func requireJSONShown(t *testing.T, block, shown string) {
	t.Helper()
	var ours []string
	for _, line := range strings.Split(shown, "\n") {
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) == nil {
			ours = append(ours, canonical(t, object), canonical(t, values(object)))
		}
	}
	decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(block, "ksql> ")))
	for {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF {
			return
		}
		require.NoError(t, err, block)
		switch v := value.(type) {
		case []any:
			for _, element := range v {
				assert.Contains(t, ours, canonical(t, element))
			}
		case map[string]any:
			if columns, isRow := v["columns"]; isRow {
				assert.Contains(t, ours, canonical(t, columns))
			}
		}
	}
}

func canonical(t *testing.T, value any) string {
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	return string(encoded)
}

// values are an object's, by the order of their names.
func values(object map[string]any) []any {
	var all []any
	for _, name := range sortedKeys(object) {
		all = append(all, object[name])
	}
	return all
}

// shellErrors are the errors of a run; the CLI ends with 0 all the same when it is
// the server that refused.
func shellErrors(stdout string) []string {
	return regexp.MustCompile("\x1b\\[31m[^\x1b]*").FindAllString(stdout, -1)
}
