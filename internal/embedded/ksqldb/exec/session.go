package exec

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// sessionAggregate folds rows into sessions. A row joins all sessions of its
// group that it lies in or is no more than the gap away from; each of them is
// deleted first (a delete with the old bounds, at the time of the old end), then
// the new session comes. Only a row that lies exactly on both bounds of its one
// session updates it in place. A row is late when the session that it would make
// ended more than gap and grace before stream time.
//
// The store has two entries a session: matRows + group + end + start → states,
// matTime + end + start + group → nothing, for expiry and EMIT FINAL.
type sessionAggregate struct {
	*folder
	window     *Window
	down       operator
	out        change
	streamTime *clock
	latest     *clock // largest session end in the store
	final      *finalEmitter
	reached    int64
	group      []byte
	merged     []types.Value

	// what a find works with
	found  []session
	broken error
	prefix int   // length of the group's prefix
	newest int64 // start of a session
	end    []byte
	visit  func(k, v []byte) bool
}

type session struct {
	start, end int64
	states     []types.Value
}

func newSessionAggregate(f *folder, t *Task, down operator) (*sessionAggregate, error) {
	o := &sessionAggregate{folder: f, window: f.step.Window, down: down, reached: neverSeen, merged: make([]types.Value, len(f.step.Calls))}
	o.visit = o.see
	var err error
	if o.streamTime, err = t.clock(f.storeName+clockSuffix, f.storeName); err != nil {
		return nil, err
	}
	if o.latest, err = t.clock(f.storeName+"/latest-window", f.storeName); err != nil {
		return nil, err
	}
	if o.window.Final {
		if o.final, err = newFinalEmitter(f, t); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *sessionAggregate) process(c *change) error {
	time := c.row.Time
	o.streamTime.observe(time)
	closed := o.streamTime.now() - o.window.Grace - o.window.Size
	if err := o.take(c, time, closed); err != nil {
		return err
	}
	if o.final != nil {
		if err := o.emitClosed(c, closed); err != nil {
			return err
		}
	}
	return o.expire()
}

func (o *sessionAggregate) take(c *change, time, closed int64) error {
	group, err := o.groupKey(o.group[:0], c.row.Key)
	if err != nil {
		return err
	}
	o.group = group
	found, err := o.find(time)
	if err != nil {
		return err
	}
	start, end := time, time
	o.init(o.merged)
	for _, s := range found {
		start, end = min(start, s.start), max(end, s.end)
		if err := o.merge(s.states); err != nil {
			return err
		}
	}
	if end < closed {
		o.task.late()
		return nil
	}
	if start != time || end != time {
		for _, s := range found {
			if err := o.remove(c, s); err != nil {
				return err
			}
		}
	}
	if err := o.add(o.merged, c.row.Value); err != nil {
		return err
	}
	return o.put(c, start, end)
}

func (o *sessionAggregate) merge(states []types.Value) error {
	for i, call := range o.step.Calls {
		s, err := call.Function.Merge(o.merged[i], states[i])
		if err != nil {
			return o.failed("merging sessions of", i, err)
		}
		o.merged[i] = s
	}
	return nil
}

// find gives the sessions of the group that a row at time joins, by end and then
// start. They are valid until the next find.
func (o *sessionAggregate) find(time int64) ([]session, error) {
	lowest := max(time-o.window.Size, o.oldest())
	prefix := o.rowPrefix()
	o.end = append(o.end[:0], prefix...)
	o.found, o.broken, o.prefix, o.newest = o.found[:0], nil, len(prefix), time+o.window.Size
	err := o.store.Scan(codec.AppendTime(prefix, lowest), codec.IncrementPrefix(o.end), o.visit)
	if err == nil {
		err = o.broken
	}
	if err != nil {
		return nil, fmt.Errorf("reading store %s: %w", o.storeName, err)
	}
	return o.found, nil
}

// see takes a session into found if it begins early enough.
func (o *sessionAggregate) see(k, v []byte) bool {
	var start, end int64
	if end, o.broken = codec.Time(k[o.prefix:]); o.broken != nil {
		return false
	}
	if start, o.broken = codec.Time(k[o.prefix+8:]); o.broken != nil {
		return false
	}
	if start > o.newest {
		return true
	}
	o.found = slices.Grow(o.found, 1)[:len(o.found)+1]
	s := &o.found[len(o.found)-1]
	s.start, s.end = start, end
	_, s.states, o.broken = codec.DecodeRow(v, o.stateTypes, s.states)
	return o.broken == nil
}

func (o *sessionAggregate) rowPrefix() []byte {
	o.key = codec.AppendOrdered(append(o.key[:0], matRows), o.group)
	return o.key
}

func (o *sessionAggregate) rowKey(start, end int64) []byte {
	o.key = codec.AppendTime(codec.AppendTime(o.rowPrefix(), end), start)
	return o.key
}

func (o *sessionAggregate) timeKey(start, end int64) []byte {
	o.key = codec.AppendTime(codec.AppendTime(append(o.key[:0], matTime), end), start)
	o.key = append(o.key, o.group...)
	return o.key
}

// remove deletes a session that a row extends or joins with others.
func (o *sessionAggregate) remove(c *change, s session) error {
	err := o.store.Delete(o.rowKey(s.start, s.end))
	if err == nil {
		err = o.store.Delete(o.timeKey(s.start, s.end))
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", o.storeName, err)
	}
	if o.final != nil {
		return nil
	}
	o.out.row = c.row
	o.out.row.Time = s.end
	o.out.row.Window = types.Window{Kind: types.SessionWindow, Start: s.start, End: s.end}
	o.out.row.Value = nil
	o.out.old = nil
	if o.needOld {
		o.out.oldTime = s.end
		var err error
		if o.out.old, err = o.result(s.states, o.oldResults); err != nil {
			return err
		}
	}
	return o.down.process(&o.out)
}

// put stores and emits the session that the row is in now.
func (o *sessionAggregate) put(c *change, start, end int64) error {
	if err := o.save(o.rowKey(start, end), end, o.merged); err != nil {
		return err
	}
	if err := o.store.Put(o.timeKey(start, end), nil); err != nil {
		return fmt.Errorf("writing store %s: %w", o.storeName, err)
	}
	o.latest.observe(end)
	if o.final != nil {
		return nil
	}
	o.out.row = c.row
	o.out.row.Time = end
	o.out.row.Window = types.Window{Kind: types.SessionWindow, Start: start, End: end}
	var err error
	if o.out.row.Value, err = o.result(o.merged, o.results); err != nil {
		return err
	}
	o.out.old = nil
	return o.down.process(&o.out)
}

// emitClosed gives the rows of the sessions that have closed, by end, start and
// group.
func (o *sessionAggregate) emitClosed(c *change, closed int64) error {
	from, to := o.final.span(closed - 1)
	from = max(from, o.oldest())
	if from > to {
		return nil
	}
	due, err := o.final.collect(codec.AppendTime([]byte{matTime}, from), codec.AppendTime([]byte{matTime}, to+1))
	if err != nil {
		return err
	}
	for _, d := range due {
		start, end, group, err := splitTimeKey(d.key)
		if err != nil {
			return err
		}
		o.group = append(o.group[:0], group...)
		data, ok, err := o.store.Get(o.rowKey(start, end))
		if err != nil {
			return fmt.Errorf("reading store %s: %w", o.storeName, err)
		}
		if !ok {
			continue
		}
		w := types.Window{Kind: types.SessionWindow, Start: start, End: end}
		if err := o.final.emit(c, group, w, data, o.down); err != nil {
			return err
		}
	}
	return nil
}

func splitTimeKey(key []byte) (start, end int64, group []byte, err error) {
	if end, err = codec.Time(key[1:]); err != nil {
		return 0, 0, nil, err
	}
	if start, err = codec.Time(key[9:]); err != nil {
		return 0, 0, nil, err
	}
	return start, end, key[17:], nil
}

// segment is the shortest piece of time, in milliseconds, that a session store
// drops at once.
const segment = 60_000

// oldest is the least end of the sessions that are still there: those younger
// than the retention. Final sessions outlive it: Kafka Streams keeps them in
// segments by their end, and drops a segment when all of it is too old.
func (o *sessionAggregate) oldest() int64 {
	limit := o.latest.expired(o.window.Retention)
	if limit == neverSeen {
		return neverSeen
	}
	if o.final == nil {
		return limit + 1
	}
	interval := max(o.window.Retention/2, segment)
	return max(0, limit) / interval * interval
}

// expire deletes the sessions that are no longer there.
func (o *sessionAggregate) expire() error {
	limit := o.oldest()
	if limit == neverSeen || o.reached != neverSeen && limit-o.reached < max(1, o.window.Retention/16) {
		return nil
	}
	o.reached = limit
	var due [][]byte
	err := o.store.Scan([]byte{matTime}, codec.AppendTime([]byte{matTime}, limit), func(k, _ []byte) bool {
		due = append(due, bytes.Clone(k))
		return true
	})
	for _, k := range due {
		if err != nil {
			break
		}
		var start, end int64
		var group []byte
		if start, end, group, err = splitTimeKey(k); err != nil {
			break
		}
		o.group = append(o.group[:0], group...)
		if err = o.store.Delete(k); err == nil {
			err = o.store.Delete(o.rowKey(start, end))
		}
	}
	if err != nil {
		return fmt.Errorf("deleting expired rows of store %s: %w", o.storeName, err)
	}
	return nil
}
