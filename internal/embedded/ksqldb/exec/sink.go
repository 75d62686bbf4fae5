package exec

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// SinkStep writes the rows of its input to a topic, and keeps the newest row of
// each key in a store if Materialize is set.
type SinkStep struct {
	Input Step
	Topic string
	Key   format.Serde
	Value format.Serde
	// Timestamp takes the record's time from the row's columns; nil for the
	// row's own. A row without valid time is skipped.
	Timestamp   func(*types.Row) (int64, error)
	Materialize *MaterializeStep
	Name        string // for the processing log
}

func (s *SinkStep) schema() *types.Schema { return s.Input.schema() }

func (s *SinkStep) plumb(a *assembly, _ bool) (*pipe, error) {
	in, err := a.plumb(s.Input, false)
	if err != nil {
		return nil, err
	}
	in.sub.root().writes = append(in.sub.root().writes, s.Topic)
	var mat func(t *Task) (*materializer, error)
	if s.Materialize != nil {
		mat = s.Materialize.register(a, in.sub)
	}
	return &pipe{sub: in.sub, wire: func(t *Task, _ operator) error {
		op := &sink{step: s, task: t}
		if mat != nil {
			var err error
			if op.mat, err = mat(t); err != nil {
				return err
			}
		}
		return in.wire(t, op)
	}}, nil
}

type sink struct {
	step  *SinkStep
	task  *Task
	mat   *materializer
	key   []byte
	value []byte
}

func (o *sink) process(c *change) error {
	s := o.step
	row := &c.row
	time := row.Time
	if s.Timestamp != nil && row.Value != nil {
		var err error
		if time, err = s.Timestamp(row); err == nil && time < 0 {
			err = fmt.Errorf("the time is negative: %d", time)
		}
		if err != nil {
			o.task.problem(RecordError, s.Name, "", "Error processing timestamp column of the sink", err)
			return nil
		}
	}
	var inner, key, value []byte
	var err error
	if row.Key != nil {
		if inner, err = s.Key.Serialize(o.key[:0], row.Key); err != nil {
			return o.task.serializationError(s.Name, "key", s.Topic, err)
		}
		if inner != nil {
			key = format.AppendWindow(inner, row.Window)
			o.key = key
		}
	}
	if row.Value != nil {
		if value, err = s.Value.Serialize(o.value[:0], row.Value); err != nil {
			return o.task.serializationError(s.Name, "value", s.Topic, err)
		}
		if value != nil {
			o.value = value
		}
	}
	if o.mat != nil && inner != nil {
		if err := o.mat.put(inner, row, time, c.old != nil); err != nil {
			return err
		}
	}
	o.task.counts[o.task.current].Out++
	o.task.emit(Output{
		Topic: s.Topic, Key: key, Value: value, PartitionKey: inner, Partition: -1, Time: time, Headers: row.Headers,
	})
	return nil
}

// MaterializeStep keeps the newest row of each key of a table for pull queries.
// It is the end of a query itself, or belongs to a sink.
type MaterializeStep struct {
	Input      Step // nil when it belongs to a sink
	Columns    *types.Schema
	Store      string
	Key        format.Serde
	Window     types.WindowKind
	WindowSize int64 // of time windows, in milliseconds
	// Retention is how many milliseconds of stream time windows are kept; 0
	// keeps them for ever.
	Retention int64
}

func (s *MaterializeStep) schema() *types.Schema { return s.Columns }

func (s *MaterializeStep) plumb(a *assembly, _ bool) (*pipe, error) {
	in, err := a.plumb(s.Input, false)
	if err != nil {
		return nil, err
	}
	mat := s.register(a, in.sub)
	return &pipe{sub: in.sub, wire: func(t *Task, _ operator) error {
		m, err := mat(t)
		if err != nil {
			return err
		}
		return in.wire(t, &materialize{task: t, mat: m})
	}}, nil
}

func (s *MaterializeStep) register(a *assembly, sub *draft) func(t *Task) (*materializer, error) {
	store := a.unique(s.Store)
	sub.addStore(store, s.Retention)
	a.mat = &Materialization{
		Store: store, Schema: s.Columns, Key: s.Key, Window: s.Window, WindowSize: s.WindowSize,
		Retention: s.Retention, valueTypes: columnTypes(s.Columns.Value),
	}
	a.matDraft = sub
	desc := a.mat
	return func(t *Task) (*materializer, error) {
		st, err := t.openRows(store, desc.valueTypes, true)
		if err != nil {
			return nil, err
		}
		m := &materializer{desc: desc, store: st}
		if desc.Retention > 0 {
			if m.clock, err = t.clock(store+clockSuffix, store); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
}

type materialize struct {
	task *Task
	mat  *materializer
	key  []byte
}

func (o *materialize) process(c *change) error {
	if c.row.Key == nil {
		return nil
	}
	key, err := o.mat.desc.Key.Serialize(o.key[:0], c.row.Key)
	if err != nil || key == nil {
		return err
	}
	o.key = key
	o.task.counts[o.task.current].Out++
	return o.mat.put(key, &c.row, c.row.Time, c.old != nil)
}

// materializer writes the store that a Materialization reads.
type materializer struct {
	desc  *Materialization
	store state.Store
	clock *clock
	key   []byte
	value []byte
}

// put stores a row under its key's bytes, or deletes it. known says that the
// key was there before.
func (m *materializer) put(key []byte, row *types.Row, time int64, known bool) error {
	if m.desc.Window == types.NoWindow {
		return m.write(key, row, time)
	}
	m.key = append(m.key[:0], matRows)
	m.key = codec.AppendOrdered(m.key, key)
	m.key = format.AppendWindow(m.key, row.Window)
	if err := m.write(m.key, row, time); err != nil || m.clock == nil {
		return err
	}
	if row.Value != nil && !known {
		if err := putExpiry(m.store, windowAge(row.Window), m.key); err != nil {
			return err
		}
	}
	return m.clock.advance(windowAge(row.Window), m.store, m.desc.Retention)
}

func (m *materializer) write(key []byte, row *types.Row, time int64) error {
	var err error
	if row.Value == nil {
		err = m.store.Delete(key)
	} else {
		m.value = codec.AppendRow(m.value[:0], time, m.desc.valueTypes, row.Value)
		err = m.store.Put(key, m.value)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", m.desc.Store, err)
	}
	return nil
}

// windowAge is the time by which a window's age is told: the start of a time
// window, the end of a session.
func windowAge(w types.Window) int64 {
	if w.Kind == types.SessionWindow {
		return w.End
	}
	return w.Start
}
