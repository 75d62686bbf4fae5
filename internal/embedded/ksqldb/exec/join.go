package exec

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// JoinType is the kind of a join.
type JoinType uint8

// The joins of ksqlDB.
const (
	Inner JoinType = iota + 1
	Left
	Right
	Full
)

// Join is what all joins share. The value columns of the result are those picked
// from the left side followed by those from the right; a side without a row
// gives NULLs.
type Join struct {
	Type  JoinType
	Left  Step
	Right Step
	// Columns is the shape of the result.
	Columns *types.Schema
	// LeftPick and RightPick are the columns of the sides that the result has:
	// positions among a side's key columns, then its value columns.
	LeftPick  []int
	RightPick []int
	// Key writes the key that both sides are joined on.
	Key  format.Serde
	Name string // for the processing log
}

func (j *Join) schema() *types.Schema { return j.Columns }

// plumbSides builds both inputs into one sub-topology.
func (j *Join) plumbSides(a *assembly, needOld bool) (left, right *pipe, sub *draft, err error) {
	if left, err = a.plumb(j.Left, needOld); err != nil {
		return nil, nil, nil, err
	}
	if right, err = a.plumb(j.Right, needOld); err != nil {
		return nil, nil, nil, err
	}
	sub = merge(left.sub, right.sub)
	if group := append(append([]string(nil), left.keyed...), right.keyed...); len(group) > 1 {
		sub.groups = append(sub.groups, group)
	}
	return left, right, sub, nil
}

// keyed are the topics that the result is still partitioned like.
func (j *Join) keyed(left, right *pipe) []string {
	return append(append([]string(nil), left.keyed...), right.keyed...)
}

// side is one input of a join as its operators see it.
type side struct {
	isLeft bool
	keys   int   // number of key columns
	pick   []int // of the columns in the result
	types  []*types.Type
	store  state.Store
	name   string // of the store
}

func (j *Join) side(isLeft bool) side {
	in, pick := j.Right.schema(), j.RightPick
	if isLeft {
		in, pick = j.Left.schema(), j.LeftPick
	}
	return side{isLeft: isLeft, keys: len(in.Key), pick: pick, types: columnTypes(in.Value)}
}

func (s *side) open(t *Task, store string) error {
	var err error
	s.name = store
	s.store, err = t.openRows(store, s.types, true)
	return err
}

// keyBytes writes a row's key, its window included, behind dst. A null key
// gives nil.
func (t *Task) keyBytes(dst []byte, serde format.Serde, row *types.Row, step string) ([]byte, error) {
	if nullKey(row.Key) {
		return nil, nil
	}
	key, err := serde.Serialize(dst, row.Key)
	if err != nil {
		return nil, t.serializationError(step, "key", step, err)
	}
	if key == nil {
		return nil, nil
	}
	return format.AppendWindow(key, row.Window), nil
}

// pair builds the value columns of joined rows.
type pair struct {
	left, right side
	values      []types.Value
}

func newPair(left, right side) *pair {
	return &pair{left: left, right: right, values: make([]types.Value, len(left.pick)+len(right.pick))}
}

// join gives the value columns for the two sides' rows; nil values stand for a
// side without a row.
func (p *pair) join(leftKey, left, rightKey, right []types.Value) []types.Value {
	n := len(p.left.pick)
	p.left.fill(p.values[:n], leftKey, left)
	p.right.fill(p.values[n:], rightKey, right)
	return p.values
}

func (s *side) fill(dst, key, values []types.Value) {
	if values == nil {
		clear(dst)
		return
	}
	for i, from := range s.pick {
		switch {
		case from >= s.keys:
			dst[i] = values[from-s.keys]
		case key == nil:
			dst[i] = types.Null
		default:
			dst[i] = key[from]
		}
	}
}

// tableSide keeps the rows of a table that is joined.
type tableSide struct {
	side
	values []types.Value
	buf    []byte
}

// get gives the row of a key; its values are valid until the next get.
func (s *tableSide) get(key []byte) (time int64, values []types.Value, err error) {
	data, ok, err := s.store.Get(key)
	if err != nil {
		return 0, nil, fmt.Errorf("reading store %s: %w", s.name, err)
	}
	if !ok {
		return 0, nil, nil
	}
	if time, s.values, err = codec.DecodeRow(data, s.types, s.values); err != nil {
		return 0, nil, fmt.Errorf("reading store %s: %w", s.name, err)
	}
	return time, s.values, nil
}

// put stores a row, or deletes it when it has no value.
func (s *tableSide) put(key []byte, row *types.Row) error {
	var err error
	if row.Value == nil {
		err = s.store.Delete(key)
	} else {
		s.buf = codec.AppendRow(s.buf[:0], row.Time, s.types, row.Value)
		err = s.store.Put(key, s.buf)
	}
	if err != nil {
		return fmt.Errorf("writing store %s: %w", s.name, err)
	}
	return nil
}

// port is an input of an operator that has several.
type port func(c *change) error

func (p port) process(c *change) error { return p(c) }

// splitKey reads a key that keyBytes wrote. like is a window of the same kind
// and size as the key's.
func splitKey(serde format.Serde, key []byte, like types.Window) ([]types.Value, types.Window, error) {
	inner, window, err := format.SplitWindow(key, like.Kind, like.End-like.Start)
	if err != nil {
		return nil, types.Window{}, err
	}
	values, err := serde.Deserialize(inner)
	return values, window, err
}
