package transform

import (
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func maskFieldClasses() []Class {
	return both("MaskField", &config.Definition{Keys: []config.Key{
		checked(required(key("fields", config.List, config.High, "The fields to mask.")), nonEmptyList),
		checked(key("replacement", config.String, config.Low, "What to put in their place, for numbers and texts; else what is empty or zero."), config.NonEmpty),
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
		m = m.Clone()
		for _, name := range t.fields {
			field, _ := m.Get(name)
			if field, err = t.masked(r, field); err != nil {
				return nil, err
			}
			m.Put(name, field)
		}
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
			if changed.Values[i], err = t.masked(r, changed.Values[i]); err != nil {
				return nil, err
			}
		}
	}
	return t.side.with(r, schema, changed), nil
}

func (t maskField) masked(r *plugin.Record, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	if t.replacement != nil {
		return t.replaced(v, *t.replacement)
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
		if r.KafkaTopic == "" {
			// What a JDBC driver reads is of a class that the real one doesn't know.
			return nil, fault.New(fault.Data, "Cannot mask value of type: class java.sql.Timestamp")
		}
		return time.UnixMilli(0).UTC(), nil
	case []any:
		return []any{}, nil
	case *data.Map:
		return &data.Map{}, nil
	default:
		return nil, fault.New(fault.Data, "Cannot mask value of type: class %s", typeName(v))
	}
}

func (t maskField) replaced(v any, text string) (any, error) {
	whole := func(bits int) (int64, error) {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return 0, fault.New(fault.Data, "Unable to convert %s (class java.lang.String) to number", text)
		}
		return n, nil
	}
	real := func(bits int) (float64, error) {
		f, err := strconv.ParseFloat(text, bits)
		if err != nil {
			return 0, fault.New(fault.Data, "Unable to convert %s (class java.lang.String) to number", text)
		}
		return f, nil
	}
	switch v.(type) {
	case int8:
		n, err := whole(8)
		return int8(n), err
	case int16:
		n, err := whole(16)
		return int16(n), err
	case int32:
		n, err := whole(32)
		return int32(n), err
	case int64:
		return whole(64)
	case float32:
		f, err := real(32)
		return float32(f), err
	case float64:
		return real(64)
	case string:
		return text, nil
	case data.Decimal:
		d, ok := data.ParseDecimal(text)
		if !ok {
			return nil, fault.New(fault.Data, "Unable to convert %s (class java.lang.String) to number", text)
		}
		return d, nil
	default:
		return nil, fault.New(fault.Data, "Cannot mask value of type class %s with custom replacement.", typeName(v))
	}
}
