package ksql_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPrint(t *testing.T) {
	server := newFakeServer(t)
	server.mux.HandleFunc("/query", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Key format: JSON\n\nrowtime: 1, key: {\"error_code\":1}\n")
	})
	var lines []string
	require.NoError(t, server.client(t).Print(t.Context(), "PRINT t;", map[string]string{"a": "b"}, func(line string) error {
		lines = append(lines, line)
		return nil
	}))
	assert.Equal(t, []string{"Key format: JSON", `rowtime: 1, key: {"error_code":1}`}, lines)
	assert.Equal(t, map[string]any{"ksql": "PRINT t;", "streamsProperties": map[string]any{"a": "b"}}, object(t, server.asked("/query")[0].Body))

	enough := errors.New("enough")
	assert.ErrorIs(t, server.client(t).Print(t.Context(), "PRINT t;", nil, func(string) error { return enough }), enough)
}

func TestPrintRefused(t *testing.T) {
	server := newFakeServer(t)
	server.answer("/query", 400, `{"@type":"statement_error","error_code":40001,"message":"no topic"}`)
	assert.ErrorContains(t, server.client(t).Print(t.Context(), "PRINT t;", nil, nil), "no topic")
	server = newFakeServer(t)
	server.answer("/query", 200, `{"@type":"generic_error","error_code":50000,"message":"it broke"}`)
	assert.ErrorContains(t, server.client(t).Print(t.Context(), "PRINT t;", nil, nil), "it broke")
}
