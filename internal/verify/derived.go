package verify

import "slices"

// checkEnriched: each new order is enriched once, with names and level as the
// customer has or had them, or without when the customer was not known; and goes
// once to the topic of its level.
func checkEnriched(r *Report, h *History, x *index) {
	count := map[string]int{}
	levels := map[string]map[string]int{} // by topic and order
	for topic, list := range h.Levels {
		levels[topic] = map[string]int{}
		for _, rec := range list {
			levels[topic][rec.Key]++
			if rec.Value.Level != topic {
				r.broken(RuleLevels, rec.Key, "an order of level %s is in topic %s", rec.Value.Level, topic)
			}
		}
	}
	for _, rec := range h.Enriched {
		e := rec.Value
		count[e.ID]++
		order, ok := x.fresh[e.ID]
		if !ok || order.Value.content() != (content{customerOf(rec.Key), e.Product, e.Quantity, e.Price}) {
			r.broken(RuleEnriched, e.ID, "it is enriched as %+v and was ordered as %+v", e, order.Value)
		}
		if !enrichedRightly(x.customers[customerOf(rec.Key)], order.Time, e) {
			r.broken(RuleEnriched, e.ID, "it is enriched as %+v; the customer was %+v", e, x.customers[customerOf(rec.Key)])
		}
		for topic, orders := range levels {
			want := 0
			if e.Level != nil && *e.Level == topic {
				want = 1
			}
			r.exactly(RuleLevels, e.ID, "records in "+topic, orders[e.ID], want)
		}
	}
	for id := range x.fresh {
		r.exactly(RuleEnriched, id, "records in orders-enriched.v1", count[id], 1)
	}
}

func enrichedRightly(customer []Record[Customer], ordered int64, e Enriched) bool {
	if e.FirstName == nil && e.LastName == nil && e.Level == nil {
		return len(customer) == 0 || customer[0].Time > ordered
	}
	return e.FirstName != nil && e.LastName != nil && e.Level != nil &&
		slices.ContainsFunc(customer, func(c Record[Customer]) bool {
			return c.Value.FirstName == *e.FirstName && c.Value.LastName == *e.LastName && c.Value.Level == *e.Level
		})
}

// checkByProduct: the inventory is told of each new order once, and of each state
// record that follows once.
func checkByProduct(r *Report, h *History, x *index) {
	type event struct{ order, state string }
	count := map[event]int{}
	for _, rec := range h.ByProduct {
		count[event{rec.Value.ID, rec.Value.State}]++
		if order, ok := x.fresh[rec.Value.ID]; !ok || order.Value.Product != rec.Key || order.Value.Quantity != rec.Value.Quantity {
			r.broken(RuleByProduct, rec.Value.ID, "the inventory is told %+v of %s, the order is %+v", rec.Value, rec.Key, order.Value)
		}
	}
	want := map[event]int{}
	for id := range x.fresh {
		want[event{id, "CREATED"}] = 1
	}
	for _, rec := range h.Orders {
		if rec.Value.State != "CREATED" {
			want[event{rec.Value.ID, rec.Value.State}]++
		}
	}
	for e, n := range want {
		r.exactly(RuleByProduct, e.order, "records in orders-by-product.v1 of state "+e.state, count[e], n)
	}
	for e := range count {
		if want[e] == 0 {
			r.broken(RuleByProduct, e.order, "the inventory is told of a state %s that it never had", e.state)
		}
	}
}

// fraudWindow is the length of the windows in which orders are counted, in milliseconds.
const fraudWindow = 30 * 1000

// fraudKept is for how long a window can be looked up after its end at least, in
// milliseconds.
const fraudKept = 24 * 60 * 60 * 1000

// checkFraudList: the fraud table has the customers with more than two enriched
// orders in a window, and their number.
func checkFraudList(r *Report, h *History, c Claims) {
	if c.Fraud == nil {
		return
	}
	type group struct {
		customer    int64
		last, first string
		window      int64
	}
	want := map[group]int64{}
	newest := int64(0)
	for _, rec := range h.Enriched {
		newest = max(newest, rec.Time)
		if rec.Value.FirstName != nil && rec.Value.LastName != nil {
			want[group{customerOf(rec.Key), *rec.Value.LastName, *rec.Value.FirstName, rec.Time / fraudWindow * fraudWindow}]++
		}
	}
	got := map[group]int64{}
	for _, row := range c.Fraud {
		g := group{row.CustomerID, row.LastName, row.FirstName, row.WindowStart}
		if _, twice := got[g]; twice {
			r.broken(RuleFraudList, row.LastName, "two rows of one window: %+v", row)
		}
		got[g] = row.Count
		if row.Count > want[g] {
			r.broken(RuleFraudList, row.LastName, "the row %+v counts more than the %d orders that were enriched", row, want[g])
		}
	}
	for g, n := range want {
		if n > 2 && got[g] < n && newest-(g.window+fraudWindow) < fraudKept {
			r.open(RuleFraudList, g.last, "%d orders of customer %d in the window of %d, %d are listed", n, g.customer, g.window, got[g])
		}
	}
	for g, n := range got {
		if n <= 2 {
			r.broken(RuleFraudList, g.last, "customer %d is listed with %d orders", g.customer, n)
		}
	}
}

// state returns what an order is and has come to: the content of its first record, and
// the state that no other one follows.
func (x *index) state(id string) Order {
	o := x.created[id][0].Value
	if final := x.final[id]; len(final) > 0 {
		o.State = final[0].Value.State
	}
	if len(x.shipped[id]) > 0 {
		o.State = "SHIPPED"
	}
	return o
}

// rank says which states follow which: those of a higher rank those of a lower one.
func rank(state string) int {
	switch state {
	case "CREATED":
		return 0
	case "VALIDATED", "FAILED":
		return 1
	case "SHIPPED":
		return 2
	default:
		return -1
	}
}

// checkStates: the rows of an order in order-states.v1 have its content, never go
// back, and end with its state. The topic may be compacted: rows that were followed
// by others may be missing.
func checkStates(r *Report, x *index) {
	for id := range x.created {
		want, before := x.state(id), -1
		rows := x.states[id]
		for _, rec := range rows {
			row := Order(rec.Value)
			if row.ID != id || row.content() != want.content() {
				r.broken(RuleStates, id, "order-states.v1 has %+v, the order is %+v", row, want)
			}
			if now := rank(row.State); now < before || now < 0 || now > rank(want.State) {
				r.broken(RuleStates, id, "order-states.v1 has the state %s at offset %d, after others of it; the order is %s", row.State, rec.Offset, want.State)
			} else {
				before = now
			}
		}
		if len(rows) == 0 || rows[len(rows)-1].Value.State != want.State {
			r.open(RuleStates, id, "order-states.v1 has %+v of it, the order is %s", rows, want.State)
		}
	}
	for id := range x.states {
		if len(x.created[id]) == 0 {
			r.broken(RuleStates, id, "order-states.v1 has an order that was never created")
		}
	}
}

// checkTable: the table that the API looks orders up in has one row of each, with
// its state.
func checkTable(r *Report, x *index, c Claims) {
	if c.Table == nil {
		return
	}
	for id := range x.created {
		got, want := c.Table[id], x.state(id).State
		switch {
		case got == want:
		case rank(got) >= rank(want):
			r.broken(RuleTable, id, "the state is %q, by its records it is %s", got, want)
		default:
			r.open(RuleTable, id, "the state is %q, by its records it is %s", got, want)
		}
	}
	for id := range c.Table {
		if len(x.created[id]) == 0 {
			r.broken(RuleTable, id, "an order is in the table that was never created")
		}
	}
}

// checkSearch: the search index has one document of each order, with its state, and
// the offset of its last row in order-states.v1 as version.
func checkSearch(r *Report, x *index, c Claims) {
	if c.Index == nil {
		return
	}
	for id := range x.created {
		want := Document{State: x.state(id).State, Version: -1}
		if rows := x.states[id]; len(rows) > 0 {
			want.Version = rows[len(rows)-1].Offset
		}
		got, ok := c.Index[id]
		switch {
		case !ok:
			r.open(RuleIndex, id, "the order is not found, it is %+v", want)
		case rank(got.State) > rank(want.State) || got.Version > want.Version && want.Version >= 0 || got.Version == want.Version && got.State != want.State:
			r.broken(RuleIndex, id, "%+v is found, it is %+v", got, want)
		case got != want:
			r.open(RuleIndex, id, "%+v is found, it is %+v", got, want)
		}
	}
	for id := range c.Index {
		if len(x.created[id]) == 0 {
			r.broken(RuleIndex, id, "an order is found that was never created")
		}
	}
}
