package email

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/mail"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/schemas"
)

// FuzzRecords makes e-mails of fuzzed values of emails.v1: what can be one is a
// message that any program reads, to the one address that it names; what can't is
// unreadable, and nothing else stops the service. In the ledger the same bytes are an
// entry or are passed over.
func FuzzRecords(f *testing.F) {
	text, err := schemas.Files.ReadFile(order.ValueSubject(order.TopicEmailLedger) + ".avsc")
	require.NoError(f, err)
	cfg := kafkatest.Start(f, 1, nil, map[string]string{
		order.ValueSubject(order.TopicEmails): emailsSchema, order.ValueSubject(order.TopicEmailLedger): string(text),
	})
	registry, err := kafka.NewRegistry(cfg)
	require.NoError(f, err)
	encoder, err := registry.Encoder(f.Context(), order.ValueSubject(order.TopicEmails))
	require.NoError(f, err)
	templates, err := LoadTemplates("")
	require.NoError(f, err)
	for _, po := range []paidOrder{
		paid("o-1", "p-1", "ann@example.com"), paid("", "", "a@b"), paid("o\r\nBcc: eve@example.com", "p", "x@y\r\nz"), paid("<b>", "{{.}}", "\"ä b\"@example.com"), {},
	} {
		value, err := encoder.Encode(po)
		require.NoError(f, err)
		f.Add(value[5:])
	}
	entryID, err := registry.LatestID(f.Context(), order.ValueSubject(order.TopicEmailLedger))
	require.NoError(f, err)
	service, err := New(Config{Kafka: cfg})
	require.NoError(f, err)
	f.Add(kafkatest.Encode(f, cfg, order.ValueSubject(order.TopicEmailLedger), entry{OrderID: "o-1", PaymentID: "p-1"})[5:])
	value, err := encoder.Encode(paidOrder{})
	require.NoError(f, err)
	id := binary.BigEndian.Uint32(value[1:])
	from, err := mail.ParseAddress("Shop <shop@example.com>")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := &worker{Service: service, known: map[key]struct{}{}}
		require.NoError(t, w.learn(&kgo.Record{Value: append(binary.BigEndian.AppendUint32([]byte{0}, uint32(entryID)), raw...)}))
		e, err := compose(t.Context(), registry, templates, append(binary.BigEndian.AppendUint32([]byte{0}, id), raw...))
		if err != nil {
			require.True(t, errors.Is(err, errUnreadable), "%v", err)
			return
		}
		require.NotEmpty(t, e.MessageID)
		message, err := encodeMessage(e, from, time.UnixMilli(0))
		require.NoError(t, err)
		read, err := mail.ReadMessage(bytes.NewReader(message))
		require.NoError(t, err, "%q", message)
		require.Len(t, read.Header["To"], 1)
		require.Empty(t, read.Header["Bcc"])
		require.Equal(t, e.MessageID, read.Header.Get("Message-Id"))
	})
}
