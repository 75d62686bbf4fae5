package search

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestADeletedIndexIsNotWrittenAnyMore: a request that found an index before it was
// deleted, and made anew, and whose turn comes afterwards, changes nothing.
func TestADeletedIndexIsNotWrittenAnyMore(t *testing.T) {
	cfg := Config{DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	srv, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	send := func(method, path, body string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	must := func(method, path, body string) {
		status, answer := send(method, path, body)
		require.Less(t, status, 300, answer)
	}
	must(http.MethodPut, "/orders", "")
	found, err := srv.resolve("orders", expression{}) // as PUT /orders/_mapping begins
	require.NoError(t, err)
	must(http.MethodDelete, "/orders", "")
	must(http.MethodPut, "/orders/_doc/1?refresh=true", `{"a":1}`)
	require.Error(t, found[0].change(func(def definition) (*definition, *apiError) { return &def, nil }))
	_, err = found[0].writeOne(&writeOp{action: "index", id: "2", hasID: true, versionType: versionInternal, source: []byte(`{"b":1}`)})
	require.Error(t, err)
	require.NoError(t, srv.Stop())

	srv, err = New(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	defer func() { require.NoError(t, srv.Stop()) }()
	status, answer := send(http.MethodGet, "/orders/_doc/1", "")
	require.Equal(t, http.StatusOK, status, "what was acknowledged is there after a restart: %s", answer)
}
