package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// graph is a topology of Kafka Streams: processors that hand rows on to each
// other, with the topics and stores at their ends.
type graph struct {
	nodes []*processor
	next  int // number of the next name
}

type processor struct {
	kind   string // Source, Processor or Sink
	name   string
	topic  string
	stores []string
	from   []*processor
	to     []*processor
	group  *processor // stands for the sub-topology
}

const (
	nodeSource    = "Source"
	nodeProcessor = "Processor"
	nodeSink      = "Sink"
)

// number takes the next number, which every processor uses up, also one that has
// a name of its own.
func (g *graph) number() int {
	g.next++
	return g.next - 1
}

// generated makes a name of a kind with the next number.
func (g *graph) generated(kind string) string { return fmt.Sprintf("%s-%010d", kind, g.number()) }

// named uses a number up for a processor with a name of its own.
func (g *graph) named(name string) string {
	g.number()
	return name
}

func (g *graph) add(n *processor) *processor {
	n.group = n
	g.nodes = append(g.nodes, n)
	for _, p := range n.from {
		p.to = append(p.to, n)
		g.unite(p, n)
	}
	return n
}

func (g *graph) source(name, topic string) *processor {
	return g.add(&processor{kind: nodeSource, name: name, topic: topic})
}

func (g *graph) processor(name string, stores []string, from ...*processor) *processor {
	return g.add(&processor{kind: nodeProcessor, name: name, stores: stores, from: from})
}

func (g *graph) sink(name, topic string, from *processor) *processor {
	return g.add(&processor{kind: nodeSink, name: name, topic: topic, from: []*processor{from}})
}

func root(n *processor) *processor {
	for n.group != n {
		n = n.group
	}
	return n
}

// unite puts two processors into one sub-topology.
func (g *graph) unite(a, b *processor) {
	x, y := root(a), root(b)
	if slices.Index(g.nodes, y) < slices.Index(g.nodes, x) {
		x, y = y, x
	}
	y.group = x
}

// size is how many processors a row may still go through, each way counted.
func (n *processor) size() int {
	size := 1
	for _, to := range n.to {
		size += to.size()
	}
	return size
}

// String draws the topology as Kafka Streams describes it.
func (g *graph) String() string {
	owners := map[string]*processor{}
	for _, n := range g.nodes {
		for _, store := range n.stores {
			if owner := owners[store]; owner != nil {
				g.unite(owner, n)
			} else {
				owners[store] = n
			}
		}
	}
	var groups []*processor
	members := map[*processor][]*processor{}
	for _, n := range g.nodes {
		r := root(n)
		if members[r] == nil {
			groups = append(groups, r)
		}
		members[r] = append(members[r], n)
	}
	var b strings.Builder
	b.WriteString("Topologies:\n ")
	for id, group := range groups {
		fmt.Fprintf(&b, "  Sub-topology: %d\n", id)
		list := members[group]
		slices.SortStableFunc(list, func(a, b *processor) int {
			return cmp.Or(cmp.Compare(b.size(), a.size()), cmp.Compare(a.name, b.name))
		})
		for _, n := range list {
			n.draw(&b)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (n *processor) draw(b *strings.Builder) {
	switch n.kind {
	case nodeSource:
		fmt.Fprintf(b, "    Source: %s (topics: [%s])\n", n.name, n.topic)
	case nodeSink:
		fmt.Fprintf(b, "    Sink: %s (topic: %s)\n", n.name, n.topic)
	default:
		fmt.Fprintf(b, "    Processor: %s (stores: [%s])\n", n.name, strings.Join(n.stores, ", "))
	}
	if n.kind != nodeSink {
		fmt.Fprintf(b, "      --> %s\n", names(n.to))
	}
	if n.kind != nodeSource {
		fmt.Fprintf(b, "      <-- %s\n", names(n.from))
	}
}

func names(list []*processor) string {
	if len(list) == 0 {
		return "none"
	}
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.name
	}
	return strings.Join(out, ", ")
}
