package bench_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/bench"
	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
)

// target is an embedded Kafka and ksqlDB.
func target(t *testing.T) *bench.Target {
	t.Helper()
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, b.Stop()) })
	s, err := server.New(server.Config{Listen: "127.0.0.1:0", Config: engine.Config{Brokers: []string{b.Addr()}, DataDir: t.TempDir()}})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, s.Stop()) })
	client, err := ksql.New(ksql.Config{URL: "http://" + s.Addr()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &bench.Target{KsqlDB: client, Kafka: kafka.Config{Brokers: []string{b.Addr()}}}
}

// nothingLeft says that a measurement has cleaned up.
func nothingLeft(t *testing.T, target *bench.Target) {
	t.Helper()
	streams, err := target.KsqlDB.ListStreams(t.Context())
	require.NoError(t, err)
	for _, s := range streams {
		assert.NotContains(t, s.Name, "BENCH")
	}
	tables, err := target.KsqlDB.ListTables(t.Context())
	require.NoError(t, err)
	assert.Empty(t, tables)
	client, err := kgo.NewClient(kgo.SeedBrokers(target.Kafka.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	require.NoError(t, err)
	assert.False(t, topics.Has("bench_events"))
}

func TestMeasurementsOfARunningSystem(t *testing.T) {
	target := target(t)
	measured := map[int]int{}
	require.NoError(t, target.Pull(t.Context(), bench.PullConfig{
		Keys: 50, Connections: []int{1, 4}, Duration: 50 * time.Millisecond,
		Report: func(connections int, l bench.Latencies) { measured[connections] = len(l.Took) },
	}))
	assert.Positive(t, measured[1])
	assert.Positive(t, measured[4])
	nothingLeft(t, target)

	rows, err := target.Push(t.Context(), bench.PushConfig{Rows: 20})
	require.NoError(t, err)
	assert.Len(t, rows.Took, 20)
	assert.LessOrEqual(t, rows.Percentile(0.5), rows.Percentile(0.99))
	nothingLeft(t, target)

	asked := 0
	queries, err := target.StartQueries(t.Context(), bench.QueriesConfig{Queries: 3, Memory: func(context.Context) (int64, error) {
		asked++
		return int64(asked) * 3000, nil
	}})
	require.NoError(t, err)
	assert.Len(t, queries.Started.Took, 3)
	assert.Equal(t, int64(1000), queries.BytesEach)
	nothingLeft(t, target)
}

// A server that answers with something else is not measured as if it had answered.
func TestAWrongAnswerIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := ksql.New(ksql.Config{URL: "https://" + listener.Addr().String()})
	require.NoError(t, err)
	defer client.Close()
	err = (&bench.Target{KsqlDB: client}).Pull(t.Context(), bench.PullConfig{})
	require.ErrorContains(t, err, "has to begin with http://")
}
