package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/rehearsal"
)

// startServer starts an embedded ksqlDB without a Schema Registry.
func startServer(t *testing.T) *ksql.Client {
	t.Helper()
	kafkaServer, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, kafkaServer.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, kafkaServer.Stop()) })
	server, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: []string{kafkaServer.Addr()}, DataDir: t.TempDir(),
	}})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	client, err := ksql.New(ksql.Config{URL: "http://" + server.Addr()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func newEngine(ctx context.Context, topics map[string]int) (migrate.Engine, error) {
	return rehearsal.New(ctx, topics, nil)
}

func migratorOf(t *testing.T, client *ksql.Client, namesAndContents ...string) *migrate.Migrator {
	t.Helper()
	migrator, err := migrate.New(migrate.Config{Client: client, FS: files(namesAndContents...), NewEngine: newEngine})
	require.NoError(t, err)
	return migrator
}

const firstFile = `CREATE TYPE address AS STRUCT<street STRING, zip INT>;
CREATE STREAM s (id INT KEY, v INT, a address) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM b AS SELECT id, v, a->zip AS zip FROM s;
CREATE STREAM a AS SELECT id, v FROM b;
INSERT INTO a SELECT id, zip AS v FROM b;`

func TestPlanSaysWhatApplyWouldDo(t *testing.T) {
	client := startServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	plan, err := migratorOf(t, client, "V000001__first.sql", firstFile).Plan(ctx, all)
	require.NoError(t, err)
	require.Len(t, plan.Files, 1)
	var effects []string
	for _, s := range plan.Files[0].Statements {
		effects = append(effects, s.Effect.String())
		assert.Equal(t, migrate.Valid, s.Verdict, s.Reason)
		assert.Equal(t, s.Effect.Query, strings.Contains(s.Explanation, "[ SINK ]"), "by the engine, as the sources are not there yet")
	}
	assert.Equal(t, []string{"create type ADDRESS", "create stream S", "create stream B with its query", "create stream A with its query", "write into A by a query"}, effects)
	_, err = client.Describe(ctx, "S")
	assert.Error(t, err, "a plan changes nothing")

	report, err := migratorOf(t, client, "V000001__first.sql", firstFile).Apply(ctx, all)
	require.NoError(t, err)
	assert.Equal(t, 1, report.Current)

	second := `CREATE STREAM c AS SELECT * FROM a WHERE v > 1;
CREATE OR REPLACE STREAM b AS SELECT id, v, a->zip AS zip FROM s WHERE v > 2;
DROP STREAM b;
TERMINATE INSERTQUERY_99;
CREATE STREAM d AS SELECT * FROM c;
CREATE OR REPLACE STREAM c AS SELECT id, v, v AS w FROM a WHERE v > 1;
ALTER STREAM s ADD COLUMN w STRING;
DROP STREAM c DELETE TOPIC;`
	plan, err = migratorOf(t, client, "V000001__first.sql", firstFile, "V000002__second.sql", second).Plan(ctx, all)
	require.NoError(t, err)
	assert.Equal(t, 1, plan.Current)
	require.Len(t, plan.Files, 1)
	statements := plan.Files[0].Statements
	require.Len(t, statements, 8)
	for i, want := range []migrate.Verdict{migrate.Valid, migrate.Valid, migrate.Invalid, migrate.NotValidated, migrate.Valid, migrate.Valid, migrate.Valid, migrate.NotValidated} {
		assert.Equal(t, want, statements[i].Verdict, "%d: %s", i, statements[i].Reason)
	}
	assert.Contains(t, statements[0].Explanation, "[ FILTER ]")
	assert.Equal(t, []string{"its topic C is created (1 partition)", "keys KAFKA, values JSON", "columns ID INTEGER KEY, V INTEGER"}, statements[0].Changes)
	assert.Equal(t, "replace stream B with its query", statements[1].Effect.String())
	require.Len(t, statements[1].Dependants, 2)
	assert.Contains(t, statements[1].Dependants[0], "is read by CSAS_A_")
	assert.Contains(t, statements[1].Dependants[0], " writing A")
	assert.NotContains(t, statements[1].Dependants[0], "refused")
	require.Len(t, statements[1].Changes, 1)
	assert.Regexp(t, "its query CSAS_B_[0-9]+ goes on as it is written now", statements[1].Changes[0])
	assert.Contains(t, statements[2].Reason, "Cannot drop B")
	assert.Contains(t, statements[3].Reason, "no query INSERTQUERY_99")
	assert.Equal(t, []string{"column W INTEGER comes", "its query the query of V000002__second.sql line 1 goes on as it is written now"}, statements[5].Changes)
	assert.Equal(t, []string{"is read by the query of V000002__second.sql line 5 writing D"}, statements[5].Dependants, "of a statement that is pending too")
	assert.Equal(t, []string{"column W STRING comes"}, statements[6].Changes)
	assert.Equal(t, "drop stream C and its topic", statements[7].Effect.String())
	assert.Equal(t, []string{"is read by the query of V000002__second.sql line 5 writing D"}, statements[7].Dependants)
	assert.Equal(t, 1, plan.Invalid())
}

func TestPlanFollowsTopicsAndQueriesOfTheServer(t *testing.T) {
	client := startServer(t)
	first := []string{"V000001__first.sql", `CREATE STREAM s (id INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);
CREATE STREAM good AS SELECT id, v FROM s;
CREATE STREAM over (id INT KEY, v INT) WITH (KAFKA_TOPIC='GOOD', VALUE_FORMAT='JSON');
INSERT INTO good SELECT id, v FROM s;`}
	_, err := migratorOf(t, client, first...).Apply(t.Context(), all)
	require.NoError(t, err)
	second := `DROP STREAM s;
PAUSE <GOOD>;`
	plan, err := migratorOf(t, client, append(first, "V000002__second.sql", withQueryIDs(t, client, second))...).Plan(t.Context(), all)
	require.NoError(t, err)
	statements := plan.Files[0].Statements
	assert.Equal(t, migrate.Invalid, statements[0].Verdict)
	assert.Contains(t, statements[0].Reason, withQueryIDs(t, client, "The following queries read from this source: [<GOOD 2>]"), "by the server's ids")
	assert.Equal(t, []string{withQueryIDs(t, client, "is read by <GOOD> writing GOOD"), withQueryIDs(t, client, "is read by <GOOD 2> writing GOOD")}, statements[0].Dependants)
	assert.Equal(t, migrate.Valid, statements[1].Verdict, statements[1].Reason)

	second = `TERMINATE <GOOD 2>;
TERMINATE <GOOD>;
DROP STREAM good;
CREATE OR REPLACE STREAM over (id INT KEY, v INT, w INT) WITH (KAFKA_TOPIC='GOOD', VALUE_FORMAT='JSON');
DROP STREAM s;
CREATE STREAM s (id INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=5);
CREATE STREAM other (id INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
DROP STREAM other;
DROP STREAM s DELETE TOPIC;
CREATE STREAM s (id INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=6);
CREATE STREAM other (id INT KEY) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
DROP STREAM s DELETE TOPIC;`
	plan, err = migratorOf(t, client, append(first, "V000002__second.sql", withQueryIDs(t, client, second))...).Plan(t.Context(), all)
	require.NoError(t, err)
	statements = plan.Files[0].Statements
	for _, s := range statements[:11] {
		assert.Equal(t, migrate.Valid, s.Verdict, "%s: %s", s.Text, s.Reason)
	}
	assert.Equal(t, []string{"column W INTEGER comes"}, statements[3].Changes)
	assert.Empty(t, statements[4].Changes, "its query was ended before")
	assert.Equal(t, []string{"its topic t is created (5 partitions)", "keys KAFKA, values JSON", "columns ID INTEGER KEY"}, statements[5].Changes)
	assert.Equal(t, []string{"over the topic t", "keys KAFKA, values JSON", "columns ID INTEGER KEY"}, statements[6].Changes)
	assert.Equal(t, []string{"its topic t is deleted"}, statements[8].Changes)
	assert.Equal(t, "its topic t is created (6 partitions)", statements[9].Changes[0])
	assert.Equal(t, []string{"its topic t is also that of stream OTHER"}, statements[11].Dependants)
	assert.Equal(t, migrate.Invalid, statements[11].Verdict, "another has the topic")
}

func TestStatementsAboutAllQueriesAreRefused(t *testing.T) {
	client := startServer(t)
	for _, text := range []string{"TERMINATE ALL;", "pause -- them\n all;"} {
		_, err := migratorOf(t, client, "V000001__first.sql", text).Plan(t.Context(), all)
		require.ErrorContains(t, err, "V000001__first.sql line 1:1: ")
		assert.ErrorContains(t, err, "ALL would also reach the queries that keep what was applied")
	}
}

func TestApplyValidatesAllFilesBeforeTheFirstStatement(t *testing.T) {
	client := startServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	migrator := migratorOf(t, client, "V000001__first.sql", firstFile, "V000002__second.sql",
		"\n  CREATE STREAM c AS SELECT id, w FROM s;", "V000003__third.sql", "DROP STREAM c;")
	_, err := migrator.Apply(ctx, all)
	var fileError *migrate.FileError
	require.ErrorAs(t, err, &fileError)
	assert.Equal(t, "V000002__second.sql", fileError.File)
	assert.Equal(t, []int{2, 3}, []int{fileError.Line, fileError.Col})
	assert.ErrorContains(t, err, "no migration was applied")
	assert.ErrorContains(t, err, "W")
	_, err = client.Describe(ctx, "S")
	assert.Error(t, err)

	options := all
	options.SkipValidation = true
	report, err := migrator.Apply(ctx, options)
	require.ErrorAs(t, err, &fileError)
	assert.NotContains(t, err.Error(), "no migration was applied")
	assert.Equal(t, 1, report.Current, "the first file ran, and the server refused the second")
}

// What cannot be rebuilt in memory makes no statement invalid.
func TestPlanDoubtsWhatItCannotRebuild(t *testing.T) {
	client := startServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := client.Exec(ctx, "CREATE STREAM s (id INT KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);", ksql.ExecOptions{})
	require.NoError(t, err)
	file := "CREATE STREAM good AS SELECT * FROM s;\nCREATE STREAM new (id INT KEY) WITH (KAFKA_TOPIC='n', VALUE_FORMAT='JSON', PARTITIONS=1);"
	migrator, err := migrate.New(migrate.Config{Client: client, FS: files("V000001__first.sql", file),
		NewEngine: func(ctx context.Context, _ map[string]int) (migrate.Engine, error) {
			engine, err := newEngine(ctx, nil)
			return forgetful{engine}, err
		}})
	require.NoError(t, err)
	plan, err := migrator.Plan(ctx, all)
	require.NoError(t, err)
	statements := plan.Files[0].Statements
	assert.Equal(t, migrate.NotValidated, statements[0].Verdict)
	assert.Contains(t, statements[0].Reason, "source S: it forgot")
	assert.Equal(t, migrate.Valid, statements[1].Verdict, statements[1].Reason)
	report, err := migrator.Apply(ctx, all)
	assert.NoError(t, err)
	require.Len(t, report.NotValidated, 1)
	assert.Contains(t, report.NotValidated[0], "V000001__first.sql line 1:1: ")
}

var errForgot = errors.New("it forgot")

// forgetful is an engine that cannot make streams as the server lists them.
type forgetful struct{ migrate.Engine }

func (f forgetful) Execute(ctx context.Context, statement string, properties map[string]string) error {
	if properties == nil {
		return errForgot
	}
	return f.Engine.Execute(ctx, statement, properties)
}
