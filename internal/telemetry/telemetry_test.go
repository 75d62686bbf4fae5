package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

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

func TestPortInUseNamesTheFlag(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0", "api-listen")
	require.NoError(t, err)
	defer ln.Close()
	_, err = Listen(t.Context(), ln.Addr().String(), "api-listen")
	require.ErrorContains(t, err, "--api-listen")
	require.ErrorContains(t, err, "address already in use")
}

func TestServerStopsWithItsContextAndEndsLongPolls(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0", "api-listen")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	entered := make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	done := make(chan error, 1)
	go func() { done <- ServeHTTP(ctx, ln, handler, time.Minute) }()

	got := make(chan int, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			got <- 0
			return
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		got <- res.StatusCode
	}()
	<-entered
	cancel()
	assert.Equal(t, http.StatusServiceUnavailable, <-got)
	require.NoError(t, <-done)
}
