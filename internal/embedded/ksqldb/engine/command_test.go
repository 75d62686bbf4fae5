package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newBroker(t *testing.T) (*kgo.Client, Config) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client, Config{Brokers: cluster.ListenAddrs(), ServiceID: "test_", DataDir: t.TempDir()}
}

func TestCommandsAreReadBackInOrder(t *testing.T) {
	client, cfg := newBroker(t)
	l, err := openCommandLog(t.Context(), cfg, client, kadm.NewClient(client))
	require.NoError(t, err)
	written := command{
		Statement: "CREATE STREAM S …", Properties: map[string]string{"auto.offset.reset": "earliest"},
		Facts: &facts{Topics: map[string]*topicFacts{"t": {Partitions: 4, Replicas: 1, RetentionMS: -1}, "none": nil}, Schemas: map[string]int{"t-value": 7}},
	}
	for want := range int64(3) {
		assert.Equal(t, want, l.nextSequence())
		sequence, err := l.append(t.Context(), "stream/`S`/create", written)
		require.NoError(t, err)
		assert.Equal(t, want, sequence)
	}
	assert.True(t, l.wait(t.Context(), 2, 0))
	assert.False(t, l.wait(t.Context(), 3, 0))

	again, err := openCommandLog(t.Context(), cfg, client, kadm.NewClient(client))
	require.NoError(t, err)
	require.Len(t, again.past, 3)
	written.Version, written.offset, written.id = commandVersion, 2, "stream/`S`/create"
	assert.Equal(t, written, again.past[2])
	assert.Equal(t, int64(3), again.nextSequence())
}

func TestCommandsOfAnotherVersionAreRefused(t *testing.T) {
	client, cfg := newBroker(t)
	_, err := openCommandLog(t.Context(), cfg, client, kadm.NewClient(client))
	require.NoError(t, err)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: commandTopic(cfg.ServiceID), Value: []byte(`{"version":9}`)}).FirstErr())
	_, err = Open(context.Background(), cfg)
	require.ErrorContains(t, err, "version 9 is not one that this program knows")
}
