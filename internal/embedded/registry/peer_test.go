//go:build peers

package registry_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// pythonClients are Confluent's clients and the readers of Apache Avro.
var pythonClients = []string{
	"confluent-kafka[avro,json,protobuf,schemaregistry]==2.14.2", "grpcio-tools==1.85.1", "avro==1.12.2", "fastavro==1.13.1",
}

// Confluent's serializers, deserializers and client of the registry, through a
// broker.
func TestPeerPythonSerializers(t *testing.T) {
	python := peers.Python(t, pythonClients...)
	b := startBroker(t)
	r := startRegistry(t, b)
	runChecks(t, exec.CommandContext(t.Context(), python, "testdata/serializers.py", b.Addr(), "http://"+r.Addr(), t.TempDir()))
}

// The client of KafkaJS, with its three types of schemas.
func TestPeerKafkaJSClient(t *testing.T) {
	modules := peers.NodeModules(t, "@kafkajs/confluent-schema-registry@4.1.0")
	r := startRegistry(t, startBroker(t))
	script, err := filepath.Abs("testdata/kafkajs.js")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", script, "http://"+r.Addr())
	cmd.Dir = modules
	runChecks(t, cmd)
}

// runChecks runs a program whose lines begin with "ok" or with "WRONG".
func runChecks(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	checks := 0
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.HasPrefix(line, "WRONG"):
			t.Log(strings.TrimSpace(line))
		case strings.HasPrefix(line, "ok "):
			checks++
		}
	}
	require.NoError(t, err, "%s", out)
	require.NotZero(t, checks)
	t.Logf("%d checks", checks)
}
