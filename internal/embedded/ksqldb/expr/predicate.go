package expr

import (
	"errors"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var errNullCondition = errors.New("a condition is NULL")

// condition compiles an operand of AND, OR and NOT.
func (b *builder) condition(e ast.Expr) (node, error) {
	n, err := b.expr(e)
	if err != nil {
		return node{}, err
	}
	if n.typ != nil && n.typ.Kind != types.KindBoolean {
		return node{}, codeErrorAt(e, "Not a boolean expression: %s is %s", Format(e), n.typ)
	}
	return n, nil
}

// logical is AND and OR. As in Java the right side is only looked at when the
// left one does not decide, and a NULL that is looked at is an error; a literal
// NULL counts as false on the left and gives the whole no type on the right.
func (b *builder) logical(e *ast.Logical) (node, error) {
	left, err := b.condition(e.Left)
	if err != nil {
		return node{}, err
	}
	right, err := b.condition(e.Right)
	if err != nil {
		return node{}, err
	}
	n := node{typ: right.typ}
	if b.typesOnly {
		return n, nil
	}
	if left.typ == nil {
		left = constant(types.Boolean, types.BoolValue(false))
	}
	l, r := left.eval, right.eval
	decides := e.Op == ast.Or
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := l(row, f)
		if err != nil {
			return types.Null, err
		}
		if v.IsNull() {
			return types.Null, errNullCondition
		}
		if v.Bool() == decides {
			return v, nil
		}
		if v, err = r(row, f); err == nil && v.IsNull() {
			err = errNullCondition
		}
		return v, err
	}
	return n, nil
}

func (b *builder) not(e *ast.Not) (node, error) {
	operand, err := b.condition(e.Operand)
	if err != nil {
		return node{}, err
	}
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	eval := operand.eval
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := eval(row, f)
		if err != nil {
			return types.Null, err
		}
		if v.IsNull() {
			return types.Null, errNullCondition
		}
		return types.BoolValue(!v.Bool()), nil
	}
	return n, nil
}

func (b *builder) isNull(e *ast.IsNull) (node, error) {
	operand, err := b.expr(e.Operand)
	if err != nil {
		return node{}, err
	}
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	eval, not := operand.eval, e.Not
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := eval(row, f)
		if err != nil {
			return types.Null, err
		}
		return types.BoolValue(v.IsNull() != not), nil
	}
	return n, nil
}

func (b *builder) between(e *ast.Between) (node, error) {
	operand, err := b.expr(e.Operand)
	if err != nil {
		return node{}, err
	}
	lower, err := b.expr(e.Lower)
	if err != nil {
		return node{}, err
	}
	upper, err := b.expr(e.Upper)
	if err != nil {
		return node{}, err
	}
	for i, n := range []node{operand, lower, upper} {
		if n.typ == nil {
			return node{}, errorAt(e, "BETWEEN with NULL is not supported: %s", Format([]ast.Expr{e.Operand, e.Lower, e.Upper}[i]))
		}
	}
	atLeast, err := b.compare(e, operand, ast.GreaterOrEqual, lower)
	if err != nil {
		return node{}, err
	}
	atMost, err := b.compare(e, operand, ast.LessOrEqual, upper)
	if err != nil {
		return node{}, err
	}
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	l, r := atLeast.eval, atMost.eval
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := l(row, f)
		if err != nil || !v.Bool() {
			return v, err
		}
		return r(row, f)
	}
	return n, nil
}

// in is operand IN (...): NULL is never in a list, and NULLs in the list are
// passed over.
func (b *builder) in(e *ast.In) (node, error) {
	list := []ast.Expr{e.Operand}
	for _, v := range e.Values {
		if _, null := v.(*ast.NullLiteral); !null {
			list = append(list, v)
		}
	}
	common, nodes, err := b.coerce(list)
	if err != nil {
		var c *coercionError
		if errors.As(err, &c) {
			return node{}, codeErrorAt(e, "%s", c.Error())
		}
		return node{}, err
	}
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	operand, values := nodes[0].eval, make([]evalFunc, 0, len(nodes)-1)
	for _, v := range nodes[1:] {
		values = append(values, v.eval)
	}
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := operand(row, f)
		if err != nil || v.IsNull() {
			return types.BoolValue(false), err
		}
		found := false
		for _, eval := range values {
			w, err := eval(row, f)
			if err != nil {
				return types.Null, err
			}
			found = found || !w.IsNull() && types.Equal(common, v, w)
		}
		return types.BoolValue(found), nil
	}
	return n, nil
}

// searchedCase looks at the conditions in order and computes only the result
// that is chosen.
func (b *builder) searchedCase(e *ast.SearchedCase) (node, error) {
	conditions, results := make([]evalFunc, len(e.Whens)), make([]evalFunc, len(e.Whens))
	var t *types.Type
	for i, w := range e.Whens {
		c, err := b.expr(w.Condition)
		if err != nil {
			return node{}, err
		}
		if c.typ == nil || c.typ.Kind != types.KindBoolean {
			return node{}, errorAt(w, "WHEN operand type should be boolean.\nType for '%s' is %s", Format(w.Condition), c.typ)
		}
		r, err := b.expr(w.Result)
		if err != nil {
			return node{}, err
		}
		switch {
		case r.typ == nil:
		case t == nil:
			t = r.typ
		case !t.Equal(r.typ):
			return node{}, errorAt(w, "Invalid Case expression. Type for all 'THEN' clauses should be the same.\n"+
				"THEN expression '%s' has type: %s.\nPrevious THEN expression(s) type: %s.", formatWhen(w), r.typ, t)
		}
		conditions[i], results[i] = c.eval, r.eval
	}
	otherwise := constant(nil, types.Null)
	if e.Else != nil {
		var err error
		if otherwise, err = b.expr(e.Else); err != nil {
			return node{}, err
		}
		if t != nil && otherwise.typ != nil && !t.Equal(otherwise.typ) {
			return node{}, errorAt(e, "Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses.\n"+
				"THEN type: %s.\nDEFAULT type: %s.", t, otherwise.typ)
		}
		if t == nil {
			t = otherwise.typ
		}
	}
	if t == nil {
		return node{}, errorAt(e, "Invalid Case expression. All case branches have NULL type")
	}
	last := otherwise.eval
	return node{typ: t, eval: func(row *types.Row, f *frame) (types.Value, error) {
		for i, condition := range conditions {
			v, err := condition(row, f)
			if err != nil {
				return types.Null, err
			}
			if v.IsNull() {
				return types.Null, errNullCondition
			}
			if v.Bool() {
				return results[i](row, f)
			}
		}
		return last(row, f)
	}}, nil
}
