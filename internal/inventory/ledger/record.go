package ledger

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// wire is an entry as it stands in inventory-ledger.v1.
type wire struct {
	Kind            Kind   `avro:"kind"`
	Product         string `avro:"product"`
	OrderID         string `avro:"orderId"`
	Quantity        int32  `avro:"quantity"`
	SourceTopic     string `avro:"sourceTopic"`
	SourcePartition int32  `avro:"sourcePartition"`
	SourceOffset    int64  `avro:"sourceOffset"`
}

// Record returns e as a record for the ledger topic, keyed by its product.
func Record(enc *kafka.Encoder, e Entry) (*kgo.Record, error) {
	value, err := enc.Encode(wire{
		Kind: e.Kind, Product: e.Product, OrderID: e.OrderID, Quantity: e.Quantity,
		SourceTopic: e.Source.Topic, SourcePartition: e.Source.Partition, SourceOffset: e.Source.Offset,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a ledger entry: %w", err)
	}
	return &kgo.Record{Topic: order.TopicInventoryLedger, Key: []byte(e.Product), Value: value}, nil
}

// Decode reads the entry of a ledger record.
func Decode(ctx context.Context, registry *kafka.Registry, value []byte) (Entry, error) {
	var w wire
	if err := registry.Decode(ctx, value, &w); err != nil {
		return Entry{}, fmt.Errorf("decoding a ledger entry: %w", err)
	}
	return Entry{
		Kind: w.Kind, Product: w.Product, OrderID: w.OrderID, Quantity: w.Quantity,
		Source: Source{Topic: w.SourceTopic, Partition: w.SourcePartition, Offset: w.SourceOffset},
	}, nil
}
