package exec

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// StreamTableJoin looks up each row of a stream in a table as it stands. Only
// stream rows give results, with their own time and headers. Inner and Left; a
// row without value gives nothing, one without key only in a Left join.
type StreamTableJoin struct {
	Join
	Store string // of the table's rows
}

func (s *StreamTableJoin) plumb(a *assembly, _ bool) (*pipe, error) {
	left, right, sub, err := s.plumbSides(a, false)
	if err != nil {
		return nil, err
	}
	store := a.unique(s.Store)
	sub.addStore(store, 0)
	return &pipe{sub: sub, keyed: s.keyed(left, right), wire: func(t *Task, down operator) error {
		op := &streamTable{step: s, task: t, down: down, pair: newPair(s.side(true), s.side(false)), table: tableSide{side: s.side(false)}}
		if err := op.table.open(t, store); err != nil {
			return err
		}
		if err := right.wire(t, port(op.tableRow)); err != nil {
			return err
		}
		return left.wire(t, port(op.streamRow))
	}}, nil
}

type streamTable struct {
	step  *StreamTableJoin
	task  *Task
	down  operator
	pair  *pair
	table tableSide
	out   change
	key   []byte
}

func (o *streamTable) tableRow(c *change) error {
	key, err := o.task.keyBytes(o.key[:0], o.step.Key, &c.row, o.step.Name)
	if err != nil || key == nil {
		return err
	}
	o.key = key
	return o.table.put(key, &c.row)
}

func (o *streamTable) streamRow(c *change) error {
	if c.row.Value == nil {
		return nil
	}
	key, err := o.task.keyBytes(o.key[:0], o.step.Key, &c.row, o.step.Name)
	if err != nil {
		return err
	}
	var found []types.Value
	if key != nil {
		o.key = key
		if _, found, err = o.table.get(key); err != nil {
			return err
		}
	}
	if found == nil && o.step.Type == Inner {
		return nil
	}
	o.out.row = c.row
	o.out.row.Value = o.pair.join(c.row.Key, c.row.Value, c.row.Key, found)
	return o.down.process(&o.out)
}
