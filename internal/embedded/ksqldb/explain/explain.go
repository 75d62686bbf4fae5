// Package explain describes a query as ksqlDB does: the steps of its execution
// plan with the schemas of the rows between them, and the topology of Kafka
// Streams that they become there. Both show what ksqlDB would run for the same
// statement, with the names that its processing log and its documentation use;
// the engine computes the same rows with fewer columns.
//
// It reads a plan and the statement that it was made of, and changes nothing.
//
// Invariants: equal inputs give equal texts; a plan that can't be described in
// full is described as far as it goes, never refused.
package explain

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Query is what to describe.
type Query struct {
	ID string
	// Plan ends with a Sink, a Materialize or an Output.
	Plan plan.Node
	// Select is the statement's SELECT; nil for a CREATE SOURCE TABLE.
	Select *ast.Query
}

// ExecutionPlan draws the steps from the last to the sources.
func ExecutionPlan(q Query) string {
	var b strings.Builder
	var draw func(s *step, depth int)
	draw = func(s *step, depth int) {
		fmt.Fprintf(&b, "%s > [ %s ] | Schema: %s | Logger: %s.%s\n", strings.Repeat("\t\t", depth), s.kind, s.schema(), q.ID, s.logger())
		for _, in := range s.inputs {
			draw(in, depth+1)
		}
	}
	draw(steps(q), 0)
	return b.String()
}

// Schema is the shape of the rows that the query gives.
func Schema(q Query) *types.Schema {
	s := steps(q)
	return &types.Schema{Key: s.key, Value: s.value}
}

// The kinds of steps, as ksqlDB names them.
const (
	kindSource    = "SOURCE"
	kindFilter    = "FILTER"
	kindProject   = "PROJECT"
	kindFlatMap   = "FLAT_MAP"
	kindRekey     = "REKEY"
	kindGroupBy   = "GROUP_BY"
	kindAggregate = "AGGREGATE"
	kindSuppress  = "SUPPRESS"
	kindJoin      = "JOIN"
	kindSink      = "SINK"
)

// step is a step of ksqlDB's execution plan.
type step struct {
	kind string
	// name is the step's name, its parts divided by dashes as in names of
	// processors.
	name   string
	key    []types.Column
	value  []types.Column
	inputs []*step
	node   plan.Node
	table  bool
	// repartition tells that the rows travel through a topic before the step.
	repartition bool
	// prefix begins the names of an inner join's steps.
	prefix string
}

// logger is the step's name as loggers have it.
func (s *step) logger() string {
	if s.kind == kindSink {
		return s.name
	}
	return strings.ReplaceAll(s.name, "-", ".")
}

func (s *step) schema() string {
	parts := make([]string, 0, len(s.key)+len(s.value))
	for _, c := range s.key {
		parts = append(parts, column(c)+" KEY")
	}
	for _, c := range s.value {
		parts = append(parts, column(c))
	}
	return strings.Join(parts, ", ")
}

func column(c types.Column) string { return ast.QuoteName(c.Name) + " " + typeText(c.Type) }

// typeText writes a type with names quoted only where they need it.
func typeText(t *types.Type) string {
	switch t.Kind {
	case types.KindArray:
		return "ARRAY<" + typeText(t.Elem) + ">"
	case types.KindMap:
		return "MAP<" + typeText(t.Key) + ", " + typeText(t.Elem) + ">"
	case types.KindStruct:
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = ast.QuoteName(f.Name) + " " + typeText(f.Type)
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">"
	default:
		return t.String()
	}
}

// steps makes ksqlDB's steps of a plan.
func steps(q Query) *step {
	d := &describer{query: q}
	if q.Select != nil {
		d.from = q.Select.From
	}
	return d.step(q.Plan)
}

type describer struct {
	query Query
	from  ast.Relation // what the step at hand reads; nil when it is not known
}

func (d *describer) step(n plan.Node) *step {
	switch n := n.(type) {
	case *plan.Source:
		return source(n, "KsqlTopic")
	case *plan.Filter:
		return d.filter(n)
	case *plan.Project:
		return d.project(n)
	case *plan.FlatMap:
		in := d.step(n.Input)
		s := above(in, kindFlatMap, "FlatMap", n)
		for _, c := range n.Calls {
			s.value = append(s.value, types.Column{Name: c.Name, Type: c.Type})
		}
		return s
	case *plan.Rekey:
		return rekey(d.step(n.Input), n, "PartitionBy")
	case *plan.Aggregate:
		return d.aggregate(n)
	case *plan.Suppress:
		in := d.step(n.Input)
		return above(in, kindSuppress, "Suppress", n)
	case *plan.StreamStreamJoin:
		return d.join(n, &n.Join)
	case *plan.StreamTableJoin:
		return d.join(n, &n.Join)
	case *plan.TableTableJoin:
		return d.join(n, &n.Join)
	case *plan.ForeignKeyJoin:
		return d.join(n, &n.Join)
	case *plan.Sink:
		in := d.step(n.Input)
		return above(in, kindSink, n.Name, n)
	case *plan.Materialize:
		in := d.step(skipProjects(n.Input))
		s := above(in, kindProject, "Project", n)
		s.key, s.value = n.Schema().Key, n.Schema().Value
		return s
	case *plan.Output:
		return d.output(n)
	default:
		schema := n.Schema()
		return &step{kind: "STEP", name: "Step", key: schema.Key, value: schema.Value, node: n, table: n.Changelog()}
	}
}

// above makes a step whose rows look like those of its input.
func above(in *step, kind, name string, n plan.Node) *step {
	return &step{
		kind: kind, name: name, key: in.key, value: append([]types.Column(nil), in.value...), inputs: []*step{in}, node: n, table: n.Changelog(),
	}
}

// source reads a topic. Its rows carry the system columns and the key as value
// columns, too.
func source(n *plan.Source, topic string) *step {
	s := &step{kind: kindSource, name: topic + "-Source", key: n.Columns.Key, node: n, table: n.Table}
	for _, list := range [][]types.Column{n.Columns.Value, n.Columns.Header} {
		for _, c := range list {
			s.value = append(s.value, types.Column{Name: c.Name, Type: c.Type})
		}
	}
	s.value = append(s.value,
		types.Column{Name: types.RowTime, Type: types.Bigint},
		types.Column{Name: types.RowPartition, Type: types.Integer},
		types.Column{Name: types.RowOffset, Type: types.Bigint})
	s.value = append(s.value, n.Columns.Key...)
	if n.Topic.Window != types.NoWindow {
		s.value = append(s.value, windowBounds()...)
	}
	return s
}

func windowBounds() []types.Column {
	return []types.Column{{Name: types.WindowStart, Type: types.Bigint}, {Name: types.WindowEnd, Type: types.Bigint}}
}

func (d *describer) filter(n *plan.Filter) *step {
	in := d.step(n.Input)
	name := "WhereFilter"
	switch n.Input.(type) {
	case *plan.Aggregate, *plan.Suppress:
		name = "Aggregate-HavingFilter"
	}
	return above(in, kindFilter, name, n)
}

func (d *describer) project(n *plan.Project) *step {
	in := d.step(n.Input)
	s := above(in, kindProject, projectName(n.Input), n)
	s.key, s.value = n.Schema().Key, n.Schema().Value
	return s
}

// projectName is the name of the projection at the end of a query.
func projectName(input plan.Node) string {
	for {
		switch n := input.(type) {
		case *plan.Filter:
			input = n.Input
		case *plan.Suppress:
			input = n.Input
		case *plan.Aggregate:
			return "Aggregate-Project"
		default:
			return "Project"
		}
	}
}

// rekey gives rows a new key; new columns that it is computed of become part of
// the value.
func rekey(in *step, n *plan.Rekey, name string) *step {
	s := above(in, kindRekey, name, n)
	s.key = nil
	for _, k := range n.Keys {
		c := types.Column{Name: k.Name, Type: k.Expr.Type}
		s.key = append(s.key, c)
		if _, plain := k.Expr.AST.(*ast.ColumnRef); !plain {
			s.value = append(s.value, c)
		}
	}
	return s
}

// output is the projection at the end of a transient query: its rows have all
// columns of the answer as value columns.
func (d *describer) output(n *plan.Output) *step {
	input := n.Input
	project, ok := input.(*plan.Project)
	if ok {
		input = project.Input
	}
	in := d.step(input)
	s := above(in, kindProject, projectName(input), n)
	if ok {
		s.key = project.Schema().Key
	}
	s.value = nil
	for _, c := range n.Columns {
		s.value = append(s.value, types.Column{Name: c.Name, Type: c.Type})
	}
	return s
}
