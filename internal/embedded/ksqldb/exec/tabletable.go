package exec

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// TableTableJoin joins two tables on their keys. Every change of a side
// recomputes the result, whose time is the larger of both rows'. A result that
// disappears is deleted.
type TableTableJoin struct {
	Join
	LeftStore  string
	RightStore string
}

func (s *TableTableJoin) plumb(a *assembly, needOld bool) (*pipe, error) {
	left, right, sub, err := s.plumbSides(a, false)
	if err != nil {
		return nil, err
	}
	leftStore, rightStore := a.unique(s.LeftStore), a.unique(s.RightStore)
	sub.addStore(leftStore, 0)
	sub.addStore(rightStore, 0)
	return &pipe{sub: sub, keyed: s.keyed(left, right), wire: func(t *Task, down operator) error {
		op := &tableTable{
			step: s, task: t, down: down, needOld: needOld,
			left: tableSide{side: s.side(true)}, right: tableSide{side: s.side(false)},
			new: newPair(s.side(true), s.side(false)), old: newPair(s.side(true), s.side(false)),
		}
		if err := op.left.open(t, leftStore); err != nil {
			return err
		}
		if err := op.right.open(t, rightStore); err != nil {
			return err
		}
		if err := left.wire(t, port(op.leftRow)); err != nil {
			return err
		}
		return right.wire(t, port(op.rightRow))
	}}, nil
}

type tableTable struct {
	step        *TableTableJoin
	task        *Task
	down        operator
	needOld     bool
	left, right tableSide
	new, old    *pair
	out         change
	key         []byte
}

func (o *tableTable) leftRow(c *change) error { return o.change(c, &o.left, &o.right) }

func (o *tableTable) rightRow(c *change) error { return o.change(c, &o.right, &o.left) }

func (o *tableTable) change(c *change, this, other *tableSide) error {
	key, err := o.task.keyBytes(o.key[:0], o.step.Key, &c.row, o.step.Name)
	if err != nil || key == nil {
		return err
	}
	o.key = key
	oldTime, old, err := this.get(key)
	if err != nil {
		return err
	}
	if err := this.put(key, &c.row); err != nil {
		return err
	}
	otherTime, otherValues, err := other.get(key)
	if err != nil {
		return err
	}
	if otherValues == nil && (o.needed(other) || c.row.Value == nil && old == nil) {
		return nil
	}
	o.out.row = c.row
	o.out.old = nil
	if otherValues != nil {
		o.out.row.Time = max(c.row.Time, otherTime)
		oldTime = max(oldTime, otherTime)
	}
	o.out.row.Value = o.result(o.new, this, c.row.Key, c.row.Value, otherValues)
	if o.needOld {
		o.out.old, o.out.oldTime = o.result(o.old, this, c.row.Key, old, otherValues), oldTime
	}
	return o.down.process(&o.out)
}

// needed reports whether there is no result without a row of the side.
func (o *tableTable) needed(s *tableSide) bool {
	switch o.step.Type {
	case Left:
		return s.isLeft
	case Right:
		return !s.isLeft
	case Full:
		return false
	default:
		return true
	}
}

// result gives the joined values, nil when there is no result.
func (o *tableTable) result(p *pair, this *tableSide, key, values, other []types.Value) []types.Value {
	if values == nil && (o.needed(this) || other == nil) {
		return nil
	}
	if this.isLeft {
		return p.join(key, values, key, other)
	}
	return p.join(key, other, key, values)
}
