package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/runtime"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// defaultMaxPushQueries is ksqlDB's default of ksql.max.push.queries.
const defaultMaxPushQueries = 100

// pushQuery is a transient query that runs.
type pushQuery struct {
	query *Query
	order int64
	close context.CancelFunc
	done  chan struct{}
}

// pushQueries are the transient queries that run, by their ids in upper case.
type pushQueries struct {
	mu      sync.Mutex
	running map[string]*pushQuery
	next    int64
	closed  bool
}

// add registers a query. Push queries above the limit are refused.
func (p *pushQueries) add(q *Query, limit int, cancel context.CancelFunc) (*pushQuery, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, &Error{Code: CodeShuttingDown, Message: "The server is shutting down"}
	}
	if q.Kind == PushQuery {
		count := 0
		for _, other := range p.running {
			if other.query.Kind == PushQuery {
				count++
			}
		}
		if count >= limit {
			return nil, badStatement(q.text, "Not executing statement(s) '%s' as it would cause the number of active, push queries to exceed the configured limit. "+
				"Terminate existing PUSH queries, or increase the 'ksql.max.push.queries' setting via the 'ksql-server.properties' file. "+
				"Current push query count: %d. Configured limit: %d.", q.text, count, limit)
		}
	}
	run := &pushQuery{query: q, order: p.next, close: cancel, done: make(chan struct{})}
	p.next++
	p.running[strings.ToUpper(q.ID)] = run
	return run, nil
}

func (p *pushQueries) remove(run *pushQuery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, strings.ToUpper(run.query.ID))
	close(run.done)
}

func (p *pushQueries) find(id string) (*pushQuery, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	run, ok := p.running[strings.ToUpper(id)]
	return run, ok
}

// list gives the queries that run, the oldest first.
func (p *pushQueries) list() []*Query {
	p.mu.Lock()
	defer p.mu.Unlock()
	runs := slices.SortedFunc(maps.Values(p.running), func(a, b *pushQuery) int { return cmp.Compare(a.order, b.order) })
	queries := make([]*Query, len(runs))
	for i, run := range runs {
		queries[i] = run.query
	}
	return queries
}

// stop ends all queries and waits for them; no more are taken.
func (p *pushQueries) stop() {
	p.mu.Lock()
	p.closed = true
	runs := slices.Collect(maps.Values(p.running))
	p.mu.Unlock()
	for _, run := range runs {
		run.close()
	}
	for _, run := range runs {
		<-run.done
	}
}

// CloseQuery ends a push query, or a pull query on a stream, that runs. It
// reports whether there is one of that id.
func (e *Engine) CloseQuery(id string) bool {
	run, ok := e.push.find(id)
	if ok {
		run.close()
	}
	return ok
}

func (e *Engine) maxPushQueries() int {
	if n, err := strconv.Atoi(e.cfg.Properties["ksql.max.push.queries"]); err == nil {
		return n
	}
	return defaultMaxPushQueries
}

func (q *Query) runTransient(ctx context.Context, r Receiver) (End, error) {
	e := q.engine
	topology, err := build.Build(ctx, q.transient.Output, e.buildOptions(e.Catalog(), q.ID, q.properties))
	if err != nil {
		return 0, statementError(q.text, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run, err := e.push.add(q, e.maxPushQueries(), cancel)
	if err != nil {
		return 0, err
	}
	defer e.push.remove(run)

	t := &transientReader{columns: q.transient.Output.Columns, limit: q.transient.Output.Limit, receiver: r, changelog: topology.Changelog}
	t.values = make([]types.Value, len(t.columns))
	if t.limit != nil && *t.limit == 0 {
		return LimitReached, r.Begin()
	}
	err = e.runtime.RunTransient(ctx, runtime.TransientSpec{
		QueryID: q.ID, Topology: topology, OffsetReset: e.offsetReset(q.properties), Bounded: q.transient.Bounded,
		Started: func() {
			if t.err = r.Begin(); t.err != nil {
				cancel()
			}
		},
	}, t.row)
	switch {
	case t.err != nil:
		return 0, t.err
	case errors.Is(err, runtime.ErrSlow):
		return 0, &Error{Code: CodeServerError, Message: fmt.Sprintf(
			"Query %s was ended because its client reads too slowly: more rows waited for it than are kept. Read faster, select fewer rows or columns, or run the query again.", q.ID), cause: err}
	case err != nil:
		return 0, &Error{Code: CodeServerError, Message: fmt.Sprintf("running query %s: %v", q.ID, err), cause: err}
	case t.limit != nil && t.sent >= *t.limit:
		return LimitReached, nil
	default:
		return Completed, nil
	}
}

// transientReader turns the rows of a transient query into those of its answer.
type transientReader struct {
	columns   []plan.OutputColumn
	limit     *int
	receiver  Receiver
	changelog bool
	values    []types.Value
	sent      int
	err       error // the receiver's
}

func (t *transientReader) row(row *types.Row) error {
	if t.err != nil {
		return runtime.ErrStop
	}
	if row.Value == nil && !t.changelog {
		return nil
	}
	for i, c := range t.columns {
		t.values[i] = outputValue(row, c)
	}
	if t.err = t.receiver.Row(Row{Values: t.values, Tombstone: row.Value == nil}); t.err != nil {
		return errors.Join(runtime.ErrStop, t.err)
	}
	t.sent++
	if t.limit != nil && t.sent >= *t.limit {
		return runtime.ErrStop
	}
	return nil
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
