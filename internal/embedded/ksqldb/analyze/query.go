package analyze

import (
	"context"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// from is one stream or table of a FROM clause.
type from struct {
	alias  string
	source *catalog.Source
	at     *ast.AliasedSource
}

// has reports whether the source has a column of that name, system columns
// included.
func (f *from) has(name string) bool {
	return f.hasColumn(name) || f.hasSystem(name)
}

func (f *from) hasColumn(name string) bool {
	s := f.source.Schema
	return s.FindKey(name) >= 0 || s.FindValue(name) >= 0 || s.FindHeader(name) >= 0
}

func (f *from) hasSystem(name string) bool {
	switch name {
	case types.RowTime, types.RowPartition, types.RowOffset:
		return true
	case types.WindowStart, types.WindowEnd:
		return f.source.Topic.Window != types.NoWindow
	}
	return false
}

// item is an element of the projection with its name: an expression, or a star
// of which the columns are filled in later.
type item struct {
	name  string
	expr  ast.Expr // its columns name their sources
	plain ast.Expr // its columns are those of the planned input
	// explicit tells that the name was given by an alias.
	explicit bool
	// star marks an item that came from a star.
	star bool
}

// planner makes the plan of one query.
type planner struct {
	a    *Analyzer
	ctx  context.Context
	q    *ast.Query
	sink string // name of the sink, "" for a transient query
	// timestamp is the TIMESTAMP column of the sink, "" for none.
	timestamp string
	// persistent tells a query with a sink from a transient one.
	persistent bool

	sources []*from
	items   []*item
	where   ast.Expr
	having  ast.Expr
	groups  []ast.Expr
	parts   []ast.Expr
	names   *aliasGenerator
	// relation is the FROM clause as planned.
	relation *relation
	// sanitized is the query with all names resolved, for its text.
	sanitized *ast.Query
	// criteria are the conditions of the joins.
	criteria map[*ast.Join]*criterion
	// used are the columns that the query names, by source and name.
	used map[[2]string]bool
}

// planned is the plan of a query up to its sink.
type planned struct {
	node plan.Node
	// items are the columns in the order of the SELECT; key says which key
	// column an item is, -1 for values.
	items   []outItem
	left    *catalog.Source
	sources []*from
	// keyFormat and valueFormat are what the sink inherits.
	keyFormat   plan.Format
	valueFormat plan.Format
	windowType  string
	window      *plan.Window
	sanitized   *ast.Query
}

type outItem struct {
	name string
	key  int
	expr ast.Expr
	typ  *types.Type
}

// querySink is where the rows of a query go: the name of the stream or table,
// and its TIMESTAMP column. It is empty for transient queries.
type querySink struct{ name, timestamp string }

// planQuery plans the SELECT of a persistent query or of a transient one.
func (a *Analyzer) planQuery(ctx context.Context, q *ast.Query, sink querySink) (*planned, error) {
	p := &planner{a: a, ctx: ctx, q: q, persistent: sink.name != "", sink: sink.name, timestamp: sink.timestamp}
	if err := p.resolve(); err != nil {
		return nil, err
	}
	out, err := p.plan()
	if err != nil {
		return nil, inSchemaStage(err)
	}
	return out, nil
}

func (p *planner) plan() (*planned, error) {
	if err := p.checkReservedAliases(); err != nil {
		return nil, err
	}
	if err := p.checkReserved(); err != nil {
		return nil, err
	}
	if err := p.checkShape(); err != nil {
		return nil, err
	}
	rel, err := p.planFrom()
	if err != nil {
		return nil, err
	}
	p.relation = rel
	if err := p.checkColumns(); err != nil {
		return nil, err
	}
	p.expandStars()
	node := rel.node
	if p.where != nil {
		if p.where, err = magicTimestamps(p.where); err != nil {
			return nil, badStatement("%s", err)
		}
		if node, err = p.filter(node, p.plain(p.where), "WHERE"); err != nil {
			return nil, err
		}
	}
	if node, err = p.flatMap(node); err != nil {
		return nil, err
	}
	out := &planned{left: rel.left.source, sources: p.sources, windowType: rel.windowType, sanitized: p.sanitized}
	out.keyFormat, out.valueFormat = rel.keyFormat, inherited(rel.left.source.Topic.Value)
	keys := rel.viableKeys()
	switch {
	case p.isAggregate():
		g := &grouping{planner: p, keyFormat: &out.keyFormat}
		if node, keys, err = g.plan(node); err != nil {
			return nil, err
		}
		out.window = g.window
		if g.window != nil {
			out.windowType = p.q.Window.Type.String()
		} else {
			out.windowType = ""
		}
	case p.q.PartitionBy != nil:
		if node, keys, err = p.partition(node, &out.keyFormat); err != nil {
			return nil, err
		}
		out.windowType = ""
	}
	if p.q.Emit == ast.EmitFinal && out.window == nil {
		return nil, badStatement("EMIT FINAL is only supported for windowed aggregations.")
	}
	return out, p.project(out, node, keys)
}

func (p *planner) isAggregate() bool {
	return p.q.GroupBy != nil || p.q.Having != nil && p.q.GroupBy == nil && len(p.aggregatesIn(p.having)) > 0 || p.anyAggregate()
}

func (p *planner) anyAggregate() bool {
	return slices.ContainsFunc(p.items, func(i *item) bool { return i.expr != nil && len(p.aggregatesIn(i.expr)) > 0 })
}

// aggregatesIn lists the calls of aggregate functions within an expression.
func (p *planner) aggregatesIn(e ast.Expr) []*ast.FunctionCall {
	return callsIn(e, p.a.Functions.IsAggregate)
}

func callsIn(e ast.Expr, is func(name string) bool) []*ast.FunctionCall {
	var calls []*ast.FunctionCall
	if e == nil {
		return nil
	}
	ast.Walk(e, func(n ast.Node) bool {
		if c, ok := n.(*ast.FunctionCall); ok && is(c.Name.Name) {
			calls = append(calls, c)
		}
		return true
	})
	return calls
}

// checkShape applies the rules on which clauses go together.
func (p *planner) checkShape() error {
	if p.q.Window != nil && p.q.GroupBy == nil && !p.anyAggregate() {
		return badStatement("%sWINDOW clause requires a GROUP BY clause.", location(p.q.Window))
	}
	if p.isAggregate() && slices.ContainsFunc(p.items, func(it *item) bool { return len(callsIn(it.expr, p.a.Functions.IsTable)) > 0 }) {
		return badStatement("Table functions cannot be used with aggregations.")
	}
	if p.q.Having != nil && p.q.GroupBy == nil {
		return badStatement("HAVING requires GROUP BY (%s)", at(p.q.Having))
	}
	if p.persistent {
		for _, f := range p.sources {
			if f.source.IsTable() && f.source.Topic.Window != types.NoWindow {
				return badStatement("KSQL does not support persistent queries on windowed tables.")
			}
		}
	}
	return nil
}

// scope is what expressions over a step may name.
func scope(node plan.Node, clause string) *expr.Scope {
	return expr.ScopeOf(node.Schema(), node.Windowed() != types.NoWindow).In(clause)
}

// filter puts a predicate over a step.
func (p *planner) filter(node plan.Node, predicate ast.Expr, clause string) (plan.Node, error) {
	if err := p.a.checkPredicate(predicate, scope(node, clause), clause); err != nil {
		return nil, err
	}
	return &plan.Filter{Input: node, Predicate: plan.Expr{AST: predicate, Type: types.Boolean}}, nil
}

// checkPredicate checks that a condition is one and can be computed.
func (a *Analyzer) checkPredicate(e ast.Expr, s *expr.Scope, clause string) error {
	text := expr.Format(e)
	// quoted names the expression as the statement at fault, as ksqlDB does.
	quoted := func(err *Error) *Error {
		err.Statement = text
		return err
	}
	for _, c := range callsIn(e, func(name string) bool { return a.Functions.IsAggregate(name) || a.Functions.IsTable(name) }) {
		return &prepareError{quoted(badStatement("Invalid Predicate: Can't find any functions with the name '%s'. expression: %s, schema:%s",
			c.Name.Name, text, schemaText(s)))}
	}
	compiled, err := a.compiler().Compile(e, s)
	if err != nil {
		if strings.HasPrefix(err.Error(), "Invalid Predicate: ") {
			return &prepareError{quoted(badStatement("%s", withSchemaText(err, s)))}
		}
		if strings.Contains(err.Error(), "\nStatement: "+text) && strings.Contains(err.Error(), "NULL not supported") {
			return quoted(badStatement("Error in %s expression: %s", clause, err))
		}
		return quoted(badStatement("Error in %s expression: %s\nStatement: %s", clause, err, text))
	}
	t := compiled.Type
	if t == nil || t.Kind != types.KindBoolean {
		return quoted(badStatement("Type error in %s expression: Should evaluate to boolean but is %s (%s) instead.\nStatement: %s",
			clause, text, t, text))
	}
	return nil
}

// flatMap puts the table functions of the projection over a step and replaces
// their calls by the columns they make.
func (p *planner) flatMap(node plan.Node) (plan.Node, error) {
	flat := &plan.FlatMap{Input: node}
	for _, it := range p.items {
		for _, c := range callsIn(it.plain, p.a.Functions.IsTable) {
			call, err := p.tableCall(c, node, len(flat.Calls))
			if err != nil {
				return nil, err
			}
			flat.Calls = append(flat.Calls, call)
			it.plain = replaceCall(it.plain, c, call.Name)
		}
	}
	if len(flat.Calls) == 0 {
		return node, nil
	}
	if node.Changelog() {
		return nil, badStatement("Table source is not supported with table functions")
	}
	return flat, nil
}

func (p *planner) tableCall(c *ast.FunctionCall, node plan.Node, n int) (plan.TableCall, error) {
	s := scope(node, "SELECT")
	for _, arg := range c.Args {
		if len(callsIn(arg, p.a.Functions.IsTable)) > 0 {
			return plan.TableCall{}, badStatement("Table functions can not be nested: %s", expr.Format(c))
		}
	}
	bound, err := p.a.compiler().BindTable(c, s)
	if err != nil {
		return plan.TableCall{}, badStatement("%s", err)
	}
	return plan.TableCall{Name: synthName(n), Function: bound.Name, Args: p.a.arguments(c.Args, s), Type: bound.Type}, nil
}

// replaceCall puts a column in the place of every call like c.
func replaceCall(e ast.Expr, c ast.Expr, name string) ast.Expr {
	return ast.Rewrite(e, func(x ast.Expr) ast.Expr {
		if ast.Same(x, c) {
			return columnRef(name)
		}
		return x
	})
}

// partition gives the rows the key of a PARTITION BY clause.
func (p *planner) partition(node plan.Node, keyFormat *plan.Format) (plan.Node, *keySet, error) {
	if node.Changelog() {
		keys := make([]string, 0)
		for _, c := range p.relation.left.source.Schema.Key {
			keys = append(keys, c.Name)
		}
		return nil, nil, badStatement("Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's key column %s instead of [%s]",
			strings.Join(keys, ", "), p.formatAll(p.parts))
	}
	if node.Windowed() != types.NoWindow {
		return nil, nil, errWindowedRepartition()
	}
	rekey := &plan.Rekey{Input: node}
	keys := &keySet{clause: "partitioning expression", qualified: true}
	isNull := func(e ast.Expr) bool { _, ok := e.(*ast.NullLiteral); return ok }
	if slices.ContainsFunc(p.parts, isNull) {
		if len(p.parts) > 1 {
			return nil, nil, badStatement("Cannot PARTITION BY multiple columns including NULL")
		}
	} else {
		for _, e := range p.parts {
			plainExpr := p.plain(e)
			t, err := p.a.typeOf(plainExpr, scope(node, "PARTITION BY"))
			if err != nil {
				return nil, nil, badStatement("%s", err)
			}
			name := p.keyName(plainExpr, node.Schema())
			rekey.Keys = append(rekey.Keys, plan.Named{Name: name, Expr: plan.Expr{AST: plainExpr, Type: t}})
			keys.add(e, plainExpr, name)
		}
		if err := checkKeyTypes(p.keyColumns(rekey.Keys)); err != nil {
			return nil, nil, err
		}
	}
	rekey.Keep = keptKeys(node.Schema(), rekey.Keys)
	*keyFormat = p.rekeyedFormat(*keyFormat, rekey.Keys)
	return rekey, keys, nil
}

func (p *planner) formatAll(list []ast.Expr) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = expr.Format(p.plain(e))
	}
	return strings.Join(texts, ", ")
}

// keyName is the name of a key column for an expression over rows of a schema:
// its own for a column, else the alias that the SELECT gives it if no column has
// that name, else a generated one.
func (p *planner) keyName(plainExpr ast.Expr, s *types.Schema) string {
	if c, ok := plainExpr.(*ast.ColumnRef); ok {
		return c.Name.Name
	}
	for _, it := range p.items {
		taken := s.FindKey(it.name) >= 0 || s.FindValue(it.name) >= 0 || s.FindHeader(it.name) >= 0 || isSystemColumn(it.name)
		if it.plain != nil && ast.Same(it.plain, plainExpr) && !taken {
			return it.name
		}
	}
	return p.names.next()
}

func (p *planner) keyColumns(keys []plan.Named) []types.Column {
	cols := make([]types.Column, len(keys))
	for i, k := range keys {
		name := k.Name
		for _, it := range p.items {
			if it.plain != nil && ast.Same(it.plain, k.Expr.AST) {
				name = it.name
				break
			}
		}
		cols[i] = types.Column{Name: name, Type: k.Expr.Type}
	}
	return cols
}

// keptKeys are the key columns of a step that live on as values of its re-keyed
// rows.
func keptKeys(s *types.Schema, keys []plan.Named) []plan.Named {
	var kept []plan.Named
	for _, c := range s.Key {
		isKey := slices.ContainsFunc(keys, func(k plan.Named) bool { return k.Name == c.Name })
		if !isKey && s.FindValue(c.Name) < 0 {
			kept = append(kept, plan.Named{Name: c.Name, Expr: plan.Expr{AST: columnRef(c.Name), Type: c.Type}})
		}
	}
	return kept
}

// rekeyedFormat is the key format of rows whose key changes.
func (p *planner) rekeyedFormat(f plan.Format, keys []plan.Named) plan.Format {
	if len(keys) == 0 {
		return plan.Format{Name: format.None}
	}
	if f.Name == format.None {
		f = plan.Format{Name: p.a.defaultKeyFormat()}
	}
	return f
}

// internalKeyFormat is the key format of an internal topic: the query's where it
// can hold the columns.
func internalKeyFormat(f plan.Format, keys []plan.Named) plan.Format {
	keyTypes := make([]*types.Type, len(keys))
	for i, k := range keys {
		keyTypes[i] = k.Expr.Type
	}
	if name := format.KeyFormatFor(f.Name, keyTypes); name != f.Name {
		return plan.Format{Name: name}
	}
	f.SchemaID, f.FullName = nil, ""
	return f
}

func (a *Analyzer) defaultKeyFormat() string {
	if name, err := format.Canonical(a.Config.DefaultKeyFormat); err == nil {
		return name
	}
	return format.Kafka
}

// inherited is a format without what does not pass on to sinks.
func inherited(f plan.Format) plan.Format {
	f.SchemaID, f.FullName, f.Wrap = nil, "", nil
	return f
}

func errWindowedRepartition() error {
	return badStatement("Implicit repartitioning of windowed sources is not supported. See https://github.com/confluentinc/ksql/issues/4385.")
}
