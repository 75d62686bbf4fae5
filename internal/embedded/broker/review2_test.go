package broker_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

// A byte that flipped in the list of topics does not take a topic's records along.
func TestADamagedCatalogTakesNoRecords(t *testing.T) {
	dir := t.TempDir()
	b := start(t, broker.Config{DataDir: dir})
	cl := client(t, b.Addr())
	createTopic(t, cl, "orders", 1, nil)
	createTopic(t, cl, "other", 1, nil)
	produce(t, cl, "orders", 0, 100)
	require.NoError(t, b.Stop())
	logs := func() []string {
		files, err := filepath.Glob(filepath.Join(dir, "topics", "orders.*", "0", "*.log"))
		require.NoError(t, err)
		return files
	}
	require.NotEmpty(t, logs())
	name := filepath.Join(dir, "catalog")
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.Index(raw, []byte("topic/orders"))
	require.Positive(t, at)
	raw[at+2] ^= 1
	require.NoError(t, os.WriteFile(name, raw, 0o600))
	require.NoError(t, b.Start(t.Context()))
	assert.NotEmpty(t, logs(), "the records are deleted")
}
