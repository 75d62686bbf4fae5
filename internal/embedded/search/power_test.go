package search_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestAcknowledgedWritesSurviveAPowerFailure takes what a disk has of a running server
// when everything that was not synced is gone, and opens it with the inverted index of
// then, with an older one and without one.
func TestAcknowledgedWritesSurviveAPowerFailure(t *testing.T) {
	files, dir, older := vfs.NewCrashableMem(), t.TempDir(), t.TempDir()
	cfg := search.Config{DataDir: dir, FS: files, Sync: true, RefreshInterval: time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	srv := open(t, cfg)
	const n, each = 3000, 100
	for i := 0; i < n; i += each {
		var bulk strings.Builder
		for k := i; k < i+each; k++ {
			fmt.Fprintf(&bulk, `{"index":{"_index":"orders.v1","_id":"o%d","version":%d,"version_type":"external"}}`+"\n%s\n", k, k+1, order(fmt.Sprintf("o%d", k), k))
		}
		must(t, srv, http.MethodPost, "/_bulk", bulk.String())
		if i == n/2 {
			must(t, srv, http.MethodPost, "/_refresh", "")
			require.NoError(t, srv.Stop())
			require.NoError(t, os.CopyFS(older, os.DirFS(dir)))
			srv = open(t, cfg)
		}
	}
	must(t, srv, http.MethodPost, "/_refresh", "")
	must(t, srv, http.MethodPut, "/orders.v1/_doc/last", order("last", n))
	must(t, srv, http.MethodDelete, "/orders.v1/_doc/o0", "")
	left := files.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, srv.Stop())

	for name, indices := range map[string]string{"of then": dir, "older": older, "none": ""} {
		t.Run(name, func(t *testing.T) {
			// The database is found under the path at which it was.
			power := left.CrashClone(vfs.CrashCloneCfg{})
			now := filepath.Join(t.TempDir(), "data")
			if indices != "" {
				require.NoError(t, os.CopyFS(now, os.DirFS(indices)))
			}
			require.NoError(t, power.MkdirAll(now, 0o755))
			require.NoError(t, power.Rename(filepath.Join(dir, "store"), filepath.Join(now, "store")))
			again := open(t, search.Config{DataDir: now, FS: power, Sync: true})
			must(t, again, http.MethodPost, "/_refresh", "")
			assert.Len(t, found(t, again, "/orders.v1/_search?size=10000", ""), n)
			assert.Empty(t, found(t, again, "/orders.v1/_search", `{"query":{"ids":{"values":["o0"]}}}`))
			assert.Equal(t, []string{"last"}, found(t, again, "/orders.v1/_search", `{"query":{"term":{"id.keyword":"last"}}}`))
		})
	}
}

// TestWithoutSyncAPowerFailureCosts shows that the test above can fail.
func TestWithoutSyncAPowerFailureCosts(t *testing.T) {
	files, dir := vfs.NewCrashableMem(), t.TempDir()
	srv := open(t, search.Config{DataDir: dir, FS: files, RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/orders.v1/_doc/o", order("o", 1))
	left := files.CrashClone(vfs.CrashCloneCfg{})
	names, err := left.List(filepath.Join(dir, "store"))
	if err == nil {
		assert.Empty(t, names)
	}
}
