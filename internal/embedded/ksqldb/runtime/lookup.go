package runtime

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Table reads the materialised table of a running query as of the last commits
// of its tasks.
type Table struct {
	*exec.Materialization
	partitions []state.Stores
	keys       *task.SharedPartitioner
}

// Table gives the table that a query keeps. The error says when it keeps none,
// or when the query has not run since the start, so that nothing is known of it.
// A Table is used by one goroutine.
func (r *Runtime) Table(queryID string) (*Table, error) {
	q, err := r.query(queryID)
	if err != nil {
		return nil, err
	}
	m := q.spec.Topology.Materialization
	if m == nil {
		return nil, fmt.Errorf("query %s keeps no table", queryID)
	}
	tasks := q.tasksOf(m.Sub)
	if tasks == 0 {
		return nil, fmt.Errorf("query %s has not started yet", queryID)
	}
	t := &Table{Materialization: m, keys: r.keys}
	for p := range tasks {
		t.partitions = append(t.partitions, r.cfg.State.Committed(state.TaskID{Query: queryID, Sub: m.Sub, Partition: p}))
	}
	return t, nil
}

// candidates gives the stores that may hold a key: first those of its partition
// by Kafka's default partitioner, then the others, since other clients may have
// spread the source's records differently.
func (t *Table) candidates(key []types.Value) ([]state.Stores, error) {
	b, err := t.Key.Serialize(nil, key)
	if err != nil {
		return nil, fmt.Errorf("writing the key to look up: %w", err)
	}
	if len(t.partitions) < 2 {
		return t.partitions, nil
	}
	first := t.keys.Partition(b, 0, int32(len(t.partitions)))
	ordered := []state.Stores{t.partitions[first]}
	for p, stores := range t.partitions {
		if int32(p) != first {
			ordered = append(ordered, stores)
		}
	}
	return ordered, nil
}

// Get gives the row of a key of a plain table, or nil.
func (t *Table) Get(key []types.Value) (*types.Row, error) {
	candidates, err := t.candidates(key)
	if err != nil {
		return nil, err
	}
	for _, stores := range candidates {
		row, err := t.Materialization.Get(stores, key)
		if err != nil || row != nil {
			return row, err
		}
	}
	return nil, nil
}

// Windows visits the windows of a key of a windowed table until visit returns
// false.
func (t *Table) Windows(key []types.Value, visit func(*types.Row) bool) error {
	candidates, err := t.candidates(key)
	if err != nil {
		return err
	}
	for _, stores := range candidates {
		found := false
		err := t.Materialization.Windows(stores, key, func(row *types.Row) bool {
			found = true
			return visit(row)
		})
		if err != nil || found {
			return err
		}
	}
	return nil
}

// Scan visits every row, partition by partition, in the order of the key's
// bytes within each, until visit returns false. from and to bound the key of a
// plain table.
func (t *Table) Scan(from, to []types.Value, visit func(*types.Row) bool) error {
	going := true
	for _, stores := range t.partitions {
		err := t.Materialization.Scan(stores, from, to, func(row *types.Row) bool {
			going = visit(row)
			return going
		})
		if err != nil || !going {
			return err
		}
	}
	return nil
}
