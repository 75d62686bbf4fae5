package ksql_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

type recordedExchange struct {
	Path            string            `json:"path"`
	RequestHeaders  map[string]string `json:"request_headers"`
	Status          int               `json:"status"`
	ResponseHeaders map[string]string `json:"response_headers"`
	Body            string            `json:"body"`
	Chunks          []json.RawMessage `json:"chunks"`
	Ended           string            `json:"ended"`
}

// parts returns the answer's pieces as they came.
func (e recordedExchange) parts(t *testing.T) []string {
	if e.Chunks == nil {
		return []string{e.Body}
	}
	var parts []string
	for _, chunk := range e.Chunks {
		var timed []json.RawMessage
		require.NoError(t, json.Unmarshal(chunk, &timed))
		var text string
		require.NoError(t, json.Unmarshal(timed[1], &text))
		parts = append(parts, text)
	}
	return parts
}

func recordedExchanges(t *testing.T) []recordedExchange {
	t.Helper()
	root := os.Getenv("ORDERFLOW_RECORDED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "recorded")
	}
	paths, err := filepath.Glob(filepath.Join(root, "http", "*.jsonl"))
	require.NoError(t, err)
	if len(paths) == 0 {
		t.Skip("no recordings in " + root + " (set ORDERFLOW_RECORDED)")
	}
	var all []recordedExchange
	for _, path := range paths {
		file, err := os.Open(path)
		require.NoError(t, err)
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 64<<20)
		for scanner.Scan() {
			var e recordedExchange
			if json.Unmarshal(scanner.Bytes(), &e) == nil && e.Status != 0 {
				all = append(all, e)
			}
		}
		require.NoError(t, scanner.Err())
		require.NoError(t, file.Close())
	}
	return all
}

// TestRecordedAnswersAreRead gives the client what a real server answered.
func TestRecordedAnswersAreRead(t *testing.T) {
	exchanges := recordedExchanges(t)
	var current recordedExchange
	server := newFakeServer(t)
	server.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range current.ResponseHeaders {
			if !strings.EqualFold(name, "Transfer-Encoding") && !strings.EqualFold(name, "Content-Length") {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(current.Status)
		for _, part := range current.parts(t) {
			_, _ = w.Write([]byte(part))
			_ = http.NewResponseController(w).Flush()
		}
	})
	client := server.client(t)
	statements, queries := 0, 0
	for _, current = range exchanges {
		text := strings.Join(current.parts(t), "")
		switch {
		case current.Path == "/ksql":
			statements++
			entities, err := client.Exec(t.Context(), "X;", ksql.ExecOptions{})
			requireEntities(t, current.Status, text, entities, err)
		case current.Path == "/query-stream" && strings.Contains(current.RequestHeaders["Accept"], "delimited") &&
			!strings.HasPrefix(text, "rowtime"):
			queries++
			requireRows(t, client, current, text)
		}
	}
	assert.Greater(t, statements, 500)
	assert.Greater(t, queries, 15)
}

func requireEntities(t *testing.T, status int, text string, entities []ksql.Entity, err error) {
	t.Helper()
	if status != http.StatusOK {
		requireError(t, status, text, err)
		return
	}
	require.NoError(t, err, text)
	var want []struct {
		Type     string `json:"@type"`
		Sequence *int64 `json:"commandSequenceNumber"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &want))
	require.Len(t, entities, len(want))
	for i := range want {
		require.Equal(t, want[i].Type, entities[i].Type)
		if want[i].Sequence != nil {
			require.Equal(t, *want[i].Sequence, entities[i].CommandSequenceNumber)
			require.NotEmpty(t, entities[i].CommandID)
			require.True(t, entities[i].CommandStatus.Final() || entities[i].CommandStatus.Status == ksql.StatusExecuting)
		}
	}
}

func requireError(t *testing.T, status int, text string, err error) {
	t.Helper()
	var got *ksql.Error
	require.ErrorAs(t, err, &got, text)
	var want struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	if text != "" && strings.HasPrefix(text, "{") {
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		require.Equal(t, want.Message, got.Message)
	}
	require.Equal(t, want.Code, got.Code)
	require.Equal(t, status, got.HTTPStatus)
}

func requireRows(t *testing.T, client *ksql.Client, e recordedExchange, text string) {
	t.Helper()
	rows, err := client.Query(t.Context(), "X;", nil)
	if e.Status != http.StatusOK {
		requireError(t, e.Status, text, err)
		return
	}
	require.NoError(t, err, text)
	defer rows.Close()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var header struct {
		ColumnNames []string `json:"columnNames"`
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &header))
	require.Len(t, rows.Columns(), len(header.ColumnNames))
	for _, line := range lines[1:] {
		require.True(t, rows.Next(), rows.Err())
		encoded, err := json.Marshal(rows.Values())
		require.NoError(t, err)
		var want bytes.Buffer
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.UseNumber()
		var values any
		require.NoError(t, decoder.Decode(&values))
		require.NoError(t, json.NewEncoder(&want).Encode(values))
		require.Equal(t, strings.TrimSpace(want.String()), string(encoded))
	}
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
}
