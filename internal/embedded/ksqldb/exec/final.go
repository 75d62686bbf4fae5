package exec

import (
	"bytes"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// finalEmitter gives the rows of closed windows, each once (EMIT FINAL). Rows
// come when a record of the same task moves stream time on, never by a clock.
type finalEmitter struct {
	*folder
	// done is the largest bound up to which windows were emitted.
	done *number
	out  change
}

func newFinalEmitter(f *folder, t *Task) (*finalEmitter, error) {
	done, err := t.number(f.storeName+"/emitted", neverSeen)
	if err != nil {
		return nil, err
	}
	return &finalEmitter{folder: f, done: done}, nil
}

// span gives the bounds, both included, of what has become due when everything
// up to bound is; from > to means nothing.
func (e *finalEmitter) span(bound int64) (from, to int64) {
	if e.done.value != neverSeen {
		from = e.done.value + 1
	}
	if bound < 0 || from > bound {
		return 1, 0
	}
	e.done.set(bound)
	return from, bound
}

type storedRow struct{ key, value []byte }

// collect copies the entries of a range, since emitting them may write to the
// store's task.
func (e *finalEmitter) collect(from, to []byte) ([]storedRow, error) {
	var rows []storedRow
	err := e.store.Scan(from, to, func(k, v []byte) bool {
		rows = append(rows, storedRow{bytes.Clone(k), bytes.Clone(v)})
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("reading store %s: %w", e.storeName, err)
	}
	return rows, nil
}

// emit gives the result of a stored group. c is the change that closed it.
func (e *finalEmitter) emit(c *change, group []byte, w types.Window, data []byte, down operator) error {
	key, err := e.step.Key.Deserialize(group)
	if err != nil {
		return fmt.Errorf("reading a key of store %s: %w", e.storeName, err)
	}
	time, states, err := codec.DecodeRow(data, e.stateTypes, e.states)
	if err != nil {
		return fmt.Errorf("reading store %s: %w", e.storeName, err)
	}
	e.states = states
	e.out.row = c.row
	e.out.row.Key, e.out.row.Window, e.out.row.Time = key, w, time
	if e.out.row.Value, err = e.result(states, e.results); err != nil {
		return err
	}
	e.out.old = nil
	return down.process(&e.out)
}

// deleteRange deletes the keys in [from, to).
func deleteRange(store state.Store, from, to []byte, name string) error {
	var keys [][]byte
	err := store.Scan(from, to, func(k, _ []byte) bool {
		keys = append(keys, bytes.Clone(k))
		return true
	})
	for _, k := range keys {
		if err == nil {
			err = store.Delete(k)
		}
	}
	if err != nil {
		return fmt.Errorf("deleting expired rows of store %s: %w", name, err)
	}
	return nil
}
