package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
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

// Decoder reads the entries of ledger records. It may be used from many goroutines.
type Decoder struct{ entries *kafka.EntryDecoder }

// NewDecoder returns a decoder that takes the writers' schemas from a registry.
func NewDecoder(registry *kafka.Registry) (*Decoder, error) {
	file := order.ValueSubject(order.TopicInventoryLedger) + ".avsc"
	text, err := schemas.Files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the schema %s: %w", file, err)
	}
	entries, err := registry.EntryDecoder(text)
	if err != nil {
		return nil, err
	}
	return &Decoder{entries: entries}, nil
}

// Decode reads the entry of a ledger record. All readers have to fold the same entries, so
// they may leave out only those with the error kafka.ErrForeign: no version has ever
// written such a record. Behind any other error nothing must be folded in.
func (d *Decoder) Decode(ctx context.Context, rec *kgo.Record) (Entry, error) {
	var w wire
	if err := d.entries.Decode(ctx, rec.Value, &w); err != nil {
		return Entry{}, fmt.Errorf("decoding a ledger entry: %w", err)
	}
	var foreign string
	switch {
	case !slices.Contains(kinds, w.Kind):
		return Entry{}, fmt.Errorf("decoding a ledger entry: %w (its kind is %s)", kafka.ErrNewer, w.Kind)
	case w.Product == "":
		foreign = "it names no product"
	case string(rec.Key) != w.Product:
		foreign = "its key is not its product " + w.Product
	case w.SourceTopic == "" || w.SourcePartition < 0 || w.SourceOffset < 0:
		foreign = "it names no record that it comes from"
	}
	if foreign != "" {
		return Entry{}, fmt.Errorf("decoding a ledger entry: %w: %s", kafka.ErrForeign, foreign)
	}
	return Entry{
		Kind: w.Kind, Product: w.Product, OrderID: w.OrderID, Quantity: w.Quantity,
		Source: Source{Topic: w.SourceTopic, Partition: w.SourcePartition, Offset: w.SourceOffset},
	}, nil
}
