package convert

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// toAvro turns a value into what the Avro library writes with the schema n.
func toAvro(s *data.Schema, v any, n *avro.SchemaNode) (any, error) {
	if v == nil && s.HasDefault {
		v = s.Default
	}
	if v == nil {
		if s.Optional {
			return nil, nil
		}
		return nil, fault.New(fault.Data, "Found null value for non-optional schema")
	}
	switch v := v.(type) {
	case int8:
		return int32(v), nil
	case int16:
		return int32(v), nil
	case data.Decimal:
		return new(big.Rat).SetFrac(v.Unscaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil)), nil
	case time.Time:
		if s.Name == data.TimeName {
			return time.Duration(LogicalNumber(s, v)) * time.Millisecond, nil
		}
		return v, checkDate(s, v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = toAvro(s.Value, v[i], nil); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *data.Map:
		m := make(map[string]any, len(v.Keys))
		for i, k := range v.Keys {
			key, ok := k.(string)
			if !ok {
				return nil, fault.New(fault.Data, "a map's key of type %T can't be written as Avro", k)
			}
			value, err := toAvro(s.Value, v.Values[i], nil)
			if err != nil {
				return nil, err
			}
			m[key] = value
		}
		return m, nil
	case *data.Struct:
		return structToAvro(v, n)
	default:
		return v, nil
	}
}

// structToAvro leaves out what the schema written with does not have; it is the
// schema's to say whether it has a default for what is missing.
func structToAvro(v *data.Struct, n *avro.SchemaNode) (any, error) {
	m := make(map[string]any, len(v.Values))
	for i, f := range v.Schema.Fields {
		value, err := toAvro(f.Schema, v.Values[i], nil)
		if err != nil {
			return nil, err
		}
		m[f.Name] = value
	}
	if n != nil && n.Type == "record" {
		for i := range n.Fields {
			f := &n.Fields[i]
			if _, ok := m[f.Name]; !ok && f.HasDefault {
				m[f.Name] = f.Default
			}
		}
	}
	return m, nil
}

// fromAvro turns what the Avro library read, or a schema's default, into a value
// of a schema.
func fromAvro(s *data.Schema, v any) (any, error) {
	if v == nil {
		if s.Optional || s.HasDefault {
			return nil, nil
		}
		return nil, fault.New(fault.Data, "Found null value for non-optional schema")
	}
	if t, ok := v.(time.Time); ok && s.Name != "" {
		return t.UTC(), nil
	}
	switch s.Name {
	case data.TimeName:
		if d, ok := v.(time.Duration); ok {
			return time.Unix(0, 0).UTC().Add(d), nil
		}
	case data.DecimalName:
		return decimalFromAvro(s, v)
	}
	switch s.Type {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		if n, ok := whole(v); ok {
			return ofType(s.Type, n), nil
		}
	case data.Float32, data.Float64:
		f, ok := fractional(v)
		if ok && s.Type == data.Float32 {
			return float32(f), nil
		}
		if ok {
			return f, nil
		}
	case data.Boolean:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case data.String:
		if text, ok := v.(string); ok {
			return text, nil
		}
	case data.Bytes:
		switch raw := v.(type) {
		case []byte:
			return raw, nil
		case string:
			return []byte(raw), nil
		}
	case data.Array:
		if list, ok := v.([]any); ok {
			values := make([]any, len(list))
			for i := range list {
				var err error
				if values[i], err = fromAvro(s.Value, list[i]); err != nil {
					return nil, err
				}
			}
			return values, nil
		}
	default:
		if m, ok := v.(map[string]any); ok {
			return partsFromAvro(s, m)
		}
	}
	return nil, fault.New(fault.Data, "Invalid value of type %T for a %s", v, s.Type)
}

func partsFromAvro(s *data.Schema, m map[string]any) (any, error) {
	if s.Type == data.MapType {
		result := &data.Map{}
		for _, k := range slices.Sorted(maps.Keys(m)) {
			value, err := fromAvro(s.Value, m[k])
			if err != nil {
				return nil, err
			}
			result.Keys = append(result.Keys, k)
			result.Values = append(result.Values, value)
		}
		result.SortAsHashMap()
		return result, nil
	}
	st := data.NewStruct(s)
	for i, f := range s.Fields {
		var err error
		if st.Values[i], err = fromAvro(f.Schema, m[f.Name]); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), float64(int64(n)) == n
	case time.Time:
		return n.UnixMicro(), true
	case time.Duration:
		return n.Microseconds(), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	default:
		return 0, false
	}
}

func fractional(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	default:
		i, ok := whole(v)
		return float64(i), ok
	}
}

func ofType(t data.Type, n int64) any {
	switch t {
	case data.Int8:
		return int8(n)
	case data.Int16:
		return int16(n)
	case data.Int32:
		return int32(n)
	default:
		return n
	}
}

func decimalFromAvro(s *data.Schema, v any) (any, error) {
	switch raw := v.(type) {
	case *big.Rat:
		return scaled(s, raw), nil
	case big.Rat:
		return scaled(s, &raw), nil
	case []byte:
		return decimalOf(s, raw), nil
	case json.Number:
		if r, ok := new(big.Rat).SetString(raw.String()); ok {
			return scaled(s, r), nil
		}
	}
	return nil, fault.New(fault.Data, "Invalid value of type %T for a decimal", v)
}

func scaled(s *data.Schema, r *big.Rat) data.Decimal {
	scale := decimalOf(s, nil).Scale
	n := new(big.Int).Mul(r.Num(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	return data.Decimal{Unscaled: n.Quo(n, r.Denom()), Scale: scale}
}
