package api

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

// FuzzHistoryRecords reads fuzzed values of all topics that a history is made of: what
// is taken into one can be answered, and put in order.
func FuzzHistoryRecords(f *testing.F) {
	topics := []string{
		order.TopicOrders, order.TopicValidations, order.TopicPayments, order.TopicShipments, order.TopicInventoryLedger,
		order.TopicEmailLedger, order.TopicEmailDeadLetters,
	}
	subjects := map[string]string{}
	for _, topic := range topics {
		text, err := schemas.Files.ReadFile(order.ValueSubject(topic) + ".avsc")
		require.NoError(f, err)
		subjects[order.ValueSubject(topic)] = string(text)
	}
	cfg := kafkatest.Start(f, 1, nil, subjects)
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(f, err)
	ids := map[string]uint32{}
	sample := func(topic string, v any) {
		encoder, err := registry.Encoder(f.Context(), order.ValueSubject(topic))
		require.NoError(f, err)
		value, err := encoder.Encode(v)
		require.NoError(f, err)
		ids[topic] = binary.BigEndian.Uint32(value[1:])
		for i := range topics {
			f.Add(i, value[5:])
		}
	}
	source := map[string]any{"sourceTopic": "t", "sourcePartition": int32(0), "sourceOffset": int64(0)}
	with := func(fields map[string]any) map[string]any {
		for k, v := range source {
			fields[k] = v
		}
		return fields
	}
	strange := goodOrderValue
	strange.Price = math.NaN()
	sample(order.TopicOrders, strange)
	sample(order.TopicOrders, goodOrderValue)
	sample(order.TopicValidations, order.Validation{OrderID: "o-1", CheckType: order.FraudCheck, Result: order.Pass})
	sample(order.TopicPayments, order.Payment{ID: "p-1", OrderID: "o-1", Currency: "EUR", Amount: math.Inf(1)})
	sample(order.TopicShipments, order.ShipmentOf(goodOrderValue))
	sample(order.TopicInventoryLedger, with(map[string]any{"kind": "RELEASE", "product": "JUMPERS", "orderId": "o-1", "quantity": int32(1)}))
	mail := map[string]any{"orderId": "o-1", "paymentId": "p-1", "messageId": "<x>", "recipient": "a@b", "reason": "no", "attempts": int32(1)}
	sample(order.TopicEmailLedger, with(mail))
	sample(order.TopicEmailDeadLetters, with(mail))
	k, err := newKafkaHistory(cfg, registry, nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, topic int, raw []byte) {
		name := topics[max(topic, -topic, 0)%len(topics)]
		rec := &kgo.Record{Topic: name, Key: []byte("o-1"), Value: append(binary.BigEndian.AppendUint32([]byte{0}, ids[name]), raw...), Timestamp: time.UnixMilli(0)}
		if name == order.TopicInventoryLedger {
			rec.Key = []byte("JUMPERS")
		}
		e := event{Time: rec.Timestamp.UTC(), Topic: rec.Topic}
		if _, err := k.decode(t.Context(), rec, &e); err != nil {
			return
		}
		_, err := json.Marshal(e)
		require.NoError(t, err)
		sortEvents([]event{e, {Kind: eventOrder, Value: goodOrderValue}, e})
	})
}
