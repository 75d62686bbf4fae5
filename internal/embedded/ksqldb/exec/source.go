package exec

import (
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// SourceStep reads a topic declared as a stream or a table.
//
// A record whose key or value can't be read is skipped, and so is one whose
// TIMESTAMP column gives no valid time, and a table's record without key. A
// table keeps its rows in a store when a later step needs to know what a row
// replaces.
type SourceStep struct {
	Name       string // of the stream or table, for the processing log
	Topic      string
	Table      bool
	Columns    *types.Schema
	Key        format.Serde
	Value      format.Serde
	Window     types.WindowKind
	WindowSize int64 // of time windows, in milliseconds
	Offsets    string
	// Timestamp takes the row's time from its columns; nil for the record's own.
	Timestamp func(*types.Row) (int64, error)
	// ThrowOnInvalidTimestamp makes an invalid time stop the task
	// (ksql.timestamp.throw.on.invalid).
	ThrowOnInvalidTimestamp bool
	// Store names the store of a table's rows.
	Store string
}

func (s *SourceStep) schema() *types.Schema { return s.Columns }

func (s *SourceStep) plumb(a *assembly, needOld bool) (*pipe, error) {
	d := a.draft()
	d.addSource(Source{Topic: s.Topic, Table: s.Table, Window: s.Window, Offsets: s.Offsets})
	store := ""
	if s.Table && needOld {
		store = a.unique(s.Store)
		d.addStore(store, 0)
	}
	return &pipe{sub: d, keyed: []string{s.Topic}, wire: func(t *Task, down operator) error {
		in := &topicSource{step: s, task: t, down: down, types: columnTypes(s.Columns.Value), nulls: make([]types.Value, len(s.Columns.Value))}
		if store != "" {
			var err error
			if in.store, err = t.openRows(store, in.types, true); err != nil {
				return err
			}
		}
		t.read(s.Topic, in)
		return nil
	}}, nil
}

// recordReader is the first operator behind a topic.
type recordReader interface {
	read(rec *InRecord) error
}

// reader is a recordReader and the operator that it belongs to.
type reader struct {
	recordReader
	operator int
}

func (t *Task) read(topic string, r recordReader) {
	t.sources[topic] = append(t.sources[topic], reader{r, t.wiring})
}

type topicSource struct {
	step  *SourceStep
	task  *Task
	down  operator
	store state.Store
	types []*types.Type
	nulls []types.Value
	out   change
	buf   []byte
	old   []types.Value
}

func (o *topicSource) read(rec *InRecord) error {
	s := o.step
	row := &o.out.row
	*row = types.Row{Time: rec.Time, Headers: rec.Headers, Partition: rec.Partition, Offset: rec.Offset, Report: o.task.nested}
	o.out.old = nil
	if ok, err := o.decode(rec, row); !ok {
		return err
	}
	if s.Timestamp != nil && row.Value != nil {
		ok, err := o.takeTime(row)
		if !ok || err != nil {
			return err
		}
	}
	if s.Table && rec.Key == nil {
		o.task.problem(RecordError, s.Name, "", "Skipping record due to null key.", nil)
		return nil
	}
	if o.store != nil {
		if err := o.remember(rec.Key, row); err != nil {
			return err
		}
	}
	return o.down.process(&o.out)
}

// decode reads key and value; false means that the record is to be skipped, or,
// with an error, that it can't be read for now and the task has to stop.
func (o *topicSource) decode(rec *InRecord, row *types.Row) (bool, error) {
	s := o.step
	key := rec.Key
	if key != nil && s.Window != types.NoWindow {
		inner, window, err := format.SplitWindow(key, s.Window, s.WindowSize)
		if err != nil {
			return false, o.unreadable("key", err)
		}
		key, row.Window = inner, window
	}
	if key != nil && len(s.Columns.Key) > 0 {
		values, err := s.Key.Deserialize(key)
		if err != nil {
			return false, o.unreadable("key", err)
		}
		row.Key = values
	}
	if rec.Value != nil {
		values, err := s.Value.Deserialize(rec.Value)
		if err != nil {
			return false, o.unreadable("value", err)
		}
		row.Value = values
	}
	return true, nil
}

// unreadable reports a record that is skipped. One whose schema couldn't be
// fetched must not be: the same record may be fine later.
func (o *topicSource) unreadable(target string, err error) error {
	if errors.Is(err, registry.ErrUnavailable) {
		return fmt.Errorf("reading the %s of a record of %s: %w", target, o.step.Name, err)
	}
	o.task.deserializationProblem(o.step.Name, target, err)
	return nil
}

// takeTime sets the row's time from its columns; false means that the record is
// to be skipped.
func (o *topicSource) takeTime(row *types.Row) (bool, error) {
	time, err := o.step.Timestamp(row)
	if err == nil && time < 0 {
		err = fmt.Errorf("the time is negative: %d", time)
	}
	if err == nil {
		row.Time = time
		return true, nil
	}
	if o.step.ThrowOnInvalidTimestamp {
		return false, fmt.Errorf("Fatal user code error in TimestampExtractor callback for record of %s: %w", o.step.Name, err) //nolint:staticcheck // Kafka Streams' text
	}
	o.task.problem(RecordError, o.step.Name, "", "Unable to extract the timestamp of the record", err)
	return false, nil
}

// remember puts a table's row into the store and finds the one it replaces.
func (o *topicSource) remember(key []byte, row *types.Row) error {
	data, found, err := o.store.Get(key)
	if err != nil {
		return fmt.Errorf("reading store %s: %w", o.step.Store, err)
	}
	if found {
		if o.out.oldTime, o.old, err = codec.DecodeRow(data, o.types, o.old); err != nil {
			return fmt.Errorf("reading store %s: %w", o.step.Store, err)
		}
		o.out.old = o.old
	}
	if row.Value == nil {
		if !found {
			return nil
		}
		err = o.store.Delete(key)
	} else {
		o.buf = codec.AppendRow(o.buf[:0], row.Time, o.types, row.Value)
		err = o.store.Put(key, o.buf)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", o.step.Store, err)
	}
	return nil
}
