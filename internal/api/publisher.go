package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// publishTimeout bounds how long a record may wait for its acknowledgement. A
// request answered 503 after it may still have been written; repeating it is safe.
const publishTimeout = 10 * time.Second

// publishMargin is what the client gets on top to say by itself that a record was given up.
// One that it sent without an answer it never gives up, since it may have been written.
const publishMargin = time.Second

var errUnsettled = errors.New("the record was sent, and Kafka has not answered yet")

// Publisher writes records and returns once the broker has acknowledged them.
type Publisher interface {
	PublishOrder(ctx context.Context, o order.Order) error
	// OrderUnsettled reports whether a record with this id may still be written, although
	// PublishOrder gave it up.
	OrderUnsettled(id string) bool
	// PublishPayment calls acknowledged once the record is written, perhaps after it was given up.
	PublishPayment(ctx context.Context, p order.Payment, acknowledged func()) error
	// PaymentUnsettled is OrderUnsettled for payments.
	PaymentUnsettled(id string) bool
	PublishShipment(ctx context.Context, s order.Shipment) error
	// PublishStock writes how many units of a product lie in the warehouse and says
	// which record that was.
	PublishStock(ctx context.Context, product order.Product, units int32) (ledger.Source, error)
}

// avroTopics are written with the schemas of the registry.
var avroTopics = []string{order.TopicOrders, order.TopicPayments, order.TopicShipments}

// kafkaPublisher is a Publisher over the Kafka protocol.
type kafkaPublisher struct {
	client   *kgo.Client
	registry *kafka.Registry
	timeout  time.Duration // publishTimeout

	mu       sync.Mutex
	encoders map[string]*kafka.Encoder // by topic; guarded by mu
	open     map[recordKey]int         // records that are not settled; guarded by mu
}

type recordKey struct{ topic, key string }

func newKafkaPublisher(cfg kafka.Config) (*kafkaPublisher, error) {
	registry, err := kafka.NewRegistry(cfg)
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewClient(cfg, kgo.RecordDeliveryTimeout(publishTimeout))
	if err != nil {
		return nil, err
	}
	return &kafkaPublisher{
		client: client, registry: registry, timeout: publishTimeout,
		encoders: map[string]*kafka.Encoder{}, open: map[recordKey]int{},
	}, nil
}

func (p *kafkaPublisher) close() { p.client.Close() }

// prepare fetches the schemas, again and again until they are there or ctx ends.
func (p *kafkaPublisher) prepare(ctx context.Context, log *slog.Logger) {
	kafka.Keep(ctx, log, "fetching the schemas", func(ctx context.Context, _ func()) error {
		for _, topic := range avroTopics {
			if _, err := p.encoder(ctx, topic); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *kafkaPublisher) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.encoders) == len(avroTopics)
}

func (p *kafkaPublisher) encoder(ctx context.Context, topic string) (*kafka.Encoder, error) {
	p.mu.Lock()
	enc := p.encoders[topic]
	p.mu.Unlock()
	if enc != nil {
		return enc, nil
	}
	enc, err := p.registry.Encoder(ctx, order.ValueSubject(topic))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.encoders[topic] = enc
	return enc, nil
}

func (p *kafkaPublisher) PublishOrder(ctx context.Context, o order.Order) error {
	return p.publishAvro(ctx, order.TopicOrders, o.ID, o, nil)
}

// orderEnd returns where a partition of the topic of orders ends.
func (p *kafkaPublisher) orderEnd(ctx context.Context, partition int32) (int64, error) {
	return kafka.End(ctx, p.client, order.TopicOrders, partition)
}

func (p *kafkaPublisher) PublishPayment(ctx context.Context, pay order.Payment, acknowledged func()) error {
	return p.publishAvro(ctx, order.TopicPayments, pay.ID, pay, acknowledged)
}

func (p *kafkaPublisher) PublishShipment(ctx context.Context, s order.Shipment) error {
	return p.publishAvro(ctx, order.TopicShipments, s.OrderID, s, nil)
}

func (p *kafkaPublisher) PublishStock(ctx context.Context, product order.Product, units int32) (ledger.Source, error) {
	value := binary.BigEndian.AppendUint32(nil, uint32(units))
	rec, err := p.publish(ctx, order.TopicWarehouseInventory, string(product), value, nil)
	if err != nil {
		return ledger.Source{}, err
	}
	return ledger.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}, nil
}

func (p *kafkaPublisher) publishAvro(ctx context.Context, topic, key string, v any, acknowledged func()) error {
	enc, err := p.encoder(ctx, topic)
	if err != nil {
		return err
	}
	value, err := enc.Encode(v)
	if err != nil {
		return err
	}
	_, err = p.publish(ctx, topic, key, value, acknowledged)
	return err
}

// publish does not end with the request: a record half under way would leave it
// unknown whether the id is taken. acknowledged, unless it is nil, is called before the
// record counts as settled.
func (p *kafkaPublisher) publish(ctx context.Context, topic, key string, value []byte, acknowledged func()) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	type outcome struct {
		rec *kgo.Record
		err error
	}
	settled := make(chan outcome, 1)
	p.count(recordKey{topic, key}, 1)
	p.client.Produce(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: value}, func(rec *kgo.Record, err error) {
		if err == nil && acknowledged != nil {
			acknowledged()
		}
		p.count(recordKey{topic, key}, -1)
		settled <- outcome{rec, err}
	})
	late := time.NewTimer(p.timeout + publishMargin)
	defer late.Stop()
	var is outcome
	select {
	case is = <-settled:
	case <-late.C:
		is.err = errUnsettled
	}
	if is.err != nil {
		return nil, fmt.Errorf("writing to %s: %w", topic, is.err)
	}
	return is.rec, nil
}

// count notes records that begin to be written, or are settled.
func (p *kafkaPublisher) count(of recordKey, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[of] += n; p.open[of] == 0 {
		delete(p.open, of)
	}
}

func (p *kafkaPublisher) OrderUnsettled(id string) bool {
	return p.unsettled(recordKey{order.TopicOrders, id})
}

func (p *kafkaPublisher) PaymentUnsettled(id string) bool {
	return p.unsettled(recordKey{order.TopicPayments, id})
}

func (p *kafkaPublisher) unsettled(record recordKey) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[record] > 0
}
