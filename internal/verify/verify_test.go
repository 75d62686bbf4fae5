package verify

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// world is a history in which everything is as promised, and what its clients know.
type world struct {
	h *History
	c Claims
}

func rec[V any](list *[]Record[V], key string, at int64, value V) {
	*list = append(*list, Record[V]{Offset: int64(len(*list)), Time: at, Key: key, Value: value})
}

func customerKey(id int64, more ...int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(id))
	for _, n := range more {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return string(b)
}

func p[T any](v T) *T { return &v }

const (
	began   = int64(30_000_000)
	jumpers = "JUMPERS"
)

// sound makes a world of six orders: the first four of customer 1 within a window,
// of which the first is paid and shipped, the second has a quantity of 0, the third
// asks for too much and the fourth is too expensive; one of a customer nobody
// knows; and one that takes the last units.
func sound() world {
	h := NewHistory()
	w := world{h: h, c: Claims{
		Orders: map[string][]Order{}, Payments: map[string]Payment{}, Shipped: map[string]bool{"a": true},
		Copies: []string{"copy.v1"}, Index: map[string]Document{}, Table: map[string]string{},
	}}
	h.Levels["gold"], h.Levels["bronze"] = nil, nil
	h.Keys["copy.v1"] = map[string]int{}
	rec(&h.Customers, customerKey(1), began-1000, Customer{1, "Ann", "Able", "ann@example.com", "1 Main St", "gold"})
	rec(&h.Warehouse, jumpers, began, Units{10})
	rec(&h.Ledger, jumpers, began, LedgerEntry{"STOCK_SET", jumpers, "", 10, "warehouse-inventory.v1", 0, 0})
	totals := map[int64]float64{}
	starts := map[int64]int64{}
	for i, o := range []struct {
		id                        string
		customer                  int64
		quantity                  int32
		price                     float64
		inventory, fraud, details string
	}{
		{"a", 1, 4, 10, "PASS", "PASS", "PASS"},
		{"b", 1, 0, 10, "FAIL", "PASS", "FAIL"},
		{"c", 1, 7, 10, "FAIL", "PASS", "PASS"},
		{"d", 1, 1, 2000, "PASS", "FAIL", "PASS"},
		{"e", 9, 1, 1, "PASS", "PASS", "PASS"},
		{"f", 9, 5, 1, "PASS", "PASS", "PASS"},
	} {
		at := began + int64(i)
		order := Order{o.id, o.customer, "CREATED", jumpers, o.quantity, o.price}
		rec(&h.Orders, o.id, at, order)
		rec(&h.States, o.id, at, OrderState(order))
		w.c.Orders[o.id] = []Order{order}
		rec(&h.New, o.id, at, NewOrder{o.customer, jumpers, o.quantity, o.price})
		h.Keys["copy.v1"][o.id] = 1
		rec(&h.ByProduct, jumpers, at, ByProduct{o.id, "CREATED", o.quantity})
		rec(&h.Ledger, jumpers, at, LedgerEntry{"RESERVE_REQUEST", jumpers, o.id, o.quantity, "orders-by-product.v1", 0, int64(len(h.ByProduct) - 1)})
		totals[o.customer] += float64(o.quantity) * o.price
		if starts[o.customer] == 0 {
			starts[o.customer] = at
		}
		rec(&h.FraudTotals, customerKey(o.customer, at, starts[o.customer]), at, FraudTotal{p(o.id), p(totals[o.customer])})
		rec(&h.Validations, o.id, at, Validation{o.id, detailsCheck, o.details})
		rec(&h.Validations, o.id, at, Validation{o.id, fraudCheck, o.fraud})
		rec(&h.Validations, o.id, at, Validation{o.id, inventoryCheck, o.inventory})
		e := Enriched{ID: o.id, Product: jumpers, Quantity: o.quantity, Price: o.price}
		if o.customer == 1 {
			e.FirstName, e.LastName, e.Level = p("Ann"), p("Able"), p("gold")
			gold := h.Levels["gold"]
			rec(&gold, o.id, at, Levelled{1, "gold"})
			h.Levels["gold"] = gold
		}
		rec(&h.Enriched, customerKey(o.customer), at, e)
		order.State = "VALIDATED"
		kind := ""
		if o.inventory != "PASS" || o.fraud != "PASS" || o.details != "PASS" {
			order.State, kind = "FAILED", "RELEASE"
		}
		w.follow(order, at, kind)
		if o.id == "a" {
			order.State = "SHIPPED"
			w.follow(order, at, "SHIP")
			w.pay("p-1", o.id, at)
		}
	}
	w.c.Fraud = []FraudRow{{1, "Able", "Ann", began, 4}}
	w.c.Stock = []Stock{{jumpers, 6, 6}}
	return w
}

// follow adds a later state of an order and what it means for the stock.
func (w world) follow(o Order, at int64, kind string) {
	h := w.h
	rec(&h.Orders, o.ID, at, o)
	rec(&h.States, o.ID, at, OrderState(o))
	w.c.Index[o.ID] = Document{o.State, int64(len(h.States) - 1)}
	w.c.Table[o.ID] = o.State
	rec(&h.ByProduct, o.Product, at, ByProduct{o.ID, o.State, o.Quantity})
	if kind != "" {
		rec(&h.Ledger, o.Product, at, LedgerEntry{kind, o.Product, o.ID, 0, "orders-by-product.v1", 0, int64(len(h.ByProduct) - 1)})
	}
}

func (w *world) pay(payment, order string, at int64) {
	pay := Payment{payment, order, "EUR", 40}
	rec(&w.h.Payments, payment, at, pay)
	w.c.Payments[payment] = pay
	rec(&w.h.Emails, customerKey(1), at, PaidOrder{order, payment, jumpers, 4, 10, "EUR", 40, "ann@example.com", "Able", "gold"})
	rec(&w.h.Emailed, order, at, Emailed{order, payment, "<" + payment + ">", "ann@example.com"})
	w.c.Mail = append(w.c.Mail, Delivery{MessageID: "<" + payment + ">", Recipient: "ann@example.com", At: time.UnixMilli(at)})
}

func TestASoundHistoryHasNoFindings(t *testing.T) {
	w := sound()
	w.h.number("x", 0, 0, "s/q/0_0/0")
	w.h.number("y", 0, 0, "s/q/0_0/1")
	r := Check(w.h, w.c)
	require.Empty(t, r.Broken, r.Text(50))
	require.Empty(t, r.Open, r.Text(50))
	require.Equal(t, Report{Orders: 6, Decided: 6, Emails: 1}, *r)
}

func drop[V any](list *[]Record[V], match func(V) bool) {
	*list = slices.DeleteFunc(*list, func(r Record[V]) bool { return match(r.Value) })
}

func repeat[V any](list *[]Record[V], match func(V) bool) {
	i := slices.IndexFunc(*list, func(r Record[V]) bool { return match(r.Value) })
	*list = append(*list, (*list)[i])
}

func change[V any](list []Record[V], match func(V) bool, how func(*V)) {
	i := slices.IndexFunc(list, func(r Record[V]) bool { return match(r.Value) })
	how(&list[i].Value)
}

func order(id, state string) func(Order) bool {
	return func(o Order) bool { return o.ID == id && o.State == state }
}

func result(id, check string) func(Validation) bool {
	return func(v Validation) bool { return v.OrderID == id && v.CheckType == check }
}

// Each kind of violation is found, by the rule that forbids it.
func TestPlantedViolationsAreFound(t *testing.T) {
	tests := []struct {
		name  string
		plant func(w *world)
		rule  Rule
		open  bool // it could still come right
	}{
		{"an acknowledged order is lost", func(w *world) { w.c.Orders["lost"] = []Order{{ID: "lost"}} }, RuleAcknowledged, false},
		{"an order is stored with another content", func(w *world) { w.c.Orders["a"][0].Quantity++ }, RuleAcknowledged, false},
		{"an acknowledged payment is lost", func(w *world) { w.h.Payments = nil }, RuleAcknowledged, false},
		{"an acknowledged shipping is lost", func(w *world) { w.c.Shipped["e"] = true }, RuleAcknowledged, false},
		{"a new order is lost", func(w *world) { w.h.New = w.h.New[1:] }, RuleNewOnce, true},
		{"an order is new twice", func(w *world) { repeat(&w.h.New, func(NewOrder) bool { return true }) }, RuleNewOnce, false},
		{"an order is new that never was created", func(w *world) { rec(&w.h.New, "x", began, NewOrder{}) }, RuleNewOnce, false},
		{"the second content counts", func(w *world) {
			w.h.Orders = slices.Insert(w.h.Orders, 0, Record[Order]{Key: "a", Value: Order{"a", 1, "CREATED", jumpers, 9, 10}})
		}, RuleNewOnce, false},
		{"an order is not decided", func(w *world) { drop(&w.h.Orders, order("b", "FAILED")) }, RuleFinalOnce, true},
		{"an order is decided twice", func(w *world) { repeat(&w.h.Orders, order("b", "FAILED")) }, RuleFinalOnce, false},
		{"an order is decided that never was created", func(w *world) { rec(&w.h.Orders, "x", began, Order{ID: "x", State: "FAILED"}) }, RuleFinalOnce, false},
		{"the final record has another content", func(w *world) { change(w.h.Orders, order("a", "VALIDATED"), func(o *Order) { o.Price++ }) }, RuleFinalOnce, false},
		{"an order fails though it passed", func(w *world) { change(w.h.Orders, order("e", "VALIDATED"), func(o *Order) { o.State = "FAILED" }) }, RuleFinalState, false},
		{"an order passes though it failed", func(w *world) { change(w.h.Orders, order("c", "FAILED"), func(o *Order) { o.State = "VALIDATED" }) }, RuleFinalState, false},
		{"an order is decided before a check", func(w *world) { drop(&w.h.Validations, result("e", fraudCheck)) }, RuleFinalState, false},
		{"an order is shipped twice", func(w *world) { repeat(&w.h.Orders, order("a", "SHIPPED")) }, RuleShippedOnce, false},
		{"a failed order is shipped", func(w *world) { rec(&w.h.Orders, "b", began, Order{"b", 1, "SHIPPED", jumpers, 0, 10}) }, RuleShippedOnce, false},
		{"an order is shipped before it is validated", func(w *world) {
			for i := range w.h.Orders {
				if w.h.Orders[i].Value.State == "SHIPPED" {
					w.h.Orders[i].Offset = 0
				}
			}
		}, RuleShippedOnce, false},
		{"a check is lost", func(w *world) { drop(&w.h.Validations, result("b", fraudCheck)) }, RuleChecks, true},
		{"a check is done twice", func(w *world) { repeat(&w.h.Validations, result("b", fraudCheck)) }, RuleChecks, false},
		{"an inventory check is lost", func(w *world) { drop(&w.h.Validations, result("b", inventoryCheck)) }, RuleChecks, true},
		{"a repeated inventory check differs", func(w *world) {
			rec(&w.h.Validations, "a", began, Validation{"a", inventoryCheck, "FAIL"})
		}, RuleChecks, false},
		{"an order is checked that is not new", func(w *world) { rec(&w.h.Validations, "x", began, Validation{"x", fraudCheck, "PASS"}) }, RuleChecks, false},
		{"the details are judged wrongly", func(w *world) {
			change(w.h.Validations, result("b", detailsCheck), func(v *Validation) { v.Result = "PASS" })
		}, RuleDetails, false},
		{"a total is wrong", func(w *world) { *w.h.FraudTotals[2].Value.Total += 1 }, RuleFraudTotals, false},
		{"an order is summed up twice", func(w *world) { repeat(&w.h.FraudTotals, func(FraudTotal) bool { return true }) }, RuleFraudTotals, false},
		{"an order is not summed up", func(w *world) { w.h.FraudTotals = w.h.FraudTotals[:5] }, RuleFraudTotals, true},
		{"a total is of another customer", func(w *world) { w.h.FraudTotals[5].Key = customerKey(7, began, began) }, RuleFraudTotals, false},
		{"fraud is judged wrongly", func(w *world) {
			change(w.h.Validations, result("d", fraudCheck), func(v *Validation) { v.Result = "PASS" })
		}, RuleFraudTotals, false},
		{"more is promised than there is", func(w *world) {
			change(w.h.Validations, result("c", inventoryCheck), func(v *Validation) { v.Result = "PASS" })
		}, RuleStock, false},
		{"an order is refused though there is stock", func(w *world) {
			change(w.h.Validations, result("f", inventoryCheck), func(v *Validation) { v.Result = "FAIL" })
		}, RuleStock, false},
		{"an answer has no entry", func(w *world) { drop(&w.h.Ledger, func(e LedgerEntry) bool { return e.OrderID == "f" }) }, RuleStock, false},
		{"an entry has no source", func(w *world) { w.h.Ledger[1].Value.SourceOffset = 99 }, RuleLedgerSource, false},
		{"an entry says something else than its source", func(w *world) { w.h.Ledger[1].Value.Quantity++ }, RuleLedgerSource, false},
		{"a release is lost", func(w *world) {
			drop(&w.h.Ledger, func(e LedgerEntry) bool { return e.Kind == "RELEASE" && e.OrderID == "b" })
		}, RuleLedgerSource, true},
		{"a stock change is lost", func(w *world) {
			rec(&w.h.Warehouse, jumpers, began, Units{20})
		}, RuleLedgerSource, true},
		{"other stock is shown", func(w *world) { w.c.Stock[0].Reserved++ }, RuleStockShown, true},
		{"an e-mail is not called for", func(w *world) { w.h.Emails[0].Value.OrderID = "b" }, RuleEmails, false},
		{"an e-mail is lost on the way to its topic", func(w *world) { w.h.Emails, w.h.Emailed, w.c.Mail = nil, nil, nil }, RuleEmails, true},
		{"an e-mail is joined twice", func(w *world) { repeat(&w.h.Emails, func(PaidOrder) bool { return true }) }, RuleEmails, false},
		{"an e-mail goes to a stranger", func(w *world) { w.h.Emails[0].Value.Email = "eve@example.com" }, RuleEmails, false},
		{"an e-mail names another amount", func(w *world) { w.h.Emails[0].Value.Amount++ }, RuleEmails, false},
		{"an e-mail comes long after", func(w *world) { w.h.Payments[0].Time += 61_000 }, RuleEmails, false},
		{"an e-mail is not sent", func(w *world) { w.h.Emailed, w.c.Mail = nil, nil }, RuleEmails, true},
		{"an e-mail is noted and was not sent", func(w *world) { w.c.Mail = nil }, RuleEmails, false},
		{"an e-mail is sent and not noted", func(w *world) { w.c.Mail = append(w.c.Mail, Delivery{MessageID: "<x>"}) }, RuleEmails, true},
		{"an e-mail is given up", func(w *world) { rec(&w.h.DeadLetters, "a", began, DeadLetter{"a", "p-1", "no"}) }, RuleEmails, false},
		{"an e-mail goes to somebody else", func(w *world) { w.c.Mail[0].Recipient = "bob@example.com" }, RuleEmails, false},
		{"the ledger has another recipient", func(w *world) { w.h.Emailed[0].Value.Recipient = "bob@example.com" }, RuleEmails, false},
		{"an e-mail is sent that was not called for", func(w *world) {
			rec(&w.h.Emailed, "b", began, Emailed{"b", "p-2", "<p-2>", "ann@example.com"})
			w.c.Mail = append(w.c.Mail, Delivery{MessageID: "<p-2>", Recipient: "ann@example.com"})
		}, RuleEmails, true},
		{"an e-mail has two Message-IDs", func(w *world) { rec(&w.h.Emailed, "a", began, Emailed{"a", "p-1", "<other>", "ann@example.com"}) }, RuleMessageID, false},
		{"a Message-ID is used twice", func(w *world) { rec(&w.h.Emailed, "b", began, Emailed{"b", "p-1", "<p-1>", "ann@example.com"}) }, RuleMessageID, false},
		{"an e-mail is sent again without a kill", func(w *world) { w.c.Mail = append(w.c.Mail, w.c.Mail[0]) }, RuleRepeatedMail, false},
		{"an order is not enriched", func(w *world) { w.h.Enriched = w.h.Enriched[:5] }, RuleEnriched, true},
		{"an order is enriched twice", func(w *world) { repeat(&w.h.Enriched, func(e Enriched) bool { return e.ID == "e" }) }, RuleEnriched, false},
		{"an order is enriched with a stranger's name", func(w *world) { w.h.Enriched[0].Value.LastName = p("Eve") }, RuleEnriched, false},
		{"a known customer is missed", func(w *world) {
			v := &w.h.Enriched[0].Value
			v.FirstName, v.LastName, v.Level = nil, nil, nil
		}, RuleEnriched, false},
		{"a level misses an order", func(w *world) { w.h.Levels["gold"] = w.h.Levels["gold"][1:] }, RuleLevels, true},
		{"a level has an order of another", func(w *world) { w.h.Levels["bronze"] = w.h.Levels["gold"] }, RuleLevels, false},
		{"the inventory misses an order", func(w *world) { drop(&w.h.ByProduct, func(o ByProduct) bool { return o.ID == "f" }) }, RuleByProduct, true},
		{"the inventory is told twice", func(w *world) { repeat(&w.h.ByProduct, func(ByProduct) bool { return true }) }, RuleByProduct, false},
		{"the inventory is told of a wrong state", func(w *world) { rec(&w.h.ByProduct, jumpers, began, ByProduct{"e", "SHIPPED", 1}) }, RuleByProduct, false},
		{"the fraud list counts too few", func(w *world) { w.c.Fraud[0].Count-- }, RuleFraudList, true},
		{"the fraud list counts too many", func(w *world) { w.c.Fraud[0].Count++ }, RuleFraudList, false},
		{"the fraud list misses a customer", func(w *world) { w.c.Fraud = []FraudRow{} }, RuleFraudList, true},
		{"the fraud list has a customer who is none", func(w *world) {
			w.c.Fraud = append(w.c.Fraud, FraudRow{2, "Bee", "Bo", began, 2})
		}, RuleFraudList, false},
		{"a customer's change is lost", func(w *world) {
			w.c.Customers = map[int64]Customer{1: {1, "Ann", "Able", "ann@example.com", "2 Main St", "gold"}}
		}, RuleCustomers, true},
		{"a state goes back", func(w *world) {
			rec(&w.h.States, "b", began, OrderState{"b", 1, "CREATED", jumpers, 0, 10})
		}, RuleStates, false},
		{"a state is missing", func(w *world) { drop(&w.h.States, func(s OrderState) bool { return s.State == "SHIPPED" }) }, RuleStates, true},
		{"a state is that of another order", func(w *world) { w.h.States[0].Value.Quantity++ }, RuleStates, false},
		{"a state is of no order", func(w *world) {
			rec(&w.h.States, "x", began, OrderState{"x", 1, "CREATED", jumpers, 0, 10})
		}, RuleStates, false},
		{"the table of orders goes back", func(w *world) { w.c.Table["b"] = "VALIDATED" }, RuleTable, false},
		{"the search index is behind", func(w *world) { w.c.Index["a"] = Document{"VALIDATED", 1} }, RuleIndex, true},
		{"the search index misses an order", func(w *world) { delete(w.c.Index, "b") }, RuleIndex, true},
		{"the search index has another state", func(w *world) {
			w.c.Index["a"] = Document{"FAILED", w.c.Index["a"].Version}
		}, RuleIndex, false},
		{"the search index has an order of its own", func(w *world) { w.c.Index["x"] = Document{} }, RuleIndex, false},
		{"the table of orders is behind", func(w *world) { w.c.Table["a"] = "VALIDATED" }, RuleTable, true},
		{"the table of orders misses one", func(w *world) { delete(w.c.Table, "b") }, RuleTable, true},
		{"the table of orders has one of its own", func(w *world) { w.c.Table["x"] = "CREATED" }, RuleTable, false},
		{"an output is written twice", func(w *world) {
			w.h.number("x", 0, 0, "s/q/0_0/0")
			w.h.number("x", 0, 1, "s/q/0_0/0")
		}, RuleNumbers, false},
		{"an output is missing", func(w *world) {
			w.h.number("x", 0, 0, "s/q/0_0/0")
			w.h.number("x", 0, 1, "s/q/0_0/2")
		}, RuleNumbers, true},
		{"an output has no number", func(w *world) { w.h.number("x", 0, 0, "s/q/0_0/x") }, RuleNumbers, false},
		{"a stream misses an order", func(w *world) { delete(w.h.Keys["copy.v1"], "a") }, RuleCopies, true},
		{"a stream has an order twice", func(w *world) { w.h.Keys["copy.v1"]["a"]++ }, RuleCopies, false},
		{"a stream has an order of its own", func(w *world) { w.h.Keys["copy.v1"]["x"] = 1 }, RuleCopies, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := sound()
			tt.plant(&w)
			r := Check(w.h, w.c)
			list := r.Broken
			if tt.open {
				list = r.Open
			}
			assert.True(t, slices.ContainsFunc(list, func(f Finding) bool { return f.Rule == tt.rule }), "%s: %s", tt.rule, r.Text(20))
		})
	}
}

func TestACreatedRecordAfterTheDecisionChangesNothing(t *testing.T) {
	w := sound()
	late := w.h.Orders[0].Value
	late.Quantity++
	rec(&w.h.Orders, late.ID, began+100, late)
	rec(&w.h.States, late.ID, began+100, OrderState{late.ID, late.CustomerID, "SHIPPED", jumpers, late.Quantity - 1, late.Price})
	r := Check(w.h, w.c)
	require.Empty(t, r.Broken, r.Text(50))
	require.Len(t, r.Open, 1, "the index has not got the row that repeats the state")
	w.c.Index[late.ID] = Document{"SHIPPED", int64(len(w.h.States) - 1)}
	r = Check(w.h, w.c)
	require.Empty(t, r.Open, r.Text(50))
}

func TestAnEmailMayRepeatAroundAKill(t *testing.T) {
	w := sound()
	first := w.c.Mail[0].At
	again := Delivery{MessageID: w.c.Mail[0].MessageID, Recipient: w.c.Mail[0].Recipient, At: first.Add(10 * time.Second)}
	w.c.Mail = append(w.c.Mail, again)
	w.c.Kills = []time.Time{first.Add(time.Second)}
	r := Check(w.h, w.c)
	require.Empty(t, r.Broken, r.Text(20))
	require.Equal(t, 1, r.RepeatedEmails)

	w.c.Kills = []time.Time{first.Add(-4 * time.Second), first.Add(8 * time.Second)}
	require.Len(t, Check(w.h, w.c).Broken, 1, "no kill was near the first one")
}

func TestAnEmailMayRepeatWhenItsAnswerWasLost(t *testing.T) {
	w := sound()
	again := Delivery{MessageID: w.c.Mail[0].MessageID, Recipient: w.c.Mail[0].Recipient, At: w.c.Mail[0].At.Add(time.Second)}
	w.c.Mail[0].Unanswered = true
	w.c.Mail = append(w.c.Mail, again)
	require.Empty(t, Check(w.h, w.c).Broken)

	w.c.Mail = append(w.c.Mail, again)
	require.Len(t, Check(w.h, w.c).Broken, 1, "the second one was answered")
}

func TestAnEmailMayRepeatAroundAStallThatEndsAMembership(t *testing.T) {
	second := func(n int) time.Duration { return time.Duration(n) * time.Second }
	tests := map[string]struct {
		from, to  int // of the stall, in seconds from the first e-mail on
		again     int // when the second one arrives
		killAfter int // seconds from the beginning of the stall on
		broken    int
	}{
		"its entry was held up":                 {from: 1, to: 12, again: 11},
		"it was under way when the stall began": {from: -12, to: -1, again: 1},
		"another instance sent it meanwhile":    {from: -10, to: 2, again: 3},
		"the stall was short":                   {from: 1, to: 6, again: 7, broken: 1},
		"it came long before the stall":         {from: 4, to: 16, again: 15, broken: 1},
		"it came long after the stall":          {from: -20, to: -5, again: 1, broken: 1},
		"the group still waited":                {from: 1, to: 12, again: 3, broken: 1},
		"the group was lost meanwhile":          {from: -6, to: -1, again: 1, killAfter: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := sound()
			first := w.c.Mail[0].At
			w.c.Mail = append(w.c.Mail, Delivery{MessageID: w.c.Mail[0].MessageID, Recipient: w.c.Mail[0].Recipient, At: first.Add(second(tt.again))})
			stall := Stall{From: first.Add(second(tt.from)), To: first.Add(second(tt.to)), Senders: 1}
			w.c.Stalls = []Stall{stall}
			if tt.killAfter > 0 {
				w.c.Kills = []time.Time{stall.From.Add(second(tt.killAfter))}
			}
			r := Check(w.h, w.c)
			require.Len(t, r.Broken, tt.broken, r.Text(20))
		})
	}
}

func TestAStallExplainsOneRepetitionOfEachInstance(t *testing.T) {
	w := sound()
	first := w.c.Mail[0].At
	again := Delivery{MessageID: w.c.Mail[0].MessageID, Recipient: w.c.Mail[0].Recipient, At: first.Add(11 * time.Second)}
	w.c.Mail = append(w.c.Mail, again, again)
	w.c.Stalls = []Stall{{From: first.Add(time.Second), To: first.Add(12 * time.Second), Senders: 1}}
	require.Len(t, Check(w.h, w.c).Broken, 1)
	w.c.Stalls[0].Senders = 2
	require.Empty(t, Check(w.h, w.c).Broken)
}

func TestTextIsBounded(t *testing.T) {
	var r Report
	for i := range 9 {
		r.broken(RuleStock, fmt.Sprint(i), "x")
	}
	assert.Equal(t, "9 broken, 0 open\n  never more reserved than there is: 0: x\n  ...", r.Text(1))
}
