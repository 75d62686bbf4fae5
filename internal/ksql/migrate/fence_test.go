package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// TestNothingIsSentWithoutTheLock takes the lock away at every point at which a
// migrator asks for it, and has another migrator finish.
func TestNothingIsSentWithoutTheLock(t *testing.T) {
	project := files("V000001__two.sql", "CREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');\nCREATE STREAM B (K INT KEY) WITH (KAFKA_TOPIC='b');")
	for held := 0; ; held++ {
		server := newFakeKsqlDB(t)
		asked := 0
		config := migrate.Config{FS: project, Lock: func(ctx context.Context) (context.Context, func(), error) {
			return migrate.Fence(ctx, func(context.Context) error {
				if asked++; asked > held {
					return errors.New("another has it")
				}
				return nil
			}), func() {}, nil
		}}
		_, err := server.newMigrator(t, config).Apply(t.Context(), all)
		if asked <= held {
			require.NoError(t, err)
			require.Greater(t, held, 8, "a statement was sent without asking")
			return
		}
		require.ErrorIs(t, err, migrate.ErrLockLost, "after %d", held)
		require.ErrorContains(t, err, "another has it")
		for _, event := range server.events {
			assert.NotEqual(t, string(migrate.Failed), event["STATE"], "a failure was noted without the lock")
		}

		report, err := server.newMigrator(t, migrate.Config{FS: project}).Apply(t.Context(), all)
		require.NoError(t, err, "after %d", held)
		created := map[string]int{}
		for _, s := range server.sent() {
			created[s.Text]++
		}
		for text, times := range created {
			assert.Equal(t, 1, times, "%s, after %d", text, held)
		}
		assert.Equal(t, 1, report.Current)
		assert.Equal(t, string(migrate.Migrated), server.table["1"]["STATE"])
	}
}

// TestTheLastRowIsTheHolders has the row of a migrator that had lost its lock come
// after that of the one that has it.
func TestTheLastRowIsTheHolders(t *testing.T) {
	server := newFakeKsqlDB(t)
	late := func() {
		for _, key := range []string{"1", "CURRENT"} {
			row := maps.Clone(server.table[key])
			row["STATE"], row["COMPLETED_ON"] = "RUNNING", ""
			server.table[key] = row
		}
	}
	migrator := server.newMigrator(t, migrate.Config{
		FS: files("V000001__first.sql", "CREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');"),
	})
	written := 0
	server.lose = func(text string) bool {
		if server.table["1"]["STATE"] == string(migrate.Migrated) {
			if written++; written == 1 {
				late()
			}
		}
		return false
	}
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, 2, written, fmt.Sprint(server.states()))
	assert.Equal(t, string(migrate.Migrated), server.table["1"]["STATE"])
	assert.Equal(t, string(migrate.Migrated), server.table["CURRENT"]["STATE"])
}
