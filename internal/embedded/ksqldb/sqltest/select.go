package sqltest

import (
	"context"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Answer is what a query gives.
type Answer struct {
	Columns []types.Column
	Rows    [][]types.Value
}

// Select runs a SELECT over what the topics hold. A push query ends where they
// end; a pull query on a table reads the last record of each key of the table's
// topic.
func (e *Engine) Select(ctx context.Context, sql string) (Answer, error) {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return Answer{}, err
	}
	q, ok := stmts[0].(*ast.Query)
	if len(stmts) != 1 || !ok {
		return Answer{}, fmt.Errorf("selecting rows: %q is not one SELECT", sql)
	}
	a, err := e.analyzer()
	if err != nil {
		return Answer{}, err
	}
	if q.Emit != ast.EmitUnspecified {
		push, err := a.Push(ctx, q)
		if err != nil {
			return Answer{}, err
		}
		return e.transient(ctx, push)
	}
	pull, err := a.Pull(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	if pull.Stream != nil {
		return e.transient(ctx, pull.Stream)
	}
	return e.pull(ctx, pull)
}

func (e *Engine) transient(ctx context.Context, t *analyze.TransientQuery) (Answer, error) {
	topology, err := build.Build(ctx, t.Output, build.Options{
		ApplicationID: "transient", Functions: e.opts.Functions, CustomType: e.Catalog.Type, Registry: e.opts.Registry,
		Properties: e.opts.Properties,
	})
	if err != nil {
		return Answer{}, err
	}
	var out Answer
	for _, c := range t.Output.Columns {
		out.Columns = append(out.Columns, types.Column{Name: c.Name, Type: c.Type})
	}
	q, err := newQuery(&catalog.Query{}, topology, nil)
	if err != nil {
		return Answer{}, err
	}
	q.row = func(row *types.Row) {
		values := make([]types.Value, len(t.Output.Columns))
		for i, c := range t.Output.Columns {
			values[i] = outputValue(row, c)
		}
		out.Rows = append(out.Rows, values)
	}
	for _, name := range q.SourceTopics() {
		topic := e.Lookup(name)
		if topic == nil {
			continue
		}
		for i, r := range topic.Records {
			if t.Output.Limit != nil && len(out.Rows) >= *t.Output.Limit {
				out.Rows = out.Rows[:*t.Output.Limit]
				return out, nil
			}
			if _, err := q.Process(name, int64(i), r); err != nil {
				return Answer{}, err
			}
		}
	}
	return out, nil
}

func outputValue(row *types.Row, c plan.OutputColumn) types.Value {
	switch {
	case c.From == plan.FromWindowStart:
		return types.IntValue(row.Window.Start)
	case c.From == plan.FromWindowEnd:
		return types.IntValue(row.Window.End)
	case c.From == plan.FromKey && c.Index < len(row.Key):
		return row.Key[c.Index]
	case c.From == plan.FromValue && c.Index < len(row.Value):
		return row.Value[c.Index]
	default:
		return types.Null
	}
}

// pull reads all rows of a table. Look-ups by key are refused: this engine keeps
// no index of what a query has written.
func (e *Engine) pull(ctx context.Context, q *analyze.PullQuery) (Answer, error) {
	if !q.Table.Scan || len(q.Table.Lookups) > 0 {
		return Answer{}, fmt.Errorf("selecting rows of %s: only whole tables can be read here", q.Table.Table)
	}
	compiler := &expr.Compiler{Registry: e.opts.Functions, CustomType: e.Catalog.Type}
	scope := expr.ScopeOf(q.Table.Schema, q.Table.Window != types.NoWindow)
	var out Answer
	var columns []*expr.Compiled
	for _, c := range q.Table.Columns {
		compiled, err := compiler.Compile(c.Expr.AST, scope)
		if err != nil {
			return Answer{}, err
		}
		columns = append(columns, compiled)
		out.Columns = append(out.Columns, types.Column{Name: c.Name, Type: compiled.Type})
	}
	keep := func(*types.Row) (bool, error) { return true, nil }
	if q.Table.Predicate != nil {
		var err error
		if keep, err = compiler.CompilePredicate(q.Table.Predicate.AST, scope.In("WHERE")); err != nil {
			return Answer{}, err
		}
	}
	rows, err := e.lastRows(ctx, q.Source)
	if err != nil {
		return Answer{}, err
	}
	for _, row := range rows {
		if kept, err := keep(row); err != nil || !kept {
			continue
		}
		values := make([]types.Value, len(columns))
		for i, c := range columns {
			if values[i], err = c.Eval(row); err != nil {
				values[i] = types.Null
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out, nil
}

// lastRows decodes the last record of each key, in the order of the keys' first
// records.
func (e *Engine) lastRows(ctx context.Context, source *catalog.Source) ([]*types.Row, error) {
	topic := e.Lookup(source.Topic.Name)
	if topic == nil {
		return nil, nil
	}
	last := map[string]Record{}
	var keys []string
	for _, r := range topic.Records {
		if _, known := last[string(r.Key)]; !known {
			keys = append(keys, string(r.Key))
		}
		last[string(r.Key)] = r
	}
	var rows []*types.Row
	for _, key := range keys {
		if last[key].Value == nil {
			continue
		}
		row, err := e.decode(ctx, source, last[key], e.opts.Registry)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Check analyzes statements and builds their queries; nothing is read. SELECTs
// are accepted beside what Execute takes.
func (e *Engine) Check(ctx context.Context, sql string) error {
	stmts, err := parser.Parse(sql)
	if err != nil {
		return err
	}
	for _, s := range stmts {
		q, ok := s.(*ast.Query)
		if !ok {
			if _, err := e.execute(ctx, s); err != nil {
				return err
			}
			continue
		}
		if err := e.checkQuery(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) checkQuery(ctx context.Context, q *ast.Query) error {
	a, err := e.analyzer()
	if err != nil {
		return err
	}
	var t *analyze.TransientQuery
	if q.Emit != ast.EmitUnspecified {
		t, err = a.Push(ctx, q)
	} else {
		var pull *analyze.PullQuery
		if pull, err = a.Pull(ctx, q); err == nil {
			t = pull.Stream
		}
	}
	if err != nil || t == nil {
		return err
	}
	_, err = build.Build(ctx, t.Output, build.Options{
		ApplicationID: "transient", Functions: e.opts.Functions, CustomType: e.Catalog.Type, Registry: e.opts.Registry,
		Properties: e.opts.Properties,
	})
	return err
}
