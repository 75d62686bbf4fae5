package analyze

import (
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// InsertValues is an INSERT … VALUES: one record to be written.
type InsertValues struct {
	Target *catalog.Source
	// Key are the values of the key columns; nil when none was given, so that
	// the record has no key.
	Key []types.Value
	// Value are the values of the value columns.
	Value []types.Value
	// Time is the record's timestamp in epoch milliseconds if ROWTIME was given;
	// nil leaves it to the clock.
	Time *int64
}

// InsertValues resolves an INSERT … VALUES.
func (a *Analyzer) InsertValues(s *ast.InsertValues) (*InsertValues, error) {
	target, err := a.insertTarget(s)
	if err != nil {
		return nil, err
	}
	r, err := a.insertRow(s, target)
	if err != nil {
		return nil, wrapError("Failed to insert values into '"+target.Name+"'. ", err)
	}
	return r, nil
}

func (a *Analyzer) insertTarget(s *ast.InsertValues) (*catalog.Source, error) {
	if !a.Config.InsertValuesEnabled {
		return nil, badRequest("The server has disabled INSERT INTO ... VALUES functionality. To enable it, restart your ksqlDB server with 'ksql.insert.into.values.enabled'=true")
	}
	if len(s.Columns) > 0 && len(s.Columns) != len(s.Values) {
		return nil, prepareFailure("Expected number columns and values to match: %d, %d", len(s.Columns), len(s.Values))
	}
	name := s.Target.Name
	target, ok := a.Catalog.Source(name)
	if !ok {
		text := "Cannot insert values into an unknown stream/table: " + types.QuoteName(name)
		if upper := strings.ToUpper(name); upper != name {
			if _, ok := a.Catalog.Source(upper); ok {
				text += "\nDid you mean " + upper + "? Hint: try removing double quotes from the source name."
			}
		}
		return nil, badRequest("%s", text)
	}
	switch {
	case target.Topic.Window != types.NoWindow:
		return nil, badRequest("Cannot insert values into windowed stream/table!")
	case target.ReadOnly:
		return nil, badRequest("Cannot insert values into read-only %s: %s", strings.ToLower(target.Kind.String()), target.Name)
	}
	var headers []string
	for _, c := range target.Schema.Header {
		if len(s.Columns) == 0 || slices.ContainsFunc(s.Columns, func(i *ast.Ident) bool { return i.Name == c.Name }) {
			headers = append(headers, c.Name)
		}
	}
	if len(headers) > 0 {
		return nil, badRequest("Cannot insert into HEADER columns: %s", strings.Join(headers, ", "))
	}
	return target, nil
}

func (a *Analyzer) insertRow(s *ast.InsertValues, target *catalog.Source) (*InsertValues, error) {
	names, err := insertColumns(s, target)
	if err != nil {
		return nil, err
	}
	schema := target.Schema
	r := &InsertValues{Target: target, Value: make([]types.Value, len(schema.Value))}
	key := make([]types.Value, len(schema.Key))
	given := make([]bool, len(schema.Key))
	for i, name := range names {
		if name == types.RowTime {
			v, err := a.ColumnValue(types.Column{Name: name, Type: types.Bigint}, s.Values[i])
			if err != nil {
				return nil, err
			}
			if !v.IsNull() {
				ms := v.Int()
				r.Time = &ms
			}
			continue
		}
		if at := schema.FindKey(name); at >= 0 {
			if key[at], err = a.ColumnValue(schema.Key[at], s.Values[i]); err != nil {
				return nil, err
			}
			given[at] = true
			continue
		}
		at := schema.FindValue(name)
		if r.Value[at], err = a.ColumnValue(schema.Value[at], s.Values[i]); err != nil {
			return nil, err
		}
	}
	if target.IsTable() {
		if err := wholeKey(schema.Key, given); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(key, func(v types.Value) bool { return !v.IsNull() }) {
		r.Key = key
	}
	return r, nil
}

// insertColumns are the columns of the values, in order.
func insertColumns(s *ast.InsertValues, target *catalog.Source) ([]string, error) {
	var names []string
	for _, c := range slices.Concat(target.Schema.Key, target.Schema.Value) {
		names = append(names, c.Name)
	}
	if len(s.Columns) == 0 {
		if len(names) != len(s.Values) {
			texts := make([]string, len(s.Values))
			for i, v := range s.Values {
				texts[i] = expr.Format(v)
			}
			return nil, badStatement("Expected a value for each column. Expected Columns: []. Got [%s]", strings.Join(texts, ", "))
		}
		return names, nil
	}
	given := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		switch {
		case c.Name == types.RowPartition || c.Name == types.RowOffset:
			return nil, badStatement("Inserting into column %s is not allowed.", types.QuoteName(c.Name))
		case c.Name != types.RowTime && !slices.Contains(names, c.Name):
			return nil, badStatement("Column name %s does not exist.", types.QuoteName(c.Name))
		}
		given[i] = c.Name
	}
	return given, nil
}

func wholeKey(key []types.Column, given []bool) error {
	var names []string
	for i, c := range key {
		if !given[i] {
			names = append(names, c.Name)
		}
	}
	if len(names) > 0 {
		return badStatement("Value for primary key column(s) %s is required for tables", strings.Join(names, ", "))
	}
	return nil
}

// ColumnValue computes an expression without columns and fits its value into a
// column by the rules of INSERT … VALUES.
func (a *Analyzer) ColumnValue(c types.Column, e ast.Expr) (types.Value, error) {
	if len(refsIn(e)) > 0 {
		return types.Null, badStatement("Unsupported column reference in insert value: %s", expr.Format(e))
	}
	if _, null := e.(*ast.NullLiteral); null {
		return types.Null, nil
	}
	for _, c := range callsIn(e, func(name string) bool { return a.Functions.IsAggregate(name) || a.Functions.IsTable(name) }) {
		return types.Null, badStatement("Invalid insert value: Can't find any functions with the name '%s'.", c.Name.Name)
	}
	t, v, err := a.constant(e)
	if err != nil {
		return types.Null, badStatement("Invalid insert value: %s.", err)
	}
	out, ok := coerce(t, c.Type, v)
	if !ok {
		hint := ""
		if c.Type.Kind == types.KindTimestamp && t.Kind == types.KindString {
			hint = ". Timestamp format must be yyyy-mm-ddThh:mm:ss[.S]"
		}
		return types.Null, badStatement("Expected type %s for field %s but got %s(%s)%s", c.Type, types.QuoteName(c.Name), t.Kind, types.Text(t, v), hint)
	}
	return out, nil
}
