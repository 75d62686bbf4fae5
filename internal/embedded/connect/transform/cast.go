package transform

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func castClasses() []Class {
	return both("Cast", &config.Definition{Keys: []config.Key{
		checked(required(key("spec", config.List, config.High, "Fields and their types (field:type,…), or one type for the whole key or value.")), checkCastSpec),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		if len(s.List("spec")) == 0 {
			return config.Errorf("Must specify at least one field to cast.")
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		spec, err := parseCastSpec(settings.List("spec"))
		return cast{s, spec.whole, spec.fields, settings.Flag(replaceNullSetting)}, err
	})
}

type castSpec struct {
	whole  data.Type // 0 for none
	fields map[string]data.Type
}

func checkCastSpec(v any) error {
	list, ok := v.([]string)
	if !ok {
		return nil
	}
	_, err := parseCastSpec(list)
	return err
}

func parseCastSpec(list []string) (castSpec, error) {
	spec := castSpec{fields: map[string]data.Type{}}
	for _, entry := range list {
		parts := strings.Split(entry, ":")
		if len(parts) > 2 {
			return castSpec{}, config.Errorf("Invalid rename mapping: %s", entry)
		}
		name := strings.TrimSpace(parts[len(parts)-1])
		t, ok := data.TypeByName(name)
		if !ok {
			return castSpec{}, config.Errorf("Invalid type found in casting spec: %s", name)
		}
		if !t.Primitive() {
			return castSpec{}, config.Errorf("Cast doesn't support casting to %s", t)
		}
		if len(parts) == 1 {
			spec.whole = t
		} else {
			spec.fields[strings.TrimSpace(parts[0])] = t
		}
	}
	if spec.whole != 0 && len(list) > 1 {
		return castSpec{}, config.Errorf("Cast transformations that specify a type to cast the entire value to may ony specify a single cast in their spec")
	}
	return spec, nil
}

// cast turns fields, or the whole key or value, into other primitive types.
type cast struct {
	side   side
	whole  data.Type
	fields map[string]data.Type
	// replaceNull takes a field's default for a null.
	replaceNull bool
}

func (t cast) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if v == nil && schema == nil {
		return r, nil
	}
	if t.whole != 0 {
		return t.applyWhole(r, schema, v)
	}
	if schema == nil {
		m, err := asMap(v, "cast types")
		if err != nil {
			return nil, err
		}
		m = m.Clone()
		for i, k := range m.Keys {
			if name, ok := k.(string); ok && t.fields[name] != 0 {
				if m.Values[i], err = castValue(nil, m.Values[i], t.fields[name]); err != nil {
					return nil, err
				}
			}
		}
		return t.side.with(r, nil, m), nil
	}
	st, err := asStruct(v, "cast types")
	if err != nil {
		return nil, err
	}
	changed := basics(schema)
	values := make([]any, len(st.Values))
	for i, f := range schema.Fields {
		values[i] = fieldValue(st, i, t.replaceNull)
		if to := t.fields[f.Name]; to != 0 {
			if values[i], err = castValue(f.Schema, values[i], to); err != nil {
				return nil, err
			}
			s := &data.Schema{Type: to, Optional: f.Schema.Optional}
			if f.Schema.HasDefault {
				if s.Default, err = castValue(f.Schema, f.Schema.Default, to); err != nil {
					return nil, err
				}
				s.HasDefault = true
			}
			f.Schema = s
		}
		changed.Fields = append(changed.Fields, f)
	}
	return t.side.with(r, changed, &data.Struct{Schema: changed, Values: values}), nil
}

func (t cast) applyWhole(r *plugin.Record, schema *data.Schema, v any) (*plugin.Record, error) {
	casted, err := castValue(schema, v, t.whole)
	if err != nil {
		return nil, err
	}
	if schema == nil {
		return t.side.with(r, nil, casted), nil
	}
	return t.side.with(r, &data.Schema{Type: t.whole, Optional: schema.Optional}, casted), nil
}

func castValue(schema *data.Schema, v any, to data.Type) (any, error) {
	if v == nil {
		return nil, nil
	}
	if at, ok := v.(time.Time); ok && to != data.String {
		v = convert.LogicalNumber(schema, at)
	}
	switch to {
	case data.String:
		if at, ok := v.(time.Time); ok {
			return timeText(schema, at), nil
		}
		return data.Text(v), nil
	case data.Boolean:
		return castBoolean(v)
	case data.Float32, data.Float64:
		f, err := castFloat(v)
		if to == data.Float32 {
			return float32(f), err
		}
		return f, err
	case data.Bytes:
		return nil, fault.New(fault.Data, "%s is not supported in the Cast transformation.", strings.ToUpper(to.String()))
	default:
		return castWhole(v, to)
	}
}

// timeText is how the real transformation writes points in time.
func timeText(schema *data.Schema, at time.Time) string {
	layout := "2006-01-02T15:04:05.000Z"
	if schema != nil {
		switch schema.Name {
		case data.DateName:
			layout = "2006-01-02"
		case data.TimeName:
			layout = "15:04:05.000Z"
		}
	}
	return at.UTC().Format(layout)
}

func notANumber(v string) error {
	return fault.Wrap(fault.Data, fault.New(fault.NumberFormat, "For input string: %q", v), "Value (%s) was out of range for requested data type", v)
}

func unexpected(v any) error {
	return fault.New(fault.Data, "Unexpected type in Cast transformation: class %s", typeName(v))
}

func castBoolean(v any) (any, error) {
	if text, ok := v.(string); ok {
		return strings.EqualFold(text, "true"), nil
	}
	f, err := castFloat(v)
	if err != nil {
		return nil, err
	}
	return int64(f) != 0, nil
}

func castFloat(v any) (float64, error) {
	switch v := v.(type) {
	case int8:
		return float64(v), nil
	case int16:
		return float64(v), nil
	case int32:
		return float64(v), nil
	case int64:
		return float64(v), nil
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, notANumber(v)
		}
		return f, nil
	default:
		return 0, unexpected(v)
	}
}

var wholeBits = map[data.Type]int{data.Int8: 8, data.Int16: 16, data.Int32: 32, data.Int64: 64}

func castWhole(v any, to data.Type) (any, error) {
	var n int64
	switch v := v.(type) {
	case int8:
		n = int64(v)
	case int16:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	case float32:
		n = javaLong(float64(v), to)
	case float64:
		n = javaLong(v, to)
	case bool:
		if v {
			n = 1
		}
	case string:
		parsed, err := strconv.ParseInt(v, 10, wholeBits[to])
		if err != nil {
			return nil, notANumber(v)
		}
		n = parsed
	default:
		return nil, unexpected(v)
	}
	switch to {
	case data.Int8:
		return int8(n), nil
	case data.Int16:
		return int16(n), nil
	case data.Int32:
		return int32(n), nil
	default:
		return n, nil
	}
}

// javaLong turns a float into a whole number as Java's casts do: towards zero,
// saturating, NaN to 0; narrow types go by way of int.
func javaLong(f float64, to data.Type) int64 {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if to != data.Int64 {
		least, most = math.MinInt32, math.MaxInt32
	}
	switch {
	case math.IsNaN(f):
		return 0
	case f >= float64(most):
		return most
	case f <= float64(least):
		return least
	default:
		return int64(f)
	}
}
