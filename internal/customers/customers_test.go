package customers_test

import (
	"path/filepath"
	"testing"
	"time"

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
	at := func() (ms int64) {
		require.NoError(t, db.QueryRow("SELECT updated_at FROM customers WHERE id = 1").Scan(&ms))
		return ms
	}
	for range 50 {
		before := at()
		_, err := db.Exec("UPDATE customers SET level = 'gold' WHERE id = 1")
		require.NoError(t, err)
		require.Greater(t, at(), before)
	}
	_, err = db.Exec("UPDATE customers SET level = 'wood' WHERE id = 1")
	require.ErrorContains(t, err, "CHECK constraint failed")
}

// The connector reads no rows of the future and none with a time in words. They are read
// by nobody and hold up nobody else.
func TestAWrongTimeOfOneCustomerIsNoOtherOnes(t *testing.T) {
	for name, wrong := range map[string]string{
		"words": "datetime('now')", "microseconds": "updated_at * 1000", "a real number of microseconds": "updated_at * 1000.5", "a blob": "x'00'",
	} {
		t.Run(name, func(t *testing.T) {
			db, err := customers.Open(t.Context(), filepath.Join(t.TempDir(), "customers.db"), true)
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			began := time.Now().UnixMilli()
			_, err = db.Exec("UPDATE customers SET updated_at = " + wrong + " WHERE id = 7")
			require.NoError(t, err)
			_, err = db.Exec("UPDATE customers SET level = 'gold' WHERE id = 5")
			require.NoError(t, err)
			_, err = db.Exec("INSERT INTO customers (id, firstName, lastName, email, address) VALUES (3000, 'A', 'B', 'c', 'd')")
			require.NoError(t, err)
			for _, id := range []int{5, 3000} {
				var at int64
				require.NoError(t, db.QueryRow("SELECT CAST(updated_at AS INTEGER) FROM customers WHERE id = ?", id).Scan(&at))
				assert.InDelta(t, began, at, 60_000, "customer %d", id)
			}
		})
	}
}

// The connector takes what comes after the last (updated_at, id) that it has read.
func TestEachChangeComesAfterAllBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "customers.db")
	db, err := customers.Open(t.Context(), path, true)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	inOrder := func(id int) {
		t.Helper()
		var after int
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM customers AS o, customers AS c WHERE c.id = ? AND o.id <> c.id AND (o.updated_at, o.id) > (c.updated_at, c.id)", id).Scan(&after))
		require.Zero(t, after, "customer %d", id)
	}
	inOrder(20)
	for n := range 200 {
		id := 20 - n%20
		_, err := db.Exec("UPDATE customers SET address = address || 'x' WHERE id = ?", id)
		require.NoError(t, err)
		inOrder(id)
	}
	// The clock was an hour fast for a while.
	_, err = db.Exec("UPDATE customers SET updated_at = updated_at + 3600000 WHERE id = 7")
	require.NoError(t, err)
	_, err = db.Exec("UPDATE customers SET level = 'gold' WHERE id = 5")
	require.NoError(t, err)
	inOrder(5)
	for id := 30; id > 25; id-- {
		_, err := db.Exec("INSERT INTO customers (id, firstName, lastName, email, address) VALUES (?, 'A', 'B', 'c', 'd')", id)
		require.NoError(t, err)
		inOrder(id)
	}
	_, err = db.Exec("DELETE FROM customers")
	require.NoError(t, err)
	_, err = db.Exec("INSERT INTO customers (id, firstName, lastName, email, address) VALUES (1, 'A', 'B', 'c', 'd')")
	require.NoError(t, err)
	inOrder(1)
}
