package customers_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/customers"
)

func TestRowsThatAreThereStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "customers.db")
	require.NoError(t, customers.Prepare(t.Context(), path, false))
	db, err := customers.Open(t.Context(), path, false)
	require.NoError(t, err)
	count := func() (n int) {
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM customers").Scan(&n))
		return n
	}
	assert.Zero(t, count())
	require.NoError(t, customers.Prepare(t.Context(), path, true))
	assert.Equal(t, 20, count())
	_, err = db.Exec("DELETE FROM customers WHERE id > 1")
	require.NoError(t, err)
	require.NoError(t, customers.Prepare(t.Context(), path, true))
	assert.Equal(t, 1, count(), "a database with rows is not seeded again")
	require.NoError(t, db.Close())
}

func TestAnUpdateAlwaysGetsALaterTime(t *testing.T) {
	db, err := customers.Open(t.Context(), filepath.Join(t.TempDir(), "customers.db"), true)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	time := func() (ms int64) {
		require.NoError(t, db.QueryRow("SELECT updated_at FROM customers WHERE id = 1").Scan(&ms))
		return ms
	}
	for range 50 {
		before := time()
		_, err := db.Exec("UPDATE customers SET level = 'gold' WHERE id = 1")
		require.NoError(t, err)
		require.Greater(t, time(), before)
	}
	_, err = db.Exec("UPDATE customers SET level = 'wood' WHERE id = 1")
	require.ErrorContains(t, err, "CHECK constraint failed")
}
