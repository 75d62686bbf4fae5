package broker_test

import (
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/broker"
)

// BenchmarkSmallRequests has eight clients produce single records and wait for
// each, while one reads them, as the services of an order flow do.
func BenchmarkSmallRequests(b *testing.B) {
	brk, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	require.NoError(b, brk.Start(b.Context()))
	defer func() { require.NoError(b, brk.Stop()) }()
	const clients = 8
	reader, err := kgo.NewClient(kgo.SeedBrokers(brk.Addr()), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(b, err)
	defer reader.Close()
	var producers [clients]*kgo.Client
	for i := range producers {
		producers[i], err = kgo.NewClient(kgo.SeedBrokers(brk.Addr()), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(0))
		require.NoError(b, err)
		defer producers[i].Close()
		require.NoError(b, producers[i].ProduceSync(b.Context(), &kgo.Record{Topic: "orders", Value: make([]byte, 100)}).FirstErr())
	}
	b.ReportAllocs()
	b.ResetTimer()
	var group sync.WaitGroup
	for _, p := range producers {
		group.Go(func() {
			for range (b.N + clients - 1) / clients {
				if err := p.ProduceSync(b.Context(), &kgo.Record{Topic: "orders", Value: make([]byte, 100)}).FirstErr(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for read := 0; read < b.N; {
		fetches := reader.PollFetches(b.Context())
		require.NoError(b, fetches.Err())
		read += fetches.NumRecords()
	}
	group.Wait()
}
