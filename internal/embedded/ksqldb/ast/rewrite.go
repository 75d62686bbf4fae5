package ast

// Rewrite returns e with every expression in it replaced by what replace makes
// of it, children before parents. Nodes on the way to a change are copied, so e
// itself stays as it was; what replace returns unchanged is shared.
func Rewrite(e Expr, replace func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	return replace(rewriteChildren(e, replace))
}

// RewriteAll applies Rewrite to each expression and returns a new slice.
func RewriteAll(exprs []Expr, replace func(Expr) Expr) []Expr {
	if exprs == nil {
		return nil
	}
	out := make([]Expr, len(exprs))
	for i, e := range exprs {
		out[i] = Rewrite(e, replace)
	}
	return out
}

func rewriteChildren(e Expr, replace func(Expr) Expr) Expr {
	sub := func(c Expr) Expr { return Rewrite(c, replace) }
	switch e := e.(type) {
	case *Dereference:
		c := *e
		c.Base = sub(e.Base)
		return &c
	case *Subscript:
		c := *e
		c.Base, c.Index = sub(e.Base), sub(e.Index)
		return &c
	case *FunctionCall:
		c := *e
		c.Args = RewriteAll(e.Args, replace)
		return &c
	case *Lambda:
		c := *e
		c.Body = sub(e.Body)
		return &c
	case *Arithmetic:
		c := *e
		c.Left, c.Right = sub(e.Left), sub(e.Right)
		return &c
	case *Concat:
		c := *e
		c.Left, c.Right = sub(e.Left), sub(e.Right)
		return &c
	case *Unary:
		c := *e
		c.Operand = sub(e.Operand)
		return &c
	case *Comparison:
		c := *e
		c.Left, c.Right = sub(e.Left), sub(e.Right)
		return &c
	case *Logical:
		c := *e
		c.Left, c.Right = sub(e.Left), sub(e.Right)
		return &c
	case *Not:
		c := *e
		c.Operand = sub(e.Operand)
		return &c
	case *IsNull:
		c := *e
		c.Operand = sub(e.Operand)
		return &c
	case *Between:
		c := *e
		c.Operand, c.Lower, c.Upper = sub(e.Operand), sub(e.Lower), sub(e.Upper)
		return &c
	case *In:
		c := *e
		c.Operand, c.Values = sub(e.Operand), RewriteAll(e.Values, replace)
		return &c
	case *Like:
		c := *e
		c.Operand, c.Pattern = sub(e.Operand), sub(e.Pattern)
		return &c
	case *SearchedCase:
		c := *e
		c.Whens, c.Else = rewriteWhens(e.Whens, replace), sub(e.Else)
		return &c
	case *SimpleCase:
		c := *e
		c.Operand, c.Whens, c.Else = sub(e.Operand), rewriteWhens(e.Whens, replace), sub(e.Else)
		return &c
	case *Cast:
		c := *e
		c.Operand = sub(e.Operand)
		return &c
	case *ArrayConstructor:
		c := *e
		c.Elements = RewriteAll(e.Elements, replace)
		return &c
	case *MapConstructor:
		c := *e
		c.Entries = make([]*MapEntry, len(e.Entries))
		for i, m := range e.Entries {
			c.Entries[i] = &MapEntry{Span: m.Span, Key: sub(m.Key), Value: sub(m.Value)}
		}
		return &c
	case *StructConstructor:
		c := *e
		c.Fields = make([]*StructField, len(e.Fields))
		for i, f := range e.Fields {
			c.Fields[i] = &StructField{Span: f.Span, Name: f.Name, Value: sub(f.Value)}
		}
		return &c
	}
	return e
}

func rewriteWhens(whens []*WhenClause, replace func(Expr) Expr) []*WhenClause {
	out := make([]*WhenClause, len(whens))
	for i, w := range whens {
		out[i] = &WhenClause{
			Span:      w.Span,
			Condition: Rewrite(w.Condition, replace),
			Result:    Rewrite(w.Result, replace),
		}
	}
	return out
}
