package migrate_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func lockConfig(t *testing.T, server *fakeKsqlDB, holder string) migrate.RowLockConfig {
	t.Helper()
	client, err := ksql.New(ksql.Config{URL: server.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return migrate.RowLockConfig{Client: client, Holder: holder}
}

func TestARowLockIsHeldByOne(t *testing.T) {
	server := newFakeKsqlDB(t)
	held, release, err := migrate.LockRow(t.Context(), t.Context(), lockConfig(t, server, "first"))
	require.NoError(t, err)
	require.NoError(t, held.Err())

	wait, stop := context.WithCancel(t.Context())
	other := lockConfig(t, server, "second")
	other.Waiting = func(holder string) {
		assert.Equal(t, "first", holder)
		stop()
	}
	_, _, err = migrate.LockRow(t.Context(), wait, other)
	require.ErrorContains(t, err, "waiting for first, which holds it")
	require.ErrorIs(t, err, context.Canceled)

	release()
	release()
	require.Error(t, held.Err())
	held, release, err = migrate.LockRow(t.Context(), t.Context(), lockConfig(t, server, "second"))
	require.NoError(t, err)
	require.NoError(t, held.Err())
	release()
}

func TestARowLockExpires(t *testing.T) {
	tests := []struct {
		name  string
		late  time.Duration
		gone  bool
		own   bool
		taken bool
	}{
		{"held", migrate.RowLockExpiry - time.Second, false, false, false},
		{"not renewed", migrate.RowLockExpiry + time.Second, false, false, true},
		{"its holder has ended", 0, true, false, true},
		{"its holder had our name", 0, false, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			_, release, err := migrate.LockRow(t.Context(), t.Context(), lockConfig(t, server, "first"))
			require.NoError(t, err)
			row := server.journal["LOCK"]
			release()
			server.journal["LOCK"] = row // as if it had been killed

			wait, stop := context.WithCancel(t.Context())
			defer stop()
			config := lockConfig(t, server, "second")
			if test.own {
				config.Holder = "first"
			}
			config.Now = func() time.Time { return time.Now().Add(test.late) }
			config.Gone = func(holder string) bool { return test.gone && holder == "first" }
			config.Waiting = func(string) { stop() }
			_, release, err = migrate.LockRow(t.Context(), wait, config)
			if !test.taken {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			release()
		})
	}
}

func TestARowLockNeedsAHolder(t *testing.T) {
	_, _, err := migrate.LockRow(t.Context(), t.Context(), migrate.RowLockConfig{})
	require.ErrorContains(t, err, "it needs a ksqlDB client and a holder")
}
