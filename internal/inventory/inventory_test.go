package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

// byProductSchema is what ksqlDB registers for orders_by_product.
const byProductSchema = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
 {"name":"ID","type":["null","string"],"default":null},{"name":"CUSTOMERID","type":["null","long"],"default":null},
 {"name":"STATE","type":["null","string"],"default":null},{"name":"QUANTITY","type":["null","int"],"default":null},
 {"name":"PRICE","type":["null","double"],"default":null}]}`

func start(t *testing.T) kafka.Config {
	t.Helper()
	schemas := map[string]string{order.ValueSubject(order.TopicOrdersByProduct): byProductSchema}
	for _, topic := range []string{order.TopicInventoryLedger, order.TopicValidations} {
		text, err := os.ReadFile("../../schemas/" + order.ValueSubject(topic) + ".avsc")
		require.NoError(t, err)
		schemas[order.ValueSubject(topic)] = string(text)
	}
	return kafkatest.Start(t, 4, []string{order.TopicOrdersByProduct, order.TopicWarehouseInventory, order.TopicInventoryLedger, order.TopicValidations}, schemas)
}

// run starts a service and returns what stops it.
func run(t *testing.T, cfg kafka.Config, group string) (stop func()) {
	t.Helper()
	s, err := New(Config{Kafka: cfg, Group: group})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	require.Eventually(t, s.Ready, 20*time.Second, time.Millisecond)
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			assert.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return stop
}

func stockRecord(product string, units int32) *kgo.Record {
	return &kgo.Record{Topic: order.TopicWarehouseInventory, Key: []byte(product), Value: binary.BigEndian.AppendUint32(nil, uint32(units))}
}

type byProduct struct {
	ID         *string  `avro:"ID"`
	CustomerID *int64   `avro:"CUSTOMERID"`
	State      *string  `avro:"STATE"`
	Quantity   *int32   `avro:"QUANTITY"`
	Price      *float64 `avro:"PRICE"`
}

func orderRecord(t *testing.T, cfg kafka.Config, product, id string, state order.State, quantity int32) *kgo.Record {
	t.Helper()
	s := string(state)
	value := kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrdersByProduct), byProduct{ID: &id, State: &s, Quantity: &quantity})
	return &kgo.Record{Topic: order.TopicOrdersByProduct, Key: []byte(product), Value: value}
}

// results waits until n check results were sent and returns the first of each order,
// after checking that repeated ones are the same.
func results(t *testing.T, cfg kafka.Config, n int) map[string]order.Result {
	t.Helper()
	got := map[string]order.Result{}
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	recs := kafkatest.Consume(t, cfg, order.TopicValidations, func(r []*kgo.Record) bool { return len(r) >= n })
	for _, rec := range recs {
		var v order.Validation
		require.NoError(t, reg.Decode(t.Context(), rec.Value, &v))
		require.Equal(t, string(rec.Key), v.OrderID)
		require.Equal(t, order.InventoryCheck, v.CheckType)
		if first, ok := got[v.OrderID]; ok {
			require.Equal(t, first, v.Result, "order %s got two different results", v.OrderID)
		}
		got[v.OrderID] = v.Result
	}
	return got
}

// foldLedger folds what is in the ledger by the rules, independently of any service.
func foldLedger(t *testing.T, cfg kafka.Config, done func(map[string]ledger.Stock) bool) (map[string]ledger.Stock, int) {
	t.Helper()
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	decoder, err := ledger.NewDecoder(reg)
	require.NoError(t, err)
	folds := map[int32]*ledger.Fold{}
	stocks := map[string]ledger.Stock{}
	seen := 0
	kafkatest.Consume(t, cfg, order.TopicInventoryLedger, func(recs []*kgo.Record) bool {
		for _, rec := range recs[seen:] {
			e, err := decoder.Decode(t.Context(), rec)
			if errors.Is(err, kafka.ErrForeign) {
				continue
			}
			require.NoError(t, err)
			if folds[rec.Partition] == nil {
				folds[rec.Partition] = ledger.NewFold()
			}
			folds[rec.Partition].Apply(e)
			stocks[e.Product] = folds[rec.Partition].Stock(e.Product)
		}
		seen = len(recs)
		return done(stocks)
	})
	return stocks, seen
}

func waitStock(t *testing.T, cfg kafka.Config, want ledger.Stock) {
	t.Helper()
	foldLedger(t, cfg, func(s map[string]ledger.Stock) bool { return s[want.Product] == want })
}

func TestOrdersAreCheckedAgainstTheStock(t *testing.T) {
	cfg := start(t)
	run(t, cfg, "g")
	kafkatest.Produce(t, cfg, stockRecord("JUMPERS", 3))
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 3})
	kafkatest.Produce(t, cfg,
		orderRecord(t, cfg, "JUMPERS", "a", order.Created, 2),
		orderRecord(t, cfg, "JUMPERS", "b", order.Created, 2),
		orderRecord(t, cfg, "JUMPERS", "c", order.Created, 1),
		orderRecord(t, cfg, "JUMPERS", "zero", order.Created, 0),
		orderRecord(t, cfg, "JUMPERS", "less", order.Created, -1),
		orderRecord(t, cfg, "STOCKINGS", "none", order.Created, 1),
		orderRecord(t, cfg, "JUMPERS", "a", order.Validated, 2),
	)
	assert.Equal(t, map[string]order.Result{"a": order.Pass, "b": order.Fail, "c": order.Pass, "zero": order.Fail, "less": order.Fail, "none": order.Fail}, results(t, cfg, 6))
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 3, Reserved: 3})

	kafkatest.Produce(t, cfg, orderRecord(t, cfg, "JUMPERS", "a", order.Shipped, 2), orderRecord(t, cfg, "JUMPERS", "c", order.Failed, 1))
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 1})
	kafkatest.Produce(t, cfg, orderRecord(t, cfg, "JUMPERS", "d", order.Created, 1))
	assert.Equal(t, order.Pass, results(t, cfg, 7)["d"], "what a failed order had is there for others")
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicWarehouseInventory, Key: []byte("JUMPERS")})
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 0, Reserved: 1})
}

func TestRecordsThatAreNoOrdersArePassedOver(t *testing.T) {
	cfg := start(t)
	run(t, cfg, "g")
	noState := kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrdersByProduct), byProduct{})
	kafkatest.Produce(t, cfg,
		&kgo.Record{Topic: order.TopicWarehouseInventory, Key: []byte("JUMPERS"), Value: []byte("123")},
		&kgo.Record{Topic: order.TopicWarehouseInventory, Value: []byte{0, 0, 0, 1}},
		&kgo.Record{Topic: order.TopicOrdersByProduct, Key: []byte("JUMPERS"), Value: []byte("{}")},
		&kgo.Record{Topic: order.TopicOrdersByProduct, Key: []byte("JUMPERS"), Value: []byte{0, 0, 0, 99, 99, 1}},
		&kgo.Record{Topic: order.TopicOrdersByProduct, Key: []byte("JUMPERS"), Value: noState},
		&kgo.Record{Topic: order.TopicOrdersByProduct, Key: []byte("JUMPERS")},
		orderRecord(t, cfg, "JUMPERS", "odd", "LOST", 1),
		orderRecord(t, cfg, "JUMPERS", "good", order.Created, 1),
	)
	assert.Equal(t, map[string]order.Result{"good": order.Fail}, results(t, cfg, 1))
}

func TestTheSameInputAgainGetsTheSameResults(t *testing.T) {
	cfg := start(t)
	stop := run(t, cfg, "first")
	kafkatest.Produce(t, cfg, stockRecord("JUMPERS", 10))
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 10})
	for i := range 6 {
		kafkatest.Produce(t, cfg, orderRecord(t, cfg, "JUMPERS", fmt.Sprint("o", i), order.Created, 3))
	}
	first := results(t, cfg, 6)
	stop()
	_, entries := foldLedger(t, cfg, func(s map[string]ledger.Stock) bool { return s["JUMPERS"].Reserved == 9 })

	// A group without offsets gets every record once more.
	run(t, cfg, "second")
	assert.Equal(t, first, results(t, cfg, 12))
	stocks, again := foldLedger(t, cfg, func(s map[string]ledger.Stock) bool { return s["JUMPERS"].Reserved == 9 })
	assert.Equal(t, ledger.Stock{Product: "JUMPERS", Warehouse: 10, Reserved: 9}, stocks["JUMPERS"])
	assert.Equal(t, entries, again, "what is in the ledger is not written once more")
}

func TestRestartGoesOnWhereItStopped(t *testing.T) {
	cfg := start(t)
	stop := run(t, cfg, "g")
	kafkatest.Produce(t, cfg, orderRecord(t, cfg, "JUMPERS", "a", order.Created, 1))
	results(t, cfg, 1)
	stop()
	kafkatest.Produce(t, cfg, stockRecord("JUMPERS", 1))
	run(t, cfg, "g")
	waitStock(t, cfg, ledger.Stock{Product: "JUMPERS", Warehouse: 1})
	kafkatest.Produce(t, cfg, orderRecord(t, cfg, "JUMPERS", "b", order.Created, 1))
	got := kafkatest.Consume(t, cfg, order.TopicValidations, func(r []*kgo.Record) bool { return len(r) >= 2 })
	assert.Len(t, got, 2, "a committed order is not answered again")
}

// A service that died after writing to the ledger, before sending the result and
// before committing, is followed by one that sends it.
func TestCrashBetweenLedgerAndResult(t *testing.T) {
	cfg := start(t)
	created := orderRecord(t, cfg, "JUMPERS", "a", order.Created, 2)
	kafkatest.Produce(t, cfg, created)
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	enc, err := reg.Encoder(t.Context(), order.ValueSubject(order.TopicInventoryLedger))
	require.NoError(t, err)
	for _, e := range []ledger.Entry{
		{Kind: ledger.StockSet, Product: "JUMPERS", Quantity: 2, Source: ledger.Source{Topic: order.TopicWarehouseInventory}},
		{Kind: ledger.ReserveRequest, Product: "JUMPERS", OrderID: "a", Quantity: 2,
			Source: ledger.Source{Topic: created.Topic, Partition: created.Partition, Offset: created.Offset}},
	} {
		rec, err := ledger.Record(enc, e)
		require.NoError(t, err)
		kafkatest.Produce(t, cfg, rec)
	}
	run(t, cfg, "g")
	assert.Equal(t, map[string]order.Result{"a": order.Pass}, results(t, cfg, 1))
	stocks, entries := foldLedger(t, cfg, func(s map[string]ledger.Stock) bool { return s["JUMPERS"].Reserved == 2 })
	assert.Equal(t, ledger.Stock{Product: "JUMPERS", Warehouse: 2, Reserved: 2}, stocks["JUMPERS"])
	assert.Equal(t, 2, entries)
}

// Several instances, of which one leaves in the middle, sell exactly what there is.
func TestInstancesShareTheProductsAndNeverOversell(t *testing.T) {
	cfg := start(t)
	stop := run(t, cfg, "g")
	products := []string{"JUMPERS", "UNDERPANTS", "STOCKINGS"}
	for _, p := range products {
		kafkatest.Produce(t, cfg, stockRecord(p, 50))
		waitStock(t, cfg, ledger.Stock{Product: p, Warehouse: 50})
	}
	const perProduct = 120
	var recs []*kgo.Record
	for i := range perProduct {
		for _, p := range products {
			recs = append(recs, orderRecord(t, cfg, p, fmt.Sprint(p, i), order.Created, 1))
		}
	}
	third := len(recs) / 3
	kafkatest.Produce(t, cfg, recs[:third]...)
	run(t, cfg, "g")
	kafkatest.Produce(t, cfg, recs[third:2*third]...)
	stop()
	kafkatest.Produce(t, cfg, recs[2*third:]...)

	var got map[string]order.Result
	for n := len(recs); len(got) < len(recs); n++ {
		got = results(t, cfg, n)
	}
	passed := 0
	for _, r := range got {
		if r == order.Pass {
			passed++
		}
	}
	assert.Equal(t, 50*len(products), passed)
	for _, p := range products {
		waitStock(t, cfg, ledger.Stock{Product: p, Warehouse: 50, Reserved: 50})
	}
}

func TestServiceWaitsForItsTopics(t *testing.T) {
	cfg := kafkatest.Start(t, 1, nil, nil)
	s, err := New(Config{Kafka: cfg})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	assert.False(t, s.Ready())
	cancel()
	assert.NoError(t, <-done)

	_, err = New(Config{})
	require.ErrorContains(t, err, "setting up the inventory service")
}

func TestViewFollowsTheLedger(t *testing.T) {
	cfg := start(t)
	run(t, cfg, "g")
	view, err := ledger.NewView(ledger.ViewConfig{Kafka: cfg})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- view.Run(ctx) }()
	require.Eventually(t, view.Ready, 20*time.Second, time.Millisecond)
	assert.Empty(t, view.Stocks())

	for units := range int32(3) {
		rec := stockRecord("JUMPERS", units)
		kafkatest.Produce(t, cfg, rec)
		assert.True(t, view.WaitApplied(ctx, "JUMPERS", ledger.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}))
		assert.Equal(t, []ledger.Stock{{Product: "JUMPERS", Warehouse: int64(units)}}, view.Stocks())
	}
	cancel()
	assert.NoError(t, <-done)
	assert.False(t, view.WaitApplied(ctx, "JUMPERS", ledger.Source{Topic: order.TopicWarehouseInventory, Offset: 99}))
}
