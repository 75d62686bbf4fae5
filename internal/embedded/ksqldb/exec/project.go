package exec

import (
	"errors"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// ProjectStep computes new value columns. A row without value stays one. A
// column whose expression fails is NULL.
type ProjectStep struct {
	Input Step
	// Columns is the shape of the result.
	Columns *types.Schema
	// Values are the expressions of the value columns over the input's rows.
	Values []Eval
	// Texts are what the processing log says of expressions that fail, followed
	// by the error; nil for texts made from the columns' names.
	Texts []string
	Name  string // for the processing log
}

func (s *ProjectStep) schema() *types.Schema { return s.Columns }

// columnTexts says which column could not be computed.
func columnTexts(texts []string, what string, cols []types.Column) []string {
	if texts != nil {
		return texts
	}
	texts = make([]string, len(cols))
	for i, c := range cols {
		texts[i] = "Error computing " + what + " " + c.Name
	}
	return texts
}

func (s *ProjectStep) plumb(a *assembly, needOld bool) (*pipe, error) {
	in, err := a.plumb(s.Input, needOld)
	if err != nil {
		return nil, err
	}
	texts := columnTexts(s.Texts, "column", s.Columns.Value)
	return &pipe{sub: in.sub, keyed: in.keyed, wire: func(t *Task, down operator) error {
		return in.wire(t, &project{
			step: s, task: t, down: down, needOld: needOld, texts: texts,
			values: make([]types.Value, len(s.Values)), oldValues: make([]types.Value, len(s.Values)),
		})
	}}, nil
}

type project struct {
	step      *ProjectStep
	task      *Task
	down      operator
	needOld   bool
	texts     []string
	out       change
	old       types.Row
	values    []types.Value
	oldValues []types.Value
}

func (o *project) process(c *change) error {
	o.out.row = c.row
	o.out.old = nil
	if c.row.Value != nil {
		o.task.evaluate(o.step.Values, &c.row, o.values, o.step.Name, o.texts)
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
// problem with its text.
func (t *Task) evaluate(evals []Eval, row *types.Row, into []types.Value, step string, texts []string) {
	for i, eval := range evals {
		v, err := eval(row)
		if err != nil {
			t.problem(RecordError, step, "", texts[i]+": "+err.Error(), errors.Unwrap(err))
			v = types.Null
		}
		into[i] = v
	}
}
