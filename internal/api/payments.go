package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// postPayment takes a payment. Its id is the idempotency key.
func (h *handlers) postPayment(w http.ResponseWriter, r *http.Request) error {
	p, err := readBody(w, r, maxBody, order.DecodePayment)
	if err != nil {
		return err
	}
	defer h.paymentLocks.lock(p.ID)()
	if h.publisher.PaymentUnsettled(p.ID) {
		return unavailable("Kafka has not answered yet whether a payment with this id was written. Try again in a second.")
	}
	known, found, err := h.lookupPayment(r.Context(), p.ID)
	if err != nil {
		return ofOrder(p.OrderID, fmt.Errorf("finding out whether payment %s is known: %w", p.ID, err))
	}
	if found {
		if known != p {
			return newProblem(http.StatusConflict, "A payment with this id and other content is known; use another id.",
				order.FieldError{Pointer: "#/id", Detail: "is taken by a payment with other content"})
		}
		writeJSON(w, http.StatusOK, known)
		return nil
	}
	ctx, span := h.traces.Order(r.Context(), p.OrderID, "payment received", time.Time{})
	err = h.publisher.PublishPayment(ctx, p, func() { h.payments.put(p.ID, p) })
	span.End(err)
	if err != nil {
		return ofOrder(p.OrderID, fmt.Errorf("taking payment %s: %w", p.ID, err))
	}
	h.metrics.payments.Inc()
	h.log.Debug("payment taken", "payment", p.ID, "order", p.OrderID)
	writeJSON(w, http.StatusCreated, p)
	return nil
}

func (h *handlers) lookupPayment(ctx context.Context, id string) (order.Payment, bool, error) {
	if p, ok := h.payments.get(id); ok {
		return p, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	p, found, err := h.paymentLookups.get(ctx, id)
	if found {
		return p, true, nil
	}
	return order.Payment{}, false, err
}
