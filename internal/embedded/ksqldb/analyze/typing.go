package analyze

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func (a *Analyzer) compiler() *expr.Compiler {
	return &expr.Compiler{Registry: a.Functions, CustomType: a.Catalog.Type}
}

// typeOf is the type of an expression that may call aggregate and table
// functions.
func (a *Analyzer) typeOf(e ast.Expr, s *expr.Scope) (*types.Type, error) {
	return a.compiler().TypeOf(e, s)
}

// arguments gives a call's arguments their types. A NULL has none.
func (a *Analyzer) arguments(list []ast.Expr, s *expr.Scope) []plan.Expr {
	exprs := make([]plan.Expr, len(list))
	for i, e := range list {
		exprs[i] = plan.Expr{AST: e}
		if _, null := e.(*ast.NullLiteral); null {
			continue
		}
		if t, err := a.typeOf(e, s); err == nil {
			exprs[i].Type = t
		}
	}
	return exprs
}

// aggregateCall resolves a call of an aggregate function over the rows of a
// step.
func (a *Analyzer) aggregateCall(c *ast.FunctionCall, s *expr.Scope, name string) (plan.AggregateCall, *expr.AggregateCall, error) {
	bound, err := a.compiler().BindAggregate(c, s, a.Config.Properties)
	if err != nil {
		return plan.AggregateCall{}, nil, err
	}
	call := plan.AggregateCall{Name: name, Function: bound.Name, Args: a.arguments(c.Args, s), Type: bound.ResultType()}
	return call, bound, nil
}
