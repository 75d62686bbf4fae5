package exec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Eval computes an expression over a row.
type Eval = func(*types.Row) (types.Value, error)

// Step describes an operator and the steps it reads from: a plan whose
// expressions are compiled and whose formats are bound. Steps form a tree with
// the end of the query as its root; New makes a Topology of it.
type Step interface {
	// plumb builds the step's inputs into the assembly and gives the pipe that
	// its rows come out of. needOld asks for the predecessors of changelog rows.
	plumb(a *assembly, needOld bool) (*pipe, error)
	schema() *types.Schema
}

// change is what operators hand to each other: a row and, on changelogs, the
// one of the same key and window that it replaces. An operator may use it and
// its slices until it returns.
type change struct {
	// row is a delete on a changelog, a record without value on a stream, when
	// its Value is nil.
	row types.Row
	// old are the value columns of the row replaced, nil when there was none or
	// when nobody needs them.
	old     []types.Value
	oldTime int64
}

// operator takes rows of one input.
type operator interface {
	process(c *change) error
}

// wire makes the operators of a part of a task and links them to down.
type wire func(t *Task, down operator) error

// pipe is the end of a part of a query that rows come out of.
type pipe struct {
	sub  *draft
	wire wire
	// keyed are the source topics whose partitioning the rows still have.
	keyed []string
}

// draft is a sub-topology in the making. Joined ones are merged: into points to
// the one that lives on.
type draft struct {
	into      *draft
	order     int
	sources   []Source
	stores    []StoreInfo
	writes    []string
	groups    [][]string
	terminals []wire
}

func (d *draft) root() *draft {
	for d.into != nil {
		d = d.into
	}
	return d
}

// merge makes one sub-topology of two.
func merge(a, b *draft) *draft {
	a, b = a.root(), b.root()
	if a == b {
		return a
	}
	if b.order < a.order {
		a, b = b, a
	}
	b.into = a
	for _, s := range b.sources {
		a.addSource(s)
	}
	a.stores = append(a.stores, b.stores...)
	a.writes = append(a.writes, b.writes...)
	a.groups = append(a.groups, b.groups...)
	a.terminals = append(a.terminals, b.terminals...)
	return a
}

func (d *draft) addSource(s Source) {
	d = d.root()
	for i := range d.sources {
		if d.sources[i].Topic == s.Topic {
			d.sources[i].Table = d.sources[i].Table || s.Table
			return
		}
	}
	d.sources = append(d.sources, s)
}

func (d *draft) addStore(name string, retention int64) {
	d = d.root()
	d.stores = append(d.stores, StoreInfo{Name: name, Retention: retention})
}

func (d *draft) end(w wire) {
	d = d.root()
	d.terminals = append(d.terminals, w)
}

// assembly collects the sub-topologies while a tree of steps is walked.
type assembly struct {
	drafts   []*draft
	internal []internalDraft
	names    map[string]int
	mat      *Materialization
	matDraft *draft
	// operators are the steps in the order in which the walk comes to them;
	// current is the one whose inputs are being built.
	operators []operatorDraft
	current   int
}

type internalDraft struct {
	name   string
	writer *draft
	reader *draft
}

func (a *assembly) draft() *draft {
	d := &draft{order: len(a.drafts)}
	a.drafts = append(a.drafts, d)
	return d
}

// unique gives a store name that no other store of the query has: the name
// itself, or the name with a number behind it.
func (a *assembly) unique(name string) string {
	n := a.names[name]
	a.names[name]++
	if n > 0 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	a.operators[a.current].stores = append(a.operators[a.current].stores, name)
	return name
}

// through ends up's sub-topology in an internal topic and gives the draft that
// reads the topic.
func (a *assembly) through(topic string, up *draft, reader *draft) {
	up.root().writes = append(up.root().writes, topic)
	reader.addSource(Source{Topic: topic, Internal: true, Offsets: "earliest"})
	a.internal = append(a.internal, internalDraft{name: topic, writer: up, reader: reader})
}

// New makes the topology of a query from its last step.
func New(root Step) (*Topology, error) {
	a := &assembly{names: map[string]int{}, current: none}
	p, err := a.plumb(root, false)
	if err != nil {
		return nil, err
	}
	p.sub.end(p.wire)
	t := &Topology{Schema: root.schema()}
	ids := map[*draft]int{}
	for _, d := range a.drafts {
		if d.into != nil {
			continue
		}
		ids[d] = len(t.Subs)
		t.Subs = append(t.Subs, &SubTopology{
			ID: len(t.Subs), Sources: d.sources, Stores: d.stores, Writes: distinct(d.writes),
			CoPartitioned: d.groups, terminals: d.terminals,
		})
	}
	for _, in := range a.internal {
		t.Internal = append(t.Internal, InternalTopic{
			Name: in.name, Writers: []int{ids[in.writer.root()]}, Readers: []int{ids[in.reader.root()]},
		})
	}
	for i := range a.operators {
		op := &a.operators[i]
		t.Operators = append(t.Operators, Operator{Name: op.name, Sub: ids[op.sub.root()], Inputs: op.inputs, Stores: op.stores})
	}
	for _, s := range t.Subs {
		s.operators = len(t.Operators)
	}
	if a.mat != nil {
		a.mat.Sub = ids[a.matDraft.root()]
		t.Materialization = a.mat
	}
	return t, nil
}

func distinct(names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(a, b) })
	return slices.Compact(names)
}

// columnTypes lists the types of columns.
func columnTypes(cols []types.Column) []*types.Type {
	ts := make([]*types.Type, len(cols))
	for i, c := range cols {
		ts[i] = c.Type
	}
	return ts
}

// nullKey reports whether a key is null: there is none, or all its columns are.
func nullKey(key []types.Value) bool {
	for i := range key {
		if !key[i].IsNull() {
			return false
		}
	}
	return true
}
