package jdbc_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/jdbc"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func environment() plugin.Environment {
	return plugin.Environment{Name: "c", Log: slog.New(slog.DiscardHandler), Clock: plugin.SystemClock{}}
}

// source is a database with a task that reads it.
type source struct {
	t        *testing.T
	path     string
	db       *sql.DB
	settings map[string]string
	task     plugin.SourceTask
	offsets  map[string]any // of the only partition, as the worker keeps it
}

// newSource makes a database with statements. The task reads the table t unless
// the settings say otherwise.
func newSource(t *testing.T, settings map[string]string, statements ...string) *source {
	t.Helper()
	s := &source{t: t, path: filepath.Join(t.TempDir(), "test.db")}
	var err error
	s.db, err = sql.Open("sqlite", s.path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.db.Close()) })
	s.exec(statements...)
	s.settings = map[string]string{"connection.url": "jdbc:sqlite:" + s.path, "topic.prefix": "x-", "mode": "incrementing", "incrementing.column.name": "id", "poll.interval.ms": "1000"}
	for k, v := range settings {
		s.settings[k] = v
	}
	if s.settings["query"] == "" {
		s.settings["tables"] = `"t"`
	}
	return s
}

func (s *source) exec(statements ...string) {
	s.t.Helper()
	for _, text := range statements {
		_, err := s.db.Exec(text)
		require.NoError(s.t, err, text)
	}
}

// start starts a task that goes on where the last one was.
func (s *source) start() error {
	s.t.Helper()
	task := jdbc.Connector{}.NewSourceTask()
	err := task.Start(s.t.Context(), environment(), s.settings, func(map[string]any) map[string]any { return s.offsets })
	s.t.Cleanup(func() { require.NoError(s.t, task.Close()) })
	s.task = task
	return err
}

// poll gives the rows of one poll as texts.
func (s *source) poll() []string {
	s.t.Helper()
	records, err := s.task.Poll(s.t.Context())
	require.NoError(s.t, err)
	list := []string{}
	for _, r := range records {
		list = append(list, data.Text(r.Value))
		s.offsets = r.SourceOffset
	}
	return list
}

func TestTimesAreReadInTheZoneOfTheDatabase(t *testing.T) {
	for _, test := range []struct{ zone, value, want string }{
		{"UTC", "'2024-03-01 12:00:00.250'", "2024-03-01T12:00:00.25Z"},
		{"America/New_York", "'2024-03-01 12:00:00.250'", "2024-03-01T17:00:00.25Z"},
		{"America/New_York", "'2024-07-01 12:00:00.000'", "2024-07-01T16:00:00Z"}, // in summer
		{"Asia/Kolkata", "'2024-03-01 00:00:00.000'", "2024-02-29T18:30:00Z"},
		{"GMT+2", "'2024-03-01 12:00:00.000'", "2024-03-01T10:00:00Z"},
		{"GMT-03:30", "'2024-03-01 12:00:00.000'", "2024-03-01T15:30:00Z"},
		{"America/New_York", "1709294400250", "2024-03-01T12:00:00.25Z"}, // milliseconds have no zone
		{"America/New_York", "2460371.25", "2024-03-01T23:00:00Z"},       // a Julian day
	} {
		s := newSource(t, map[string]string{"db.timezone": test.zone}, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, at TIMESTAMP)", "INSERT INTO t VALUES (1, 0)", "INSERT INTO t VALUES (2, "+test.value+")")
		require.NoError(t, s.start())
		records, err := s.task.Poll(t.Context())
		require.NoError(t, err)
		at, _ := records[1].Value.(*data.Struct).Get("at")
		assert.Equal(t, test.want, at.(time.Time).Format(time.RFC3339Nano), "%s in %s", test.value, test.zone)
	}
}

func TestTimestampsBecomeWhatTheGranularitySays(t *testing.T) {
	for granularity, want := range map[string]any{
		"micros_long": int64(1709294400250000), "micros_string": "1709294400250000", "micros_iso_datetime_string": "2024-03-01T13:00:00.250000",
		"nanos_long": int64(1709294400250000000), "nanos_string": "1709294400250000000", "NANOS_ISO_DATETIME_STRING": "2024-03-01T13:00:00.250000000",
	} {
		s := newSource(t, map[string]string{"timestamp.granularity": granularity, "db.timezone": "Europe/Berlin"},
			"CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, at TIMESTAMP NOT NULL)", "INSERT INTO t VALUES (1, 1709294400250)")
		require.NoError(t, s.start())
		records, err := s.task.Poll(t.Context())
		require.NoError(t, err)
		at, _ := records[0].Value.(*data.Struct).Get("at")
		assert.Equal(t, want, at, granularity)
	}
}

func TestGapsAreNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, nil, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1), (5), (100)")
		require.NoError(t, s.start())
		assert.Equal(t, []string{"Struct{id=1}", "Struct{id=5}", "Struct{id=100}"}, s.poll())
		s.exec("INSERT INTO t VALUES (50), (101)")
		assert.Equal(t, []string{"Struct{id=101}"}, s.poll(), "what comes late below the last one is not seen")
		s.exec("DELETE FROM t", "INSERT INTO t VALUES (7)")
		assert.Empty(t, s.poll())
		require.NoError(t, s.start())
		s.exec("INSERT INTO t VALUES (102)")
		assert.Equal(t, []string{"Struct{id=102}"}, s.poll(), "a new task goes on where the last one was")
	})
}

func TestAChangeMayHaveToBeOldEnough(t *testing.T) {
	for delay, want := range map[string]int{"0": 1, "60000": 1, "3600000": 0} {
		s := newSource(t, map[string]string{"mode": "timestamp", "timestamp.column.name": "at", "timestamp.delay.interval.ms": delay},
			"CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, at BIGINT NOT NULL)", "INSERT INTO t VALUES (1, (unixepoch('now') - 600) * 1000)")
		require.NoError(t, s.start())
		assert.Len(t, s.poll(), want, "a change of ten minutes ago with a delay of %s ms", delay)
	}
}

func TestOneTimestampIsNeverCutInTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, map[string]string{"mode": "timestamp", "timestamp.column.name": "at", "batch.max.rows": "2"},
			"CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, at BIGINT NOT NULL)", "INSERT INTO t VALUES (1, 1000), (2, 2000), (3, 2000), (4, 2000), (5, 3000)")
		require.NoError(t, s.start())
		assert.Equal(t, []string{"Struct{id=1,at=1000}", "Struct{id=2,at=2000}"}, s.poll())
		// The task ends here: the rows of the same timestamp come again.
		require.NoError(t, s.start())
		assert.Equal(t, []string{"Struct{id=2,at=2000}", "Struct{id=3,at=2000}"}, s.poll())
		assert.Equal(t, []string{"Struct{id=4,at=2000}", "Struct{id=5,at=3000}"}, s.poll())
	})
}

func TestAColumnThatIsAddedIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, nil, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1)")
		require.NoError(t, s.start())
		assert.Equal(t, []string{"Struct{id=1}"}, s.poll())
		s.exec("ALTER TABLE t ADD COLUMN name TEXT", "INSERT INTO t VALUES (2, 'b')")
		assert.Equal(t, []string{"Struct{id=2,name=b}"}, s.poll())
		s.exec("ALTER TABLE t DROP COLUMN name", "INSERT INTO t VALUES (3)")
		assert.Equal(t, []string{"Struct{id=3}"}, s.poll())
	})
}

func TestATableThatIsGoneIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, nil, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1)")
		require.NoError(t, s.start())
		assert.Len(t, s.poll(), 1)
		s.exec("DROP TABLE t")
		began := time.Now()
		assert.Empty(t, s.poll())
		assert.Empty(t, s.poll())
		assert.Equal(t, 2*time.Second, time.Since(began), "a try at each poll")
		s.exec("CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1), (2)")
		assert.Equal(t, []string{"Struct{id=2}"}, s.poll())
	})
}

func TestTriesMayBeLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, map[string]string{"query.retry.attempts": "2"}, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)")
		require.NoError(t, s.start())
		s.exec("DROP TABLE t")
		assert.Empty(t, s.poll())
		assert.Empty(t, s.poll())
		_, err := s.task.Poll(t.Context())
		require.ErrorContains(t, err, `reading the table "t"`)
		require.ErrorContains(t, err, "no such table: t")
	})
}

func TestALockedDatabaseIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, nil, "PRAGMA journal_mode=DELETE", "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1)")
		require.NoError(t, s.start())
		conn, err := s.db.Conn(t.Context())
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		require.NoError(t, err)
		assert.Empty(t, s.poll(), "the writer has the file")
		_, err = conn.ExecContext(t.Context(), "INSERT INTO t VALUES (2)")
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), "COMMIT")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		assert.Equal(t, []string{"Struct{id=1}", "Struct{id=2}"}, s.poll())
	})
}

func TestQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tables := []string{"CREATE TABLE a (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)", "CREATE TABLE b (a INTEGER NOT NULL, n INTEGER)", "INSERT INTO a VALUES (1, 'one'), (2, 'two')", "INSERT INTO b VALUES (1, 10), (2, 20)"}
		const join = "SELECT * FROM (SELECT a.id, a.name, b.n + 1 AS n FROM a JOIN b ON b.a = a.id) AS joined"

		s := newSource(t, map[string]string{"query": join}, tables...)
		require.NoError(t, s.start())
		records, err := s.task.Poll(t.Context())
		require.NoError(t, err)
		require.Len(t, records, 2)
		assert.Equal(t, "x-", records[0].Topic, "the prefix is the topic")
		assert.Equal(t, map[string]any{"query": "query"}, records[0].SourcePartition)
		assert.Equal(t, map[string]any{"incrementing": int64(2)}, records[1].SourceOffset)
		assert.Equal(t, "Struct{id=1,name=one,n=11}", data.Text(records[0].Value))
		s.exec("INSERT INTO a VALUES (3, 'three')", "INSERT INTO b VALUES (3, 30)")
		assert.Equal(t, []string{"Struct{id=3,name=three,n=31}"}, s.poll())

		s = newSource(t, map[string]string{"query": join, "mode": "bulk", "query.suffix": "ORDER BY id DESC LIMIT 1"}, tables...)
		require.NoError(t, s.start())
		assert.Equal(t, []string{"Struct{id=2,name=two,n=21}"}, s.poll())
		assert.Equal(t, []string{"Struct{id=2,name=two,n=21}"}, s.poll(), "everything again at the next poll")

		s = newSource(t, map[string]string{"query": "SELECT nothing FROM a", "query.retry.attempts": "0"}, tables...)
		require.NoError(t, s.start())
		_, err = s.task.Poll(t.Context())
		require.ErrorContains(t, err, "reading the query SELECT nothing FROM a")
	})
}

func TestAFolderMayComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		settings := map[string]string{"connection.url": "jdbc:sqlite:" + dir + "/x.db", "mode": "bulk", "connection.attempts": "3", "connection.backoff.ms": "10000"}
		go func() {
			<-time.After(15 * time.Second)
			assert.NoError(t, os.Mkdir(dir, 0o700))
		}()
		began := time.Now()
		instance, err := jdbc.Connector{}.Open(t.Context(), environment(), settings)
		require.NoError(t, err)
		assert.Equal(t, 20*time.Second, time.Since(began))
		require.NoError(t, instance.Close())

		settings["connection.url"] = "jdbc:sqlite:" + dir + "/none/x.db"
		_, err = jdbc.Connector{}.Open(t.Context(), environment(), settings)
		require.ErrorContains(t, err, "does not exist")
		assert.Equal(t, 40*time.Second, time.Since(began), "two pauses between three tries")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = jdbc.Connector{}.Open(ctx, environment(), settings)
		require.ErrorContains(t, err, "does not exist")
		assert.Equal(t, 40*time.Second, time.Since(began), "nobody waits for it any more")
	})
}

func TestSettingsThatCanNotBe(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{"dialect.name", "MySqlDatabaseDialect", "the embedded worker reads SQLite only"},
		{"db.timezone", "Mars/Olympus", "Invalid time zone identifier"},
		{"db.timezone", "", "Invalid time zone identifier"},
		{"timestamp.granularity", "hours", "Value must be one of"},
		{"quote.sql.identifiers", "never", "does not support this setting"},
	} {
		errs := config.Validate(jdbc.Connector{}.Definition(), "", map[string]string{"connection.url": "jdbc:sqlite:x", test.key: test.value}).Errors()
		require.Len(t, errs, 1, test.key)
		assert.Contains(t, errs[0], test.want)
	}
	assert.Empty(t, config.Validate(jdbc.Connector{}.Definition(), "", map[string]string{"connection.url": "jdbc:sqlite:x", "dialect.name": "SqliteDatabaseDialect"}).Errors())
}

// TestEveryKindOfColumn reads each declared type with the values that SQLite may
// hold in it.
func TestEveryKindOfColumn(t *testing.T) {
	for _, test := range []struct{ declared, value, want string }{
		{"INTEGER", "7", "7"}, {"INT", "-7", "-7"}, {"BIGINT", "9007199254740993", "9007199254740993"}, {"SMALLINT", "3", "3"}, {"TINYINT", "3", "3"},
		{"INT8", "3", "3"}, {"INT2", "3", "3"}, {"MEDIUMINT", "3", "3"}, {"UNSIGNED BIG INT", "3", "3"}, {"BOOLEAN", "1", "true"}, {"BOOLEAN", "0", "false"},
		{"REAL", "1.5", "1.5"}, {"DOUBLE", "1.5", "1.5"}, {"DOUBLE PRECISION", "1.5", "1.5"}, {"FLOAT", "1.5", "1.5"},
		{"TEXT", "'ü'", "ü"}, {"VARCHAR(20)", "'v'", "v"}, {"NCHAR(5)", "'n'", "n"}, {"CLOB", "'c'", "c"}, {"CHARACTER(20)", "'c'", "c"},
		{"BINARY", "x'0aff'", "Cv8="}, {"DATE", "1709251200000", "2024-03-01"}, {"TIMESTAMP", "1709294400250", "2024-03-01 12:00:00.25"},
		{"TEXT", "NULL", ""}, {"BIGINT", "NULL", ""}, {"TIMESTAMP", "NULL", ""},
	} {
		s := newSource(t, nil, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, c "+test.declared+")", "INSERT INTO t VALUES (1, "+test.value+")")
		require.NoError(t, s.start())
		got := strings.TrimSuffix(strings.TrimPrefix(s.poll()[0], "Struct{id=1"), "}")
		if test.want != "" {
			assert.True(t, strings.HasPrefix(got, ",c="+test.want), "%s of %s is %s", test.value, test.declared, got)
		} else {
			assert.Empty(t, got, "%s of %s", test.value, test.declared)
		}
	}
	for _, declared := range []string{"BLOB", "DECIMAL(10,2)", "NUMERIC"} {
		value := map[string]string{"BLOB": "x'00'"}[declared]
		if value == "" {
			value = "1.5"
		}
		s := newSource(t, nil, "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, c "+declared+")", "INSERT INTO t VALUES (1, "+value+")")
		require.NoError(t, s.start())
		_, err := s.task.Poll(t.Context())
		require.ErrorContains(t, err, "not implemented by SQLite JDBC driver", declared)
	}
}
