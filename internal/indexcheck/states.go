package indexcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderflow/orderflow/internal/order"
)

const (
	// memTableBytes and batchBytes bound the memory of the store.
	memTableBytes = 8 << 20
	batchBytes    = 1 << 20
)

// state is the last record of an order.
type state struct {
	partition int32
	offset    int64
	millis    int64 // of the record's timestamp
	deleted   bool
	order     order.Order
}

// stored is a state as it lies in the store.
type stored struct {
	Partition int32
	Offset    int64
	Millis    int64
	Deleted   bool        `json:",omitempty"`
	Order     order.Order `json:",omitzero"`
}

// states keeps the last state of every order on disk, by id.
type states struct {
	db    *pebble.DB
	batch *pebble.Batch
}

// quiet keeps the store's progress out of the log; its errors are returned.
type quiet struct{}

// Fatalf ends the process, as the store can't go on: it only reads and has nothing
// to lose.
func (quiet) Fatalf(format string, a ...any) {
	_, _ = fmt.Fprintf(os.Stderr, "the store of the check: "+format+"\n", a...)
	os.Exit(1)
}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

func openStates(dir string) (*states, error) {
	db, err := pebble.Open(filepath.Join(dir, "states"), &pebble.Options{DisableWAL: true, MemTableSize: memTableBytes, Logger: quiet{}})
	if err != nil {
		return nil, fmt.Errorf("opening the store of the check: %w", err)
	}
	return &states{db: db, batch: db.NewBatch()}, nil
}

func (s *states) close() error { return errors.Join(s.batch.Close(), s.db.Close()) }

func (s *states) put(id string, st state) error {
	value, err := json.Marshal(stored{st.partition, st.offset, st.millis, st.deleted, st.order})
	if err != nil {
		return fmt.Errorf("storing order %s: %w", id, err)
	}
	if err := s.batch.Set([]byte(id), value, nil); err != nil {
		return fmt.Errorf("storing order %s: %w", id, err)
	}
	if s.batch.Len() >= batchBytes {
		return s.flush()
	}
	return nil
}

func (s *states) flush() error {
	if err := s.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("storing orders: %w", err)
	}
	if err := s.batch.Close(); err != nil {
		return fmt.Errorf("storing orders: %w", err)
	}
	s.batch = s.db.NewBatch()
	return nil
}

func decodeState(id string, value []byte) (*state, error) {
	var v stored
	if err := json.Unmarshal(value, &v); err != nil {
		return nil, fmt.Errorf("reading order %s back: %w", id, err)
	}
	return &state{v.Partition, v.Offset, v.Millis, v.Deleted, v.Order}, nil
}

// get gives the state of an order, nil when there is none.
func (s *states) get(id string) (*state, error) {
	value, closer, err := s.db.Get([]byte(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading order %s back: %w", id, err)
	}
	st, err := decodeState(id, value)
	return st, errors.Join(err, closer.Close())
}

// cursor goes through the orders that exist, by id.
type cursor struct {
	it    *pebble.Iterator
	id    string
	state *state
	ok    bool
	err   error
}

func (s *states) all() (*cursor, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return nil, fmt.Errorf("reading orders back: %w", err)
	}
	c := &cursor{it: it}
	c.settle(it.First())
	return c, nil
}

func (c *cursor) next() { c.settle(c.it.Next()) }

// settle moves on to an order that wasn't deleted.
func (c *cursor) settle(valid bool) {
	for ; valid; valid = c.it.Next() {
		c.id = string(c.it.Key())
		if c.state, c.err = decodeState(c.id, c.it.Value()); c.err != nil {
			break
		}
		if !c.state.deleted {
			c.ok = true
			return
		}
	}
	c.ok = false
	c.err = errors.Join(c.err, c.it.Error())
}

func (c *cursor) close() error { return c.it.Close() }
