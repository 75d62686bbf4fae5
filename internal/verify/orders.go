package verify

import "fmt"

// checkAcknowledged: what a client was told is stored is in the topics, with the
// content that it was told.
func checkAcknowledged(r *Report, x *index, c Claims) {
	for id, contents := range c.Orders {
		for _, want := range contents {
			found := false
			for _, rec := range x.created[id] {
				found = found || rec.Value.content() == want.content()
			}
			if !found {
				r.broken(RuleAcknowledged, id, "the order was acknowledged as %+v, orders.v1 has %+v", want, x.created[id])
			}
		}
	}
	for id, want := range c.Payments {
		found := false
		for _, rec := range x.payments[id] {
			found = found || rec.Value == want
		}
		if !found {
			r.broken(RuleAcknowledged, id, "the payment was acknowledged as %+v, payments.v1 has %+v", want, x.payments[id])
		}
	}
	for id := range c.Shipped {
		if len(x.shipped[id]) == 0 {
			r.broken(RuleAcknowledged, id, "the order was acknowledged as shipped and has no such record")
		}
	}
}

// checkNew: each order with a CREATED record has one record in orders-new.v1, with
// the content of the first.
func checkNew(r *Report, h *History, x *index) {
	count := map[string]int{}
	for _, rec := range h.New {
		count[rec.Key]++
		if len(x.created[rec.Key]) == 0 {
			r.broken(RuleNewOnce, rec.Key, "the order is new and was never created")
		}
	}
	for id, created := range x.created {
		r.exactly(RuleNewOnce, id, "records in orders-new.v1", count[id], 1)
		if got, ok := x.fresh[id]; ok && got.Value.content() != created[0].Value.content() {
			r.broken(RuleNewOnce, id, "orders-new.v1 has %+v, the first order was %+v", got.Value, created[0].Value)
		}
	}
}

// checkFinal: each new order has one final record, VALIDATED when the first results
// of all three checks are PASS and FAILED when one of them is not. At most one
// SHIPPED record follows a VALIDATED one.
func checkFinal(r *Report, x *index) {
	for id, created := range x.created {
		r.exactly(RuleFinalOnce, id, "final records", len(x.final[id]), 1)
		for _, rec := range x.final[id] {
			if rec.Value.content() != created[0].Value.content() {
				r.broken(RuleFinalOnce, id, "the final record is %+v, the first order was %+v", rec.Value, created[0].Value)
			}
			if want := decision(x, id); rec.Value.State != want {
				r.broken(RuleFinalState, id, "the state is %s, by its first check results (%+v) it is %q", rec.Value.State, x.validations[id], want)
			}
		}
	}
	for id := range x.final {
		if len(x.created[id]) == 0 {
			r.broken(RuleFinalOnce, id, "the order was decided and never created")
		}
	}
	for id, shipped := range x.shipped {
		final := x.final[id]
		switch {
		case len(shipped) > 1:
			r.broken(RuleShippedOnce, id, "%d SHIPPED records: %+v", len(shipped), shipped)
		case len(final) == 0 || final[0].Value.State != "VALIDATED":
			r.broken(RuleShippedOnce, id, "the order is shipped; its final records are %+v", final)
		case shipped[0].Offset < final[0].Offset:
			r.broken(RuleShippedOnce, id, "it was shipped at offset %d and validated at %d", shipped[0].Offset, final[0].Offset)
		}
	}
}

// decision returns the state that the first results of an order's checks make it
// have, empty when they decide nothing.
func decision(x *index, id string) string {
	passed := 0
	for _, check := range []string{inventoryCheck, fraudCheck, detailsCheck} {
		result, n := x.first(id, check)
		switch {
		case n == 0:
		case result == "PASS":
			passed++
		default:
			return "FAILED"
		}
	}
	if passed == 3 {
		return "VALIDATED"
	}
	return ""
}

const (
	inventoryCheck = "INVENTORY_CHECK"
	fraudCheck     = "FRAUD_CHECK"
	detailsCheck   = "ORDER_DETAILS_CHECK"
)

// checkChecks: each new order has a result of each check. Those of ksqlDB come
// once; that of the inventory may be repeated and is the same then. The details pass
// when quantity and price are in range.
func checkChecks(r *Report, x *index) {
	for id, rec := range x.fresh {
		for _, check := range []string{fraudCheck, detailsCheck} {
			_, n := x.first(id, check)
			r.exactly(RuleChecks, id, "results of "+check, n, 1)
		}
		if _, n := x.first(id, inventoryCheck); n == 0 {
			r.open(RuleChecks, id, "no result of %s", inventoryCheck)
		}
		want := "FAIL"
		if rec.Value.Quantity > 0 && rec.Value.Price >= 0 {
			want = "PASS"
		}
		if got, n := x.first(id, detailsCheck); n > 0 && got != want {
			r.broken(RuleDetails, id, "the result is %s for %+v", got, rec.Value)
		}
	}
	for id, list := range x.validations {
		if _, ok := x.fresh[id]; !ok {
			r.broken(RuleChecks, id, "the order was checked and is not in orders-new.v1")
		}
		for _, rec := range list {
			if first, _ := x.first(id, rec.Value.CheckType); rec.Value.Result != first {
				r.broken(RuleChecks, id, "%s is %s at first and %s later", rec.Value.CheckType, first, rec.Value.Result)
			}
		}
	}
}

// sessionGap is how long a customer must not order for a session to end, in milliseconds.
const sessionGap = 60 * 60 * 1000

// checkFraudTotals: each row of a session's total is about one new order and holds
// the sum of the orders of the session up to it; the check passes below 2000.
func checkFraudTotals(r *Report, h *History, x *index) {
	type counted struct {
		time   int64
		amount float64
	}
	orders := map[int64][]counted{} // those that a row was about, by customer
	rows := map[string]int{}
	for _, rec := range h.FraudTotals {
		if rec.Value.OrderID == nil || rec.Value.Total == nil {
			continue
		}
		id, customer := *rec.Value.OrderID, customerOf(rec.Key)
		start, end, ok := sessionOf(rec.Key)
		fresh, known := x.fresh[id]
		if !ok || !known || fresh.Value.CustomerID != customer {
			r.broken(RuleFraudTotals, id, "fraud-totals.v1 offset %d is about an order that customer %d has not made", rec.Offset, customer)
			continue
		}
		rows[id]++
		o := counted{time: fresh.Time}
		if fresh.Value.Quantity > 0 && fresh.Value.Price >= 0 {
			o.amount = float64(fresh.Value.Quantity) * fresh.Value.Price
		}
		orders[customer] = append(orders[customer], o)
		var total float64
		for _, other := range orders[customer] {
			if other.time >= start && other.time <= end {
				total += other.amount
			}
		}
		if d := total - *rec.Value.Total; d > 1e-6 || d < -1e-6 {
			r.broken(RuleFraudTotals, id, "the total of customer %d is %v, the orders of its session add up to %v", customer, *rec.Value.Total, total)
		}
		if end-start > sessionGap*int64(len(orders[customer])) {
			r.broken(RuleFraudTotals, id, "the session of customer %d is longer than its orders make it", customer)
		}
		want := "PASS"
		if *rec.Value.Total >= 2000 {
			want = "FAIL"
		}
		if got, n := x.first(id, fraudCheck); n > 0 && got != want {
			r.broken(RuleFraudTotals, id, "the result is %s at a total of %v", got, *rec.Value.Total)
		}
	}
	for id := range x.fresh {
		r.exactly(RuleFraudTotals, id, "rows in fraud-totals.v1", rows[id], 1)
	}
}

// checkCopies: a stream that passes on new orders has each of them once.
func checkCopies(r *Report, h *History, x *index, c Claims) {
	for _, topic := range c.Copies {
		keys := h.Keys[topic]
		for id := range x.fresh {
			r.exactly(RuleCopies, id, "records in "+topic, keys[id], 1)
		}
		for id := range keys {
			if _, ok := x.fresh[id]; !ok {
				r.broken(RuleCopies, id, "%s has an order that is not new", topic)
			}
		}
	}
}

// checkCustomers: the last record of a customer is what it was changed to last.
func checkCustomers(r *Report, x *index, c Claims) {
	for id, want := range c.Customers {
		list := x.customers[id]
		if len(list) == 0 || list[len(list)-1].Value != want {
			r.open(RuleCustomers, fmt.Sprint(id), "the customer was changed to %+v, the topic has %+v", want, list)
		}
	}
}
