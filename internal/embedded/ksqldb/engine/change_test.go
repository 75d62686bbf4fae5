package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReplacedQueryKeepsItsStateAndPositions(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE TABLE c WITH (KAFKA_TOPIC='c') AS SELECT id, COUNT(*) AS n FROM s WHERE n > 0 GROUP BY id;")
	w.exec("CREATE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v FROM s;")
	w.produce("s", "a", `{"V":"1","N":1}`)
	w.produce("s", "a", `{"V":"2","N":0}`)
	w.eventually("c", `a {"N":1}`)
	w.eventually("f", `a {"V":"1"}`, `a {"V":"2"}`)

	w.exec("CREATE OR REPLACE TABLE c WITH (KAFKA_TOPIC='c') AS SELECT id, COUNT(*) AS n FROM s WHERE n >= 0 GROUP BY id;")
	w.exec("CREATE OR REPLACE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v, n FROM s;")
	w.produce("s", "a", `{"V":"3","N":0}`)
	w.eventually("c", `a {"N":1}`, `a {"N":2}`)
	w.eventually("f", `a {"V":"1"}`, `a {"V":"2"}`, `a {"V":"3","N":0}`)

	w.reopen()
	w.produce("s", "a", `{"V":"4","N":4}`)
	w.eventually("c", `a {"N":1}`, `a {"N":2}`, `a {"N":3}`)
	w.eventually("f", `a {"V":"1"}`, `a {"V":"2"}`, `a {"V":"3","N":0}`, `a {"V":"4","N":4}`)
	require.Len(t, w.engine.Catalog().Queries(), 2)
}

func TestUpgradesThatCannotBeAreRefusedAndChangeNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE TABLE t (id STRING PRIMARY KEY, w STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', PARTITIONS=2);")
	w.exec("CREATE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v FROM s;")
	w.exec("CREATE STREAM j WITH (KAFKA_TOPIC='j') AS SELECT s.id AS id, v, w FROM s JOIN t ON s.id = t.id;")
	w.exec("CREATE TABLE win WITH (KAFKA_TOPIC='win') AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY id;")
	for sql, message := range map[string]string{
		"CREATE OR REPLACE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, n FROM s;":                                                                    "The following columns are changed, missing or reordered: [`V` STRING]",
		"CREATE OR REPLACE STREAM f WITH (KAFKA_TOPIC='g') AS SELECT id, v FROM s;":                                                                    "Cannot upgrade data source",
		"CREATE OR REPLACE TABLE f WITH (KAFKA_TOPIC='f') AS SELECT id, COUNT(*) AS v FROM s GROUP BY id;":                                             "Cannot upgrade data source",
		"CREATE OR REPLACE STREAM j WITH (KAFKA_TOPIC='j') AS SELECT s.id AS id, v, w, n FROM s JOIN t ON s.id = t.id;":                                "Upgrades not yet supported for StreamTableJoin",
		"CREATE OR REPLACE TABLE win WITH (KAFKA_TOPIC='win') AS SELECT id, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR) WHERE n>1 GROUP BY id;": "Upgrades not yet supported for StreamWindowedAggregate",
		"CREATE OR REPLACE STREAM s (id STRING KEY, v BIGINT, n BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');":                                  "The following columns are changed, missing or reordered: [`V` STRING]",
		"ALTER STREAM f ADD COLUMN x INT;":                               "ALTER command is not supported for CREATE ... AS statements.",
		"ALTER STREAM s ADD COLUMN v INT;":                               "Cannot add column `V` to schema. A column with the same name already exists.",
		"CREATE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v FROM s;": "A stream with the same name already exists",
		"DROP STREAM s;": "Cannot drop S.",
	} {
		w.refused(sql, message)
	}
	w.produce("s", "a", `{"V":"1","N":1}`)
	w.eventually("f", `a {"V":"1"}`)
	require.Len(t, w.engine.Catalog().Queries(), 3)
	w.reopen()
	w.produce("s", "a", `{"V":"2","N":1}`)
	w.eventually("f", `a {"V":"1"}`, `a {"V":"2"}`)
}

func TestAnAlteredSourceHasItsColumnsForNewQueriesAndAfterARestart(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT * FROM s;")
	w.exec("ALTER STREAM s ADD COLUMN x DOUBLE;")
	w.exec("CREATE STREAM g WITH (KAFKA_TOPIC='g') AS SELECT id, x FROM s;")
	w.produce("s", "a", `{"V":"1","N":1,"X":2.5}`)
	w.eventually("f", `a {"V":"1","N":1}`)
	w.eventually("g", `a {"X":2.5}`)
	w.reopen()
	w.produce("s", "b", `{"V":"2","N":2,"X":3.5}`)
	w.eventually("f", `a {"V":"1","N":1}`, `b {"V":"2","N":2}`)
	w.eventually("g", `a {"X":2.5}`, `b {"X":3.5}`)
}

func TestPausedQueriesStayPausedOverARestartAndMissNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v FROM s; CREATE STREAM g WITH (KAFKA_TOPIC='g') AS SELECT id, v FROM s;")
	f := w.queryID("CSAS_F")
	w.exec("PAUSE " + f + ";")
	w.produce("s", "a", `{"V":"1"}`)
	w.eventually("g", `a {"V":"1"}`)
	require.Contains(t, w.answer("SHOW QUERIES;"), `"PAUSED":1`)
	w.reopen()
	require.Contains(t, w.answer("SHOW QUERIES;"), `"PAUSED":1`)
	w.produce("s", "b", `{"V":"2"}`)
	w.eventually("g", `a {"V":"1"}`, `b {"V":"2"}`)
	require.Empty(t, w.content("f"))
	w.exec("RESUME " + f + ";")
	w.eventually("f", `a {"V":"1"}`, `b {"V":"2"}`)
	w.reopen()
	w.produce("s", "c", `{"V":"3"}`)
	w.eventually("f", `a {"V":"1"}`, `b {"V":"2"}`, `c {"V":"3"}`)

	w.exec("PAUSE " + f + ";")
	w.exec("CREATE OR REPLACE STREAM f WITH (KAFKA_TOPIC='f') AS SELECT id, v, n FROM s;")
	w.reopen()
	w.produce("s", "d", `{"V":"4","N":4}`)
	w.eventually("f", `a {"V":"1"}`, `b {"V":"2"}`, `c {"V":"3"}`, `d {"V":"4","N":4}`)
}

func TestATerminatedQueryStaysAwayAndItsSinkStays(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE TABLE c WITH (KAFKA_TOPIC='c') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;")
	w.produce("s", "a", `{"V":"1"}`)
	w.eventually("c", `1 {"N":1}`)
	w.exec("TERMINATE " + w.queryID("CTAS_C") + ";")
	w.reopen()
	w.produce("s", "a", `{"V":"1"}`)
	require.Empty(t, w.engine.Catalog().Queries())
	require.Contains(t, w.answer("SHOW TABLES;"), `"name":"C"`)
	w.exec("INSERT INTO c (v, n) VALUES ('2', 7);")
	w.eventually("c", `1 {"N":1}`, `2 {"N":7}`)
	w.exec("DROP TABLE c;")
	w.reopen()
	require.NotContains(t, w.answer("SHOW TABLES;"), `"name":"C"`)
}

func TestADroppedTopicIsMadeAnewUnderTheSameName(t *testing.T) {
	w := newWorld(t, nil)
	const table = "CREATE TABLE c WITH (KAFKA_TOPIC='c') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;"
	w.exec(createS + table)
	for range 3 {
		w.produce("s", "a", `{"V":"1"}`)
	}
	w.eventually("c", `1 {"N":1}`, `1 {"N":2}`, `1 {"N":3}`)
	w.exec("DROP TABLE c DELETE TOPIC;")
	w.exec(table)
	w.eventually("c", `1 {"N":1}`, `1 {"N":2}`, `1 {"N":3}`)
	w.reopen()
	w.produce("s", "a", `{"V":"1"}`)
	w.eventually("c", `1 {"N":1}`, `1 {"N":2}`, `1 {"N":3}`, `1 {"N":4}`)

	w.exec("DROP TABLE c DELETE TOPIC; DROP STREAM s DELETE TOPIC;")
	w.reopen()
	w.exec(createS + table)
	w.exec("INSERT INTO s (id, v) VALUES ('k', '9');")
	w.eventually("c", `9 {"N":1}`)
	w.exec("DROP TABLE c DELETE TOPIC; DROP STREAM s DELETE TOPIC;" + createS + table + "INSERT INTO s (id, v) VALUES ('k', '8');")
	w.eventually("c", `8 {"N":1}`)
}

func TestSeveralQueriesWriteIntoOneStreamAndEndApart(t *testing.T) {
	w := newWorld(t, nil)
	w.exec(createS + "CREATE STREAM all_of_them (id STRING KEY, v STRING) WITH (KAFKA_TOPIC='all', VALUE_FORMAT='JSON', PARTITIONS=1);")
	w.exec("INSERT INTO all_of_them SELECT id, v FROM s WHERE n = 1; INSERT INTO all_of_them SELECT id, UCASE(v) AS v FROM s WHERE n = 2;")
	w.produce("s", "a", `{"V":"x","N":1}`)
	w.produce("s", "a", `{"V":"y","N":2}`)
	w.eventually("all", `a {"V":"Y"}`, `a {"V":"x"}`)
	w.refused("DROP STREAM all_of_them;", "Cannot drop ALL_OF_THEM.")
	w.exec("TERMINATE " + w.queryID("INSERTQUERY_") + ";")
	w.reopen()
	w.produce("s", "a", `{"V":"z","N":2}`)
	w.eventually("all", `a {"V":"Y"}`, `a {"V":"Z"}`, `a {"V":"x"}`)
	w.exec("TERMINATE ALL; DROP STREAM all_of_them DELETE TOPIC;")
	require.Empty(t, w.engine.Catalog().Queries())
}
