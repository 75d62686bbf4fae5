package plan

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/types"

// Schema of a source: the declared columns.
func (n *Source) Schema() *types.Schema { return n.Columns }

// Schema of a filter: its input's.
func (n *Filter) Schema() *types.Schema { return n.Input.Schema() }

// Schema of a projection: the renamed key columns and the computed columns.
func (n *Project) Schema() *types.Schema {
	in := n.Input.Schema()
	key := make([]types.Column, len(in.Key))
	for i, c := range in.Key {
		key[i] = types.Column{Name: n.KeyNames[i], Type: c.Type}
	}
	return &types.Schema{Key: key, Value: columns(n.Values)}
}

// Schema of a flat map: the input's with a column per call appended.
func (n *FlatMap) Schema() *types.Schema {
	in := n.Input.Schema()
	value := append([]types.Column(nil), in.Value...)
	for _, c := range n.Calls {
		value = append(value, types.Column{Name: c.Name, Type: c.Type})
	}
	return &types.Schema{Key: in.Key, Value: value, Header: in.Header}
}

// Schema of a re-key: the new key, the input's value columns, the kept ones.
func (n *Rekey) Schema() *types.Schema {
	in := n.Input.Schema()
	value := append([]types.Column(nil), in.Value...)
	return &types.Schema{Key: columns(n.Keys), Value: append(value, columns(n.Keep)...)}
}

// Schema of an aggregate: groups as key, results as value.
func (n *Aggregate) Schema() *types.Schema {
	value := make([]types.Column, len(n.Calls))
	for i, c := range n.Calls {
		value[i] = types.Column{Name: c.Name, Type: c.Type}
	}
	return &types.Schema{Key: columns(n.Groups), Value: value}
}

// Schema of a suppression: its input's.
func (n *Suppress) Schema() *types.Schema { return n.Input.Schema() }

// Schema of a join on the key: the join key, then both sides' columns.
func (j *Join) Schema() *types.Schema {
	left := j.LeftInput.Schema()
	keyType := j.RightInput.Schema().Key[0].Type
	if len(left.Key) > 0 {
		keyType = left.Key[0].Type
	}
	return &types.Schema{Key: []types.Column{{Name: j.KeyName, Type: keyType}}, Value: j.values()}
}

// Schema of a foreign-key join: the left key, then both sides' columns.
func (n *ForeignKeyJoin) Schema() *types.Schema {
	left := n.LeftInput.Schema()
	key := make([]types.Column, len(left.Key))
	for i, c := range left.Key {
		key[i] = types.Column{Name: n.KeyNames[i], Type: c.Type}
	}
	return &types.Schema{Key: key, Value: n.values()}
}

func (j *Join) values() []types.Column {
	var value []types.Column
	for side, names := range [][]string{j.LeftNames, j.RightNames} {
		in := j.LeftInput.Schema()
		if side == 1 {
			in = j.RightInput.Schema()
		}
		for i, c := range append(append([]types.Column(nil), in.Key...), in.Value...) {
			if names[i] == "" {
				continue
			}
			value = append(value, types.Column{Name: names[i], Type: c.Type})
		}
	}
	return value
}

// Schema of a sink: its input's.
func (n *Sink) Schema() *types.Schema { return n.Input.Schema() }

// Schema of an output: its input's.
func (n *Output) Schema() *types.Schema { return n.Input.Schema() }

// Schema of a materialisation: its input's.
func (n *Materialize) Schema() *types.Schema { return n.Input.Schema() }

func columns(named []Named) []types.Column {
	cols := make([]types.Column, len(named))
	for i, c := range named {
		cols[i] = types.Column{Name: c.Name, Type: c.Expr.Type}
	}
	return cols
}
