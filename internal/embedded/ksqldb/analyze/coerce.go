package analyze

import (
	"github.com/cockroachdb/apd/v3"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// coerce fits a value of one type into a column of another by ksqlDB's strict
// rules: numbers only widen, decimals must fit exactly, text becomes a date, a
// time or bytes, nested values element by element. It reports false when the
// value does not fit.
func coerce(from, to *types.Type, v types.Value) (types.Value, bool) {
	if v.IsNull() {
		return types.Null, true
	}
	if from.Equal(to) {
		return v, true
	}
	switch to.Kind {
	case types.KindArray:
		return coerceArray(from, to, v)
	case types.KindMap:
		return coerceMap(from, to, v)
	case types.KindStruct:
		return coerceStruct(from, to, v)
	}
	switch from.Kind {
	case types.KindInteger, types.KindBigint, types.KindDecimal:
		return widen(from, to, v)
	case types.KindString:
		return parseText(to, v.Str())
	}
	return types.Null, false
}

// widen turns a number into one of a wider type.
func widen(from, to *types.Type, v types.Value) (types.Value, bool) {
	switch to.Kind {
	case types.KindBigint:
		return v, from.Kind == types.KindInteger
	case types.KindDouble:
		if from.Kind == types.KindDecimal {
			return types.DoubleValue(types.DecimalFloat(v.Decimal())), true
		}
		return types.DoubleValue(float64(v.Int())), true
	case types.KindDecimal:
		d := v.Decimal()
		if from.Kind != types.KindDecimal {
			d = apd.New(v.Int(), 0)
		}
		fitted, err := types.FitDecimal(d, to.Precision, to.Scale)
		return types.DecimalValue(fitted), err == nil
	}
	return types.Null, false
}

func parseText(to *types.Type, text string) (types.Value, bool) {
	switch to.Kind {
	case types.KindTimestamp:
		ms, err := types.ParseTimestamp(text)
		return types.IntValue(ms), err == nil
	case types.KindDate:
		days, err := types.ParseDate(text)
		return types.IntValue(days), err == nil
	case types.KindTime:
		ms, err := types.ParseTime(text)
		return types.IntValue(ms), err == nil
	case types.KindBytes:
		b, err := types.DecodeBase64(text)
		return types.BytesValue(b), err == nil
	}
	return types.Null, false
}

func coerceArray(from, to *types.Type, v types.Value) (types.Value, bool) {
	if from.Kind != types.KindArray {
		return types.Null, false
	}
	in := v.Elems()
	out := make([]types.Value, len(in))
	for i := range in {
		var ok bool
		if out[i], ok = coerce(from.Elem, to.Elem, in[i]); !ok {
			return types.Null, false
		}
	}
	return types.ArrayValue(out), true
}

func coerceMap(from, to *types.Type, v types.Value) (types.Value, bool) {
	if from.Kind != types.KindMap {
		return types.Null, false
	}
	in := v.Map()
	out := &types.MapValue{Keys: make([]types.Value, len(in.Keys)), Values: make([]types.Value, len(in.Keys))}
	for i := range in.Keys {
		k, okKey := coerce(from.Key, to.Key, in.Keys[i])
		e, okValue := coerce(from.Elem, to.Elem, in.Values[i])
		if !okKey || !okValue {
			return types.Null, false
		}
		out.Keys[i], out.Values[i] = k, e
	}
	return types.MapOfValues(out), true
}

// coerceStruct takes members by name; missing ones are null, others are left
// out.
func coerceStruct(from, to *types.Type, v types.Value) (types.Value, bool) {
	if from.Kind != types.KindStruct {
		return types.Null, false
	}
	in := v.Elems()
	out := make([]types.Value, len(to.Fields))
	for i, f := range to.Fields {
		at := from.FieldIndex(f.Name)
		if at < 0 {
			continue
		}
		var ok bool
		if out[i], ok = coerce(from.Fields[at].Type, f.Type, in[at]); !ok {
			return types.Null, false
		}
	}
	return types.StructValue(out), true
}

// magicTimestamps turns text that is compared with ROWTIME or a window bound
// into milliseconds, as ksqlDB does in WHERE clauses.
func magicTimestamps(e ast.Expr) (ast.Expr, error) {
	var failed error
	number := func(column, text ast.Expr) ast.Expr {
		c, ok := column.(*ast.ColumnRef)
		s, isText := text.(*ast.StringLiteral)
		if !ok || !isText {
			return text
		}
		switch c.Name.Name {
		case types.RowTime, types.WindowStart, types.WindowEnd:
		default:
			return text
		}
		ms, err := types.ParseTimestamp(s.Value)
		if err != nil {
			failed = err
			return text
		}
		return &ast.LongLiteral{Span: s.Span, Value: ms}
	}
	out := ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		switch x := x.(type) {
		case *ast.Comparison:
			c := *x
			c.Right = number(x.Left, x.Right)
			c.Left = number(x.Right, x.Left)
			return &c
		case *ast.Between:
			c := *x
			c.Lower, c.Upper = number(x.Operand, x.Lower), number(x.Operand, x.Upper)
			return &c
		}
		return x
	})
	return out, failed
}
