package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMigrateConnectors has migrations make and drop connectors on everything that
// `up` starts, with a failure in the middle.
func TestMigrateConnectors(t *testing.T) {
	data := t.TempDir()
	p := startUp(t, data)
	project := filepath.Join(data, "p.properties")
	dir := migrationProject(t, "V000001__connectors.sql", strings.NewReplacer("<db>", customersDB(data)).Replace(
		`CREATE SOURCE CONNECTOR IF NOT EXISTS `+"`more-customers`"+` WITH (
  'connector.class'='io.confluent.connect.jdbc.JdbcSourceConnector', 'connection.url'='jdbc:sqlite:<db>',
  'mode'='bulk', 'table.whitelist'='customers', 'topic.prefix'='more-', 'poll.interval.ms'='3600000');
CREATE STREAM more (id INT KEY) WITH (KAFKA_TOPIC='more', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE SINK CONNECTOR more_sink WITH ('connector.class'='io.confluent.connect.elasticsearch.ElasticsearchSinkConnector', 'connection.url'='http://127.0.0.1:1', 'topics'='more', 'key.ignore'='false');
DROP CONNECTOR IF EXISTS nothing;
`))
	require.NoError(t, os.WriteFile(project, []byte("ksql.server.url="+p.ksqldb()+"\nksql.migrations.stream.name=MORE_EVENTS\nksql.migrations.table.name=MORE_VERSIONS\nksql.migrations.dir.override="+dir+"\n"), 0o644))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	command := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := runCommand(t, p.ksqldb(), append(args, "--kafka", p.kafka(), "--schema-registry", p.addr["Schema Registry"])...)
		require.Equal(t, want, code, out+errs)
		return out + errs
	}
	migrate := func(want int, args ...string) string {
		t.Helper()
		return command(want, append([]string{"migrate", "-c", project}, args...)...)
	}
	connectors := func() string { return command(0, "sql", "-e", "SHOW CONNECTORS;") }
	migrate(0, "initialize-metadata")

	plan := migrate(0, "plan")
	assert.Contains(t, plan, "create source connector more-customers\n        not validated: connectors are not made in memory")
	assert.Contains(t, migrate(3, "apply", "--all"), "V000001__connectors.sql line 5:1: ksqlDB refused it (error 40000): Failed to create connector: ")
	assert.Contains(t, connectors(), "more-customers")
	assert.NotContains(t, connectors(), "MORE_SINK")

	path := filepath.Join(dir, "V000001__connectors.sql")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	write(filepath.Base(path), strings.Replace(string(text), "http://127.0.0.1:1", p.elastic(), 1))
	resumed := migrate(0, "apply", "--all")
	assert.Contains(t, resumed, "going on with V000001__connectors.sql after 2 of 4 statements")
	assert.Contains(t, resumed, "the server warns of V000001__connectors.sql line 6: Connector 'NOTHING' does not exist.")
	assert.Contains(t, connectors(), "MORE_SINK")

	const existing = "CREATE SOURCE CONNECTOR IF NOT EXISTS `more-customers` WITH ('connector.class'='io.confluent.connect.jdbc.JdbcSourceConnector', 'connection.url'='jdbc:sqlite:other.db', 'mode'='bulk', 'topic.prefix'='x');\n"
	write("V000002__drop.sql", existing+"DROP CONNECTOR more_sink;\nDROP CONNECTOR nothing;\n")
	failed := migrate(3, "apply", "--all")
	assert.Contains(t, failed, "V000002__drop.sql line 3:1: ")
	assert.NotContains(t, connectors(), "MORE_SINK")
	write("V000002__drop.sql", existing+"DROP CONNECTOR more_sink;\n")
	dropped := migrate(0, "apply", "--all")
	assert.Contains(t, dropped, "going on with V000002__drop.sql after 2 of 2 statements")

	for i, statement := range []string{"SHOW CONNECTORS;", "LIST CONNECTORS;", "DESCRIBE CONNECTOR `more-customers`;"} {
		write("V000003__ask.sql", statement)
		assert.Contains(t, migrate(2, "apply", "--all"), "have no place in a migration", i)
	}
	write("V000003__ask.sql", "CREATE SOURCE CONNECTOR WITH ('connector.class'='x');")
	assert.Contains(t, migrate(2, "apply", "--all"), "V000003__ask.sql line 1:1: the server would refuse it")
	write("V000003__ask.sql", "DROP CONNECTOR `more-customers`;\nCREATE SOURCE CONNECTOR `more-customers` WITH ('connector.class'='nonsense');")
	migrate(3, "apply", "--all")
	assert.NotContains(t, connectors(), "more-customers")
	assert.True(t, strings.HasPrefix(migrate(5, "drift"), "missing   CONNECTOR more-customers (V000001__connectors.sql)\n"), "dropped by a file that was not applied")
}
