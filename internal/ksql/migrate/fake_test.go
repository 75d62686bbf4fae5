package migrate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeKsqlDB knows as much of ksqlDB as the migrator sees: the two metadata
// sources, and a log of all other statements.
type fakeKsqlDB struct {
	*httptest.Server
	mu         sync.Mutex
	statements []sentStatement
	sources    map[string]bool
	events     []map[string]string          // rows of the stream, by column
	table      map[string]map[string]string // rows of the table, by key
	journal    map[string]map[string]string // rows of our own table, by key
	refuse     map[string]string            // answers to statements that begin so
	lose       func(text string) bool       // whether a statement's connection is lost once it was carried out
	queries    func() []any                 // what SHOW QUERIES lists
	hidden     int                          // reads that do not show the newest events yet
	requests   int
}

type sentStatement struct {
	Text       string
	Properties map[string]any
}

func newFakeKsqlDB(t *testing.T) *fakeKsqlDB {
	t.Helper()
	f := &fakeKsqlDB{sources: map[string]bool{}, table: map[string]map[string]string{}, journal: map[string]map[string]string{}, refuse: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"KsqlServerInfo":{"version":"7.9.0","kafkaClusterId":"x","ksqlServiceId":"default_","serverStatus":"RUNNING"}}`)
	})
	mux.HandleFunc("POST /ksql", f.exec)
	mux.HandleFunc("POST /query-stream", f.query)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func answerError(w http.ResponseWriter, code int, message, statement string) {
	w.WriteHeader(code / 100)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"@type": "statement_error", "error_code": code, "message": message, "statementText": statement, "entities": []any{},
	})
}

var (
	createPattern   = regexp.MustCompile(`^CREATE (?:STREAM|TABLE) (?:IF NOT EXISTS )?(\w+)`)
	describePattern = regexp.MustCompile("^DESCRIBE `(\\w+)`;$")
	dropPattern     = regexp.MustCompile(`^DROP (?:STREAM|TABLE) (\w+)(?: DELETE TOPIC)?;$`)
	insertPattern   = regexp.MustCompile(`(?s)^INSERT INTO ((?:ORDERFLOW_)?MIGRATION_EVENTS) \((.*?)\) VALUES \((.*)\);$`)
	literalPattern  = regexp.MustCompile(`'(?:[^']|'')*'`)
)

func (f *fakeKsqlDB) exec(w http.ResponseWriter, r *http.Request) {
	var request struct {
		KSQL              string         `json:"ksql"`
		StreamsProperties map[string]any `json:"streamsProperties"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		answerError(w, 40000, err.Error(), "")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	statements, err := ksql.Split(request.KSQL)
	if err != nil {
		answerError(w, 40001, err.Error(), request.KSQL)
		return
	}
	entities := []any{}
	for _, statement := range statements {
		for prefix, message := range f.refuse {
			if strings.HasPrefix(statement.Text, prefix) {
				answerError(w, 40001, message, statement.Text)
				return
			}
		}
		entity, message := f.execOne(statement.Text, request.StreamsProperties)
		if message != "" {
			answerError(w, 40001, message, statement.Text)
			return
		}
		if entity != nil {
			entities = append(entities, entity)
		}
	}
	if f.lose != nil && f.lose(request.KSQL) {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(entities)
}

func (f *fakeKsqlDB) execOne(text string, properties map[string]any) (entity map[string]any, message string) {
	status := map[string]any{
		"@type": "currentStatus", "statementText": text, "commandId": "stream/`X`/create", "commandSequenceNumber": 2,
		"commandStatus": map[string]any{"status": "SUCCESS", "message": "done", "queryId": nil},
	}
	switch {
	case describePattern.MatchString(text):
		name := describePattern.FindStringSubmatch(text)[1]
		if !f.sources[name] {
			return nil, "Could not find STREAM/TABLE '" + name + "' in the Metastore"
		}
		return map[string]any{"@type": "sourceDescription", "sourceDescription": map[string]any{
			"name": name, "writeQueries": []any{map[string]any{"id": "CTAS_" + name + "_1"}},
		}}, ""
	case insertPattern.MatchString(text):
		match := insertPattern.FindStringSubmatch(text)
		columns := strings.Split(match[2], ", ")
		row := map[string]string{}
		for i, literal := range literalPattern.FindAllString(match[3], -1) {
			row[columns[i]] = strings.ReplaceAll(literal[1:len(literal)-1], "''", "'")
		}
		if match[1] != migrate.EventsStream {
			f.journal[row["PROGRESS_KEY"]] = row
			return nil, ""
		}
		f.events = append(f.events, row)
		f.table[row["VERSION_KEY"]] = row
		return nil, ""
	case text == "SHOW TYPES;":
		return map[string]any{"@type": "type_list", "types": map[string]any{}}, ""
	case text == "SHOW QUERIES;":
		queries := []any{}
		if f.queries != nil {
			queries = f.queries()
		}
		return map[string]any{"@type": "queries", "queries": queries}, ""
	case strings.HasPrefix(text, "EXPLAIN "):
		return map[string]any{"@type": "queryDescription", "queryDescription": map[string]any{
			"queryErrors": []any{map[string]any{"errorMessage": "out of disk"}},
		}}, ""
	case dropPattern.MatchString(text):
		f.note(text, properties)
		delete(f.sources, dropPattern.FindStringSubmatch(text)[1])
		return status, ""
	}
	f.note(text, properties)
	if match := createPattern.FindStringSubmatch(text); match != nil {
		if f.sources[match[1]] {
			return nil, "Cannot add stream '" + match[1] + "': A stream with the same name already exists"
		}
		f.sources[match[1]] = true
	}
	if strings.HasPrefix(text, "INSERT INTO") && !strings.Contains(text, "SELECT") {
		return nil, ""
	}
	return status, ""
}

func (f *fakeKsqlDB) note(text string, properties map[string]any) {
	if properties == nil {
		properties = map[string]any{}
	}
	f.statements = append(f.statements, sentStatement{text, properties})
}

var selectPattern = regexp.MustCompile(`^SELECT (.*) FROM ((?:ORDERFLOW_)?MIGRATION_SCHEMA_VERSIONS) WHERE (\w+) IN \((.*)\);$`)

func (f *fakeKsqlDB) query(w http.ResponseWriter, r *http.Request) {
	var request struct {
		SQL string `json:"sql"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		answerError(w, 40000, err.Error(), "")
		return
	}
	match := selectPattern.FindStringSubmatch(request.SQL)
	if match == nil {
		answerError(w, 40001, "the fake does not know this query", request.SQL)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
	encoder := json.NewEncoder(w)
	columns := strings.Split(match[1], ", ")
	types := make([]string, len(columns))
	for i := range types {
		types[i] = "STRING"
	}
	_ = encoder.Encode(map[string]any{"queryId": "query_1", "columnNames": columns, "columnTypes": types})
	if f.hidden > 0 {
		f.hidden--
		return
	}
	table := f.table
	if match[2] != migrate.VersionsTable {
		table = f.journal
	}
	for _, literal := range literalPattern.FindAllString(match[4], -1) {
		key := literal[1 : len(literal)-1]
		row, ok := table[key]
		if !ok {
			continue
		}
		values := make([]string, len(columns))
		for i, column := range columns {
			values[i] = row[column]
			if column == match[3] {
				values[i] = key
			}
		}
		_ = encoder.Encode(values)
	}
}

// sent returns the statements that are not the metadata's own.
func (f *fakeKsqlDB) sent() []sentStatement {
	f.mu.Lock()
	defer f.mu.Unlock()
	var own []sentStatement
	for _, s := range f.statements {
		if !strings.Contains(s.Text, migrate.EventsStream) && !strings.Contains(s.Text, migrate.VersionsTable) {
			own = append(own, s)
		}
	}
	return own
}

// states returns version, state and previous version of each event.
func (f *fakeKsqlDB) states() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var states []string
	for _, e := range f.events {
		states = append(states, e["VERSION_KEY"]+": "+e["VERSION"]+" "+e["STATE"]+" after "+e["PREVIOUS"])
	}
	return states
}

// files makes a file system of names and contents.
func files(namesAndContents ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(namesAndContents); i += 2 {
		fsys[namesAndContents[i]] = &fstest.MapFile{Data: []byte(namesAndContents[i+1])}
	}
	return fsys
}

// newMigrator returns a migrator of fsys whose clock goes on by a second each time.
func (f *fakeKsqlDB) newMigrator(t *testing.T, config migrate.Config) *migrate.Migrator {
	t.Helper()
	client, err := ksql.New(ksql.Config{URL: f.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	config.Client = client
	if config.Now == nil {
		now := time.UnixMilli(1_000_000)
		config.Now = func() time.Time {
			now = now.Add(time.Second)
			return now
		}
	}
	migrator, err := migrate.New(config)
	require.NoError(t, err)
	return migrator
}

var execOptions = ksql.ExecOptions{}
