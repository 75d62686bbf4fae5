package email

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/order"
)

// deadLetter is a value of email-dead-letters.v1.
type deadLetter struct {
	OrderID         string `avro:"orderId"`
	PaymentID       string `avro:"paymentId"`
	MessageID       string `avro:"messageId"`
	Recipient       string `avro:"recipient"`
	Reason          string `avro:"reason"`
	Attempts        int32  `avro:"attempts"`
	SourceTopic     string `avro:"sourceTopic"`
	SourcePartition int32  `avro:"sourcePartition"`
	SourceOffset    int64  `avro:"sourceOffset"`
}

// maxReason bounds the text of why, in bytes: what it quotes may be as large as a record.
const maxReason = 4 << 10

// bury notes that the e-mail of a record is given up.
func (w *worker) bury(ctx context.Context, rec *kgo.Record, e Email, attempts int, reason error) error {
	value, err := w.letters.Encode(deadLetter{
		OrderID: e.OrderID, PaymentID: e.PaymentID, MessageID: e.MessageID, Recipient: e.To, Reason: kafka.Shorten(reason.Error(), maxReason), Attempts: int32(attempts),
		SourceTopic: rec.Topic, SourcePartition: rec.Partition, SourceOffset: rec.Offset,
	})
	if err != nil {
		return err
	}
	if err := w.write(ctx, order.TopicEmailDeadLetters, e.OrderID, value); err != nil {
		return err
	}
	w.dead.Inc()
	w.log.Warn("an e-mail is given up", "order", e.OrderID, "payment", e.PaymentID, "attempts", attempts, "reason", reason,
		"topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset)
	return nil
}

// send tries to send an e-mail until it is sent, refused for good, or refused as often
// as is allowed; with growing pauses. When the mail server cannot be used at all, it
// tries until ctx or the service ends.
func (w *worker) send(ctx context.Context, e Email) (attempts int, err error) {
	pause := w.cfg.Backoff
	for refusals := 0; ; {
		attempts++
		// Whoever has the partitions by now sends it.
		if err := w.group.Confirm(ctx); err != nil {
			return attempts, err
		}
		err := w.sender.Send(ctx, e)
		if err == nil {
			return attempts, nil
		}
		w.failed.Inc()
		var refused *RefusedError
		if errors.As(err, &refused) {
			refusals++
			if !refused.Temporary || refusals >= w.cfg.Attempts {
				return attempts, err
			}
		}
		w.log.Warn("sending an e-mail failed, trying again", "order", e.OrderID, "payment", e.PaymentID, "attempt", attempts, "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return attempts, fmt.Errorf("giving up for now after %d attempts: %w", attempts, unavailable(err))
		case <-w.stopping:
			timer.Stop()
			return attempts, fmt.Errorf("stopping after %d attempts: %w", attempts, unavailable(err))
		}
		pause = min(2*pause, longestBackoff)
	}
}

// unavailable makes of a refusal an error that says nothing final about the e-mail.
func unavailable(err error) error { return errors.New(err.Error()) }
