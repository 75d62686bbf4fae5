package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/orderflow/orderflow/internal/inventory/ledger"
	"github.com/orderflow/orderflow/internal/order"
)

const (
	// historyMargin is how long before an order its payment may come and still be joined with it.
	historyMargin = time.Minute
	// historyReaders bounds how many histories are read at the same time: each reads
	// topics from when the order was submitted to their ends.
	historyReaders = 4
	// defaultHistoryTimeout is longer than that of other requests, for the same reason.
	defaultHistoryTimeout = 10 * time.Second
)

// eventKind says what a record tells of an order.
type eventKind string

const (
	eventOrder       eventKind = "ORDER"
	eventPayment     eventKind = "PAYMENT"
	eventReservation eventKind = "RESERVATION"
	eventCheck       eventKind = "CHECK"
	eventShipment    eventKind = "SHIPMENT"
	eventEmail       eventKind = "EMAIL"
	eventDeadLetter  eventKind = "EMAIL_DEAD_LETTER"
)

// event is one record about an order.
type event struct {
	Kind      eventKind `json:"kind"`
	Time      time.Time `json:"time"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	// Value is an order.Order, order.Payment, reservationEvent, checkEvent, shipmentEvent or emailEvent.
	Value any `json:"value"`
}

// reservationEvent is an entry of the stock ledger.
type reservationEvent struct {
	Entry    ledger.Kind `json:"entry"`
	OrderID  string      `json:"orderId"`
	Product  string      `json:"product"`
	Quantity int32       `json:"quantity"`
}

// checkEvent is the result of a check. That of the inventory says how many units were
// asked for and how many could be promised, when its writer told.
type checkEvent struct {
	order.Validation
	Asked     *int64 `json:"asked,omitempty"`
	Available *int64 `json:"available,omitempty"`
}

func (e checkEvent) stock() units {
	if e.Asked == nil || e.Available == nil {
		return units{}
	}
	return units{known: true, asked: *e.Asked, available: *e.Available}
}

// shipmentEvent is a request to ship; the first of an order counts.
type shipmentEvent struct {
	OrderID  string        `json:"orderId"`
	Product  order.Product `json:"product"`
	Quantity int32         `json:"quantity"`
}

// emailEvent is an entry of the e-mail ledger, or of its dead letters with a reason.
type emailEvent struct {
	OrderID   string `json:"orderId" avro:"orderId"`
	PaymentID string `json:"paymentId" avro:"paymentId"`
	MessageID string `json:"messageId" avro:"messageId"`
	Recipient string `json:"recipient" avro:"recipient"`
	Reason    string `json:"reason,omitempty" avro:"reason"`
	Attempts  int32  `json:"attempts,omitempty" avro:"attempts"`
}

// rank puts events of the same time into the order in which one causes the other.
func (e event) rank() int {
	switch v := e.Value.(type) {
	case order.Order:
		switch {
		case !v.State.Final():
			return 0
		case v.State == order.Shipped:
			return 6
		default:
			return 4
		}
	case order.Payment:
		return 1
	case reservationEvent:
		if v.Entry == ledger.ReserveRequest {
			return 2
		}
		return 7
	case checkEvent:
		return 3
	case shipmentEvent:
		return 5
	default:
		return 8
	}
}

func sortEvents(events []event) {
	slices.SortFunc(events, func(a, b event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
}

// History reads the records about orders from their topics.
type History interface {
	// Events hands over what was recorded about o since then, in no certain order. When
	// ctx ends first, it returns the context's error after what was found until then.
	Events(ctx context.Context, o order.Order, since time.Time, found func(event)) error
}

type historyJSON struct {
	Order    order.Order `json:"order"`
	Failures []failure   `json:"failures"`
	Events   []event     `json:"events"`
	// Complete is false when the time was over before all was read.
	Complete bool `json:"complete"`
}

// getHistory answers with everything that was recorded about an order.
func (h *handlers) getHistory(w http.ResponseWriter, r *http.Request) error {
	id, err := pathValue(r, "id")
	if err != nil {
		return err
	}
	timeout, err := millis(r, "timeout", defaultHistoryTimeout)
	if err != nil {
		return err
	}
	o, found, err := h.lookupOrder(r.Context(), id)
	if err != nil {
		return ofOrder(id, fmt.Errorf("looking up order %s: %w", id, err))
	}
	if !found {
		return unknownOrder(id)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	since, err := h.submittedAt(ctx, id)
	if err != nil && ctx.Err() == nil {
		return ofOrder(id, fmt.Errorf("looking up when order %s was submitted: %w", id, err))
	}
	answer := historyJSON{Order: o, Events: []event{}, Complete: true}
	if ctx.Err() == nil {
		select {
		case h.historySlots <- struct{}{}:
			err = h.history.Events(ctx, o, since, func(e event) { answer.Events = append(answer.Events, e) })
			<-h.historySlots
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	switch {
	case r.Context().Err() != nil:
		return r.Context().Err()
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		answer.Complete = false
	case err != nil:
		return ofOrder(id, fmt.Errorf("reading the history of order %s: %w", id, err))
	}
	sortEvents(answer.Events)
	answer.Failures = h.failures(o, answer.Events)
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// submittedAt returns from when on records are about an order: the zero time when only
// reading from the start finds them all.
func (h *handlers) submittedAt(ctx context.Context, id string) (time.Time, error) {
	at, times, err := h.store.Submitted(ctx, id)
	if arrived, ok := h.arrivals.get(id); ok && err == nil && times == 0 {
		at, times = arrived.at, 1
	}
	// Of an order that was submitted again the table knows the last time, not the first.
	if err != nil || times != 1 {
		return time.Time{}, err
	}
	return at.Add(-historyMargin), nil
}

// failures says of each check that did not pass why. The first result of a check counts.
func (h *handlers) failures(o order.Order, events []event) []failure {
	list := []failure{}
	seen := map[order.CheckType]bool{}
	for _, e := range events {
		v, ok := e.Value.(checkEvent)
		if !ok || seen[v.CheckType] {
			continue
		}
		seen[v.CheckType] = true
		if v.Result != order.Pass {
			list = append(list, failure{Check: v.CheckType, Result: v.Result, Detail: h.reason(o, v.CheckType, v.Result, v.stock())})
		}
	}
	return list
}
