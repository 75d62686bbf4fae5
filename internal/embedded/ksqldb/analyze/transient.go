package analyze

import (
	"context"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// TransientQuery is a SELECT that ends at a client.
type TransientQuery struct {
	Output *plan.Output
	// Sources are the streams and tables that it reads, the left one first.
	Sources []*catalog.Source
	// Bounded is set for a pull query on a stream: it ends once it has read what
	// was there when it began.
	Bounded bool
	// Text is the query with every name resolved.
	Text string
}

// Push plans a SELECT … EMIT CHANGES or EMIT FINAL.
func (a *Analyzer) Push(ctx context.Context, q *ast.Query) (*TransientQuery, error) {
	if q.GroupBy != nil && q.PartitionBy != nil {
		return nil, prepareFailure("Queries only support one of PARTITION BY and GROUP BY")
	}
	planned, err := a.planQuery(ctx, q, querySink{})
	if err != nil {
		return nil, err
	}
	return a.transient(planned, q)
}

func (a *Analyzer) transient(p *planned, q *ast.Query) (*TransientQuery, error) {
	out := &plan.Output{Input: p.node}
	values := 0
	for _, it := range p.items {
		c := plan.OutputColumn{Name: it.name, Type: it.typ}
		switch {
		case it.key >= 0:
			c.From, c.Index = plan.FromKey, it.key
		case isBoundOf(it.expr, p.node):
			c.From = plan.FromWindowStart
			if it.expr.(*ast.ColumnRef).Name.Name == types.WindowEnd {
				c.From = plan.FromWindowEnd
			}
		default:
			c.From, c.Index = plan.FromValue, values
			values++
		}
		out.Columns = append(out.Columns, c)
	}
	if q.Limit != nil {
		n := int(*q.Limit)
		if n < 0 {
			return nil, badStatement("Push queries don't support negative integers in the LIMIT clause (%s)", at(q))
		}
		out.Limit = &n
	}
	t := &TransientQuery{Output: out, Text: ast.Format(p.sanitized)}
	for _, f := range p.sources {
		t.Sources = append(t.Sources, f.source)
	}
	return t, nil
}
