package exec

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// OutputStep hands the rows of its input to TaskEnv.Row: the end of a transient
// query.
type OutputStep struct {
	Input Step
}

func (s *OutputStep) schema() *types.Schema { return s.Input.schema() }

func (s *OutputStep) plumb(a *assembly, _ bool) (*pipe, error) {
	in, err := a.plumb(s.Input, false)
	if err != nil {
		return nil, err
	}
	return &pipe{sub: in.sub, wire: func(t *Task, _ operator) error { return in.wire(t, &rowOutput{task: t}) }}, nil
}

type rowOutput struct{ task *Task }

func (o *rowOutput) process(c *change) error {
	o.task.env.Metrics.RecordsOut.Add(1)
	o.task.counts[o.task.current].Out++
	o.task.env.Row(&c.row)
	return nil
}
