package email

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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
	"github.com/orderflow/orderflow/schemas"
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

// outbox is a Sender that keeps what was sent; fail makes the next ones fail, refuse
// says what becomes of those to an address.
type outbox struct {
	mu     sync.Mutex
	mail   []Email
	fail   int
	refuse map[string]error
}

func (o *outbox) Send(_ context.Context, e Email) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail > 0 {
		o.fail--
		return errors.New("the server is away")
	}
	if err := o.refuse[e.To]; err != nil {
		return err
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
	subjects := map[string]string{
		order.ValueSubject(order.TopicEmails):         emailsSchema,
		order.ValueSubject(order.TopicOrdersEnriched): enrichedSchema,
	}
	for _, topic := range []string{order.TopicEmailLedger, order.TopicEmailDeadLetters} {
		schema, err := schemas.Files.ReadFile(order.ValueSubject(topic) + ".avsc")
		require.NoError(t, err)
		subjects[order.ValueSubject(topic)] = string(schema)
	}
	return kafkatest.Start(t, 4, []string{order.TopicEmails, order.TopicOrdersEnriched, order.TopicEmailLedger, order.TopicEmailDeadLetters}, subjects)
}

func run(t *testing.T, cfg kafka.Config, group string, sender Sender) (stop func()) {
	t.Helper()
	s, err := New(Config{Kafka: cfg, Group: group, Sender: sender, Backoff: time.Millisecond})
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
	assert.Contains(t, mail[0].HTML, "<strong>19.00 EUR</strong>")
	mail[0].HTML = ""
	assert.Equal(t, Email{
		MessageID: MessageID("o-1", "p-1"), To: "ann@example.com", Subject: "Your order o-1 is paid", OrderID: "o-1", PaymentID: "p-1",
		Text: "Dear Ann Able,\n\nthank you for your payment of 19.00 EUR (p-1) for your order o-1:\n\n  2 x JUMPERS at 9.50 each\n\nWe send it to 1 Main St.\n",
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

func waitDeadLetters(t *testing.T, cfg kafka.Config, n int) []deadLetter {
	t.Helper()
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	var letters []deadLetter
	for _, rec := range kafkatest.Consume(t, cfg, order.TopicEmailDeadLetters, func(r []*kgo.Record) bool { return len(r) >= n }) {
		var l deadLetter
		require.NoError(t, registry.Decode(t.Context(), rec.Value, &l))
		assert.Equal(t, l.OrderID, string(rec.Key))
		letters = append(letters, l)
	}
	slices.SortFunc(letters, func(a, b deadLetter) int { return cmp.Compare(a.SourceOffset, b.SourceOffset) })
	return letters
}

func TestRefusedEmailsBecomeDeadLetters(t *testing.T) {
	cfg := start(t)
	box := &outbox{refuse: map[string]error{
		"full@example.com": &RefusedError{Temporary: true, Err: errors.New("452 mailbox full")},
		"gone@example.com": &RefusedError{Err: errors.New("550 no such user")},
	}}
	run(t, cfg, "g", box)
	kafkatest.Produce(t, cfg,
		record(t, cfg, paid("o-1", "p-1", "full@example.com")),
		record(t, cfg, paid("o-2", "p-2", "gone@example.com")),
		record(t, cfg, paid("o-3", "p-3", "ann@example.com")),
	)
	letters := waitDeadLetters(t, cfg, 2)
	require.Len(t, letters, 2)
	assert.Equal(t, deadLetter{
		OrderID: "o-1", PaymentID: "p-1", MessageID: MessageID("o-1", "p-1"), Recipient: "full@example.com",
		Reason: "the e-mail is refused: 452 mailbox full", Attempts: 5, SourceTopic: order.TopicEmails, SourcePartition: letters[0].SourcePartition,
	}, letters[0])
	assert.Equal(t, "o-2", letters[1].OrderID)
	assert.EqualValues(t, 1, letters[1].Attempts, "what is refused for good is not tried again")
	mail := waitSent(t, box, 1)
	assert.Equal(t, "o-3", mail[0].OrderID)
}

func TestServiceStopsWhileTheMailServerIsAway(t *testing.T) {
	cfg, box := start(t), &outbox{fail: 1 << 30}
	stop := run(t, cfg, "g", box)
	kafkatest.Produce(t, cfg, record(t, cfg, paid("o-1", "p-1", "ann@example.com")))
	require.Eventually(t, func() bool { box.mu.Lock(); defer box.mu.Unlock(); return box.fail < 1<<30 }, 20*time.Second, time.Millisecond)
	stop()
	box.mu.Lock()
	box.fail = 0
	box.mu.Unlock()
	run(t, cfg, "g", box)
	assert.Equal(t, "o-1", waitSent(t, box, 1)[0].OrderID)
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
	letters := waitDeadLetters(t, cfg, 5)
	require.Len(t, letters, 5)
	i := slices.IndexFunc(letters, func(l deadLetter) bool { return strings.Contains(l.Reason, "order o-1 has no e-mail address") })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, "p-1", letters[i].PaymentID)
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
