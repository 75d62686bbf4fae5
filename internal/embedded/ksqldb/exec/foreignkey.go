package exec

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// ForeignKeyJoin joins each row of the left table with the row of the right
// table whose key equals an expression over the left row. Inner and Left.
//
// As in Kafka Streams it is a conversation between the tasks of both tables: the
// left one subscribes its key with the task of the foreign key, which answers
// with the right row, now and whenever it changes; the left one joins an answer
// if its row is still the one that the subscription was made for (told by a
// hash). The right row's changes reach the left rows in the order of their keys'
// bytes.
type ForeignKeyJoin struct {
	Join
	// ForeignKey is computed over rows of the left input.
	ForeignKey Eval
	// ForeignKeySerde writes the right table's key, Key the left table's.
	ForeignKeySerde format.Serde
	// Subscriptions and Responses are the internal topics.
	Subscriptions string
	Responses     string
	// The stores of both tables' rows, of subscriptions, and of results, which
	// are kept when a later step needs to know what they replace.
	LeftStore         string
	RightStore        string
	SubscriptionStore string
	ResultStore       string
}

func (s *ForeignKeyJoin) plumb(a *assembly, needOld bool) (*pipe, error) {
	left, err := a.plumb(s.Left, false)
	if err != nil {
		return nil, err
	}
	right, err := a.plumb(s.Right, false)
	if err != nil {
		return nil, err
	}
	l, r := left.sub.root(), right.sub.root()
	a.through(s.Subscriptions, l, r)
	a.through(s.Responses, r, l)
	l.groups = append(l.groups, append([]string{s.Responses}, left.keyed...))
	r.groups = append(r.groups, append([]string{s.Subscriptions}, right.keyed...))
	leftStore, rightStore, subStore := a.unique(s.LeftStore), a.unique(s.RightStore), a.unique(s.SubscriptionStore)
	l.addStore(leftStore, 0)
	r.addStore(rightStore, 0)
	r.addStore(subStore, 0)
	resultStore := ""
	if needOld {
		resultStore = a.unique(s.ResultStore)
		l.addStore(resultStore, 0)
	}
	r.end(func(t *Task, _ operator) error { return s.wireRight(t, right, rightStore, subStore) })
	return &pipe{sub: l, keyed: left.keyed, wire: func(t *Task, down operator) error {
		return s.wireLeft(t, left, down, leftStore, resultStore)
	}}, nil
}

func (s *ForeignKeyJoin) wireLeft(t *Task, in *pipe, down operator, rows, results string) error {
	op := &foreignLeft{step: s, task: t, down: down, pair: newPair(s.side(true), s.side(false)), table: tableSide{side: s.side(true)}}
	if err := op.table.open(t, rows); err != nil {
		return err
	}
	if results != "" {
		var err error
		op.resultName, op.resultTypes = results, columnTypes(s.Columns.Value)
		if op.results, err = t.open(results, op.resultTypes); err != nil {
			return err
		}
	}
	t.read(s.Responses, responses{op})
	return in.wire(t, port(op.row))
}

func (s *ForeignKeyJoin) wireRight(t *Task, in *pipe, rows, subs string) error {
	op := &foreignRight{step: s, task: t, table: tableSide{side: s.side(false)}, subsName: subs}
	if err := op.table.open(t, rows); err != nil {
		return err
	}
	var err error
	if op.subs, err = t.open(subs, nil); err != nil {
		return err
	}
	t.read(s.Subscriptions, subscriptions{op})
	return in.wire(t, port(op.row))
}

// instruction says what a subscription asks for.
type instruction byte

const (
	// dropSilently ends a subscription.
	dropSilently instruction = iota + 1
	// dropAndAnswer ends a subscription and answers without a row.
	dropAndAnswer
	// answerAlways subscribes and answers with or without a row.
	answerAlways
	// answerIfFound subscribes and answers if there is a row.
	answerIfFound
)

// subscription travels from the left task to that of the foreign key.
type subscription struct {
	instruction instruction
	hash        [16]byte
	partition   int32 // of the left task
	key         []byte
}

func (s *subscription) append(dst []byte) []byte {
	dst = append(dst, codec.Version, byte(s.instruction))
	dst = append(dst, s.hash[:]...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.partition))
	return append(dst, s.key...)
}

const subscriptionHead = 2 + 16 + 4

func (s *subscription) read(data []byte) error {
	if len(data) < subscriptionHead || data[0] != codec.Version {
		return fmt.Errorf("%w: a subscription of %d bytes", codec.ErrCorrupt, len(data))
	}
	s.instruction = instruction(data[1])
	copy(s.hash[:], data[2:])
	s.partition = int32(binary.BigEndian.Uint32(data[18:]))
	s.key = data[subscriptionHead:]
	return nil
}

// foreignLeft is the left table's end.
type foreignLeft struct {
	step        *ForeignKeyJoin
	task        *Task
	down        operator
	pair        *pair
	table       tableSide
	results     state.Store
	resultName  string
	resultTypes []*types.Type
	out         change
	key         []byte
	foreign     []byte
	oldForeign  []byte
	value       []byte
	hashed      []byte
	found       []types.Value
	old         []types.Value
}

// row sends the subscriptions that a change of the left table asks for.
func (o *foreignLeft) row(c *change) error {
	key, err := o.task.keyBytes(o.key[:0], o.step.Key, &c.row, o.step.Name)
	if err != nil || key == nil {
		return err
	}
	o.key = key
	oldTime, old, err := o.table.get(key)
	if err != nil {
		return err
	}
	var oldForeign []byte
	if old != nil {
		was := c.row
		was.Value, was.Time = old, oldTime
		if oldForeign, err = o.foreignKey(o.oldForeign[:0], &was); err != nil {
			return err
		}
	}
	var foreign []byte
	if c.row.Value != nil {
		if foreign, err = o.foreignKey(o.foreign[:0], &c.row); err != nil {
			return err
		}
	}
	hadOld := old != nil
	if err := o.table.put(key, &c.row); err != nil {
		return err
	}
	if o.step.Type == Left {
		o.subscribeLeft(c, hadOld, oldForeign, foreign)
	} else {
		o.subscribeInner(c, hadOld, oldForeign, foreign)
	}
	return nil
}

// foreignKey gives the bytes of a row's foreign key, nil for NULL.
func (o *foreignLeft) foreignKey(dst []byte, row *types.Row) ([]byte, error) {
	v, err := o.step.ForeignKey(row)
	if err != nil {
		o.task.problem(RecordError, o.step.Name, "", "Error computing the foreign key", err)
		return nil, nil
	}
	if v.IsNull() {
		return nil, nil
	}
	b, err := o.step.ForeignKeySerde.Serialize(dst, []types.Value{v})
	if err != nil {
		return nil, o.task.serializationError(o.step.Name, "key", o.step.Subscriptions, err)
	}
	return b, nil
}

func (o *foreignLeft) subscribeLeft(c *change, hadOld bool, old, new []byte) {
	switch {
	case c.row.Value != nil:
		if old != nil && string(old) != string(new) {
			o.send(c, old, dropSilently)
		}
		o.send(c, new, answerAlways)
	case old != nil:
		o.send(c, old, dropAndAnswer)
	case hadOld:
		o.send(c, nil, answerAlways)
	}
}

func (o *foreignLeft) subscribeInner(c *change, hadOld bool, old, new []byte) {
	switch {
	case c.row.Value == nil:
		if hadOld && old != nil {
			o.send(c, old, dropAndAnswer)
		}
	case hadOld && old != nil:
		if new == nil {
			o.send(c, old, dropAndAnswer)
			return
		}
		if string(old) != string(new) {
			o.send(c, old, dropSilently)
		}
		o.send(c, new, answerAlways)
	case new != nil:
		o.send(c, new, answerIfFound)
	}
}

func (o *foreignLeft) send(c *change, foreign []byte, what instruction) {
	s := subscription{instruction: what, hash: o.hash(c.row.Value), partition: o.task.env.Partition, key: o.key}
	o.value = s.append(o.value[:0])
	partition := int32(-1)
	if foreign == nil {
		partition = 0
	}
	o.task.emit(Output{
		Topic: o.step.Subscriptions, Key: foreign, Value: o.value, PartitionKey: foreign, Partition: partition,
		Time: c.row.Time, Headers: c.row.Headers, Internal: true,
	})
}

// hash tells rows of the left table apart; all zeros stand for no row.
func (o *foreignLeft) hash(values []types.Value) (sum [16]byte) {
	if values == nil {
		return sum
	}
	o.hashed = codec.AppendTuple(o.hashed[:0], o.table.types, values)
	h := fnv.New128a()
	h.Write(o.hashed)
	h.Sum(sum[:0])
	return sum
}

// responses reads the answers to subscriptions: hash, then the right row if
// there is one. Their key is that of the left row.
type responses struct{ *foreignLeft }

func (o responses) read(rec *InRecord) error {
	key, err := o.step.Key.Deserialize(rec.Key)
	if err != nil {
		return fmt.Errorf("reading a key of internal topic %s: %w", o.step.Responses, err)
	}
	if len(rec.Value) < 18 || rec.Value[0] != codec.Version {
		return fmt.Errorf("reading internal topic %s: %w: an answer of %d bytes", o.step.Responses, codec.ErrCorrupt, len(rec.Value))
	}
	_, row, err := o.table.get(rec.Key)
	if err != nil {
		return err
	}
	if o.hash(row) != [16]byte(rec.Value[1:17]) {
		return nil
	}
	var found []types.Value
	if rec.Value[17] == 1 {
		d := codec.NewDecoder(rec.Value[18:])
		o.found = d.Tuple(o.pair.right.all(o.step.Right.schema()), o.found)
		if err := d.Finish(); err != nil {
			return fmt.Errorf("reading internal topic %s: %w", o.step.Responses, err)
		}
		found = o.found
	}
	o.out = change{row: types.Row{Key: key, Time: rec.Time, Headers: rec.Headers, Partition: rec.Partition, Offset: rec.Offset, Report: o.task.nested}}
	if row != nil && (found != nil || o.step.Type == Left) {
		var rightKey, right []types.Value
		if found != nil {
			rightKey, right = found[:o.pair.right.keys], found[o.pair.right.keys:]
		}
		o.out.row.Value = o.pair.join(key, row, rightKey, right)
	}
	if err := o.remember(rec.Key); err != nil {
		return err
	}
	return o.down.process(&o.out)
}

// remember keeps the newest result and finds the one it replaces.
func (o *foreignLeft) remember(key []byte) error {
	if o.results == nil {
		return nil
	}
	data, ok, err := o.results.Get(key)
	if err != nil {
		return fmt.Errorf("reading store %s: %w", o.resultName, err)
	}
	if ok {
		if o.out.oldTime, o.old, err = codec.DecodeRow(data, o.resultTypes, o.old); err != nil {
			return fmt.Errorf("reading store %s: %w", o.resultName, err)
		}
		o.out.old = o.old
	}
	if o.out.row.Value == nil {
		err = o.results.Delete(key)
	} else {
		o.value = codec.AppendRow(o.value[:0], o.out.row.Time, o.resultTypes, o.out.row.Value)
		err = o.results.Put(key, o.value)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", o.resultName, err)
	}
	return nil
}

// all lists the types of a side's key and value columns.
func (s *side) all(schema *types.Schema) []*types.Type {
	return append(columnTypes(schema.Key), s.types...)
}

// foreignRight is the right table's end. Its store of subscriptions has the
// foreign key and then the left key.
type foreignRight struct {
	step     *ForeignKeyJoin
	task     *Task
	table    tableSide
	subs     state.Store
	subsName string
	key      []byte
	entry    []byte
	value    []byte
	columns  []types.Value
	all      []*types.Type
}

// row answers all subscriptions to a key of the right table that has changed.
func (o *foreignRight) row(c *change) error {
	key, err := o.task.keyBytes(o.key[:0], o.step.ForeignKeySerde, &c.row, o.step.Name)
	if err != nil || key == nil {
		return err
	}
	o.key = key
	if err := o.table.put(key, &c.row); err != nil {
		return err
	}
	o.entry = codec.AppendOrdered(o.entry[:0], key)
	var due []subscription
	var failed error
	err = o.subs.Scan(o.entry, codec.PrefixEnd(o.entry), func(_, v []byte) bool {
		var s subscription
		if failed = s.read(append([]byte(nil), v...)); failed != nil {
			return false
		}
		due = append(due, s)
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("reading store %s: %w", o.subsName, err)
	}
	for i := range due {
		o.answer(&due[i], c.row.Key, c.row.Value, c.row.Time, c.row.Headers)
	}
	return nil
}

func (o *foreignRight) answer(s *subscription, key, values []types.Value, time int64, headers []types.Header) {
	o.value = append(append(o.value[:0], codec.Version), s.hash[:]...)
	if values == nil {
		o.value = append(o.value, 0)
	} else {
		if o.all == nil {
			o.all = o.table.all(o.step.Right.schema())
		}
		o.columns = append(append(o.columns[:0], key...), values...)
		o.value = codec.AppendTuple(append(o.value, 1), o.all, o.columns)
	}
	o.task.emit(Output{
		Topic: o.step.Responses, Key: s.key, Value: o.value, PartitionKey: s.key, Partition: s.partition,
		Time: time, Headers: headers, Internal: true,
	})
}

// subscriptions reads what the left tasks ask for.
type subscriptions struct{ *foreignRight }

func (o subscriptions) read(rec *InRecord) error {
	var s subscription
	if err := s.read(rec.Value); err != nil {
		return fmt.Errorf("reading internal topic %s: %w", o.step.Subscriptions, err)
	}
	var time int64
	var key, values []types.Value
	if rec.Key != nil {
		if err := o.keep(rec, &s); err != nil {
			return err
		}
		var err error
		if time, values, err = o.table.get(rec.Key); err != nil {
			return err
		}
		if key, err = o.step.ForeignKeySerde.Deserialize(rec.Key); err != nil {
			return fmt.Errorf("reading a key of internal topic %s: %w", o.step.Subscriptions, err)
		}
	}
	at := rec.Time
	if values != nil {
		at = max(at, time)
	}
	switch {
	case s.instruction == dropSilently, s.instruction == answerIfFound && values == nil:
		return nil
	case s.instruction == dropAndAnswer:
		values = nil
	}
	o.answer(&s, key, values, at, rec.Headers)
	return nil
}

// keep stores or deletes a subscription.
func (o *foreignRight) keep(rec *InRecord, s *subscription) error {
	o.entry = append(codec.AppendOrdered(o.entry[:0], rec.Key), s.key...)
	var err error
	if s.instruction == dropSilently || s.instruction == dropAndAnswer {
		err = o.subs.Delete(o.entry)
	} else {
		err = o.subs.Put(o.entry, rec.Value)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", o.subsName, err)
	}
	return nil
}
