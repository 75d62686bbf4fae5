package email

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	dto "github.com/prometheus/client_model/go"

	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

// startServers runs the embedded broker and registry with the topics that the service uses.
func startServers(t *testing.T) kafka.Config {
	t.Helper()
	cfg := embeddedtest.Start(t)
	embeddedtest.ApplyTopics(t, cfg)
	for topic, text := range map[string]string{order.TopicEmails: emailsSchema, order.TopicOrdersEnriched: enrichedSchema} {
		embeddedtest.CreateTopic(t, cfg, topic)
		embeddedtest.CreateSchema(t, cfg, order.ValueSubject(topic), sr.Schema{Schema: text})
	}
	embeddedtest.CreateSchema(t, cfg, "text", sr.Schema{Schema: `"string"`})
	return cfg
}

// Rubbish comes into all topics of the service amid the work of two instances, of which
// one stops and another comes: each e-mail is sent once.
func TestRubbishIsPassedOverAndNoEmailIsSentTwice(t *testing.T) {
	cfg, box := startServers(t), &outbox{}
	ids, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	entryID, err := ids.LatestID(t.Context(), order.ValueSubject(order.TopicEmailLedger))
	require.NoError(t, err)
	of := func(id int, payload ...byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), payload...)
	}
	huge := paid(strings.Repeat("o", 300<<10), "p", "ann@example.com")
	rubbish := [][]byte{
		nil, {}, []byte("rubbish"), of(0, 1), of(1<<31, 1), kafkatest.Encode(t, cfg, "text", "o-1"), of(entryID), of(entryID, 2, 'o'),
		of(entryID, make([]byte, 8)...), record(t, cfg, paid("o-0-1", "p", "ann@example.com")).Value,
	}
	var values []*kgo.Record
	for _, v := range rubbish {
		values = append(values, &kgo.Record{Topic: order.TopicEmailLedger, Key: []byte("o"), Value: v})
		if len(v) < 100 { // the last one is an e-mail
			values = append(values, &kgo.Record{Topic: order.TopicEmails, Key: []byte("o"), Value: v}, &kgo.Record{Topic: order.TopicOrdersEnriched, Value: v})
		}
	}
	values = append(values, record(t, cfg, huge))
	litter := func() {
		for _, rec := range values {
			again := *rec
			kafkatest.Produce(t, cfg, &again)
		}
	}
	const each = 40
	pay := func(round int) {
		for i := range each {
			rec := record(t, cfg, paid(fmt.Sprintf("o-%d-%d", round, i), "p", "ann@example.com"))
			rec.Key = []byte{0, 0, 0, 0, 0, 0, 0, byte(i)}
			again := *rec
			kafkatest.Produce(t, cfg, rec, &again)
			if i == each/2 {
				litter()
			}
		}
	}
	litter()
	stop := run(t, cfg, "g", box)
	run(t, cfg, "g", box)
	pay(0)
	stop()
	pay(1)
	run(t, cfg, "g", box)
	pay(2)
	// A group without offsets gets all records once more.
	require.Eventually(t, func() bool { return len(box.sent()) >= 3*each }, 30*time.Second, 5*time.Millisecond)
	last := record(t, cfg, paid("last", "p", "ann@example.com"))
	kafkatest.Produce(t, cfg, last)
	require.Eventually(t, func() bool { return box.sent()[len(box.sent())-1].OrderID == "last" }, 30*time.Second, 5*time.Millisecond)
	count := map[string]int{}
	for _, e := range box.sent() {
		count[e.OrderID]++
	}
	assert.Len(t, count, 3*each+1)
	for id, n := range count {
		assert.Equal(t, 1, n, id)
	}
}

func TestTheServiceStandsStillBehindAnEntryOfANewerVersion(t *testing.T) {
	cfg := startServers(t)
	ids, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	text, err := schemas.Files.ReadFile(order.ValueSubject(order.TopicEmailLedger) + ".avsc")
	require.NoError(t, err)
	_, err = ids.Client().CreateSchema(t.Context(), "later", sr.Schema{Schema: strings.Replace(string(text), `{"name": "paymentId", "type": "string"}`, `{"name": "payment", "type": "string"}`, 1)})
	require.NoError(t, err)
	newer := &kgo.Record{Topic: order.TopicEmailLedger, Key: []byte("o"), Value: kafkatest.Encode(t, cfg, "later", map[string]any{
		"orderId": "o-1", "payment": "p-1", "messageId": "m", "recipient": "r", "sourceTopic": "t", "sourcePartition": int32(0), "sourceOffset": int64(0),
	})}
	rubbish := &kgo.Record{Topic: order.TopicEmailLedger, Value: []byte("rubbish"), Partition: newer.Partition}
	kafkatest.Produce(t, cfg, rubbish, newer, record(t, cfg, paid("o-1", "p-1", "ann@example.com")))
	box := &outbox{}
	s, err := New(Config{Kafka: cfg, Group: "g", Sender: box})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	where := fmt.Sprintf("reading %s partition %d offset %d", order.TopicEmailLedger, newer.Partition, newer.Offset)
	require.Eventually(t, func() bool {
		results, _ := s.cfg.Health.Results()
		return strings.Contains(results[0].Error, where) && strings.Contains(results[0].Error, "run that version")
	}, 20*time.Second, time.Millisecond)
	assert.False(t, s.Ready())
	cancel()
	require.NoError(t, <-done)
	assert.Empty(t, box.sent())
	var m dto.Metric
	require.NoError(t, s.skipped.WithLabelValues(order.TopicEmails).Write(&m))
	assert.Zero(t, m.GetCounter().GetValue())
}
