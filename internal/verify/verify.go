// Package verify checks from outside that nothing acknowledged was lost and that
// nothing happened twice: it reads the topics with a plain Kafka client and
// compares them with each other and with what clients were told.
//
// Invariants:
//   - The package imports nothing else of this module: every rule is written down
//     here once more, by the contract, so that a mistake in a service or in the
//     engine is not repeated by what is to find it.
//   - Check is a function of its arguments. It tells what can never be right any
//     more (Broken) from what may still come (Open): when nothing is being worked
//     on, Open has to be empty too.
package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rule names a promise.
type Rule string

// The promises. What each one says is in the comment of the function that checks it.
const (
	RuleAcknowledged Rule = "acknowledged is stored"
	RuleNewOnce      Rule = "one record of each new order"
	RuleFinalOnce    Rule = "one final record of each order"
	RuleFinalState   Rule = "the first check results decide"
	RuleShippedOnce  Rule = "shipped once, after it was validated"
	RuleChecks       Rule = "one result of each check"
	RuleDetails      Rule = "order details check"
	RuleFraudTotals  Rule = "fraud check"
	RuleStock        Rule = "never more reserved than there is"
	RuleLedgerSource Rule = "ledger entries come from records"
	RuleStockShown   Rule = "the stock shown is the ledger's"
	RuleEmails       Rule = "one e-mail of each paid order"
	RuleMessageID    Rule = "one Message-ID of each order and payment"
	RuleRepeatedMail Rule = "e-mails repeat only around a kill, a stall or a lost answer"
	RuleEnriched     Rule = "each new order is enriched once"
	RuleLevels       Rule = "each enriched order goes to its level"
	RuleByProduct    Rule = "each state goes to the inventory once"
	RuleFraudList    Rule = "the fraud list is a count of enriched orders"
	RuleStates       Rule = "the state of an order never goes back"
	RuleIndex        Rule = "the search index has the last states"
	RuleTable        Rule = "the table of orders has the last states"
	RuleCustomers    Rule = "a changed customer is known as changed"
	RuleNumbers      Rule = "each output of the engine is written once"
	RuleCopies       Rule = "a stream has each new order once"
	RuleUnchanged    Rule = "what was read stays as it was"
	RuleReadable     Rule = "records make sense in their topic"
)

// Finding is one thing that is not as promised.
type Finding struct {
	Rule Rule
	// Subject is what it is about: an order's id, a product, a topic.
	Subject string
	Detail  string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Rule, f.Subject, f.Detail) }

// Report is the outcome of a check.
type Report struct {
	// Broken can never be right any more.
	Broken []Finding
	// Open may still come; it is broken when nothing is being worked on any more.
	Open []Finding

	// Unchecked are the rules that could not be checked, as topics that they are about
	// lack records which were there once (see History.Incomplete).
	Unchecked []Rule

	// Foreign counts the records that make no sense in their topic.
	Foreign int
	// Orders counts the orders with a record in orders.v1, Decided those with a
	// final record.
	Orders, Decided int
	// Emails counts the e-mails that arrived, RepeatedEmails those of them whose
	// Message-ID had arrived before.
	Emails, RepeatedEmails int
	// Rubbish counts the records that were known to be rubbish (see Config.Rubbish).
	Rubbish int
}

func (r *Report) broken(rule Rule, subject, format string, args ...any) {
	r.Broken = append(r.Broken, Finding{rule, subject, fmt.Sprintf(format, args...)})
}

func (r *Report) open(rule Rule, subject, format string, args ...any) {
	r.Open = append(r.Open, Finding{rule, subject, fmt.Sprintf(format, args...)})
}

// exactly expects n records of a subject to become one: more is broken, none is open.
func (r *Report) exactly(rule Rule, subject, what string, n, want int) {
	switch {
	case n > want:
		r.broken(rule, subject, "%d %s instead of %d", n, what, want)
	case n < want:
		r.open(rule, subject, "%d %s instead of %d", n, what, want)
	}
}

// Text lists at most limit findings, those that are broken first.
func (r *Report) Text(limit int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d broken, %d open", len(r.Broken), len(r.Open))
	for i, f := range slices.Concat(r.Broken, r.Open) {
		if i == limit {
			b.WriteString("\n  ...")
			break
		}
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// Claims is what clients and users of the system were told, and what they saw.
type Claims struct {
	// Orders are the contents that were acknowledged, by order id. Several
	// instances may have acknowledged different ones at the same moment.
	Orders map[string][]Order
	// Payments are those that were acknowledged, by id.
	Payments map[string]Payment
	// Shipped are the orders whose shipping was acknowledged.
	Shipped map[string]bool
	// Customers are customers as they were changed last, by id; others may have
	// changed, too.
	Customers map[int64]Customer
	// Mail is what arrived at the mail server, oldest first.
	Mail []Delivery
	// MailUnknown says that nobody knows what arrived at the mail server. E-mails that
	// it refused are not called lost then.
	MailUnknown bool
	// Kills are the moments at which a process was killed that sends e-mails or has what
	// is kept of them.
	Kills []time.Time
	// Stalls are the times at which instances of the e-mail service stood still, or
	// their connections to Kafka, or Kafka itself.
	Stalls []Stall
	// Late says that the clock by which records are stamped has jumped: a payment and
	// its order may have come too late for each other, and make no e-mail then.
	Late bool
	// Strangers says that others may write to the topics, too. What makes no sense is only
	// counted then.
	Strangers bool
	// Copies are topics of streams that pass on every new order.
	Copies []string

	// Index has the documents of the search index by id; nil when it was not looked at.
	Index map[string]Document
	// Table has the state of each order in the table of orders; nil when it was not looked at.
	Table map[string]string
	// Fraud are the rows of the fraud table; nil when it was not looked at.
	Fraud []FraudRow
	// Stock is the stock that the API shows; nil when it was not looked at.
	Stock []Stock
}

// Delivery is an e-mail that arrived.
type Delivery struct {
	MessageID string
	// Recipient is the address that the mail server was told.
	Recipient string
	At        time.Time
	// Unanswered says that the mail server took it and that its answer was lost:
	// whoever sent it cannot know that it arrived.
	Unanswered bool
}

// Stall is a time at which instances of the e-mail service stood still, or could not
// reach their group.
type Stall struct {
	From, To time.Time
	// Senders is how many instances it concerned.
	Senders int
}

// Document is what the search index has of an order.
type Document struct {
	State   string
	Version int64
}

// FraudRow is a row of the fraud table.
type FraudRow struct {
	CustomerID          int64
	LastName, FirstName string
	WindowStart         int64
	Count               int64
}

// Stock is what the API shows of a product, in units.
type Stock struct {
	Product             string
	Warehouse, Reserved int64
}

// Check compares a history with itself and with the claims.
func Check(h *History, c Claims) *Report {
	r := &Report{}
	x := newIndex(h)
	r.Orders, r.Decided, r.Rubbish = len(x.created), len(x.final), h.rubbish
	r.Broken = append(r.Broken, h.changed...)
	checkForeign(r, h, c)
	checkNumbers(r, h)
	checkAcknowledged(r, x, c)
	checkNew(r, h, x)
	checkFinal(r, x)
	checkChecks(r, x)
	checkFraudTotals(r, h, x)
	checkStock(r, h, x, c)
	checkEmails(r, h, x, c)
	checkDeliveries(r, h, c)
	checkEnriched(r, h, x)
	checkByProduct(r, h, x)
	checkFraudList(r, h, c)
	checkStates(r, x)
	checkSearch(r, x, c)
	checkTable(r, x, c)
	checkCopies(r, h, x, c)
	checkCustomers(r, x, c)
	r.leaveOut(h)
	for _, list := range [][]Finding{r.Broken, r.Open} {
		slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(a.Rule, b.Rule) })
	}
	return r
}

// index has the records of a history by what they are about.
type index struct {
	created     map[string][]Record[Order] // those of state CREATED, by order
	final       map[string][]Record[Order] // VALIDATED and FAILED
	shipped     map[string][]Record[Order]
	states      map[string][]Record[OrderState]
	fresh       map[string]Record[NewOrder] // the first of orders-new.v1
	validations map[string][]Record[Validation]
	payments    map[string][]Record[Payment]
	customers   map[int64][]Record[Customer]
}

func newIndex(h *History) *index {
	x := &index{
		created: map[string][]Record[Order]{}, final: map[string][]Record[Order]{}, shipped: map[string][]Record[Order]{},
		states: map[string][]Record[OrderState]{},
		fresh:  map[string]Record[NewOrder]{}, validations: map[string][]Record[Validation]{},
		payments: map[string][]Record[Payment]{}, customers: map[int64][]Record[Customer]{},
	}
	for _, rec := range h.Orders {
		id := rec.Value.ID
		switch rec.Value.State {
		case "CREATED":
			x.created[id] = append(x.created[id], rec)
		case "SHIPPED":
			x.shipped[id] = append(x.shipped[id], rec)
		default:
			x.final[id] = append(x.final[id], rec)
		}
	}
	for _, rec := range h.States {
		x.states[rec.Key] = append(x.states[rec.Key], rec)
	}
	for _, rec := range h.New {
		if _, ok := x.fresh[rec.Key]; !ok {
			x.fresh[rec.Key] = rec
		}
	}
	for _, rec := range h.Validations {
		x.validations[rec.Value.OrderID] = append(x.validations[rec.Value.OrderID], rec)
	}
	for _, rec := range h.Payments {
		x.payments[rec.Value.ID] = append(x.payments[rec.Value.ID], rec)
	}
	for _, rec := range h.Customers {
		x.customers[rec.Value.ID] = append(x.customers[rec.Value.ID], rec)
	}
	return x
}

// first returns the first result of a check of an order, and how many there are.
func (x *index) first(id, check string) (result string, n int) {
	for _, v := range x.validations[id] {
		if v.Value.CheckType != check {
			continue
		}
		if n == 0 {
			result = v.Value.Result
		}
		n++
	}
	return result, n
}
