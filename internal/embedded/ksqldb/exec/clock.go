package exec

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
)

// metaStore holds single numbers that operators remember, by name.
const metaStore = "task-meta"

// clockSuffix makes the name of a store's clock from the store's.
const clockSuffix = "/time"

// neverSeen is the reading of a clock before the first record.
const neverSeen = math.MinInt64

// number is an integer that is kept in memory while a task runs and written to
// the meta store by Flush.
type number struct {
	value int64
	dirty bool
}

func (n *number) set(v int64) {
	if v != n.value {
		n.value, n.dirty = v, true
	}
}

// number loads the number of the given name, or takes initial.
func (t *Task) number(name string, initial int64) (*number, error) {
	store, err := t.env.Stores.Store(metaStore)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", metaStore, err)
	}
	n := &number{}
	key := []byte(name)
	if n.value, err = readNumber(store, name, initial); err != nil {
		return nil, err
	}
	t.flush = append(t.flush, func() error {
		if !n.dirty {
			return nil
		}
		n.dirty = false
		return store.Put(key, binary.BigEndian.AppendUint64([]byte{codec.Version}, uint64(n.value)))
	})
	return n, nil
}

func readNumber(store state.Store, name string, initial int64) (int64, error) {
	data, ok, err := store.Get([]byte(name))
	if err != nil {
		return 0, fmt.Errorf("reading store %s: %w", metaStore, err)
	}
	if !ok {
		return initial, nil
	}
	if len(data) != 9 || data[0] != codec.Version {
		return 0, fmt.Errorf("reading %s of store %s: %w", name, metaStore, codec.ErrCorrupt)
	}
	return int64(binary.BigEndian.Uint64(data[1:])), nil
}

// clock is the stream time of an operator or of a store: the largest time seen.
// It also says when a store is due for a clean-up.
type clock struct {
	time  *number
	swept int64
	name  string
}

// clock loads the clock of the given name, which is about a store.
func (t *Task) clock(name, store string) (*clock, error) {
	n, err := t.number(name, neverSeen)
	if err != nil {
		return nil, err
	}
	return &clock{time: n, swept: neverSeen, name: store}, nil
}

func (c *clock) now() int64 { return c.time.value }

// observe moves the clock forward to time.
func (c *clock) observe(time int64) {
	if time > c.time.value {
		c.time.set(time)
	}
}

// advance moves the clock forward and deletes from the store what has become
// older than retention milliseconds. It sweeps now and then only: who reads must
// leave out older rows itself.
func (c *clock) advance(time int64, store state.Store, retention int64) error {
	c.observe(time)
	limit := c.expired(retention)
	if limit == neverSeen || c.swept != neverSeen && limit-c.swept < max(1, retention/16) {
		return nil
	}
	c.swept = limit
	return sweep(store, limit, c.name)
}

// expired gives the time that rows must be later than to be still there.
func (c *clock) expired(retention int64) int64 {
	if c.time.value < neverSeen+retention {
		return neverSeen
	}
	return c.time.value - retention
}

// putExpiry notes that key of the store may be deleted once its time has
// expired.
func putExpiry(store state.Store, time int64, key []byte) error {
	entry := codec.AppendTime([]byte{matTime}, time)
	return store.Put(append(entry, key...), nil)
}

// sweep deletes what putExpiry noted for times up to limit.
func sweep(store state.Store, limit int64, name string) error {
	var due [][]byte
	to := codec.AppendTime([]byte{matTime}, limit)
	err := store.Scan([]byte{matTime}, codec.PrefixEnd(to), func(k, _ []byte) bool {
		due = append(due, append([]byte(nil), k...))
		return true
	})
	for _, k := range due {
		if err == nil {
			err = store.Delete(k)
		}
		if err == nil {
			err = store.Delete(k[9:])
		}
	}
	if err != nil {
		return fmt.Errorf("deleting expired rows of store %s: %w", name, err)
	}
	return nil
}
