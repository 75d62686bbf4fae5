package ksql_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
)

func FuzzSubstitute(f *testing.F) {
	for _, seed := range []string{"${a}", "'${a}'", "-- ${a}\n${b}", "x${a}", "$${a}", "`${a}"} {
		f.Add(seed)
	}
	// Whatever a value is, it does not become a statement of its own.
	f.Fuzz(func(t *testing.T, text string) {
		counts := map[string]int{}
		for _, value := range []string{"a", "x'; DROP STREAM y; /* -- '", "x`; DROP `", "x\"; DROP \""} {
			filled, err := ksql.Substitute(text, func(string) (string, error) { return value, nil })
			if err != nil {
				return
			}
			statements, err := ksql.Split(filled)
			counts[value] = len(statements)
			if err != nil {
				counts[value] = -1
			}
		}
		for value, count := range counts {
			assert.Equal(t, counts["a"], count, value)
		}
	})
}

func FuzzScanStruct(f *testing.F) {
	f.Add("STRUCT<`A` INTEGER, B ARRAY<MAP<STRING, DECIMAL(4, 2)>>>", `{"A":1,"B":[{"x":1.5}]}`)
	f.Add("MAP<STRING", "null")
	server := newFakeServer(f)
	var answer string
	server.mux.HandleFunc("/query-stream", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		_, _ = io.WriteString(w, answer)
	})
	client := server.client(f)
	f.Fuzz(func(t *testing.T, sqlType, value string) {
		header, err := json.Marshal(map[string]any{"queryId": "query_1", "columnNames": []string{"V"}, "columnTypes": []string{sqlType}})
		require.NoError(t, err)
		answer = string(header) + "\n[" + value + "]\n"
		rows, err := client.Query(t.Context(), "SELECT 1;", nil)
		require.NoError(t, err)
		_, _ = ksql.Collect[struct {
			V struct {
				A int
				B []map[string]json.Number
			}
		}](rows)
	})
}
