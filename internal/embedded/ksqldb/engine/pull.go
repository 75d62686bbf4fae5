package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/expr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// tablePull is a pull query on a table with its expressions compiled.
type tablePull struct {
	*plan.Pull
	predicate func(*types.Row) (bool, error)
	columns   []*expr.Compiled
}

func (e *Engine) compilePull(c *catalog.Catalog, p *plan.Pull) (*tablePull, error) {
	compiler := &expr.Compiler{Registry: e.functions, CustomType: c.Type}
	scope := expr.ScopeOf(p.Schema, p.Window != types.NoWindow)
	t := &tablePull{Pull: p}
	for _, col := range p.Columns {
		compiled, err := compiler.Compile(col.Expr.AST, scope)
		if err != nil {
			return nil, err
		}
		t.columns = append(t.columns, compiled)
	}
	if p.Predicate != nil {
		var err error
		if t.predicate, err = compiler.CompilePredicate(p.Predicate.AST, scope.In("WHERE")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// notReady is what ksqlDB says while the owner of a table's rows can't be asked.
func notReady(table, query, why string) *Error {
	return &Error{Code: CodeServerError, Message: fmt.Sprintf(
		"Unable to execute pull query on %s: query %s, which keeps its rows, %s. It is not available now; try again later.", table, query, why)}
}

func (q *Query) runTablePull(ctx context.Context, r Receiver) (End, error) {
	var table *runtime.Table
	if !q.pull.Nothing {
		var err error
		if table, err = q.engine.table(q.pull.Pull); err != nil {
			return 0, err
		}
	}
	if err := r.Begin(); err != nil {
		return 0, err
	}
	if q.pull.Nothing {
		return Completed, nil
	}
	reader := &pullReader{ctx: ctx, tablePull: q.pull, receiver: r, values: make([]types.Value, len(q.pull.columns))}
	if err := reader.read(table); err != nil {
		return 0, &Error{Code: CodeServerError, Message: fmt.Sprintf("reading table %s: %v", q.pull.Table, err), cause: err}
	}
	if reader.receiverErr != nil {
		return 0, reader.receiverErr
	}
	return Completed, nil
}

func (e *Engine) table(p *plan.Pull) (*runtime.Table, error) {
	status, err := e.runtime.Status(p.Query)
	if err != nil {
		return nil, notReady(p.Table, p.Query, "does not run")
	}
	table, err := e.runtime.Table(p.Query)
	if err != nil {
		why := "is in state " + status.State
		if n := len(status.Errors); n > 0 {
			why += " (" + status.Errors[n-1].Message + ")"
		}
		return nil, notReady(p.Table, p.Query, why)
	}
	return table, nil
}

// pullReader reads the rows of one pull query.
type pullReader struct {
	ctx context.Context
	*tablePull
	receiver    Receiver
	receiverErr error
	values      []types.Value
	sent        int
	seen        map[string]bool // keys of rows shown; nil with a single look-up
	err         error
}

func (r *pullReader) read(table *runtime.Table) error {
	if r.Limit != nil && *r.Limit == 0 {
		return nil
	}
	if r.Scan {
		var bounds plan.Lookup
		if len(r.Lookups) == 1 {
			bounds = r.Lookups[0]
		}
		err := table.Scan(bounds.From, bounds.To, func(row *types.Row) bool {
			return r.Window != types.NoWindow && !covers(bounds, row.Window) || r.show(row)
		})
		return firstError(err, r.err)
	}
	if len(r.Lookups) > 1 {
		r.seen = map[string]bool{}
	}
	for _, l := range r.Lookups {
		going, err := r.lookup(table, l)
		if err != nil || !going {
			return err
		}
	}
	return nil
}

func (r *pullReader) lookup(table *runtime.Table, l plan.Lookup) (bool, error) {
	if r.Window == types.NoWindow {
		row, err := table.Get(l.Key)
		if err != nil || row == nil {
			return err == nil, err
		}
		going := r.show(row)
		return going, r.err
	}
	going := true
	err := table.Windows(l.Key, func(row *types.Row) bool {
		if covers(l, row.Window) {
			going = r.show(row)
		}
		return going
	})
	return going, firstError(err, r.err)
}

// show gives a row to the receiver if it is part of the answer, and reports
// whether more rows are wanted.
func (r *pullReader) show(row *types.Row) bool {
	if r.err = r.ctx.Err(); r.err != nil {
		return false
	}
	if r.predicate != nil {
		ok, err := r.predicate(row)
		if err != nil {
			r.err = err
			return false
		}
		if !ok {
			return true
		}
	}
	if r.seen != nil {
		id := r.identity(row)
		if r.seen[id] {
			return true
		}
		r.seen[id] = true
	}
	for i, c := range r.columns {
		if r.values[i], r.err = c.Eval(row); r.err != nil {
			return false
		}
	}
	if r.receiverErr = r.receiver.Row(Row{Values: r.values}); r.receiverErr != nil {
		return false
	}
	r.sent++
	return r.Limit == nil || r.sent < *r.Limit
}

// identity tells rows of different keys and windows apart.
func (r *pullReader) identity(row *types.Row) string {
	var b strings.Builder
	for i, v := range row.Key {
		text := types.Text(r.Schema.Key[i].Type, v)
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	fmt.Fprintf(&b, "@%d/%d", row.Window.Start, row.Window.End)
	return b.String()
}

func covers(l plan.Lookup, w types.Window) bool {
	return l.Start.Contains(w.Start) && l.End.Contains(w.End)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
