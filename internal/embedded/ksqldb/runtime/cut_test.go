package runtime

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kafka takes outputs, but the connection ends before it answers, for ever.
func TestAStopDoesNotWaitForABrokerThatDoesNotAnswer(t *testing.T) {
	for _, mode := range []OutputMode{Sequence, Transaction} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t)
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in", "in2", "out"))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			w.brokers = cluster.ListenAddrs()
			w.client, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...))
			require.NoError(t, err)
			t.Cleanup(w.client.Close)
			q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
			rt, stop := w.openRuntime(t.TempDir())
			if mode == Transaction {
				rt, stop = w.openTransactional(t.TempDir())
			}
			require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
			cut := make(chan struct{}, 1000)
			cluster.ControlKey(0, func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				for _, topic := range req.(*kmsg.ProduceRequest).Topics {
					if topic.Topic == "in" || topic.TopicID == cluster.TopicInfo("in").TopicID {
						return nil, nil, false
					}
				}
				cut <- struct{}{}
				return nil, errors.New("cut"), true
			})
			w.produce("in", "a")
			<-cut
			stopped := make(chan struct{})
			go func() {
				stop()
				close(stopped)
			}()
			select {
			case <-stopped:
			case <-time.After(4 * stopTimeout):
				t.Error("it still waits")
			}
		})
	}
}
