package shell

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestCompletion(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked++
		for statement, answer := range map[string]string{
			"SHOW STREAMS;":      `[{"@type":"streams","streams":[{"name":"ORDERS_STREAM"},{"name":"odd name"}]}]`,
			"SHOW TABLES;":       `[{"@type":"tables","tables":[{"name":"ORDERS_BY_ID"}]}]`,
			"SHOW TOPICS;":       `[{"@type":"kafka_topics","topics":[{"name":"orders.v1"}]}]`,
			"SHOW QUERIES;":      `[{"@type":"queries","queries":[{"id":"CSAS_X_1"}]}]`,
			"SHOW FUNCTIONS;":    `[{"@type":"function_names","functions":[{"name":"SUBSTRING"}]}]`,
			"`ORDERS_STREAM`;\"": `[{"@type":"sourceDescription","sourceDescription":{"fields":[{"name":"CUSTOMERID"},{"name":"customerNote"}]}}]`,
		} {
			if strings.Contains(string(body), statement) {
				_, _ = io.WriteString(w, answer)
				return
			}
		}
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	client, err := ksql.New(ksql.Config{URL: server.URL})
	require.NoError(t, err)
	defer client.Close()
	c := &catalog{client: client}
	tests := []struct {
		before, after string
		want          []string
		wantNot       string
	}{
		{"", "", []string{"SELECT", "help", "CREATE", "LIST"}, "ORDERS_STREAM"},
		{"sel", "", []string{"SELECT"}, "SET"},
		{"SELECT * FROM orders_", "", []string{"ORDERS_STREAM", "ORDERS_BY_ID"}, "SELECT"},
		{"SELECT * FROM ", "", []string{"`odd name`"}, "SELECT"},
		{"SELECT cu", " FROM orders_stream", []string{"CUSTOMERID"}, "CREATE"},
		{"SELECT `cu", " FROM orders_stream", []string{"`customerNote`"}, "CUSTOMERID"},
		{"SELECT orders_stream.cust", "", []string{"orders_stream.CUSTOMERID"}, "CUSTOMERID"},
		{"SELECT subs", "", []string{"SUBSTRING"}, ""},
		{"SELECT 1; DESCRIBE ", "", []string{"ORDERS_BY_ID", "FUNCTION"}, "SELECT"},
		{"DESCRIBE FUNCTION s", "", []string{"SUBSTRING"}, "SELECT"},
		{"DROP TABLE ", "", []string{"ORDERS_BY_ID", "IF"}, "CREATE"},
		{"PRINT or", "", []string{"orders.v1"}, "ORDERS_BY_ID"},
		{"PRINT orders FROM ", "", []string{"BEGINNING"}, "ORDERS_BY_ID"},
		{"TERMINATE C", "", []string{"CSAS_X_1"}, "CREATE"},
		{"SHOW T", "", []string{"TABLES", "TOPICS", "TYPES"}, "TIME"},
		{"CREATE STREAM x AS SELECT * FROM orders_stream EM", "", []string{"EMIT"}, ""},
	}
	for _, test := range tests {
		part, words := c.complete(t.Context(), test.before, test.after)
		assert.True(t, strings.HasSuffix(test.before, part), "%q of %q", part, test.before)
		for _, want := range test.want {
			assert.Contains(t, words, want, test.before)
		}
		assert.NotContains(t, words, test.wantNot, test.before)
	}
	assert.Equal(t, 6, asked, "what the server has is asked for once")
	c.forget(client)
	c.complete(t.Context(), "", "")
	assert.Equal(t, 10, asked, "and again after a change, functions excepted")
}
