package exec

import (
	"math"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// windowAggregate folds rows into the time windows they belong to, in ascending
// order of the windows. A window is closed, and takes no more rows, once stream
// time has reached its end plus grace. Its store has the window's start before
// the group, so that old windows lie together.
type windowAggregate struct {
	*folder
	window *Window
	down   operator
	out    change
	// streamTime is the largest time of any row that reached the operator;
	// latest is the largest window start in the store.
	streamTime *clock
	latest     *clock
	final      *finalEmitter
	reached    int64
}

func newWindowAggregate(f *folder, t *Task, down operator) (*windowAggregate, error) {
	o := &windowAggregate{folder: f, window: f.step.Window, down: down, reached: neverSeen}
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

func (o *windowAggregate) process(c *change) error {
	time := c.row.Time
	o.streamTime.observe(time)
	closed := o.streamTime.now() - o.window.Grace
	size, advance := o.window.Size, o.window.Advance
	start := max(0, time-size+advance) / advance * advance
	for ; start <= time; start += advance {
		end := start + size
		if end < start {
			end = math.MaxInt64
		}
		if end <= closed {
			o.task.late()
			continue
		}
		if err := o.update(c, types.Window{Kind: types.TimeWindow, Start: start, End: end}); err != nil {
			return err
		}
	}
	if o.final != nil {
		if err := o.emitClosed(c, closed); err != nil {
			return err
		}
	}
	return o.expire()
}

func (o *windowAggregate) update(c *change, w types.Window) error {
	key, err := o.groupKey(codec.AppendTime(o.key[:0], w.Start), c.row.Key)
	if err != nil {
		return err
	}
	o.key = key
	time, states, err := o.load(key)
	if err != nil {
		return err
	}
	o.out.row = c.row
	o.out.row.Window = w
	o.out.old = nil
	if states == nil {
		states = o.next
		o.init(states)
	} else {
		if o.needOld {
			o.out.oldTime = time
			if o.out.old, err = o.result(states, o.oldResults); err != nil {
				return err
			}
		}
		o.out.row.Time = max(c.row.Time, time)
	}
	if err := o.add(states, c.row.Value); err != nil {
		return err
	}
	if err := o.save(key, o.out.row.Time, states); err != nil {
		return err
	}
	o.latest.observe(w.Start)
	if o.final != nil {
		return nil
	}
	if o.out.row.Value, err = o.result(states, o.results); err != nil {
		return err
	}
	return o.down.process(&o.out)
}

// emitClosed gives the rows of the windows that have closed, by start and then
// by group. Windows that start more than the retention before the latest one
// have left the store by then and are lost, as they are in Kafka Streams.
func (o *windowAggregate) emitClosed(c *change, closed int64) error {
	from, to := o.final.span(closed - o.window.Size)
	if from > to {
		return nil
	}
	if kept := o.latest.expired(o.window.Retention); kept != neverSeen && from < kept {
		from = kept
	}
	rows, err := o.final.collect(codec.AppendTime(nil, from), codec.AppendTime(nil, to+1))
	if err != nil {
		return err
	}
	for _, r := range rows {
		start, err := codec.Time(r.key)
		if err != nil {
			return err
		}
		w := types.Window{Kind: types.TimeWindow, Start: start, End: start + o.window.Size}
		if err := o.final.emit(c, r.key[8:], w, r.value, o.down); err != nil {
			return err
		}
	}
	return nil
}

// expire deletes the windows that have left the retention.
func (o *windowAggregate) expire() error {
	limit := o.latest.expired(o.window.Retention)
	if limit == neverSeen || o.reached != neverSeen && limit-o.reached < max(1, o.window.Retention/16) {
		return nil
	}
	o.reached = limit
	return deleteRange(o.store, nil, codec.AppendTime(nil, limit), o.storeName)
}
