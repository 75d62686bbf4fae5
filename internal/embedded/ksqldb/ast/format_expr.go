package ast

import (
	"fmt"
	"strconv"
	"strings"
)

func (f *formatter) expr(e Expr) {
	switch e := e.(type) {
	case nil:
	case Literal:
		f.add(formatLiteral(e))
	case *ColumnRef:
		if e.Source != nil {
			f.add(QuoteName(e.Source.Name), ".")
		}
		f.add(QuoteName(e.Name.Name))
	case *LambdaVariable:
		f.add(QuoteName(e.Name))
	case *Dereference:
		f.base(e.Base)
		f.add("->", QuoteName(e.Field.Name))
	case *Subscript:
		f.base(e.Base)
		f.add("[")
		f.expr(e.Index)
		f.add("]")
	case *FunctionCall:
		f.call(e)
	case *Lambda:
		f.add("(")
		for i, p := range e.Params {
			f.comma(i)
			f.add(QuoteName(p.Name))
		}
		f.add(") => ")
		f.expr(e.Body)
	case *IntervalUnit:
		f.add(e.Unit.String())
	case *Arithmetic:
		f.binary(e.Left, e.Op.String(), e.Right)
	case *Concat:
		f.binary(e.Left, "||", e.Right)
	case *Unary:
		f.unary(e)
	case *Cast:
		f.add("CAST(")
		f.expr(e.Operand)
		f.add(" AS ")
		f.dataType(e.Type)
		f.add(")")
	case *SearchedCase:
		f.caseExpr(nil, e.Whens, e.Else)
	case *SimpleCase:
		f.caseExpr(e.Operand, e.Whens, e.Else)
	default:
		f.condition(e)
	}
}

// condition formats the expressions that are true or false, and the constructors.
func (f *formatter) condition(e Expr) {
	switch e := e.(type) {
	case *Comparison:
		f.binary(e.Left, e.Op.String(), e.Right)
	case *Logical:
		f.binary(e.Left, e.Op.String(), e.Right)
	case *Not:
		f.add("(NOT ")
		f.expr(e.Operand)
		f.add(")")
	case *IsNull:
		f.add("(")
		f.expr(e.Operand)
		if e.Not {
			f.add(" IS NOT NULL)")
		} else {
			f.add(" IS NULL)")
		}
	case *Between:
		f.add("(")
		f.expr(e.Operand)
		f.add(" BETWEEN ")
		f.expr(e.Lower)
		f.add(" AND ")
		f.expr(e.Upper)
		f.add(")")
	case *In:
		f.add("(")
		f.expr(e.Operand)
		f.add(" IN (")
		f.exprs(e.Values)
		f.add("))")
	case *Like:
		f.add("(")
		f.expr(e.Operand)
		f.add(" LIKE ")
		f.expr(e.Pattern)
		if e.Escape != 0 {
			f.add(" ESCAPE ", QuoteText(string(e.Escape)))
		}
		f.add(")")
	case *ArrayConstructor:
		f.add("ARRAY[")
		f.exprs(e.Elements)
		f.add("]")
	case *MapConstructor:
		f.add("MAP(")
		for i, m := range e.Entries {
			f.comma(i)
			f.expr(m.Key)
			f.add(":=")
			f.expr(m.Value)
		}
		f.add(")")
	case *StructConstructor:
		f.add("STRUCT(")
		for i, s := range e.Fields {
			f.comma(i)
			f.add(QuoteName(s.Name.Name), ":=")
			f.expr(s.Value)
		}
		f.add(")")
	}
}

func (f *formatter) exprs(list []Expr) {
	for i, e := range list {
		f.comma(i)
		f.expr(e)
	}
}

func (f *formatter) binary(left Expr, op string, right Expr) {
	f.add("(")
	f.expr(left)
	f.add(" ", op, " ")
	f.expr(right)
	f.add(")")
}

// base formats what stands before [ or ->, both of which bind tighter than a
// sign. ARRAY[ would start a constructor.
func (f *formatter) base(e Expr) {
	switch e := e.(type) {
	case *Unary:
		f.add("(")
		f.expr(e)
		f.add(")")
	case *ColumnRef:
		if e.Source == nil && e.Name.Name == "ARRAY" {
			f.add("`ARRAY`")
			return
		}
		f.expr(e)
	case *LambdaVariable:
		if e.Name == "ARRAY" {
			f.add("`ARRAY`")
			return
		}
		f.expr(e)
	default:
		f.expr(e)
	}
}

// unary keeps a sign apart from a number, of which it would become a part, and
// from another minus, with which it would start a comment.
func (f *formatter) unary(e *Unary) {
	sign := "+"
	if e.Negative {
		sign = "-"
	}
	operand := Format(e.Operand)
	switch {
	case e.Negative && strings.HasPrefix(operand, "-"):
		f.add(sign, " ", operand)
	case e.Negative && operand[0] >= '0' && operand[0] <= '9':
		f.add(sign, "(", operand, ")")
	default:
		f.add(sign, operand)
	}
}

func (f *formatter) call(e *FunctionCall) {
	name := QuoteName(e.Name.Name)
	if len(e.Args) == 0 && !e.Star && (name == "MAP" || name == "STRUCT") {
		name = BackQuote(name)
	}
	f.add(name, "(")
	if e.Star {
		f.add("*")
	}
	f.exprs(e.Args)
	f.add(")")
}

func (f *formatter) caseExpr(operand Expr, whens []*WhenClause, otherwise Expr) {
	f.add("(CASE")
	if operand != nil {
		f.add(" ")
		f.expr(operand)
	}
	for _, w := range whens {
		f.add(" WHEN ")
		f.expr(w.Condition)
		f.add(" THEN ")
		f.expr(w.Result)
	}
	if otherwise != nil {
		f.add(" ELSE ")
		f.expr(otherwise)
	}
	f.add(" END)")
}

func formatLiteral(l Literal) string {
	switch l := l.(type) {
	case *BooleanLiteral:
		return strconv.FormatBool(l.Value)
	case *IntegerLiteral:
		return strconv.FormatInt(int64(l.Value), 10)
	case *LongLiteral:
		return strconv.FormatInt(l.Value, 10)
	case *DecimalLiteral:
		return l.Text
	case *DoubleLiteral:
		return formatDouble(l.Value)
	case *StringLiteral:
		return QuoteText(l.Value)
	}
	return "null"
}

// formatDouble writes a number with as many digits as it needs and always with
// an exponent, because without one it would read as a DECIMAL.
func formatDouble(v float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'E', -1, 64), "E")
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return strconv.FormatFloat(v, 'E', -1, 64)
	}
	return fmt.Sprintf("%sE%d", mantissa, n)
}

func (f *formatter) dataType(t *DataType) {
	switch t.Kind {
	case TypeDecimal:
		f.add(fmt.Sprintf("DECIMAL(%d, %d)", t.Precision, t.Scale))
	case TypeArray:
		f.add("ARRAY<")
		f.dataType(t.Element)
		f.add(">")
	case TypeMap:
		f.add("MAP<")
		f.dataType(t.Key)
		f.add(", ")
		f.dataType(t.Value)
		f.add(">")
	case TypeStruct:
		if len(t.Fields) == 0 {
			f.add("STRUCT< >")
			return
		}
		f.add("STRUCT<")
		for i, field := range t.Fields {
			f.comma(i)
			f.add(QuoteName(field.Name.Name), " ")
			f.dataType(field.Type)
		}
		f.add(">")
	default:
		f.add(QuoteName(canonicalTypeName(t.Name.Name)))
	}
}

// canonicalTypeName replaces the second names of primitive types by the first.
func canonicalTypeName(name string) string {
	switch name {
	case "INT":
		return "INTEGER"
	case "VARCHAR":
		return "STRING"
	}
	return name
}
