package listen

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredentials(t *testing.T) {
	key, keyLine, err := NewAPIKey("till")
	require.NoError(t, err)
	userLine, err := PasswordLine("anna", "s3cret:with colon")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte("# who may\n\n"+keyLine+"\n"+userLine+"\n"), 0o600))
	credentials, err := LoadCredentials(file)
	require.NoError(t, err)
	s := start(t, Config{Guard: Guard{
		Credentials: credentials,
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

func TestCredentialsThatCantBeUsed(t *testing.T) {
	const bcryptHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	for text, want := range map[string]string{
		"":                                      "there are none",
		"# nobody\n":                            "there are none",
		"anna\n":                                "line 1: expected name:hash",
		":" + bcryptHash:                        "line 1: expected name:hash",
		"\nanna:plain-secret":                   "line 2: not a bcrypt hash",
		"a:" + bcryptHash + "\na:" + bcryptHash: "line 2: the name stands in an earlier line",
		"till:sha256:12ab":                      "line 1: an API key's hash",
	} {
		_, err := parseCredentials([]byte(text))
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "plain-secret")
	}
	_, err := LoadCredentials(filepath.Join(t.TempDir(), "none"))
	require.ErrorContains(t, err, "reading the credentials")
	_, err = PasswordLine("a:b", "x")
	require.Error(t, err)
	_, err = PasswordLine("a", "")
	require.Error(t, err)
	_, _, err = NewAPIKey("#a")
	require.Error(t, err)
}
