//go:build unix

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// terminal is a program at a terminal of its own.
type terminal struct {
	*os.File
	mu     sync.Mutex
	screen bytes.Buffer
}

func (s *terminal) read() {
	part := make([]byte, 4096)
	for {
		n, err := s.Read(part)
		s.mu.Lock()
		s.screen.Write(part[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// shows waits until the terminal has shown a text since the last call, and forgets
// what it showed.
func (s *terminal) shows(t *testing.T, text string) {
	t.Helper()
	eventually(t, "the terminal shows "+text, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, rest, found := bytes.Cut(s.screen.Bytes(), []byte(text))
		if found {
			rest = bytes.Clone(rest)
			s.screen.Reset()
			s.screen.Write(rest)
		}
		return found
	})
}

func (s *terminal) types(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(s.File, text)
	require.NoError(t, err)
}

// line types a line and waits for its echo before it ends it, as people do.
func (s *terminal) line(t *testing.T, text string) {
	t.Helper()
	s.types(t, text)
	s.shows(t, text)
	s.types(t, "\r")
}

// newPrompt is how the line editor shows a prompt with nothing typed yet.
const newPrompt = "ksql>  \b"

// TestSQLAtATerminal types as a person does: completion, several lines, Ctrl-C at
// the prompt and in a push query, history, Ctrl-D.
func TestSQLAtATerminal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/info":
			_, _ = io.WriteString(w, `{"KsqlServerInfo":{"version":"7.9.0"}}`)
		case bytes.Contains(body, []byte("EMIT CHANGES")):
			w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
			_, _ = io.WriteString(w, `{"queryId":"q1","columnNames":["ID"],"columnTypes":["STRING"]}`+"\n"+`["first row"]`+"\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case bytes.Contains(body, []byte(`SHOW\nVARIABLES`)):
			_, _ = io.WriteString(w, `[{"@type":"variables","variables":[{"name":"typed","value":"in two lines"}]}]`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"@type":"statement_error","error_code":40001,"message":"refused"}`)
		}
	}))
	defer server.Close()
	history := filepath.Join(t.TempDir(), "kept", "history")
	begin := func() (*terminal, func()) {
		cmd := orderflow(t, "sql", "--ksqldb", server.URL)
		cmd.Env = append(cmd.Env, "ORDERFLOW_SQL_HISTORY="+history, "TERM=xterm")
		file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
		require.NoError(t, err)
		s := &terminal{File: file}
		go s.read()
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		s.shows(t, "ksqlDB 7.9.0 at "+server.URL)
		s.shows(t, newPrompt)
		return s, func() {
			require.NoError(t, cmd.Wait())
			require.NoError(t, file.Close())
		}
	}
	s, ended := begin()
	s.types(t, "SHOW VAR")
	s.shows(t, "SHOW VAR")
	s.types(t, "\t")
	s.shows(t, "SHOW VARIABLES")
	s.types(t, "\x03")
	s.shows(t, newPrompt)
	s.line(t, "SHOW")
	s.shows(t, "    >  \b")
	s.line(t, "VARIABLES;")
	s.shows(t, "in two lines")
	s.shows(t, newPrompt)
	s.line(t, "SELECT * FROM x EMIT CHANGES;")
	s.shows(t, "|first row")
	s.types(t, "\x03")
	s.shows(t, "1 row")
	s.shows(t, newPrompt)
	s.line(t, "nonsense;")
	s.shows(t, "\x1b[31mksqlDB refused it")
	s.shows(t, newPrompt)
	s.types(t, "\x04")
	ended()

	s, ended = begin()
	s.types(t, "\x1b[A")
	s.shows(t, "nonsense;")
	s.types(t, "\x03")
	s.shows(t, newPrompt)
	s.line(t, "exit")
	ended()
	kept, err := os.ReadFile(history)
	require.NoError(t, err)
	require.True(t, strings.Contains(string(kept), "EMIT CHANGES"), "%s", kept)
}
