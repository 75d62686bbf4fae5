package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// shipWait bounds how long an answer waits for ksqlDB to say that the order is SHIPPED.
const shipWait = 2 * time.Second

// postShip has a validated order shipped. It writes a shipment, of which ksqlDB takes the
// first of an order and makes the order SHIPPED; so repeating the request, here or at any
// instance, changes nothing. Since nothing but SHIPPED can come after VALIDATED, the answer
// is certain as soon as the shipment is acknowledged.
func (h *handlers) postShip(w http.ResponseWriter, r *http.Request) error {
	// Who asks may know from another instance that the order is validated.
	id, o, found, err := h.await(r, func(o order.Order) bool { return o.State.Final() })
	switch {
	case err != nil:
		return err
	case !found:
		return unknownOrder(id)
	}
	defer h.orderLocks.lock(id)()
	waiter, cancel := h.watch.register(id)
	defer cancel()
	latest, found, err := h.lookupOrder(r.Context(), id)
	if err != nil {
		return ofOrder(id, fmt.Errorf("looking up order %s: %w", id, err))
	}
	if found {
		o = newer(o, latest)
	}
	switch {
	case o.State == order.Shipped:
		writeJSON(w, http.StatusOK, o)
		return nil
	case o.State != order.Validated:
		return newProblem(http.StatusConflict, fmt.Sprintf("The order is %s; only a VALIDATED order can be shipped.", o.State))
	}
	ctx, span := h.traces.Order(r.Context(), id, "shipment requested", time.Time{})
	err = h.publisher.PublishShipment(ctx, order.ShipmentOf(o))
	span.End(err)
	if err != nil {
		return ofOrder(id, fmt.Errorf("shipping order %s: %w", id, err))
	}
	o.State = order.Shipped
	h.orders.put(id, o)
	h.metrics.shipped.Inc()
	h.log.Debug("order shipped", "order", id)
	if err := awaitShipped(r.Context(), waiter); err != nil {
		return err
	}
	h.watch.tell(o)
	writeJSON(w, http.StatusOK, o)
	return nil
}

// awaitShipped waits until every instance can see that the order is shipped, or shipWait is over.
func awaitShipped(ctx context.Context, wt *waiter) error {
	ctx, cancel := context.WithTimeoutCause(ctx, shipWait, errShipWait)
	defer cancel()
	for {
		select {
		case news := <-wt.updates:
			if news.State == order.Shipped {
				return nil
			}
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errShipWait) {
				return nil
			}
			return ctx.Err()
		}
	}
}

var errShipWait = errors.New("waited long enough for the order to be shipped")
