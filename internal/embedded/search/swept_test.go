package search_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestWhatAnInterruptedDeletionHasLeftIsRemoved opens a data directory as a kill
// leaves it in the middle of the deletion of an index.
func TestWhatAnInterruptedDeletionHasLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	srv := open(t, search.Config{DataDir: dir})
	must(t, srv, http.MethodPut, "/kept/_doc/1?refresh=true", `{"a":1}`)
	must(t, srv, http.MethodPut, "/gone/_doc/1?refresh=true", `{"a":1}`)
	before, err := filepath.Glob(filepath.Join(dir, "indices", "*"))
	require.NoError(t, err)
	require.Len(t, before, 2)
	left := filepath.Join(t.TempDir(), "left")
	require.NoError(t, os.CopyFS(left, os.DirFS(filepath.Join(dir, "indices"))))
	must(t, srv, http.MethodDelete, "/gone", "")
	require.NoError(t, srv.Stop())
	after, err := filepath.Glob(filepath.Join(dir, "indices", "*"))
	require.NoError(t, err)
	require.Len(t, after, 1)
	require.NoError(t, os.CopyFS(filepath.Join(dir, "indices", "2"), os.DirFS(filepath.Join(left, "2"))))

	srv = open(t, search.Config{DataDir: dir})
	now, err := filepath.Glob(filepath.Join(dir, "indices", "*"))
	require.NoError(t, err)
	assert.Equal(t, after, now)
	assert.Len(t, found(t, srv, "/kept/_search", ""), 1)
}
