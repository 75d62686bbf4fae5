package connect_test

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect"
)

func tableConfig(s *stack) map[string]string {
	s.exec(s.database("t.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, name TEXT)", "INSERT INTO t VALUES (1, 'a')")
	return map[string]string{
		"connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.url": s.jdbcURL("t.db"), "mode": "incrementing",
		"incrementing.column.name": "id", "table.whitelist": "t", "topic.prefix": "x-", "poll.interval.ms": "10",
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
	}
}

func TestStatesSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		config := tableConfig(s)
		s.create("running", config)
		s.create("paused", config)
		s.create("stopped", config)
		s.create("deleted", config)
		for _, name := range []string{"running", "paused", "stopped", "deleted"} {
			s.waitRunning(name)
		}
		assert.Len(t, s.records("x-t", 0, 4), 4)
		require.Equal(t, http.StatusAccepted, s.request(http.MethodPut, "/connectors/paused/pause", nil).status)
		require.Equal(t, http.StatusNoContent, s.request(http.MethodPut, "/connectors/stopped/stop", nil).status)
		require.Equal(t, http.StatusNoContent, s.request(http.MethodDelete, "/connectors/deleted", nil).status)
		s.restart()
		s.waitRunning("running")
		s.waitFor("paused is paused", func() bool { return s.status("paused").Connector.State == "PAUSED" })
		s.waitFor("stopped is stopped", func() bool { return s.status("stopped").Connector.State == "STOPPED" })
		assert.Equal(t, `["paused","running","stopped"]`, string(s.request(http.MethodGet, "/connectors", nil).body))
		assert.JSONEq(t, `{"running":{"topics":["x-t"]}}`, string(s.request(http.MethodGet, "/connectors/running/topics", nil).body))
		assert.EqualValues(t, 4, s.end("x-t"), "nothing is read twice")

		require.Equal(t, http.StatusAccepted, s.request(http.MethodPut, "/connectors/paused/resume", nil).status)
		s.waitRunning("paused")
		s.exec(s.database("t.db"), "INSERT INTO t VALUES (2, 'b')")
		assert.Len(t, s.records("x-t", 4, 2), 2)
	})
}

func TestATableThatComesLaterIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		config := tableConfig(s)
		config["table.whitelist"], config["table.poll.interval.ms"] = "later", "10"
		s.create("c", config)
		failed := s.waitFailed("c")
		assert.Contains(t, failed.Tasks[0].Trace, "Task is being killed because it was not assigned a table nor a query to execute.")
		s.exec(s.database("t.db"), "CREATE TABLE later (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO later VALUES (5)")
		s.waitRunning("c")
		assert.Equal(t, `{"id":5}`, string(s.records("x-later", 0, 1)[0].Value))
	})
}

func TestUnsupportedSettingsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		for key, value := range map[string]string{"dialect.name": "MySqlDatabaseDialect", "transforms": "x", "predicates": "p", "exactly.once.support": "required"} {
			config := tableConfig(&stack{t: t, dir: t.TempDir()})
			config[key] = value
			res := s.request(http.MethodPost, "/connectors", map[string]any{"name": "c", "config": config})
			assert.Equal(t, http.StatusBadRequest, res.status, key)
			assert.Contains(t, string(res.body), key)
		}
	})
}

func TestAPortInUseIsTold(t *testing.T) {
	s := newStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	w, err := connect.New(connect.Config{Addr: ln.Addr().String(), AddrSetting: "--connect-listen", Brokers: []string{s.broker.Addr()}})
	require.NoError(t, err)
	require.ErrorContains(t, w.Start(t.Context()), "the port is in use; stop the other process or choose another address with --connect-listen")
	require.NoError(t, w.Stop())
	require.NoError(t, s.server.Stop())
	require.NoError(t, s.server.Stop(), "a second stop does nothing")
	require.NoError(t, s.server.Start(t.Context()))
	require.NoError(t, s.server.Start(t.Context()), "a second start does nothing")
}

func TestLevelsOfLoggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		get := func(path string) string { return string(s.request(http.MethodGet, path, nil).body) }
		assert.JSONEq(t, `{"root":{"level":"INFO","last_modified":null}}`, get("/admin/loggers"))
		const jdbc = "io.confluent.connect.jdbc"
		res := s.request(http.MethodPut, "/admin/loggers/"+jdbc, map[string]string{"level": "debug"})
		assert.JSONEq(t, `["`+jdbc+`","`+jdbc+`.JdbcSourceConnector"]`, string(res.body))
		assert.JSONEq(t, `{"level":"DEBUG","last_modified":946684800000}`, get("/admin/loggers/"+jdbc+".JdbcSourceConnector"), "what is below has it too")
		assert.Equal(t, http.StatusNotFound, s.request(http.MethodGet, "/admin/loggers/org.example", nil).status)

		res = s.request(http.MethodPut, "/admin/loggers/root?scope=cluster", map[string]string{"level": "WARN"})
		assert.Equal(t, http.StatusNoContent, res.status)
		assert.Contains(t, get("/admin/loggers/"+jdbc), `"WARN"`, "the root is above all")
		assert.Equal(t, http.StatusNotFound, s.request(http.MethodPut, "/admin/loggers/root", map[string]string{"level": "LOUD"}).status)
		assert.Equal(t, http.StatusBadRequest, s.request(http.MethodPut, "/admin/loggers/root", map[string]string{"volume": "1"}).status)
	})
}
