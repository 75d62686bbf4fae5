// Package recordings reads, for tests, recorded runs of ksqlDB's own clients
// against a real server: ksql-migrations and the CLI, with all that they sent, got
// and showed.
//
// Invariant: the recordings are read where they lie, by their folder; none is part
// of this repository, and tests that need them skip where they are not there.
package recordings

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Variable is the environment variable that names the folder of the recordings.
const Variable = "ORDERFLOW_RECORDED"

// Run is one run of a client.
type Run struct {
	Args     []string `json:"args"`
	Stdin    string   `json:"stdin"`
	Stdout   string   `json:"stdout"`
	ExitCode int      `json:"exit_code"`
	Wire     []struct {
		// Frames are those of HTTP/2, both ways.
		Frames []struct {
			From    string      `json:"from"`
			Frame   string      `json:"frame"`
			Stream  int         `json:"stream"`
			Headers [][2]string `json:"headers"`
			Data    string      `json:"data"`
		} `json:"frames"`
		// Exchanges are those of HTTP/1.1.
		Exchanges []struct {
			Request  message `json:"request"`
			Response message `json:"response"`
		} `json:"exchanges"`
	} `json:"wire"`
}

// message is a request or an answer of HTTP/1.1.
type message struct {
	Start   string              `json:"start"`
	Headers [][2]string         `json:"headers"`
	Body    string              `json:"body"`
	Chunks  [][]json.RawMessage `json:"chunks"` // time and text
}

func (m message) text() string {
	text := m.Body
	for _, chunk := range m.Chunks {
		var part string
		if len(chunk) == 2 && json.Unmarshal(chunk[1], &part) == nil {
			text += part
		}
	}
	return text
}

// Exchange is a request and its answer.
type Exchange struct {
	Path, Accept, Request, Status, ContentType, Answer string
}

// Exchanges returns what was sent and answered, in the order of the requests.
func (r Run) Exchanges() []Exchange {
	var all []Exchange
	for _, connection := range r.Wire {
		index := map[int]int{} // of a stream's exchange
		for _, frame := range connection.Frames {
			switch {
			case frame.Frame == "HEADERS" && frame.From == "client":
				index[frame.Stream] = len(all)
				all = append(all, Exchange{Path: header(frame.Headers, ":path"), Accept: header(frame.Headers, "accept")})
			case frame.Frame == "HEADERS":
				if status := header(frame.Headers, ":status"); status != "" {
					all[index[frame.Stream]].Status = status
					all[index[frame.Stream]].ContentType = header(frame.Headers, "content-type")
				}
			case frame.Frame == "DATA" && frame.From == "client":
				all[index[frame.Stream]].Request += frame.Data
			case frame.Frame == "DATA":
				all[index[frame.Stream]].Answer += frame.Data
			}
		}
		for _, e := range connection.Exchanges {
			all = append(all, Exchange{
				Path: field(e.Request.Start, 1), Accept: header(e.Request.Headers, "Accept"), Request: e.Request.text(),
				Status: field(e.Response.Start, 1), ContentType: header(e.Response.Headers, "content-type"), Answer: e.Response.text(),
			})
		}
	}
	return all
}

func header(headers [][2]string, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

func field(text string, n int) string {
	if fields := strings.Fields(text); n < len(fields) {
		return fields[n]
	}
	return ""
}

var contents = regexp.MustCompile(`(?s)/(V\d{6}__\w+\.sql) contents:\n(.*)\n\n?(?:Successfully migrated|Failed to|Unmatched command|Dry run)`)

// File returns the migration file that an apply has printed.
func (r Run) File(t *testing.T) (name, content string) {
	t.Helper()
	match := contents.FindStringSubmatch(r.Stdout)
	require.NotNil(t, match, r.Stdout)
	return match[1], match[2]
}

// Migrations returns the runs of ksql-migrations by their numbers. root is the
// way from the test's folder to that of the repository. The test is skipped where
// there are none.
func Migrations(t *testing.T, root string) map[string]Run {
	t.Helper()
	runs := map[string]Run{}
	for name, run := range read(t, root, "migrations", "[0-9]*.json") {
		runs[name[:2]] = run
	}
	return runs
}

// Shells returns the runs of the CLI by their names.
func Shells(t *testing.T, root string) map[string]Run {
	t.Helper()
	return read(t, root, "cli", "*.json")
}

func read(t *testing.T, root, folder, pattern string) map[string]Run {
	t.Helper()
	where := os.Getenv(Variable)
	if where == "" {
		where = filepath.Join(root, "..", "shared", "recorded")
	}
	paths, err := filepath.Glob(filepath.Join(where, "clients", folder, pattern))
	require.NoError(t, err)
	if len(paths) == 0 {
		t.Skip("no recordings in " + where + " (set " + Variable + ")")
	}
	runs := map[string]Run{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var run Run
		require.NoError(t, json.Unmarshal(text, &run), path)
		runs[strings.TrimSuffix(filepath.Base(path), ".json")] = run
	}
	return runs
}
