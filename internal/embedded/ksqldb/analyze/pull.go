package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const (
	pullHint    = " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."
	pullKeyHint = ". " + pullHint + `
Pull queries require a WHERE clause that:
 - includes a key equality expression, e.g. ` + "`SELECT * FROM X WHERE <key-column> = Y;`" + `.
 - in the case of a multi-column key, is a conjunction of equality expressions that cover all key columns.
 - to support range expressions, e.g.,  SELECT * FROM X WHERE <key-column> < Y;` + "`" + `, range scans need to be enabled by setting ksql.query.pull.range.scan.enabled=true
`
	pullWindowHint = ` - (optionally) limits the time bounds of the windowed table.
	 Bounds on [` + "`WINDOWSTART`, `WINDOWEND`" + `] are supported
	 Supported operators are [EQUAL, GREATER_THAN, GREATER_THAN_OR_EQUAL, LESS_THAN, LESS_THAN_OR_EQUAL]
`
	pullScanHint = `If more flexible queries are needed, , table scans can be enabled by setting ksql.query.pull.table.scan.enabled=true.`
)

func pullRefused(text string, args ...any) error {
	return badStatement("%s%s", fmt.Sprintf(text, args...), pullHint)
}

// whereRefused is an error about a WHERE clause that says what may stand there.
func (p *planner) whereRefused(text string, args ...any) error {
	hint := pullKeyHint
	if p.sources[0].source.Topic.Window != types.NoWindow {
		hint += pullWindowHint
	}
	return badStatement("%s%s%s", fmt.Sprintf(text, args...), hint, pullScanHint)
}

// PullQuery is a SELECT without EMIT: exactly one of Table and Stream is set.
type PullQuery struct {
	// Table is a pull query on a table that a query keeps.
	Table *plan.Pull
	// Stream is a pull query on a stream: a transient query that ends where the
	// stream ended when it began.
	Stream *TransientQuery
	Source *catalog.Source
}

// Pull plans a SELECT without EMIT.
func (a *Analyzer) Pull(ctx context.Context, q *ast.Query) (*PullQuery, error) {
	if !a.Config.PullEnabled {
		return nil, badStatement("Pull queries are disabled.%s\nPlease set ksql.pull.queries.enable=true to enable this feature.", pullHint)
	}
	if _, ok := q.From.(*ast.AliasedSource); !ok {
		return nil, pullRefused("Pull queries don't support JOIN clauses.")
	}
	p := &planner{a: a, ctx: ctx, q: q}
	if err := p.resolve(); err != nil {
		return nil, err
	}
	if err := p.checkPullClauses(); err != nil {
		return nil, err
	}
	source := p.sources[0].source
	if !source.IsTable() {
		if !a.Config.StreamPullEnabled {
			return nil, badStatement("Pull queries on streams are disabled. To create a push query on the stream, add EMIT CHANGES to the end. To enable pull queries on streams, set the ksql.query.pull.stream.enabled config to 'true'.")
		}
		t, err := a.Push(ctx, q)
		if err != nil {
			return nil, err
		}
		t.Bounded = true
		return &PullQuery{Stream: t, Source: source}, nil
	}
	table, err := p.pullTable()
	if err != nil {
		return nil, err
	}
	return &PullQuery{Table: table, Source: source}, nil
}

// checkPullClauses refuses what pull queries can't have.
func (p *planner) checkPullClauses() error {
	q := p.q
	for _, c := range []struct {
		found bool
		name  string
	}{
		{q.Window != nil, "WINDOW"}, {q.GroupBy != nil, "GROUP BY"}, {q.PartitionBy != nil, "PARTITION BY"},
		{q.Having != nil, "HAVING"}, {p.anyAggregate(), "GROUP BY"},
	} {
		if c.found {
			return pullRefused("Pull queries don't support %s clauses.", c.name)
		}
	}
	if q.Limit != nil && !p.a.Config.LimitEnabled {
		return pullRefused("LIMIT clause in pull queries is currently disabled. You can enable them by setting ksql.query.pull.limit.clause.enabled=true.")
	}
	if q.Limit != nil && *q.Limit < 0 {
		return pullRefused("Pull queries don't support negative integers in the LIMIT clause.")
	}
	var selected []ast.Expr
	for _, it := range p.items {
		if it.expr != nil {
			selected = append(selected, it.expr)
		}
	}
	for _, c := range []struct {
		clause string
		exprs  []ast.Expr
	}{{"SELECT", selected}, {"WHERE", []ast.Expr{p.where}}} {
		var names []string
		for _, e := range c.exprs {
			for _, r := range refsIn(e) {
				if (r.Name.Name == types.RowPartition || r.Name.Name == types.RowOffset) && !slices.Contains(names, types.QuoteName(r.Name.Name)) {
					names = append(names, types.QuoteName(r.Name.Name))
				}
			}
		}
		if len(names) > 0 {
			return pullRefused("Pull queries don't support the following columns in %s clauses: %s\n", c.clause, strings.Join(names, ", "))
		}
	}
	return nil
}

// pullTable plans a pull query on a table.
func (p *planner) pullTable() (*plan.Pull, error) {
	source := p.sources[0].source
	stars := slices.ContainsFunc(p.items, func(it *item) bool { return it.star })
	if stars && len(p.items) > 1 {
		return nil, badStatement("Pull queries only support wildcards in the projects if they are the only expression")
	}
	for _, it := range p.items {
		if it.expr != nil && len(callsIn(it.expr, p.a.Functions.IsTable)) > 0 {
			return nil, badStatement("Table source is not supported with table functions")
		}
	}
	if err := p.checkPullNames(); err != nil {
		return nil, err
	}
	query := p.a.Catalog.Materialized(source.Name)
	if query == nil {
		return nil, badStatement("The %s table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_%s AS SELECT * FROM %s'.%s",
			types.QuoteName(source.Name), source.Name, source.Name, pullHint)
	}
	p.relation = p.single(p.sources[0])
	if err := p.checkColumns(); err != nil {
		return nil, err
	}
	p.expandStars()
	schema := source.Schema
	if query.Kind == catalog.Materialization {
		schema = storedSchema(source)
	}
	s := expr.ScopeOf(schema, source.Topic.Window != types.NoWindow)
	out := &plan.Pull{Table: source.Name, Query: query.ID, Schema: schema, Window: source.Topic.Window}
	if err := p.pullColumns(out, s); err != nil {
		return nil, err
	}
	if p.q.Limit != nil {
		n := int(*p.q.Limit)
		out.Limit = &n
	}
	if p.where == nil {
		return out, p.scan(out, "Missing WHERE clause")
	}
	where, err := magicTimestamps(p.plain(p.where))
	if err != nil {
		return nil, badStatement("%s", err)
	}
	if err := p.checkLikes(where, s); err != nil {
		return nil, err
	}
	if err := p.a.checkPredicate(where, s.In("WHERE"), "WHERE"); err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Statement = "" // the whole query is at fault here
		}
		return nil, err
	}
	out.Predicate = &plan.Expr{AST: where, Type: types.Boolean}
	return out, p.pullLookups(out, where)
}

// checkLikes refuses LIKE on columns that hold no text.
func (p *planner) checkLikes(where ast.Expr, s *expr.Scope) error {
	var failed error
	ast.Walk(where, func(n ast.Node) bool {
		like, ok := n.(*ast.Like)
		if !ok || failed != nil {
			return failed == nil
		}
		if _, column := like.Operand.(*ast.ColumnRef); column {
			if t, err := p.a.typeOf(like.Operand, s); err == nil && t.Kind != types.KindString {
				failed = badStatement("The column type for Like condition must be VARCHAR. The column type is %s", t)
			}
		}
		return true
	})
	return failed
}

// checkPullNames refuses two columns of one name, even where the table can't be
// asked at all.
func (p *planner) checkPullNames() error {
	var items []outItem
	for _, it := range p.items {
		if it.expr == nil {
			continue
		}
		t, err := p.a.typeOf(it.expr, p.sourceScope("SELECT"))
		if err != nil {
			return nil //nolint:nilerr // later checks know better what to say of it
		}
		items = append(items, outItem{name: it.name, key: -1, typ: t})
	}
	return uniqueItems(items)
}

func (p *planner) pullColumns(out *plan.Pull, s *expr.Scope) error {
	var items []outItem
	for _, it := range p.items {
		compiled, err := p.a.compiler().Compile(it.plain, s)
		if err != nil {
			return badStatement("%s", err)
		}
		c := plan.PullColumn{Named: plan.Named{Name: it.name, Expr: plan.Expr{AST: it.plain, Type: compiled.Type}}}
		if ref, ok := it.plain.(*ast.ColumnRef); ok && ref.Name.Name == it.name {
			c.Key = out.Schema.FindKey(it.name) >= 0 || it.name == types.WindowStart || it.name == types.WindowEnd
		}
		out.Columns = append(out.Columns, c)
		items = append(items, outItem{name: it.name, key: -1, typ: compiled.Type})
	}
	return uniqueItems(items)
}

// scan makes the query read the whole table, if that is allowed.
func (p *planner) scan(out *plan.Pull, why string) error {
	if !p.a.Config.TableScanEnabled {
		return p.whereRefused("%s", why)
	}
	out.Scan = true
	out.Nothing = out.Window == types.SessionWindow
	return nil
}

// maxDisjuncts bounds the number of lookups of one query; above it the table is
// scanned.
const maxDisjuncts = 1000

// pullLookups finds the keys that a WHERE clause names.
func (p *planner) pullLookups(out *plan.Pull, where ast.Expr) error {
	disjuncts, err := p.disjunction(where)
	if err != nil {
		return p.scanAfter(out, err)
	}
	ranged := false
	for _, conjuncts := range disjuncts {
		l, err := p.lookup(out, conjuncts)
		if err != nil {
			return p.scanAfter(out, err)
		}
		ranged = ranged || l.Key == nil
		out.Lookups = append(out.Lookups, *l)
	}
	if ranged {
		if len(out.Lookups) > 1 {
			out.Lookups = nil
		}
		out.Scan = true
	}
	return nil
}

// notLookup says why a condition can't be answered by looking up keys.
type notLookup struct{ reason string }

func (e *notLookup) Error() string { return e.reason }

// scanAfter falls back to a scan where the reason allows it.
func (p *planner) scanAfter(out *plan.Pull, err error) error {
	why, ok := err.(*notLookup)
	if !ok {
		return err
	}
	out.Lookups = nil
	return p.scan(out, why.reason)
}

// disjunction normalises a condition to ORs of ANDs. IN and BETWEEN are
// rewritten on the way.
func (p *planner) disjunction(e ast.Expr) ([][]ast.Expr, error) {
	switch e := e.(type) {
	case *ast.Logical:
		left, err := p.disjunction(e.Left)
		if err != nil {
			return nil, err
		}
		right, err := p.disjunction(e.Right)
		if err != nil {
			return nil, err
		}
		if e.Op == ast.Or {
			return append(left, right...), nil
		}
		if len(left)*len(right) > maxDisjuncts {
			return nil, &notLookup{"Too many alternatives in WHERE clause"}
		}
		var out [][]ast.Expr
		for _, l := range left {
			for _, r := range right {
				out = append(out, append(slices.Clone(l), r...))
			}
		}
		return out, nil
	case *ast.In:
		if len(e.Values) > maxDisjuncts {
			return nil, &notLookup{"Too many alternatives in WHERE clause"}
		}
		var out [][]ast.Expr
		for _, v := range e.Values {
			out = append(out, []ast.Expr{&ast.Comparison{Span: e.Span, Op: ast.Equal, Left: e.Operand, Right: v}})
		}
		return out, nil
	case *ast.Between:
		bounds := []ast.Expr{
			&ast.Comparison{Span: e.Span, Op: ast.GreaterOrEqual, Left: e.Operand, Right: e.Lower},
			&ast.Comparison{Span: e.Span, Op: ast.LessOrEqual, Left: e.Operand, Right: e.Upper},
		}
		source := p.sources[0].source
		for _, b := range bounds {
			if _, err := p.a.typeOf(b, expr.ScopeOf(source.Schema, source.Topic.Window != types.NoWindow)); err != nil {
				return nil, badStatement("Invalid expression: %s", err)
			}
		}
		return [][]ast.Expr{bounds}, nil
	case *ast.Comparison, *ast.Like:
		return [][]ast.Expr{{e}}, nil
	default:
		return nil, p.whereRefused("Unsupported expression in WHERE clause: %s", expr.Format(e))
	}
}

// found is what a conjunction says of the key.
type found struct {
	values []types.Value
	// equal and compared tell which key columns are compared with =, and which in
	// any way, with a constant.
	equal, compared []bool
	ranged          bool
	bounds          map[string][]*ast.Comparison
}

// lookup finds the key, or the range of keys, that a conjunction asks for.
func (p *planner) lookup(out *plan.Pull, conjuncts []ast.Expr) (*plan.Lookup, error) {
	l := &plan.Lookup{}
	n := len(out.Schema.Key)
	f := &found{
		values: make([]types.Value, n), equal: make([]bool, n), compared: make([]bool, n), bounds: map[string][]*ast.Comparison{},
	}
	for _, e := range conjuncts {
		if err := p.constrain(out, l, f, e); err != nil {
			return nil, err
		}
	}
	var err error
	if l.Start, err = windowInterval(types.WindowStart, f.bounds[types.WindowStart], p); err != nil {
		return nil, err
	}
	if l.End, err = windowInterval(types.WindowEnd, f.bounds[types.WindowEnd], p); err != nil {
		return nil, err
	}
	return p.finishLookup(out, l, conjuncts, f)
}

// constrain takes one condition of a conjunction into account.
func (p *planner) constrain(out *plan.Pull, l *plan.Lookup, f *found, e ast.Expr) error {
	if like, ok := e.(*ast.Like); ok {
		if _, column := like.Operand.(*ast.ColumnRef); !column {
			return &notLookup{"Like condition must be between strings"}
		}
		return nil
	}
	name, cmp := comparedColumn(e)
	if out.Window != types.NoWindow && (name == types.WindowStart || name == types.WindowEnd) {
		f.bounds[name] = append(f.bounds[name], cmp)
		return nil
	}
	at := out.Schema.FindKey(name)
	isKey := func(c *ast.ColumnRef) bool { return out.Schema.FindKey(c.Name.Name) >= 0 }
	switch {
	case at < 0 && slices.ContainsFunc(refsIn(e), isKey):
		return &notLookup{"A comparison must directly reference a key column"}
	case at < 0:
		return nil
	case len(refsIn(cmp.Right)) > 0:
		return &notLookup{"A comparison must be between a key column and a resolvable expression"}
	case f.equal[at] || f.compared[at] && cmp.Op == ast.Equal:
		return &notLookup{"A comparison condition on the key column cannot be combined with other comparisons such as an IN predicate"}
	}
	f.compared[at] = true
	v, err := p.keyValue(out.Schema.Key[at], cmp.Right)
	if err != nil {
		return err
	}
	if cmp.Op == ast.Equal {
		f.values[at], f.equal[at] = v, true
		return nil
	}
	if _, ordered := flipped[cmp.Op]; !ordered {
		return &notLookup{fmt.Sprintf("Bound on key columns '%s' must currently be '='", keyList(out.Schema.Key))}
	}
	if p.canRange(out.Schema.Key, at, cmp.Op) {
		f.ranged = true
		p.keyRange(l, cmp.Op, v)
	}
	return nil
}

func (p *planner) finishLookup(out *plan.Pull, l *plan.Lookup, conjuncts []ast.Expr, f *found) (*plan.Lookup, error) {
	switch {
	case !slices.Contains(f.equal, false):
		l.Key, l.From, l.To = f.values, nil, nil
		return l, nil
	case !slices.Contains(f.compared, true):
		texts := make([]string, len(conjuncts))
		for i, e := range conjuncts {
			texts[i] = expr.Format(e)
		}
		text := strings.Join(texts, " AND ")
		if len(texts) > 1 {
			text = "(" + text + ")"
		}
		return nil, &notLookup{"WHERE clause missing key column for disjunct: " + text}
	case slices.Contains(f.compared, false):
		var names []string
		for i, ok := range f.compared {
			if ok {
				names = append(names, types.QuoteName(out.Schema.Key[i].Name))
			}
		}
		return nil, &notLookup{fmt.Sprintf("Multi-column sources must specify every key in the WHERE clause. Specified: [%s] Expected: %s",
			strings.Join(names, ", "), keyList(out.Schema.Key))}
	case f.ranged:
		return l, nil
	default:
		return nil, &notLookup{"Query requires table scan to be enabled. Table scans can be enabled by setting ksql.query.pull.table.scan.enabled=true"}
	}
}

func keyList(key []types.Column) string {
	parts := make([]string, len(key))
	for i, c := range key {
		parts[i] = columnText(c) + " KEY"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

var flipped = map[ast.ComparisonOp]ast.ComparisonOp{
	ast.LessThan: ast.GreaterThan, ast.LessOrEqual: ast.GreaterOrEqual,
	ast.GreaterThan: ast.LessThan, ast.GreaterOrEqual: ast.LessOrEqual,
}

// comparedColumn is the column of a comparison with it on the left side; "" when
// neither side is a column.
func comparedColumn(e ast.Expr) (string, *ast.Comparison) {
	cmp, ok := e.(*ast.Comparison)
	if !ok {
		return "", &ast.Comparison{Right: e}
	}
	if c, ok := cmp.Left.(*ast.ColumnRef); ok {
		return c.Name.Name, cmp
	}
	if c, ok := cmp.Right.(*ast.ColumnRef); ok {
		turned := *cmp
		turned.Left, turned.Right = cmp.Right, cmp.Left
		if op, ok := flipped[cmp.Op]; ok {
			turned.Op = op
		}
		return c.Name.Name, &turned
	}
	return "", cmp
}

// keyValue computes the constant that a key column is compared with.
func (p *planner) keyValue(c types.Column, e ast.Expr) (types.Value, error) {
	t, v, err := p.a.constant(e)
	if err != nil {
		return types.Null, badStatement("%s", err)
	}
	if v.IsNull() {
		return types.Null, badStatement("Primary key columns can not be NULL: (%s = null)", c.Name)
	}
	out, ok := coerce(t, c.Type, v)
	if !ok {
		return types.Null, badStatement("'%s' can not be converted to the type of the key column: %s %s KEY", types.Text(t, v), c.Name, c.Type)
	}
	return out, nil
}

// canRange reports whether a comparison of a key column makes a range scan.
func (p *planner) canRange(key []types.Column, at int, op ast.ComparisonOp) bool {
	kind := key[at].Type.Kind
	_, ordered := flipped[op]
	return len(key) == 1 && (kind == types.KindString || kind == types.KindBytes) && ordered &&
		p.a.Config.RangeScanEnabled && p.sources[0].source.Topic.Window == types.NoWindow
}

// keyRange narrows the keys of a scan. Only in the KAFKA format the order of
// text and bytes is that of the store.
func (p *planner) keyRange(l *plan.Lookup, op ast.ComparisonOp, v types.Value) {
	if p.sources[0].source.Topic.Key.Name != format.Kafka {
		return
	}
	switch op {
	case ast.GreaterThan, ast.GreaterOrEqual:
		l.From = []types.Value{v}
	case ast.LessThan:
		l.To = []types.Value{v}
	}
}

var comparisonNames = map[ast.ComparisonOp]string{
	ast.Equal: "EQUAL", ast.NotEqual: "NOT_EQUAL", ast.LessThan: "LESS_THAN", ast.LessOrEqual: "LESS_THAN_OR_EQUAL",
	ast.GreaterThan: "GREATER_THAN", ast.GreaterOrEqual: "GREATER_THAN_OR_EQUAL", ast.IsDistinctFrom: "IS_DISTINCT_FROM",
}

// windowInterval makes an interval of the comparisons of a window bound.
func windowInterval(column string, list []*ast.Comparison, p *planner) (plan.Interval, error) {
	var out plan.Interval
	fail := func(text string, args ...any) (plan.Interval, error) {
		return out, p.whereRefused(text, args...)
	}
	seen := map[ast.ComparisonOp]bool{}
	for i, cmp := range list {
		v, ok := p.windowBound(cmp.Right)
		if !ok {
			return fail("Window bounds must resolve to an INT, BIGINT, or STRING containing a datetime.")
		}
		side := cmp.Op
		switch cmp.Op {
		case ast.Equal:
			if i > 0 {
				return fail("`%s` cannot be combined with other %s bounds", expr.Format(cmp), types.QuoteName(column))
			}
			out.Min, out.Max = &v, &v
		case ast.GreaterThan, ast.GreaterOrEqual:
			side = ast.GreaterThan
			if cmp.Op == ast.GreaterThan && v < math.MaxInt64 {
				v++
			}
			out.Min = &v
		case ast.LessThan, ast.LessOrEqual:
			side = ast.LessThan
			if cmp.Op == ast.LessThan && v > math.MinInt64 {
				v--
			}
			out.Max = &v
		default:
			return fail("Unsupported %s bounds: %s", types.QuoteName(column), comparisonNames[cmp.Op])
		}
		if side != ast.Equal && seen[ast.Equal] {
			return fail("`%s` cannot be combined with other %s bounds", expr.Format(cmp), types.QuoteName(column))
		}
		if seen[side] {
			return fail("Duplicate %s bounds on: %s", types.QuoteName(column), comparisonNames[side])
		}
		seen[side] = true
	}
	return out, nil
}

func (p *planner) windowBound(e ast.Expr) (int64, bool) {
	if len(refsIn(e)) > 0 {
		return 0, false
	}
	t, v, err := p.a.constant(e)
	if err != nil || v.IsNull() || t.Kind != types.KindInteger && t.Kind != types.KindBigint {
		return 0, false
	}
	return v.Int(), true
}

// constant computes an expression without columns.
func (a *Analyzer) constant(e ast.Expr) (*types.Type, types.Value, error) {
	if lit, ok := e.(ast.Literal); ok {
		return expr.LiteralValue(lit)
	}
	compiled, err := a.compiler().Compile(e, &expr.Scope{})
	if err != nil {
		return nil, types.Null, err
	}
	v, err := compiled.Eval(&types.Row{})
	return compiled.Type, v, err
}
