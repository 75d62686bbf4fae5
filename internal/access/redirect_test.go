package access

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnotherHostNeverGetsCredentials: not even when it redirects to itself.
func TestAnotherHostNeverGetsCredentials(t *testing.T) {
	for name, as := range map[string]HTTP{"a key": {Key: "secret"}, "a password": {Username: "anna", Password: "secret"}} {
		t.Run(name, func(t *testing.T) {
			var got []string
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Header.Get("Authorization"))
				if r.URL.Path == "/" {
					http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
				}
			}))
			defer other.Close()
			var own []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				own = append(own, r.Header.Get("Authorization"))
				if r.URL.Path == "/" {
					http.Redirect(w, r, "/within", http.StatusTemporaryRedirect)
					return
				}
				http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			}))
			defer server.Close()
			transport, err := as.Transport()
			require.NoError(t, err)
			resp, err := (&http.Client{Transport: transport}).Get(server.URL)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, []string{"", ""}, got)
			require.Len(t, own, 2)
			require.NotContains(t, own, "", "the server itself asks for them at each address")
		})
	}
}
