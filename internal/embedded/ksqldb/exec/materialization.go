package exec

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Materialization describes the store that holds the newest row of each key of
// a query's table, and reads it. Its functions work on the stores of any one
// task of sub-topology Sub: a caller that wants the whole table asks for every
// partition.
//
// A plain table's row lies under the bytes of its key, a windowed one's under
// the key's bytes in an encoding that keeps their order and lets no key be the
// beginning of another, then the window.
type Materialization struct {
	// Sub is the sub-topology whose tasks keep the store.
	Sub int
	// Store is the name of the store.
	Store string
	// Schema is the shape of the rows.
	Schema *types.Schema
	// Key writes and reads the key columns.
	Key format.Serde
	// Window is the kind of window of the rows, NoWindow for plain tables;
	// WindowSize is that of time windows in milliseconds.
	Window     types.WindowKind
	WindowSize int64
	// Retention is how many milliseconds of stream time windows are kept.
	Retention int64

	valueTypes []*types.Type
}

// Get gives the row of a key of a plain table, or nil.
func (m *Materialization) Get(stores state.Stores, key []types.Value) (*types.Row, error) {
	store, err := stores.Store(m.Store)
	if err != nil {
		return nil, err
	}
	b, err := m.Key.Serialize(nil, key)
	if err != nil {
		return nil, fmt.Errorf("writing the key to look up: %w", err)
	}
	data, ok, err := store.Get(b)
	if err != nil || !ok {
		return nil, err
	}
	return m.row(key, types.Window{}, data)
}

// Windows calls visit for the windows of a key of a windowed table, in the order
// of their start (time windows) or of their end (sessions), until visit returns
// false. Windows that have left the retention aren't there.
func (m *Materialization) Windows(stores state.Stores, key []types.Value, visit func(*types.Row) bool) error {
	b, err := m.Key.Serialize(nil, key)
	if err != nil {
		return fmt.Errorf("writing the key to look up: %w", err)
	}
	prefix := codec.AppendOrdered([]byte{matRows}, b)
	return m.scan(stores, prefix, codec.PrefixEnd(prefix), visit)
}

// Scan calls visit for every row in the order of the key's bytes, and of the
// windows of a key, until it returns false. from and to are keys of a plain table
// (nil is open; windowed tables are scanned as a whole): the range includes from
// and, like all ranges here, excludes to.
func (m *Materialization) Scan(stores state.Stores, from, to []types.Value, visit func(*types.Row) bool) error {
	if m.Window != types.NoWindow {
		prefix := []byte{matRows}
		return m.scan(stores, prefix, codec.PrefixEnd(prefix), visit)
	}
	var lo, hi []byte
	var err error
	if from != nil {
		if lo, err = m.Key.Serialize(nil, from); err != nil {
			return fmt.Errorf("writing the lower bound of a scan: %w", err)
		}
	}
	if to != nil {
		if hi, err = m.Key.Serialize(nil, to); err != nil {
			return fmt.Errorf("writing the upper bound of a scan: %w", err)
		}
	}
	return m.scan(stores, lo, hi, visit)
}

func (m *Materialization) scan(stores state.Stores, from, to []byte, visit func(*types.Row) bool) error {
	store, err := stores.Store(m.Store)
	if err != nil {
		return err
	}
	oldest, err := m.oldest(stores)
	if err != nil {
		return err
	}
	var failed error
	err = store.Scan(from, to, func(k, v []byte) bool {
		row, err := m.entry(k, v)
		if err != nil {
			failed = err
			return false
		}
		return row.Window.Kind != types.NoWindow && windowAge(row.Window) < oldest || visit(row)
	})
	if err != nil {
		return err
	}
	return failed
}

// oldest is the least age of the windows that are still there.
func (m *Materialization) oldest(stores state.Stores) (int64, error) {
	if m.Retention == 0 {
		return neverSeen, nil
	}
	meta, err := stores.Store(metaStore)
	if err != nil {
		return 0, err
	}
	now, err := readNumber(meta, m.Store+clockSuffix, neverSeen)
	if err != nil || now < neverSeen+m.Retention {
		return neverSeen, err
	}
	return now - m.Retention + 1, nil
}

func (m *Materialization) entry(k, v []byte) (*types.Row, error) {
	var window types.Window
	if m.Window != types.NoWindow {
		inner, rest, err := codec.SplitOrdered(k[1:])
		if err != nil {
			return nil, err
		}
		if _, window, err = format.SplitWindow(rest, m.Window, m.WindowSize); err != nil {
			return nil, err
		}
		k = inner
	}
	key, err := m.Key.Deserialize(k)
	if err != nil {
		return nil, fmt.Errorf("reading a key of store %s: %w", m.Store, err)
	}
	return m.row(key, window, v)
}

func (m *Materialization) row(key []types.Value, window types.Window, data []byte) (*types.Row, error) {
	time, values, err := codec.DecodeRow(data, m.valueTypes, nil)
	if err != nil {
		return nil, fmt.Errorf("reading a row of store %s: %w", m.Store, err)
	}
	return &types.Row{Key: key, Value: values, Time: time, Window: window}, nil
}

// The first byte of the keys of a windowed table's store.
const (
	matRows byte = 'r'
	matTime byte = 't'
)
