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
