package expr

import (
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// Format writes an expression as ksqlDB's error texts show it: names without
// quotes, every operation in parentheses, NULL in lower case.
func Format(e ast.Expr) string {
	var b strings.Builder
	writeExpr(&b, e)
	return b.String()
}

func writeExpr(b *strings.Builder, e ast.Expr) {
	switch e := e.(type) {
	case *ast.NullLiteral:
		b.WriteString("null")
	case *ast.BooleanLiteral:
		b.WriteString(strconv.FormatBool(e.Value))
	case *ast.IntegerLiteral:
		b.WriteString(strconv.FormatInt(int64(e.Value), 10))
	case *ast.LongLiteral:
		b.WriteString(strconv.FormatInt(e.Value, 10))
	case *ast.DecimalLiteral:
		b.WriteString(e.Text)
	case *ast.DoubleLiteral:
		b.WriteString(formatDouble(e.Value))
	case *ast.StringLiteral:
		b.WriteString("'" + strings.ReplaceAll(e.Value, "'", "''") + "'")
	case *ast.ColumnRef:
		if e.Source != nil {
			b.WriteString(e.Source.Name + ".")
		}
		b.WriteString(e.Name.Name)
	case *ast.LambdaVariable:
		b.WriteString(e.Name)
	case *ast.IntervalUnit:
		b.WriteString(e.Unit.String())
	case *ast.Dereference:
		writeExpr(b, e.Base)
		b.WriteString("->" + e.Field.Name)
	case *ast.Subscript:
		writeExpr(b, e.Base)
		b.WriteString("[")
		writeExpr(b, e.Index)
		b.WriteString("]")
	case *ast.FunctionCall:
		b.WriteString(e.Name.Name + "(")
		if len(e.Args) == 0 && (e.Star || e.Name.Name == "COUNT") {
			b.WriteString("*")
		}
		writeList(b, e.Args)
		b.WriteString(")")
	case *ast.Lambda:
		names := make([]string, len(e.Params))
		for i, p := range e.Params {
			names[i] = p.Name
		}
		b.WriteString("(" + strings.Join(names, ", ") + ") => ")
		writeExpr(b, e.Body)
	default:
		writeOperation(b, e)
	}
}

func writeOperation(b *strings.Builder, e ast.Expr) {
	switch e := e.(type) {
	case *ast.Arithmetic:
		writeBinary(b, e.Left, e.Op.String(), e.Right)
	case *ast.Concat:
		b.WriteString("CONCAT(")
		writeList(b, []ast.Expr{e.Left, e.Right})
		b.WriteString(")")
	case *ast.Comparison:
		writeBinary(b, e.Left, e.Op.String(), e.Right)
	case *ast.Logical:
		writeBinary(b, e.Left, e.Op.String(), e.Right)
	case *ast.Unary:
		value := Format(e.Operand)
		switch {
		case !e.Negative:
			b.WriteString("+")
		case strings.HasPrefix(value, "-"):
			b.WriteString("- ")
		default:
			b.WriteString("-")
		}
		b.WriteString(value)
	case *ast.Not:
		b.WriteString("(NOT ")
		writeExpr(b, e.Operand)
		b.WriteString(")")
	case *ast.IsNull:
		b.WriteString("(")
		writeExpr(b, e.Operand)
		if e.Not {
			b.WriteString(" IS NOT NULL)")
		} else {
			b.WriteString(" IS NULL)")
		}
	case *ast.Between:
		b.WriteString("(")
		writeExpr(b, e.Operand)
		b.WriteString(" BETWEEN ")
		writeExpr(b, e.Lower)
		b.WriteString(" AND ")
		writeExpr(b, e.Upper)
		b.WriteString(")")
	case *ast.In:
		b.WriteString("(")
		writeExpr(b, e.Operand)
		b.WriteString(" IN (")
		writeList(b, e.Values)
		b.WriteString("))")
	case *ast.Like:
		b.WriteString("(")
		writeExpr(b, e.Operand)
		b.WriteString(" LIKE ")
		writeExpr(b, e.Pattern)
		if e.Escape != 0 {
			b.WriteString(" ESCAPE '" + string(e.Escape) + "'")
		}
		b.WriteString(")")
	case *ast.SearchedCase:
		writeCase(b, nil, e.Whens, e.Else)
	case *ast.SimpleCase:
		writeCase(b, e.Operand, e.Whens, e.Else)
	case *ast.Cast:
		b.WriteString("CAST(")
		writeExpr(b, e.Operand)
		b.WriteString(" AS " + formatType(e.Type) + ")")
	default:
		writeConstructor(b, e)
	}
}

func writeConstructor(b *strings.Builder, e ast.Expr) {
	switch e := e.(type) {
	case *ast.ArrayConstructor:
		b.WriteString("ARRAY[")
		writeList(b, e.Elements)
		b.WriteString("]")
	case *ast.MapConstructor:
		b.WriteString("MAP(")
		for i, m := range e.Entries {
			if i > 0 {
				b.WriteString(", ")
			}
			writeExpr(b, m.Key)
			b.WriteString(":=")
			writeExpr(b, m.Value)
		}
		b.WriteString(")")
	case *ast.StructConstructor:
		b.WriteString("STRUCT(")
		for i, f := range e.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(f.Name.Name + ":=")
			writeExpr(b, f.Value)
		}
		b.WriteString(")")
	}
}

func writeCase(b *strings.Builder, operand ast.Expr, whens []*ast.WhenClause, otherwise ast.Expr) {
	b.WriteString("(CASE")
	if operand != nil {
		b.WriteString(" ")
		writeExpr(b, operand)
	}
	for _, w := range whens {
		b.WriteString(" " + formatWhen(w))
	}
	if otherwise != nil {
		b.WriteString(" ELSE ")
		writeExpr(b, otherwise)
	}
	b.WriteString(" END)")
}

func formatWhen(w *ast.WhenClause) string {
	return "WHEN " + Format(w.Condition) + " THEN " + Format(w.Result)
}

func writeBinary(b *strings.Builder, left ast.Expr, op string, right ast.Expr) {
	b.WriteString("(")
	writeExpr(b, left)
	b.WriteString(" " + op + " ")
	writeExpr(b, right)
	b.WriteString(")")
}

func writeList(b *strings.Builder, list []ast.Expr) {
	for i, e := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		writeExpr(b, e)
	}
}

// formatDouble writes a DOUBLE literal in scientific notation: 1.5E0.
func formatDouble(f float64) string {
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	negative := strings.HasPrefix(exp, "-")
	exp = strings.TrimLeft(exp, "+-0")
	if exp == "" {
		exp = "0"
	}
	if negative && exp != "0" {
		exp = "-" + exp
	}
	return mantissa + "E" + exp
}

func formatType(t *ast.DataType) string {
	resolved, err := ResolveType(t, nil)
	if err != nil {
		return t.Name.Name
	}
	return resolved.Unquoted()
}
