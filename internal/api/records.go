package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// kafkaHistory is a History over the Kafka protocol.
type kafkaHistory struct {
	cfg      kafka.Config
	registry *kafka.Registry
	ledger   *ledger.Decoder
	skips    *kafka.Skips
}

func newKafkaHistory(cfg kafka.Config, registry *kafka.Registry, skips *kafka.Skips) (kafkaHistory, error) {
	decoder, err := ledger.NewDecoder(registry)
	return kafkaHistory{cfg: cfg, registry: registry, ledger: decoder, skips: skips}, err
}

func (k kafkaHistory) Events(ctx context.Context, o order.Order, since time.Time, found func(event)) error {
	spans := []kafka.Span{
		{Topic: order.TopicOrders, Key: o.ID, Since: since},
		{Topic: order.TopicValidations, Key: o.ID, Since: since},
		{Topic: order.TopicPayments, Since: since},
		{Topic: order.TopicShipments, Key: o.ID, Since: since},
		{Topic: order.TopicInventoryLedger, Key: string(o.Product), Since: since},
		{Topic: order.TopicEmailLedger, Key: o.ID, Since: since},
		{Topic: order.TopicEmailDeadLetters, Key: o.ID, Since: since},
	}
	id := []byte(o.ID)
	return kafka.Scan(ctx, k.cfg, spans, func(rec *kgo.Record) error {
		// Only what can be about the order is decoded.
		if !bytes.Equal(rec.Key, id) && !bytes.Contains(rec.Value, id) {
			return nil
		}
		e := event{Time: rec.Timestamp.UTC(), Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
		about, err := k.decode(ctx, rec, &e)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafka.ErrUnavailable):
			return fmt.Errorf("reading %s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		case err != nil:
			// A foreign writer's record that cannot be read is not about the order.
			k.skips.Skip(rec, err)
		case about == o.ID:
			found(e)
		}
		return nil
	})
}

// countable refuses numbers that JSON has no words for.
func countable(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%v is no amount", v)
	}
	return nil
}

// decode fills in kind and value of an event and returns whose order it is about.
func (k kafkaHistory) decode(ctx context.Context, rec *kgo.Record, e *event) (orderID string, err error) {
	switch rec.Topic {
	case order.TopicOrders:
		var o order.Order
		err = k.registry.Decode(ctx, rec.Value, &o)
		e.Kind, e.Value, orderID = eventOrder, o, o.ID
		err = errors.Join(err, countable(o.Price))
	case order.TopicValidations:
		var v order.Validation
		err = k.registry.Decode(ctx, rec.Value, &v)
		c := checkEvent{Validation: v}
		if asked, available, ok := ledger.Found(rec.Headers); ok {
			c.Asked, c.Available = &asked, &available
		}
		e.Kind, e.Value, orderID = eventCheck, c, v.OrderID
	case order.TopicPayments:
		var p order.Payment
		err = k.registry.Decode(ctx, rec.Value, &p)
		e.Kind, e.Value, orderID = eventPayment, p, p.OrderID
		err = errors.Join(err, countable(p.Amount))
	case order.TopicShipments:
		var s order.Shipment
		err = k.registry.Decode(ctx, rec.Value, &s)
		e.Kind, e.Value, orderID = eventShipment, shipmentEvent{OrderID: s.OrderID, Product: s.Product, Quantity: s.Quantity}, s.OrderID
	case order.TopicInventoryLedger:
		var entry ledger.Entry
		entry, err = k.ledger.Decode(ctx, rec)
		e.Kind, orderID = eventReservation, entry.OrderID
		e.Value = reservationEvent{Entry: entry.Kind, OrderID: entry.OrderID, Product: entry.Product, Quantity: entry.Quantity}
	default:
		var mail emailEvent
		err = k.registry.Decode(ctx, rec.Value, &mail)
		e.Kind, e.Value, orderID = eventEmail, mail, mail.OrderID
		if rec.Topic == order.TopicEmailDeadLetters {
			e.Kind = eventDeadLetter
		}
	}
	return orderID, err
}
