package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// StreamStreamJoin joins rows of equal key when right.time lies in
// [left.time-Before, left.time+After], all in milliseconds. The result's time is
// the larger of both, its headers are those of the row that came second.
//
// A row of an outer side that finds no partner gives a result padded with NULL:
// at once without Grace (and again joined, should a partner come later); with
// Grace when the window has closed by stream time, in the order of time, with
// the headers of the row that closed it, or at once when it came too late for
// any partner. Rows without key on an outer side are padded at once, rows
// without value give nothing.
//
// A side's rows live until that side's own newest row is more than the window
// and the grace ahead of them.
type StreamStreamJoin struct {
	Join
	Before int64
	After  int64
	// Grace is nil where the join has no GRACE PERIOD.
	Grace      *int64
	LeftStore  string
	RightStore string
	OuterStore string
}

// legacyGrace is the grace of joins without GRACE PERIOD, less the window.
const legacyGrace = 24 * 60 * 60 * 1000

func (s *StreamStreamJoin) retention() int64 {
	window := s.Before + s.After
	if s.Grace == nil {
		return max(window, legacyGrace)
	}
	return window + *s.Grace
}

func (s *StreamStreamJoin) plumb(a *assembly, _ bool) (*pipe, error) {
	left, right, sub, err := s.plumbSides(a, false)
	if err != nil {
		return nil, err
	}
	leftStore, rightStore, outerStore := a.unique(s.LeftStore), a.unique(s.RightStore), ""
	sub.addStore(leftStore, s.retention())
	sub.addStore(rightStore, s.retention())
	if s.Grace != nil && s.Type != Inner {
		outerStore = a.unique(s.OuterStore)
		sub.addStore(outerStore, s.retention())
	}
	return &pipe{sub: sub, keyed: s.keyed(left, right), wire: func(t *Task, down operator) error {
		op := &streamStream{
			step: s, task: t, down: down, pair: newPair(s.side(true), s.side(false)), pendingFrom: math.MaxInt64,
			left:  streamSide{side: s.side(true), outer: s.Type == Left || s.Type == Full, back: s.Before, ahead: s.After},
			right: streamSide{side: s.side(false), outer: s.Type == Right || s.Type == Full, back: s.After, ahead: s.Before},
		}
		if err := op.open(leftStore, rightStore, outerStore); err != nil {
			return err
		}
		if err := left.wire(t, port(op.leftRow)); err != nil {
			return err
		}
		return right.wire(t, port(op.rightRow))
	}}, nil
}

// streamSide is one side's rows: matRows + key + time + sequence → row, and
// matTime entries for expiry.
type streamSide struct {
	side
	outer bool
	// back and ahead say how far before and after a row's time the other side's
	// rows may lie.
	back, ahead int64
	clock       *clock
	seq         *number
	buf         []byte
	entry       []byte
}

type streamStream struct {
	step        *StreamStreamJoin
	task        *Task
	down        operator
	pair        *pair
	left, right streamSide
	streamTime  *clock
	pending     state.Store // rows that wait for their window to close; nil without grace
	pendingName string
	// pendingFrom is no later than the time of the oldest pending row.
	pendingFrom int64
	pendingSeq  *number
	out         change
	key         []byte
	buf         []byte
	at          []byte
}

func (o *streamStream) open(left, right, outer string) error {
	t := o.task
	var err error
	if err := o.left.open(t, left); err != nil {
		return err
	}
	if err := o.right.open(t, right); err != nil {
		return err
	}
	for _, s := range []*streamSide{&o.left, &o.right} {
		if s.clock, err = t.clock(s.name+clockSuffix, s.name); err != nil {
			return err
		}
		if s.seq, err = t.number(s.name+"/sequence", 0); err != nil {
			return err
		}
	}
	if o.streamTime, err = t.clock(left+"/join-time", left); err != nil {
		return err
	}
	if outer == "" {
		return nil
	}
	o.pendingName = outer
	if o.pendingSeq, err = t.number(outer+"/sequence", 0); err != nil {
		return err
	}
	if o.pending, err = t.open(outer, append(o.left.types[:len(o.left.types):len(o.left.types)], o.right.types...)); err != nil {
		return err
	}
	o.pendingFrom = neverSeen
	return nil
}

func (o *streamStream) leftRow(c *change) error { return o.row(c, &o.left, &o.right) }

func (o *streamStream) rightRow(c *change) error { return o.row(c, &o.right, &o.left) }

func (o *streamStream) row(c *change, this, other *streamSide) error {
	if c.row.Value == nil {
		o.streamTime.observe(c.row.Time)
		return nil
	}
	key, err := o.task.keyBytes(o.key[:0], o.step.Key, &c.row, o.step.Name)
	if err != nil {
		return err
	}
	if key == nil {
		o.streamTime.observe(c.row.Time)
		if this.outer {
			return o.emit(c, this, c.row.Value, nil, c.row.Time)
		}
		return nil
	}
	o.key = key
	if err := this.put(key, &c.row, o.step.retention()); err != nil {
		return err
	}
	o.streamTime.observe(c.row.Time)
	if o.pending != nil && c.row.Time == o.streamTime.now() {
		if err := o.emitPending(c); err != nil {
			return err
		}
	}
	joined, err := o.match(c, this, other)
	if err != nil || joined || !this.outer {
		return err
	}
	if o.pending == nil || addTime(c.row.Time, this.ahead) < o.streamTime.now() {
		return o.emit(c, this, c.row.Value, nil, c.row.Time)
	}
	return o.hold(c, this)
}

// put stores a row.
func (s *streamSide) put(key []byte, row *types.Row, retention int64) error {
	s.seq.set(s.seq.value + 1)
	s.entry = codec.AppendOrdered(append(s.entry[:0], matRows), key)
	s.entry = codec.AppendTime(s.entry, row.Time)
	s.entry = binary.BigEndian.AppendUint64(s.entry, uint64(s.seq.value))
	s.buf = codec.AppendRow(s.buf[:0], row.Time, s.types, row.Value)
	err := s.store.Put(s.entry, s.buf)
	if err == nil {
		err = putExpiry(s.store, row.Time, s.entry)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", s.name, err)
	}
	return s.clock.advance(row.Time, s.store, retention)
}

// match joins a row with the other side's rows, in the order of their time and
// arrival.
func (o *streamStream) match(c *change, this, other *streamSide) (bool, error) {
	from := max(0, c.row.Time-this.back)
	if expired := other.clock.expired(o.step.retention()); expired != neverSeen {
		from = max(from, expired+1)
	}
	to := max(0, addTime(c.row.Time, this.ahead))
	o.at = codec.AppendOrdered(append(o.at[:0], matRows), o.key)
	n := len(o.at)
	o.at = codec.AppendTime(o.at, from)
	upper := codec.PrefixEnd(codec.AppendTime(bytes.Clone(o.at[:n]), to))
	rows, err := other.scan(o.at, upper)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if o.pending != nil && other.outer {
			if err := o.release(other, r.time); err != nil {
				return false, err
			}
		}
		if err := o.emit(c, this, c.row.Value, r.values, max(c.row.Time, r.time)); err != nil {
			return false, err
		}
	}
	return len(rows) > 0, nil
}

type joinRow struct {
	time   int64
	values []types.Value
}

func (s *streamSide) scan(from, to []byte) ([]joinRow, error) {
	var rows []joinRow
	var failed error
	err := s.store.Scan(from, to, func(_, v []byte) bool {
		time, values, err := codec.DecodeRow(v, s.types, nil)
		if err != nil {
			failed = err
			return false
		}
		rows = append(rows, joinRow{time, values})
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("reading store %s: %w", s.name, err)
	}
	return rows, nil
}

// emit gives a result: values are those of this side's row, other those of the
// other side's or nil.
func (o *streamStream) emit(c *change, this *streamSide, values, other []types.Value, time int64) error {
	o.out.row = c.row
	o.out.row.Time = time
	if this.isLeft {
		o.out.row.Value = o.pair.join(c.row.Key, values, c.row.Key, other)
	} else {
		o.out.row.Value = o.pair.join(c.row.Key, other, c.row.Key, values)
	}
	return o.down.process(&o.out)
}

// The store of pending rows: time + side + key + sequence → row, where the right
// side sorts before the left.
func (o *streamStream) pendingPrefix(s *streamSide, time int64) []byte {
	side := byte(0)
	if s.isLeft {
		side = 1
	}
	o.at = append(codec.AppendTime(o.at[:0], time), side)
	o.at = codec.AppendOrdered(o.at, o.key)
	return o.at
}

// hold keeps a row without partner until its window closes.
func (o *streamStream) hold(c *change, this *streamSide) error {
	o.pendingSeq.set(o.pendingSeq.value + 1)
	key := binary.BigEndian.AppendUint64(o.pendingPrefix(this, c.row.Time), uint64(o.pendingSeq.value))
	o.buf = codec.AppendRow(o.buf[:0], c.row.Time, this.types, c.row.Value)
	if err := o.pending.Put(key, o.buf); err != nil {
		return fmt.Errorf("writing store %s: %w", o.pendingName, err)
	}
	o.pendingFrom = min(o.pendingFrom, c.row.Time)
	return nil
}

// release drops the pending rows of a key and time, which have found a partner.
func (o *streamStream) release(s *streamSide, time int64) error {
	prefix := o.pendingPrefix(s, time)
	return deleteRange(o.pending, prefix, codec.PrefixEnd(prefix), o.pendingName)
}

// emitPending gives the rows whose window has closed.
func (o *streamStream) emitPending(c *change) error {
	now, grace := o.streamTime.now(), *o.step.Grace
	shortest := min(o.step.Before, o.step.After)
	if o.pendingFrom == math.MaxInt64 || o.pendingFrom != neverSeen && addTime(o.pendingFrom, shortest+grace) >= now {
		return nil
	}
	due, err := o.duePending(now, grace, shortest)
	if err != nil {
		return err
	}
	for _, r := range due {
		if err := o.emitHeld(c, r); err != nil {
			return err
		}
	}
	for _, r := range due {
		if err := o.pending.Delete(r.key); err != nil {
			return fmt.Errorf("writing store %s: %w", o.pendingName, err)
		}
	}
	return nil
}

// duePending collects the pending rows that are due and finds the oldest that
// is not.
func (o *streamStream) duePending(now, grace, shortest int64) ([]storedRow, error) {
	var due []storedRow
	oldest := int64(math.MaxInt64)
	err := o.pending.Scan(nil, nil, func(k, v []byte) bool {
		time, err := codec.Time(k)
		if err != nil || len(k) < 9 {
			return true
		}
		ahead := o.right.ahead
		if k[8] == 1 {
			ahead = o.left.ahead
		}
		if addTime(time, ahead+grace) < now {
			due = append(due, storedRow{bytes.Clone(k), bytes.Clone(v)})
			return true
		}
		oldest = min(oldest, time)
		return addTime(time, shortest+grace) < now
	})
	if err != nil {
		return nil, fmt.Errorf("reading store %s: %w", o.pendingName, err)
	}
	o.pendingFrom = oldest
	return due, nil
}

func (o *streamStream) emitHeld(c *change, r storedRow) error {
	this := &o.right
	if r.key[8] == 1 {
		this = &o.left
	}
	keyBytes, _, err := codec.SplitOrdered(r.key[9:])
	if err != nil {
		return fmt.Errorf("reading store %s: %w", o.pendingName, err)
	}
	held := change{row: c.row}
	window := c.row.Window
	if held.row.Key, held.row.Window, err = splitKey(o.step.Key, keyBytes, window); err != nil {
		return fmt.Errorf("reading a key of store %s: %w", o.pendingName, err)
	}
	time, values, err := codec.DecodeRow(r.value, this.types, nil)
	if err != nil {
		return fmt.Errorf("reading store %s: %w", o.pendingName, err)
	}
	return o.emit(&held, this, values, nil, time)
}

// addTime adds without overflow.
func addTime(time, millis int64) int64 {
	if sum := time + millis; sum >= time {
		return sum
	}
	return math.MaxInt64
}
