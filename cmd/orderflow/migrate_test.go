package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// runCommand runs one command line against the ksqlDB at url.
func runCommand(t *testing.T, url string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	noEnv := func(string) (string, bool) { return "", false }
	code = run(t.Context(), append(args, "--ksqldb", url), &out, &errs, noEnv)
	return code, out.String(), errs.String()
}

// emptyKsqlDB is a server that knows no source and takes no statement.
func emptyKsqlDB(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		message := "not today"
		if _, name, found := strings.Cut(string(body), "DESCRIBE `"); found {
			name, _, _ = strings.Cut(name, "`")
			message = "Could not find STREAM/TABLE '" + name + "' in the Metastore"
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"@type":"statement_error","error_code":40001,"message":%q}`, message)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestMigrateNewMakesTheNextFile(t *testing.T) {
	dir := t.TempDir()
	code, out, errs := runCommand(t, "http://127.0.0.1:1", "migrate", "new", "orders by country", "--dir", dir)
	require.Equal(t, 0, code, errs)
	path := filepath.Join(dir, "V000001__orders_by_country.sql")
	assert.Equal(t, path+"\n", out)
	assert.FileExists(t, path)
}

func TestMigrateInfoOfAServerWithoutMigrations(t *testing.T) {
	code, out, errs := runCommand(t, emptyKsqlDB(t), "migrate", "info")
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "Current migration version: <none>\n")
	assert.Regexp(t, ` 1 +\| sources +\| PENDING \| N/A +\| N/A +\| N/A +\| N/A +\n`, out)
}

func TestMigrateDryRunShowsTheStatements(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "V000001__a.sql"), []byte("SET 'x' = 'y';\nCREATE STREAM ${name}\n  WITH (A=1);\n"), 0o600))
	url := emptyKsqlDB(t)
	code, out, errs := runCommand(t, url, "migrate", "apply", "-a", "--dry-run", "-d", "name=S", "--dir", dir)
	require.Equal(t, 0, code, errs)
	assert.Equal(t, "V000001__a.sql (1 statements)\n  CREATE STREAM S\n    WITH (A=1);\n1 migrations would be applied; nothing was\n", out)

	code, _, errs = runCommand(t, url, "migrate", "apply", "-a", "--dry-run", "--dir", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "V000001__a.sql line 2:15: the variable name: it is not defined")
}

func TestMigrateRefuses(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"migrate", "apply"}, "say which migrations to apply"},
		{[]string{"migrate", "apply", "-a", "-n"}, "say which migrations to apply"},
		{[]string{"migrate", "apply", "-a", "-d", "x"}, `reading --define: "x" must be name=value`},
		{[]string{"migrate", "apply", "-n"}, "looking for the Kafka that has the migrations' lock"},
		{[]string{"migrate", "destroy"}, "add --yes"},
		{[]string{"migrate", "new", "x", "--dir", "no/such/folder"}, "no such file"},
		{[]string{"migrate", "info", "--dir", "no/such/folder"}, "reading the migrations directory"},
		{[]string{"sql", "-e", "A;", "-f", "b"}, "cannot be given together"},
		{[]string{"sql", "-e", "A;", "-o", "xml"}, "xml"},
		{[]string{"sql", "-f", "no/such/file"}, "reading the statements"},
		{[]string{"sql", "-e", "SHOW STREAMS;"}, "not today"},
	}
	url := emptyKsqlDB(t)
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			code, _, errs := runCommand(t, url, test.args...)
			assert.Equal(t, 1, code)
			assert.Contains(t, errs, test.want)
			assert.Equal(t, 1, strings.Count(errs, "\n"), "one line: %s", errs)
		})
	}
}

func TestPrintMigrations(t *testing.T) {
	at := time.Date(2026, 11, 22, 23, 15, 18, 208e6, time.UTC)
	var out textOutput
	out.migrations(migrate.Status{Initialized: true, Current: 2, Migrations: []migrate.Migration{
		{File: migrate.File{Version: 1, Name: "first"}, State: migrate.Migrated, Previous: "<none>", StartedOn: at, CompletedOn: at.Add(time.Second)},
		{File: migrate.File{Version: 2, Name: "second"}, State: migrate.Failed, Previous: "1", StartedOn: at, ErrorReason: "it\nbroke"},
		{File: migrate.File{Version: 3, Name: "third"}, State: migrate.Pending},
	}})
	assert.Equal(t, `Current migration version: 2
---------------------------------------------------------------------------------------------------------------------------
 Version | Name   | State    | Previous Version | Started On                  | Completed On                | Error Reason 
---------------------------------------------------------------------------------------------------------------------------
 1       | first  | MIGRATED | <none>           | 2026-11-22 23:15:18.208 UTC | 2026-11-22 23:15:19.208 UTC | N/A          
 2       | second | ERROR    | 1                | 2026-11-22 23:15:18.208 UTC | N/A                         | it; broke    
 3       | third  | PENDING  | N/A              | N/A                         | N/A                         | N/A          
---------------------------------------------------------------------------------------------------------------------------
`, out.text.String())
}

func TestSQLRunsStatements(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		fmt.Fprint(w, `{"queryId":"query_1","columnNames":["N"],"columnTypes":["BIGINT"]}`+"\n[9007199254740993]\n")
	}))
	defer server.Close()
	code, out, errs := runCommand(t, server.URL, "sql", "-o", "json", "-e", "SELECT N FROM T")
	require.Equal(t, 0, code, errs)
	assert.Equal(t, `{"N":9007199254740993}`+"\n", out)

	file := filepath.Join(t.TempDir(), "q.sql")
	require.NoError(t, os.WriteFile(file, []byte("SELECT N FROM T;"), 0o600))
	code, out, errs = runCommand(t, server.URL, "sql", "-f", file)
	require.Equal(t, 0, code, errs)
	assert.Contains(t, out, "|9007199254740993|\n")
}

func TestSQLEndsWithItsInput(t *testing.T) {
	var out bytes.Buffer
	root := newRootCommand(&environment{stdout: &out, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }})
	root.SetArgs([]string{"sql", "--ksqldb", "http://127.0.0.1:1"})
	root.SetIn(strings.NewReader("-- nothing\n"))
	require.NoError(t, root.ExecuteContext(context.Background()))
	assert.Empty(t, out.String())
}
