package expr

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// coercionError says that the members of a list have no common type.
type coercionError struct{ msg string }

func (e *coercionError) Error() string { return e.msg }

func noCommonType(e ast.Expr, from, to *types.Type) error {
	return &coercionError{fmt.Sprintf("operator does not exist: %s = %s (%s)\nHint: You might need to add explicit type casts.",
		to, from, Format(e))}
}

func badLiteral(text string, to *types.Type) error {
	return &coercionError{fmt.Sprintf("invalid input syntax for type %s: \"%s\".", to.Kind, text)}
}

// coerce gives the members of a list that a user wrote (IN, ARRAY, MAP) one
// type: the widest, where the first that is not NULL says of which family it
// is. Literals are converted at once, other members by a cast. The common type
// is nil when all members are NULL.
func (b *builder) coerce(list []ast.Expr) (*types.Type, []node, error) {
	nodes := make([]node, len(list))
	var common *types.Type
	for i, e := range list {
		n, err := b.expr(e)
		if err != nil {
			return nil, nil, err
		}
		nodes[i] = n
		if common, err = b.commonType(e, n.typ, common); err != nil {
			return nil, nil, err
		}
	}
	if common == nil {
		return nil, nodes, nil
	}
	for i, e := range list {
		n, err := b.toCommon(e, nodes[i], common)
		if err != nil {
			return nil, nil, err
		}
		nodes[i] = n
	}
	return common, nodes, nil
}

func (b *builder) toCommon(e ast.Expr, n node, common *types.Type) (node, error) {
	if n.typ == nil || n.typ.Equal(common) {
		return n, nil
	}
	if lit, ok := e.(ast.Literal); ok {
		v, err := coerceLiteral(n, common)
		if err != nil {
			return node{}, noCommonType(lit, n.typ, common)
		}
		return constant(common, v), nil
	}
	return b.castNode(e, n, common)
}

// coerceLiteral converts a literal without loss.
func coerceLiteral(n node, to *types.Type) (types.Value, error) {
	switch {
	case to.Kind == types.KindDecimal:
		d, err := types.ParseDecimal(types.TrimBlanks(types.Text(n.typ, n.value)))
		if err != nil {
			return types.Null, err
		}
		d, err = types.FitDecimal(d, to.Precision, to.Scale)
		return types.DecimalValue(d), err
	case to.Kind == types.KindBoolean && n.typ.Kind == types.KindString:
		v, ok := types.ParseBooleanExact(types.TrimBlanks(n.value.Str()))
		if !ok {
			return types.Null, badLiteral(n.value.Str(), to)
		}
		return types.BoolValue(v), nil
	}
	f, err := types.Cast(n.typ, to)
	if err != nil || f == nil {
		return n.value, err
	}
	return f(n.value)
}

// commonType widens the common type so far by another member.
func (b *builder) commonType(e ast.Expr, t, common *types.Type) (*types.Type, error) {
	if common == nil {
		return t, nil
	}
	if t == nil {
		return common, nil
	}
	switch e := e.(type) {
	case *ast.ArrayConstructor:
		if common.Kind != types.KindArray {
			return nil, noCommonType(e, t, common)
		}
		elem, err := b.commonTypes(e.Elements, common.Elem)
		if err != nil {
			return nil, noCommonType(e, t, common)
		}
		return types.ArrayOf(elem), nil
	case *ast.MapConstructor:
		return b.commonMap(e, t, common)
	case *ast.StructConstructor:
		return b.commonStruct(e, t, common)
	case *ast.StringLiteral:
		switch {
		case common.IsNumeric():
			return commonNumber(e.Value, common)
		case common.Kind == types.KindBoolean:
			if _, ok := types.ParseBooleanExact(types.TrimBlanks(e.Value)); !ok {
				return nil, badLiteral(e.Value, common)
			}
			return common, nil
		}
	}
	_, isLiteral := e.(ast.Literal)
	if c := coercible(t, common, isLiteral); c != nil {
		return c, nil
	}
	if c := coercible(common, t, isLiteral); c != nil {
		return c, nil
	}
	return nil, noCommonType(e, t, common)
}

func (b *builder) commonTypes(list []ast.Expr, common *types.Type) (*types.Type, error) {
	for _, e := range list {
		n, err := b.expr(e)
		if err != nil {
			return nil, err
		}
		if common, err = b.commonType(e, n.typ, common); err != nil {
			return nil, err
		}
	}
	return common, nil
}

func (b *builder) commonMap(e *ast.MapConstructor, t, common *types.Type) (*types.Type, error) {
	if common.Kind != types.KindMap {
		return nil, noCommonType(e, t, common)
	}
	key, value := common.Key, common.Elem
	var err error
	for _, entry := range e.Entries {
		if key, err = b.commonTypes([]ast.Expr{entry.Key}, key); err != nil {
			return nil, noCommonType(e, t, common)
		}
		if value, err = b.commonTypes([]ast.Expr{entry.Value}, value); err != nil {
			return nil, noCommonType(e, t, common)
		}
	}
	return types.MapOf(key, value), nil
}

func (b *builder) commonStruct(e *ast.StructConstructor, t, common *types.Type) (*types.Type, error) {
	if common.Kind != types.KindStruct {
		return nil, noCommonType(e, t, common)
	}
	var fields []types.Field
	for i, f := range t.Fields {
		at := common.FieldIndex(f.Name)
		if at < 0 {
			fields = append(fields, f)
			continue
		}
		ft, err := b.commonType(e.Fields[i].Value, f.Type, common.Fields[at].Type)
		if err != nil {
			return nil, noCommonType(e, t, common)
		}
		fields = append(fields, types.Field{Name: f.Name, Type: ft})
	}
	for _, f := range common.Fields {
		if t.FieldIndex(f.Name) < 0 {
			fields = append(fields, f)
		}
	}
	return types.StructOf(fields...), nil
}

// commonNumber widens a numeric type by a number in quotes.
func commonNumber(text string, common *types.Type) (*types.Type, error) {
	trimmed := types.TrimBlanks(text)
	d, err := types.ParseDecimal(trimmed)
	if err != nil {
		return nil, badLiteral(text, common)
	}
	t := types.DecimalTypeOf(d)
	if types.Scale(d) == 0 && !strings.ContainsAny(trimmed, ".eE") {
		switch i := types.DecimalInt(d); {
		case t.Precision > 19 || types.DecimalText(types.DecimalFromInt(i)) != types.DecimalText(d):
		case i == int64(int32(i)):
			t = types.Integer
		default:
			t = types.Bigint
		}
	}
	switch {
	case common.Kind == types.KindDouble:
		return common, nil
	case t.Kind == types.KindDecimal || common.Kind == types.KindDecimal:
		return types.WidenDecimal(t, common)
	case t.Kind == types.KindInteger || common.Kind == types.KindBigint:
		return common, nil
	default:
		return t, nil
	}
}

// coercible is the type that holds values of both types when one may be turned
// into the other without being asked to, else nil. Literals may also become
// text, and text literals other types.
func coercible(from, to *types.Type, isLiteral bool) *types.Type {
	switch from.Kind {
	case types.KindArray:
		if to.Kind != types.KindArray {
			return nil
		}
		if elem := coercible(from.Elem, to.Elem, isLiteral); elem != nil {
			return types.ArrayOf(elem)
		}
		return nil
	case types.KindMap:
		if to.Kind != types.KindMap {
			return nil
		}
		key, elem := coercible(from.Key, to.Key, isLiteral), coercible(from.Elem, to.Elem, isLiteral)
		if key == nil || elem == nil {
			return nil
		}
		return types.MapOf(key, elem)
	case types.KindStruct:
		return coercibleStruct(from, to, isLiteral)
	case types.KindInteger, types.KindBigint, types.KindDecimal:
		return coercibleNumber(from, to, isLiteral)
	case types.KindString:
		simple := to.Kind == types.KindString || isTime(to) || to.Kind == types.KindBytes
		if simple || isLiteral && (to.IsNumeric() || to.Kind == types.KindBoolean) {
			return to
		}
		return nil
	default:
		if from.Kind == to.Kind || isLiteral && to.Kind == types.KindString && from.Kind != types.KindBytes {
			return to
		}
		return nil
	}
}

func coercibleNumber(from, to *types.Type, isLiteral bool) *types.Type {
	switch {
	case to.Kind == types.KindDouble || isLiteral && to.Kind == types.KindString:
		return to
	case to.Kind == types.KindDecimal:
		t, err := types.WidenDecimal(from, to)
		if err != nil {
			return nil
		}
		return t
	case from.Kind == types.KindInteger && to.IsNumeric(), from.Kind == types.KindBigint && to.Kind == types.KindBigint:
		return to
	default:
		return nil
	}
}

func coercibleStruct(from, to *types.Type, isLiteral bool) *types.Type {
	if to.Kind != types.KindStruct {
		return nil
	}
	var fields []types.Field
	for _, f := range from.Fields {
		at := to.FieldIndex(f.Name)
		if at < 0 {
			fields = append(fields, f)
			continue
		}
		t := coercible(f.Type, to.Fields[at].Type, isLiteral)
		if t == nil {
			return nil
		}
		fields = append(fields, types.Field{Name: f.Name, Type: t})
	}
	for _, f := range to.Fields {
		if from.FieldIndex(f.Name) < 0 {
			fields = append(fields, f)
		}
	}
	return types.StructOf(fields...)
}
