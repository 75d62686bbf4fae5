package inventory

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

// What FuzzRecords makes of its bytes: values of the two inputs, an entry of the ledger
// behind its schema's id, and any value in the ledger.
const (
	stock = iota
	orders
	entry
	raw
)

// FuzzRecords reads fuzzed records of both inputs and of the ledger: each is an entry of the
// ledger, or has no meaning for the stock, and nothing else stops the service. A ledger
// takes every such entry, gives it back as it was, and its stock adds up.
func FuzzRecords(f *testing.F) {
	text, err := schemas.Files.ReadFile(order.ValueSubject(order.TopicInventoryLedger) + ".avsc")
	require.NoError(f, err)
	cfg := kafkatest.Start(f, 1, nil, map[string]string{
		order.ValueSubject(order.TopicOrdersByProduct): byProductSchema, order.ValueSubject(order.TopicInventoryLedger): string(text),
	})
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(f, err)
	encoder, err := registry.Encoder(f.Context(), order.ValueSubject(order.TopicOrdersByProduct))
	require.NoError(f, err)
	entries, err := registry.Encoder(f.Context(), order.ValueSubject(order.TopicInventoryLedger))
	require.NoError(f, err)
	decoder, err := ledger.NewDecoder(registry)
	require.NoError(f, err)
	var id uint32
	for _, state := range []string{"CREATED", "FAILED", "SHIPPED", "VALIDATED", "x"} {
		order, quantity := "o-1", int32(3)
		value, err := encoder.Encode(map[string]any{"ID": order, "STATE": state, "QUANTITY": quantity, "CUSTOMERID": int64(1), "PRICE": 9.5})
		require.NoError(f, err)
		id = binary.BigEndian.Uint32(value[1:])
		f.Add(byte(orders), []byte("JUMPERS"), value[5:])
	}
	for _, e := range []ledger.Entry{
		{Kind: ledger.StockSet, Product: "JUMPERS", Quantity: 9, Source: ledger.Source{Topic: "w"}}, {Kind: ledger.Ship, Product: "\xff", OrderID: "o-1", Source: ledger.Source{Topic: "o"}},
	} {
		rec, err := ledger.Record(entries, e)
		require.NoError(f, err)
		f.Add(byte(entry), []byte(e.Product), rec.Value[5:])
		f.Add(byte(raw), []byte(e.Product), rec.Value)
	}
	f.Add(byte(stock), []byte("JUMPERS"), []byte{0, 0, 0, 9})
	f.Add(byte(stock), []byte("JUMPERS"), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(byte(stock), []byte(nil), []byte{1})
	f.Fuzz(func(t *testing.T, kind byte, key, value []byte) {
		rec := &kgo.Record{Topic: order.TopicWarehouseInventory, Key: key, Value: value}
		switch kind % 4 {
		case orders:
			rec.Topic, rec.Value = order.TopicOrdersByProduct, append(binary.BigEndian.AppendUint32([]byte{0}, id), value...)
		case entry, raw:
			rec.Topic = order.TopicInventoryLedger
			if kind%4 == entry {
				rec.Value = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(entries.ID())), value...)
			}
			e, err := decoder.Decode(t.Context(), rec)
			if err != nil {
				// What may be of a schema that is not known is what the service waits at.
				require.True(t, errors.Is(err, kafka.ErrForeign) || kind%4 == raw && errors.Is(err, kafka.ErrUnknownSchema), "%v", err)
				return
			}
			ledger.NewFold().Apply(e)
			return
		}
		e, ok, err := decode(t.Context(), registry, rec)
		var meaningless *notAnEntry
		if err != nil {
			require.True(t, errors.As(err, &meaningless), "%v", err)
			return
		}
		if !ok {
			return
		}
		require.NotEmpty(t, e.Product)
		e.Source = ledger.Source{Topic: rec.Topic, Offset: 7}
		written, err := ledger.Record(entries, e)
		require.NoError(t, err)
		back, err := decoder.Decode(t.Context(), written)
		require.NoError(t, err)
		require.Equal(t, e, back)
		fold := ledger.NewFold()
		fold.Apply(ledger.Entry{Kind: ledger.StockSet, Product: e.Product, Quantity: 5, Source: ledger.Source{Topic: "w", Offset: 1}})
		fold.Apply(e)
		fold.Apply(e) // the same source once more changes nothing
		for _, s := range fold.Stocks() {
			require.GreaterOrEqual(t, s.Reserved, int64(0))
			require.True(t, s.Reserved == 0 || s.Reserved <= s.Warehouse, "%+v after %+v", s, e)
		}
	})
}
