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
)

// FuzzRecords reads fuzzed records of both inputs: each is an entry of the ledger, or
// has no meaning for the stock, and nothing else stops the service. A ledger takes
// every such entry, and its stock adds up.
func FuzzRecords(f *testing.F) {
	cfg := kafkatest.Start(f, 1, nil, map[string]string{order.ValueSubject(order.TopicOrdersByProduct): byProductSchema})
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(f, err)
	encoder, err := registry.Encoder(f.Context(), order.ValueSubject(order.TopicOrdersByProduct))
	require.NoError(f, err)
	var id uint32
	for _, state := range []string{"CREATED", "FAILED", "SHIPPED", "VALIDATED", "x"} {
		order, quantity := "o-1", int32(3)
		value, err := encoder.Encode(map[string]any{"ID": order, "STATE": state, "QUANTITY": quantity, "CUSTOMERID": int64(1), "PRICE": 9.5})
		require.NoError(f, err)
		id = binary.BigEndian.Uint32(value[1:])
		f.Add(false, []byte("JUMPERS"), value[5:])
	}
	f.Add(true, []byte("JUMPERS"), []byte{0, 0, 0, 9})
	f.Add(true, []byte("JUMPERS"), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(true, []byte(nil), []byte{1})
	f.Fuzz(func(t *testing.T, stock bool, key, value []byte) {
		rec := &kgo.Record{Topic: order.TopicWarehouseInventory, Key: key, Value: value}
		if !stock {
			rec.Topic, rec.Value = order.TopicOrdersByProduct, append(binary.BigEndian.AppendUint32([]byte{0}, id), value...)
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
