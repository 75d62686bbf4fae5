package migrate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/migrations"
)

// TestOurMigrationsOnTheEmbeddedServer applies migrations/ over the real
// protocols, twice, and finds them applied after a restart.
func TestOurMigrationsOnTheEmbeddedServer(t *testing.T) {
	ctx := t.Context()
	kafkaConfig := embeddedtest.Start(t)
	ids := embeddedtest.ApplyTopics(t, kafkaConfig)

	state := t.TempDir()
	start := func() (*ksqldbserver.Server, *migrate.Migrator, *ksql.Client) {
		server, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
			Brokers: kafkaConfig.Brokers, SchemaRegistry: kafkaConfig.SchemaRegistry, DataDir: state,
		}})
		require.NoError(t, err)
		require.NoError(t, server.Start(ctx))
		client, err := ksql.New(ksql.Config{URL: "http://" + server.Addr()})
		require.NoError(t, err)
		migrator, err := migrate.New(migrate.Config{Client: client, FS: migrations.FS, Resolver: ids.LatestID})
		require.NoError(t, err)
		return server, migrator, client
	}
	server, migrator, client := start()
	began := time.Now()
	report, err := migrator.Apply(ctx, all)
	require.NoError(t, err)
	t.Logf("applied in %s", time.Since(began))
	own, err := migrate.Load(migrations.FS)
	require.NoError(t, err)
	assert.Len(t, report.Applied, len(own))
	assert.Empty(t, report.NotRunning)
	began = time.Now()
	again, err := migrator.Apply(ctx, all)
	require.NoError(t, err)
	t.Logf("applied again in %s", time.Since(began))
	assert.Empty(t, again.Applied)
	queries, err := client.ListQueries(ctx)
	require.NoError(t, err)
	assert.Len(t, queries, persistentQueries(report)+2, "those of the statements, and of what was applied")
	for _, query := range queries {
		assert.Equal(t, "RUNNING", query.State, query.ID)
	}
	client.Close()
	require.NoError(t, server.Stop())

	server, migrator, client = start()
	defer client.Close()
	status, err := migrator.Info(ctx)
	require.NoError(t, err)
	assert.Equal(t, own[len(own)-1].Version, status.Current)
	for _, migration := range status.Migrations {
		assert.Equal(t, migrate.Migrated, migration.State, migration.Path)
	}
	checked, err := migrator.Validate(ctx)
	require.NoError(t, err)
	assert.Equal(t, len(own), checked)
	removed, err := migrator.Destroy(ctx)
	require.NoError(t, err)
	assert.Len(t, removed, 4)
	require.NoError(t, server.Stop())
}

// persistentQueries counts the statements that start a query.
func persistentQueries(report migrate.Report) int {
	count := 0
	for _, file := range report.Applied {
		for _, statement := range file.Statements {
			if strings.Contains(statement, "EMIT CHANGES") || strings.Contains(statement, "CREATE SOURCE TABLE") {
				count++
			}
		}
	}
	return count
}
