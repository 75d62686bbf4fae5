package email

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
)

// Instances come and go while e-mails are sent, and every record comes twice: each
// order and payment gets one e-mail all the same.
func TestInstancesShareTheEmails(t *testing.T) {
	const each, batches = 60, 4
	cfg, box := start(t), &outbox{}
	send := func(batch int) {
		var records []*kgo.Record
		for i := range each {
			rec := record(t, cfg, paid(fmt.Sprintf("o-%d-%d", batch, i), "p", "ann@example.com"))
			rec.Key = []byte{0, 0, 0, 0, 0, 0, 0, byte(i)} // customers are in all partitions
			again := *rec
			records = append(records, rec, &again)
		}
		kafkatest.Produce(t, cfg, records...)
	}
	first := run(t, cfg, "g", box)
	send(0)
	second := run(t, cfg, "g", box)
	send(1)
	first()
	send(2)
	run(t, cfg, "g", box)
	send(3)
	second()

	sent := map[string]int{}
	require.Eventually(t, func() bool {
		clear(sent)
		for _, e := range box.sent() {
			sent[e.OrderID]++
			require.Equal(t, MessageID(e.OrderID, e.PaymentID), e.MessageID)
		}
		return len(sent) == each*batches
	}, 30*time.Second, 5*time.Millisecond)
	waitLedger(t, cfg, each*batches)
	kafkatest.Produce(t, cfg, record(t, cfg, paid("last", "p", "ann@example.com")))
	require.Eventually(t, func() bool { return box.sent()[len(box.sent())-1].OrderID == "last" }, 30*time.Second, 5*time.Millisecond)
	for id, n := range sent {
		assert.Equal(t, 1, n, id)
	}
	assert.Len(t, waitLedger(t, cfg, each*batches+1), each*batches+1, "%s has one entry each", order.TopicEmailLedger)
}
