//go:build peers

package peers_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/peers"
)

func TestPeerRegistriesAreReached(t *testing.T) {
	jars := peers.Jars(t, "org.apache.kafka:kafka-clients:3.9.1")
	found, err := filepath.Glob(filepath.Join(jars, "kafka-clients-*.jar"))
	require.NoError(t, err)
	require.Len(t, found, 1)

	out, err := exec.Command(peers.Python(t, "kafka-python==2.0.2"), "-c", "import kafka; print(kafka.__version__)").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "2.0.2\n", string(out))

	require.DirExists(t, filepath.Join(peers.NodeModules(t, "is-number@7.0.0"), "node_modules", "is-number"))
}

func TestPeerKafkaStartsAgainWithItsData(t *testing.T) {
	kafka := peers.StartKafka(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr))
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopics(t.Context(), 2, 1, nil, "kept")
	require.NoError(t, err)
	kafka.Stop()
	kafka.Start()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	require.NoError(t, err)
	require.True(t, topics.Has("kept"))
}
