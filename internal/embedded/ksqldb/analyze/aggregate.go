package analyze

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// grouping plans GROUP BY, HAVING, the WINDOW clause and the aggregate functions
// of a query.
type grouping struct {
	*planner
	keyFormat *plan.Format
	window    *plan.Window
	agg       *plan.Aggregate
	scope     *expr.Scope
	// calls are the aggregate calls as written, in the order of agg.Calls.
	calls []ast.Expr
	// noUndo are the functions that can't be applied to a table.
	noUndo []string
	// states are the states of the functions.
	states []types.Column
}

func (g *grouping) plan(node plan.Node) (plan.Node, *keySet, error) {
	g.scope = scope(node, "SELECT")
	if err := g.check(node); err != nil {
		return nil, nil, err
	}
	if err := g.planWindow(); err != nil {
		return nil, nil, err
	}
	g.agg = &plan.Aggregate{Input: node, Window: g.window, Step: "Aggregate-Aggregate-Materialize"}
	keys, err := g.planGroups(node)
	if err != nil {
		return nil, nil, err
	}
	for _, it := range g.items {
		if it.plain, err = g.extract(it.plain); err != nil {
			return nil, nil, err
		}
	}
	if err := g.checkHaving(node); err != nil {
		return nil, nil, err
	}
	having, err := g.extract(g.plain(g.having))
	if err != nil {
		return nil, nil, err
	}
	if err := g.checkTable(node); err != nil {
		return nil, nil, err
	}
	if err := g.checkStates(); err != nil {
		return nil, nil, err
	}
	for _, it := range g.items {
		it.plain = keys.replace(it.plain)
	}
	keys.computed()
	var out plan.Node = g.agg
	if g.q.Emit == ast.EmitFinal && g.window != nil {
		if !g.a.Config.SuppressEnabled {
			return nil, nil, badStatement("Suppression is currently disabled. You can enable it by setting ksql.suppress.enabled to true (%s)", at(g.q))
		}
		out = &plan.Suppress{Input: out, Window: g.window}
	}
	if having != nil {
		if out, err = g.filter(out, keys.replace(having), "HAVING"); err != nil {
			return nil, nil, err
		}
	}
	return out, keys, nil
}

// checkHaving checks the HAVING clause as it is written, for the error texts.
func (g *grouping) checkHaving(node plan.Node) error {
	if g.having == nil {
		return nil
	}
	s := expr.ScopeOf(node.Schema(), node.Windowed() != types.NoWindow || g.window != nil).In("HAVING")
	if _, err := g.a.typeOf(g.plain(g.having), s); err != nil {
		return badStatement("Error in HAVING expression: %s", err)
	}
	return nil
}

// checkStates refuses functions whose state the format of ksqlDB's own stores
// can't hold.
func (g *grouping) checkStates() error {
	err := format.Validate(format.Spec{Format: g.agg.ValueFormat.Name, Columns: g.states})
	if g.agg.ValueFormat.Name != format.Delimited || err == nil {
		return nil
	}
	return badStatement("One of the functions used in the statement has an intermediate type that the value format can not handle. Please remove the function or change the format.\nConsider up-voting https://github.com/confluentinc/ksql/issues/3950, which will resolve this limitation")
}

// check applies the rules on what may stand beside aggregates.
func (g *grouping) check(node plan.Node) error {
	for _, f := range g.sources {
		if f.source.Topic.Value.Name == format.Kafka && g.q.GroupBy != nil {
			return badStatement("Source(s) %s are using the 'KAFKA' value format. This format does not yet support GROUP BY.", f.source.Name)
		}
	}
	for _, e := range g.groups {
		for _, c := range g.aggregatesIn(e) {
			return badStatement("GROUP BY does not support aggregate functions: %s is an aggregate function.", strings.ToUpper(c.Name.Name))
		}
	}
	var all []*ast.FunctionCall
	for _, it := range g.items {
		all = append(all, g.aggregatesIn(it.plain)...)
	}
	all = append(all, g.aggregatesIn(g.plain(g.having))...)
	for _, c := range all {
		for _, arg := range c.Args {
			if inner := g.aggregatesIn(arg); len(inner) > 0 {
				return badStatement("Aggregate functions can not be nested: %s(%s())", strings.ToUpper(c.Name.Name), strings.ToUpper(inner[0].Name.Name))
			}
			for _, r := range refsIn(arg) {
				if g.q.Window != nil && (r.Name.Name == types.WindowStart || r.Name.Name == types.WindowEnd) && g.scopeLacks(r.Name.Name) {
					return badStatement("Window bounds column %s can only be used in the SELECT clause of windowed aggregations and can not be passed to aggregate functions.\nSee https://github.com/confluentinc/ksql/issues/4397", r.Name.Name)
				}
			}
		}
	}
	if err := g.checkFunctions(); err != nil {
		return err
	}
	if len(all) == 0 {
		return badStatement("GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")
	}
	if node.Changelog() && g.q.Window != nil {
		return badStatement("Windowing not supported for table aggregations.")
	}
	if err := g.checkUngrouped(); err != nil {
		return err
	}
	if g.q.GroupBy == nil && !g.persistent {
		// All rows of a query for a client are one group.
		g.groups = []ast.Expr{&ast.IntegerLiteral{}}
	} else if g.q.GroupBy == nil {
		c := all[0]
		args := c.Args
		if len(args) == 0 {
			args = []ast.Expr{columnRef(types.RowTime)}
		}
		texts := make([]string, len(args))
		for i, arg := range args {
			texts[i] = expr.Format(arg)
		}
		kind := "TABLE"
		return badStatement("CREATE %s AS SELECT statement does not support aggregate function [%s(%s)] without a GROUP BY clause.",
			kind, strings.ToUpper(c.Name.Name), strings.Join(texts, ", "))
	}
	return nil
}

// checkFunctions refuses functions that don't exist.
func (g *grouping) checkFunctions() error {
	exprs := slices.Clone(g.groups)
	for _, it := range g.items {
		exprs = append(exprs, it.plain)
	}
	for _, e := range exprs {
		for _, c := range callsIn(e, func(name string) bool { return !g.a.Functions.IsKnown(name) }) {
			return badStatement("Can't find any functions with the name '%s'", c.Name.Name)
		}
	}
	return nil
}

func (g *grouping) scopeLacks(name string) bool {
	return !slices.ContainsFunc(g.scope.Columns, func(c expr.ScopeColumn) bool { return c.Name == name })
}

// checkUngrouped refuses what is neither grouped nor aggregated.
func (g *grouping) checkUngrouped() error {
	groups := make([]ast.Expr, len(g.groups))
	for i, e := range g.groups {
		groups[i] = g.plain(e)
	}
	var bad []string
	for _, it := range g.items {
		if g.dependsOnUngrouped(it.plain, groups) {
			bad = append(bad, expr.Format(it.plain))
		}
	}
	if len(bad) > 0 {
		return badStatement("Non-aggregate SELECT expression(s) not part of GROUP BY: %s\nEither add the column(s) to the GROUP BY or remove them from the SELECT.", strings.Join(bad, ", "))
	}
	if g.having == nil {
		return nil
	}
	var columns []string
	g.ungrouped(g.plain(g.having), groups, func(e ast.Expr) { columns = append(columns, expr.Format(e)) })
	if len(columns) > 0 {
		return badStatement("Non-aggregate HAVING expression not part of GROUP BY: %s\nConsider switching the HAVING clause to a WHERE clause before the GROUP BY for non-aggregate functions.", strings.Join(columns, ", "))
	}
	return nil
}

func (g *grouping) dependsOnUngrouped(e ast.Expr, groups []ast.Expr) bool {
	found := false
	g.ungrouped(e, groups, func(ast.Expr) { found = true })
	return found
}

// ungrouped reports the columns outside of aggregate calls that belong to no
// grouping expression.
func (g *grouping) ungrouped(e ast.Expr, groups []ast.Expr, report func(ast.Expr)) {
	if e == nil {
		return
	}
	ast.Walk(e, func(n ast.Node) bool {
		x, ok := n.(ast.Expr)
		if !ok {
			return false || notIdent(n)
		}
		if slices.ContainsFunc(groups, func(group ast.Expr) bool { return ast.Same(group, x) }) {
			return false
		}
		switch x := x.(type) {
		case *ast.FunctionCall:
			return !g.a.Functions.IsAggregate(x.Name.Name)
		case *ast.ColumnRef:
			if g.isWindowBound(x) {
				return false
			}
			report(x)
			return false
		}
		return true
	})
}

// notIdent lets a walk go on through nodes that hold expressions.
func notIdent(n ast.Node) bool {
	_, ok := n.(*ast.Ident)
	return !ok
}

func (g *grouping) isWindowBound(c *ast.ColumnRef) bool {
	return g.q.Window != nil && (c.Name.Name == types.WindowStart || c.Name.Name == types.WindowEnd)
}

// planGroups makes the key columns of the groups.
func (g *grouping) planGroups(node plan.Node) (*keySet, error) {
	keys := &keySet{clause: "grouping expression", grouped: true}
	if len(g.groups) == 0 {
		return nil, badStatement("GROUP BY needs at least one expression (%s)", at(g.q.GroupBy))
	}
	seen := make([]ast.Expr, 0, len(g.groups))
	for _, e := range g.groups {
		plainExpr := g.plain(e)
		if slices.ContainsFunc(seen, func(o ast.Expr) bool { return ast.Same(o, plainExpr) }) {
			return nil, badStatement("Duplicate GROUP BY expression: %s", expr.Format(e))
		}
		seen = append(seen, plainExpr)
		t, err := g.a.typeOf(plainExpr, scope(node, "GROUP BY"))
		if err != nil {
			return nil, badStatement("%s", err)
		}
		name := g.keyName(plainExpr, node.Schema())
		for keys.hasName(name) {
			name = g.names.next()
		}
		g.agg.Groups = append(g.agg.Groups, plan.Named{Name: name, Expr: plan.Expr{AST: plainExpr, Type: t}})
		keys.add(e, plainExpr, name)
	}
	if err := checkKeyTypes(g.keyColumns(g.agg.Groups)); err != nil {
		return nil, err
	}
	*g.keyFormat = g.rekeyedFormat(*g.keyFormat, g.agg.Groups)
	g.agg.KeyFormat = internalKeyFormat(*g.keyFormat, g.agg.Groups)
	g.agg.ValueFormat = inherited(g.relation.valueFormat)
	if node.Windowed() != types.NoWindow {
		if groupsAreKey(g.agg.Groups, node.Schema().Key) {
			return nil, badStatement("GROUP BY is not supported on a source with windowed keys (%s): declare a stream over its topic without WINDOW_TYPE and group that.", at(g.groups[0]))
		}
		return nil, errWindowedRepartition()
	}
	g.agg.Repartition = !groupsAreKey(g.agg.Groups, node.Schema().Key)
	if g.agg.Repartition {
		g.agg.Internal = &plan.InternalTopic{Step: "Aggregate-GroupBy", Key: g.agg.KeyFormat, Value: g.agg.ValueFormat}
	}
	return keys, nil
}

// groupsAreKey reports whether rows with that key need not travel to be grouped.
func groupsAreKey(groups []plan.Named, key []types.Column) bool {
	if len(groups) != len(key) {
		return false
	}
	for i, g := range groups {
		c, ok := g.Expr.AST.(*ast.ColumnRef)
		if !ok || c.Name.Name != key[i].Name {
			return false
		}
	}
	return true
}

// extract replaces the aggregate calls of an expression by columns and adds them
// to the aggregate. Equal calls share a column.
func (g *grouping) extract(e ast.Expr) (ast.Expr, error) {
	for _, c := range g.aggregatesIn(e) {
		at := slices.IndexFunc(g.calls, func(o ast.Expr) bool { return ast.Same(o, c) })
		if at < 0 {
			at = len(g.calls)
			call, bound, err := g.a.aggregateCall(c, g.scope, aggregateName(at))
			if err != nil {
				return nil, wrapError("", err)
			}
			g.states = append(g.states, types.Column{Name: call.Name, Type: bound.StateType()})
			if !bound.CanUndo() && !slices.Contains(g.noUndo, call.Function) {
				g.noUndo = append(g.noUndo, call.Function)
			}
			g.calls = append(g.calls, c)
			g.agg.Calls = append(g.agg.Calls, call)
		}
		e = replaceCall(e, c, aggregateName(at))
	}
	return e, nil
}

// checkTable refuses functions that can't take a row back when the input is a
// table.
func (g *grouping) checkTable(node plan.Node) error {
	names := g.noUndo
	if !node.Changelog() || len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	noun := "function"
	if len(names) > 1 {
		noun = "functions"
	}
	return badStatement("The aggregation %s %s cannot be applied to a table source, only to a stream source.", noun, englishList(names, "and"))
}

const dayMillis = 24 * 60 * 60 * 1000

// planWindow checks the WINDOW clause and fills in its defaults: without a grace
// period rows may be 24 hours late, less the size of the window, or not at all
// for EMIT FINAL.
func (g *grouping) planWindow() error {
	w := g.q.Window
	if w == nil {
		return nil
	}
	size := w.Size.Millis()
	if size <= 0 {
		if w.Type == ast.SessionWindow {
			return badStatement("Gap must be positive")
		}
		return badStatement("Size must be positive")
	}
	out := &plan.Window{Size: w.Size.Duration(), Advance: w.Size.Duration()}
	switch w.Type {
	case ast.TumblingWindow:
		out.Type = plan.Tumbling
	case ast.HoppingWindow:
		out.Type = plan.Hopping
		advance := w.Advance.Millis()
		if advance <= 0 || advance > size {
			return &prepareError{serverError("Window advancement interval should be more than zero and less than window duration which is %d ms, but given advancement interval is: %d ms", size, advance)}
		}
		out.Advance = w.Advance.Duration()
	case ast.SessionWindow:
		out.Type = plan.Session
	}
	switch {
	case w.Grace != nil:
		if w.Grace.Millis() < 0 {
			return badStatement("Grace period must not be negative (%s)", at(w.Grace))
		}
		out.Grace = w.Grace.Duration()
	case g.q.Emit == ast.EmitFinal:
	default:
		out.Grace = time.Duration(max(dayMillis-size, 0)) * time.Millisecond
	}
	out.Retention = out.Size + out.Grace
	if w.Retention != nil {
		out.Retention = w.Retention.Duration()
		if out.Retention < out.Size+out.Grace {
			return &prepareError{serverError("The retention period of the window store Aggregate-Aggregate-Materialize must be no smaller than its window size plus the grace period. Got size=[%d], grace=[%d], retention=[%d]",
				size, out.Grace.Milliseconds(), out.Retention.Milliseconds())}
		}
	}
	g.window = out
	return nil
}

// keySet are the expressions that make the key of rows, and the key columns that
// hold them.
type keySet struct {
	// clause is how error texts call the expressions.
	clause string
	// qualified tells that error texts show the expressions with their sources.
	qualified bool
	// anyOf tells that one of the expressions in the projection is enough: they
	// are equal, as the two sides of a join are.
	anyOf     bool
	synthetic bool
	// grouped tells that the expressions are those of a GROUP BY.
	grouped bool
	// foreign is the left table of a foreign-key join whose key this is.
	foreign *from
	// exprs are the expressions with their sources, plain those over the columns
	// of the input, as error texts show them; made are what items of the
	// projection are compared with, names the key columns.
	exprs []ast.Expr
	plain []ast.Expr
	made  []ast.Expr
	names []string
}

func (k *keySet) add(e, plainExpr ast.Expr, name string) {
	k.exprs = append(k.exprs, e)
	k.plain = append(k.plain, plainExpr)
	k.made = append(k.made, plainExpr)
	k.names = append(k.names, name)
}

func (k *keySet) hasName(name string) bool { return slices.Contains(k.names, name) }

// find is the position of the key expression that e is, or -1.
func (k *keySet) find(e ast.Expr) int {
	return slices.IndexFunc(k.made, func(o ast.Expr) bool { return ast.Same(o, e) })
}

// computed says that from here on the expressions are columns of these names.
func (k *keySet) computed() {
	for i, name := range k.names {
		k.made[i] = columnRef(name)
	}
}

// replace puts key columns in the place of key expressions.
func (k *keySet) replace(e ast.Expr) ast.Expr {
	for i, x := range k.plain {
		if _, ok := x.(*ast.ColumnRef); !ok {
			e = replaceCall(e, x, k.names[i])
		}
	}
	return e
}

// missing is the error of a projection without the key.
func (k *keySet) missing(sink string, items []*item) error {
	if k.foreign != nil {
		return k.missingForeign(items)
	}
	var texts []string
	for i, e := range k.exprs {
		// A GROUP BY names only what is missing, the others the whole key.
		if k.grouped && slices.ContainsFunc(items, func(it *item) bool { return k.find(it.plain) == i }) {
			continue
		}
		if !k.qualified {
			e = k.plain[i]
		}
		texts = append(texts, expr.Format(e))
	}
	keys, plural := "Key", ""
	if len(texts) > 1 {
		plural = "s"
		if !k.anyOf {
			keys = "Keys"
		}
	}
	last, example := "and", strings.Join(texts, ", ")
	if k.anyOf {
		last, example = "or", texts[0]
	}
	link := ""
	if k.synthetic {
		link = "See https://cnfl.io/2LV7ouS."
	}
	text := fmt.Sprintf("%s missing from projection (ie, SELECT). %s\nThe query used to build %s must include the %s%s %s in its projection (eg, SELECT %s...).",
		keys, link, types.QuoteName(sink), k.clause, plural, englishList(texts, last), example)
	if k.synthetic {
		text += "\n" + texts[0] + " was added as a synthetic key column because the join criteria did not match any source column. This expression must be included in the projection and may be aliased."
	}
	return badStatement("%s", text)
}

// missingForeign is the error of a foreign-key join's projection without the
// left table's whole key.
func (k *keySet) missingForeign(items []*item) error {
	var names []string
	for i, c := range k.foreign.source.Schema.Key {
		if !slices.ContainsFunc(items, func(it *item) bool { return k.find(it.plain) == i }) {
			names = append(names, types.QuoteName(c.Name))
		}
	}
	plural := ""
	if len(names) > 1 {
		plural = "s"
	}
	return badStatement("Primary key column%s missing in projection. For foreign-key table-table joins, the projection must include all primary key columns from the left input table (%s). Missing column%s: %s.",
		plural, types.QuoteName(k.foreign.alias), plural, strings.Join(names, ", "))
}
