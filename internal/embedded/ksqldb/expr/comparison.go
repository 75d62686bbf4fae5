package expr

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var comparisonNames = [...]string{
	ast.Equal: "EQUAL", ast.NotEqual: "NOT_EQUAL", ast.LessThan: "LESS_THAN",
	ast.LessOrEqual: "LESS_THAN_OR_EQUAL", ast.GreaterThan: "GREATER_THAN",
	ast.GreaterOrEqual: "GREATER_THAN_OR_EQUAL", ast.IsDistinctFrom: "IS_DISTINCT_FROM",
}

func (b *builder) comparison(e *ast.Comparison) (node, error) {
	left, err := b.expr(e.Left)
	if err != nil {
		return node{}, err
	}
	right, err := b.expr(e.Right)
	if err != nil {
		return node{}, err
	}
	if left.typ == nil || right.typ == nil {
		return node{}, errorAt(e, "Comparison with NULL not supported: %s %s %s\nUse 'IS NULL' or 'IS NOT NULL' instead.",
			kindName(left.typ), e.Op, kindName(right.typ))
	}
	if !comparable(left.typ, e.Op, right.typ) {
		return node{}, errorAt(e, "Cannot compare %s (%s) to %s (%s) with %s.\nStatement: %s",
			Format(e.Left), left.typ, Format(e.Right), right.typ, comparisonNames[e.Op], Format(e))
	}
	return b.compare(e, left, e.Op, right)
}

func kindName(t *types.Type) string {
	if t == nil {
		return "NULL"
	}
	return t.Kind.String()
}

func comparable(left *types.Type, op ast.ComparisonOp, right *types.Type) bool {
	equality := op == ast.Equal || op == ast.NotEqual || op == ast.IsDistinctFrom
	switch left.Kind {
	case types.KindInteger, types.KindBigint, types.KindDecimal, types.KindDouble:
		return right.IsNumeric()
	case types.KindString:
		return right.Kind == types.KindString || isTime(right)
	case types.KindBoolean, types.KindArray, types.KindMap, types.KindStruct:
		return right.Kind == left.Kind && equality
	case types.KindTime:
		return right.Kind == types.KindTime || right.Kind == types.KindString
	case types.KindDate, types.KindTimestamp:
		return right.Kind == types.KindDate || right.Kind == types.KindTimestamp || right.Kind == types.KindString
	default:
		return right.Kind == left.Kind
	}
}

func isTime(t *types.Type) bool {
	return t.Kind == types.KindTime || t.Kind == types.KindDate || t.Kind == types.KindTimestamp
}

// unordered is the outcome of comparing with NaN: nothing holds but IS DISTINCT
// FROM, as in Java for <= and >=.
const unordered = 2

// compare gives the code of a comparison whose operands were checked. An
// operand that is NULL makes it false; for IS DISTINCT FROM two NULLs are equal.
func (b *builder) compare(e ast.Expr, left node, op ast.ComparisonOp, right node) (node, error) {
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	if left.typ.Kind == types.KindInteger || left.typ.Kind == types.KindBigint {
		if right.typ.Kind == types.KindInteger || right.typ.Kind == types.KindBigint {
			n.eval = compareInts(op, left, right)
			return n, nil
		}
	}
	l, r, order, err := comparator(e, left, op, right)
	if err != nil {
		return node{}, err
	}
	holds := holdsFor(op)
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		a, err := l(row, f)
		if err != nil {
			return types.Null, err
		}
		c, err := r(row, f)
		if err != nil {
			return types.Null, err
		}
		if a.IsNull() || c.IsNull() {
			return types.BoolValue(op == ast.IsDistinctFrom && a.IsNull() != c.IsNull()), nil
		}
		o, err := order(a, c)
		if err != nil {
			return types.Null, err
		}
		return types.BoolValue(o != unordered && holds(o)), nil
	}
	return n, nil
}

func holdsFor(op ast.ComparisonOp) func(int) bool {
	switch op {
	case ast.Equal:
		return func(o int) bool { return o == 0 }
	case ast.LessThan:
		return func(o int) bool { return o < 0 }
	case ast.LessOrEqual:
		return func(o int) bool { return o <= 0 }
	case ast.GreaterThan:
		return func(o int) bool { return o > 0 }
	case ast.GreaterOrEqual:
		return func(o int) bool { return o >= 0 }
	default:
		return func(o int) bool { return o != 0 }
	}
}

// compareInts is the comparison of whole numbers, the most frequent one.
func compareInts(op ast.ComparisonOp, left, right node) evalFunc {
	holds := holdsFor(op)
	l := left.eval
	if right.constant && !right.value.IsNull() {
		c := right.value.Int()
		return func(row *types.Row, f *frame) (types.Value, error) {
			a, err := l(row, f)
			if err != nil {
				return types.Null, err
			}
			if a.IsNull() {
				return types.BoolValue(op == ast.IsDistinctFrom), nil
			}
			return types.BoolValue(holds(cmp.Compare(a.Int(), c))), nil
		}
	}
	r := right.eval
	return func(row *types.Row, f *frame) (types.Value, error) {
		a, err := l(row, f)
		if err != nil {
			return types.Null, err
		}
		c, err := r(row, f)
		if err != nil {
			return types.Null, err
		}
		if a.IsNull() || c.IsNull() {
			return types.BoolValue(op == ast.IsDistinctFrom && a.IsNull() != c.IsNull()), nil
		}
		return types.BoolValue(holds(cmp.Compare(a.Int(), c.Int()))), nil
	}
}

type orderFunc func(a, b types.Value) (int, error)

// comparator gives the code of both operands, converted where their types
// differ, and the order of their values.
func comparator(e ast.Expr, left node, op ast.ComparisonOp, right node) (l, r evalFunc, order orderFunc, err error) {
	lt, rt := left.typ, right.typ
	switch {
	case lt.Kind == types.KindDecimal || rt.Kind == types.KindDecimal:
		if !lt.IsNumeric() || !rt.IsNumeric() {
			return nil, nil, nil, codeErrorAt(e, "Unexpected comparison of %s with %s", lt, rt)
		}
		return asDecimal(left), asDecimal(right), compareDecimals, nil
	case isTime(lt) || isTime(rt):
		return timeComparator(e, left, right)
	}
	l, r = left.eval, right.eval
	switch lt.Kind {
	case types.KindString:
		if rt.Kind != types.KindString {
			return l, r, refuseValues("a STRING cannot be compared with " + rt.String()), nil
		}
		return l, r, compareStrings, nil
	case types.KindInteger, types.KindBigint, types.KindDouble:
		if !rt.IsNumeric() {
			return nil, nil, nil, codeErrorAt(e, "Operator \"%s\" not allowed on reference operands", op)
		}
		return asDouble(left), asDouble(right), compareDoubles, nil
	case types.KindBytes:
		return l, r, func(a, b types.Value) (int, error) { return types.CompareBytes(a.Bytes(), b.Bytes()), nil }, nil
	case types.KindBoolean:
		if op != ast.Equal && op != ast.NotEqual && op != ast.IsDistinctFrom {
			return nil, nil, nil, codeErrorAt(e, "Unexpected boolean comparison: %s", op)
		}
		return l, r, compareBooleans, nil
	default:
		if op != ast.Equal && op != ast.NotEqual && op != ast.IsDistinctFrom {
			return nil, nil, nil, codeErrorAt(e, "Unexpected %s comparison: %s", lt.Kind, op)
		}
		return l, r, func(a, b types.Value) (int, error) {
			if javaEqual(lt, a, rt, b) {
				return 0, nil
			}
			return 1, nil
		}, nil
	}
}

func refuseValues(text string) orderFunc {
	err := errors.New(text)
	return func(types.Value, types.Value) (int, error) { return 0, err }
}

func compareDecimals(a, b types.Value) (int, error) { return a.Decimal().Cmp(b.Decimal()), nil }

func compareBooleans(a, b types.Value) (int, error) {
	if a.Bool() == b.Bool() {
		return 0, nil
	}
	return 1, nil
}

func compareDoubles(a, b types.Value) (int, error) {
	x, y := a.Double(), b.Double()
	if math.IsNaN(x) || math.IsNaN(y) {
		return unordered, nil
	}
	return cmp.Compare(x, y), nil
}

func compareStrings(a, b types.Value) (int, error) {
	return types.CompareText(a.Str(), b.Str()), nil
}

func timeComparator(e ast.Expr, left, right node) (l, r evalFunc, order orderFunc, err error) {
	target := types.KindDate
	for _, k := range []types.Kind{types.KindTimestamp, types.KindTime} {
		if left.typ.Kind == k || right.typ.Kind == k {
			target = k
		}
	}
	if l, err = asTime(e, left, target); err != nil {
		return nil, nil, nil, err
	}
	if r, err = asTime(e, right, target); err != nil {
		return nil, nil, nil, err
	}
	return l, r, func(a, b types.Value) (int, error) { return cmp.Compare(a.Int(), b.Int()), nil }, nil
}

func asTime(e ast.Expr, n node, target types.Kind) (evalFunc, error) {
	switch {
	case n.typ.Kind == target:
		return n.eval, nil
	case n.typ.Kind == types.KindDate && target == types.KindTimestamp:
		return convert(n, func(v types.Value) (types.Value, error) {
			return types.IntValue(types.DateToTimestamp(v.Int())), nil
		}), nil
	case n.typ.Kind != types.KindString:
		return nil, codeErrorAt(e, "Unexpected comparison to %s: %s", target, n.typ.Kind)
	}
	parse := map[types.Kind]func(string) (int64, error){
		types.KindDate: types.ParseDate, types.KindTime: types.ParseTime, types.KindTimestamp: types.ParseTimestamp,
	}[target]
	return convert(n, func(v types.Value) (types.Value, error) {
		i, err := parse(v.Str())
		if err != nil {
			return types.Null, fmt.Errorf("comparing with %s: %w", target, err)
		}
		return types.IntValue(i), nil
	}), nil
}

// javaEqual is equality of nested values as Java's equals has it: elements of
// different types are never equal, and neither are decimals of different scale.
func javaEqual(at *types.Type, a types.Value, bt *types.Type, b types.Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	if at.Kind != bt.Kind {
		return false
	}
	switch at.Kind {
	case types.KindDecimal:
		return types.Scale(a.Decimal()) == types.Scale(b.Decimal()) && a.Decimal().Cmp(b.Decimal()) == 0
	case types.KindDouble:
		return math.Float64bits(a.Double()) == math.Float64bits(b.Double())
	case types.KindArray:
		x, y := a.Elems(), b.Elems()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !javaEqual(at.Elem, x[i], bt.Elem, y[i]) {
				return false
			}
		}
		return true
	case types.KindMap:
		return javaEqualMaps(at, a.Map(), bt, b.Map())
	case types.KindStruct:
		return at.Equal(bt) && types.Equal(at, a, b)
	default:
		return types.Equal(at, a, b)
	}
}

func javaEqualMaps(at *types.Type, a *types.MapValue, bt *types.Type, b *types.MapValue) bool {
	if len(a.Keys) != len(b.Keys) {
		return false
	}
	if len(a.Keys) > 0 && at.Key.Kind != bt.Key.Kind {
		return false
	}
	for i, k := range a.Keys {
		other, ok := b.Get(bt.Key, k)
		if !ok || !javaEqual(at.Elem, a.Values[i], bt.Elem, other) {
			return false
		}
	}
	return true
}
