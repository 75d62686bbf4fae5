package jsonsr

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// read turns a JSON value that was written with schema s into a SQL value of
// type t, by way of what Connect's JsonSchemaData makes of it.
func read(s *connect.Schema, t *types.Type, v any, path string) (types.Value, error) {
	if s.Type == connect.Struct && s.Name == unionName {
		return readUnion(s, t, v, path)
	}
	if err := connect.Readable(s, t, path); err != nil {
		return types.Null, err
	}
	if v == nil {
		if !s.Optional {
			return types.Null, fmt.Errorf("Invalid null value for required %s field", strings.ToUpper(s.Type.String()))
		}
		return types.Null, nil
	}
	switch s.Type {
	case connect.Struct:
		return readStruct(s, t, v, path)
	case connect.Array:
		list, ok := v.([]any)
		if !ok {
			return types.Null, wrongKind(s, v)
		}
		values := make([]types.Value, len(list))
		for i, e := range list {
			var err error
			if values[i], err = read(s.Value, t.Elem, e, path+"->ARRAY"); err != nil {
				return types.Null, err
			}
		}
		return types.ArrayValue(values), nil
	case connect.Map:
		return readMap(s, t, v, path)
	default:
		return readScalar(s, t, v)
	}
}

func wrongKind(s *connect.Schema, v any) error {
	return fmt.Errorf("Invalid type for %s: the JSON value is a %T", strings.ToUpper(s.Type.String()), v)
}

func readStruct(s *connect.Schema, t *types.Type, v any, path string) (types.Value, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return types.Null, wrongKind(s, v)
	}
	values := make([]types.Value, len(t.Fields))
	for _, f := range s.Fields {
		member := t.FieldIndex(f.Name)
		if member < 0 {
			if member = t.FieldIndex(strings.ToUpper(f.Name)); member < 0 {
				continue
			}
		}
		at := path + "->" + t.Fields[member].Name
		e, present := o[f.Name]
		if !present {
			if err := connect.Readable(f.Schema, t.Fields[member].Type, at); err != nil {
				return types.Null, err
			}
			values[member] = types.Null
			continue
		}
		var err error
		if values[member], err = read(f.Schema, t.Fields[member].Type, e, at); err != nil {
			return types.Null, err
		}
	}
	return types.StructValue(values), nil
}

// readMap reads both forms of a map: an object, and an array of entries.
func readMap(s *connect.Schema, t *types.Type, v any, path string) (types.Value, error) {
	var entries serde.Entries
	add := func(k types.Value, e any) error {
		value, err := read(s.Value, t.Elem, e, path+"->MAP_VAL")
		entries.Add(k, value)
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if err := add(types.StringValue(k), e); err != nil {
				return types.Null, err
			}
		}
	case []any:
		for _, e := range v {
			entry, ok := e.(map[string]any)
			if !ok {
				return types.Null, wrongKind(s, e)
			}
			key, err := read(s.Key, t.Key, entry["key"], path+"->MAP_KEY")
			if err != nil {
				return types.Null, err
			}
			if err := add(key, entry["value"]); err != nil {
				return types.Null, err
			}
		}
	default:
		return types.Null, wrongKind(s, v)
	}
	if _, object := v.(map[string]any); object {
		entries.Sort()
	}
	return entries.Map(false), nil
}

func readScalar(s *connect.Schema, t *types.Type, v any) (types.Value, error) {
	text := t.Kind == types.KindString
	switch s.Type {
	case connect.Boolean:
		b, ok := v.(bool)
		switch {
		case !ok:
			return types.Null, wrongKind(s, v)
		case text:
			return types.StringValue(strconv.FormatBool(b)), nil
		default:
			return types.BoolValue(b), nil
		}
	case connect.String:
		str, ok := v.(string)
		if !ok {
			return types.Null, nil // textValue of another node is null
		}
		return types.StringValue(str), nil
	case connect.Bytes:
		return readBytes(t, v)
	}
	n, ok := v.(json.Number)
	if !ok {
		return types.Null, wrongKind(s, v)
	}
	if s.Type == connect.Float32 || s.Type == connect.Float64 {
		f, err := n.Float64()
		var syntax *strconv.NumError
		if err != nil && (!errors.As(err, &syntax) || syntax.Err != strconv.ErrRange) {
			return types.Null, err
		}
		if s.Type == connect.Float32 {
			f = float64(float32(f))
		}
		if text {
			return types.StringValue(string(types.AppendDouble(nil, f))), nil
		}
		return types.DoubleValue(f), nil
	}
	i, err := integer(n)
	if err != nil {
		return types.Null, err
	}
	if s.Type == connect.Int32 {
		i = int64(int32(i))
	}
	if text {
		return types.StringValue(strconv.FormatInt(i, 10)), nil
	}
	return types.IntValue(i), nil
}

// integer cuts the fraction off a number.
func integer(n json.Number) (int64, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil || f >= 1<<63 || f < -1<<63 {
		return 0, fmt.Errorf("the number %.40s doesn't fit 64 bits", n)
	}
	return int64(f), nil
}

func readBytes(t *types.Type, v any) (types.Value, error) {
	switch v := v.(type) {
	case json.Number:
		if t.Kind != types.KindDecimal {
			return types.Null, fmt.Errorf("Invalid type for BYTES: the JSON value is a number")
		}
		d, err := types.ParseDecimal(v.String())
		if err != nil {
			return types.Null, err
		}
		if d, err = types.FitDecimal(d, t.Precision, t.Scale); err != nil {
			return types.Null, err
		}
		return types.DecimalValue(d), nil
	case string:
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return types.Null, fmt.Errorf("Invalid bytes field: %w", err)
		}
		if t.Kind == types.KindDecimal {
			if len(b) > maxUnscaled {
				return types.Null, fmt.Errorf("a decimal has %d bytes: at most %d are read", len(b), maxUnscaled)
			}
			return types.DecimalValue(types.DecimalFromUnscaled(b, t.Scale)), nil
		}
		return types.BytesValue(b), nil
	default:
		return types.Null, fmt.Errorf("Invalid type for BYTES: the JSON value is a %T", v)
	}
}

// maxUnscaled bounds the bytes of a decimal that is read.
const maxUnscaled = 4096

// readUnion fills the member of the first type that the value can be read as.
func readUnion(s *connect.Schema, t *types.Type, v any, path string) (types.Value, error) {
	if err := connect.Readable(s, t, path); err != nil {
		return types.Null, err
	}
	if v == nil {
		return types.Null, nil
	}
	values := make([]types.Value, len(t.Fields))
	for _, f := range s.Fields {
		if !couldBe(f.Schema, v) {
			continue
		}
		member := t.FieldIndex(f.Name)
		if member < 0 {
			if member = t.FieldIndex(strings.ToUpper(f.Name)); member < 0 {
				break
			}
		}
		var err error
		if values[member], err = read(f.Schema, t.Fields[member].Type, v, path+"->"+t.Fields[member].Name); err != nil {
			return types.Null, err
		}
		break
	}
	return types.StructValue(values), nil
}

func couldBe(s *connect.Schema, v any) bool {
	switch v := v.(type) {
	case bool:
		return s.Type == connect.Boolean
	case string:
		return s.Type == connect.String || s.Type == connect.Bytes
	case json.Number:
		_, err := v.Int64()
		return s.Type <= connect.Int64 && err == nil || s.Type == connect.Float32 || s.Type == connect.Float64 || s.Name == connect.Decimal
	case []any:
		return s.Type == connect.Array || s.Type == connect.Map
	default:
		return s.Type == connect.Struct || s.Type == connect.Map
	}
}
