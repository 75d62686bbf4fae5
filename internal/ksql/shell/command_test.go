package shell_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/shell"
)

// typed runs what a person types and returns the output and what else was said.
func typed(t *testing.T, config shell.Config, lines string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	config.In, config.Out, config.Err, config.Interactive = strings.NewReader(lines), &o, &e, true
	require.NoError(t, shell.New(config).Run(t.Context()))
	return o.String(), e.String()
}

func TestCommandsOfTheShell(t *testing.T) {
	server := newServer(t, answers)
	config := shell.Config{Client: server.client(t)}
	tests := []struct{ name, lines, out, errs string }{
		{"output", "output\nOUTPUT vertical;\noutput tabular\noutput xml\n", "Current output: table\nOutput set to vertical\nOutput set to table\n", `"xml" is no output`},
		{"history", "CREATE STREAM\n A;\nhistory\n", "   1: CREATE STREAM\n   2: A;\n   3: history\n", ""},
		{"server", "server\n", server.URL + "\n", ""},
		{"another server", "server http://elsewhere\n", "", "this shell stays with its server"},
		{"help for a statement", "help terminate\n", "TERMINATE query-id|ALL;\n", ""},
		{"help for a command", "help spool\n", "spool [file|off]: write results into a file too", ""},
		{"help for all of a kind", "help list\n", "SHOW STREAMS|TABLES|", ""},
		{"help", "help\n", "run script 'file'", ""},
		{"no help", "help nonsense\n", "", "there is no help for NONSENSE"},
		{"width that is none", "set cli column-width x\n", "", `"x" is no width`},
		{"setting that is none", "set cli colour on\n", "", "usage: set cli column-width|wrap value"},
		{"script without a file", "run script\n", "", "usage: run script 'file'"},
		{"script that is missing", "RUN SCRIPT '/does/not/exist.sql';\n", "", "reading a script"},
		{"quit", "quit;\nSHOW ODD;\n", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			out, errs := typed(t, config, test.lines)
			assert.Contains(t, out, test.out)
			assert.Contains(t, errs, test.errs)
		})
	}
	assert.Empty(t, server.asked("SHOW ODD;"))
}

func TestRowsInTheWidthOfTheTerminal(t *testing.T) {
	config := shell.Config{Client: newServer(t, answers).client(t), Width: func() int { return 20 }}
	out, errs := typed(t, config, "SELECT * FROM T;\nset cli wrap off\nset cli column-width 6\nSELECT * FROM T;\noutput vertical\nSELECT * FROM T;\n")
	assert.Contains(t, out, ""+
		"+---------+-------+\n"+
		"|ID       |N      |\n"+
		"+---------+-------+\n"+
		`|a\nb     |9007199|`+"\n"+
		"|         |2547409|\n"+
		"|         |93     |\n")
	assert.Contains(t, out, "|a\\nb  |900...|\n|null  |1     |\n")
	assert.Contains(t, out, "-[ row 2 ]-\nID : null\nN  : 1\n")
	assert.Contains(t, errs, "2 rows\n")
}

func TestScripts(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	inner := write("in'ner.sql", "SET 'a' = 'b';\nINSERT INTO A VALUES (1);\n")
	outer := write("outer.sql", "DEFINE script = '"+strings.ReplaceAll(inner, "'", "''")+"';\nRUN SCRIPT '${script}';\nSHOW ODD;\n")
	bad := write("bad.sql", "INSERT INTO A VALUES (1);\nNONSENSE;\n")
	endless := filepath.Join(dir, "endless.sql")
	write("endless.sql", "RUN SCRIPT '"+endless+"';")

	server := newServer(t, answers)
	s := shell.New(shell.Config{Client: server.client(t), Out: io.Discard, Err: io.Discard})
	require.NoError(t, s.Execute(t.Context(), "RUN SCRIPT '"+outer+"';"))
	require.Len(t, server.requests, 2)
	assert.Equal(t, map[string]string{"a": "b"}, server.requests[1].Streams)
	require.ErrorContains(t, s.Execute(t.Context(), "RUN SCRIPT '"+bad+"';"), "bad.sql: line 2:1: ksqlDB refused it")
	require.ErrorContains(t, s.Execute(t.Context(), "RUN SCRIPT '"+endless+"';"), "scripts run each other more than 16 deep")
}

func TestSpool(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.txt")
	out, errs := typed(t, shell.Config{Client: newServer(t, answers).client(t)},
		"CREATE STREAM A;\nspool\nspool "+file+"\nspool\nINSERT INTO A VALUES (1);\nCREATE STREAM A;\nspool other.txt\nspool off\nCREATE STREAM A;\n")
	assert.Contains(t, out, "Nothing is spooled.")
	assert.Contains(t, errs, "a file is being written already")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "Results are written to "+file+" too.\nStream created\nwarning: mind\n", string(text))
}

func TestGoingToAnotherServer(t *testing.T) {
	other := newServer(t, map[string]string{"SHOW ODD;": `[]`})
	other.info = `{"KsqlServerInfo":{"version":"7.9.0"}}`
	config := shell.Config{Client: newServer(t, answers).client(t), Dial: func(url string) (*ksql.Client, error) {
		return ksql.New(ksql.Config{URL: url, Retry: ksql.Retry{Attempts: 1}})
	}}
	out, errs := typed(t, config, "server "+other.URL+"\nSHOW ODD;\nserver http://127.0.0.1:1\nserver\n")
	assert.Contains(t, out, "Server now: "+other.URL+", version 7.9.0\n")
	assert.Contains(t, errs, "the server stays "+other.URL)
	assert.True(t, strings.HasSuffix(out, other.URL+"\n"), out)
	assert.Len(t, other.asked("SHOW ODD;"), 1)
}
