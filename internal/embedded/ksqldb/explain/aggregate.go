package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// aggregate describes the three steps of an aggregation: the columns that it
// needs are picked out, the rows grouped, and each group folded.
func (d *describer) aggregate(n *plan.Aggregate) *step {
	in := d.step(n.Input)
	needs := d.needs(n, in)
	prepare := above(in, kindProject, "Aggregate-Prepare", n)
	prepare.table = in.table
	prepare.value = append(slices.Clone(needs.columns), needs.arguments...)

	group := above(prepare, kindGroupBy, "Aggregate-GroupBy", n)
	group.table = in.table
	group.repartition = n.Repartition
	group.key = n.Schema().Key

	fold := above(group, kindAggregate, "Aggregate-Aggregate", n)
	fold.value = append(slices.Clone(needs.columns), needs.results...)
	if n.Window != nil {
		fold.value = append(fold.value, windowBounds()...)
	}
	return fold
}

// needed are the columns of an aggregation's steps.
type needed struct {
	columns   []types.Column // of the input, in the order of their first use
	arguments []types.Column // computed from them
	results   []types.Column // of the aggregate functions
}

// needs finds what a SELECT takes from its input, in the order in which ksqlDB
// meets it: the projection, WHERE, GROUP BY, HAVING.
func (d *describer) needs(n *plan.Aggregate, in *step) needed {
	c := &collector{in: in, calls: map[string]plan.AggregateCall{}}
	for _, call := range n.Calls {
		c.calls[callText(call.Function, astsOf(call.Args))] = call
	}
	if q := d.query.Select; q != nil {
		for _, item := range q.Select {
			if single, ok := item.(*ast.SingleColumn); ok {
				c.visit(single.Expr)
			}
		}
		c.visit(q.Where)
		if q.GroupBy != nil {
			for _, e := range q.GroupBy.Exprs {
				c.visit(e)
			}
		}
		c.visit(q.Having)
	}
	for _, call := range c.found {
		for _, arg := range call.args {
			if _, plain := arg.AST.(*ast.ColumnRef); plain {
				continue
			}
			if _, literal := arg.AST.(ast.Literal); literal {
				continue
			}
			text := ast.Format(arg.AST)
			if slices.Contains(c.computed, text) {
				continue
			}
			c.computed = append(c.computed, text)
			name := "KSQL_INTERNAL_COL_" + strconv.Itoa(len(c.columns)+len(c.arguments))
			c.arguments = append(c.arguments, types.Column{Name: name, Type: arg.Type})
		}
	}
	return c.needed
}

type collector struct {
	needed
	in       *step
	calls    map[string]plan.AggregateCall
	found    []foundCall
	computed []string
}

type foundCall struct{ args []plan.Expr }

func astsOf(args []plan.Expr) []ast.Expr {
	out := make([]ast.Expr, len(args))
	for i, a := range args {
		out[i] = a.AST
	}
	return out
}

// callText names a call whatever the sources' names before its columns.
func callText(function string, args []ast.Expr) string {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = ast.Format(unqualified(a))
	}
	return strings.ToUpper(function) + "(" + strings.Join(texts, ", ") + ")"
}

func unqualified(e ast.Expr) ast.Expr {
	return ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		if ref, ok := x.(*ast.ColumnRef); ok && ref.Source != nil {
			c := *ref
			c.Source = nil
			return &c
		}
		return x
	})
}

// joined gives columns the names that they have after a join.
func joined(args []ast.Expr) []ast.Expr {
	return ast.RewriteAll(args, func(x ast.Expr) ast.Expr {
		if ref, ok := x.(*ast.ColumnRef); ok && ref.Source != nil {
			return &ast.ColumnRef{Name: &ast.Ident{Name: ref.Source.Name + "_" + ref.Name.Name}}
		}
		return x
	})
}

func (c *collector) visit(e ast.Expr) {
	if e == nil {
		return
	}
	ast.Walk(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ColumnRef:
			c.need(n)
		case *ast.FunctionCall:
			c.call(n)
		}
		return true
	})
}

// need notes a column of the input; in joins it carries its source's name.
func (c *collector) need(ref *ast.ColumnRef) {
	for _, name := range candidates(ref) {
		if at := find(c.in.value, name); at >= 0 {
			if find(c.columns, name) < 0 {
				c.columns = append(c.columns, c.in.value[at])
			}
			return
		}
	}
	if ref.Source == nil {
		for _, column := range c.in.value {
			if strings.HasSuffix(column.Name, "_"+ref.Name.Name) && find(c.columns, column.Name) < 0 {
				c.columns = append(c.columns, column)
				return
			}
		}
	}
}

func candidates(ref *ast.ColumnRef) []string {
	if ref.Source == nil {
		return []string{ref.Name.Name}
	}
	return []string{ref.Source.Name + "_" + ref.Name.Name, ref.Name.Name}
}

// call notes a call of an aggregate function. One without arguments takes the
// rows' time.
func (c *collector) call(f *ast.FunctionCall) {
	call, ok := c.calls[callText(f.Name.Name, f.Args)]
	if !ok {
		call, ok = c.calls[callText(f.Name.Name, joined(f.Args))]
	}
	if !ok && len(f.Args) == 0 {
		call, ok = c.calls[strings.ToUpper(f.Name.Name)+"("+types.RowTime+")"]
	}
	if !ok {
		return
	}
	if len(f.Args) == 0 {
		c.need(&ast.ColumnRef{Name: &ast.Ident{Name: types.RowTime}})
	}
	c.found = append(c.found, foundCall{call.Args})
	name := "KSQL_AGG_VARIABLE_" + strconv.Itoa(len(c.results))
	c.results = append(c.results, types.Column{Name: name, Type: call.Type})
}
