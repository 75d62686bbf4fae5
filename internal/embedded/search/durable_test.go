package search_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestWritesOutliveAKill takes the data directory of a running server as a kill
// would leave it, with the end of the log torn off at every length, and opens it.
func TestWritesOutliveAKill(t *testing.T) {
	dir := t.TempDir()
	srv := open(t, search.Config{DataDir: dir, RefreshInterval: -1})
	const n = 50
	for i := range n {
		must(t, srv, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/o%02d", i), order(fmt.Sprintf("o%02d", i), i))
		if i == n/2 {
			must(t, srv, http.MethodPost, "/_refresh", "")
		}
	}
	for _, torn := range []int64{0, 1, 7, 100, 300} {
		t.Run(fmt.Sprint(torn), func(t *testing.T) {
			left := filepath.Join(t.TempDir(), "data")
			require.NoError(t, os.CopyFS(left, os.DirFS(dir)))
			tear(t, filepath.Join(left, "store"), torn)
			var log bytes.Buffer
			again, err := search.New(search.Config{DataDir: left, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, err)
			require.NoError(t, again.Open())
			defer func() { require.NoError(t, again.Stop()) }()
			assert.Contains(t, log.String(), "read the log of the last run")
			ids := found(t, again, "/orders.v1/_search", `{"size":100,"sort":["id.keyword"]}`)
			if torn == 0 {
				require.Len(t, ids, n, "what was acknowledged is found")
			}
			require.GreaterOrEqual(t, len(ids), n-3, "only what was torn off is gone")
			for i, id := range ids {
				assert.Equal(t, fmt.Sprintf("o%02d", i), id, "without holes")
				assert.Equal(t, true, must(t, again, http.MethodGet, "/orders.v1/_doc/"+id, "")["found"])
			}
			must(t, again, http.MethodPut, "/orders.v1/_doc/new?refresh=wait_for", order("new", 1))
			assert.Len(t, found(t, again, "/orders.v1/_search", `{"size":100}`), len(ids)+1, "it goes on")
		})
	}
}

// tear cuts the end off the newest log of the store, which is padded with zeros.
func tear(t *testing.T, store string, n int64) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(store, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	slices.Sort(logs)
	last := logs[len(logs)-1]
	raw, err := os.ReadFile(last)
	require.NoError(t, err)
	raw = bytes.TrimRight(raw, "\x00")
	require.NoError(t, os.WriteFile(last, raw[:int64(len(raw))-n], 0o600))
}

// TestTooMuchAtOnceIsRefused sends more than the server takes at the same time.
func TestTooMuchAtOnceIsRefused(t *testing.T) {
	srv := open(t, search.Config{WriteLimit: 1000})
	must(t, srv, http.MethodPost, "/i/_bulk", `{"index":{}}`+"\n{}\n")
	status, answer := call(t, srv, http.MethodPost, "/i/_bulk", strings.Repeat(`{"index":{}}`+"\n{}\n", 100))
	assert.Equal(t, http.StatusTooManyRequests, status)
	assert.Contains(t, answer, "es_rejected_execution_exception")
	must(t, srv, http.MethodPost, "/i/_bulk", `{"index":{}}`+"\n{}\n")
}
