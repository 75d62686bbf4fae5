package exec

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// ProjectStep computes new value columns. A row without value stays one. A
// column whose expression fails is NULL.
type ProjectStep struct {
	Input Step
	// Columns is the shape of the result.
	Columns *types.Schema
	// Values are the expressions of the value columns over the input's rows.
	Values []Eval
	Name   string // for the processing log
}

func (s *ProjectStep) schema() *types.Schema { return s.Columns }

func (s *ProjectStep) plumb(a *assembly, needOld bool) (*pipe, error) {
	in, err := s.Input.plumb(a, needOld)
	if err != nil {
		return nil, err
	}
	return &pipe{sub: in.sub, keyed: in.keyed, wire: func(t *Task, down operator) error {
		return in.wire(t, &project{
			step: s, task: t, down: down, needOld: needOld,
			values: make([]types.Value, len(s.Values)), oldValues: make([]types.Value, len(s.Values)),
		})
	}}, nil
}

type project struct {
	step      *ProjectStep
	task      *Task
	down      operator
	needOld   bool
	out       change
	old       types.Row
	values    []types.Value
	oldValues []types.Value
}

func (o *project) process(c *change) error {
	o.out.row = c.row
	o.out.old = nil
	if c.row.Value != nil {
		o.task.evaluate(o.step.Values, &c.row, o.values, o.step.Name, o.step.Columns.Value)
		o.out.row.Value = o.values
	}
	if o.needOld && c.old != nil {
		o.old = c.row
		o.old.Value, o.old.Time = c.old, c.oldTime
		for i, eval := range o.step.Values {
			v, err := eval(&o.old)
			if err != nil {
				v = types.Null
			}
			o.oldValues[i] = v
		}
		o.out.old, o.out.oldTime = o.oldValues, c.oldTime
	}
	return o.down.process(&o.out)
}

// evaluate computes expressions over a row. One that fails gives NULL and a
// problem that names its column.
func (t *Task) evaluate(evals []Eval, row *types.Row, into []types.Value, step string, cols []types.Column) {
	for i, eval := range evals {
		v, err := eval(row)
		if err != nil {
			name := ""
			if i < len(cols) {
				name = cols[i].Name
			}
			t.problem(RecordError, step, "", "Error computing expression for column "+name, err)
			v = types.Null
		}
		into[i] = v
	}
}
