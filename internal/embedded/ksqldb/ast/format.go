package ast

import (
	"fmt"
	"slices"
	"strings"
)

// Format returns the text of a node in the style in which ksqlDB rewrites
// statements: names bare unless they need quotes, every operation in
// parentheses, a line per clause, WITH sorted by name. A statement ends with a
// semicolon. A source without alias is given its own name as alias, and a
// persistent query that does not say what it emits is given EMIT CHANGES.
//
// The text reads as the same tree again, apart from those two additions.
func Format(n Node) string {
	f := &formatter{}
	f.node(n)
	return f.out.String()
}

type formatter struct {
	out strings.Builder
}

func (f *formatter) add(parts ...string) {
	for _, p := range parts {
		f.out.WriteString(p)
	}
}

// comma separates the i-th element of a list from the one before.
func (f *formatter) comma(i int) {
	if i > 0 {
		f.add(", ")
	}
}

func (f *formatter) node(n Node) {
	if isNil(n) {
		return
	}
	switch n := n.(type) {
	case Statement:
		f.statement(n)
		f.add(";")
	case Expr:
		f.expr(n)
	case SelectItem:
		f.selectItem(n)
	case Relation:
		f.relation(n)
	case *DataType:
		f.dataType(n)
	case *Ident:
		f.add(QuoteName(n.Name))
	case *Property:
		f.property(n)
	case *TableElement:
		f.tableElement(n)
	case *AlterOption:
		f.add("ADD COLUMN ", QuoteName(n.Name.Name), " ")
		f.dataType(n.Type)
	case *FieldType:
		f.add(QuoteName(n.Name.Name), " ")
		f.dataType(n.Type)
	case *Duration:
		f.add(formatDuration(*n))
	case *Window:
		f.window(n)
	case *Within:
		f.within(n)
	case *GroupBy:
		f.byList("GROUP BY", n.Exprs)
	case *PartitionBy:
		f.byList("PARTITION BY", n.Exprs)
	case *WhenClause:
		f.add("WHEN ")
		f.expr(n.Condition)
		f.add(" THEN ")
		f.expr(n.Result)
	case *MapEntry:
		f.expr(n.Key)
		f.add(":=")
		f.expr(n.Value)
	case *StructField:
		f.add(QuoteName(n.Name.Name), ":=")
		f.expr(n.Value)
	}
}

func formatDuration(d Duration) string { return fmt.Sprintf("%d %s", d.Value, d.Unit) }

// query formats a query without a semicolon.
func (f *formatter) query(q *Query, persistent bool) {
	f.add("SELECT")
	for i, item := range q.Select {
		switch {
		case len(q.Select) == 1:
			f.add(" ")
		case i == 0:
			f.add("\n  ")
		default:
			f.add(",\n  ")
		}
		f.selectItem(item)
	}
	f.add("\nFROM ")
	f.relation(q.From)
	if q.Window != nil {
		f.add("\nWINDOW ")
		f.window(q.Window)
		f.add(" ")
	}
	if q.Where != nil {
		f.add("\nWHERE ")
		f.expr(q.Where)
	}
	if q.GroupBy != nil {
		f.add("\n")
		f.byList("GROUP BY", q.GroupBy.Exprs)
	}
	if q.PartitionBy != nil {
		f.add("\n")
		f.byList("PARTITION BY", q.PartitionBy.Exprs)
	}
	if q.Having != nil {
		f.add("\nHAVING ")
		f.expr(q.Having)
	}
	switch {
	case q.Emit == EmitFinal:
		f.add("\nEMIT FINAL")
	case q.Emit == EmitChanges || persistent:
		f.add("\nEMIT CHANGES")
	}
	if q.Limit != nil {
		f.add(fmt.Sprintf("\nLIMIT %d", *q.Limit))
	}
}

func (f *formatter) byList(words string, exprs []Expr) {
	f.add(words, " ")
	if len(exprs) == 0 {
		f.add("()")
	}
	f.exprs(exprs)
}

func (f *formatter) selectItem(item SelectItem) {
	switch item := item.(type) {
	case *SingleColumn:
		f.expr(item.Expr)
		if item.Alias != nil {
			f.add(" ", QuoteName(item.Alias.Name))
		}
	case *AllColumns:
		if item.Source != nil {
			f.add(QuoteName(item.Source.Name), ".")
		}
		f.add("*")
	case *StructAll:
		f.base(item.Base)
		f.add("->*")
	}
}

var joinWords = [...]string{
	InnerJoin: "INNER", LeftJoin: "LEFT OUTER", RightJoin: "RIGHT OUTER", OuterJoin: "FULL OUTER",
}

func (f *formatter) relation(r Relation) {
	switch r := r.(type) {
	case *AliasedSource:
		f.add(QuoteName(r.Name.Name), " ", QuoteName(r.Ref()))
	case *Join:
		f.relation(r.Left)
		f.add("\n", joinWords[r.Type], " JOIN ")
		f.relation(r.Right)
		if r.Within != nil {
			f.add(" ")
			f.within(r.Within)
		}
		f.add(" ON (")
		f.expr(r.On)
		f.add(")")
	}
}

func (f *formatter) within(w *Within) {
	before, after := formatDuration(w.Before), formatDuration(w.After)
	if before == after {
		f.add("WITHIN ", before)
	} else {
		f.add("WITHIN (", before, ", ", after, ")")
	}
	if w.Grace != nil {
		f.add(" GRACE PERIOD ", formatDuration(*w.Grace))
	}
}

func (f *formatter) window(w *Window) {
	f.add(w.Type.String(), " ( ")
	if w.Type != SessionWindow {
		f.add("SIZE ")
	}
	f.add(formatDuration(w.Size))
	if w.Advance != nil {
		f.add(" , ADVANCE BY ", formatDuration(*w.Advance))
	}
	if w.Retention != nil {
		f.add(" , RETENTION ", formatDuration(*w.Retention))
	}
	if w.Grace != nil {
		f.add(" , GRACE PERIOD ", formatDuration(*w.Grace))
	}
	f.add(" )")
}

// with formats a WITH clause, preceded by a space, if there is one.
func (f *formatter) with(props []*Property) {
	if len(props) == 0 {
		return
	}
	sorted := slices.Clone(props)
	slices.SortStableFunc(sorted, func(a, b *Property) int { return strings.Compare(a.Name, b.Name) })
	f.add(" WITH (")
	for i, p := range sorted {
		f.comma(i)
		f.property(p)
	}
	f.add(")")
}

func (f *formatter) property(p *Property) {
	name := p.Name
	if NeedsQuotes(name) {
		name = QuoteText(name)
	}
	f.add(name, "=", formatLiteral(p.Value))
}

func (f *formatter) tableElement(e *TableElement) {
	f.add(QuoteName(e.Name.Name), " ")
	f.dataType(e.Type)
	switch e.Role {
	case KeyColumn:
		f.add(" KEY")
	case PrimaryKeyColumn:
		f.add(" PRIMARY KEY")
	case HeadersColumn:
		f.add(" HEADERS")
	case HeaderColumn:
		f.add(" HEADER(", QuoteText(e.HeaderKey), ")")
	}
}

func (f *formatter) tableElements(elements []*TableElement) {
	if len(elements) == 0 {
		return
	}
	f.add(" (")
	for i, e := range elements {
		f.comma(i)
		f.tableElement(e)
	}
	f.add(")")
}
