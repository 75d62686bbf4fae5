package migrate_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

func undoable() fstest.MapFS {
	return files(
		"V000001__a.sql", "CREATE STREAM A;", "U000001__a.sql", "DROP STREAM A;",
		"V000002__b.sql", "CREATE STREAM B;", "U000002__b.sql", "DROP STREAM B;\nDROP STREAM B2;",
		"V000004__c.sql", "CREATE STREAM C;", "U000004__c.sql", "DEFINE c = 'C';\nDROP STREAM ${c};",
	)
}

func TestUndo(t *testing.T) {
	tests := []struct {
		name    string
		options migrate.UndoOptions
		want    []string
		current int
	}{
		{"the latest", migrate.UndoOptions{}, []string{"DROP STREAM C;"}, 2},
		{"until one", migrate.UndoOptions{Until: 1}, []string{"DROP STREAM C;", "DROP STREAM B;", "DROP STREAM B2;"}, 1},
		{"until the latest", migrate.UndoOptions{Until: 4}, nil, 4},
		{"all", migrate.UndoOptions{All: true}, []string{"DROP STREAM C;", "DROP STREAM B;", "DROP STREAM B2;", "DROP STREAM A;"}, 0},
		{"in thought", migrate.UndoOptions{DryRun: true}, nil, 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			migrator := server.newMigrator(t, migrate.Config{FS: undoable()})
			_, err := migrator.Apply(t.Context(), all)
			require.NoError(t, err)
			server.texts()
			report, err := migrator.Undo(t.Context(), test.options)
			require.NoError(t, err)
			assert.Equal(t, test.want, server.texts())
			assert.Equal(t, 4, report.Previous)
			if !test.options.DryRun {
				assert.Equal(t, test.current, report.Current)
			} else {
				assert.Equal(t, []string{"DROP STREAM C;"}, report.Applied[0].Statements)
			}
			status, err := migrator.Info(t.Context())
			require.NoError(t, err)
			assert.Equal(t, test.current, status.Current)
			pending := 0
			for _, migration := range status.Migrations {
				if migration.Version > test.current {
					pending++
					assert.Equal(t, migrate.Pending, migration.State)
					assert.Empty(t, migration.Previous)
				} else {
					assert.Equal(t, migrate.Migrated, migration.State)
				}
			}
			assert.Equal(t, pending, status.Pending())

			again, err := migrator.Apply(t.Context(), all)
			require.NoError(t, err)
			assert.Len(t, again.Applied, pending)
			assert.Equal(t, 4, again.Current)
		})
	}
}

func TestUndoRefuses(t *testing.T) {
	server := newFakeKsqlDB(t)
	fsys := undoable()
	delete(fsys, "U000002__b.sql")
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	report, err := migrator.Undo(t.Context(), migrate.UndoOptions{})
	require.NoError(t, err)
	assert.Empty(t, report.Applied, "nothing was applied")
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	server.texts()
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{All: true})
	require.ErrorContains(t, err, "nothing was undone: there is no U000002__name.sql")
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{Until: 3})
	require.ErrorContains(t, err, "version 3 was not applied")
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{Until: 3, All: true})
	require.ErrorContains(t, err, "say what to undo")
	fsys["U4_c.sql"] = &fstest.MapFile{}
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{})
	require.ErrorContains(t, err, "U4_c.sql: a migration's name must look like U000001__name.sql")
	assert.Empty(t, server.texts())
}

func TestAnUndoFileGoesOnWhereItFailed(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: undoable()})
	_, err := migrator.Apply(t.Context(), migrate.ApplyOptions{Until: 2})
	require.NoError(t, err)
	server.texts()
	server.refuse["DROP STREAM B2"] = "it is read"
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{})
	require.ErrorContains(t, err, "U000002__b.sql line 2:1: ksqlDB refused it")
	assert.Equal(t, []string{"DROP STREAM B;"}, server.texts())
	_, err = migrator.Apply(t.Context(), all)
	require.ErrorContains(t, err, "version 2 was undone in part (1 statements)")

	delete(server.refuse, "DROP STREAM B2")
	_, err = migrator.Undo(t.Context(), migrate.UndoOptions{})
	require.NoError(t, err)
	assert.Equal(t, []string{"DROP STREAM B2;"}, server.texts())
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
}

func TestWhatWasChangedIsShown(t *testing.T) {
	server := newFakeKsqlDB(t)
	fsys := files("V000001__a.sql", "-- one\nCREATE STREAM A;\n-- two\n", "V000002__b.sql", "CREATE STREAM B;")
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	fsys["V000001__a.sql"].Data = []byte("-- one\nCREATE STREAM A ;\n-- two\n")
	delete(fsys, "V000002__b.sql")

	_, err = migrator.Validate(t.Context())
	found := migrate.HistoryErrors(err)
	require.Len(t, found, 2)
	assert.Empty(t, found[0].File)
	assert.Equal(t, 2, found[0].Version)
	assert.Equal(t, "--- V000001__a.sql (applied)\n+++ V000001__a.sql\n@@ -1,3 +1,3 @@\n -- one\n-CREATE STREAM A;\n+CREATE STREAM A ;\n -- two\n", found[1].Diff)
	_, err = migrator.Apply(t.Context(), all)
	assert.Len(t, migrate.HistoryErrors(err), 2)

	fsys["V000002__b.sql"] = &fstest.MapFile{Data: []byte("CREATE STREAM B;")}
	require.NoError(t, migrator.Repair(t.Context(), 1, migrate.RepairAccept))
	count, err := migrator.Validate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, count)

	// What ksql-migrations applied cannot be shown.
	server.journal = map[string]map[string]string{}
	fsys["V000002__b.sql"].Data = []byte("CREATE STREAM B ;")
	_, err = migrator.Validate(t.Context())
	require.Len(t, migrate.HistoryErrors(err), 1)
	assert.Empty(t, migrate.HistoryErrors(err)[0].Diff)
	problems, err := migrator.Problems(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "undo the change, or take it for what was applied by `migrate repair 2 --accept`", problems[0].Advice)
}

func TestRepairRefuses(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: undoable()})
	require.ErrorIs(t, migrator.Repair(t.Context(), 1, migrate.RepairRestart), migrate.ErrNotInitialized)
	_, err := migrator.Apply(t.Context(), migrate.ApplyOptions{Until: 2})
	require.NoError(t, err)
	server.refuse["CREATE STREAM C"] = "no"
	_, err = migrator.Apply(t.Context(), all)
	require.Error(t, err)
	tests := []struct {
		version int
		repair  migrate.Repair
		want    string
	}{
		{7, migrate.RepairRestart, "version 7 was never begun"},
		{2, migrate.RepairRestart, "version 2 was applied: there is nothing to repair"},
		{4, migrate.RepairDone, "version 4 has no statement of which it is not known"},
		{4, migrate.RepairAccept, "only a version that was applied can be accepted"},
		{4, "all", `"all" is no repair`},
	}
	for _, test := range tests {
		require.ErrorContains(t, migrator.Repair(t.Context(), test.version, test.repair), test.want)
	}
}

func TestMetadataByOtherNames(t *testing.T) {
	client := startServer(t)
	config := migrate.Config{Client: client, FS: files("V000001__a.sql", "CREATE STREAM a (k INT KEY) WITH (KAFKA_TOPIC='a', VALUE_FORMAT='JSON', PARTITIONS=1);"),
		Metadata: migrate.Metadata{Stream: "team_events", Table: "team_versions", StreamTopic: "te", TableTopic: "tv"}, RequireMetadata: true}
	migrator, err := migrate.New(config)
	require.NoError(t, err)
	_, err = migrator.Apply(t.Context(), all)
	require.ErrorIs(t, err, migrate.ErrNotInitialized)
	require.NoError(t, migrator.Initialize(t.Context()))
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	stream, err := client.Describe(t.Context(), "TEAM_EVENTS")
	require.NoError(t, err)
	assert.Equal(t, "te", stream.Topic)
	assert.Equal(t, []string{"TEAM_EVENTS", "TEAM_VERSIONS", "ORDERFLOW_TEAM_EVENTS", "ORDERFLOW_TEAM_VERSIONS"}, migrator.MetadataNames())
	drift, err := migrator.Drift(t.Context())
	require.NoError(t, err)
	assert.Empty(t, drift.Drifts)
	for _, wrong := range []migrate.Metadata{{Stream: "a-b"}, {Stream: "x", Table: "X"}} {
		config.Metadata = wrong
		_, err := migrate.New(config)
		assert.Error(t, err)
	}
}
