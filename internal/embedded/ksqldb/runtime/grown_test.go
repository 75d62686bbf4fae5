package runtime

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

// The client that writes knows a topic's partitions from before.
func TestOutputsGoToPartitionsThatATopicGot(t *testing.T) {
	w := newWorld(t)
	w.brokers = embeddedtest.Start(t).Brokers
	var err error
	w.client, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...))
	require.NoError(t, err)
	defer w.client.Close()
	admin := kadm.NewClient(w.client)
	_, err = admin.CreateTopics(t.Context(), 1, 1, nil, "in", "out")
	require.NoError(t, err)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	rt, _ := w.openRuntime(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	produce := func(n int) {
		require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Key: []byte(strconv.Itoa(n)), Value: []byte(`{"V":"v"}`)}).FirstErr())
	}
	produce(0)
	require.Eventually(t, func() bool { return w.written("out") == 1 }, 10*time.Second, 10*time.Millisecond)
	_, err = admin.UpdatePartitions(t.Context(), 8, "out")
	require.NoError(t, err)
	time.Sleep(time.Second) // the query begins anew
	for n := range 20 {
		produce(n)
	}
	require.Eventually(t, func() bool { return w.written("out") == 21 }, 15*time.Second, 10*time.Millisecond)
}
