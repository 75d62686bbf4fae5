package exec

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// open opens a store of rows that hold values of the given types and nothing
// else: a query that was replaced by one that needs other values can't use it.
func (t *Task) open(name string, columns []*types.Type) (state.Store, error) {
	return t.openRows(name, columns, false)
}

// openRows opens a store of rows of a table or stream. What the rows look like is
// noted beside it, since only who knows can read them. growing lets a query that
// was replaced find its rows with columns added at the end, which are NULL.
func (t *Task) openRows(name string, columns []*types.Type, growing bool) (state.Store, error) {
	store, err := t.env.Stores.Store(name)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", name, err)
	}
	meta, err := t.env.Stores.Store(metaStore)
	if err != nil {
		return nil, fmt.Errorf("opening store %s: %w", metaStore, err)
	}
	var b strings.Builder
	b.WriteByte(codec.Version)
	for _, c := range columns {
		b.WriteString(c.String() + ";")
	}
	key, layout := []byte(name+"/columns"), b.String()
	was, ok, err := meta.Get(key)
	if err != nil {
		return nil, fmt.Errorf("reading store %s: %w", metaStore, err)
	}
	if string(was) == layout {
		return store, nil
	}
	if ok && !(growing && strings.HasPrefix(layout, string(was))) {
		return nil, fmt.Errorf("opening store %s: its rows have the columns %s and the query needs %s: drop the query and create it anew",
			name, was[1:], layout[1:])
	}
	if err := meta.Put(key, []byte(layout)); err != nil {
		return nil, fmt.Errorf("writing store %s: %w", metaStore, err)
	}
	return store, nil
}
