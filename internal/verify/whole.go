package verify

import (
	"maps"
	"slices"
)

// needs are the topics that must be whole for a rule to say something: without the
// records that retention has removed, or compaction, what is there would look wrong.
// Rules that are not named need none.
var needs = map[Rule][]string{
	RuleNewOnce:      {"orders.v1", "orders-new.v1"},
	RuleFinalOnce:    {"orders.v1"},
	RuleFinalState:   {"orders.v1", "order-validations.v1"},
	RuleShippedOnce:  {"orders.v1"},
	RuleChecks:       {"orders-new.v1", "order-validations.v1"},
	RuleDetails:      {"orders-new.v1", "order-validations.v1"},
	RuleFraudTotals:  {"orders-new.v1", "order-validations.v1", "fraud-totals.v1"},
	RuleStock:        {"inventory-ledger.v1", "order-validations.v1"},
	RuleLedgerSource: {"inventory-ledger.v1", "orders-by-product.v1", "warehouse-inventory.v1"},
	RuleStockShown:   {"inventory-ledger.v1", "order-validations.v1"},
	RuleEmails:       {"orders-new.v1", "payments.v1", "customers", "emails.v1", "email-ledger.v1", "email-dead-letters.v1"},
	RuleMessageID:    {"email-ledger.v1"},
	RuleEnriched:     {"orders-new.v1", "customers", "orders-enriched.v1"},
	RuleLevels:       {"orders-enriched.v1", "platinum", "gold", "silver", "bronze"},
	RuleByProduct:    {"orders.v1", "orders-new.v1", "orders-by-product.v1"},
	RuleFraudList:    {"orders-enriched.v1"},
	RuleIndex:        {"orders.v1"},
	RuleTable:        {"orders.v1"},
	RuleStates:       {"orders.v1"},
}

// knownTopics are those whose values are decoded.
var knownTopics = func() []string {
	all := map[string]bool{"order-states.v1": true}
	for _, topics := range needs {
		for _, topic := range topics {
			all[topic] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}()

// Incomplete returns the topics that lack records which were there once.
func (h *History) Incomplete() []string { return slices.Sorted(maps.Keys(h.incomplete)) }

// leaveOut takes the findings of rules out of a report that can't be checked, and
// notes these rules.
func (r *Report) leaveOut(h *History) {
	if len(h.incomplete) == 0 {
		return
	}
	lacks := func(topic string) bool { return h.incomplete[topic] }
	for rule, topics := range needs {
		if slices.ContainsFunc(topics, lacks) {
			r.Unchecked = append(r.Unchecked, rule)
		}
	}
	r.Unchecked = append(r.Unchecked, RuleNumbers) // whose task may have written to any topic
	slices.Sort(r.Unchecked)
	unchecked := func(f Finding) bool { return slices.Contains(r.Unchecked, f.Rule) }
	r.Broken, r.Open = slices.DeleteFunc(r.Broken, unchecked), slices.DeleteFunc(r.Open, unchecked)
}
