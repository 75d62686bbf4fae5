package exec

import "sync/atomic"

// Operator is a step of a query, as metrics name it.
type Operator struct {
	// Name is the step's name in the processing log where it has one.
	Name string
	// Sub is the sub-topology that it belongs to; one that reads an internal
	// topic belongs to that where its rows come out.
	Sub int
	// Inputs are the operators that it takes rows from, none for a source.
	Inputs []int
	// Stores are the stores that it keeps.
	Stores []string
}

// OperatorCounts are what an operator did in a task since it was made.
type OperatorCounts struct {
	// In counts the rows taken in, Out those handed on or written.
	In, Out int64
	// Late counts rows that were dropped because their window was closed.
	Late int64
	// Errors counts processing errors.
	Errors int64
}

// Metrics counts what a task did. It may be read while the task runs.
type Metrics struct {
	// RecordsIn and RecordsOut count records read and written.
	RecordsIn  atomic.Int64
	RecordsOut atomic.Int64
	// Problems counts processing errors.
	Problems atomic.Int64
	// Late counts rows that were dropped because their window was closed.
	Late atomic.Int64

	operators atomic.Pointer[[]operatorCells]
}

type operatorCells struct{ in, out, late, errors atomic.Int64 }

func (m *Metrics) begin(operators int) {
	cells := make([]operatorCells, operators)
	m.operators.Store(&cells)
}

// publish makes a task's counts visible. A task counts without atomics, since it
// counts every row at every operator.
func (m *Metrics) publish(counts []OperatorCounts) {
	cells := *m.operators.Load()
	for i := range counts {
		cells[i].in.Store(counts[i].In)
		cells[i].out.Store(counts[i].Out)
		cells[i].late.Store(counts[i].Late)
		cells[i].errors.Store(counts[i].Errors)
	}
}

// AddTo adds the counts of the topology's operators, as of the task's last
// Flush, to into, which has one element per operator. The rows that an operator
// takes in are those that its inputs hand on.
func (m *Metrics) AddTo(into []OperatorCounts, operators []Operator) {
	cells := m.operators.Load()
	if cells == nil {
		return
	}
	for i := range operators {
		c := &(*cells)[i]
		if len(operators[i].Inputs) == 0 {
			into[i].In += c.in.Load()
		}
		for _, input := range operators[i].Inputs {
			into[i].In += (*cells)[input].out.Load()
		}
		into[i].Out += c.out.Load()
		into[i].Late += c.late.Load()
		into[i].Errors += c.errors.Load()
	}
}

func (t *Task) late() {
	t.env.Metrics.Late.Add(1)
	t.counts[t.current].Late++
}

// none is no operator: what the last one hands on goes nowhere.
const none = -1

type operatorDraft struct {
	name   string
	sub    *draft
	inputs []int
	stores []string
}

// plumb builds a step as an input of the current one, and lets its rows be
// counted.
func (a *assembly) plumb(s Step, needOld bool) (*pipe, error) {
	id, above := len(a.operators), a.current
	a.operators = append(a.operators, operatorDraft{name: stepName(s)})
	if above != none {
		a.operators[above].inputs = append(a.operators[above].inputs, id)
	}
	a.current = id
	p, err := s.plumb(a, needOld)
	a.current = above
	if err != nil {
		return nil, err
	}
	a.operators[id].sub = p.sub
	counting := *p
	counting.wire = func(t *Task, down operator) error {
		was := t.wiring
		t.wiring = id
		if down != nil {
			down = &counted{task: t, down: down, out: &t.counts[id].Out, next: above}
		}
		err := p.wire(t, down)
		t.wiring = was
		return err
	}
	return &counting, nil
}

// counted stands between an operator and the next one.
type counted struct {
	task *Task
	down operator
	out  *int64
	next int
}

func (o *counted) process(c *change) error {
	*o.out++
	was := o.task.current
	o.task.current = o.next
	err := o.down.process(c)
	o.task.current = was
	return err
}

func stepName(s Step) string {
	switch s := s.(type) {
	case *SourceStep:
		return s.Name
	case *FilterStep:
		return s.Name
	case *ProjectStep:
		return s.Name
	case *FlatMapStep:
		return s.Name
	case *RekeyStep:
		return s.Name
	case *AggregateStep:
		return s.Name
	case *StreamStreamJoin:
		return s.Name
	case *StreamTableJoin:
		return s.Name
	case *TableTableJoin:
		return s.Name
	case *ForeignKeyJoin:
		return s.Name
	case *SinkStep:
		return s.Name
	case *MaterializeStep:
		return s.Store
	default:
		return "Output"
	}
}
