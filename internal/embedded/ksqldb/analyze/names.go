package analyze

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// aliasGenerator makes names for what has none. Names that the sources have are
// not given.
type aliasGenerator struct {
	used map[string]bool
	n    int
}

func newAliasGenerator(sources []*from) *aliasGenerator {
	g := &aliasGenerator{used: map[string]bool{}}
	for _, f := range sources {
		s := f.source.Schema
		for _, c := range slices.Concat(s.Key, s.Value, s.Header) {
			g.used[c.Name] = true
		}
	}
	return g
}

// next is the next free name of the form KSQL_COL_n.
func (g *aliasGenerator) next() string {
	for {
		name := fmt.Sprintf("KSQL_COL_%d", g.n)
		g.n++
		if !g.used[name] {
			return name
		}
	}
}

// field is a name for the field of a struct: its own, with a number if that is
// taken.
func (g *aliasGenerator) field(name string) string {
	name = g.unused(name)
	g.used[name] = true
	return name
}

// unused is a name that no source has: the given one, with a number if need be.
func (g *aliasGenerator) unused(name string) string {
	candidate := name
	for i := 1; g.used[candidate]; i++ {
		candidate = fmt.Sprintf("%s_%d", name, i)
	}
	return candidate
}

func synthName(n int) string { return fmt.Sprintf("KSQL_SYNTH_%d", n) }

func aggregateName(n int) string { return fmt.Sprintf("KSQL_AGG_VARIABLE_%d", n) }

// resolve finds the sources and gives every column of the query its source and
// every item of the projection its name.
func (p *planner) resolve() error {
	if err := p.findSources(p.q.From); err != nil {
		return err
	}
	p.names = newAliasGenerator(p.sources)
	s := *p.q
	s.Select = nil
	for _, sel := range p.q.Select {
		if err := p.resolveItem(&s, sel); err != nil {
			return err
		}
	}
	var err error
	qualify := func(e ast.Expr) ast.Expr {
		var r ast.Expr
		if err == nil && e != nil {
			r, err = p.qualify(e)
		}
		return r
	}
	p.where, p.having = qualify(p.q.Where), qualify(p.q.Having)
	s.Where, s.Having = p.where, p.having
	if p.q.GroupBy != nil {
		for _, e := range p.q.GroupBy.Exprs {
			p.groups = append(p.groups, qualify(e))
		}
		s.GroupBy = &ast.GroupBy{Exprs: p.groups}
	}
	if p.q.PartitionBy != nil {
		for _, e := range p.q.PartitionBy.Exprs {
			p.parts = append(p.parts, qualify(e))
		}
		s.PartitionBy = &ast.PartitionBy{Exprs: p.parts}
	}
	s.From = p.qualifyFrom(p.q.From, qualify)
	if s.Emit == ast.EmitUnspecified {
		s.Emit = ast.EmitChanges
	}
	p.sanitized = &s
	return err
}

func (p *planner) findSources(r ast.Relation) error {
	switch r := r.(type) {
	case *ast.Join:
		if err := p.findSources(r.Left); err != nil {
			return err
		}
		return p.findSources(r.Right)
	case *ast.AliasedSource:
		src, ok := p.a.Catalog.Source(r.Name.Name)
		if !ok {
			return &prepareError{badStatement("Exception while preparing statement: %s does not exist.", r.Name.Name)}
		}
		p.sources = append(p.sources, &from{alias: r.Ref(), source: src, at: r})
		return nil
	default:
		return badStatement("%s: this FROM clause is not supported", at(r))
	}
}

func (p *planner) qualifyFrom(r ast.Relation, qualify func(ast.Expr) ast.Expr) ast.Relation {
	switch r := r.(type) {
	case *ast.Join:
		c := *r
		c.Left = p.qualifyFrom(r.Left, qualify)
		c.Right = p.qualifyFrom(r.Right, qualify).(*ast.AliasedSource)
		c.On = qualify(r.On)
		return &c
	case *ast.AliasedSource:
		c := *r
		c.Alias = &ast.Ident{Name: r.Ref()}
		return &c
	}
	return r
}

// resolveItem gives an item of the projection its name.
func (p *planner) resolveItem(s *ast.Query, sel ast.SelectItem) error {
	switch sel := sel.(type) {
	case *ast.AllColumns:
		if sel.Source != nil && p.source(sel.Source.Name) == nil {
			return &prepareError{badStatement("'%s' is not a valid stream/table name or alias.", sel.Source.Name)}
		}
		s.Select = append(s.Select, sel)
		it := &item{star: true}
		if sel.Source != nil {
			it.name = sel.Source.Name
		}
		p.items = append(p.items, it)
		return nil
	case *ast.StructAll:
		base, err := p.qualify(sel.Base)
		if err != nil {
			return err
		}
		return p.expandStruct(s, sel, base)
	case *ast.SingleColumn:
		e, err := p.qualify(sel.Expr)
		if err != nil {
			return err
		}
		it := &item{expr: e, explicit: sel.Alias != nil}
		if sel.Alias != nil {
			it.name = sel.Alias.Name
		} else {
			it.name = p.nameOf(e)
		}
		p.items = append(p.items, it)
		s.Select = append(s.Select, &ast.SingleColumn{Span: sel.Span, Expr: e, Alias: ident(it.name)})
		return nil
	default:
		return badStatement("%s: this kind of SELECT item is not supported", at(sel))
	}
}

// checkReservedAliases refuses system columns' names for other columns of persistent
// queries.
func (p *planner) checkReservedAliases() error {
	if !p.persistent {
		return nil
	}
	for _, sel := range p.q.Select {
		if s, ok := sel.(*ast.SingleColumn); ok && s.Alias != nil && isSystemColumn(s.Alias.Name) && !p.namesItself(s) {
			return inSchemaStage(badStatement("%s is a reserved column name. You cannot use it as an alias for a column.", types.QuoteName(s.Alias.Name)))
		}
	}
	return nil
}

// namesItself reports whether a system column is aliased by its own name.
func (p *planner) namesItself(sel *ast.SingleColumn) bool {
	c, ok := sel.Expr.(*ast.ColumnRef)
	return ok && c.Name.Name == sel.Alias.Name
}

// nameOf is the name of an item without alias.
func (p *planner) nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.ColumnRef:
		if e.Source != nil && len(p.sources) > 1 && p.clashes(e.Name.Name) {
			return e.Source.Name + "_" + e.Name.Name
		}
		return e.Name.Name
	case *ast.Dereference:
		return p.names.field(e.Field.Name)
	default:
		return p.names.next()
	}
}

// clashes reports whether more than one source has the column.
func (p *planner) clashes(name string) bool {
	n := 0
	for _, f := range p.sources {
		if f.has(name) {
			n++
		}
	}
	return n > 1
}

func (p *planner) expandStruct(s *ast.Query, sel *ast.StructAll, base ast.Expr) error {
	t, err := p.a.typeOf(base, p.sourceScope("SELECT"))
	if err != nil {
		return inSchemaStage(badStatement("%s", err))
	}
	if t == nil || t.Kind != types.KindStruct {
		return inSchemaStage(badStatement("Expected STRUCT type, got: %s", t))
	}
	for _, f := range t.Fields {
		e := &ast.Dereference{Span: sel.Span, Base: base, Field: ident(f.Name)}
		it := &item{expr: e, name: p.names.field(f.Name)}
		p.items = append(p.items, it)
		s.Select = append(s.Select, &ast.SingleColumn{Expr: e, Alias: ident(it.name)})
	}
	return nil
}

// sourceScope has the columns of all sources under their aliases.
func (p *planner) sourceScope(clause string) *expr.Scope {
	all := &expr.Scope{Clause: clause}
	for _, f := range p.sources {
		for _, c := range expr.ScopeOf(f.source.Schema, f.source.Topic.Window != types.NoWindow).Columns {
			c.Qualifier = f.alias
			all.Columns = append(all.Columns, c)
		}
	}
	return all
}

func (p *planner) source(alias string) *from {
	for _, f := range p.sources {
		if f.alias == alias {
			return f
		}
	}
	return nil
}

// qualify gives every column that exactly one source has the name of that
// source. Columns that no source has are left alone: later checks know what to
// say of them.
func (p *planner) qualify(e ast.Expr) (ast.Expr, error) {
	var err error
	out := ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		c, ok := x.(*ast.ColumnRef)
		if !ok || err != nil {
			return x
		}
		if c.Source != nil {
			if len(p.sources) > 1 && p.source(c.Source.Name) == nil {
				err = prepareFailure("'%s' is not a valid stream/table name or alias.", c.Source.Name)
			}
			return x
		}
		var owners []*from
		for _, f := range p.sources {
			if f.has(c.Name.Name) {
				owners = append(owners, f)
			}
		}
		switch len(owners) {
		case 0:
			return x
		case 1:
			return &ast.ColumnRef{Span: c.Span, Source: ident(owners[0].alias), Name: c.Name}
		}
		names := make([]string, len(owners))
		for i, f := range owners {
			names[i] = f.alias + "." + c.Name.Name
		}
		err = &prepareError{badStatement("Exception while preparing statement: %sColumn '%s' is ambiguous. Could be %s.",
			location(c), c.Name.Name, englishList(names, "or"))}
		return x
	})
	return out, err
}

// plain turns columns with sources into the columns of the planned FROM clause.
func (p *planner) plain(e ast.Expr) ast.Expr {
	return ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		if c, ok := x.(*ast.ColumnRef); ok && c.Source != nil {
			return &ast.ColumnRef{Span: c.Span, Name: ident(p.plainName(c.Source.Name, c.Name.Name))}
		}
		return x
	})
}

func (p *planner) plainName(alias, column string) string {
	if len(p.sources) == 1 {
		return column
	}
	return alias + "_" + column
}

// checkColumns refuses columns that no source has, clause by clause.
func (p *planner) checkColumns() error {
	for _, it := range p.items {
		if it.expr != nil {
			if err := p.checkRefs(it.expr, "SELECT"); err != nil {
				return err
			}
		}
	}
	if err := p.checkRefs(p.where, "WHERE"); err != nil {
		return err
	}
	for _, e := range p.groups {
		if err := p.checkRefs(e, "GROUP BY"); err != nil {
			return err
		}
	}
	for _, e := range p.parts {
		if err := p.checkRefs(e, "PARTITION BY"); err != nil {
			return err
		}
	}
	return p.checkRefs(p.having, "HAVING")
}

func (p *planner) checkRefs(e ast.Expr, clause string) error {
	for _, c := range refsIn(e) {
		if p.knows(c, clause) {
			continue
		}
		if err := p.windowBoundMisused(c, clause); err != nil {
			return err
		}
		hint := ""
		if clause == "PARTITION BY" {
			hint = fmt.Sprintf(" '%s' must be a column in the source schema since PARTITION BY is applied on the input.", expr.Format(c))
		}
		return badStatement("%s%s column '%s' cannot be resolved.%s", location(c), clause, expr.Format(c), hint)
	}
	return nil
}

func (p *planner) knows(c *ast.ColumnRef, clause string) bool {
	name := c.Name.Name
	isBound := (name == types.WindowStart || name == types.WindowEnd) && p.q.Window != nil &&
		len(p.sources) == 1 && (clause == "SELECT" || clause == "HAVING")
	if c.Source != nil {
		f := p.source(c.Source.Name)
		return f != nil && (f.has(name) || isBound)
	}
	if isBound {
		return true
	}
	return p.relation != nil && p.relation.synthetic && name == p.relation.keyName && clause != "WHERE"
}

func (p *planner) windowBoundMisused(c *ast.ColumnRef, clause string) error {
	if p.q.Window == nil || !strings.HasPrefix(c.Name.Name, "WINDOW") || !isSystemColumn(c.Name.Name) {
		return nil
	}
	switch clause {
	case "GROUP BY":
		return badStatement("Window bounds column %s can only be used in the SELECT clause of windowed aggregations and can not be passed to aggregate functions.", c.Name.Name)
	case "WHERE":
		return badStatement("Error in WHERE expression: Unknown column %s.", c.Name.Name)
	}
	return nil
}

// refsIn lists the columns that an expression names.
func refsIn(e ast.Expr) []*ast.ColumnRef {
	var refs []*ast.ColumnRef
	if e == nil {
		return nil
	}
	ast.Walk(e, func(n ast.Node) bool {
		if c, ok := n.(*ast.ColumnRef); ok {
			refs = append(refs, c)
		}
		return true
	})
	return refs
}

// expandStars replaces the stars of the projection by columns and fills in what
// the expressions are over the planned FROM clause.
func (p *planner) expandStars() {
	var out []*item
	for _, it := range p.items {
		if !it.star {
			it.plain = p.plain(it.expr)
			out = append(out, it)
			continue
		}
		if it.name == "" && p.relation.synthetic {
			out = append(out, &item{name: p.relation.keyName, expr: columnRef(p.relation.keyName), plain: columnRef(p.relation.keyName), star: true})
		}
		out = append(out, p.partitionItems(it)...)
		for _, f := range p.sources {
			if it.name != "" && it.name != f.alias {
				continue
			}
			for _, c := range p.starColumns(f) {
				ref := &ast.ColumnRef{Source: ident(f.alias), Name: ident(c)}
				out = append(out, &item{name: p.plainName(f.alias, c), expr: ref, plain: p.plain(ref), star: true})
			}
		}
	}
	p.items = out
}

// partitionItems are what a star begins with when the rows are partitioned by
// something: the new key.
func (p *planner) partitionItems(star *item) []*item {
	var out []*item
	for _, e := range p.parts {
		it := &item{expr: e, plain: p.plain(e), star: true}
		switch e := e.(type) {
		case *ast.NullLiteral:
			continue
		case *ast.ColumnRef:
			if star.name != "" && e.Source != nil && e.Source.Name != star.name {
				continue
			}
			it.name = it.plain.(*ast.ColumnRef).Name.Name
		default:
			it.name = p.names.next()
		}
		out = append(out, it)
	}
	return out
}

// starColumns are the columns of a source that a star stands for: the key, the
// window's bounds if the rows go to a client, and the values. Under PARTITION BY
// the old key is a value like the others, and a join shows its system columns
// too, as ksqlDB does.
func (p *planner) starColumns(f *from) []string {
	var names []string
	s := f.source.Schema
	add := func(name string) {
		isKey := slices.ContainsFunc(p.parts, func(e ast.Expr) bool {
			c, ok := e.(*ast.ColumnRef)
			return ok && c.Source != nil && c.Source.Name == f.alias && c.Name.Name == name
		})
		if !isKey {
			names = append(names, name)
		}
	}
	if p.q.PartitionBy == nil {
		for _, c := range s.Key {
			add(c.Name)
		}
		// The bounds of joined windows are no reserved names.
		if f.source.Topic.Window != types.NoWindow && (!p.persistent || len(p.sources) > 1) {
			add(types.WindowStart)
			add(types.WindowEnd)
		}
	}
	for _, c := range slices.Concat(s.Value, s.Header) {
		add(c.Name)
	}
	if p.q.PartitionBy == nil {
		return names
	}
	if len(p.sources) > 1 {
		for _, name := range []string{types.RowTime, types.RowPartition, types.RowOffset} {
			add(name)
		}
	}
	for _, c := range s.Key {
		add(c.Name)
	}
	return names
}
