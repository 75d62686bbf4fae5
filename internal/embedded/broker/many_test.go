package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestManyTopicsStart(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 200 topics")
	}
	dir := t.TempDir()
	c := startChild(t, dir)
	cl := client(t, c.addr)
	for i := range 200 {
		topic := fmt.Sprint("topic", i)
		createTopic(t, cl, topic, 4, nil)
		for p := range int32(4) {
			cl.Produce(t.Context(), &kgo.Record{Topic: topic, Key: fmt.Append(nil, p), Value: []byte("v")}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	require.NoError(t, cl.Flush(t.Context()))
	for _, how := range []string{"kill -9", "a clean stop"} {
		if how == "kill -9" {
			c.kill(t)
		} else {
			require.NoError(t, c.stop())
		}
		began := time.Now()
		c = startChild(t, dir)
		t.Logf("200 topics, start after %s: %s; memory %s", how, time.Since(began).Round(time.Millisecond), residentMemory(t, c))
		topics, err := kadm.NewClient(client(t, c.addr)).ListTopics(t.Context())
		require.NoError(t, err)
		require.Len(t, topics, 200)
	}
}
