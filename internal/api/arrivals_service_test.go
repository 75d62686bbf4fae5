package api

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
)

// startInstance runs one more instance of the API until stop is called.
func startInstance(t *testing.T, cfg kafka.Config, ksqlDB string) (base string, stop func()) {
	t.Helper()
	s, err := New(Config{Listen: "127.0.0.1:0", Kafka: cfg, Ksql: ksql.Config{URL: ksqlDB}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	require.Eventually(t, s.Ready, 20*time.Second, time.Millisecond)
	return "http://" + s.Addr(), func() {
		cancel()
		assert.NoError(t, <-done)
	}
}

// ksqlDB's table stands still, and every instance knows what was acknowledged by any.
func TestEveryInstanceKnowsWhatTheTableLacks(t *testing.T) {
	cfg := startKafka(t)
	tb, ksqlDB := startTables(t, cfg)
	before := goodOrderValue
	before.ID = "before"
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrders, Key: []byte(before.ID), Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), before)})
	require.Eventually(t, func() bool {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		return len(tb.orders) == 1
	}, 10*time.Second, time.Millisecond)
	tb.stand()
	a, stopA := startInstance(t, cfg, ksqlDB)
	b, stopB := startInstance(t, cfg, ksqlDB)

	require.Equal(t, http.StatusCreated, call(t, "POST", a+"/v1/orders", goodOrder).code)
	known := func(base string) {
		t.Helper()
		got := call(t, "GET", base+"/v1/orders/o-1?timeout=0", "")
		assert.Equal(t, http.StatusOK, got.code, got.body)
		assert.JSONEq(t, goodOrder, got.body)
		assert.Equal(t, http.StatusAccepted, call(t, "GET", base+"/v1/orders/o-1/validated?timeout=0", "").code)
		assert.Equal(t, http.StatusConflict, call(t, "POST", base+"/v1/orders/o-1/ship?timeout=0", "").code, "it is not decided")
		assert.Equal(t, http.StatusOK, call(t, "POST", base+"/v1/orders", goodOrder).code)
		assert.Equal(t, http.StatusConflict, call(t, "POST", base+"/v1/orders", strings.Replace(goodOrder, "9.5", "9", 1)).code)
		assert.Equal(t, http.StatusNotFound, call(t, "GET", base+"/v1/orders/none?timeout=0", "").code)
		assert.Equal(t, http.StatusOK, call(t, "GET", base+"/v1/orders/before?timeout=0", "").code)
	}
	known(a)
	known(b)
	assert.Equal(t, http.StatusCreated, call(t, "POST", b+"/v1/payments", goodPayment).code)

	// While a transaction of ksqlDB is open, nobody who reads committed records comes past it.
	transaction, err := kafka.NewClient(cfg, kgo.TransactionalID("open"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	require.NoError(t, transaction.BeginTransaction())
	decided := inState(goodOrderValue, order.Validated)
	value := kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), decided)
	for partition := range int32(4) {
		require.NoError(t, transaction.ProduceSync(t.Context(), &kgo.Record{Topic: order.TopicOrders, Partition: partition, Key: []byte("o-1"), Value: value}).FirstErr())
	}
	require.Equal(t, http.StatusCreated, call(t, "POST", a+"/v1/orders", strings.Replace(goodOrder, "o-1", "o-2", 1)).code)
	assert.Equal(t, http.StatusOK, call(t, "GET", b+"/v1/orders/o-2?timeout=0", "").code)
	assert.Equal(t, http.StatusNotFound, call(t, "GET", b+"/v1/orders/none?timeout=0", "").code)
	assert.JSONEq(t, goodOrder, call(t, "GET", b+"/v1/orders/o-1?timeout=0", "").body, "the transaction may yet be taken back")
	require.NoError(t, transaction.EndTransaction(t.Context(), kgo.TryAbort))
	transaction.Close()
	assert.Equal(t, http.StatusNotFound, call(t, "GET", b+"/v1/orders/none?timeout=0", "").code, "behind the marks of its end")

	stopA()
	a, stopA = startInstance(t, cfg, ksqlDB)
	known(a)
	stopA()
	stopB()
	assert.Eventually(t, func() bool {
		stacks := make([]byte, 4<<20)
		text := string(stacks[:runtime.Stack(stacks, true)])
		return !strings.Contains(text, "(*arrivals") && !strings.Contains(text, "(*endLookups)")
	}, 10*time.Second, 10*time.Millisecond, "a stopped instance leaves nothing behind")
}
