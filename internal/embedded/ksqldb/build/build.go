// Package build turns a plan into a topology: it compiles the expressions,
// binds the functions and formats, and names the stores and internal topics.
//
// Invariants: a plan is only read, never changed; the same plan and options
// always give the same topology with the same names, so that a query finds its
// state again after a restart.
package build

import (
	"context"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Options are what a plan needs to become runnable.
type Options struct {
	// ApplicationID begins the names of internal topics, such as
	// _confluent-ksql-default_query_CTAS_X_3.
	ApplicationID string
	// Functions are the functions that expressions may call. Required.
	Functions *function.Registry
	// CustomType finds the types made by CREATE TYPE; may be nil.
	CustomType func(name string) (*types.Type, bool)
	// Registry is where schemas are registered and found; it may be nil when no
	// format needs one.
	Registry format.SchemaRegistry
	// Properties are those of the query, without the prefix ksql.streams.
	Properties map[string]string
}

// Build makes the topology of a plan. The context bounds what is asked of the
// registry meanwhile.
func Build(ctx context.Context, root plan.Node, o Options) (*exec.Topology, error) {
	b := &builder{
		ctx: ctx, options: o, topic: "KsqlTopic",
		compiler: &expr.Compiler{Registry: o.Functions, CustomType: o.CustomType},
	}
	step, err := b.node(root)
	if err != nil {
		return nil, err
	}
	t, err := exec.New(step)
	if err != nil {
		return nil, err
	}
	t.Windowed, t.Changelog = root.Windowed(), root.Changelog()
	if out, ok := root.(*plan.Output); ok {
		t.Limit = out.Limit
	}
	return t, nil
}

type builder struct {
	ctx      context.Context
	options  Options
	compiler *expr.Compiler
	// topic is what ksqlDB calls the source below the present step: KsqlTopic, or
	// KafkaTopic_Left and KafkaTopic_Right below a join.
	topic string
}

// in names the step that the expressions compiled from now on belong to.
func (b *builder) in(step string) {
	b.compiler.Nested = func(row *types.Row, err error) {
		if row != nil && row.Report != nil {
			row.Report(step, err)
		}
	}
}

// node builds any step of a plan.
func (b *builder) node(n plan.Node) (exec.Step, error) {
	switch n := n.(type) {
	case *plan.Source:
		return b.source(n)
	case *plan.Filter:
		return b.filter(n)
	case *plan.Project:
		return b.project(n)
	case *plan.FlatMap:
		return b.flatMap(n)
	case *plan.Rekey:
		return b.rekey(n)
	case *plan.Aggregate:
		return b.aggregate(n, false)
	case *plan.Suppress:
		return b.suppress(n)
	case *plan.StreamStreamJoin:
		return b.streamStreamJoin(n)
	case *plan.StreamTableJoin:
		return b.streamTableJoin(n)
	case *plan.TableTableJoin:
		return b.tableTableJoin(n)
	case *plan.ForeignKeyJoin:
		return b.foreignKeyJoin(n)
	case *plan.Sink:
		return b.sink(n)
	case *plan.Output:
		in, err := b.node(n.Input)
		if err != nil {
			return nil, err
		}
		return &exec.OutputStep{Input: in}, nil
	case *plan.Materialize:
		return b.materialize(n)
	default:
		return nil, fmt.Errorf("building a plan: steps of type %T can't be run", n)
	}
}

func (b *builder) source(n *plan.Source) (exec.Step, error) {
	key, value, err := b.serdes(n.Topic, n.Columns, n.Name)
	if err != nil {
		return nil, err
	}
	s := &exec.SourceStep{
		Name: b.topic + ".Source", Topic: n.Topic.Name, Table: n.Table, Columns: n.Columns, Key: key, Value: value,
		Window: n.Topic.Window, WindowSize: n.Topic.WindowSize.Milliseconds(), Offsets: n.Offsets,
		ThrowOnInvalidTimestamp: b.options.Properties["ksql.timestamp.throw.on.invalid"] == "true",
		Store:                   b.topic + "-Reduce",
	}
	b.in(s.Name)
	s.Timestamp, err = b.timestamp(n.Timestamp, n.Columns, n.Topic.Window != types.NoWindow)
	return s, err
}

func (b *builder) filter(n *plan.Filter) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	b.in("WhereFilter")
	predicate, err := b.eval(n.Predicate, n.Input)
	if err != nil {
		return nil, err
	}
	return &exec.FilterStep{
		Input: in, Predicate: predicate, Changelog: n.Changelog(), Name: "WhereFilter",
		Text: "Error evaluating predicate " + expr.Format(n.Predicate.AST),
	}, nil
}

func (b *builder) project(n *plan.Project) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	b.in("Project")
	values, err := b.evals(n.Values, n.Input)
	if err != nil {
		return nil, err
	}
	s := &exec.ProjectStep{Input: in, Columns: n.Schema(), Values: values, Name: "Project"}
	for i, v := range n.Values {
		s.Texts = append(s.Texts, fmt.Sprintf("Error computing expression %s for column %s with index %d", expr.Format(v.Expr.AST), v.Name, i))
	}
	return s, nil
}

func (b *builder) flatMap(n *plan.FlatMap) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	s := &exec.FlatMapStep{Input: in, Columns: n.Schema(), Name: "FlatMap"}
	b.in(s.Name)
	for _, c := range n.Calls {
		bound, err := b.compiler.BindTable(call(c.Function, c.Args), scopeOf(n.Input))
		if err != nil {
			return nil, err
		}
		s.Calls = append(s.Calls, bound.Eval)
	}
	return s, nil
}

func (b *builder) rekey(n *plan.Rekey) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	s := &exec.RekeyStep{Input: in, Columns: n.Schema(), Name: "PartitionBy"}
	b.in(s.Name)
	if s.Keys, err = b.evals(n.Keys, n.Input); err != nil {
		return nil, err
	}
	key := n.Input.Schema()
	for _, k := range n.Keys {
		s.OfKey = append(s.OfKey, ofKey(k.Expr.AST, key))
	}
	if s.Keep, err = b.evals(n.Keep, n.Input); err != nil {
		return nil, err
	}
	if n.Repartition {
		s.Through, err = b.repartition(n.Internal, s.Columns.Key)
	}
	return s, err
}

func (b *builder) repartition(internal *plan.InternalTopic, key []types.Column) (*exec.Repartition, error) {
	if internal == nil {
		return nil, fmt.Errorf("building a plan: a step that needs a repartition topic names none")
	}
	topic := b.options.ApplicationID + "-" + internal.Step + "-repartition"
	serde, err := b.keySerde(internal.Key, key, topic, "")
	if err != nil {
		return nil, err
	}
	return &exec.Repartition{Topic: topic, Key: serde}, nil
}

func (b *builder) sink(n *plan.Sink) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	schema := n.Schema()
	key, value, err := b.serdes(n.Topic, schema, n.Name)
	if err != nil {
		return nil, err
	}
	s := &exec.SinkStep{Input: in, Topic: n.Topic.Name, Key: key, Value: value, Name: n.Name}
	b.in(s.Name)
	if s.Timestamp, err = b.timestamp(n.Timestamp, schema, n.Windowed() != types.NoWindow); err != nil {
		return nil, err
	}
	if n.Materialize {
		size, retention := windowOf(n.Input)
		s.Materialize = &exec.MaterializeStep{
			Columns: schema, Store: "Materialized", Key: key, Window: n.Windowed(), WindowSize: size, Retention: retention,
		}
	}
	return s, nil
}

func (b *builder) materialize(n *plan.Materialize) (exec.Step, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	schema := n.Schema()
	key, err := b.keySerde(keyFormat(n.Input), schema.Key, b.changelog("KafkaTopic_Source-Reduce"), "")
	if err != nil {
		return nil, err
	}
	size, retention := windowOf(n.Input)
	return &exec.MaterializeStep{
		Input: in, Columns: schema, Store: "Materialized", Key: key, Window: n.Windowed(), WindowSize: size, Retention: retention,
	}, nil
}

// windowOf finds the size and the retention, in milliseconds, of the windows
// that a node's keys carry.
func windowOf(n plan.Node) (size, retention int64) {
	switch n := n.(type) {
	case *plan.Source:
		return n.Topic.WindowSize.Milliseconds(), 0
	case *plan.Aggregate:
		if n.Window != nil {
			return n.Window.Size.Milliseconds(), n.Window.Retention.Milliseconds()
		}
	}
	if n.Windowed() == types.NoWindow || len(n.Inputs()) == 0 {
		return 0, 0
	}
	return windowOf(n.Inputs()[0])
}
