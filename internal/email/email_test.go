package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

// emailsSchema is what ksqlDB registers for the stream of e-mails.
const emailsSchema = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
 {"name":"ORDERID","type":["null","string"],"default":null},{"name":"PRODUCT","type":["null","string"],"default":null},
 {"name":"QUANTITY","type":["null","int"],"default":null},{"name":"PRICE","type":["null","double"],"default":null},
 {"name":"PAYMENTID","type":["null","string"],"default":null},{"name":"CCY","type":["null","string"],"default":null},
 {"name":"AMOUNT","type":["null","double"],"default":null},{"name":"FIRSTNAME","type":["null","string"],"default":null},
 {"name":"LASTNAME","type":["null","string"],"default":null},{"name":"EMAIL","type":["null","string"],"default":null},
 {"name":"ADDRESS","type":["null","string"],"default":null},{"name":"LEVEL","type":["null","string"],"default":null}]}`

// enrichedSchema is what ksqlDB registers for the stream of enriched orders, shortened.
const enrichedSchema = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
 {"name":"ID","type":["null","string"],"default":null},{"name":"FIRSTNAME","type":["null","string"],"default":null},
 {"name":"LEVEL","type":["null","string"],"default":null}]}`

// outbox is a Sender that keeps what was sent; fail makes it refuse the next ones.
type outbox struct {
	mu   sync.Mutex
	mail []Email
	fail int
}

func (o *outbox) Send(_ context.Context, e Email) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail > 0 {
		o.fail--
		return errors.New("the server is busy")
	}
	o.mail = append(o.mail, e)
	return nil
}

func (o *outbox) sent() []Email {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Email(nil), o.mail...)
}

func start(t *testing.T) kafka.Config {
	t.Helper()
	ledger, err := os.ReadFile("../../schemas/" + order.ValueSubject(order.TopicEmailLedger) + ".avsc")
	require.NoError(t, err)
	return kafkatest.Start(t, 4, []string{order.TopicEmails, order.TopicOrdersEnriched, order.TopicEmailLedger}, map[string]string{
		order.ValueSubject(order.TopicEmails):         emailsSchema,
		order.ValueSubject(order.TopicOrdersEnriched): enrichedSchema,
		order.ValueSubject(order.TopicEmailLedger):    string(ledger),
	})
}

func run(t *testing.T, cfg kafka.Config, group string, sender Sender) (stop func()) {
	t.Helper()
	s, err := New(Config{Kafka: cfg, Group: group, Sender: sender})
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

func p[T any](v T) *T { return &v }

func paid(orderID, paymentID, address string) paidOrder {
	return paidOrder{
		OrderID: p(orderID), Product: p("JUMPERS"), Quantity: p(int32(2)), Price: p(9.5), PaymentID: p(paymentID), Currency: p("EUR"),
		Amount: p(19.0), FirstName: p("Ann"), LastName: p("Able"), Email: p(address), Address: p("1 Main St"), Level: p("gold"),
	}
}

func record(t *testing.T, cfg kafka.Config, po paidOrder) *kgo.Record {
	t.Helper()
	return &kgo.Record{Topic: order.TopicEmails, Key: []byte{0, 0, 0, 0, 0, 0, 0, 1}, Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicEmails), po)}
}

func waitSent(t *testing.T, o *outbox, n int) []Email {
	t.Helper()
	require.Eventually(t, func() bool { return len(o.sent()) >= n }, 20*time.Second, time.Millisecond)
	return o.sent()
}

func waitLedger(t *testing.T, cfg kafka.Config, n int) []*kgo.Record {
	t.Helper()
	return kafkatest.Consume(t, cfg, order.TopicEmailLedger, func(r []*kgo.Record) bool { return len(r) >= n })
}

func TestOneEmailPerOrderAndPayment(t *testing.T) {
	cfg, box := start(t), &outbox{}
	run(t, cfg, "g", box)
	kafkatest.Produce(t, cfg,
		record(t, cfg, paid("o-1", "p-1", "ann@example.com")),
		record(t, cfg, paid("o-1", "p-1", "ann@example.com")),
		record(t, cfg, paid("o-1", "p-2", "ann@example.com")),
		record(t, cfg, paid("o-2", "p-3", "ann@example.com")),
	)
	mail := waitSent(t, box, 3)
	waitLedger(t, cfg, 3)
	require.Len(t, mail, 3)
	assert.Equal(t, Email{
		MessageID: MessageID("o-1", "p-1"), To: "ann@example.com", Subject: "Your order o-1 is paid", OrderID: "o-1", PaymentID: "p-1",
		Body: "Dear Ann Able,\n\nthank you for your payment of 19.00 EUR (p-1) for your order o-1:\n\n  2 x JUMPERS at 9.50 each\n\nWe send it to 1 Main St.\n",
	}, mail[0])
}

func TestWhatWasSentIsNotSentAgainAfterRestart(t *testing.T) {
	cfg, box := start(t), &outbox{}
	stop := run(t, cfg, "first", box)
	kafkatest.Produce(t, cfg, record(t, cfg, paid("o-1", "p-1", "ann@example.com")))
	waitLedger(t, cfg, 1)
	stop()
	// A group without offsets gets every record once more.
	run(t, cfg, "second", box)
	kafkatest.Produce(t, cfg, record(t, cfg, paid("o-2", "p-2", "ann@example.com")))
	mail := waitSent(t, box, 2)
	assert.Equal(t, []string{"o-1", "o-2"}, []string{mail[0].OrderID, mail[1].OrderID})
}

func TestFailedEmailsAreTriedAgain(t *testing.T) {
	cfg, box := start(t), &outbox{fail: 2}
	run(t, cfg, "g", box)
	var recs []*kgo.Record
	for i := range 3 {
		recs = append(recs, record(t, cfg, paid(fmt.Sprint("o-", i), "p", "ann@example.com")))
	}
	kafkatest.Produce(t, cfg, recs...)
	mail := waitSent(t, box, 3)
	waitLedger(t, cfg, 3)
	require.Len(t, mail, 3)
	assert.Equal(t, "o-0", mail[0].OrderID)
}

func TestRecordsThatAreNoEmailsArePassedOver(t *testing.T) {
	cfg, box := start(t), &outbox{}
	run(t, cfg, "g", box)
	kafkatest.Produce(t, cfg,
		&kgo.Record{Topic: order.TopicEmails, Value: []byte("{}")},
		&kgo.Record{Topic: order.TopicEmails},
		record(t, cfg, paidOrder{}),
		record(t, cfg, paid("o-1", "p-1", "nobody")),
		record(t, cfg, paid("o-1", "p-1", "a@b\r\nBcc: c@d")),
		record(t, cfg, paid("o-2", "p-2", "ann@example.com")),
	)
	waitLedger(t, cfg, 1)
	mail := box.sent()
	require.Len(t, mail, 1)
	assert.Equal(t, "o-2", mail[0].OrderID)
}

func TestOrdersOfUnknownCustomersAreCounted(t *testing.T) {
	cfg := start(t)
	reg := prometheus.NewRegistry()
	s, err := New(Config{Kafka: cfg, Metrics: reg})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for _, o := range []map[string]any{{"ID": "o-1", "FIRSTNAME": "Ann", "LEVEL": "gold"}, {"ID": "o-2", "FIRSTNAME": nil, "LEVEL": nil}} {
		kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrdersEnriched, Key: []byte{1},
			Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrdersEnriched), o)})
	}
	require.Eventually(t, func() bool {
		var m dto.Metric
		return s.unknownCustomer.Write(&m) == nil && m.GetCounter().GetValue() == 1
	}, 20*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

func TestMessageIDDependsOnOrderAndPaymentAlone(t *testing.T) {
	assert.Equal(t, MessageID("o", "p"), MessageID("o", "p"))
	assert.NotEqual(t, MessageID("ab", "c"), MessageID("a", "bc"))
	assert.Regexp(t, `^<[0-9a-f]{32}@orderflow>$`, MessageID("o", "p"))
}

func TestLogSender(t *testing.T) {
	var buf bytes.Buffer
	sender := LogSender{Logger: slog.New(slog.NewTextHandler(&buf, nil))}
	require.NoError(t, sender.Send(t.Context(), Email{MessageID: "<1@x>", To: "ann@example.com", Subject: "Hello", OrderID: "o-1"}))
	for _, want := range []string{"to=ann@example.com", "subject=Hello", `message_id=<1@x>`, "order=o-1"} {
		assert.Contains(t, buf.String(), want)
	}
}
