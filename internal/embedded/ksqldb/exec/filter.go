package exec

import (
	"errors"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// FilterStep lets rows pass whose predicate is true. NULL and an error count as
// false. A stream's row without value never passes. On a changelog a row that
// doesn't pass becomes a delete if the row it replaces did pass, and nothing
// otherwise.
type FilterStep struct {
	Input     Step
	Predicate Eval
	Changelog bool
	// Text is what the processing log says when the predicate fails, followed by
	// the error; empty for a general one.
	Text string
	Name string // for the processing log
}

func (s *FilterStep) schema() *types.Schema { return s.Input.schema() }

func (s *FilterStep) plumb(a *assembly, _ bool) (*pipe, error) {
	in, err := a.plumb(s.Input, s.Changelog)
	if err != nil {
		return nil, err
	}
	return &pipe{sub: in.sub, keyed: in.keyed, wire: func(t *Task, down operator) error {
		if s.Changelog {
			return in.wire(t, &tableFilter{step: s, task: t, down: down})
		}
		return in.wire(t, &streamFilter{step: s, task: t, down: down})
	}}, nil
}

type streamFilter struct {
	step *FilterStep
	task *Task
	down operator
}

func (o *streamFilter) process(c *change) error {
	if c.row.Value == nil || !o.task.passes(o.step, &c.row) {
		return nil
	}
	return o.down.process(c)
}

func (t *Task) passes(s *FilterStep, row *types.Row) bool {
	v, err := s.Predicate(row)
	if err != nil {
		text := s.Text
		if text == "" {
			text = "Error evaluating predicate"
		}
		t.problem(RecordError, s.Name, "", text+": "+err.Error(), errors.Unwrap(err))
		return false
	}
	return !v.IsNull() && v.Bool()
}

type tableFilter struct {
	step *FilterStep
	task *Task
	down operator
	old  types.Row
}

func (o *tableFilter) process(c *change) error {
	if c.old != nil {
		o.old = c.row
		o.old.Value, o.old.Time = c.old, c.oldTime
		if v, err := o.step.Predicate(&o.old); err != nil || v.IsNull() || !v.Bool() {
			c.old = nil
		}
	}
	if c.row.Value == nil || !o.task.passes(o.step, &c.row) {
		if c.old == nil {
			return nil
		}
		c.row.Value = nil
	}
	return o.down.process(c)
}
