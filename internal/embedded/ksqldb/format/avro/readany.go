package avro

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// unionReader reads a union of several types into a STRUCT with a member per
// branch. The library decodes those into an interface value that tells the
// branch: slower, but such unions are rare.
func unionReader(n *avro.SchemaNode, t *types.Type, path string) (*reader, error) {
	if err := connect.Readable(&connect.Schema{Type: connect.Struct}, t, path); err != nil {
		return failing(err), nil
	}
	return &reader{goType: anyType, tagged: true, read: func(p unsafe.Pointer) (types.Value, error) {
		return fromAny(n, t, path, *(*any)(p))
	}}, nil
}

// fromAny reads what the library decoded into an interface value.
func fromAny(n *avro.SchemaNode, t *types.Type, path string, v any) (types.Value, error) {
	if n.Type == "union" {
		return unionFromAny(n, t, path, v)
	}
	s, err := shallow(n)
	if err != nil {
		return types.Null, err
	}
	if err := connect.Readable(s, t, path); err != nil {
		return types.Null, err
	}
	text := t.Kind == types.KindString
	switch v := v.(type) {
	case nil:
		return types.Null, nil
	case bool:
		if text {
			return types.StringValue(strconv.FormatBool(v)), nil
		}
		return types.BoolValue(v), nil
	case int32:
		return intValue(int64(v), text), nil
	case int64:
		return intValue(v, text), nil
	case float32:
		if text {
			return types.StringValue(floatText(v)), nil
		}
		return types.DoubleValue(float64(v)), nil
	case float64:
		if text {
			return types.StringValue(string(types.AppendDouble(nil, v))), nil
		}
		return types.DoubleValue(v), nil
	case string:
		return types.StringValue(validText(v)), nil
	case []byte:
		if t.Kind == types.KindDecimal {
			return decimalValue(v, n.Scale, t.Precision, t.Scale)
		}
		return types.BytesValue(v), nil
	case []any:
		return sliceFromAny(n, t, path, v)
	case map[string]any:
		return mapFromAny(n, t, path, v)
	default:
		return types.Null, fmt.Errorf("reading %s: the Avro library gave a %T", path, v)
	}
}

func unionFromAny(n *avro.SchemaNode, t *types.Type, path string, v any) (types.Value, error) {
	branch, optional := soleBranch(n)
	tagged, isTagged := v.(map[string]any)
	if v == nil || !isTagged || len(tagged) != 1 {
		if v == nil && optional {
			return types.Null, nil
		}
		return types.Null, fmt.Errorf("reading %s: the Avro library gave a %T for a union", path, v)
	}
	var name string
	for name, v = range tagged {
	}
	if branch != nil {
		return fromAny(branch, t, path, v)
	}
	if err := connect.Readable(&connect.Schema{Type: connect.Struct}, t, path); err != nil {
		return types.Null, err
	}
	values := make([]types.Value, len(t.Fields))
	for i := range n.Branches {
		b := &n.Branches[i]
		if branchName(b) != name {
			continue
		}
		member := t.FieldIndex(name)
		if member < 0 {
			if member = t.FieldIndex(strings.ToUpper(name)); member < 0 {
				break
			}
		}
		value, err := fromAny(b, t.Fields[member].Type, path+"->"+t.Fields[member].Name, v)
		if err != nil {
			return types.Null, err
		}
		values[member] = value
	}
	return types.StructValue(values), nil
}

func sliceFromAny(n *avro.SchemaNode, t *types.Type, path string, v []any) (types.Value, error) {
	if t.Kind == types.KindMap {
		return entriesFromAny(n.Items, t, path, v)
	}
	values := make([]types.Value, len(v))
	for i, e := range v {
		value, err := fromAny(n.Items, t.Elem, path+"->ARRAY", e)
		if err != nil {
			return types.Null, err
		}
		values[i] = value
	}
	return types.ArrayValue(values), nil
}

func entriesFromAny(n *avro.SchemaNode, t *types.Type, path string, v []any) (types.Value, error) {
	var entries serde.Entries
	for _, e := range v {
		entry, _ := e.(map[string]any)
		key, err := fromAny(&n.Fields[0].Type, t.Key, path+"->MAP_KEY", entry["key"])
		if err != nil {
			return types.Null, err
		}
		value, err := fromAny(&n.Fields[1].Type, t.Elem, path+"->MAP_VAL", entry["value"])
		if err != nil {
			return types.Null, err
		}
		entries.Add(key, value)
	}
	return entries.Map(false), nil
}

func mapFromAny(n *avro.SchemaNode, t *types.Type, path string, v map[string]any) (types.Value, error) {
	if n.Type == "map" {
		var entries serde.Entries
		for k, e := range v {
			value, err := fromAny(n.Values, t.Elem, path+"->MAP_VAL", e)
			if err != nil {
				return types.Null, err
			}
			entries.Add(types.StringValue(validText(k)), value)
		}
		entries.Sort()
		return entries.Map(false), nil
	}
	values := make([]types.Value, len(t.Fields))
	for i := range n.Fields {
		f := &n.Fields[i]
		member := t.FieldIndex(f.Name)
		if member < 0 {
			if member = t.FieldIndex(strings.ToUpper(f.Name)); member < 0 {
				continue
			}
		}
		value, err := fromAny(&f.Type, t.Fields[member].Type, path+"->"+t.Fields[member].Name, v[f.Name])
		if err != nil {
			return types.Null, err
		}
		values[member] = value
	}
	return types.StructValue(values), nil
}
