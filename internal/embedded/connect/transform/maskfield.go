package transform

import (
	"math/big"
	"slices"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func maskFieldClasses() []Class {
	return both("MaskField", &config.Definition{Keys: []config.Key{
		checked(required(key("fields", config.List, config.High, "The fields to mask.")), nonEmptyList),
		checked(key("replacement", config.String, config.Low, "What to put in their place, for numbers and texts; else what is empty or zero."), config.NonEmptyString),
		replaceNullKey(),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		t := maskField{side: s, fields: settings.List("fields"), replaceNull: settings.Flag(replaceNullSetting)}
		if settings.Given("replacement") {
			t.replacement = new(settings.Text("replacement"))
		}
		return t, nil
	})
}

// maskField hides the values of fields.
type maskField struct {
	side        side
	fields      []string
	replacement *string
	replaceNull bool
}

func (t maskField) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "mask fields"
	schema, v := t.side.get(r)
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		size := len(m.Keys)
		m = m.Clone()
		for _, name := range t.fields {
			field, _ := m.Get(name)
			if field, err = t.masked(field); err != nil {
				return nil, err
			}
			m.Put(name, field)
		}
		m.SortAsCopy(size)
		return t.side.with(r, nil, m), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	changed := data.NewStruct(schema)
	for i, f := range schema.Fields {
		changed.Values[i] = fieldValue(st, i, t.replaceNull)
		if slices.Contains(t.fields, f.Name) {
			if changed.Values[i], err = t.masked(changed.Values[i]); err != nil {
				return nil, err
			}
		}
	}
	return t.side.with(r, schema, changed), nil
}

func (t maskField) masked(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if t.replacement != nil {
		return replaced(v, *t.replacement)
	}
	switch v := v.(type) {
	case bool:
		return false, nil
	case int8:
		return int8(0), nil
	case int16:
		return int16(0), nil
	case int32:
		return int32(0), nil
	case int64:
		return int64(0), nil
	case float32:
		return float32(0), nil
	case float64:
		return float64(0), nil
	case string:
		return "", nil
	case data.Decimal:
		return data.Decimal{Unscaled: new(big.Int)}, nil
	case time.Time:
		if !data.IsSQLTime(v) {
			return time.UnixMilli(0).UTC(), nil
		}
	case []any:
		return []any{}, nil
	case *data.Map:
		return &data.Map{}, nil
	}
	return nil, fault.New(fault.Data, "Cannot mask value of type: class %s", data.ClassName(v))
}

// replaced gives a value of the same type that says what the text says. Numbers are
// narrowed as Java does.
func replaced(v any, text string) (any, error) {
	switch v.(type) {
	case string:
		return text, nil
	case int8, int16, int32, int64, float32, float64, data.Decimal:
	default:
		return nil, fault.New(fault.Data, "Cannot mask value of type class %s with custom replacement.", data.ClassName(v))
	}
	d, err := data.ParseDecimal(text)
	if err != nil {
		which := "a number"
		if _, ok := v.(data.Decimal); ok {
			which = "number"
		}
		return nil, fault.Wrap(fault.Data, fault.New(fault.NumberFormat, "%s", err), "Unable to convert %s (class java.lang.String) to %s", text, which)
	}
	switch v.(type) {
	case int8:
		return int8(d.Long()), nil //nolint:gosec // as Java narrows
	case int16:
		return int16(d.Long()), nil //nolint:gosec // as Java narrows
	case int32:
		return int32(d.Long()), nil //nolint:gosec // as Java narrows
	case int64:
		return d.Long(), nil
	case float32:
		return float32(d.Float(64)), nil
	case float64:
		return d.Float(64), nil
	default:
		return d, nil
	}
}
