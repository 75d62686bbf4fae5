//go:build peers

package connect_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// secretSteps name values in every place that a connector's settings have.
var secretSteps = []restStep{
	post("/connectors", `{"name":"env","config":{"connector.class":"FileStreamSource","file":"${env:PEER_IN}","topic":"${file:DIR/secrets.properties:topic}","value.converter":"org.apache.kafka.connect.storage.StringConverter"}}`),
	get("/connectors/env").after("env RUNNING"), get("/connectors/env/config"), get("/connectors/env/tasks"), get("/connectors/env/tasks-config"), get("/connectors?expand=info&expand=status"),
	get("/connectors/env/topics"), remove("/connectors/env"),
	post("/connectors", `{"name":"dir","config":{"connector.class":"FileStreamSink","file":"DIR/${directory:DIR/folder:name}","topics":"t","value.converter":"org.apache.kafka.connect.storage.StringConverter","unused":"${env:PEER_SECRET}"}}`),
	get("/connectors/dir/config").after("dir RUNNING"), get("/connectors/dir/tasks"), patch("/connectors/dir/config", `{"unused":"${file:DIR/secrets.properties:password}"}`), get("/connectors/dir/config").after("dir RUNNING"), remove("/connectors/dir"),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${env:PEER_SECRET}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${env:PEER_MISSING}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${other:PEER_MISSING}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${file:DIR/secrets.properties:missing}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${file:DIR/no.properties:a}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${directory:DIR/folder:missing}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${directory:DIR/nowhere:name}"}}`),
	post("/connectors", `{"name":"x","config":{"connector.class":"FileStreamSource","file":"DIR/f","topic":"t","tasks.max":"${env:path:PEER_SECRET}"}}`),
	validate("FileStreamSource", `{"connector.class":"FileStreamSource","name":"x","file":"${env:PEER_IN}","topic":"t"}`, "*"),
	post("/connectors", `{"name":"fails","config":{"connector.class":"FileStreamSink","file":"DIR/${env:PEER_SECRET}/x","topics":"t","value.converter":"org.apache.kafka.connect.storage.StringConverter"}}`),
	get("/connectors/fails/status").after("fails FAILED"), remove("/connectors/fails"),
}

// echoing are the requests that the real worker answers with a secret.
var echoing = map[string]string{
	`tasks.max":"${env:PEER_SECRET}`:       "the value that is no number is told",
	`"file":"${env:PEER_IN}","topic":"t"}`: "validation shows what stands for the name",
	`/connectors/fails/status`:             "the trace tells the path",
}

const peerSecret = "s3cret-value"

// TestPeerConnectSecrets names values by Kafka's config providers on both sides.
// Where the real worker shows one, ours shows its name.
func TestPeerConnectSecrets(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	environment := func(dir string) map[string]string {
		return map[string]string{"PEER_IN": filepath.Join(dir, "in.txt"), "PEER_SECRET": peerSecret}
	}
	for _, dir := range dirs {
		require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
		for name, text := range map[string]string{"in.txt": "one\n", "secrets.properties": "# kept\ntopic = t\npassword: p\\u0061ss\\\n  word\n", "folder/name": "out.txt"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
	}
	var env []string
	for name, value := range environment(dirs[0]) {
		env = append(env, name+"="+value)
	}
	brokers := startBroker(t)
	const providers = "org.apache.kafka.common.config.provider."
	worker := peers.StartConnect(t, peers.ConnectConfig{Brokers: brokers, Env: env, Settings: map[string]string{
		"config.providers": "env,file,directory", "config.providers.env.class": providers + "EnvVarConfigProvider",
		"config.providers.file.class": providers + "FileConfigProvider", "config.providers.directory.class": providers + "DirectoryConfigProvider",
	}})
	ours := startEmbedded(t, func(name string) (string, bool) { value, ok := environment(dirs[1])[name]; return value, ok })
	sides := []restSide{{peerSide{t, worker.URL, brokers}, dirs[0]}, {ours, dirs[1]}}
	for _, side := range sides {
		side.createTopic("t")
	}
	alike, hidden := 0, 0
	for i, step := range secretSteps {
		real, ours := sides[0].send(step), sides[1].send(step)
		assert.NotContains(t, ours, peerSecret, "%d: %s", i, step.path)
		why := ""
		for part, reason := range echoing {
			if strings.Contains(step.body, part) || step.path == part {
				why = reason
			}
		}
		switch {
		case why != "" && real != ours:
			hidden++
		case real == ours:
			alike++
		default:
			real, ours = differing(real, ours)
			t.Errorf("%d: %s %s %s\nreal: %s\nours: %s", i, step.method, step.path, step.body, real, ours)
		}
	}
	res := sides[1].request(http.MethodGet, "/connectors", nil)
	assert.Equal(t, "[]", strings.TrimSpace(string(res.body)))
	t.Logf("connect: %d of %d requests with secrets alike, %d hide what the real worker shows", alike, len(secretSteps), hidden)
}
