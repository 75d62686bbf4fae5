package exec

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// RekeyStep gives rows a new key and keeps columns of the old one as value
// columns. A key expression that fails is NULL; a single key column that is NULL
// is no key. Rows without value stay in the stream: of their new key only what
// comes from the old key is not NULL. With Through the rows travel to
// the task of their new key.
type RekeyStep struct {
	Input   Step
	Columns *types.Schema
	Keys    []Eval
	// OfKey tells which of Keys depend on key columns alone.
	OfKey []bool
	// Keep are the columns appended to the value.
	Keep    []Eval
	Through *Repartition
	Name    string // for the processing log
}

func (s *RekeyStep) schema() *types.Schema { return s.Columns }

func (s *RekeyStep) plumb(a *assembly, needOld bool) (*pipe, error) {
	in, err := a.plumb(s.Input, needOld)
	if err != nil {
		return nil, err
	}
	texts := columnTexts(nil, "the new key's column", s.Columns.Key)
	op := func(t *Task, down operator) operator {
		return &rekey{
			step: s, task: t, down: down, texts: texts,
			key: make([]types.Value, len(s.Keys)), values: []types.Value{}, old: []types.Value{},
		}
	}
	if s.Through != nil {
		return s.Through.plumb(a, in, columnTypes(s.Columns.Value), s.Name, op), nil
	}
	return &pipe{sub: in.sub, wire: func(t *Task, down operator) error { return in.wire(t, op(t, down)) }}, nil
}

type rekey struct {
	step   *RekeyStep
	task   *Task
	down   operator
	texts  []string
	out    change
	key    []types.Value
	values []types.Value
	old    []types.Value
}

func (o *rekey) process(c *change) error {
	in := c.row
	o.task.evaluate(o.step.Keys, &in, o.key, o.step.Name, o.texts)
	if c.row.Value == nil {
		for i := range o.key {
			if !o.step.OfKey[i] {
				o.key[i] = types.Null
			}
		}
	}
	o.out.row = c.row
	o.out.row.Window = types.Window{}
	o.out.row.Key = o.key
	if len(o.key) == 1 && o.key[0].IsNull() {
		o.out.row.Key = nil
	}
	if c.row.Value != nil {
		o.values = o.keep(o.values, &in)
		o.out.row.Value = o.values
	}
	o.out.old = nil
	if c.old != nil {
		in.Value, in.Time = c.old, c.oldTime
		o.old = o.keep(o.old, &in)
		o.out.old, o.out.oldTime = o.old, c.oldTime
	}
	return o.down.process(&o.out)
}

func (o *rekey) keep(dst []types.Value, in *types.Row) []types.Value {
	dst = append(dst[:0], in.Value...)
	for _, eval := range o.step.Keep {
		v, err := eval(in)
		if err != nil {
			v = types.Null
		}
		dst = append(dst, v)
	}
	return dst
}
