package server_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkOrderToDecision measures from an order's record, whose inventory check
// comes right behind it, to the record with its final state, one order at a time.
func BenchmarkOrderToDecision(b *testing.B) {
	s := newStack(b)
	s.applyTopics()
	s.migrate()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.ConsumeTopics("orders.v1"), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(b, err)
	defer consumer.Close()
	decided := func(id string) {
		for {
			for _, rec := range consumer.PollFetches(s.ctx).Records() {
				var o order
				require.NoError(b, s.avro.Decode(s.ctx, rec.Value, &o))
				if o.ID == id && o.State != "CREATED" {
					return
				}
			}
			require.NoError(b, s.ctx.Err())
		}
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("order-%d", i)
		began := time.Now()
		s.order(id, int64(i), 1, 1)
		s.check(id, "INVENTORY_CHECK", "PASS")
		decided(id)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkRestart measures how long a server takes to start with the project's
// queries.
func BenchmarkRestart(b *testing.B) {
	s := newStack(b)
	s.applyTopics()
	s.migrate()
	for b.Loop() {
		b.StopTimer()
		require.NoError(b, s.server.Stop())
		b.StartTimer()
		s.start()
	}
}
