package migrate_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// texts returns the statements that the fake got since the last call.
func (f *fakeKsqlDB) texts() []string {
	var texts []string
	for _, s := range f.sent() {
		texts = append(texts, s.Text)
	}
	f.mu.Lock()
	f.statements = nil
	f.mu.Unlock()
	return texts
}

const fourStatements = "CREATE STREAM A;\nSET 'x' = 'y';\nCREATE STREAM B;\nCREATE STREAM C;\nCREATE STREAM D;"

func TestAFileGoesOnWithTheStatementThatFailed(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM C"] = "no such column"
	fsys := files("V000001__a.sql", fourStatements)
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	_, err := migrator.Apply(t.Context(), all)
	require.ErrorContains(t, err, "V000001__a.sql line 4:1: ksqlDB refused it")
	assert.Equal(t, []string{"CREATE STREAM A;", "CREATE STREAM B;"}, server.texts())
	status, err := migrator.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &migrate.Resumption{Done: 2}, status.Migrations[0].Resumption)

	// What comes after may be changed.
	delete(server.refuse, "CREATE STREAM C")
	fsys["V000001__a.sql"].Data = []byte(strings.Replace(fourStatements, "STREAM C", "STREAM C2", 1))
	report, err := server.newMigrator(t, migrate.Config{FS: fsys}).Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, []string{"CREATE STREAM C2;", "CREATE STREAM D;"}, server.texts())
	assert.Equal(t, 2, report.Applied[0].Resumed)
	assert.Equal(t, "1: 1 MIGRATED after <none>", server.states()[len(server.states())-1])
	started := server.events[0]["STARTED_ON"]
	assert.Equal(t, started, server.events[len(server.events)-1]["STARTED_ON"], "what was begun goes on")
}

func TestAFileGoesOnWhoseRowWasNotWritten(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM A"] = "not now"
	fsys := files("V000001__a.sql", fourStatements)
	_, err := server.newMigrator(t, migrate.Config{FS: fsys}).Apply(t.Context(), all)
	require.Error(t, err)

	// The process ended between the row of the current version and that of version 1.
	server.mu.Lock()
	server.table = map[string]map[string]string{"CURRENT": server.events[0]}
	server.mu.Unlock()
	delete(server.refuse, "CREATE STREAM A")
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	status, err := migrator.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, migrate.Running, status.Migrations[0].State)
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, "1: 1 MIGRATED after <none>", server.states()[len(server.states())-1])
}

func TestAChangeOfWhatWasCarriedOutNeedsARepair(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM C"] = "no such column"
	fsys := files("V000001__a.sql", fourStatements)
	_, err := server.newMigrator(t, migrate.Config{FS: fsys}).Apply(t.Context(), all)
	require.Error(t, err)
	server.texts()
	delete(server.refuse, "CREATE STREAM C")

	for _, changed := range []string{
		strings.Replace(fourStatements, "STREAM A", "STREAM A2", 1),
		strings.Replace(fourStatements, "'y'", "'z'", 1),
		strings.Replace(fourStatements, "CREATE STREAM A;", "", 1),
	} {
		fsys["V000001__a.sql"].Data = []byte(changed)
		_, err = server.newMigrator(t, migrate.Config{FS: fsys}).Apply(t.Context(), all)
		var failure *migrate.ResumeError
		require.ErrorAs(t, err, &failure, changed)
		assert.Equal(t, 1, failure.Version)
		assert.ErrorContains(t, err, "migrate repair 1 --restart")
		assert.Empty(t, server.texts())
	}

	// Those who take all of them out, as ksql-migrations wants it, need none.
	fsys["V000001__a.sql"].Data = []byte("CREATE STREAM C;")
	_, err = server.newMigrator(t, migrate.Config{FS: fsys}).Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, []string{"CREATE STREAM C;"}, server.texts())
}

func TestRepairRestart(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM C"] = "no such column"
	fsys := files("V000001__a.sql", fourStatements)
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	_, err := migrator.Apply(t.Context(), all)
	require.Error(t, err)
	server.texts()
	problems, err := migrator.Problems(t.Context())
	require.NoError(t, err)
	require.Len(t, problems, 1)
	assert.Equal(t, migrate.Failed, problems[0].State)
	assert.Contains(t, problems[0].Advice, "goes on after the first 2 statements")
	assert.Empty(t, server.texts(), "it changes nothing")

	require.NoError(t, migrator.Repair(t.Context(), 1, migrate.RepairRestart))
	delete(server.refuse, "CREATE STREAM C")
	delete(server.sources, "A")
	delete(server.sources, "B")
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Len(t, server.texts(), 4)
	problems, err = migrator.Problems(t.Context())
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// cutOff ends a migrator, as kill -9 would, when a statement was carried out and
// before its answer came.
func cutOff(t *testing.T, server *fakeKsqlDB, config migrate.Config, statement string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server.lose = func(text string) bool {
		if text != statement {
			return false
		}
		// Nothing that the migrator has to say afterwards gets through.
		server.refuse[""] = "it was killed"
		cancel()
		return true
	}
	events, journal := -1, map[string]string{}
	config.Observe = func(e migrate.Event) {
		if e.Statement == statement {
			server.mu.Lock()
			defer server.mu.Unlock()
			events = len(server.events)
			for k, v := range server.journal["1"] {
				journal[k] = v
			}
		}
	}
	_, err := server.newMigrator(t, config).Apply(ctx, all)
	require.Error(t, err)
	server.lose = nil
	delete(server.refuse, "")
	server.mu.Lock()
	defer server.mu.Unlock()
	server.events = server.events[:events]
	server.table = map[string]map[string]string{}
	for _, e := range server.events {
		server.table[e["VERSION_KEY"]] = e
	}
	server.journal["1"] = journal
}

func TestAStatementWhoseAnswerWasLost(t *testing.T) {
	tests := []struct {
		name, content, statement string
		undo                     func(*fakeKsqlDB) // makes as if it had not been carried out
		want                     []string
		wantErr                  string
		repair                   migrate.Repair
		wantThen                 []string
	}{
		{"was carried out", fourStatements, "CREATE STREAM B;", nil, []string{"CREATE STREAM C;", "CREATE STREAM D;"}, "", "", nil},
		{"was not carried out", fourStatements, "CREATE STREAM B;", func(f *fakeKsqlDB) { delete(f.sources, "B") },
			[]string{"CREATE STREAM B;", "CREATE STREAM C;", "CREATE STREAM D;"}, "", "", nil},
		{"can be sent again", "CREATE STREAM A;\nDROP STREAM IF EXISTS X;\nCREATE STREAM B;", "DROP STREAM IF EXISTS X;", nil,
			[]string{"DROP STREAM IF EXISTS X;", "CREATE STREAM B;"}, "", "", nil},
		{"nobody knows, but it was", "CREATE STREAM A;\nINSERT INTO A VALUES (1);\nCREATE STREAM B;", "INSERT INTO A VALUES (1);", nil, nil,
			"it is not known whether this statement was carried out: INSERT INTO A VALUES (1);",
			migrate.RepairDone, []string{"CREATE STREAM B;"}},
		{"nobody knows, but it was not", "CREATE STREAM A;\nINSERT INTO A VALUES (1);\nCREATE STREAM B;", "INSERT INTO A VALUES (1);", nil, nil,
			"it is not known whether this statement was carried out: INSERT INTO A VALUES (1);",
			migrate.RepairAgain, []string{"INSERT INTO A VALUES (1);", "CREATE STREAM B;"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			config := migrate.Config{FS: files("V000001__a.sql", test.content)}
			cutOff(t, server, config, test.statement)
			assert.Equal(t, "1: 1 RUNNING after <none>", server.states()[len(server.states())-1])
			server.texts()
			if test.undo != nil {
				test.undo(server)
			}
			migrator := server.newMigrator(t, config)
			_, err := migrator.Apply(t.Context(), all)
			assert.Equal(t, test.want, server.texts())
			if test.wantErr == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.wantErr)
			problems, err := migrator.Problems(t.Context())
			require.NoError(t, err)
			assert.Contains(t, problems[0].Advice, "--done")
			require.NoError(t, migrator.Repair(t.Context(), 1, test.repair))
			_, err = migrator.Apply(t.Context(), all)
			require.NoError(t, err)
			assert.Equal(t, test.wantThen, server.texts())
		})
	}
}

func TestALostConnectionIsSurvived(t *testing.T) {
	for _, content := range []string{fourStatements, "CREATE STREAM A;\nCREATE OR REPLACE STREAM A;\nCREATE TABLE T AS SELECT 1;"} {
		server := newFakeKsqlDB(t)
		lost := map[string]bool{}
		server.lose = func(text string) bool {
			first := !lost[text] && !strings.HasPrefix(text, "INSERT INTO MIGRATION")
			lost[text] = true
			return first
		}
		report, err := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", content)}).Apply(t.Context(), all)
		require.NoError(t, err)
		assert.Equal(t, 1, report.Current)
		created := map[string]int{}
		for _, text := range server.texts() {
			created[text]++
		}
		for text, count := range created {
			if strings.HasPrefix(text, "CREATE STREAM") || strings.HasPrefix(text, "CREATE TABLE") {
				assert.Equal(t, 1, count, text)
			}
		}
	}
}

func TestProgressOfAnotherAttemptDoesNotCount(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM C"] = "no such column"
	config := migrate.Config{FS: files("V000001__a.sql", fourStatements)}
	_, err := server.newMigrator(t, config).Apply(t.Context(), all)
	require.Error(t, err)
	server.texts()
	delete(server.refuse, "CREATE STREAM C")
	// ksql-migrations has tried in between, from the start.
	row := map[string]string{}
	for k, v := range server.table["1"] {
		row[k] = v
	}
	row["STARTED_ON"] = "5"
	server.table["1"], server.table["CURRENT"] = row, row
	server.sources = map[string]bool{migrate.EventsStream: true, migrate.VersionsTable: true,
		"ORDERFLOW_MIGRATION_EVENTS": true, "ORDERFLOW_MIGRATION_SCHEMA_VERSIONS": true}
	_, err = server.newMigrator(t, config).Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Len(t, server.texts(), 4)
}
