package exec

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Repartition is an internal topic through which rows reach the task of their
// key. Keys are written in the query's key format, so that they go to the same
// partition as those of a topic to join with; values in the engine's own
// encoding, predecessors on changelogs included.
type Repartition struct {
	Topic string
	Key   format.Serde
}

// plumb ends the input's sub-topology in the topic and begins the next one with
// it. make gives the operator that rows go through before they are written;
// values are the columns that are written.
func (r *Repartition) plumb(a *assembly, in *pipe, values []*types.Type, name string, before func(t *Task, down operator) operator) *pipe {
	reader := a.draft()
	a.through(r.Topic, in.sub, reader)
	in.sub.end(func(t *Task, _ operator) error {
		var op operator = &repartitionWriter{step: r, task: t, types: values, name: name}
		return in.wire(t, before(t, op))
	})
	return &pipe{sub: reader, keyed: []string{r.Topic}, wire: func(t *Task, down operator) error {
		t.read(r.Topic, &repartitionReader{step: r, task: t, down: down, types: values, name: name})
		return nil
	}}
}

const (
	hasNew byte = 1 << iota
	hasOld
)

type repartitionWriter struct {
	step  *Repartition
	task  *Task
	types []*types.Type
	name  string
	key   []byte
	value []byte
}

func (o *repartitionWriter) process(c *change) error {
	var key []byte
	if !nullKey(c.row.Key) {
		var err error
		if key, err = o.step.Key.Serialize(o.key[:0], c.row.Key); err != nil {
			return o.task.serializationError(o.name, "key", o.step.Topic, err)
		}
		if key != nil {
			o.key = key
		}
	}
	o.value = appendChange(o.value[:0], c, o.types)
	o.task.emit(Output{
		Topic: o.step.Topic, Key: key, Value: o.value, PartitionKey: key, Partition: -1,
		Time: c.row.Time, Headers: c.row.Headers, Internal: true,
	})
	return nil
}

func appendChange(dst []byte, c *change, cols []*types.Type) []byte {
	var flags byte
	if c.row.Value != nil {
		flags |= hasNew
	}
	if c.old != nil {
		flags |= hasOld
	}
	dst = append(dst, codec.Version, flags)
	if c.row.Value != nil {
		dst = codec.AppendTuple(dst, cols, c.row.Value)
	}
	if c.old != nil {
		dst = codec.AppendRow(dst, c.oldTime, cols, c.old)
	}
	return dst
}

type repartitionReader struct {
	step  *Repartition
	task  *Task
	down  operator
	types []*types.Type
	name  string
	out   change
	new   []types.Value
	old   []types.Value
}

func (o *repartitionReader) read(rec *InRecord) error {
	o.out = change{row: types.Row{Time: rec.Time, Headers: rec.Headers, Partition: rec.Partition, Offset: rec.Offset, Report: o.task.nested}}
	if rec.Key != nil {
		key, err := o.step.Key.Deserialize(rec.Key)
		if err != nil {
			return fmt.Errorf("reading a key of internal topic %s: %w", o.step.Topic, err)
		}
		o.out.row.Key = key
	}
	d := codec.NewDecoder(rec.Value)
	d.Version()
	flags := d.Byte()
	if flags&hasNew != 0 {
		o.new = d.Tuple(o.types, o.new)
		o.out.row.Value = o.new
	}
	if flags&hasOld != 0 {
		d.Version()
		o.out.oldTime = d.Varint()
		o.old = d.Tuple(o.types, o.old)
		o.out.old = o.old
	}
	if err := d.Finish(); err != nil {
		return fmt.Errorf("reading internal topic %s: %w", o.step.Topic, err)
	}
	return o.down.process(&o.out)
}

func (t *Task) emit(o Output) {
	t.env.Metrics.RecordsOut.Add(1)
	t.env.Emit(o)
}

// serializationError reports a result that can't be written and gives the error
// that ends the task.
func (t *Task) serializationError(step, target, topic string, err error) error {
	t.problem(SerializationError, step, target, err.Error(), nil)
	return fmt.Errorf("writing the %s of a record of topic %s: %w", target, topic, err)
}
