package settings

import (
	"cmp"
	"slices"
)

// BrokerValue is one setting of the broker, as it is shown.
type BrokerValue struct {
	Name  string
	Type  Type
	Value string
	// Set says that the value was given at the start; otherwise it is the default.
	Set bool
}

// Broker gives all settings of the broker, by name: those given, and those that
// are the defaults of topics.
func Broker(given []BrokerValue) []BrokerValue {
	values := slices.Clone(given)
	for _, d := range topicDefinitions {
		if d.Broker == "" || slices.ContainsFunc(given, func(v BrokerValue) bool { return v.Name == d.Broker }) {
			continue
		}
		values = append(values, BrokerValue{Name: d.Broker, Type: d.Type, Value: d.Default})
	}
	slices.SortFunc(values, func(a, b BrokerValue) int { return cmp.Compare(a.Name, b.Name) })
	return values
}
