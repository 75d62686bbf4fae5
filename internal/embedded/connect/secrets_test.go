package connect_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect"
)

// everything gives all records of the worker's topics as one text.
func (s *stack) everything() string {
	var all string
	for _, topic := range []string{connect.ConfigsTopic, connect.StatusTopic} {
		for _, r := range s.records(topic, 0, int(s.end(topic))) {
			all += string(r.Key) + string(r.Value) + "\n"
		}
	}
	return all
}

func TestSettingsNameSecretsThatAreNeverShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		secretsFile := filepath.Join(s.dir, "secret.properties")
		require.NoError(t, os.WriteFile(secretsFile, []byte("# a comment\nother=1\nthe\\ url : "+s.jdbcURL("t.db")+"\nlong = a\\\n   b\n"), 0o600))
		t.Setenv("ORDERFLOW_TEST_PREFIX", "quite-hidden-")
		config := tableConfig(s)
		config["connection.url"] = "${file:" + secretsFile + ":the url}"
		config["topic.prefix"] = "${env:ORDERFLOW_TEST_PREFIX}"
		config["poll.interval.ms"] = "10"
		s.create("c", config)
		s.waitRunning("c")
		assert.Len(t, s.records("quite-hidden-t", 0, 1), 1)

		for _, path := range []string{"/connectors/c", "/connectors/c/config", "/connectors/c/tasks", "/connectors/c/tasks-config", "/connectors/c/status", "/connectors?expand=info"} {
			body := string(s.request(http.MethodGet, path, nil).body)
			assert.NotContains(t, body, "quite-hidden", path)
			assert.NotContains(t, body, "jdbc:sqlite", path)
		}
		assert.Contains(t, string(s.request(http.MethodGet, "/connectors/c/tasks", nil).body), "${env:ORDERFLOW_TEST_PREFIX}")
		stored := s.everything()
		assert.NotContains(t, stored, "jdbc:sqlite")
		assert.Contains(t, stored, `"topic.prefix":"${env:ORDERFLOW_TEST_PREFIX}"`)

		// A restart finds the values again.
		s.restart()
		s.exec(s.database("t.db"), "INSERT INTO t VALUES (8, 'x')")
		assert.Len(t, s.records("quite-hidden-t", 1, 1), 1)
	})
}

func TestErrorsShowTheNamesOfSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		t.Setenv("ORDERFLOW_TEST_MODE", "not-a-number")
		config := tableConfig(s)
		config["batch.max.rows"], config["db.timezone"] = "${env:ORDERFLOW_TEST_MODE}", "${env:ORDERFLOW_TEST_NONE}"
		config["connection.password"] = "pa55"
		res := s.request(http.MethodPut, "/connector-plugins/JdbcSourceConnector/config/validate", config)
		require.Equal(t, http.StatusOK, res.status, "%s", res.body)
		assert.NotContains(t, string(res.body), "not-a-number")
		assert.NotContains(t, string(res.body), "pa55")
		assert.Contains(t, string(res.body), "Invalid value ${env:ORDERFLOW_TEST_MODE} for configuration batch.max.rows")
		assert.Contains(t, string(res.body), "${env:ORDERFLOW_TEST_NONE}", "what is not set stays")

		config["batch.max.rows"] = "9"
		config["connection.url"] = "${file:" + filepath.Join(s.dir, "none") + ":key}"
		res = s.request(http.MethodPost, "/connectors", map[string]any{"name": "c", "config": config})
		assert.Equal(t, http.StatusInternalServerError, res.status)
		assert.Contains(t, string(res.body), "Could not read properties from file "+filepath.Join(s.dir, "none"))
	})
}

func TestTracesShowTheNamesOfSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		t.Setenv("ORDERFLOW_TEST_COLUMN", "secret_column")
		config := tableConfig(s)
		config["incrementing.column.name"] = "${env:ORDERFLOW_TEST_COLUMN}"
		s.create("c", config)
		trace := s.waitFailed("c").Tasks[0].Trace
		assert.NotContains(t, trace, "secret_column")
		assert.Contains(t, trace, "Incrementing column: ${env:ORDERFLOW_TEST_COLUMN} does not exist")
	})
}

func TestRecordsThatFailGoToTheDeadLetterTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		es := newFakeElasticsearch(s)
		s.createTopic("letters-in")
		s.create("sink", map[string]string{
			"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "connection.url": es.URL, "topics": "letters-in",
			"key.ignore": "false", "schema.ignore": "true", "key.converter": "org.apache.kafka.connect.storage.StringConverter",
			"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
			"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "letters-dead",
			"errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true",
		})
		s.waitRunning("sink")
		long := time.Now().Add(-48 * time.Hour)
		for _, value := range []string{`{"a":1}`, `{"a":`, `{"a":2}`} {
			require.NoError(t, s.client.ProduceSync(context.Background(), &kgo.Record{
				Topic: "letters-in", Key: []byte("k" + value), Value: []byte(value), Timestamp: long,
				Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("t-1")}},
			}).FirstErr())
		}
		letter := s.records("letters-dead", 0, 1)[0]
		assert.Equal(t, `k{"a":`, string(letter.Key))
		assert.Equal(t, `{"a":`, string(letter.Value))
		assert.True(t, long.Equal(letter.Timestamp), "a letter keeps its record's time: %s", letter.Timestamp)
		const prefix = "__connect.errors."
		want := [][2]string{
			{"trace", "t-1"}, {prefix + "topic", "letters-in"}, {prefix + "partition", "0"}, {prefix + "offset", "1"},
			{prefix + "connector.name", "sink"}, {prefix + "task.id", "0"}, {prefix + "stage", "VALUE_CONVERTER"},
			{prefix + "class.name", "org.apache.kafka.connect.json.JsonConverter"},
			{prefix + "exception.class.name", "org.apache.kafka.connect.errors.DataException"},
			{prefix + "exception.message", "Converting byte[] to Kafka Connect data failed due to serialization error: "},
		}
		require.Len(t, letter.Headers, len(want)+1)
		for i, h := range letter.Headers[:len(want)] {
			assert.Equal(t, want[i], [2]string{h.Key, string(h.Value)})
		}
		last := letter.Headers[len(want)]
		assert.Equal(t, prefix+"exception.stacktrace", last.Key)
		assert.True(t, strings.HasPrefix(string(last.Value), "org.apache.kafka.connect.errors.DataException: Converting byte[]"), "%s", last.Value)
		s.waitFor("the records after it are written", func() bool { return len(actions(es.bulkText())) == 2 })
	})
}

func TestConnectorsReadOnlyWhatTheyMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		t.Setenv("ORDERFLOW_TOKEN", "secret-token")
		outside := filepath.Join(t.TempDir(), "outside.properties")
		require.NoError(t, os.WriteFile(outside, []byte("key=secret-token\n"), 0o600))
		link := filepath.Join(s.dir, "link.properties")
		require.NoError(t, os.Symlink(outside, link))
		config := tableConfig(s)
		for value, want := range map[string]string{
			"${env:ORDERFLOW_TOKEN}":                          "Connectors may not read the environment variable ORDERFLOW_TOKEN",
			"${env:XORDERFLOW_TEST_A}":                        "Connectors may not read the environment variable XORDERFLOW_TEST_A",
			"${file:" + outside + ":key}":                     "Connectors may not read the file " + outside,
			"${file:" + link + ":key}":                        "Connectors may not read the file " + link,
			"${file:" + s.dir + "/../outside.properties:key}": "Connectors may not read the file",
			"${file:" + s.dir + "-2/x.properties:key}":        "Connectors may not read the file",
			"${file:relative.properties:key}":                 "Connectors may not read the file relative.properties",
		} {
			config["topic.prefix"] = value
			for _, res := range []response{
				s.request(http.MethodPost, "/connectors", map[string]any{"name": "c", "config": config}),
				s.request(http.MethodPut, "/connector-plugins/JdbcSourceConnector/config/validate", config),
			} {
				assert.Equal(t, http.StatusInternalServerError, res.status, value)
				assert.Contains(t, string(res.body), want)
				assert.NotContains(t, string(res.body), "secret-token")
			}
		}
	})
}

func TestWhatConnectorsMayReadIsChecked(t *testing.T) {
	base := connect.Config{Brokers: []string{"127.0.0.1:1"}}
	for want, change := range map[string]func(*connect.Config){
		"environment variables that connectors may read": func(c *connect.Config) { c.EnvAllowlist = "(" },
		"is not absolute":           func(c *connect.Config) { c.AllowedPaths = []string{"secrets"} },
		"no such file or directory": func(c *connect.Config) { c.AllowedPaths = []string{"/no/such/folder"} },
	} {
		config := base
		change(&config)
		_, err := connect.New(config)
		require.ErrorContains(t, err, want)
	}
	allowed := regexp.MustCompile("^(?:" + connect.DefaultEnvAllowlist + ")$")
	for _, file := range []string{"customers.json", "orders.v1.json"} {
		raw, err := os.ReadFile("../../../connectors/" + file)
		require.NoError(t, err)
		names := regexp.MustCompile(`\$\{env:([^}]+)\}`).FindAllStringSubmatch(string(raw), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			assert.True(t, allowed.MatchString(name[1]), "%s of %s", name[1], file)
		}
	}
	for _, name := range []string{"ORDERFLOW_CONNECT_PASSWORD", "ORDERFLOW_KSQLDB_PASSWORD", "PATH", "AWS_SECRET_ACCESS_KEY"} {
		assert.False(t, allowed.MatchString(name), name)
	}
}

func TestFileConnectorsUseOnlyWhatTheyMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		outside := t.TempDir()
		require.NoError(t, os.Symlink(outside, filepath.Join(s.dir, "link")))
		for _, path := range []string{filepath.Join(outside, "x"), filepath.Join(s.dir, "link", "x"), s.dir + "/../x", "x"} {
			for _, config := range []map[string]string{
				{"connector.class": "FileStreamSource", "file": path, "topic": "lines"},
				{"connector.class": "FileStreamSink", "file": path, "topics": "lines"},
			} {
				res := s.request(http.MethodPost, "/connectors", map[string]any{"name": "c", "config": config})
				assert.Equal(t, http.StatusBadRequest, res.status, path)
				assert.Contains(t, string(res.body), "Connectors may not use the file "+path)
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, "in"), []byte("a\nb\n"), 0o600))
		text := "org.apache.kafka.connect.storage.StringConverter"
		s.create("source", map[string]string{"connector.class": "FileStreamSource", "file": filepath.Join(s.dir, "in"), "topic": "lines", "value.converter": text})
		s.waitRunning("source")
		s.create("sink", map[string]string{"connector.class": "FileStreamSink", "file": filepath.Join(s.dir, "out"), "topics": "lines", "value.converter": text})
		s.waitFor("the lines", func() bool {
			raw, err := os.ReadFile(filepath.Join(s.dir, "out"))
			return err == nil && string(raw) == "a\nb\n"
		})
	})
}
