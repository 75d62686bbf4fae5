package api

import (
	"context"

	"github.com/orderflow/orderflow/internal/order"
)

// decidedBefore returns an order that is to be answered as CREATED in the state that
// its checks have given it, if they have. Two instances that get an id at the same
// moment may both write it, and one of them, when its way to the broker was broken for
// a while, after the order was decided: the latest record of the order is CREATED then.
func (h *handlers) decidedBefore(ctx context.Context, o order.Order) order.Order {
	if o.State != order.Created || ctx.Err() != nil {
		return o
	}
	ctx, cancel := context.WithTimeout(ctx, failuresTimeout)
	defer cancel()
	results, err := h.store.Checks(ctx, o.ID)
	if err != nil {
		h.log.Warn("answering an order as it was created, without a look at its checks", "order", o.ID, "error", err)
		return o
	}
	passed := 0
	for _, check := range []order.CheckType{order.InventoryCheck, order.FraudCheck, order.OrderDetailsCheck} {
		switch results[check] {
		case "":
		case order.Pass:
			passed++
		default:
			o.State = order.Failed
			return o
		}
	}
	if passed == 3 {
		o.State = order.Validated
	}
	return o
}
