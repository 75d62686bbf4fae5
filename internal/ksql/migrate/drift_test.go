package migrate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
)

// driftFile has a statement of each kind that leaves something to compare.
const driftFile = `CREATE TYPE address AS STRUCT<street STRING, zip INT>;
CREATE STREAM s (id INT KEY, v INT, a address) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);
SET 'auto.offset.reset' = 'earliest';
SET 'commit.interval.ms' = '100';
CREATE STREAM b AS SELECT id, v, a->zip AS zip FROM s -- all of them
  WHERE v > 1;
UNSET 'auto.offset.reset';
CREATE STREAM a AS SELECT id, v FROM b;
INSERT INTO a SELECT id, zip AS v FROM b;
INSERT INTO a SELECT id, v FROM b WHERE zip > 2;
INSERT INTO s (id, v) VALUES (1, 2);
CREATE TABLE t WITH (KEY_FORMAT='JSON') AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 30 SECONDS) GROUP BY id;
CREATE SOURCE TABLE u (id INT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
ALTER STREAM s ADD COLUMN w STRING;
CREATE OR REPLACE STREAM b AS SELECT id, v, a->zip AS zip FROM s WHERE v > 1 AND v < 9;
CREATE STREAM later AS SELECT * FROM a;
CREATE STREAM gone (id INT KEY) WITH (KAFKA_TOPIC='gone', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TYPE old AS INT;
CREATE TYPE dropped AS INT;
DROP TYPE dropped;`

// driftOf applies driftFile, changes the server by statements in which <X> is the
// id of the query that writes X, and <X 2> that of the second one, and returns the
// drift.
func driftOf(t *testing.T, statements ...string) []migrate.Drift {
	t.Helper()
	client := startServer(t)
	migrator := migratorOf(t, client, "V000001__first.sql", driftFile)
	_, err := migrator.Apply(t.Context(), all)
	require.NoError(t, err)
	report, err := migrator.Drift(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Drifts)
	require.Empty(t, report.NotCompared)
	for _, statement := range statements {
		_, err := client.Exec(t.Context(), withQueryIDs(t, client, statement), execOptions)
		require.NoError(t, err, statement)
	}
	report, err = migrator.Drift(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.NotCompared)
	return report.Drifts
}

func withQueryIDs(t *testing.T, client *ksql.Client, statement string) string {
	t.Helper()
	queries, err := client.ListQueries(t.Context())
	require.NoError(t, err)
	numbers := map[string]int{}
	for _, q := range queries {
		for _, sink := range q.Sinks {
			numbers[sink]++
			name := "<" + sink + ">"
			if numbers[sink] > 1 {
				name = "<" + sink + " 2>"
			}
			statement = strings.ReplaceAll(statement, name, q.ID)
		}
	}
	return statement
}

// seen is a drift in short: kind, what and name, and what differs.
func seen(drifts []migrate.Drift) []string {
	texts := []string{}
	for _, d := range drifts {
		text := string(d.Kind) + " " + d.What + " " + strings.TrimRight(d.Name, "0123456789")
		for _, difference := range d.Differences {
			text += ", " + difference.Of
		}
		texts = append(texts, text)
	}
	return texts
}

func TestDriftOfWhatIsMissingAndUnknown(t *testing.T) {
	drifts := driftOf(t, "DROP STREAM gone;", "DROP TYPE old;", "CREATE TYPE fresh AS INT;",
		"CREATE TABLE x (id INT PRIMARY KEY) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
		"INSERT INTO a SELECT id, v + 1 AS v FROM b;", "CREATE STREAM more AS SELECT * FROM b;", "TERMINATE <LATER>;")
	assert.Equal(t, []string{"missing QUERY that writes LATER", "missing STREAM GONE", "missing TYPE OLD",
		"unknown QUERY INSERTQUERY_", "unknown STREAM MORE", "unknown TABLE X", "unknown TYPE FRESH"}, seen(drifts))
	assert.Equal(t, "V000001__first.sql", drifts[0].File)
	assert.Contains(t, drifts[0].Statement, "CREATE STREAM LATER")
	assert.Contains(t, drifts[1].Statement, "KAFKA_TOPIC='gone'")
	assert.Contains(t, drifts[3].Statement, "v + 1")
	assert.Empty(t, drifts[5].File)
	assert.Contains(t, drifts[5].Statement, "CREATE TABLE X")
}

func TestDriftOfQueriesThatWereEnded(t *testing.T) {
	drifts := driftOf(t, "TERMINATE <A>;", "TERMINATE <A>;", "TERMINATE <A>;", "TERMINATE <T>;")
	assert.Equal(t, []string{
		"missing QUERY that inserts into A", "missing QUERY that inserts into A", "missing QUERY that writes A", "missing QUERY that writes T",
	}, seen(drifts))
}

func TestDriftOfPausedQueries(t *testing.T) {
	drifts := driftOf(t, "PAUSE <LATER>;")
	require.Equal(t, []string{"different QUERY CSAS_LATER_, state"}, seen(drifts))
	assert.Equal(t, []migrate.Difference{{Of: "state", Expected: "RUNNING", Actual: "PAUSED"}}, drifts[0].Differences)
}

func TestDriftOfStatements(t *testing.T) {
	t.Run("queries", func(t *testing.T) {
		drifts := driftOf(t, "TERMINATE <LATER>;", "DROP STREAM later;", "CREATE STREAM later AS SELECT id, v + 1 AS v FROM a;",
			"DROP TABLE t DELETE TOPIC;", "CREATE TABLE t WITH (KEY_FORMAT='JSON') AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 60 SECONDS) GROUP BY id;")
		require.Equal(t, []string{"different QUERY CSAS_LATER_, statement, property commit.interval.ms", "different QUERY CTAS_T_, statement, property commit.interval.ms"}, seen(drifts))
		diff := drifts[0].Differences[0].Diff
		assert.Contains(t, diff, "--- migrations\n+++ server\n")
		assert.Contains(t, diff, "AS SELECT *\n")
		assert.Contains(t, diff, "+  (A.V + 1) V\n")
		assert.Equal(t, migrate.Difference{Of: "property commit.interval.ms", Expected: "100", Actual: "none"}, drifts[0].Differences[1])
		assert.Contains(t, drifts[1].Differences[0].Diff, "+WINDOW TUMBLING ( SIZE 60 SECONDS )")
	})
	t.Run("inserts", func(t *testing.T) {
		drifts := driftOf(t, "TERMINATE <A 2>;", "INSERT INTO a SELECT id, v FROM b WHERE zip > 3;")
		require.Len(t, drifts, 1)
		assert.Equal(t, migrate.DriftDifferent, drifts[0].Kind)
		assert.Contains(t, drifts[0].Differences[0].Diff, "+WHERE (ZIP > 3)")
	})
	t.Run("sources", func(t *testing.T) {
		drifts := driftOf(t, "DROP STREAM gone;", "CREATE STREAM gone (id INT KEY, x BIGINT) WITH (KAFKA_TOPIC='other', VALUE_FORMAT='DELIMITED', PARTITIONS=3, TIMESTAMP='x');")
		require.Equal(t, []string{"different STREAM GONE, columns, topic, value format, timestamp, statement"}, seen(drifts))
		assert.Equal(t, migrate.Difference{Of: "columns", Expected: "ID INTEGER KEY", Actual: "ID INTEGER KEY, X BIGINT"}, drifts[0].Differences[0])
		assert.Equal(t, migrate.Difference{Of: "topic", Expected: "gone", Actual: "other"}, drifts[0].Differences[1])
	})
	t.Run("partitions and window", func(t *testing.T) {
		drifts := driftOf(t, "DROP STREAM gone DELETE TOPIC;", "CREATE STREAM gone (id INT KEY) WITH (KAFKA_TOPIC='gone', VALUE_FORMAT='JSON', PARTITIONS=3, WINDOW_TYPE='SESSION');")
		require.Equal(t, []string{"different STREAM GONE, window, partitions, statement"}, seen(drifts))
		assert.Equal(t, migrate.Difference{Of: "partitions", Expected: "1", Actual: "3"}, drifts[0].Differences[1])
	})
	t.Run("alterations and types", func(t *testing.T) {
		drifts := driftOf(t, "ALTER STREAM gone ADD COLUMN extra INT;", "DROP TYPE old;", "CREATE TYPE old AS STRING;")
		require.Equal(t, []string{"different STREAM GONE, columns, statement", "different TYPE OLD, definition"}, seen(drifts))
		assert.Equal(t, []migrate.Difference{{Of: "definition", Expected: "INTEGER", Actual: "STRING"}}, drifts[1].Differences)
	})
}

func TestDriftSaysWhatItCannotCompare(t *testing.T) {
	client := startServer(t)
	_, err := migratorOf(t, client, "V000001__first.sql", driftFile).Apply(t.Context(), all)
	require.NoError(t, err)
	_, err = client.Exec(t.Context(), withQueryIDs(t, client, "TERMINATE <LATER>; DROP STREAM gone;"), execOptions)
	require.NoError(t, err)
	for name, newEngine := range map[string]func(context.Context, map[string]int) (migrate.Engine, error){
		"there is no engine in memory": nil,
		"the registry is away": func(context.Context, map[string]int) (migrate.Engine, error) {
			return nil, errors.New("the registry is away")
		},
	} {
		migrator, err := migrate.New(migrate.Config{Client: client, FS: files("V000001__first.sql", driftFile), NewEngine: newEngine})
		require.NoError(t, err)
		report, err := migrator.Drift(t.Context())
		require.NoError(t, err)
		require.Len(t, report.NotCompared, 1)
		assert.Contains(t, report.NotCompared[0], name)
		assert.Equal(t, []string{"missing QUERY that writes LATER", "missing STREAM GONE"}, seen(report.Drifts))
	}
}
