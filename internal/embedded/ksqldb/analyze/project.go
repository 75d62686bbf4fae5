package analyze

import (
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// project makes the last step of a query: the columns of the SELECT, sorted into
// key and values.
func (p *planner) project(out *planned, node plan.Node, keys *keySet) error {
	chosen := keys.choose(p.items)
	proj := &plan.Project{Input: node}
	for _, c := range node.Schema().Key {
		proj.KeyNames = append(proj.KeyNames, c.Name)
	}
	named := make([][]string, len(proj.KeyNames))
	s := scope(node, "SELECT")
	for _, it := range p.items {
		key := slices.Index(chosen, keys.find(it.plain))
		if keys.find(it.plain) < 0 {
			key = -1
		}
		o := outItem{name: it.name, key: key, expr: it.plain}
		if key >= 0 {
			named[key] = append(named[key], it.name)
			o.typ = node.Schema().Key[key].Type
			out.items = append(out.items, o)
			continue
		}
		t, err := p.a.typeOf(it.plain, s)
		if err != nil {
			return selectError(err, it.plain, s)
		}
		o.typ = t
		out.items = append(out.items, o)
		if !p.persistent && isBoundOf(it.plain, node) {
			continue
		}
		proj.Values = append(proj.Values, plan.Named{Name: it.name, Expr: plan.Expr{AST: it.plain, Type: t}})
	}
	if p.persistent {
		if err := p.checkTimestampColumn(out.items); err != nil {
			return err
		}
		if err := p.checkKeys(keys, named); err != nil {
			return err
		}
		if len(proj.Values) == 0 {
			return badStatement("The projection contains no value columns.")
		}
	}
	for i, names := range named {
		if len(names) > 0 {
			proj.KeyNames[i] = names[0]
		}
	}
	if err := uniqueItems(out.items); err != nil {
		return err
	}
	out.node = proj
	return nil
}

// selectError is the error of an expression of the projection.
func selectError(err error, e ast.Expr, s *expr.Scope) error {
	if strings.HasPrefix(err.Error(), "Invalid Select: ") {
		return badStatement("%s\nStatement: %s", withSchemaText(err, s), expr.Format(e))
	}
	return wrapError("", err)
}

// withSchemaText completes the text of an error that ksqlDB finds when it
// generates code: it shows the row as its code sees it, the key again among the
// values.
func withSchemaText(err error, s *expr.Scope) string {
	text, _, found := strings.Cut(err.Error(), ", schema:")
	if !found {
		return text
	}
	return text + ", schema:" + schemaText(s)
}

func schemaText(s *expr.Scope) string {
	var parts, keys []string
	for _, c := range s.Columns {
		text := types.QuoteName(c.Name) + " " + c.Type.String()
		if c.Slot.Kind == expr.SlotKey {
			keys = append(keys, text)
			text += " KEY"
		}
		parts = append(parts, text)
	}
	return strings.Join(append(parts, keys...), ", ")
}

// isBoundOf reports whether an expression is a bound of the window of a step's
// keys.
func isBoundOf(e ast.Expr, node plan.Node) bool {
	c, ok := e.(*ast.ColumnRef)
	return ok && node.Windowed() != types.NoWindow && (c.Name.Name == types.WindowStart || c.Name.Name == types.WindowEnd)
}

// choose lists which key expression fills each key column: each its own, or for
// equal ones the first that is in the projection.
func (k *keySet) choose(items []*item) []int {
	if !k.anyOf {
		all := make([]int, len(k.plain))
		for i := range all {
			all[i] = i
		}
		return all
	}
	for i := range k.plain {
		for _, it := range items {
			if k.find(it.plain) == i {
				return []int{i}
			}
		}
	}
	return nil
}

func (p *planner) checkReserved() error {
	if !p.persistent {
		return nil
	}
	for _, it := range p.items {
		if !it.star && isSystemColumn(it.name) {
			return badStatement("Reserved column name in select: %s. Please remove or alias the column.", types.QuoteName(it.name))
		}
	}
	return nil
}

// checkKeys applies ksqlDB's rule that each key column is in the projection
// exactly once.
func (p *planner) checkKeys(keys *keySet, named [][]string) error {
	missing := false
	for _, names := range named {
		missing = missing || len(names) == 0
	}
	if missing && len(keys.exprs) > 0 {
		return keys.missing(p.sink, p.items)
	}
	for i, names := range named {
		if len(names) < 2 {
			continue
		}
		const hint = "\nEach key column must only be in the projection once. If you intended to copy the key into the value, then consider using the `AS_VALUE` function to indicate which key reference should be copied."
		if keys.grouped {
			return badStatement("The projection contains a key column more than once: %s and %s.%s", types.QuoteName(names[0]), types.QuoteName(names[1]), hint)
		}
		slices.Sort(names)
		name := keys.names[i]
		if keys.anyOf {
			name = p.relation.keyName
		}
		return badStatement("The projection contains a key column (%s) more than once, aliased as: %s.%s", types.QuoteName(name), englishList(names, "and"), hint)
	}
	return nil
}

// checkTimestampColumn refuses a TIMESTAMP column that the projection has not.
func (p *planner) checkTimestampColumn(items []outItem) error {
	if p.timestamp == "" || slices.ContainsFunc(items, func(it outItem) bool { return it.name == p.timestamp }) {
		return nil
	}
	return badStatement("The TIMESTAMP column set in the WITH clause does not exist in the schema: '%s'", p.timestamp)
}

// uniqueItems refuses two columns of one name.
func uniqueItems(items []outItem) error {
	seen := map[string]bool{}
	for _, it := range items {
		if seen[it.name] {
			return badStatement("Duplicate value columns found in schema: %s %s", types.QuoteName(it.name), it.typ)
		}
		seen[it.name] = true
	}
	return nil
}
