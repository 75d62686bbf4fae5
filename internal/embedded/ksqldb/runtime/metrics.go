package runtime

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// OperatorMetrics are what an operator of a query did since the query was
// started, over all its tasks.
type OperatorMetrics struct {
	exec.Operator
	exec.OperatorCounts
	// StateBytes is about how much its stores take, as state.DB.Size tells it.
	StateBytes int64
}

// Operators gives the metrics of a query's operators, its end first. Counts are
// those of the last commits.
func (r *Runtime) Operators(queryID string) ([]OperatorMetrics, error) {
	r.using.RLock()
	defer r.using.RUnlock()
	q, err := r.query(queryID)
	if err != nil {
		return nil, err
	}
	sum := q.totals()
	list := make([]OperatorMetrics, len(q.spec.Topology.Operators))
	for i, op := range q.spec.Topology.Operators {
		list[i] = OperatorMetrics{Operator: op, OperatorCounts: sum.operators[i]}
		for _, store := range op.Stores {
			for p := range q.tasksOf(op.Sub) {
				size, err := r.cfg.State.Size(state.TaskID{Query: queryID, Sub: op.Sub, Partition: p}, store)
				if err != nil {
					return nil, err
				}
				list[i].StateBytes += size
			}
		}
	}
	return list, nil
}
