package expr

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// lambdaScope holds the parameters of the lambda that is being compiled.
type lambdaScope struct {
	up    *lambdaScope
	names []string
	types []*types.Type
}

func (b *builder) variable(e *ast.LambdaVariable) (node, error) {
	depth := 0
	for s := b.lambda; s != nil; s = s.up {
		for i, name := range s.names {
			if name != e.Name {
				continue
			}
			return node{typ: s.types[i], eval: loadVariable(depth, i)}, nil
		}
		depth++
	}
	return node{}, errorAt(e, "%s is not a parameter of the lambda", e.Name)
}

func loadVariable(depth, i int) evalFunc {
	if depth == 0 {
		return func(_ *types.Row, f *frame) (types.Value, error) { return f.vars[i], nil }
	}
	return func(_ *types.Row, f *frame) (types.Value, error) {
		for range depth {
			f = f.up
		}
		return f.vars[i], nil
	}
}

// call compiles the call of a scalar function. e is the node that it came from.
func (b *builder) call(e ast.Expr, name string, args []ast.Expr) (node, error) {
	switch {
	case b.Registry.IsAggregate(name):
		if !b.typesOnly {
			return node{}, errorAt(e, "Aggregate functions are not allowed here: %s", Format(e))
		}
		return b.aggregateType(e, name, args)
	case b.Registry.IsTable(name):
		if !b.typesOnly {
			return node{}, errorAt(e, "Table functions are not allowed here: %s", Format(e))
		}
		return b.tableType(e, name, args)
	}
	scalar, err := b.Registry.Scalar(name)
	if err != nil {
		return node{}, at(e, err)
	}
	nodes, infos, err := b.arguments(args)
	if err != nil {
		return node{}, err
	}
	overload, err := scalar.Resolve(infos)
	if err != nil {
		return node{}, at(e, err)
	}
	if overload.Volatile {
		b.volatile++
	}
	lambdas, err := b.lambdas(overload, args, infos)
	if err != nil {
		return node{}, at(e, err)
	}
	result, err := overload.Result(infos)
	if err != nil {
		return node{}, at(e, err)
	}
	n := node{typ: result}
	if b.typesOnly {
		return n, nil
	}
	evals := make([]evalFunc, len(args))
	for i := range args {
		if infos[i].Lambda != nil {
			continue
		}
		converted, err := b.convertArgument(args[i], nodes[i], overload.Param(i).Type)
		if err != nil {
			return node{}, err
		}
		if converted.typ != nil {
			infos[i].Type = converted.typ
		}
		switch args[i].(type) {
		case *ast.FunctionCall, *ast.Dereference:
			converted = b.orNull(converted)
		}
		evals[i] = converted.eval
	}
	impl, err := overload.Make(infos, result)
	if err != nil {
		return node{}, at(e, err)
	}
	n.eval = callFunc(impl, overload.HandlesNull, evals, lambdas)
	return n, nil
}

// arguments compiles all arguments but lambdas, of which only the number of
// parameters is known yet.
func (b *builder) arguments(args []ast.Expr) ([]node, []function.Arg, error) {
	nodes, infos := make([]node, len(args)), make([]function.Arg, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case *ast.Lambda:
			if err := b.checkParams(a); err != nil {
				return nil, nil, err
			}
			infos[i].Lambda = &function.LambdaArg{Inputs: len(a.Params)}
		case *ast.IntervalUnit:
			infos[i].Unit = true
			nodes[i] = constant(nil, types.IntValue(a.Unit.Millis()))
		default:
			n, err := b.expr(a)
			if err != nil {
				return nil, nil, err
			}
			nodes[i], infos[i].Type = n, n.typ
		}
	}
	return nodes, infos, nil
}

// checkParams refuses parameters that hide a column.
func (b *builder) checkParams(lambda *ast.Lambda) error {
	for _, p := range lambda.Params {
		for i := range b.scope.Columns {
			if b.scope.Columns[i].Name == p.Name {
				return errorAt(p, "Lambda function argument can't be a column name: %s", p.Name)
			}
		}
	}
	return nil
}

// lambdas compiles the lambdas among the arguments, whose inputs have the types
// that the arguments before them give to the generic types.
func (b *builder) lambdas(o *function.Overload, args []ast.Expr, infos []function.Arg) ([]evalFunc, error) {
	has := false
	for _, info := range infos {
		has = has || info.Lambda != nil
	}
	if !has {
		return nil, nil
	}
	code := make([]evalFunc, len(args))
	generics := function.Generics{}
	for i, a := range args {
		p := o.Param(i).Type
		if lambda, ok := a.(*ast.Lambda); ok {
			inputs := make([]*types.Type, len(p.Inputs))
			names := make([]string, len(p.Inputs))
			for j, in := range p.Inputs {
				t, err := generics.Apply(in)
				if err != nil {
					return nil, err
				}
				inputs[j], names[j] = t, lambda.Params[j].Name
			}
			b.lambda = &lambdaScope{up: b.lambda, names: names, types: inputs}
			body, err := b.expr(lambda.Body)
			b.lambda = b.lambda.up
			if err != nil {
				return nil, err
			}
			if body.typ == nil {
				return nil, errorAt(lambda, "the result of the lambda %s is NULL and has no type: cast it to one", Format(lambda))
			}
			infos[i].Lambda.Types, infos[i].Lambda.Result = inputs, body.typ
			code[i] = body.eval
		}
		if infos[i].Lambda == nil && infos[i].Type == nil {
			if p.HasGenerics() {
				return nil, errorAt(a, "the type of argument %d, NULL, is not known: cast it to one", i+1)
			}
			continue
		}
		if p.HasGenerics() {
			if err := generics.Reserve(p, infos[i]); err != nil {
				return nil, err
			}
		}
	}
	return code, nil
}

// convertArgument casts an argument that was accepted by widening.
func (b *builder) convertArgument(e ast.Expr, n node, p *function.ParamType) (node, error) {
	if n.typ == nil || p.HasGenerics() {
		return n, nil
	}
	to, err := p.Target(n.typ)
	if err != nil {
		return node{}, at(e, err)
	}
	if to == nil || n.typ.Equal(to) {
		return n, nil
	}
	converted, err := b.castNode(e, n, to)
	if err != nil || !n.constant {
		return converted, err
	}
	return fold(converted), nil
}

// callFunc calls a function with the values of its arguments. Functions of up
// to three arguments are called without a slice.
func callFunc(impl function.Impl, handlesNull bool, args, lambdas []evalFunc) evalFunc {
	switch {
	case impl.F0 != nil:
		return func(*types.Row, *frame) (types.Value, error) { return impl.F0() }
	case impl.F1 != nil:
		return call1(impl.F1, handlesNull, args[0])
	case impl.F2 != nil:
		return call2(impl.F2, handlesNull, args[0], args[1])
	case impl.F3 != nil:
		return call3(impl.F3, handlesNull, args[0], args[1], args[2])
	}
	return func(row *types.Row, f *frame) (types.Value, error) {
		values := make([]types.Value, len(args))
		for i, eval := range args {
			if eval == nil {
				continue
			}
			v, err := eval(row, f)
			if err != nil || v.IsNull() && !handlesNull {
				return types.Null, err
			}
			values[i] = v
		}
		if impl.FL == nil {
			return impl.FN(values)
		}
		return impl.FL(values, bindLambdas(lambdas, row, f))
	}
}

// bindLambdas gives the lambdas of a call the row and the variables around
// them. Each has one frame that its calls share one after the other.
func bindLambdas(code []evalFunc, row *types.Row, f *frame) []function.Lambda {
	bound := make([]function.Lambda, len(code))
	for i, eval := range code {
		if eval == nil {
			continue
		}
		inner := &frame{up: f}
		bound[i] = func(inputs ...types.Value) (types.Value, error) {
			inner.vars = inputs
			return eval(row, inner)
		}
	}
	return bound
}

func call1(fn func(a types.Value) (types.Value, error), handlesNull bool, a evalFunc) evalFunc {
	return func(row *types.Row, f *frame) (types.Value, error) {
		x, err := a(row, f)
		if err != nil || x.IsNull() && !handlesNull {
			return types.Null, err
		}
		return fn(x)
	}
}

func call2(fn func(a, b types.Value) (types.Value, error), handlesNull bool, a, b evalFunc) evalFunc {
	return func(row *types.Row, f *frame) (types.Value, error) {
		x, err := a(row, f)
		if err != nil {
			return types.Null, err
		}
		y, err := b(row, f)
		if err != nil || !handlesNull && (x.IsNull() || y.IsNull()) {
			return types.Null, err
		}
		return fn(x, y)
	}
}

func call3(fn func(a, b, c types.Value) (types.Value, error), handlesNull bool, a, b, c evalFunc) evalFunc {
	return func(row *types.Row, f *frame) (types.Value, error) {
		x, err := a(row, f)
		if err != nil {
			return types.Null, err
		}
		y, err := b(row, f)
		if err != nil {
			return types.Null, err
		}
		z, err := c(row, f)
		if err != nil || !handlesNull && (x.IsNull() || y.IsNull() || z.IsNull()) {
			return types.Null, err
		}
		return fn(x, y, z)
	}
}
