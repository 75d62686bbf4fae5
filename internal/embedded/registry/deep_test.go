package registry_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

func deepRegistry(t *testing.T) func(method, path string, body any) *httptest.ResponseRecorder {
	t.Helper()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	r, err := registry.New(registry.Config{Brokers: []string{b.Addr()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, r.Load(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.Stop()) })
	return func(method, path string, body any) *httptest.ResponseRecorder {
		raw, err := json.Marshal(body)
		require.NoError(t, err)
		req := httptest.NewRequestWithContext(t.Context(), method, "http://registry"+path, strings.NewReader(string(raw)))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		r.Handler().ServeHTTP(answer, req)
		return answer
	}
}

func TestReferencesThatMeetAgainTakeNoTime(t *testing.T) {
	send := deepRegistry(t)
	var refs []map[string]any
	fields := ""
	for n := range 24 {
		began := time.Now()
		schema := fmt.Sprintf(`{"type":"record","name":"R%d","fields":[%s]}`, n, fields)
		answer := send(http.MethodPost, fmt.Sprintf("/subjects/r%d/versions", n), map[string]any{"schema": schema, "references": refs})
		require.Equal(t, http.StatusOK, answer.Code, "%d: %s", n, answer.Body)
		took := time.Since(began)
		t.Log(n, took)
		require.Less(t, took, 2*time.Second)
		ref := func(name string) map[string]any {
			return map[string]any{"name": name, "subject": fmt.Sprintf("r%d", n), "version": 1}
		}
		refs = []map[string]any{ref(fmt.Sprintf("R%d", n)), ref("again")}
		fields = fmt.Sprintf(`{"name":"f","type":"R%d"}`, n)
	}
}
