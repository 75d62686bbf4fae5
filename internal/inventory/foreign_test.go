package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
	"github.com/orderflow/orderflow/schemas"
)

// startServers runs the embedded broker and registry with the topics that the service uses.
func startServers(t *testing.T) kafka.Config {
	t.Helper()
	cfg := embeddedtest.Start(t)
	embeddedtest.ApplyTopics(t, cfg)
	embeddedtest.CreateTopic(t, cfg, order.TopicOrdersByProduct)
	embeddedtest.CreateSchema(t, cfg, order.ValueSubject(order.TopicOrdersByProduct), sr.Schema{Schema: byProductSchema})
	embeddedtest.CreateSchema(t, cfg, "text", sr.Schema{Schema: `"string"`})
	embeddedtest.CreateSchema(t, cfg, "document", sr.Schema{Schema: `{"type":"object"}`, Type: sr.TypeJSON})
	return cfg
}

// rubbish are values that no version has written as entries of the stock ledger.
func rubbish(t *testing.T, cfg kafka.Config) [][]byte {
	t.Helper()
	ids, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	document, err := ids.LatestID(t.Context(), "document")
	require.NoError(t, err)
	entry, err := ids.LatestID(t.Context(), order.ValueSubject(order.TopicInventoryLedger))
	require.NoError(t, err)
	of := func(id int, payload ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), payload...)
	}
	mail := map[string]any{"orderId": "o", "paymentId": "p", "messageId": "m", "recipient": "r", "sourceTopic": "t", "sourcePartition": int32(0), "sourceOffset": int64(0)}
	return [][]byte{
		nil, {}, []byte("rubbish"), {0}, of(0, 1, 2), of(1<<31, 1, 2), of(document, '{', '}'),
		kafkatest.Encode(t, cfg, "text", "STOCK_SET"), kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicEmailLedger), mail),
		of(entry), of(entry, 0xff, 0xff, 0xff, 0xff, 0xff), of(entry, 8, 0, 0, 0, 0, 0, 0), make([]byte, 5), of(entry, make([]byte, 7)...), of(entry, make([]byte, 8)...),
	}
}

// instance starts a service with snapshots and metrics of its own.
func instance(t *testing.T, cfg kafka.Config, dir string) (s *Service, stop func()) {
	t.Helper()
	s, err := New(Config{Kafka: cfg, Group: "g", SnapshotDir: dir, Metrics: prometheus.NewRegistry(), Health: &telemetry.Health{}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			assert.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func skipped(t *testing.T, s *Service) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, s.metrics.skipped.WithLabelValues(order.TopicInventoryLedger).Write(&m))
	return m.GetCounter().GetValue()
}

// Rubbish comes into the ledger amid the work of two instances, of which one stops and
// comes back: each order has one answer, and what is promised is what was there.
func TestRubbishInTheLedgerIsPassedOver(t *testing.T) {
	const units = 40
	cfg := startServers(t)
	values := rubbish(t, cfg)
	dir := t.TempDir()
	first, stop := instance(t, cfg, dir)
	second, _ := instance(t, cfg, t.TempDir())
	require.Eventually(t, func() bool { return first.Ready() && second.Ready() }, 20*time.Second, time.Millisecond)
	products := []string{"JUMPERS", "UNDERPANTS", "STOCKINGS"}
	random := rand.New(rand.NewPCG(7, 7))
	litter := func() {
		for _, v := range values {
			kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicInventoryLedger, Key: []byte(products[random.IntN(3)]), Value: v})
		}
	}
	litter()
	for _, p := range products {
		kafkatest.Produce(t, cfg, stockRecord(p, units))
		waitStock(t, cfg, ledger.Stock{Product: p, Warehouse: units})
	}
	quantities := map[string]int32{}
	sell := func(round int) {
		for i := range 60 {
			id := fmt.Sprintf("o-%d-%d", round, i)
			quantities[id] = int32(1 + random.IntN(3))
			kafkatest.Produce(t, cfg, orderRecord(t, cfg, products[i%3], id, order.Created, quantities[id]))
			if i%20 == 10 {
				litter()
			}
		}
	}
	sell(0)
	stop()
	sell(1)
	// The last record of a snapshot may be rubbish, too.
	again, stopAgain := instance(t, cfg, dir)
	require.Eventually(t, again.Ready, 20*time.Second, time.Millisecond)
	litter()
	sell(2)
	got := map[string]order.Result{}
	for n := len(quantities); len(got) < len(quantities); n++ {
		got = results(t, cfg, n)
	}
	foldLedger(t, cfg, func(s map[string]ledger.Stock) bool {
		sum := int64(0)
		for _, p := range products {
			require.LessOrEqual(t, s[p].Reserved, int64(units))
			sum += s[p].Reserved
		}
		return sum == promised(got, quantities)
	})
	assert.Positive(t, skipped(t, first)+skipped(t, second)+skipped(t, again))
	stopAgain()

	view, err := ledger.NewView(ledger.ViewConfig{Kafka: cfg, SnapshotDir: dir})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- view.Run(ctx) }()
	require.Eventually(t, func() bool {
		sum := int64(0)
		for _, s := range view.Stocks() {
			sum += s.Reserved
		}
		return len(view.Stocks()) == 3 && sum == promised(got, quantities)
	}, 20*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

// At an entry of a newer version, and at a value of a schema that the registry does not
// have, the service stands still and says why. It goes on once the schema is one of no entry.
func TestTheServiceStandsStillAtWhatItMustNotPassOver(t *testing.T) {
	cfg := startServers(t)
	ids, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	problem := func(s *Service) string {
		results, _ := s.cfg.Health.Results()
		return results[0].Error
	}
	unknown := &kgo.Record{Topic: order.TopicInventoryLedger, Key: []byte("JUMPERS"), Value: []byte{0, 0, 0, 0x10, 0, 2, 2}}
	kafkatest.Produce(t, cfg, unknown, stockRecord("JUMPERS", 3))
	s, stop := instance(t, cfg, "")
	where := fmt.Sprintf("reading %s partition %d offset %d", order.TopicInventoryLedger, unknown.Partition, unknown.Offset)
	require.Eventually(t, func() bool { return strings.Contains(problem(s), where) }, 20*time.Second, time.Millisecond)
	assert.Contains(t, problem(s), "the Schema Registry does not know the schema")
	assert.False(t, s.Ready())
	stop()

	// As docs/operations.md says.
	for _, request := range []struct{ method, path, body string }{
		{http.MethodPut, "/mode/not-an-entry", `{"mode":"IMPORT"}`},
		{http.MethodPost, "/subjects/not-an-entry/versions", `{"schemaType":"AVRO","version":1,"id":4096,"schema":"\"string\""}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), request.method, cfg.SchemaRegistry+request.path, bytes.NewReader([]byte(request.body)))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, string(answer))
	}
	s, stop = instance(t, cfg, "")
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 3})
	assert.Positive(t, skipped(t, s))
	stop()

	text, err := schemas.Files.ReadFile(order.ValueSubject(order.TopicInventoryLedger) + ".avsc")
	require.NoError(t, err)
	_, err = ids.Client().CreateSchema(t.Context(), "later", sr.Schema{Schema: strings.Replace(string(text), `"SHIP"`, `"SHIP", "COUNT"`, 1)})
	require.NoError(t, err)
	newer := &kgo.Record{Topic: order.TopicInventoryLedger, Key: []byte("JUMPERS"), Value: kafkatest.Encode(t, cfg, "later", map[string]any{
		"kind": "COUNT", "product": "JUMPERS", "orderId": "", "quantity": int32(1), "sourceTopic": "t", "sourcePartition": int32(0), "sourceOffset": int64(0),
	})}
	kafkatest.Produce(t, cfg, newer)
	s, _ = instance(t, cfg, "")
	where = fmt.Sprintf("reading %s partition %d offset %d", order.TopicInventoryLedger, newer.Partition, newer.Offset)
	require.Eventually(t, func() bool { return strings.Contains(problem(s), where) }, 20*time.Second, time.Millisecond)
	assert.Contains(t, problem(s), "run that version")
}
