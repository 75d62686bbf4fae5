// Package email is the service that tells customers about their paid orders.
//
// It reads emails.v1, which ksqlDB fills with each paid order joined with its payment
// and its customer, hands one e-mail per (order, payment) to a Sender, and notes it in
// email-ledger.v1.
//
// Invariants:
//   - The Message-ID is made from order and payment alone, so a repeated e-mail can be
//     recognised wherever it arrives.
//   - An e-mail whose entry is in the ledger is not sent again. Between the Sender's
//     success and the entry's acknowledgement lies the only moment whose crash can
//     repeat one.
//   - An input record's offset is committed only after its e-mail's entry is in the ledger.
package email

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/orderflow/orderflow/internal/kafka"
)

// Email is one message to one customer.
type Email struct {
	// MessageID is the value of the Message-ID header, angle brackets included.
	MessageID string
	To        string
	Subject   string
	// Body is plain text with lines ending in \n.
	Body      string
	OrderID   string
	PaymentID string
}

// Sender delivers e-mails. When it returns nil the e-mail is on its way.
type Sender interface {
	Send(ctx context.Context, e Email) error
}

// LogSender is a Sender that writes each e-mail as a line into the log.
type LogSender struct{ Logger *slog.Logger }

// Send logs e.
func (s LogSender) Send(ctx context.Context, e Email) error {
	s.Logger.InfoContext(ctx, "e-mail", "to", e.To, "subject", e.Subject, "message_id", e.MessageID, "order", e.OrderID, "payment", e.PaymentID)
	return nil
}

// key identifies an e-mail: a digest of order and payment.
type key [sha256.Size]byte

func keyOf(orderID, paymentID string) key {
	// The length keeps ("ab", "c") and ("a", "bc") apart.
	data := binary.BigEndian.AppendUint64(nil, uint64(len(orderID)))
	return sha256.Sum256(append(append(data, orderID...), paymentID...))
}

// MessageID returns the Message-ID of the e-mail about a payment for an order. It is
// the same whenever and wherever it is asked for.
func MessageID(orderID, paymentID string) string {
	k := keyOf(orderID, paymentID)
	return "<" + hex.EncodeToString(k[:16]) + "@orderflow>"
}

// paidOrder is a value of emails.v1 as ksqlDB writes it. Every column may be null.
type paidOrder struct {
	OrderID   *string  `avro:"ORDERID"`
	Product   *string  `avro:"PRODUCT"`
	Quantity  *int32   `avro:"QUANTITY"`
	Price     *float64 `avro:"PRICE"`
	PaymentID *string  `avro:"PAYMENTID"`
	Currency  *string  `avro:"CCY"`
	Amount    *float64 `avro:"AMOUNT"`
	FirstName *string  `avro:"FIRSTNAME"`
	LastName  *string  `avro:"LASTNAME"`
	Email     *string  `avro:"EMAIL"`
	Address   *string  `avro:"ADDRESS"`
	Level     *string  `avro:"LEVEL"`
}

// errUnreadable wraps why a record is not what its topic should hold, and never will be.
var errUnreadable = errors.New("the record makes no sense")

// decode reads a value. The error is errUnreadable when that will never succeed.
func decode(ctx context.Context, registry *kafka.Registry, value []byte, out any) error {
	err := registry.Decode(ctx, value, out)
	if err == nil || errors.Is(err, kafka.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errUnreadable, err)
}

// compose makes an e-mail of a value of emails.v1. The error is errUnreadable for a
// value that never will be one.
func compose(ctx context.Context, registry *kafka.Registry, value []byte) (Email, error) {
	var p paidOrder
	if err := decode(ctx, registry, value, &p); err != nil {
		return Email{}, err
	}
	switch {
	case p.OrderID == nil || p.PaymentID == nil:
		return Email{}, fmt.Errorf("%w: it has no order or no payment", errUnreadable)
	case p.Email == nil || !strings.Contains(*p.Email, "@"):
		return Email{}, fmt.Errorf("%w: order %s has no e-mail address", errUnreadable, *p.OrderID)
	case strings.ContainsAny(*p.Email, "\r\n"):
		return Email{}, fmt.Errorf("%w: the e-mail address of order %s has a line break", errUnreadable, *p.OrderID)
	}
	return Email{
		MessageID: MessageID(*p.OrderID, *p.PaymentID),
		To:        *p.Email,
		Subject:   fmt.Sprintf("Your order %s is paid", *p.OrderID),
		Body:      body(p),
		OrderID:   *p.OrderID,
		PaymentID: *p.PaymentID,
	}, nil
}

func body(p paidOrder) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Dear %s,\n\nthank you for your payment of %.2f %s (%s) for your order %s:\n\n",
		strings.TrimSpace(value(p.FirstName)+" "+value(p.LastName)), value(p.Amount), value(p.Currency), *p.PaymentID, *p.OrderID)
	fmt.Fprintf(&b, "  %d x %s at %.2f each\n\n", value(p.Quantity), value(p.Product), value(p.Price))
	fmt.Fprintf(&b, "We send it to %s.\n", value(p.Address))
	return b.String()
}

// value returns what p points to, or the zero value for a null column.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
