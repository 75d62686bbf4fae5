package build

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
)

// aggregate builds a GROUP BY. The arguments of its calls are computed before
// rows are repartitioned; equal ones are computed once.
func (b *builder) aggregate(n *plan.Aggregate, final bool) (*exec.AggregateStep, error) {
	in, err := b.node(n.Input)
	if err != nil {
		return nil, err
	}
	s := &exec.AggregateStep{
		Input: in, Columns: n.Schema(), Undo: n.Input.Changelog(), Store: n.Step, Name: "Aggregate",
	}
	b.in(s.Name)
	if s.Groups, err = b.evals(n.Groups, n.Input); err != nil {
		return nil, err
	}
	if err := b.calls(s, n); err != nil {
		return nil, err
	}
	if s.Key, err = b.keySerde(n.KeyFormat, s.Columns.Key, b.changelog(n.Step), ""); err != nil {
		return nil, err
	}
	if n.Repartition {
		if s.Through, err = b.repartition(n.Internal, s.Columns.Key); err != nil {
			return nil, err
		}
	}
	s.Window = window(n.Window, final)
	return s, nil
}

func (b *builder) calls(s *exec.AggregateStep, n *plan.Aggregate) error {
	scope := scopeOf(n.Input)
	var seen []ast.Expr
	for _, c := range n.Calls {
		bound, err := b.compiler.BindAggregate(call(c.Function, c.Args), scope, b.options.Properties)
		if err != nil {
			return err
		}
		if s.Undo && !bound.CanUndo() {
			return fmt.Errorf("building a plan: the aggregation function %s can't be applied to a table source, only to a stream source", c.Function)
		}
		args := make([]int, len(bound.Args))
		for i, arg := range bound.Args {
			args[i] = position(seen, arg)
			if args[i] < len(seen) {
				continue
			}
			seen = append(seen, arg)
			eval, err := b.eval(plan.Expr{AST: arg, Type: bound.Types[i]}, n.Input)
			if err != nil {
				return err
			}
			s.Args = append(s.Args, eval)
			s.ArgTypes = append(s.ArgTypes, bound.Types[i])
		}
		s.Calls = append(s.Calls, exec.AggregateCall{Function: bound.Aggregator, Args: args})
	}
	return nil
}

// position finds an expression among others, or gives their number.
func position(among []ast.Expr, e ast.Expr) int {
	for i, o := range among {
		if ast.Same(o, e) {
			return i
		}
	}
	return len(among)
}

// suppress builds EMIT FINAL: the aggregate below it emits closed windows only.
func (b *builder) suppress(n *plan.Suppress) (exec.Step, error) {
	agg, ok := n.Input.(*plan.Aggregate)
	if !ok || agg.Window == nil {
		return nil, fmt.Errorf("building a plan: EMIT FINAL needs a windowed aggregation right below it, not %T", n.Input)
	}
	return b.aggregate(agg, true)
}

func window(w *plan.Window, final bool) *exec.Window {
	if w == nil {
		return nil
	}
	kind := exec.Hopping
	if w.Type == plan.Session {
		kind = exec.Session
	}
	return &exec.Window{
		Type: kind, Size: w.Size.Milliseconds(), Advance: w.Advance.Milliseconds(), Grace: w.Grace.Milliseconds(),
		Retention: w.Retention.Milliseconds(), Final: final,
	}
}

func call(name string, args []plan.Expr) *ast.FunctionCall {
	c := &ast.FunctionCall{Name: &ast.Ident{Name: name}}
	for _, a := range args {
		c.Args = append(c.Args, a.AST)
	}
	return c
}
