package migrate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/migrations"
)

var all = migrate.ApplyOptions{All: true}

func TestApplyAll(t *testing.T) {
	server := newFakeKsqlDB(t)
	var told []string
	migrator := server.newMigrator(t, migrate.Config{
		FS: files(
			"V000002__second_one.sql", "SET 'a.b' = 'it''s';\nCREATE STREAM B AS SELECT * FROM A;\nUNSET 'a.b';\nINSERT INTO A VALUES (1);",
			"V000001__first.sql", "-- first\nCREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');\n",
			"notes.sql", "not a migration", "README.md", "neither is this",
		),
		Observe: func(e migrate.Event) {
			text := e.File.Path + " " + e.Statement
			if e.Done {
				text += "done"
			}
			told = append(told, text)
		},
	})
	report, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)

	assert.Equal(t, []sentStatement{
		{"CREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');", map[string]any{}},
		{"CREATE STREAM B AS SELECT * FROM A;", map[string]any{"a.b": "it's"}},
		{"INSERT INTO A VALUES (1);", map[string]any{}},
	}, server.sent())
	assert.Equal(t, []string{
		"CURRENT: 1 RUNNING after <none>", "1: 1 RUNNING after <none>",
		"CURRENT: 1 MIGRATED after <none>", "1: 1 MIGRATED after <none>",
		"CURRENT: 2 RUNNING after 1", "2: 2 RUNNING after 1",
		"CURRENT: 2 MIGRATED after 1", "2: 2 MIGRATED after 1",
	}, server.states())
	assert.Equal(t, map[string]string{
		"VERSION_KEY": "1", "VERSION": "1", "NAME": "first", "STATE": "RUNNING", "CHECKSUM": "9183de163bed77a75bcb4953d6f89649",
		"STARTED_ON": "1001000", "COMPLETED_ON": "", "PREVIOUS": "<none>", "ERROR_REASON": "N/A",
	}, server.events[1])
	assert.Equal(t, "1004000", server.events[3]["COMPLETED_ON"])
	assert.Equal(t, "second one", server.events[7]["NAME"])

	assert.Equal(t, 0, report.Previous)
	assert.Equal(t, 2, report.Current)
	require.Len(t, report.Applied, 2)
	assert.Equal(t, []string{"CREATE STREAM B AS SELECT * FROM A;", "INSERT INTO A VALUES (1);"}, report.Applied[1].Statements)
	assert.Equal(t, []string{
		"V000001__first.sql ", "V000001__first.sql CREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');", "V000001__first.sql done",
		"V000002__second_one.sql ", "V000002__second_one.sql CREATE STREAM B AS SELECT * FROM A;",
		"V000002__second_one.sql INSERT INTO A VALUES (1);", "V000002__second_one.sql done",
	}, told)
}

func TestMetadataIsMadeAsKsqlMigrationsMakesIt(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files(), Metadata: migrate.Metadata{Replicas: 3}})
	require.NoError(t, migrator.Initialize(t.Context()))
	require.Len(t, server.statements, 4)
	stream, table := server.statements[0].Text, server.statements[1].Text
	assert.Contains(t, stream, "KAFKA_TOPIC='default_ksql_MIGRATION_EVENTS', VALUE_FORMAT='JSON', PARTITIONS=1, REPLICAS=3")
	assert.Contains(t, table, "KAFKA_TOPIC='default_ksql_MIGRATION_SCHEMA_VERSIONS'")
	for _, statement := range server.statements {
		assert.Equal(t, map[string]any{"auto.offset.reset": "earliest"}, statement.Properties)
	}
	assert.ErrorContains(t, migrator.Initialize(t.Context()), "exists already")
}

func TestASecondApplyDoesNothingAndIsQuick(t *testing.T) {
	server := newFakeKsqlDB(t)
	config := migrate.Config{FS: files("V000001__a.sql", "CREATE STREAM A (K INT KEY) WITH (X='${id}');", "variables.properties", "id=schema.id:a-value"),
		Resolver: func(context.Context, string) (int, error) { return 7, nil }}
	_, err := server.newMigrator(t, config).Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, "CREATE STREAM A (K INT KEY) WITH (X='7');", server.sent()[0].Text)

	before := server.requests
	config.Resolver = func(context.Context, string) (int, error) { return 0, errors.New("nobody should ask") }
	report, err := server.newMigrator(t, config).Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Empty(t, report.Applied)
	assert.Equal(t, 1, report.Previous)
	assert.Equal(t, 1, report.Current)
	assert.Len(t, server.sent(), 1)
	assert.Equal(t, 3, server.requests-before, "two DESCRIBE and one query")
}

func threeFiles() map[string]string {
	return map[string]string{
		"V000001__a.sql": "CREATE STREAM A (K INT KEY);",
		"V000003__b.sql": "CREATE STREAM B (K INT KEY);",
		"V000007__c.sql": "CREATE STREAM C (K INT KEY);",
	}
}

func TestWhichFilesAreApplied(t *testing.T) {
	tests := []struct {
		name    string
		options []migrate.ApplyOptions // one after the other
		want    []int                  // of the last
		wantErr string
	}{
		{"all", []migrate.ApplyOptions{{All: true}}, []int{1, 3, 7}, ""},
		{"next", []migrate.ApplyOptions{{Next: true}}, []int{1}, ""},
		{"next twice", []migrate.ApplyOptions{{Next: true}, {Next: true}}, []int{3}, ""},
		{"next after the last", []migrate.ApplyOptions{{All: true}, {Next: true}}, nil, ""},
		{"until", []migrate.ApplyOptions{{Until: 3}}, []int{1, 3}, ""},
		{"until, from one", []migrate.ApplyOptions{{Next: true}, {Until: 7}}, []int{3, 7}, ""},
		{"until what is applied", []migrate.ApplyOptions{{All: true}, {Until: 3}}, nil, ""},
		{"until no file", []migrate.ApplyOptions{{Until: 4}}, nil, "no migration file of version 4"},
		{"version", []migrate.ApplyOptions{{Version: 3}}, []int{3}, ""},
		{"version, all that is left", []migrate.ApplyOptions{{Version: 3}, {All: true}}, []int{7}, ""},
		{"version that is applied", []migrate.ApplyOptions{{Until: 3}, {Version: 3}}, nil, "version 3 cannot be applied"},
		{"version without a file", []migrate.ApplyOptions{{Version: 9}}, nil, "no migration file of version 9"},
		{"nothing said", []migrate.ApplyOptions{{}}, nil, "say which migrations"},
		{"too much said", []migrate.ApplyOptions{{All: true, Next: true}}, nil, "say which migrations"},
		{"no version", []migrate.ApplyOptions{{Version: -1}}, nil, "between 1 and 999999"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			var names []string
			for name, content := range threeFiles() {
				names = append(names, name, content)
			}
			migrator := server.newMigrator(t, migrate.Config{FS: files(names...)})
			var report migrate.Report
			var err error
			for i, options := range test.options {
				report, err = migrator.Apply(t.Context(), options)
				if i < len(test.options)-1 {
					require.NoError(t, err)
				}
			}
			if test.wantErr != "" {
				require.ErrorContains(t, err, test.wantErr)
			} else {
				require.NoError(t, err)
			}
			var got []int
			for _, applied := range report.Applied {
				got = append(got, applied.Version)
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestDryRunSendsNothing(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", "DEFINE n = 'A'; CREATE STREAM ${n};")})
	report, err := migrator.Apply(t.Context(), migrate.ApplyOptions{All: true, DryRun: true})
	require.NoError(t, err)
	require.Len(t, report.Applied, 1)
	assert.Equal(t, []string{"CREATE STREAM A;"}, report.Applied[0].Statements)
	assert.Equal(t, 0, report.Current)
	assert.Empty(t, server.statements)
	assert.Empty(t, server.events)
}

func TestAFailureIsNotedAndCanBeRepeated(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.refuse["CREATE STREAM C"] = "no such column"
	fsys := files(
		"V000001__a.sql", "CREATE STREAM A;",
		"V000002__b.sql", "CREATE STREAM B;\n\n  CREATE STREAM C;\nCREATE STREAM D;",
		"V000003__e.sql", "CREATE STREAM E;")
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	report, err := migrator.Apply(t.Context(), all)
	var failure *migrate.FileError
	require.ErrorAs(t, err, &failure)
	assert.Equal(t, "V000002__b.sql", failure.File)
	assert.Equal(t, 3, failure.Line)
	assert.Equal(t, 3, failure.Col)
	assert.Equal(t, "CREATE STREAM C;", failure.Statement)
	assert.EqualError(t, err, "V000002__b.sql line 3:3: ksqlDB refused it (error 40001): no such column")
	var refusal *ksql.Error
	require.ErrorAs(t, err, &refusal)
	require.Len(t, report.Applied, 1)
	assert.Equal(t, 1, report.Current)
	last := server.events[len(server.events)-1]
	assert.Equal(t, "ERROR", last["STATE"])
	assert.Equal(t, err.Error(), last["ERROR_REASON"])
	assert.Equal(t, "1", last["PREVIOUS"])
	assert.NotEmpty(t, last["COMPLETED_ON"])

	status, err := migrator.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, status.Current)
	assert.Equal(t, migrate.Failed, status.Migrations[1].State)
	assert.Equal(t, last["ERROR_REASON"], status.Migrations[1].ErrorReason)
	assert.Equal(t, migrate.Pending, status.Migrations[2].State)

	// The file may be changed, as it was never applied. It runs from its start.
	delete(server.refuse, "CREATE STREAM C")
	fsys["V000002__b.sql"].Data = []byte("CREATE STREAM C;")
	report, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, 3, report.Current)
	assert.Len(t, report.Applied, 2)
	assert.Equal(t, "3: 3 MIGRATED after 2", server.states()[len(server.states())-1])
}

func TestAFailedCommandIsAFailure(t *testing.T) {
	server := newFakeKsqlDB(t)
	ctx, cancel := context.WithCancel(t.Context())
	migrator := server.newMigrator(t, migrate.Config{
		FS: files("V000001__a.sql", "CREATE STREAM A;\nCREATE STREAM B;"),
		Observe: func(e migrate.Event) {
			if strings.Contains(e.Statement, "B") {
				cancel()
			}
		},
	})
	_, err := migrator.Apply(ctx, all)
	require.ErrorIs(t, err, context.Canceled)
	last := server.events[len(server.events)-1]
	assert.Equal(t, "ERROR", last["STATE"], "an interruption is noted too")
	assert.Contains(t, last["ERROR_REASON"], "V000001__a.sql line 2:1")
}

func TestAMigratorThatWasCutOffCanBeRunAgain(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", "CREATE STREAM A;")})
	require.NoError(t, migrator.Initialize(t.Context()))
	row := map[string]string{"VERSION_KEY": "1", "VERSION": "1", "NAME": "a", "STATE": "RUNNING", "CHECKSUM": "x",
		"STARTED_ON": "1", "COMPLETED_ON": "", "PREVIOUS": "<none>", "ERROR_REASON": "N/A"}
	server.table["1"], server.table["CURRENT"] = row, row
	report, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, 0, report.Previous)
	assert.Equal(t, 1, report.Current)
}

func TestApplyWaitsUntilTheTableShowsIt(t *testing.T) {
	server := newFakeKsqlDB(t)
	server.hidden = 3
	migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", "CREATE STREAM A;")})
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, 0, server.hidden)
}

func TestFilesThatCannotRun(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"undefined variable", "CREATE STREAM A\n  WITH (X='é${nope}');", "V000001__x.sql line 2:13: the variable nope: it is not defined: define it in the file, in variables.properties or with -d"},
		{"undefined again", "DEFINE a = '1';\nUNDEFINE a;\nCREATE STREAM ${a};", "V000001__x.sql line 3:15: the variable a"},
		{"no semicolon", "CREATE STREAM A;\nCREATE STREAM B", "V000001__x.sql line 2:1: this statement has no end: ; is missing"},
		{"query", "\n SELECT * FROM A;", "V000001__x.sql line 2:2: SELECT statements have no place in a migration"},
		{"question", "show streams;", "SHOW statements have no place"},
		{"SET without quotes", "SET a = 'b';", "expected SET 'property' = 'value';"},
		{"UNSET of two", "UNSET 'a', 'b';", "expected UNSET 'property';"},
		{"DEFINE without quotes", "DEFINE a = 1;", "expected DEFINE name = 'value';"},
		{"UNDEFINE of nothing", "UNDEFINE ;", "expected UNDEFINE name;"},
		{"no registry", "CREATE STREAM ${id};", "the variable id: variables.properties says schema.id:orders-value: no schema registry is configured"},
		{"no environment", "CREATE STREAM ${home};", "the environment variable NOPE is not set"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			migrator := server.newMigrator(t, migrate.Config{
				FS: files("V000001__x.sql", test.content, "V000002__y.sql", "CREATE STREAM Y;",
					"variables.properties", "id=schema.id:orders-value\nhome=env:NOPE"),
				LookupEnv: func(string) (string, bool) { return "", false },
			})
			_, err := migrator.Apply(t.Context(), all)
			require.ErrorContains(t, err, test.want)
			assert.Empty(t, server.sent(), "nothing runs")
			assert.Equal(t, []string{
				"CURRENT: 1 RUNNING after <none>", "1: 1 RUNNING after <none>",
				"CURRENT: 1 ERROR after <none>", "1: 1 ERROR after <none>",
			}, server.states(), "as ksql-migrations notes it")
		})
	}
}

func TestALaterFileThatCannotRunStopsAllOfThem(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__x.sql", "CREATE STREAM X;", "V000002__y.sql", "CREATE STREAM ${y};")})
	report, err := migrator.Apply(t.Context(), all)
	require.ErrorContains(t, err, "V000002__y.sql line 1:15")
	assert.Empty(t, report.Applied)
	assert.Empty(t, server.statements)
	assert.Empty(t, server.events)
}

func TestVariables(t *testing.T) {
	server := newFakeKsqlDB(t)
	asked := 0
	migrator := server.newMigrator(t, migrate.Config{
		FS: files(
			"V000001__a.sql", "-- ${nothing} here\nCREATE STREAM A /* ${nor} here */ WITH (A=${id}, B='${plain}', C='$${kept}', `${id}`='-- ${home}');",
			"V000002__b.sql", "DEFINE plain = 'p${plain}';\nSET 'x' = '${plain}';\nCREATE STREAM ${over} /* '${plain}' ; */;\nUNDEFINE -- now\n plain;",
			"variables.properties", "# where from\nid = schema.id:orders-value\n! too\n\nplain=a=b\nhome=env:HOME_OF\nunused=env:NOPE\nover=1",
		),
		Variables: map[string]string{"over": "2"},
		Resolver: func(_ context.Context, subject string) (int, error) {
			asked++
			assert.Equal(t, "orders-value", subject)
			return 42, nil
		},
		LookupEnv: func(name string) (string, bool) { return "/h", name == "HOME_OF" },
	})
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, []sentStatement{
		{"CREATE STREAM A /* ${nor} here */ WITH (A=42, B='a=b', C='${kept}', `42`='-- /h');", map[string]any{}},
		{"CREATE STREAM 2 /* '${plain}' ; */;", map[string]any{"x": "pa=b"}},
	}, server.sent())
	assert.Equal(t, 1, asked, "a schema id is asked for once")
}

func TestParseVariables(t *testing.T) {
	_, err := migrate.ParseVariables("a=1\nb\n=2\na=3\nx-y=1")
	assert.ErrorContains(t, err, `line 2: expected name=value, found "b"`)
	assert.ErrorContains(t, err, `line 3: "" is no variable name`)
	assert.ErrorContains(t, err, `line 4: a was set before`)
	assert.ErrorContains(t, err, `line 5: "x-y" is no variable name`)
	for _, text := range []string{"", "a", "=b", "a b=c"} {
		_, _, err := migrate.ParseDefine(text)
		assert.Error(t, err, text)
	}
	name, value, err := migrate.ParseDefine("a=b=c")
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b=c"}, []string{name, value})
}

func TestAppliedFilesMustStayAsTheyWere(t *testing.T) {
	server := newFakeKsqlDB(t)
	fsys := files("V000001__a.sql", "CREATE STREAM A;", "V000002__b.sql", "CREATE STREAM B;", "V000003__c.sql", "CREATE STREAM C;")
	migrator := server.newMigrator(t, migrate.Config{FS: fsys})
	_, err := migrator.Apply(t.Context(), migrate.ApplyOptions{Until: 2})
	require.NoError(t, err)
	checked, err := migrator.Validate(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, checked)

	fsys["V000002__b.sql"].Data = []byte("CREATE STREAM B2;")
	delete(fsys, "V000001__a.sql")
	_, err = migrator.Validate(t.Context())
	require.ErrorContains(t, err, "V000002__b.sql was changed after it was applied")
	require.ErrorContains(t, err, "version 1 (a) was applied, but its file is missing")
	_, err = migrator.Apply(t.Context(), all)
	require.ErrorContains(t, err, "checking what was applied before")
	assert.Len(t, server.sent(), 2)
}

func TestInfoOfANewServer(t *testing.T) {
	server := newFakeKsqlDB(t)
	status, err := server.newMigrator(t, migrate.Config{FS: files("V000001__a_b.sql", "X;")}).Info(t.Context())
	require.NoError(t, err)
	assert.False(t, status.Initialized)
	assert.Equal(t, 0, status.Current)
	require.Len(t, status.Migrations, 1)
	assert.Equal(t, migrate.Pending, status.Migrations[0].State)
	assert.Equal(t, "a b", status.Migrations[0].Name)
	assert.Empty(t, server.statements)
}

func TestInfoOfAnAppliedOne(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", "CREATE STREAM A;")})
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	status, err := migrator.Info(t.Context())
	require.NoError(t, err)
	assert.True(t, status.Initialized)
	assert.Equal(t, 1, status.Current)
	got := status.Migrations[0]
	assert.Equal(t, migrate.Migrated, got.State)
	assert.Equal(t, "<none>", got.Previous)
	assert.Equal(t, time.UnixMilli(1001000).UTC(), got.StartedOn)
	assert.Equal(t, time.UnixMilli(1004000).UTC(), got.CompletedOn)
	assert.Empty(t, got.ErrorReason)
	assert.Equal(t, got.Checksum, got.AppliedChecksum)
}

func TestDamagedMetadataIsAnError(t *testing.T) {
	row := func(version, state, previous string) map[string]string {
		return map[string]string{"VERSION_KEY": version, "VERSION": version, "STATE": state, "PREVIOUS": previous}
	}
	tests := []struct {
		name  string
		table map[string]map[string]string
		want  string
	}{
		{"current without its row", map[string]map[string]string{"CURRENT": row("3", "MIGRATED", "2")}, "no row for version 3"},
		{"previous failed", map[string]map[string]string{"CURRENT": row("3", "MIGRATED", "2"), "3": row("3", "MIGRATED", "2"), "2": row("2", "ERROR", "<none>")}, "version 2 as applied before it, but that is ERROR"},
		{"in circles", map[string]map[string]string{"CURRENT": row("3", "MIGRATED", "2"), "3": row("3", "MIGRATED", "2"), "2": row("2", "MIGRATED", "3")}, "version 3 was applied before version 2"},
		{"no number", map[string]map[string]string{"CURRENT": row("x", "MIGRATED", "2"), "x": row("x", "MIGRATED", "2")}, `version "x", which is no version`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeKsqlDB(t)
			migrator := server.newMigrator(t, migrate.Config{FS: files("V000001__a.sql", "CREATE STREAM A;")})
			require.NoError(t, migrator.Initialize(t.Context()))
			server.table = test.table
			_, err := migrator.Apply(t.Context(), all)
			require.ErrorContains(t, err, test.want)
			assert.Empty(t, server.sent())
		})
	}
	server := newFakeKsqlDB(t)
	server.sources["MIGRATION_SCHEMA_VERSIONS"] = true
	_, err := server.newMigrator(t, migrate.Config{FS: files()}).Info(t.Context())
	assert.ErrorContains(t, err, "MIGRATION_SCHEMA_VERSIONS exists, but MIGRATION_EVENTS does not")
}

func TestDestroy(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{FS: files()})
	require.NoError(t, migrator.Initialize(t.Context()))
	server.statements = nil
	removed, err := migrator.Destroy(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"MIGRATION_SCHEMA_VERSIONS", "MIGRATION_EVENTS",
		"ORDERFLOW_MIGRATION_SCHEMA_VERSIONS", "ORDERFLOW_MIGRATION_EVENTS"}, removed)
	var texts []string
	for _, s := range server.statements {
		texts = append(texts, s.Text)
	}
	assert.Equal(t, []string{
		"TERMINATE CTAS_MIGRATION_SCHEMA_VERSIONS_1;",
		"DROP TABLE MIGRATION_SCHEMA_VERSIONS DELETE TOPIC;",
		"DROP STREAM MIGRATION_EVENTS DELETE TOPIC;",
		"TERMINATE CTAS_ORDERFLOW_MIGRATION_SCHEMA_VERSIONS_1;",
		"DROP TABLE ORDERFLOW_MIGRATION_SCHEMA_VERSIONS DELETE TOPIC;",
		"DROP STREAM ORDERFLOW_MIGRATION_EVENTS DELETE TOPIC;",
	}, texts)
	removed, err = migrator.Destroy(t.Context())
	require.NoError(t, err)
	assert.Empty(t, removed)
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct{ name, want string }{
		{"V1__short.sql", "V1__short.sql: a migration's name must look like V000001__name.sql"},
		{"v000001__small.sql", "must look like"},
		{"V000001_one_underscore.sql", "must look like"},
		{"V000000__zero.sql", "versions start at 1"},
	}
	for _, test := range tests {
		_, err := migrate.Load(files(test.name, "X;"))
		assert.ErrorContains(t, err, test.want)
	}
	_, err := migrate.Load(files("V000001__a.sql", "", "V000001__b.sql", ""))
	assert.ErrorContains(t, err, "V000001__b.sql: V000001__a.sql has the same version: renumber one")
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name    string
		version int
		want    string
	}{
		{"first stream", 0, "V000001__first_stream.sql"},
		{"fifth", 5, "V000005__fifth.sql"},
		{" after  it ", 0, "V000006__after_it.sql"},
		{"before it", 2, "V000002__before_it.sql"},
	} {
		path, err := migrate.Create(dir, test.name, test.version)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(dir, test.want), path)
		assert.FileExists(t, path)
	}
	for _, test := range []struct {
		name    string
		version int
		want    string
	}{
		{"again", 5, "version 5 exists: V000005__fifth.sql"},
		{"", 0, "needs a name"},
		{"a/b", 0, "cannot be in its name"},
		{"x", -1, "not between 1 and 999999"},
		{"x", 1000000, "not between 1 and 999999"},
	} {
		_, err := migrate.Create(dir, test.name, test.version)
		assert.ErrorContains(t, err, test.want)
	}
	_, err := migrate.Create(dir, "last", migrate.MaxVersion)
	require.NoError(t, err)
	_, err = migrate.Create(dir, "more", 0)
	assert.ErrorContains(t, err, "no room")
	_, err = migrate.Create(filepath.Join(dir, "nowhere"), "x", 0)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestNewRefuses(t *testing.T) {
	client, err := ksql.New(ksql.Config{})
	require.NoError(t, err)
	for _, config := range []migrate.Config{{}, {Client: client}, {FS: files()}, {Client: client, FS: files(), Metadata: migrate.Metadata{Replicas: -1}}} {
		_, err := migrate.New(config)
		assert.Error(t, err)
	}
}

func TestOurOwnMigrationsCanBePrepared(t *testing.T) {
	server := newFakeKsqlDB(t)
	migrator := server.newMigrator(t, migrate.Config{
		FS:       migrations.FS,
		Resolver: func(context.Context, string) (int, error) { return 3, nil },
	})
	report, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.NotEmpty(t, report.Applied)
	for _, sent := range server.sent() {
		assert.NotContains(t, sent.Text, "${")
		assert.Equal(t, "earliest", sent.Properties["auto.offset.reset"], sent.Text)
		assert.Equal(t, "exactly_once_v2", sent.Properties["processing.guarantee"], sent.Text)
		assert.Equal(t, "100", sent.Properties["commit.interval.ms"], sent.Text)
	}
}

func TestWhatChangesTheServerIsLocked(t *testing.T) {
	server := newFakeKsqlDB(t)
	var told []string
	free := true
	config := migrate.Config{
		FS: files("V000001__first.sql", "CREATE STREAM A (K INT KEY) WITH (KAFKA_TOPIC='a');"),
		Lock: func(ctx context.Context) (context.Context, func(), error) {
			if !free {
				return nil, nil, errors.New("another has it")
			}
			told = append(told, "locked")
			return ctx, func() { told = append(told, "released") }, nil
		},
		Observe: func(e migrate.Event) {
			if e.Statement != "" {
				told = append(told, "ran")
			}
		},
	}
	migrator := server.newMigrator(t, config)
	_, err := migrator.Apply(t.Context(), migrate.ApplyOptions{All: true, DryRun: true})
	require.NoError(t, err)
	_, err = migrator.Info(t.Context())
	require.NoError(t, err)
	assert.Empty(t, told, "asking needs no lock")
	_, err = migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, []string{"locked", "ran", "released"}, told)
	_, err = migrator.Destroy(t.Context())
	require.NoError(t, err)
	assert.Len(t, told, 5)

	free = false
	requests := server.requests
	_, err = migrator.Apply(t.Context(), all)
	require.ErrorContains(t, err, "another has it")
	_, err = migrator.Destroy(t.Context())
	require.ErrorContains(t, err, "another has it")
	require.ErrorContains(t, migrator.Initialize(t.Context()), "another has it")
	assert.Equal(t, requests, server.requests)
}
