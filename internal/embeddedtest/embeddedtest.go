// Package embeddedtest gives tests the embedded Kafka broker and Schema Registry, within the
// process, empty at the start and ended with the test; kafkatest gives stand-ins that do
// less. Only tests import it.
package embeddedtest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/registry"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/topics"
	"github.com/orderflow/orderflow/schemas"
)

// Start runs the embedded broker, on a directory of its own, and the embedded
// registry. The config leads to both.
func Start(t testing.TB) kafka.Config {
	t.Helper()
	kafkaServer, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, kafkaServer.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, kafkaServer.Stop()) })
	schemaServer, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: []string{kafkaServer.Addr()}})
	require.NoError(t, err)
	require.NoError(t, schemaServer.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, schemaServer.Stop()) })
	return kafka.Config{Brokers: []string{kafkaServer.Addr()}, SchemaRegistry: "http://" + schemaServer.Addr()}
}

// ApplyTopics makes the project's topics and schemas, and returns a way to the latter.
func ApplyTopics(t testing.TB, cfg kafka.Config) *kafka.Registry {
	t.Helper()
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	definition, err := topics.Load(schemas.Files)
	require.NoError(t, err)
	_, err = topics.Apply(t.Context(), definition, topics.Cluster{Kafka: kadm.NewClient(client), Registry: reg.Client()})
	require.NoError(t, err)
	return reg
}

// CreateTopic makes a topic of four partitions, as a statement of the migrations would.
func CreateTopic(t testing.TB, cfg kafka.Config, topic string) {
	t.Helper()
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopic(t.Context(), 4, 1, nil, topic)
	require.NoError(t, err)
	require.NoError(t, created.Err)
}

// CreateSchema adds a schema to a subject.
func CreateSchema(t testing.TB, cfg kafka.Config, subject string, schema sr.Schema) {
	t.Helper()
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	_, err = reg.Client().CreateSchema(t.Context(), subject, schema)
	require.NoError(t, err)
}
