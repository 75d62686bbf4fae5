//go:build peers

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/peers"
)

// connectorFolder is a folder of connector files.
type connectorFolder struct {
	t   *testing.T
	dir string
}

// put writes a connector's file; settings come in pairs.
func (f connectorFolder) put(name string, settings ...string) {
	f.t.Helper()
	config := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		config[settings[i]] = settings[i+1]
	}
	raw, err := json.Marshal(map[string]any{"name": name, "config": config})
	require.NoError(f.t, err)
	require.NoError(f.t, os.WriteFile(filepath.Join(f.dir, name+".json"), raw, 0o600))
}

func (f connectorFolder) remove(name string) {
	f.t.Helper()
	require.NoError(f.t, os.Remove(filepath.Join(f.dir, name+".json")))
}

// TestPeerConnectorsCommands brings the connectors of a real Kafka Connect to what
// files say.
func TestPeerConnectorsCommands(t *testing.T) {
	brokers := peers.StartKafka(t).Addr
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers})
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, "lines")
	require.NoError(t, err)
	dir := t.TempDir()
	files := connectorFolder{t, t.TempDir()}
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	require.NoError(t, os.WriteFile(in, []byte("one\n"), 0o600))
	variables := map[string]string{"ORDERFLOW_CONNECT": worker.URL, "LINES": in, "SECRET": "s3cret-value"}
	type answer struct {
		Plan    []connectors.Item
		Status  []connectors.Status
		Deleted []string
	}
	var printed string
	asJSON := func(args ...string) (a answer) {
		t.Helper()
		code, stdout, stderr := runConnectors(t, variables, append(args, "--output", "json")...)
		require.Zero(t, code, "%s%s", stdout, stderr)
		require.NoError(t, json.Unmarshal([]byte(stdout), &a), stdout)
		printed += stdout + stderr
		return a
	}
	fails := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := runConnectors(t, variables, args...)
		require.NotZero(t, code, stdout)
		printed += stdout + stderr
		return stderr
	}
	plan := func() []connectors.Item { return asJSON("plan", "--dir", files.dir).Plan }
	apply := []string{"apply", "--dir", files.dir, "--templates=false"}
	wholeFile := func(path, want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			raw, err := os.ReadFile(path)
			return err == nil && string(raw) == want
		}, 30*time.Second, 20*time.Millisecond, "%s has not %q", path, want)
	}

	const stringConverter = "org.apache.kafka.connect.storage.StringConverter"
	source := []string{"connector.class", "FileStreamSource", "topic", "lines", "file", "${env:LINES}", "value.converter", stringConverter, "value.converter.password", "${env:SECRET}"}
	sink := []string{"connector.class", "FileStreamSink", "topics", "lines", "file", out, "value.converter", stringConverter}
	files.put("lines", source...)
	files.put("copy", sink...)

	assert.Equal(t, []connectors.Item{{Name: "copy", Action: connectors.Create}, {Name: "lines", Action: connectors.Create}}, plan())
	assert.Empty(t, asJSON("status").Status, "a plan makes nothing")
	applied := asJSON(apply...)
	require.Len(t, applied.Status, 2)
	for _, s := range applied.Status {
		assert.True(t, s.Running(), "%+v", s)
	}
	wholeFile(out, "one\n")

	t.Run("a second time changes nothing", func(t *testing.T) {
		for _, item := range append(plan(), asJSON(apply...).Plan...) {
			assert.Equal(t, connectors.Keep, item.Action, item.Name)
		}
		code, stdout, _ := runConnectors(t, variables, "status")
		assert.Zero(t, code)
		assert.Regexp(t, `copy +sink +RUNNING`, stdout)
		assert.Regexp(t, `lines +source +RUNNING`, stdout)
	})
	t.Run("a changed file changes its connector", func(t *testing.T) {
		second := filepath.Join(dir, "second.txt")
		files.put("copy", append(sink, "file", second)...)
		variables["SECRET"] = "an0ther-value"
		items := plan()
		assert.Equal(t, []string{`file: "` + out + `" → "` + second + `"`}, items[0].Changes)
		assert.Equal(t, []string{"value.converter.password: (hidden) → (hidden)"}, items[1].Changes)
		asJSON(apply...)
		appendTo(t, in, "two\n")
		wholeFile(second, "two\n")
	})
	t.Run("what is wrong is told before anything is changed", func(t *testing.T) {
		files.put("wrong", "connector.class", "FileStreamSource", "tasks.max", "none")
		files.put("lines", append(source, "batch.size", "7")...)
		said := fails(apply...)
		assert.Contains(t, said, "wrong.json: tasks.max: Invalid value none for configuration tasks.max: Not a number of type INT")
		assert.Contains(t, said, `wrong.json: topic: Missing required configuration "topic" which has no default value.`)
		assert.Contains(t, said, "nothing was changed")
		files.put("wrong", "connector.class", "NoSuchClass")
		assert.Contains(t, fails(apply...), "wrong.json")
		files.remove("wrong")
		assert.Equal(t, []string{`batch.size: (none) → "7"`}, plan()[1].Changes)
		asJSON(apply...)
	})
	t.Run("one that fails is told with its trace", func(t *testing.T) {
		missing := filepath.Join(dir, "no such folder", "out.txt")
		files.put("broken", append(sink, "file", missing)...)
		said := fails(apply...)
		assert.Contains(t, said, "the connector broken failed")
		assert.Contains(t, said, "Couldn't find or create file '"+missing+"'")
		assert.Contains(t, fails("status", "broken", "lines"), "not running: broken")
		require.NoError(t, os.Mkdir(filepath.Dir(missing), 0o700))
		for _, s := range asJSON(apply...).Status {
			assert.True(t, s.Running(), "applying again starts what failed: %+v", s)
		}
		wholeFile(missing, "one\ntwo\n")
	})
	t.Run("what no file describes goes with prune", func(t *testing.T) {
		files.remove("broken")
		items := plan()
		assert.Equal(t, connectors.Item{Name: "broken", Action: connectors.Extra}, items[2])
		asJSON(apply...)
		assert.Len(t, asJSON("status").Status, 3)
		asJSON(append(apply, "--prune")...)
		assert.Len(t, asJSON("status").Status, 2)
	})
	t.Run("only an Elasticsearch sink has an index", func(t *testing.T) {
		assert.Contains(t, fails("rebuild-index", "lines"), "only the indexes of an io.confluent.connect.elasticsearch.ElasticsearchSinkConnector")
	})
	t.Run("deleted ones are gone", func(t *testing.T) {
		assert.Equal(t, []string{"lines", "copy"}, asJSON("delete", "lines", "copy").Deleted)
		assert.Empty(t, asJSON("status").Status)
		assert.Equal(t, []string{"lines"}, asJSON("delete", "lines").Deleted, "what is gone is no error")
	})
	assert.NotContains(t, printed, "s3cret-value")
	assert.NotContains(t, printed, "an0ther-value")
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
