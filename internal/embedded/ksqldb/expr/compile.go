// Package expr gives expressions their types and compiles them, once per query,
// into closures that are specialised by the types.
//
// Invariants: a Compiled has no state and no scratch memory, so one may be used
// by any number of tasks at the same time; a column is found by its position,
// never by its name, while rows are processed; evaluation never changes a row.
// An error of Eval is about one row: the caller decides whether the column
// becomes NULL or the row is dropped.
package expr

import (
	"errors"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Compiler turns expressions into code.
type Compiler struct {
	// Registry is where functions are looked up.
	Registry *function.Registry
	// CustomType finds the types made by CREATE TYPE; nil when there are none.
	CustomType func(name string) (*types.Type, bool)
	// Nested is told of errors inside an expression that do not fail the whole
	// of it: a failed CAST, function argument, or element of a constructor is
	// NULL. row is the one that the expression is evaluated on. It may be called
	// from several goroutines; nil ignores them.
	Nested func(row *types.Row, err error)
}

// Compiled is an expression ready to be evaluated, by several goroutines if
// need be.
type Compiled struct {
	Type *types.Type
	// Constant tells that the result is the same for every row.
	Constant bool
	// Eval computes the value for a row.
	Eval func(row *types.Row) (types.Value, error)
}

// frame holds the variables of a lambda while it runs.
type frame struct {
	up   *frame
	vars []types.Value
}

type evalFunc func(row *types.Row, f *frame) (types.Value, error)

// node is a compiled part of an expression. The type of NULL is nil.
type node struct {
	typ      *types.Type
	eval     evalFunc
	constant bool
	// value is the result of a constant.
	value types.Value
}

// builder compiles one expression.
type builder struct {
	*Compiler
	scope  *Scope
	lambda *lambdaScope
	// typesOnly is set where only the type is asked for: aggregate and table
	// functions are then allowed.
	typesOnly bool
	// volatile counts the calls that may not be folded into a constant.
	volatile int
}

// TypeOf gives the type of an expression. Aggregate and table functions are
// allowed. An expression that is NULL has no type, which is an error.
func (c *Compiler) TypeOf(e ast.Expr, s *Scope) (*types.Type, error) {
	n, err := c.build(e, s, true)
	if err != nil {
		return nil, err
	}
	return n.typ, nil
}

// Compile turns an expression into code. Aggregate and table functions are
// refused: the analysis replaces them by columns.
func (c *Compiler) Compile(e ast.Expr, s *Scope) (*Compiled, error) {
	n, err := c.build(e, s, false)
	if err != nil {
		return nil, err
	}
	eval := n.eval
	return &Compiled{
		Type: n.typ, Constant: n.constant,
		Eval: func(row *types.Row) (types.Value, error) { return eval(row, nil) },
	}, nil
}

// CompilePredicate compiles a condition. It holds for a row when it is true;
// NULL is false.
func (c *Compiler) CompilePredicate(e ast.Expr, s *Scope) (func(row *types.Row) (bool, error), error) {
	n, err := c.build(e, s, false)
	if err != nil {
		return nil, err
	}
	if n.typ.Kind != types.KindBoolean {
		return nil, errorAt(e, "Type error in %s expression: Should evaluate to boolean but is %s (%s) instead.",
			s.clause(), Format(e), n.typ)
	}
	eval := n.eval
	return func(row *types.Row) (bool, error) {
		v, err := eval(row, nil)
		return !v.IsNull() && v.Bool(), err
	}, nil
}

func (c *Compiler) build(e ast.Expr, s *Scope, typesOnly bool) (node, error) {
	b := &builder{Compiler: c, scope: s, typesOnly: typesOnly}
	n, err := b.expr(e)
	var code *codeError
	switch {
	case errors.As(err, &code):
		return node{}, s.invalid(code, e)
	case err != nil:
		return node{}, err
	case n.typ == nil:
		return node{}, errorAt(e, "Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).")
	default:
		return n, nil
	}
}

func (b *builder) expr(e ast.Expr) (node, error) {
	volatile := b.volatile
	n, err := b.dispatch(e)
	if err != nil || n.constant || b.volatile != volatile || b.lambda != nil || b.typesOnly {
		return n, err
	}
	if !usesRow(e) {
		return fold(n), nil
	}
	return n, nil
}

// fold replaces code that depends on no row by its result. Code that fails is
// kept, so that it fails for each row.
func fold(n node) node {
	v, err := n.eval(nil, nil)
	if err != nil {
		return n
	}
	return constant(n.typ, v)
}

// usesRow reports whether the value of an expression may differ from row to row.
func usesRow(e ast.Expr) bool {
	uses := false
	ast.Walk(e, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.ColumnRef, *ast.Lambda:
			uses = true
		}
		return !uses
	})
	return uses
}

func constant(t *types.Type, v types.Value) node {
	return node{
		typ: t, constant: true, value: v,
		eval: func(*types.Row, *frame) (types.Value, error) { return v, nil },
	}
}

func (b *builder) dispatch(e ast.Expr) (node, error) {
	switch e := e.(type) {
	case ast.Literal:
		return literal(e)
	case *ast.ColumnRef:
		return b.column(e)
	case *ast.LambdaVariable:
		return b.variable(e)
	case *ast.Dereference:
		return b.dereference(e)
	case *ast.Subscript:
		return b.subscript(e)
	case *ast.FunctionCall:
		return b.call(e, e.Name.Name, e.Args)
	case *ast.Concat:
		return b.call(e, "CONCAT", []ast.Expr{e.Left, e.Right})
	case *ast.Arithmetic:
		return b.arithmetic(e)
	case *ast.Unary:
		return b.unary(e)
	case *ast.Comparison:
		return b.comparison(e)
	case *ast.Logical:
		return b.logical(e)
	case *ast.Not:
		return b.not(e)
	case *ast.IsNull:
		return b.isNull(e)
	case *ast.Between:
		return b.between(e)
	case *ast.In:
		return b.in(e)
	case *ast.Like:
		return b.like(e)
	case *ast.SearchedCase:
		return b.searchedCase(e)
	case *ast.SimpleCase:
		return node{}, errorAt(e, "not yet implemented: io.confluent.ksql.execution.util.ExpressionTypeManager$Visitor.visitSimpleCaseExpression")
	case *ast.Cast:
		return b.cast(e)
	case *ast.ArrayConstructor:
		return b.array(e)
	case *ast.MapConstructor:
		return b.mapOf(e)
	case *ast.StructConstructor:
		return b.structOf(e)
	default:
		return node{}, errorAt(e, "%s can only be an argument of a function", Format(e))
	}
}

func literal(e ast.Literal) (node, error) {
	switch e := e.(type) {
	case *ast.BooleanLiteral:
		return constant(types.Boolean, types.BoolValue(e.Value)), nil
	case *ast.IntegerLiteral:
		return constant(types.Integer, types.IntValue(int64(e.Value))), nil
	case *ast.LongLiteral:
		return constant(types.Bigint, types.IntValue(e.Value)), nil
	case *ast.DoubleLiteral:
		return constant(types.Double, types.DoubleValue(e.Value)), nil
	case *ast.DecimalLiteral:
		d, err := types.ParseDecimal(e.Text)
		if err != nil {
			return node{}, errorAt(e, "Invalid DECIMAL literal: %s", e.Text)
		}
		return constant(types.DecimalTypeOf(d), types.DecimalValue(d)), nil
	case *ast.StringLiteral:
		return constant(types.String, types.StringValue(e.Value)), nil
	default:
		return constant(nil, types.Null), nil
	}
}

// LiteralValue gives the type and value of a literal. The type of NULL is nil.
func LiteralValue(e ast.Literal) (*types.Type, types.Value, error) {
	n, err := literal(e)
	return n.typ, n.value, err
}

func (b *builder) column(e *ast.ColumnRef) (node, error) {
	c, err := b.scope.Lookup(e)
	if err != nil {
		return node{}, err
	}
	return node{typ: c.Type, eval: load(c.Slot)}, nil
}

func load(s Slot) evalFunc {
	i := s.Index
	switch s.Kind {
	case SlotKey:
		return func(r *types.Row, _ *frame) (types.Value, error) {
			if uint(i) < uint(len(r.Key)) {
				return r.Key[i], nil
			}
			return types.Null, nil
		}
	case SlotValue:
		return func(r *types.Row, _ *frame) (types.Value, error) {
			if uint(i) < uint(len(r.Value)) {
				return r.Value[i], nil
			}
			return types.Null, nil
		}
	case SlotHeaders:
		return func(r *types.Row, _ *frame) (types.Value, error) {
			headers := make([]types.Value, len(r.Headers))
			for i, h := range r.Headers {
				headers[i] = types.StructValue([]types.Value{types.StringValue(h.Key), headerValue(h)})
			}
			return types.ArrayValue(headers), nil
		}
	case SlotHeader:
		return func(r *types.Row, _ *frame) (types.Value, error) {
			for i := len(r.Headers) - 1; i >= 0; i-- {
				if r.Headers[i].Key == s.Header {
					return headerValue(r.Headers[i]), nil
				}
			}
			return types.Null, nil
		}
	case SlotRowTime:
		return func(r *types.Row, _ *frame) (types.Value, error) { return types.IntValue(r.Time), nil }
	case SlotRowPartition:
		return func(r *types.Row, _ *frame) (types.Value, error) { return types.IntValue(int64(r.Partition)), nil }
	case SlotRowOffset:
		return func(r *types.Row, _ *frame) (types.Value, error) { return types.IntValue(r.Offset), nil }
	case SlotWindowStart:
		return func(r *types.Row, _ *frame) (types.Value, error) { return types.IntValue(r.Window.Start), nil }
	default:
		return func(r *types.Row, _ *frame) (types.Value, error) { return types.IntValue(r.Window.End), nil }
	}
}

func headerValue(h types.Header) types.Value {
	if h.Value == nil {
		return types.Null
	}
	return types.BytesValue(h.Value)
}

// orNull makes the errors of a part of an expression NULL.
func (b *builder) orNull(n node) node {
	if n.constant || n.eval == nil {
		return n
	}
	eval, nested := n.eval, b.Nested
	n.eval = func(r *types.Row, f *frame) (types.Value, error) {
		v, err := eval(r, f)
		if err != nil {
			if nested != nil {
				nested(r, err)
			}
			return types.Null, nil
		}
		return v, nil
	}
	return n
}

func upper(s string) string { return strings.ToUpper(s) }
