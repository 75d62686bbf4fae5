//go:build peers

package registry_test

import (
	"os/exec"
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
	out, err := exec.CommandContext(t.Context(), python, "testdata/serializers.py", b.Addr(), "http://"+r.Addr(), t.TempDir()).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "WRONG") {
			t.Log(strings.TrimSpace(line))
		}
	}
	require.NoError(t, err, "%s", out)
	t.Logf("%d checks", strings.Count(string(out), "\nok "))
}
