package explain

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
)

// Topology draws the topology of Kafka Streams that ksqlDB would run.
func Topology(q Query) string {
	t := &translator{graph: &graph{}}
	end := steps(q)
	last := t.step(end)
	switch end.node.(type) {
	case *plan.Output:
		t.handOver(end, last)
	case *plan.Sink, *plan.Materialize:
	}
	return t.graph.String()
}

// translator turns steps into processors.
type translator struct {
	graph *graph
	// rekeyed tells that rows have a key other than that of their partition.
	rekeyed bool
	// view is the store that the table at hand can be looked up in.
	view string
	// last tells that a foreign-key join's rows are kept once more.
	last bool
}

func (t *translator) one(name, kind string, stores []string, from *processor) *processor {
	if name == "" {
		name = t.graph.generated(kind)
	} else {
		t.graph.number()
	}
	return t.graph.processor(name, stores, from)
}

func (t *translator) step(s *step) *processor {
	switch s.kind {
	case kindSource:
		return t.source(s)
	case kindFilter:
		in := t.step(s.inputs[0])
		if !s.table {
			return t.one(s.name, "", nil, in)
		}
		for _, part := range []string{"ApplyPredicate", "Filter", "PostProcess"} {
			in = t.one(s.name+"-"+part, "", nil, in)
		}
		return in
	case kindProject:
		return t.project(s)
	case kindFlatMap:
		return t.one(s.name, "", nil, t.step(s.inputs[0]))
	case kindRekey:
		in := t.step(s.inputs[0])
		t.rekeyed = true
		return t.one(s.name+"-SelectKey", "", nil, in)
	case kindGroupBy:
		return t.step(s.inputs[0])
	case kindAggregate:
		return t.aggregate(s)
	case kindSuppress:
		in := t.one("", "KTABLE-TRANSFORMVALUES", nil, t.step(s.inputs[0]))
		return t.one("", "KTABLE-SUPPRESS", []string{s.name}, in)
	case kindJoin:
		return t.join(s)
	case kindSink:
		return t.sink(s)
	default:
		if len(s.inputs) == 0 {
			return t.graph.source(t.graph.generated("KSTREAM-SOURCE"), "")
		}
		return t.one(s.name, "", nil, t.step(s.inputs[0]))
	}
}

// source reads a topic. A table is kept in a store, so that its old rows are
// known.
func (t *translator) source(s *step) *processor {
	src := s.node.(*plan.Source)
	t.rekeyed = false
	if !s.table {
		n := t.graph.source(t.graph.generated("KSTREAM-SOURCE"), src.Topic.Name)
		return t.one("", "KSTREAM-TRANSFORMVALUES", nil, n)
	}
	t.graph.number() // the store's name
	n := t.graph.source(t.graph.generated("KSTREAM-SOURCE"), src.Topic.Name)
	n = t.one("", "KTABLE-SOURCE", nil, n)
	t.view = strings.TrimSuffix(s.name, "-Source") + "-Reduce"
	n = t.one("", "KTABLE-TRANSFORMVALUES", []string{t.view}, n)
	return t.one("", "KTABLE-TRANSFORMVALUES", nil, n)
}

func (t *translator) project(s *step) *processor {
	in := t.step(s.inputs[0])
	if t.last && s.table {
		t.last = false
		t.graph.number() // the store's name
		return t.one("", "KTABLE-TRANSFORMVALUES", []string{s.name + "-Last"}, in)
	}
	return t.one(s.name, "", nil, in)
}

// sink writes the rows to a topic.
func (t *translator) sink(s *step) *processor {
	in := t.step(s.inputs[0])
	if s.inputs[0].table {
		in = t.one("", "KTABLE-TOSTREAM", nil, in)
	}
	return t.graph.sink(t.graph.generated("KSTREAM-SINK"), s.node.(*plan.Sink).Topic.Name, in)
}

// handOver gives the rows of a transient query to its client.
func (t *translator) handOver(s *step, last *processor) {
	if !s.inputs[0].table {
		t.one("", "KSTREAM-PROCESSOR", nil, last)
		return
	}
	last = t.one("", "KTABLE-TOSTREAM", nil, last)
	t.one("", "KSTREAM-FOREACH", nil, last)
}

// repartition sends rows through a topic of the topology's own.
func (t *translator) repartition(name string, from *processor) *processor {
	t.rekeyed = false
	from = t.one(name+"-repartition-filter", "", nil, from)
	t.graph.sink(t.graph.named(name+"-repartition-sink"), name+"-repartition", from)
	return t.graph.source(t.graph.named(name+"-repartition-source"), name+"-repartition")
}

// aggregate groups rows and folds each group. Groups that differ from the key
// make the rows travel.
func (t *translator) aggregate(s *step) *processor {
	group := s.inputs[0]
	in := t.step(group)
	stores := []string{"Aggregate-Aggregate-Materialize"}
	if group.table {
		in = t.one("", "KTABLE-FILTER", nil, in)
		in = t.one(group.name, "", nil, in)
		topic := group.name + "-repartition"
		t.graph.sink(t.graph.generated("KSTREAM-SINK"), topic, in)
		in = t.graph.source(t.graph.generated("KSTREAM-SOURCE"), topic)
		in = t.one("", "KTABLE-AGGREGATE", stores, in)
		return t.one(s.name+"-ToOutputSchema", "", nil, in)
	}
	travels := t.rekeyed
	if group.repartition && !t.rekeyed {
		in = t.one("", "KSTREAM-FILTER", nil, in)
		in = t.one(group.name, "", nil, in)
		travels = true
	}
	name := t.graph.generated("KSTREAM-AGGREGATE")
	if travels {
		in = t.repartition(group.name, in)
	}
	in = t.graph.processor(name, stores, in)
	in = t.one(s.name+"-ToOutputSchema", "", nil, in)
	if s.node.(*plan.Aggregate).Window != nil {
		in = t.one(s.name+"-WindowSelect", "", nil, in)
	}
	return in
}

func (t *translator) join(s *step) *processor {
	switch n := s.node.(type) {
	case *plan.StreamStreamJoin:
		return t.streamStream(s, n)
	case *plan.StreamTableJoin:
		return t.streamTable(s)
	case *plan.ForeignKeyJoin:
		return t.foreignKey(s)
	default:
		return t.tableTable(s)
	}
}

func (t *translator) streamStream(s *step, n *plan.StreamStreamJoin) *processor {
	left := t.step(s.inputs[0])
	leftTravels := t.rekeyed
	right := t.step(s.inputs[1])
	rightTravels := t.rekeyed
	if leftTravels {
		left = t.repartition(s.name+"-left", left)
	}
	if rightTravels {
		right = t.repartition(s.name+"-right", right)
	}
	g := t.graph
	outerLeft := n.Type == plan.Left || n.Type == plan.Full
	outerRight := n.Type == plan.Right || n.Type == plan.Full
	thisWindow, otherWindow := g.named(s.name+"-this-windowed"), g.named(s.name+"-other-windowed")
	kind := func(outer bool, side string) string {
		if outer {
			return "KSTREAM-OUTER" + side
		}
		return "KSTREAM-JOIN" + side
	}
	suffix := func(outer bool, side string) string {
		if outer {
			return s.name + "-outer-" + side + "-join"
		}
		return s.name + "-" + side + "-join"
	}
	number := g.number()
	thisStore := fmt.Sprintf("%s-%010d-store", kind(outerRight, "THIS"), number)
	otherStore := g.generated(kind(outerLeft, "OTHER")) + "-store"
	thisStores, otherStores := []string{otherStore}, []string{thisStore}
	if (outerLeft || outerRight) && n.Grace != nil {
		shared := fmt.Sprintf("KSTREAM-OUTERSHARED-%010d-store", number)
		thisStores, otherStores = append(thisStores, shared), append(otherStores, shared)
	}
	merge := g.named(s.name + "-merge")
	left = g.processor(thisWindow, []string{thisStore}, left)
	right = g.processor(otherWindow, []string{otherStore}, right)
	left = g.processor(suffix(outerRight, "this"), thisStores, left)
	right = g.processor(suffix(outerLeft, "other"), otherStores, right)
	return g.processor(merge, nil, left, right)
}

// streamTable looks rows up in a table, which is read first.
func (t *translator) streamTable(s *step) *processor {
	t.step(s.inputs[1])
	view := t.view
	left := t.step(s.inputs[0])
	if t.rekeyed {
		left = t.repartition(s.name, left)
	}
	return t.one(s.name, "", []string{view}, left)
}

func (t *translator) tableTable(s *step) *processor {
	left := t.step(s.inputs[0])
	leftView := t.view
	right := t.step(s.inputs[1])
	rightView := t.view
	merge := t.graph.generated("KTABLE-MERGE")
	left = t.one("", "KTABLE-JOINTHIS", []string{rightView}, left)
	right = t.one("", "KTABLE-JOINOTHER", []string{leftView}, right)
	return t.graph.processor(merge, nil, left, right)
}

// foreignKey subscribes each row of the left table to a row of the right one,
// which answers through a topic.
func (t *translator) foreignKey(s *step) *processor {
	const kind = "KTABLE-FK-JOIN-"
	g := t.graph
	left := t.step(s.inputs[0])
	leftView := t.view
	right := t.step(s.inputs[1])
	rightView := t.view
	requests := g.generated(kind+"SUBSCRIPTION-REGISTRATION") + "-topic"
	left = t.one("", kind+"SUBSCRIPTION-REGISTRATION", nil, left)
	g.sink(g.generated("KTABLE-SINK"), requests, left)
	asked := g.source(g.generated("KTABLE-SOURCE"), requests)
	subscriptions := g.generated(kind + "SUBSCRIPTION-STATE-STORE")
	asked = t.one("", kind+"SUBSCRIPTION-PROCESSOR", []string{subscriptions}, asked)
	asked = t.one("", kind+"SUBSCRIPTION-PROCESSOR", []string{rightView}, asked)
	changed := t.one("", kind+"SUBSCRIPTION-PROCESSOR", []string{subscriptions}, right)
	responses := g.generated(kind+"SUBSCRIPTION-RESPONSE") + "-topic"
	g.add(&processor{kind: nodeSink, name: g.generated("KTABLE-SINK"), topic: responses, from: []*processor{asked, changed}})
	answers := g.source(g.generated("KTABLE-SOURCE"), responses)
	answers = t.one("", kind+"SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR", []string{leftView}, answers)
	t.last = true
	return t.one("", kind+"OUTPUT", nil, answers)
}
