package expr

import (
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// AggregateCall is a call of an aggregate function, bound to its types and
// constants.
type AggregateCall struct {
	function.Aggregator
	// Name is the function's name in upper case.
	Name string
	// Args are the arguments that are computed for each row: all but the
	// trailing constants. COUNT(*) has none.
	Args []ast.Expr
	// Types are the types of Args.
	Types []*types.Type
}

// BindAggregate resolves a call of an aggregate function. properties are those
// of the session; some functions read limits from them.
func (c *Compiler) BindAggregate(call *ast.FunctionCall, s *Scope, properties map[string]string) (*AggregateCall, error) {
	b := &builder{Compiler: c, scope: s, typesOnly: true}
	return b.bindAggregate(call, call.Name.Name, call.Args, properties)
}

func (b *builder) bindAggregate(e ast.Expr, name string, args []ast.Expr, properties map[string]string) (*AggregateCall, error) {
	aggregate, err := b.Registry.Aggregate(name)
	if err != nil {
		return nil, at(e, err)
	}
	argTypes := make([]*types.Type, len(args))
	for i, a := range args {
		n, err := b.expr(a)
		if err != nil {
			return nil, err
		}
		argTypes[i] = n.typ
	}
	resolveTypes := argTypes
	if len(args) == 0 {
		// ksqlDB resolves a call without arguments as one with a BIGINT.
		resolveTypes = []*types.Type{types.Bigint}
	}
	overload, err := aggregate.Resolve(resolveTypes)
	if err != nil {
		return nil, at(e, err)
	}
	columns := max(len(args)-overload.ConstantArgs(len(resolveTypes)), 0)
	constants := make([]types.Value, 0, len(args)-columns)
	for i, a := range args[columns:] {
		lit, ok := a.(ast.Literal)
		if !ok {
			return nil, errorAt(a, "Parameter %d passed to function %s must be a literal constant, but was expression: '%s'",
				columns+i+1, name, Format(a))
		}
		_, v, err := LiteralValue(lit)
		if err != nil {
			return nil, err
		}
		constants = append(constants, v)
	}
	bound, err := overload.Bind(function.Binding{Args: argTypes[:columns], Constants: constants, Properties: properties})
	if err != nil {
		return nil, at(e, err)
	}
	return &AggregateCall{Aggregator: bound, Name: upper(name), Args: args[:columns], Types: argTypes[:columns]}, nil
}

func (b *builder) aggregateType(e ast.Expr, name string, args []ast.Expr) (node, error) {
	call, err := b.bindAggregate(e, name, args, nil)
	if err != nil {
		return node{}, err
	}
	return node{typ: call.ResultType()}, nil
}

// TableCall is a call of a table function, ready to be evaluated. It has no
// state and may be used by several tasks.
type TableCall struct {
	// Name is the function's name in upper case.
	Name string
	// Type is the type of the rows.
	Type *types.Type
	// Eval gives the rows that a call produces for an input row.
	Eval func(row *types.Row) ([]types.Value, error)
}

// BindTable resolves and compiles a call of a table function.
func (c *Compiler) BindTable(call *ast.FunctionCall, s *Scope) (*TableCall, error) {
	b := &builder{Compiler: c, scope: s}
	bound, err := b.bindTable(call, call.Name.Name, call.Args)
	var code *codeError
	if errors.As(err, &code) {
		return nil, s.invalid(code, call)
	}
	return bound, err
}

func (b *builder) bindTable(e ast.Expr, name string, args []ast.Expr) (*TableCall, error) {
	table, err := b.Registry.Table(name)
	if err != nil {
		return nil, at(e, err)
	}
	nodes, infos, err := b.arguments(args)
	if err != nil {
		return nil, err
	}
	overload, err := table.Resolve(infos)
	if err != nil {
		return nil, at(e, err)
	}
	result, err := overload.Result(infos)
	if err != nil {
		return nil, at(e, err)
	}
	call := &TableCall{Name: upper(name), Type: result}
	if b.typesOnly {
		return call, nil
	}
	evals := make([]evalFunc, len(args))
	for i := range args {
		converted, err := b.convertArgument(args[i], nodes[i], overload.Param(i).Type)
		if err != nil {
			return nil, err
		}
		evals[i] = b.orNull(converted).eval
	}
	rows, err := overload.Make(infos, result)
	if err != nil {
		return nil, at(e, err)
	}
	call.Eval = func(row *types.Row) ([]types.Value, error) {
		values, err := evalAll(evals, row, nil)
		if err != nil {
			return nil, err
		}
		out, err := rows(values)
		if err != nil {
			return nil, fmt.Errorf("Table function %s threw an exception: %w", call.Name, err)
		}
		return out, nil
	}
	return call, nil
}

func (b *builder) tableType(e ast.Expr, name string, args []ast.Expr) (node, error) {
	call, err := b.bindTable(e, name, args)
	if err != nil {
		return node{}, err
	}
	return node{typ: call.Type}, nil
}
