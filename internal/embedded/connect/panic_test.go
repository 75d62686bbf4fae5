package connect_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

func TestAQueryWithoutItsIncrementingColumnFailsItsTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		s.exec(s.database("x.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO t VALUES (1, 'a')")
		s.create("q", map[string]string{
			"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.url": s.jdbcURL("x.db"), "mode": "incrementing",
			"incrementing.column.name": "id", "query": "SELECT v FROM t", "topic.prefix": "q",
			"value.converter": "org.apache.kafka.connect.json.JsonConverter",
		})
		failed := s.waitFailed("q")
		t.Log(failed.Tasks[0].Trace)
		s.restart()
		s.waitFailed("q")
	})
}

func TestMoreTasksThanAWorkerCanHoldFailTheConnectorOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		s.createTopic("in")
		config := plainSink(es.URL)
		config["tasks.max"] = "2147483647"
		s.create("sink", config)
		assert.Contains(t, s.waitFailed("sink").Connector.Trace, "tasks.max")
		s.restart()
		s.waitFailed("sink")
	})
}

func TestASourceThatIsAllowedMoreTasksThanItNeedsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		s.exec(s.database("x.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, v TEXT)", "INSERT INTO t VALUES (1, 'a')")
		s.create("q", map[string]string{
			"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.url": s.jdbcURL("x.db"), "mode": "incrementing",
			"incrementing.column.name": "id", "table.whitelist": "t", "topic.prefix": "", "tasks.max": "1000",
			"key.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
		})
		s.waitRunning("q")
		s.records("t", 0, 1)
	})
}
