package verify

import "time"

// emailJoin is how far an order and its payment may lie apart to become an e-mail,
// in milliseconds.
const emailJoin = 60 * 1000

// The first of two e-mails with the same Message-ID arrives so long before a kill, or
// so shortly after one of the broker, at most: its entry was not yet in the ledger.
const (
	beforeKill = 5 * time.Second
	afterKill  = 3 * time.Second
)

// pair is an order with a payment.
type pair struct{ order, payment string }

// checkEmails: a new order and each record of a payment for it that lie within a
// minute become one record in emails.v1, when the customer was known, with the
// contents of all three; nothing else does.
func checkEmails(r *Report, h *History, x *index, c Claims) {
	count := map[pair]int{}
	for _, rec := range h.Emails {
		e := rec.Value
		p := pair{e.OrderID, e.PaymentID}
		count[p]++
		order, ok := x.fresh[e.OrderID]
		if !ok || order.Value.content() != (content{customerOf(rec.Key), e.Product, e.Quantity, e.Price}) {
			r.broken(RuleEmails, e.OrderID, "the e-mail %+v does not say what was ordered: %+v", e, order.Value)
		}
		paid := false
		for _, payment := range x.payments[e.PaymentID] {
			paid = paid || payment.Value == Payment{e.PaymentID, e.OrderID, e.Currency, e.Amount}
		}
		if !paid {
			r.broken(RuleEmails, e.OrderID, "the e-mail %+v does not say what was paid: %+v", e, x.payments[e.PaymentID])
		}
		known := false
		for _, customer := range x.customers[customerOf(rec.Key)] {
			v := customer.Value
			known = known || v.Email == e.Email && v.LastName == e.LastName && v.Level == e.Level
		}
		if !known {
			r.broken(RuleEmails, e.OrderID, "the e-mail %+v does not go to a customer who was ever known: %+v", e, x.customers[customerOf(rec.Key)])
		}
	}
	want := map[pair]int{}
	for _, list := range x.payments {
		for _, payment := range list {
			order, ok := x.fresh[payment.Value.OrderID]
			if apart := payment.Time - order.Time; !ok || apart > emailJoin || apart < -emailJoin {
				continue
			}
			customer := x.customers[order.Value.CustomerID]
			if len(customer) > 0 && customer[0].Time <= order.Time {
				want[pair{payment.Value.OrderID, payment.Value.ID}]++
			}
		}
	}
	for p, n := range want {
		if c.Late {
			n = min(n, count[p])
		}
		r.exactly(RuleEmails, p.order, "records in emails.v1 for payment "+p.payment, count[p], n)
	}
	for p, n := range count {
		if want[p] == 0 {
			r.broken(RuleEmails, p.order, "%d records in emails.v1 for payment %s and none was called for", n, p.payment)
		}
	}
}

// checkDeliveries: each e-mail that is called for arrives, with one Message-ID for
// an order and payment. One arrives again only when a process was killed between its
// arrival and its entry in the ledger.
func checkDeliveries(r *Report, h *History, c Claims) {
	ids, pairs := map[pair]string{}, map[string]pair{}
	for _, rec := range h.Emailed {
		e := rec.Value
		p := pair{e.OrderID, e.PaymentID}
		if id, ok := ids[p]; ok && id != e.MessageID {
			r.broken(RuleMessageID, e.OrderID, "payment %s has the Message-IDs %s and %s", e.PaymentID, id, e.MessageID)
		}
		if other, ok := pairs[e.MessageID]; ok && other != p {
			r.broken(RuleMessageID, e.OrderID, "%s belongs to %v and to %v", e.MessageID, other, p)
		}
		ids[p], pairs[e.MessageID] = e.MessageID, p
	}
	buried := map[pair]bool{}
	for _, rec := range h.DeadLetters {
		if c.MailUnknown {
			buried[pair{rec.Value.OrderID, rec.Value.PaymentID}] = true
			continue
		}
		r.broken(RuleEmails, rec.Value.OrderID, "the e-mail for payment %s was given up: %s", rec.Value.PaymentID, rec.Value.Reason)
	}
	for _, rec := range h.Emails {
		p := pair{rec.Value.OrderID, rec.Value.PaymentID}
		if _, ok := ids[p]; !ok && !buried[p] {
			r.open(RuleEmails, rec.Value.OrderID, "the e-mail for payment %s is not in the ledger", rec.Value.PaymentID)
		}
	}
	if c.MailUnknown {
		return
	}
	arrived := map[string]time.Time{}
	for _, d := range c.Mail {
		r.Emails++
		if _, ok := pairs[d.MessageID]; !ok {
			r.open(RuleEmails, d.MessageID, "an e-mail arrived and is not in the ledger")
		}
		before, again := arrived[d.MessageID]
		arrived[d.MessageID] = d.At
		if !again {
			continue
		}
		r.RepeatedEmails++
		if !killedBetween(c.Kills, before, d.At) {
			r.broken(RuleRepeatedMail, d.MessageID, "it arrived at %s and at %s, and nothing was killed right after the first",
				before.Format(time.StampMilli), d.At.Format(time.StampMilli))
		}
	}
	// An entry may be there twice: the first counts.
	for id, p := range pairs {
		if _, ok := arrived[id]; !ok {
			r.broken(RuleEmails, p.order, "%s is in the ledger and has not arrived", id)
		}
	}
}

func killedBetween(kills []time.Time, first, second time.Time) bool {
	for _, kill := range kills {
		if since := first.Sub(kill); since >= -beforeKill && since <= afterKill && kill.Before(second) {
			return true
		}
	}
	return false
}
