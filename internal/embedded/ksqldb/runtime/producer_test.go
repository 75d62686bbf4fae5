package runtime

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embeddedtest"
)

// onBroker is a world over the embedded broker, which numbers of producers matter to.
func onBroker(t *testing.T) (*world, *kadm.Client) {
	t.Helper()
	w := newWorld(t)
	w.brokers = embeddedtest.Start(t).Brokers
	var err error
	w.client, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...))
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	return w, kadm.NewClient(w.client)
}

// A client that forgets a topic numbers its batches anew, which a broker takes for
// those that it has: what it acknowledges then is nowhere.
func TestOutputsAreWrittenAfterWhatIsKnownOfATopicWasDropped(t *testing.T) {
	for name, drop := range map[string]func(*Runtime, *kadm.Client){
		"another limit": func(rt *Runtime, admin *kadm.Client) {
			_, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr("200000")}}, "out")
			require.NoError(t, err)
			rt.learnLimits(t.Context(), []string{"out"})
		},
		"forgotten": func(rt *Runtime, _ *kadm.Client) { rt.Forget("out") },
	} {
		t.Run(name, func(t *testing.T) {
			w, admin := onBroker(t)
			_, err := admin.CreateTopics(t.Context(), 1, 1, nil, "in", "out")
			require.NoError(t, err)
			q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
			rt, _ := w.openRuntime(t.TempDir())
			require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
			for i := range 6 {
				if i == 3 {
					drop(rt, admin)
				}
				require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Key: []byte("k"), Value: []byte(`{"V":"` + strconv.Itoa(i) + `"}`)}).FirstErr())
				require.Eventually(t, func() bool { return w.written("out") == int64(i+1) }, 10*time.Second, 10*time.Millisecond, "output %d", i)
			}
		})
	}
}

// The client that writes knows a topic's partitions from before.
func TestOutputsGoToPartitionsThatATopicGot(t *testing.T) {
	w, admin := onBroker(t)
	_, err := admin.CreateTopics(t.Context(), 1, 1, nil, "in", "out")
	require.NoError(t, err)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	rt, _ := w.openRuntime(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	produced := int64(0)
	produce := func() {
		require.NoError(t, w.client.ProduceSync(t.Context(), &kgo.Record{Topic: "in", Key: []byte(strconv.FormatInt(produced, 10)), Value: []byte(`{"V":"v"}`)}).FirstErr())
		produced++
	}
	produce()
	w.eventually("the first one is written", func() bool { return w.written("out") == produced })
	_, err = admin.UpdatePartitions(t.Context(), 8, "out")
	require.NoError(t, err)
	w.eventually("a new partition has records", func() bool {
		produce()
		written := w.written("out")
		ends, err := admin.ListEndOffsets(t.Context(), "out")
		require.NoError(t, err)
		first, _ := ends.Lookup("out", 0)
		return written > first.Offset
	})
	w.eventually("all are written", func() bool { return w.written("out") == produced })
}

// Kafka clients gather records up to a size that is their own, not the topic's.
func TestManySmallOutputsFitATopicForSmallBatches(t *testing.T) {
	w, admin := onBroker(t)
	_, err := admin.CreateTopic(t.Context(), 4, 1, nil, "in")
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": kadm.StringPtr("100000")}, "small")
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
