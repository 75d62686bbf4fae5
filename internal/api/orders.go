package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// streamPath takes away the address of an order with the id "stream"; orderLocation has
// another for it.
const streamPath = "/v1/orders/stream"

func orderLocation(id string) string {
	location := "/v1/orders/" + url.PathEscape(id)
	if location == streamPath {
		return "/v1/orders/%73tream"
	}
	return location
}

// postOrder takes a new order. Its id is the idempotency key.
func (h *handlers) postOrder(w http.ResponseWriter, r *http.Request) error {
	received := h.stages.now()
	posted, err := readBody(w, r, maxBody, order.DecodeOrder)
	if err != nil {
		h.metrics.refused.Inc()
		return err
	}
	o, created, err := h.place(r.Context(), posted, received)
	var p *problem
	if err == nil || errors.As(err, &p) && p.Status == http.StatusConflict {
		w.Header().Set("Location", orderLocation(posted.ID))
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	writeJSON(w, status, o)
	return nil
}

// place writes an order unless its id is known, and returns the one that has the id. A
// problem says that another order has it.
func (h *handlers) place(ctx context.Context, o order.Order, received time.Time) (_ order.Order, created bool, err error) {
	defer h.orderLocks.lock(o.ID)()
	// It is asked before the order is looked up: what is settled by now is found there.
	if h.publisher.OrderUnsettled(o.ID) {
		return o, false, unavailable("Kafka has not answered yet whether an order with this id was written. Try again in a second.")
	}
	known, found, err := h.lookup(ctx, o.ID, true)
	if err != nil {
		return o, false, ofOrder(o.ID, fmt.Errorf("finding out whether order %s is known: %w", o.ID, err))
	}
	if found {
		if !known.SameContent(o) {
			return o, false, newProblem(http.StatusConflict, "An order with this id and other content is known; use another id.",
				order.FieldError{Pointer: "#/id", Detail: "is taken by an order with other content"})
		}
		return known, false, nil
	}
	ctx, span := h.traces.NewOrder(ctx, o.ID, "order received")
	err = h.publisher.PublishOrder(ctx, o)
	span.End(err)
	if err != nil {
		return o, false, ofOrder(o.ID, fmt.Errorf("taking order %s: %w", o.ID, err))
	}
	h.stages.acknowledged(o.ID, received)
	h.orders.put(o.ID, o)
	h.watch.tell(o)
	h.metrics.accepted.Inc()
	h.log.Debug("order taken", "order", o.ID, "customer", o.CustomerID)
	return o, true, nil
}

// getOrder waits until the order is known.
func (h *handlers) getOrder(w http.ResponseWriter, r *http.Request) error {
	id, o, found, err := h.await(r, func(order.Order) bool { return true })
	if err != nil {
		return err
	}
	if !found {
		return unknownOrder(id)
	}
	writeJSON(w, http.StatusOK, o)
	return nil
}

// getValidated waits until the order's checks are over.
func (h *handlers) getValidated(w http.ResponseWriter, r *http.Request) error {
	id, o, found, err := h.await(r, func(o order.Order) bool { return o.State.Final() })
	switch {
	case err != nil:
		return err
	case !found:
		return unknownOrder(id)
	case !o.State.Final():
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusAccepted, o)
	default:
		writeJSON(w, http.StatusOK, decidedJSON{Order: o, Failures: h.failuresNow(r.Context(), o)})
	}
	return nil
}

func unknownOrder(id string) *problem {
	return newProblem(http.StatusNotFound, fmt.Sprintf("No order with id %q is known.", id))
}

// lookupOrder returns what is known of an order: here, in ksqlDB, or in its topic. When it
// is not found without an error, it had not been taken by any instance when it was asked for.
func (h *handlers) lookupOrder(ctx context.Context, id string) (order.Order, bool, error) {
	return h.lookup(ctx, id, false)
}

// lookup is lookupOrder. Whoever expects that there is no such order gets that answer
// sooner, and the other at the price of a request to Kafka.
func (h *handlers) lookup(ctx context.Context, id string, expectNew bool) (order.Order, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	for {
		before := h.arrivals.mark(id, expectNew)
		inStore, ok, err := h.orderLookups.get(ctx, id)
		remembered, known := h.orders.get(id)
		o, ok := newerOrder(remembered, known, inStore, ok)
		if ok {
			return o, true, nil
		}
		if err != nil {
			arrived, ok := h.arrivals.get(id)
			if ok {
				return arrived.order, true, nil
			}
			return order.Order{}, false, err
		}
		if o, ok, err = h.arrivals.find(ctx, id, before); !errors.Is(err, errAskAgain) {
			return o, ok, err
		}
	}
}

// await returns the order as soon as it is known and done says that it is as wanted,
// or what is known of it when the request's timeout is over.
func (h *handlers) await(r *http.Request, done func(order.Order) bool) (id string, o order.Order, found bool, err error) {
	if id, err = pathValue(r, "id"); err != nil {
		return id, o, false, err
	}
	timeout, err := millis(r, "timeout", defaultTimeout)
	if err != nil {
		return id, o, false, err
	}
	waiter, cancel := h.watch.register(id)
	defer cancel()
	timer := time.NewTimer(timeout)
	defer timer.Stop()

	o, found, err = h.lookupOrder(r.Context(), id)
	for !found || !done(o) {
		select {
		case news := <-waiter.updates:
			if found {
				news = newer(o, news)
			}
			o, found, err = news, true, nil
			continue
		case <-timer.C:
		case <-r.Context().Done():
			err = errors.Join(err, r.Context().Err())
		}
		if found {
			return id, o, true, nil
		}
		if err != nil {
			err = ofOrder(id, fmt.Errorf("looking up order %s: %w", id, err))
		}
		return id, o, false, err
	}
	return id, o, true, nil
}
