package exec

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// FlatMapStep calls table functions and gives a row per element of the longest
// result, the shorter ones padded with NULL. Rows without value give none.
type FlatMapStep struct {
	Input   Step
	Columns *types.Schema
	// Calls give the values of a column each.
	Calls []func(*types.Row) ([]types.Value, error)
	Name  string // for the processing log
}

func (s *FlatMapStep) schema() *types.Schema { return s.Columns }

func (s *FlatMapStep) plumb(a *assembly, _ bool) (*pipe, error) {
	in, err := a.plumb(s.Input, false)
	if err != nil {
		return nil, err
	}
	return &pipe{sub: in.sub, keyed: in.keyed, wire: func(t *Task, down operator) error {
		return in.wire(t, &flatMap{step: s, task: t, down: down, results: make([][]types.Value, len(s.Calls))})
	}}, nil
}

type flatMap struct {
	step    *FlatMapStep
	task    *Task
	down    operator
	out     change
	results [][]types.Value
	values  []types.Value
}

func (o *flatMap) process(c *change) error {
	if c.row.Value == nil {
		return nil
	}
	longest := 0
	for i, call := range o.step.Calls {
		rows, err := call(&c.row)
		if err != nil {
			o.task.problem(RecordError, o.step.Name, "", err.Error(), nil)
			rows = nil
		}
		o.results[i] = rows
		longest = max(longest, len(rows))
	}
	n := len(c.row.Value)
	for i := range longest {
		o.values = append(slices.Grow(o.values[:0], n+len(o.results)), c.row.Value...)
		for _, rows := range o.results {
			v := types.Null
			if i < len(rows) {
				v = rows[i]
			}
			o.values = append(o.values, v)
		}
		o.out.row = c.row
		o.out.row.Value = o.values
		if err := o.down.process(&o.out); err != nil {
			return err
		}
	}
	return nil
}
