package registry_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

// FuzzRequests sends one request of each fuzzed method, path, query and body. Each
// is answered with JSON and without a server's failure, and the registry still has
// what it had.
func FuzzRequests(f *testing.F) {
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(f, err)
	require.NoError(f, b.Start(f.Context()))
	f.Cleanup(func() { require.NoError(f, b.Stop()) })
	r, err := registry.New(registry.Config{Brokers: []string{b.Addr()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(f, err)
	require.NoError(f, r.Load(f.Context()))
	f.Cleanup(func() { require.NoError(f, r.Stop()) })
	send := func(ctx context.Context, method, path, query, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(ctx, method, "http://registry/", strings.NewReader(body))
		req.URL.Path, req.URL.RawQuery = path, query
		if u, err := url.Parse("http://registry" + path); err == nil {
			u.RawQuery = query
			req.URL = u
		}
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		r.Handler().ServeHTTP(answer, req)
		return answer
	}
	const kept = `{"schema":"{\"type\":\"record\",\"name\":\"Kept\",\"fields\":[]}"}`
	require.Equal(f, http.StatusOK, send(f.Context(), http.MethodPost, "/subjects/:.kept:kept/versions", "", kept).Code)
	for _, seed := range [][4]string{
		{"POST", "/subjects/a/versions", "normalize=true", `{"schemaType":"JSON","schema":"{\"type\":\"object\"}","references":[{"name":"x","subject":"a","version":1}],"metadata":{"properties":{"a":"b"}}}`},
		{"POST", "/subjects/p/versions", "", `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; message M { int32 a = 1; }"}`},
		{"POST", "/subjects/a", "deleted=true", `{"schema":"\"string\"","version":-1,"id":5}`},
		{"POST", "/compatibility/subjects/a/versions/latest", "verbose=true", `{"schema":"[\"null\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}]"}`},
		{"GET", "/subjects/a/versions/1/referencedby", "offset=-1&limit=99999999999999999999", ""},
		{"GET", "/schemas", "subjectPrefix=:*:&latestOnly=true&offset=1&limit=0", ""},
		{"GET", "/schemas/ids/-2147483648/versions", "subject=:.c:", ""},
		{"GET", "/contexts/.c/subjects/%2F/versions/latest", "format=serialized", ""},
		{"GET", "/subjects/a/metadata", "key=a&key=b&value=c", ""},
		{"PUT", "/config/:.c:", "", `{"compatibility":"FULL","alias":"a","compatibilityGroup":"g","defaultMetadata":{"tags":{"x":["y"]}}}`},
		{"PUT", "/mode/a", "force=true", `{"mode":"IMPORT"}`},
		{"PUT", "/mode", "0", `{}`},
		{"PUT", "/config/a", "", `{"alias":"a"}`},
		{"DELETE", "/subjects/a/versions/latest", "permanent=true", ""},
		{"DELETE", "/subjects/a", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		switch method {
		case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
		default:
			return
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "kept") {
			return
		}
		answer := send(t.Context(), method, path, query, body)
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		// The text of an unknown id and a mode that isn't there are failures of the real
		// one's server, too.
		asThere := strings.HasPrefix(path, "/schemas/ids/") || method == http.MethodPut && strings.Contains(path, "/mode")
		if answer.Code >= http.StatusInternalServerError && !asThere && !strings.Contains(string(text), "50104") {
			t.Errorf("%s %q?%q %q: %d %s", method, path, query, body, answer.Code, text)
		}
		if answer.Code != http.StatusOK {
			require.True(t, json.Valid(text), "%s", text)
		}
		got := send(t.Context(), http.MethodGet, "/subjects/:.kept:kept/versions/1", "", "")
		require.Equal(t, http.StatusOK, got.Code, "%s", got.Body)
	})
}
