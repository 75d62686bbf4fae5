package listen

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/credentials"
)

// TestABodyThatNobodyReadsIsGivenUp: nobody, least of all whoever may not use the
// server, can hold a connection by announcing a body that never comes.
func TestABodyThatNobodyReadsIsGivenUp(t *testing.T) {
	_, line, err := credentials.NewAPIKey("till")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte(line+"\n"), 0o600))
	store, err := credentials.Load(file)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cfg  Config
		want int
	}{
		"a body":                   {Config{Guard: Guard{Credentials: store}}, http.StatusUnauthorized},
		"a stream":                 {Config{Guard: Guard{Credentials: store}, Streams: func(*http.Request) bool { return true }}, http.StatusUnauthorized},
		"a body that nobody reads": {Config{}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.BodyTimeout = 50 * time.Millisecond
			s := start(t, c.cfg, http.NotFound)
			conn, err := net.Dial("tcp", s.Addr())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			assert.Equal(t, c.want, resp.StatusCode)
		})
	}
}
