package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/migrations"
)

// startMigrationServers starts a broker, a Schema Registry and a ksqlDB, and
// returns what runs a command against them.
func startMigrationServers(t *testing.T) func(args ...string) (code int, stdout, stderr string) {
	t.Helper()
	_, _, command := startMigrationServersAt(t)
	return command
}

// startMigrationServersAt does the same, and returns the addresses of ksqlDB and
// Kafka too.
func startMigrationServersAt(t *testing.T) (url, brokers string, command func(args ...string) (code int, stdout, stderr string)) {
	t.Helper()
	ctx := t.Context()
	kafka := embeddedtest.Start(t)
	server, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: kafka.Brokers, SchemaRegistry: kafka.SchemaRegistry, DataDir: t.TempDir(),
	}})
	require.NoError(t, err)
	require.NoError(t, server.Start(ctx))
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	return "http://" + server.Addr(), kafka.Brokers[0], func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		noEnv := func(string) (string, bool) { return "", false }
		args = append(args, "--schema-registry", kafka.SchemaRegistry)
		if !slices.Contains(args, "--ksqldb") {
			args = append(args, "--ksqldb", "http://"+server.Addr())
		}
		if !slices.Contains(args, "--kafka") {
			args = append(args, "--kafka", kafka.Brokers[0])
		}
		code := run(ctx, args, &out, &errs, noEnv)
		return code, out.String(), errs.String()
	}
}

func TestMigratePlanOfOurMigrations(t *testing.T) {
	command := startMigrationServers(t)
	code, _, errs := command("topics", "apply")
	require.Equal(t, 0, code, errs)
	code, out, errs := command("migrate", "plan")
	require.Equal(t, 0, code, errs+out)
	assert.Contains(t, out, "V000004__fraud_check.sql\n")
	assert.Contains(t, out, "create table FRAUD_TOTALS with its query\n")
	assert.Contains(t, out, "write into ORDER_VALIDATIONS_OUT by a query\n")
	assert.Contains(t, out, "create source table ORDERS_BY_ID with its query\n")
	own, err := migrate.Load(migrations.FS)
	require.NoError(t, err)
	last := own[len(own)-1].Version
	assert.Regexp(t, fmt.Sprintf(`\n%d migrations with (\d+) statements: (\d+) valid, 0 would fail, 0 not validated\n$`, len(own)), out)

	code, out, errs = command("migrate", "plan", "--explain")
	require.Equal(t, 0, code, errs+out)
	assert.Contains(t, out, "[ AGGREGATE ]", "of a query over sources that do not exist yet")

	code, out, errs = command("migrate", "apply", "--until", "5")
	require.Equal(t, 0, code, errs+out)
	assert.NotContains(t, errs, "locked by a row")
	code, out, errs = command("migrate", "plan", "--output", "json")
	require.Equal(t, 0, code, errs+out)
	var answer struct{ Result migrate.Plan }
	require.NoError(t, json.Unmarshal([]byte(out), &answer))
	plan := answer.Result
	assert.Equal(t, 5, plan.Current)
	require.Len(t, plan.Files, len(own)-5)
	for _, file := range plan.Files {
		for _, s := range file.Statements {
			assert.Equal(t, migrate.Valid, s.Verdict, "%s: %s", s.Text, s.Reason)
		}
	}
	assert.Contains(t, plan.Files[0].Statements[0].Explanation, "[ JOIN ]")

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../migrations")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "V000999__wrong.sql"), []byte("\nDROP STREAM orders_new;\n"), 0o644))
	code, out, errs = command("migrate", "plan", "--dir", dir)
	assert.Equal(t, 2, code)
	assert.Equal(t, "orderflow: 1 statements would fail\n", errs)
	assert.Contains(t, out, "     2  drop stream ORDERS_NEW\n        invalid: Cannot drop ORDERS_NEW")
	assert.Contains(t, out, "        ! is read by CTAS_FRAUD_TOTALS")
	code, out, errs = command("migrate", "apply", "--all", "--dir", dir)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "V000999__wrong.sql line 2:1: the server would refuse it, so that no migration was applied: Cannot drop ORDERS_NEW", out)

	code, out, errs = command("migrate", "apply", "--all")
	require.Equal(t, 0, code, errs+out)
	code, out, errs = command("migrate", "apply", "--all", "--kafka", "127.0.0.1:1")
	require.Equal(t, 0, code, errs+out)
	assert.Contains(t, errs, "locked by a row in ksqlDB only, as its Kafka cannot be used: reaching Kafka at [127.0.0.1:1]")
	code, out, errs = command("migrate", "plan")
	require.Equal(t, 0, code, errs+out)
	assert.Equal(t, fmt.Sprintf("nothing to apply; the current version is %d\n", last), out)

	code, out, errs = command("migrate", "drift")
	assert.Equal(t, 0, code, errs+out)
	assert.Equal(t, "the server has what the applied migrations made, and nothing else\n", out)
}
