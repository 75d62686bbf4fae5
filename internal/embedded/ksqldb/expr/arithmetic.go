package expr

import (
	"errors"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var errNullOperand = errors.New("arithmetic with NULL")

func (b *builder) arithmetic(e *ast.Arithmetic) (node, error) {
	left, err := b.expr(e.Left)
	if err != nil {
		return node{}, err
	}
	right, err := b.expr(e.Right)
	if err != nil {
		return node{}, err
	}
	t, err := arithmeticType(e, left.typ, right.typ)
	if err != nil {
		return node{}, err
	}
	n := node{typ: t}
	if b.typesOnly {
		return n, nil
	}
	switch t.Kind {
	case types.KindString:
		n.eval = concatenate(left, right)
	case types.KindInteger:
		n.eval = intArithmetic(e.Op, left.eval, right.eval, func(i int64) int64 { return int64(int32(i)) })
	case types.KindBigint:
		n.eval = intArithmetic(e.Op, left.eval, right.eval, nil)
	case types.KindDouble:
		n.eval = doubleArithmetic(e.Op, asDouble(left), asDouble(right))
	default:
		n.eval = decimalArithmetic(e.Op, t, asDecimal(left), asDecimal(right))
	}
	return n, nil
}

func arithmeticType(e *ast.Arithmetic, left, right *types.Type) (*types.Type, error) {
	fail := func(reason string) error {
		text := Format(e)
		return errorAt(e, "Error processing expression: %s. %s\nStatement: %s", text, reason, text)
	}
	if left == nil || right == nil {
		return nil, fail("Arithmetic on types " + left.String() + " and " + right.String() + " are not supported.")
	}
	if e.Op == ast.Add && left.Kind == types.KindString && right.Kind == types.KindString {
		return types.String, nil
	}
	if !left.IsNumeric() || !right.IsNumeric() {
		return nil, fail("Unsupported arithmetic types. " + left.Kind.String() + " " + right.Kind.String())
	}
	wider := left
	if function.Widens(left.Kind, right.Kind) {
		wider = right
	}
	if wider.Kind != types.KindDecimal {
		return wider, nil
	}
	dl, err := types.AsDecimalType(left)
	if err != nil {
		return nil, fail(err.Error())
	}
	dr, err := types.AsDecimalType(right)
	if err != nil {
		return nil, fail(err.Error())
	}
	switch e.Op {
	case ast.Multiply:
		return types.MulType(dl, dr), nil
	case ast.Divide:
		return types.DivType(dl, dr), nil
	case ast.Modulus:
		return types.RemType(dl, dr), nil
	default:
		return types.AddType(dl, dr), nil
	}
}

// concatenate is + on strings: as in Java, NULL is the text null.
func concatenate(left, right node) evalFunc {
	l, r := left.eval, right.eval
	text := func(v types.Value) string {
		if v.IsNull() {
			return "null"
		}
		return v.Str()
	}
	return func(row *types.Row, f *frame) (types.Value, error) {
		a, err := l(row, f)
		if err != nil {
			return types.Null, err
		}
		b, err := r(row, f)
		if err != nil {
			return types.Null, err
		}
		return types.StringValue(text(a) + text(b)), nil
	}
}

// operands evaluates both sides; NULL is an error, as unboxing it is in ksqlDB.
func operands(l, r evalFunc, row *types.Row, f *frame) (a, b types.Value, err error) {
	if a, err = l(row, f); err != nil {
		return a, b, err
	}
	if b, err = r(row, f); err != nil {
		return a, b, err
	}
	if a.IsNull() || b.IsNull() {
		return a, b, errNullOperand
	}
	return a, b, nil
}

func intArithmetic(op ast.ArithmeticOp, l, r evalFunc, wrap func(int64) int64) evalFunc {
	var compute func(a, b int64) (int64, error)
	switch op {
	case ast.Add:
		compute = func(a, b int64) (int64, error) { return a + b, nil }
	case ast.Subtract:
		compute = func(a, b int64) (int64, error) { return a - b, nil }
	case ast.Multiply:
		compute = func(a, b int64) (int64, error) { return a * b, nil }
	case ast.Divide:
		compute = func(a, b int64) (int64, error) {
			if b == 0 {
				return 0, types.ErrDivisionByZero
			}
			return a / b, nil
		}
	default:
		compute = func(a, b int64) (int64, error) {
			if b == 0 {
				return 0, types.ErrDivisionByZero
			}
			return a % b, nil
		}
	}
	return func(row *types.Row, f *frame) (types.Value, error) {
		a, b, err := operands(l, r, row, f)
		if err != nil {
			return types.Null, err
		}
		i, err := compute(a.Int(), b.Int())
		if err != nil {
			return types.Null, err
		}
		if wrap != nil {
			i = wrap(i)
		}
		return types.IntValue(i), nil
	}
}

func doubleArithmetic(op ast.ArithmeticOp, l, r evalFunc) evalFunc {
	var compute func(a, b float64) float64
	switch op {
	case ast.Add:
		compute = func(a, b float64) float64 { return a + b }
	case ast.Subtract:
		compute = func(a, b float64) float64 { return a - b }
	case ast.Multiply:
		compute = func(a, b float64) float64 { return a * b }
	case ast.Divide:
		compute = func(a, b float64) float64 { return a / b }
	default:
		compute = math.Mod
	}
	return func(row *types.Row, f *frame) (types.Value, error) {
		a, b, err := operands(l, r, row, f)
		if err != nil {
			return types.Null, err
		}
		return types.DoubleValue(compute(a.Double(), b.Double())), nil
	}
}

func decimalArithmetic(op ast.ArithmeticOp, t *types.Type, l, r evalFunc) evalFunc {
	compute := map[ast.ArithmeticOp]func(a, b *apd.Decimal, precision, scale int) (*apd.Decimal, error){
		ast.Add: types.AddDecimal, ast.Subtract: types.SubDecimal, ast.Multiply: types.MulDecimal,
		ast.Divide: types.DivDecimal, ast.Modulus: types.RemDecimal,
	}[op]
	precision, scale := t.Precision, t.Scale
	return func(row *types.Row, f *frame) (types.Value, error) {
		a, b, err := operands(l, r, row, f)
		if err != nil {
			return types.Null, err
		}
		d, err := compute(a.Decimal(), b.Decimal(), precision, scale)
		return types.DecimalValue(d), err
	}
}

// convert wraps code so that its non-null results are converted.
func convert(n node, f func(types.Value) (types.Value, error)) evalFunc {
	if n.constant {
		if n.value.IsNull() {
			return n.eval
		}
		v, err := f(n.value)
		return func(*types.Row, *frame) (types.Value, error) { return v, err }
	}
	eval := n.eval
	return func(row *types.Row, fr *frame) (types.Value, error) {
		v, err := eval(row, fr)
		if err != nil || v.IsNull() {
			return v, err
		}
		return f(v)
	}
}

// asDouble is a number's code with DOUBLE results.
func asDouble(n node) evalFunc {
	switch n.typ.Kind {
	case types.KindInteger, types.KindBigint:
		return convert(n, func(v types.Value) (types.Value, error) {
			return types.DoubleValue(float64(v.Int())), nil
		})
	case types.KindDecimal:
		return convert(n, func(v types.Value) (types.Value, error) {
			return types.DoubleValue(types.DecimalFloat(v.Decimal())), nil
		})
	default:
		return n.eval
	}
}

// asDecimal is a number's code with DECIMAL results.
func asDecimal(n node) evalFunc {
	switch n.typ.Kind {
	case types.KindInteger, types.KindBigint:
		return convert(n, func(v types.Value) (types.Value, error) {
			return types.DecimalValue(types.DecimalFromInt(v.Int())), nil
		})
	case types.KindDouble:
		return convert(n, func(v types.Value) (types.Value, error) {
			d, err := types.DecimalFromShortest(v.Double())
			return types.DecimalValue(d), err
		})
	default:
		return n.eval
	}
}

func (b *builder) unary(e *ast.Unary) (node, error) {
	n, err := b.expr(e.Operand)
	if err != nil {
		return node{}, err
	}
	if !n.typ.IsNumeric() {
		return node{}, codeErrorAt(e, "a sign needs a number, but %s is %s", Format(e.Operand), n.typ)
	}
	if b.typesOnly {
		return node{typ: n.typ}, nil
	}
	eval := n.eval
	var compute func(types.Value) (types.Value, error)
	switch {
	case !e.Negative:
		compute = func(v types.Value) (types.Value, error) { return v, nil }
	case n.typ.Kind == types.KindInteger:
		compute = func(v types.Value) (types.Value, error) { return types.IntValue(int64(int32(-v.Int()))), nil }
	case n.typ.Kind == types.KindBigint:
		compute = func(v types.Value) (types.Value, error) { return types.IntValue(-v.Int()), nil }
	case n.typ.Kind == types.KindDouble:
		compute = func(v types.Value) (types.Value, error) { return types.DoubleValue(-v.Double()), nil }
	default:
		precision := n.typ.Precision
		compute = func(v types.Value) (types.Value, error) {
			d, err := types.NegDecimal(v.Decimal(), precision)
			return types.DecimalValue(d), err
		}
	}
	return node{typ: n.typ, eval: func(row *types.Row, f *frame) (types.Value, error) {
		v, err := eval(row, f)
		if err != nil {
			return types.Null, err
		}
		if v.IsNull() {
			return types.Null, errNullOperand
		}
		return compute(v)
	}}, nil
}
