package migrate

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStatementsAreReplayedWithoutWhatServersAdd(t *testing.T) {
	for kept, want := range map[string]string{
		"CREATE STREAM S (ID INTEGER KEY, V STRING) WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='s', RETENTION_MS=-1, VALUE_FORMAT='JSON');": "CREATE STREAM S (ID INTEGER KEY, V STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');",
		"CREATE TABLE T WITH (CLEANUP_POLICY='compact', RETENTION_MS=604800000, KAFKA_TOPIC='t') AS SELECT * FROM S":                        "CREATE TABLE T WITH (KAFKA_TOPIC='t') AS SELECT * FROM S;",
		"CREATE STREAM S (ID STRING KEY, `a,)` STRUCT<`x` DECIMAL(4, 2), Y INTEGER>, B STRING) WITH (KAFKA_TOPIC='s', VALUE_SCHEMA_ID=3);":  "CREATE STREAM S (ID STRING KEY) WITH (KAFKA_TOPIC='s', VALUE_SCHEMA_ID=3);",
		"CREATE TABLE `t` (ID STRING PRIMARY KEY, A STRING, H BYTES HEADER('h'), B STRING) WITH (KEY_SCHEMA_ID=1, KAFKA_TOPIC='s');":        "CREATE TABLE `t` (A STRING, H BYTES HEADER('h'), B STRING) WITH (KEY_SCHEMA_ID=1, KAFKA_TOPIC='s');",
		"CREATE SOURCE TABLE T (ID STRING PRIMARY KEY, A STRING) WITH (KEY_SCHEMA_ID=1, VALUE_SCHEMA_ID=2, KAFKA_TOPIC='s');":               "CREATE SOURCE TABLE T  WITH (KEY_SCHEMA_ID=1, VALUE_SCHEMA_ID=2, KAFKA_TOPIC='s');",
		"CREATE OR REPLACE STREAM B AS SELECT A FROM S WHERE A IN ('x', 'VALUE_SCHEMA_ID=1') EMIT CHANGES;":                                 "CREATE OR REPLACE STREAM B AS SELECT A FROM S WHERE A IN ('x', 'VALUE_SCHEMA_ID=1') EMIT CHANGES;",
		"INSERT INTO B SELECT * FROM S": "INSERT INTO B SELECT * FROM S;",
		"CREATE STREAM S (A":            "CREATE STREAM S (A;",
	} {
		assert.Equal(t, want, replayable(kept))
	}
}

func TestEffects(t *testing.T) {
	for text, want := range map[string]string{
		"create stream if not exists `a b` (id INT KEY) WITH (KAFKA_TOPIC='SELECT');": "create stream a b",
		"CREATE -- a comment\nOR REPLACE TABLE t AS SELECT 1 FROM s;":                 "replace table T with its query",
		"CREATE SOURCE TABLE t (id INT PRIMARY KEY) WITH (KAFKA_TOPIC='t');":          "create source table T with its query",
		"CREATE SOURCE CONNECTOR `c` WITH ('a'='b');":                                 "create source connector c",
		"CREATE TYPE a AS STRUCT<x INT>;":                                             "create type A",
		"ALTER TABLE t ADD COLUMN c INT;":                                             "alter table T",
		"DROP STREAM IF EXISTS s DELETE TOPIC;":                                       "drop stream S and its topic",
		"DROP CONNECTOR `c`;":                                                         "drop connector c",
		"INSERT INTO s VALUES ('SELECT');":                                            "write into S",
		"INSERT INTO s SELECT * FROM b;":                                              "write into S by a query",
		"TERMINATE ALL;":                                                              "run TERMINATE ALL",
	} {
		assert.Equal(t, want, effectOf(text).String(), text)
	}
}
