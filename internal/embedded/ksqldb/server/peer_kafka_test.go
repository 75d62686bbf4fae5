//go:build peers

package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embedded/registry"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/peers"
)

// The environment of a process that is the engine and nothing else.
const engineOf = "KSQLDB_PEER_ENGINE"

// TestPeerEngineProcess is the engine of TestPeerEngineOverARealKafka, which is
// killed in the midst of its work.
func TestPeerEngineProcess(t *testing.T) {
	settings := strings.Split(os.Getenv(engineOf), "|")
	if len(settings) != 4 {
		t.Skip("this is the engine that TestPeerEngineOverARealKafka starts")
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	s, err := server.New(server.Config{Listen: settings[0], Config: engine.Config{
		Brokers: []string{settings[1]}, SchemaRegistry: settings[2], DataDir: settings[3], Outputs: runtime.Transaction,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}})
	require.NoError(t, err)
	require.NoError(t, s.Start(ctx))
	<-ctx.Done()
	require.NoError(t, s.Stop())
}

// However often the engine is killed over a real Kafka with several partitions,
// every record of an external producer has its results once.
func TestPeerEngineOverARealKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	kafka := peers.StartKafka(t)
	reg, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: []string{kafka.Addr}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, reg.Start(ctx))
	t.Cleanup(func() { require.NoError(t, reg.Stop()) })
	addr, dir := peers.FreeAddr(t), t.TempDir()
	startEngine := func() *peers.Process {
		return peers.Start(t, peers.Command{
			Name: "engine", Path: os.Args[0], Args: []string{"-test.run=^TestPeerEngineProcess$"},
			Env: []string{engineOf + "=" + strings.Join([]string{addr, kafka.Addr, "http://" + reg.Addr(), dir}, "|")},
			Ready: func(ctx context.Context) error {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/info", nil)
				if err != nil {
					return err
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return err
				}
				return resp.Body.Close()
			},
		})
	}
	process := startEngine()
	client, err := ksql.New(ksql.Config{URL: "http://" + addr})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr))
	require.NoError(t, err)
	t.Cleanup(producer.Close)
	admin := kadm.NewClient(producer)
	_, err = admin.CreateTopics(ctx, 3, 1, nil, "clicks")
	require.NoError(t, err)
	for _, sql := range []string{
		"CREATE STREAM clicks (id STRING KEY, page STRING, n BIGINT) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON');",
		"CREATE TABLE pages WITH (KAFKA_TOPIC='pages', VALUE_FORMAT='AVRO', PARTITIONS=4) AS SELECT page, COUNT(*) AS seen, SUM(n) AS total FROM clicks GROUP BY page;",
		"CREATE STREAM later WITH (KAFKA_TOPIC='later', PARTITIONS=3) AS SELECT id, UCASE(page) AS page, n FROM clicks WHERE n >= 0;",
	} {
		_, err := client.Exec(ctx, sql, ksql.ExecOptions{Properties: map[string]any{"auto.offset.reset": "earliest"}})
		require.NoError(t, err, sql)
	}
	const records, pages = 3000, 7
	written := make(chan error, 1)
	go func() {
		for i := range records {
			rec := &kgo.Record{Topic: "clicks", Key: fmt.Appendf(nil, "id-%d", i), Value: fmt.Appendf(nil, `{"PAGE":"p%d","N":%d}`, i%pages, i)}
			if err := producer.ProduceSync(ctx, rec).FirstErr(); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		reached := rnd.IntN(400) + 50
		before := committed(ctx, t, admin, "later")
		require.Eventually(t, func() bool { return committed(ctx, t, admin, "later") >= before+int64(reached) || len(written) == 1 }, time.Minute, time.Millisecond)
		process.Kill()
		process = startEngine()
	}
	require.NoError(t, <-written)

	values := readCommitted(ctx, t, kafka.Addr, "later", records)
	seen := map[string]int{}
	for _, rec := range values {
		seen[string(rec.Key)]++
		assert.Empty(t, rec.Headers)
	}
	require.Len(t, seen, records, "no record is lost")
	require.Len(t, values, records, "no record is doubled")

	results := readCommitted(ctx, t, kafka.Addr, "pages", records)
	require.Len(t, results, records, "each record changed its group once")
	for page := range pages {
		n, total := 0, 0
		for i := page; i < records; i += pages {
			n, total = n+1, total+i
		}
		require.Eventually(t, func() bool {
			rows, err := client.Query(ctx, fmt.Sprintf("SELECT seen, total FROM pages WHERE page = 'p%d';", page), nil)
			if err != nil {
				return false
			}
			defer rows.Close()
			var gotN, gotTotal int
			return rows.Next() && rows.Scan(&gotN, &gotTotal) == nil && gotN == n && gotTotal == total
		}, time.Minute, 10*time.Millisecond, "page %d", page)
	}

	_, err = admin.CreatePartitions(ctx, 2, "clicks")
	require.NoError(t, err)
	deadline := time.Now().Add(time.Minute)
	for more := 0; len(readCommitted(ctx, t, kafka.Addr, "later", records)) < records+50; more++ {
		require.True(t, time.Now().Before(deadline), "records in added partitions are read")
		rec := &kgo.Record{Topic: "clicks", Key: fmt.Appendf(nil, "more-%d", more), Value: []byte(`{"PAGE":"q","N":1}`)}
		require.NoError(t, producer.ProduceSync(ctx, rec).FirstErr())
	}
	_, err = admin.DeleteTopics(ctx, "later")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		queries, err := client.ListQueries(ctx)
		if err != nil {
			return false
		}
		for _, q := range queries {
			if strings.HasPrefix(q.ID, "CSAS_LATER") {
				failures, err := client.QueryErrors(ctx, q.ID)
				return err == nil && strings.Contains(strings.Join(failures, "\n"), "topic later ")
			}
		}
		return false
	}, time.Minute, 50*time.Millisecond, "the deleted topic is named")
}

// committed is how many offsets the committed part of a topic has.
func committed(ctx context.Context, t *testing.T, admin *kadm.Client, topic string) int64 {
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	require.NoError(t, err)
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}

// readCommitted reads what is committed in a topic, until it has at least so many
// records.
func readCommitted(ctx context.Context, t *testing.T, kafka, topic string, atLeast int) []*kgo.Record {
	t.Helper()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.MetadataMinAge(100*time.Millisecond))
	require.NoError(t, err)
	defer consumer.Close()
	var records []*kgo.Record
	at := map[int32]int64{}
	for {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(rec *kgo.Record) {
			at[rec.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				records = append(records, rec)
			}
		})
		if len(records) < atLeast {
			continue
		}
		ends, err := kadm.NewClient(consumer).ListCommittedOffsets(ctx, topic)
		require.NoError(t, err)
		whole := true
		ends.Each(func(o kadm.ListedOffset) { whole = whole && at[o.Partition] >= o.Offset })
		if whole {
			return records
		}
	}
}
