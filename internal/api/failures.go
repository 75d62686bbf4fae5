package api

import (
	"context"
	"fmt"
	"time"

	"github.com/orderflow/orderflow/internal/order"
)

// failuresTimeout bounds how long a decision waits for its reasons.
const failuresTimeout = time.Second

// failure says why a check did not pass.
type failure struct {
	Check  order.CheckType `json:"check"`
	Result order.Result    `json:"result"`
	Detail string          `json:"detail"`
}

// decidedJSON is an order whose checks are over; of one that failed, with the reasons.
type decidedJSON struct {
	order.Order
	Failures []failure `json:"failures,omitempty"`
}

// units is what the stock was when an order asked for it. The zero value is not known.
type units struct {
	known            bool
	asked, available int64
}

// failuresNow says of a failed order which checks did not pass until now, and why. They
// are the ones that ksqlDB decided by. When they cannot be found out, the state is answered
// without them, and the log has the cause.
func (h *handlers) failuresNow(ctx context.Context, o order.Order) []failure {
	if o.State != order.Failed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, failuresTimeout)
	defer cancel()
	results, err := h.store.Checks(ctx, o.ID)
	if err != nil {
		h.log.Warn("answering a failed order without its reasons", "order", o.ID, "error", err)
		return nil
	}
	var list []failure
	for _, check := range []order.CheckType{order.InventoryCheck, order.FraudCheck, order.OrderDetailsCheck} {
		if result := results[check]; result != "" && result != order.Pass {
			list = append(list, failure{Check: check, Result: result, Detail: h.reason(o, check, result, units{})})
		}
	}
	return list
}

// reason says why a check came to its result. When the record of the check did not tell
// what the stock was, the ledger does.
func (h *handlers) reason(o order.Order, check order.CheckType, result order.Result, stock units) string {
	switch {
	case result != order.Fail:
		return "The check did not come to a result."
	case check == order.FraudCheck:
		return "The customer's orders of one session, which ends after an hour without an order, come to 2000 or more."
	case check == order.InventoryCheck && o.Quantity > 0:
		if !stock.known {
			r, ok := h.stock.Reservation(o.ID)
			stock = units{known: ok, asked: int64(r.Quantity), available: r.Available}
		}
		if !stock.known {
			return fmt.Sprintf("%d units of %s could not be reserved.", o.Quantity, o.Product)
		}
		return fmt.Sprintf("%d units of %s were asked for, %d were available.", stock.asked, o.Product, stock.available)
	case o.Quantity <= 0:
		return fmt.Sprintf("The quantity is %d; at least 1 must be ordered.", o.Quantity)
	case o.Price < 0:
		return fmt.Sprintf("The price is %v; it must not be negative.", o.Price)
	default:
		return fmt.Sprintf("The product %s cannot be delivered.", o.Product)
	}
}
