package expr

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const issue4239 = "(see https://github.com/confluentinc/ksql/issues/4239)"

func (b *builder) array(e *ast.ArrayConstructor) (node, error) {
	if len(e.Elements) == 0 {
		return node{}, errorAt(e, "Array constructor cannot be empty. Please supply at least one element "+issue4239+".")
	}
	elem, nodes, err := b.coerce(e.Elements)
	if err != nil {
		return node{}, at(e, err)
	}
	if elem == nil {
		return node{}, errorAt(e, "Cannot construct an array with all NULL elements "+issue4239+
			". As a workaround, you may cast a NULL value to the desired type.")
	}
	n := node{typ: types.ArrayOf(elem)}
	if b.typesOnly {
		return n, nil
	}
	evals := b.evalsOrNull(nodes)
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		elems, err := evalAll(evals, row, f)
		return types.ArrayValue(elems), err
	}
	return n, nil
}

func (b *builder) evalsOrNull(nodes []node) []evalFunc {
	evals := make([]evalFunc, len(nodes))
	for i, n := range nodes {
		evals[i] = b.orNull(n).eval
	}
	return evals
}

func evalAll(evals []evalFunc, row *types.Row, f *frame) ([]types.Value, error) {
	out := make([]types.Value, len(evals))
	for i, eval := range evals {
		v, err := eval(row, f)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (b *builder) mapOf(e *ast.MapConstructor) (node, error) {
	if len(e.Entries) == 0 {
		return node{}, errorAt(e, "Map constructor cannot be empty. Please supply at least one key value pair "+issue4239+".")
	}
	keys, values := make([]ast.Expr, len(e.Entries)), make([]ast.Expr, len(e.Entries))
	for i, entry := range e.Entries {
		for _, other := range e.Entries[:i] {
			if ast.Same(entry.Key, other.Key) {
				return node{}, errorAt(entry, "Multiple entries with same key: %s=%s and %s=%s",
					Format(entry.Key), Format(entry.Value), Format(other.Key), Format(other.Value))
			}
		}
		keys[i], values[i] = entry.Key, entry.Value
	}
	key, keyNodes, err := b.coerce(keys)
	if err != nil {
		return node{}, at(e, err)
	}
	if key == nil {
		return node{}, errorAt(e, "Cannot construct a map with all NULL keys "+issue4239+
			". As a workaround, you may cast a NULL key to the desired type.")
	}
	value, valueNodes, err := b.coerce(values)
	if err != nil {
		return node{}, at(e, err)
	}
	if value == nil {
		return node{}, errorAt(e, "Cannot construct a map with all NULL values "+issue4239+
			". As a workaround, you may cast a NULL value to the desired type.")
	}
	n := node{typ: types.MapOf(key, value)}
	if b.typesOnly {
		return n, nil
	}
	keyEvals, valueEvals := b.evalsOrNull(keyNodes), b.evalsOrNull(valueNodes)
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		m := types.NewMapBuilder(key, len(keyEvals))
		for i := range keyEvals {
			k, err := keyEvals[i](row, f)
			if err != nil {
				return types.Null, err
			}
			v, err := valueEvals[i](row, f)
			if err != nil {
				return types.Null, err
			}
			m.Put(k, v)
		}
		return m.Value(), nil
	}
	return n, nil
}

func (b *builder) structOf(e *ast.StructConstructor) (node, error) {
	fields, nodes := make([]types.Field, len(e.Fields)), make([]node, len(e.Fields))
	for i, f := range e.Fields {
		n, err := b.expr(f.Value)
		if err != nil {
			return node{}, err
		}
		if n.typ == nil {
			return node{}, errorAt(f, "field %s of the STRUCT is NULL and has no type: cast it to one, e.g. CAST(null AS VARCHAR)",
				types.QuoteName(f.Name.Name))
		}
		fields[i] = types.Field{Name: f.Name.Name, Type: n.typ}
		nodes[i] = n
	}
	if err := uniqueFields(e, fields); err != nil {
		return node{}, err
	}
	n := node{typ: types.StructOf(fields...)}
	if b.typesOnly {
		return n, nil
	}
	evals := b.evalsOrNull(nodes)
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		members, err := evalAll(evals, row, f)
		return types.StructValue(members), err
	}
	return n, nil
}

func (b *builder) dereference(e *ast.Dereference) (node, error) {
	base, err := b.expr(e.Base)
	if err != nil {
		return node{}, err
	}
	if base.typ == nil || base.typ.Kind != types.KindStruct {
		return node{}, errorAt(e, "Expected STRUCT type, got: %s", base.typ)
	}
	i := base.typ.FieldIndex(e.Field.Name)
	if i < 0 {
		return node{}, errorAt(e, "Could not find field '%s' in '%s'.", e.Field.Name, Format(e.Base))
	}
	n := node{typ: base.typ.Fields[i].Type}
	if b.typesOnly {
		return n, nil
	}
	eval := base.eval
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := eval(row, f)
		if err != nil || v.IsNull() {
			return types.Null, err
		}
		return v.Elems()[i], nil
	}
	return n, nil
}

func (b *builder) subscript(e *ast.Subscript) (node, error) {
	base, err := b.expr(e.Base)
	if err != nil {
		return node{}, err
	}
	index, err := b.expr(e.Index)
	if err != nil {
		return node{}, err
	}
	if base.typ == nil || base.typ.Kind != types.KindArray && base.typ.Kind != types.KindMap {
		hint := ""
		if base.typ != nil && base.typ.Kind == types.KindStruct {
			hint = " Use the dereference operator for STRUCTS: " + Format(e.Base) + "->" + strings.Trim(Format(e.Index), "'")
		}
		return node{}, errorAt(e, "Subscript expression (%s) do not apply to %s.%s", Format(e), base.typ, hint)
	}
	n := node{typ: base.typ.Elem}
	l, r := base.eval, index.eval
	if base.typ.Kind == types.KindArray {
		if index.typ == nil || index.typ.Kind != types.KindInteger {
			return node{}, codeErrorAt(e.Index, "Cannot cast %s (%s) to the INTEGER that an array index is", Format(e.Index), index.typ)
		}
		n.eval = func(row *types.Row, f *frame) (types.Value, error) {
			v, err := l(row, f)
			if err != nil || v.IsNull() {
				return types.Null, err
			}
			i, err := r(row, f)
			if err != nil {
				return types.Null, err
			}
			if i.IsNull() {
				return types.Null, errNullOperand
			}
			return element(v.Elems(), i.Int()), nil
		}
		return n, nil
	}
	key := base.typ.Key
	// A key of another type is in no map, as in Java.
	fits := index.typ == nil || index.typ.Equal(key)
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := l(row, f)
		if err != nil || v.IsNull() {
			return types.Null, err
		}
		k, err := r(row, f)
		if err != nil || !fits {
			return types.Null, err
		}
		found, _ := v.Map().Get(key, k)
		return found, nil
	}
	return n, nil
}

// element counts from 1, or backwards from -1; there is nothing at 0 and
// outside.
func element(elems []types.Value, i int64) types.Value {
	n := int64(len(elems))
	switch {
	case i >= 1 && i <= n:
		return elems[i-1]
	case i < 0 && i >= -n:
		return elems[n+i]
	default:
		return types.Null
	}
}

func (b *builder) cast(e *ast.Cast) (node, error) {
	to, err := ResolveType(e.Type, b.CustomType)
	if err != nil {
		return node{}, err
	}
	n, err := b.expr(e.Operand)
	if err != nil {
		return node{}, err
	}
	return b.castNode(e, n, to)
}

// castNode converts a node; a value that can't be converted is NULL.
func (b *builder) castNode(e ast.Expr, n node, to *types.Type) (node, error) {
	f, err := types.Cast(n.typ, to)
	if err != nil {
		return node{}, codeErrorAt(e, "%s", err.Error())
	}
	out := node{typ: to, eval: n.eval, constant: n.constant, value: n.value}
	if f == nil || b.typesOnly {
		return b.orNull(out), nil
	}
	eval := n.eval
	out.constant = false
	out.eval = func(row *types.Row, fr *frame) (types.Value, error) {
		v, err := eval(row, fr)
		if err != nil || v.IsNull() {
			return types.Null, err
		}
		return f(v)
	}
	return b.orNull(out), nil
}
