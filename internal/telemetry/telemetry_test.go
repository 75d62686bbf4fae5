package telemetry

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoggerFormatsAndLevels(t *testing.T) {
	var buf bytes.Buffer
	log, err := NewLogger(&buf, "warn", "json")
	require.NoError(t, err)
	log.Info("quiet")
	log.Warn("loud", "order", "o-1")
	assert.NotContains(t, buf.String(), "quiet")
	assert.Contains(t, buf.String(), `"order":"o-1"`)

	_, err = NewLogger(&buf, "loud", "json")
	require.ErrorContains(t, err, `level "loud"`)
	_, err = NewLogger(&buf, "info", "xml")
	require.ErrorContains(t, err, `format "xml"`)
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

func TestReadyOnceEveryCheckPasses(t *testing.T) {
	h := &Health{}
	ops := OpsHandler(h, NewRegistry())
	problem := errors.New("waiting for partitions")
	h.Add("inventory", func() error { return problem })
	h.Add("api", func() error { return nil })

	code, body := get(t, ops, "/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.JSONEq(t, `{"status":"not ready","checks":[{"name":"api"},{"name":"inventory","error":"waiting for partitions"}]}`, body)
	code, _ = get(t, ops, "/livez")
	assert.Equal(t, http.StatusOK, code, "a process that is not ready is still live")

	problem = nil
	code, _ = get(t, ops, "/readyz")
	assert.Equal(t, http.StatusOK, code)
	assert.True(t, h.Ready())

	code, body = get(t, ops, "/metrics")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "go_goroutines")
}
