package listen

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/credentials"
)

func TestCredentials(t *testing.T) {
	key, keyLine, err := credentials.NewAPIKey("till")
	require.NoError(t, err)
	userLines, err := credentials.UserLines("anna", "s3cret:with colon")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte("# who may\n\n"+keyLine+"\n"+strings.Join(userLines, "\n")+"\n"), 0o600))
	store, err := credentials.Load(file)
	require.NoError(t, err)
	s := start(t, Config{Guard: Guard{
		Credentials: store,
		Open:        func(r *http.Request) bool { return r.URL.Path == "/livez" },
		Refuse:      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	}}, hello)
	for _, c := range []struct {
		name string
		path string
		set  func(*http.Request)
		want int
	}{
		{"nothing", "/", func(*http.Request) {}, http.StatusUnauthorized},
		{"an open path", "/livez", func(*http.Request) {}, http.StatusOK},
		{"a user", "/", func(r *http.Request) { r.SetBasicAuth("anna", "s3cret:with colon") }, http.StatusOK},
		{"a user again", "/", func(r *http.Request) { r.SetBasicAuth("anna", "s3cret:with colon") }, http.StatusOK},
		{"a wrong password", "/", func(r *http.Request) { r.SetBasicAuth("anna", "wrong") }, http.StatusUnauthorized},
		{"an unknown user", "/", func(r *http.Request) { r.SetBasicAuth("ann", "s3cret:with colon") }, http.StatusUnauthorized},
		{"a key as bearer", "/", func(r *http.Request) { r.Header.Set("Authorization", "bearer "+key) }, http.StatusOK},
		{"a key of its own header", "/", func(r *http.Request) { r.Header.Set("X-API-Key", key) }, http.StatusOK},
		{"a wrong key", "/", func(r *http.Request) { r.Header.Set("X-API-Key", key+"x") }, http.StatusUnauthorized},
		{"the hash of a key", "/", func(r *http.Request) { r.Header.Set("X-API-Key", keyLine) }, http.StatusUnauthorized},
		{"a key as password", "/", func(r *http.Request) { r.SetBasicAuth("till", key) }, http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := request(t, s.URL()+c.path)
			c.set(req)
			code, _ := get(t, http.DefaultClient, req)
			assert.Equal(t, c.want, code)
		})
	}
	resp, err := http.Get(s.URL())
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Len(t, resp.Header.Values("WWW-Authenticate"), 2)
}
