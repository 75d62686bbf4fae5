package verify

import (
	"slices"
	"time"
)

// emailJoin is how far an order and its payment may lie apart to become an e-mail,
// in milliseconds.
const emailJoin = 60 * 1000

// The first of two e-mails with the same Message-ID arrives so long before a kill, or
// so shortly after one of the broker, at most: its entry was not yet in the ledger.
const (
	beforeKill = 5 * time.Second
	afterKill  = 3 * time.Second
)

const (
	// expelledAfter is how long an instance must stand still for its group to go on
	// without it: the group waits for 10 seconds from the last heartbeat on, and those
	// come each second, or a little later on a busy machine.
	expelledAfter = 8 * time.Second
	// aroundStall is how long before a stall the first of two e-mails arrives at most,
	// whose entry the stall held up, and how long after one, which was under way.
	aroundStall = 2 * time.Second
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

// checkDeliveries: each e-mail that is called for arrives, and no other, at an address
// that it was called for with, with one Message-ID for an order and payment. One arrives again only when something came between its arrival
// and its entry in the ledger: the mail server's answer was lost, a process was killed,
// or the instance stood still for so long that the group went on without it.
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
	recipients := map[pair][]string{}
	for _, rec := range h.Emails {
		p := pair{rec.Value.OrderID, rec.Value.PaymentID}
		recipients[p] = append(recipients[p], rec.Value.Email)
	}
	for _, rec := range h.Emailed {
		e := rec.Value
		switch known := recipients[pair{e.OrderID, e.PaymentID}]; {
		case len(known) == 0:
			r.open(RuleEmails, e.OrderID, "the e-mail for payment %s is in the ledger and was not called for", e.PaymentID)
		case !slices.Contains(known, e.Recipient):
			r.broken(RuleEmails, e.OrderID, "by the ledger the e-mail for payment %s went to %s instead of %v", e.PaymentID, e.Recipient, known)
		}
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
	arrived := map[string]Delivery{}
	left := make([]int, len(c.Stalls)) // how many more repetitions each stall explains
	for i, stall := range c.Stalls {
		left[i] = stall.Senders
	}
	for _, d := range c.Mail {
		r.Emails++
		p, ok := pairs[d.MessageID]
		if !ok {
			r.open(RuleEmails, d.MessageID, "an e-mail arrived and is not in the ledger")
		}
		if known := recipients[p]; len(known) > 0 && !slices.Contains(known, d.Recipient) {
			r.broken(RuleEmails, p.order, "the e-mail for payment %s went to %s instead of %v", p.payment, d.Recipient, known)
		}
		before, again := arrived[d.MessageID]
		arrived[d.MessageID] = d
		if !again {
			continue
		}
		r.RepeatedEmails++
		if !before.Unanswered && !killedBetween(c.Kills, before.At, d.At) && !stalledBetween(c, left, before.At, d.At) {
			r.broken(RuleRepeatedMail, d.MessageID, "it arrived at %s and at %s, and nothing was killed, stood still or went unanswered right after the first",
				before.At.Format(time.StampMilli), d.At.Format(time.StampMilli))
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

// stalledBetween looks for a stall around the first of two e-mails that explains the
// second, and takes one off what it explains. A stall explains none unless the group
// goes on without the instance meanwhile: it lasts as long as that takes, or the group
// is lost with a broker that is killed.
func stalledBetween(c Claims, left []int, first, second time.Time) bool {
	for i, stall := range c.Stalls {
		if left[i] == 0 || first.Before(stall.From.Add(-aroundStall)) || first.After(stall.To.Add(aroundStall)) || second.Before(stall.From) {
			continue
		}
		expelled := stall.To.Sub(stall.From) >= expelledAfter && second.Sub(stall.From) >= expelledAfter
		for _, kill := range c.Kills {
			expelled = expelled || !kill.Before(stall.From) && !kill.After(stall.To) && kill.Before(second)
		}
		if expelled {
			left[i]--
			return true
		}
	}
	return false
}
