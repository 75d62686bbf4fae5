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
//     repeat one: right before each attempt the group confirms that the partition has
//     not been given to another instance.
//   - An input record's offset is committed only after its e-mail's entry, or its dead
//     letter, is written. While the way to the mail server is broken, e-mails wait.
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
	// Text is the message as plain text with lines ending in \n, HTML the same as a page.
	Text      string
	HTML      string
	OrderID   string
	PaymentID string
}

// Sender delivers e-mails. When it returns nil the e-mail is on its way. A
// RefusedError is about this e-mail; any other error is about the way to send any, and
// the same e-mail is tried until it is gone.
type Sender interface {
	Send(ctx context.Context, e Email) error
}

// RefusedError says that a server will not take an e-mail.
type RefusedError struct {
	// Temporary reports whether the server may take it later.
	Temporary bool
	Err       error
}

func (e *RefusedError) Error() string { return "the e-mail is refused: " + e.Err.Error() }

// Unwrap returns what the server said.
func (e *RefusedError) Unwrap() error { return e.Err }

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

// maxName bounds the length of ids and addresses in bytes; the API takes much less.
const maxName = 64 << 10

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
// value that never will be one; it comes with what is known of the e-mail.
func compose(ctx context.Context, registry *kafka.Registry, templates *Templates, raw []byte) (Email, error) {
	var p paidOrder
	if err := decode(ctx, registry, raw, &p); err != nil {
		return Email{}, err
	}
	// An entry of the ledger has them all and must fit into a record, or the e-mail would be
	// sent again and again.
	if len(value(p.OrderID)) > maxName || len(value(p.PaymentID)) > maxName || len(value(p.Email)) > maxName {
		return Email{}, fmt.Errorf("%w: its order, payment or address is longer than %d bytes", errUnreadable, maxName)
	}
	if p.OrderID == nil || p.PaymentID == nil {
		return Email{}, fmt.Errorf("%w: it has no order or no payment", errUnreadable)
	}
	e := Email{MessageID: MessageID(*p.OrderID, *p.PaymentID), To: value(p.Email), OrderID: *p.OrderID, PaymentID: *p.PaymentID}
	switch {
	case !strings.Contains(e.To, "@"):
		return e, fmt.Errorf("%w: order %s has no e-mail address", errUnreadable, e.OrderID)
	case strings.ContainsAny(e.To, "\r\n"):
		return e, fmt.Errorf("%w: the e-mail address of order %s has a line break", errUnreadable, e.OrderID)
	}
	c, err := templates.render(p.data())
	if err != nil {
		return e, fmt.Errorf("%w: the template fails on order %s: %w", errUnreadable, e.OrderID, err)
	}
	e.Subject, e.Text, e.HTML = c.subject, c.text, c.html
	return e, nil
}

func (p paidOrder) data() Data {
	return Data{
		OrderID: value(p.OrderID), PaymentID: value(p.PaymentID), Product: value(p.Product), Quantity: value(p.Quantity), Price: value(p.Price),
		Amount: value(p.Amount), Currency: value(p.Currency), Name: strings.TrimSpace(value(p.FirstName) + " " + value(p.LastName)),
		FirstName: value(p.FirstName), LastName: value(p.LastName), Address: value(p.Address), Level: value(p.Level),
	}
}

// value returns what p points to, or the zero value for a null column.
func value[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
