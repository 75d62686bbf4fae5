package migrate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
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

func newEngine(_ context.Context, topics map[string]int) (migrate.Engine, error) {
	options := sqltest.Options{Topics: map[string]analyze.Topic{}}
	for name, partitions := range topics {
		options.Topics[name] = analyze.Topic{Partitions: partitions, Replicas: 1}
	}
	return sqltest.NewSession(options)
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
		assert.Empty(t, s.Explanation, "the sources are not there yet")
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
TERMINATE ALL;
DROP STREAM c DELETE TOPIC;`
	plan, err = migratorOf(t, client, "V000001__first.sql", firstFile, "V000002__second.sql", second).Plan(ctx, all)
	require.NoError(t, err)
	assert.Equal(t, 1, plan.Current)
	require.Len(t, plan.Files, 1)
	statements := plan.Files[0].Statements
	require.Len(t, statements, 5)
	assert.Equal(t, migrate.Valid, statements[0].Verdict, statements[0].Reason)
	assert.Contains(t, statements[0].Explanation, "[ FILTER ]")
	assert.Equal(t, "replace stream B with its query", statements[1].Effect.String())
	require.Len(t, statements[1].Dependants, 2)
	assert.Contains(t, statements[1].Dependants[0], "writing A")
	assert.Equal(t, migrate.Invalid, statements[2].Verdict, "others read it")
	assert.Contains(t, statements[2].Reason, "Cannot drop B")
	assert.Equal(t, migrate.NotValidated, statements[3].Verdict)
	assert.Equal(t, "drop stream C and its topic", statements[4].Effect.String())
	assert.Equal(t, 1, plan.Invalid())
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
