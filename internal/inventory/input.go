package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// orderByProduct is a value of orders-by-product.v1 as ksqlDB writes it. Every column may be null.
type orderByProduct struct {
	ID       *string `avro:"ID"`
	State    *string `avro:"STATE"`
	Quantity *int32  `avro:"QUANTITY"`
}

// maxName bounds the length of a product's name and of an order's id, in bytes. The API
// takes much less; an entry of the ledger has both and must fit into a record, or nothing
// behind it would ever be done.
const maxName = 64 << 10

// notAnEntry says that a record has no meaning for the stock and why.
type notAnEntry struct{ reason string }

func (e *notAnEntry) Error() string { return e.reason }

// decode says what an input record means. The second result is false for a record
// that rightly changes nothing. The error is a *notAnEntry for one that should not be
// there; any other means that it could not be found out.
func decode(ctx context.Context, registry *kafka.Registry, rec *kgo.Record) (ledger.Entry, bool, error) {
	e := ledger.Entry{
		Product: string(rec.Key),
		Source:  ledger.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset},
	}
	switch {
	case len(rec.Key) == 0:
		return e, false, &notAnEntry{"it has no product as its key"}
	case len(rec.Key) > maxName:
		return e, false, &notAnEntry{fmt.Sprintf("its key has %d bytes, which is no product", len(rec.Key))}
	}
	if rec.Topic == order.TopicWarehouseInventory {
		return decodeStock(e, rec)
	}
	if rec.Value == nil {
		return e, false, &notAnEntry{"it has no value"}
	}
	var o orderByProduct
	if err := registry.Decode(ctx, rec.Value, &o); err != nil {
		if errors.Is(err, kafka.ErrUnavailable) || ctx.Err() != nil {
			return e, false, err
		}
		return e, false, &notAnEntry{err.Error()}
	}
	if o.ID == nil || o.State == nil {
		return e, false, &notAnEntry{"it has no order id or no state"}
	}
	if len(*o.ID) > maxName {
		return e, false, &notAnEntry{fmt.Sprintf("its order id has %d bytes", len(*o.ID))}
	}
	e.OrderID = *o.ID
	switch order.State(*o.State) {
	case order.Created:
		e.Kind = ledger.ReserveRequest
		if o.Quantity == nil {
			return e, false, &notAnEntry{"it has no quantity"}
		}
		e.Quantity = *o.Quantity
	case order.Failed:
		e.Kind = ledger.Release
	case order.Shipped:
		e.Kind = ledger.Ship
	case order.Validated:
		return e, false, nil
	default:
		return e, false, &notAnEntry{fmt.Sprintf("its state is %q", *o.State)}
	}
	return e, true, nil
}

// decodeStock reads a value of warehouse-inventory.v1: four bytes, big endian. A
// deleted product has nothing in the warehouse.
func decodeStock(e ledger.Entry, rec *kgo.Record) (ledger.Entry, bool, error) {
	e.Kind = ledger.StockSet
	switch len(rec.Value) {
	case 0:
		if rec.Value != nil {
			return e, false, &notAnEntry{"its value is empty"}
		}
	case 4:
		e.Quantity = int32(binary.BigEndian.Uint32(rec.Value))
	default:
		return e, false, &notAnEntry{fmt.Sprintf("its value has %d bytes instead of 4", len(rec.Value))}
	}
	return e, true, nil
}
