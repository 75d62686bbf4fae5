package ast

// Walk calls visit for n and, as long as visit returns true, for everything
// below it, parents before children and children in the order of the text.
// Identifiers and data types are visited too. A nil node is skipped.
func Walk(n Node, visit func(Node) bool) {
	if isNil(n) || !visit(n) {
		return
	}
	for _, c := range children(n) {
		Walk(c, visit)
	}
}

// Exprs returns the expressions that n holds directly or through nodes that are
// not expressions themselves, in the order of the text: the roots of all
// expression trees of a query, say.
func Exprs(n Node) []Expr {
	var out []Expr
	Walk(n, func(c Node) bool {
		if e, ok := c.(Expr); ok && c != n {
			out = append(out, e)
			return false
		}
		return true
	})
	return out
}

type childList []Node

func (l *childList) add(nodes ...Node) {
	for _, n := range nodes {
		if !isNil(n) {
			*l = append(*l, n)
		}
	}
}

func addAll[T Node](l *childList, nodes []T) {
	for _, n := range nodes {
		l.add(n)
	}
}

// isNil reports whether n holds nothing, be it by a nil interface or by a nil
// pointer of one of the types that a node may leave out.
func isNil(n Node) bool {
	switch n := n.(type) {
	case nil:
		return true
	case *Ident:
		return n == nil
	case *DataType:
		return n == nil
	case *Duration:
		return n == nil
	case *Query:
		return n == nil
	case *Window:
		return n == nil
	case *Within:
		return n == nil
	case *GroupBy:
		return n == nil
	case *PartitionBy:
		return n == nil
	}
	return false
}

// children returns the nodes directly below n.
func children(n Node) []Node {
	var l childList
	switch n := n.(type) {
	case Statement:
		statementChildren(&l, n)
	case Expr:
		exprChildren(&l, n)
	case *SingleColumn:
		l.add(n.Expr, n.Alias)
	case *AllColumns:
		l.add(n.Source)
	case *StructAll:
		l.add(n.Base)
	case *AliasedSource:
		l.add(n.Name, n.Alias)
	case *Join:
		l.add(n.Left, n.Right, n.Within, n.On)
	case *Within:
		l.add(&n.Before, &n.After, n.Grace)
	case *Window:
		l.add(&n.Size, n.Advance, n.Retention, n.Grace)
	case *GroupBy:
		addAll(&l, n.Exprs)
	case *PartitionBy:
		addAll(&l, n.Exprs)
	case *Property:
		l.add(n.Value)
	case *TableElement:
		l.add(n.Name, n.Type)
	case *AlterOption:
		l.add(n.Name, n.Type)
	case *DataType:
		l.add(n.Name, n.Element, n.Key, n.Value)
		addAll(&l, n.Fields)
	case *FieldType:
		l.add(n.Name, n.Type)
	case *WhenClause:
		l.add(n.Condition, n.Result)
	case *MapEntry:
		l.add(n.Key, n.Value)
	case *StructField:
		l.add(n.Name, n.Value)
	}
	return l
}

func statementChildren(l *childList, s Statement) {
	switch s := s.(type) {
	case *Query:
		addAll(l, s.Select)
		l.add(s.From, s.Window, s.Where, s.GroupBy, s.PartitionBy, s.Having)
	case *CreateSource:
		l.add(s.Name)
		addAll(l, s.Elements)
		addAll(l, s.With)
	case *CreateAsSelect:
		l.add(s.Name)
		addAll(l, s.With)
		l.add(s.Query)
	case *InsertInto:
		l.add(s.Target)
		addAll(l, s.With)
		l.add(s.Query)
	case *InsertValues:
		l.add(s.Target)
		addAll(l, s.Columns)
		addAll(l, s.Values)
	case *DropSource:
		l.add(s.Name)
	case *AlterSource:
		l.add(s.Name)
		addAll(l, s.Columns)
	case *CreateType:
		l.add(s.Name, s.Type)
	case *DropType:
		l.add(s.Name)
	case *TerminateQuery:
		l.add(s.QueryID)
	case *PauseQuery:
		l.add(s.QueryID)
	case *ResumeQuery:
		l.add(s.QueryID)
	case *DescribeSource:
		l.add(s.Name)
	case *DescribeFunction:
		l.add(s.Name)
	case *DescribeConnector:
		l.add(s.Name)
	case *Explain:
		l.add(s.Statement, s.QueryID)
	case *CreateConnector:
		l.add(s.Name)
		addAll(l, s.With)
	case *DropConnector:
		l.add(s.Name)
	case *AssertTopic:
		addAll(l, s.With)
		l.add(s.Timeout)
	case *AssertSchema:
		l.add(s.Timeout)
	case *AssertValues:
		l.add(s.Target)
		addAll(l, s.Columns)
		addAll(l, s.Values)
	case *AssertTombstone:
		l.add(s.Target)
		addAll(l, s.Columns)
		addAll(l, s.Values)
	case *AssertSource:
		l.add(s.Name)
		addAll(l, s.Elements)
		addAll(l, s.With)
	}
}

func exprChildren(l *childList, e Expr) {
	switch e := e.(type) {
	case *ColumnRef:
		l.add(e.Source, e.Name)
	case *Dereference:
		l.add(e.Base, e.Field)
	case *Subscript:
		l.add(e.Base, e.Index)
	case *FunctionCall:
		l.add(e.Name)
		addAll(l, e.Args)
	case *Lambda:
		addAll(l, e.Params)
		l.add(e.Body)
	case *Arithmetic:
		l.add(e.Left, e.Right)
	case *Concat:
		l.add(e.Left, e.Right)
	case *Unary:
		l.add(e.Operand)
	case *Comparison:
		l.add(e.Left, e.Right)
	case *Logical:
		l.add(e.Left, e.Right)
	case *Not:
		l.add(e.Operand)
	case *IsNull:
		l.add(e.Operand)
	case *Between:
		l.add(e.Operand, e.Lower, e.Upper)
	case *In:
		l.add(e.Operand)
		addAll(l, e.Values)
	case *Like:
		l.add(e.Operand, e.Pattern)
	case *SearchedCase:
		addAll(l, e.Whens)
		l.add(e.Else)
	case *SimpleCase:
		l.add(e.Operand)
		addAll(l, e.Whens)
		l.add(e.Else)
	case *Cast:
		l.add(e.Operand, e.Type)
	case *ArrayConstructor:
		addAll(l, e.Elements)
	case *MapConstructor:
		addAll(l, e.Entries)
	case *StructConstructor:
		addAll(l, e.Fields)
	}
}
