package ksql_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/orderflow/orderflow/internal/ksql"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer answers with what its handlers say and keeps what it was asked.
type fakeServer struct {
	*httptest.Server
	mu          sync.Mutex
	requests    []fakeRequest
	mux         *http.ServeMux
	connections atomic.Int64
}

type fakeRequest struct {
	Method, Path, Accept, ContentType, Authorization string
	Proto                                            string
	Body                                             string
}

func newFakeServer(t testing.TB) *fakeServer {
	t.Helper()
	f := newUnstartedFakeServer(t, func(*http.Request) {})
	f.Start()
	return f
}

// newUnstartedFakeServer makes a server that tells seen of each request.
func newUnstartedFakeServer(t testing.TB, seen func(*http.Request)) *fakeServer {
	t.Helper()
	f := &fakeServer{mux: http.NewServeMux()}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		seen(r)
		f.mu.Lock()
		f.requests = append(f.requests, fakeRequest{
			Method: r.Method, Path: r.URL.EscapedPath(), Accept: r.Header.Get("Accept"),
			ContentType:   r.Header.Get("Content-Type"),
			Authorization: r.Header.Get("Authorization"),
			Proto:         r.Proto,
			Body:          string(body),
		})
		f.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.mux.ServeHTTP(w, r)
	}))
	f.Config.Protocols = new(http.Protocols)
	f.Config.Protocols.SetHTTP1(true)
	f.Config.Protocols.SetUnencryptedHTTP2(true)
	f.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.connections.Add(1)
		}
	}
	t.Cleanup(f.Close)
	return f
}

// answer makes the server give this status and body at a path.
func (f *fakeServer) answer(path string, status int, body string) {
	f.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// stream makes /query-stream send these chunks; then it waits until the client
// leaves or release is closed, unless release is nil.
func (f *fakeServer) stream(release <-chan struct{}, chunks ...string) {
	f.mux.HandleFunc("/query-stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
		for _, chunk := range chunks {
			_, _ = io.WriteString(w, chunk)
			_ = http.NewResponseController(w).Flush()
		}
		if release != nil {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	})
}

func (f *fakeServer) asked(path string) []fakeRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []fakeRequest
	for _, r := range f.requests {
		if r.Path == path {
			found = append(found, r)
		}
	}
	return found
}

func (f *fakeServer) client(t testing.TB) *ksql.Client {
	t.Helper()
	client, err := ksql.New(ksql.Config{URL: f.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}
