package runtime

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

// Kafka clients gather records up to a size that is their own, not the topic's.
func TestManySmallOutputsFitATopicForSmallBatches(t *testing.T) {
	w := newWorld(t)
	w.brokers = embeddedtest.Start(t).Brokers
	var err error
	w.client, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...))
	require.NoError(t, err)
	defer w.client.Close()
	_, err = kadm.NewClient(w.client).CreateTopic(t.Context(), 4, 1, nil, "in")
	require.NoError(t, err)
	v := "100000"
	_, err = kadm.NewClient(w.client).CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &v}, "small")
	require.NoError(t, err)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='small') AS SELECT id, v FROM s;")
	for range 300 {
		w.client.Produce(t.Context(), &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte(`{"V":"` + strings.Repeat("x", 1000) + `"}`)}, nil)
	}
	require.NoError(t, w.client.Flush(t.Context()))
	rt, _ := w.openRuntime(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	w.eventually("all is written", func() bool { return w.written("small") == 300 })
}
