package transform

import (
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

const day = 24 * time.Hour

// The representations of a point in time.
const (
	asText      = "string"
	asUnix      = "unix"
	asDate      = "Date"
	asTime      = "Time"
	asTimestamp = "Timestamp"
)

func timestampConverterClasses() []Class {
	return both("TimestampConverter", &config.Definition{Keys: []config.Key{
		withDefault(key("field", config.String, config.High, "The field with the point in time; empty for the whole key or value."), ""),
		checked(required(key("target.type", config.String, config.High, "What to make of it: string, unix, Date, Time or Timestamp.")),
			config.OneOf(asText, asUnix, asDate, asTime, asTimestamp)),
		withDefault(key("format", config.String, config.Medium, "The pattern of texts, in the way of Java's SimpleDateFormat."), ""),
		checked(withDefault(key("unix.precision", config.String, config.Low, "What unix numbers count: seconds, milliseconds, microseconds or nanoseconds."), "milliseconds"),
			config.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds")),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		_, err := timestampFormat(s)
		return err
	}, func(s side, settings config.Settings) (Transformation, error) {
		format, err := timestampFormat(settings)
		return timestampConverter{side: s, field: settings.Text("field"), target: settings.Text("target.type"), format: format, unit: unixUnits[settings.Text("unix.precision")], replaceNull: settings.Flag(replaceNullSetting)}, err
	})
}

// timestampFormat reads the pattern of texts, nil for none.
func timestampFormat(s config.Settings) (*dateFormat, error) {
	text := s.Text("format")
	if strings.TrimSpace(text) == "" {
		if s.Text("target.type") == asText {
			return nil, config.Wholef("TimestampConverter requires format option to be specified when using string timestamps")
		}
		return nil, nil
	}
	format, err := compileDateFormat(text)
	if err != nil {
		return nil, config.Wholef("Invalid value java.lang.IllegalArgumentException: %s for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: %s", err, text)
	}
	return format, nil
}

var unixUnits = map[string]time.Duration{
	"seconds": time.Second, "milliseconds": time.Millisecond, "microseconds": time.Microsecond, "nanoseconds": time.Nanosecond,
}

// timestampConverter turns a point in time from one representation to another.
type timestampConverter struct {
	side          side
	field, target string
	format        *dateFormat // nil for none
	unit          time.Duration
	replaceNull   bool
}

const converting = "converting timestamp formats"

func (t timestampConverter) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if schema == nil {
		return t.applySchemaless(r, v)
	}
	if t.field == "" {
		from, err := representation(schema)
		if err != nil {
			return nil, err
		}
		if v, err = t.convert(from, v); err != nil {
			return nil, err
		}
		return t.side.with(r, t.schema(schema.Optional), v), nil
	}
	st, err := asStructOrNull(v, converting)
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(schema)
	if err != nil {
		return nil, err
	}
	changed := basics(schema)
	changed.Optional = schema.Optional
	if st == nil {
		for _, f := range fields {
			changed.Fields = append(changed.Fields, data.Field{Name: f.Name, Schema: t.fieldSchema(f)})
		}
		return t.side.with(r, changed, nil), nil
	}
	m := newMaker(changed)
	for i, f := range fields {
		value := fieldValue(st, i, t.replaceNull)
		if f.Name == t.field {
			from, err := representation(f.Schema)
			if err != nil {
				return nil, err
			}
			if value, err = t.convert(from, value); err != nil {
				return nil, err
			}
		}
		m.add(f.Name, t.fieldSchema(f), value)
	}
	if st, err = m.made(); err != nil {
		return nil, err
	}
	return t.side.with(r, st.Schema, st), nil
}

func (t timestampConverter) applySchemaless(r *plugin.Record, v any) (*plugin.Record, error) {
	if v == nil || t.field == "" {
		converted, err := t.convert("", v)
		if err != nil {
			return nil, err
		}
		return t.side.with(r, nil, converted), nil
	}
	m, err := asMap(v, converting)
	if err != nil {
		return nil, err
	}
	size := len(m.Keys)
	m = m.Clone()
	field, _ := m.Get(t.field)
	if field, err = t.convert("", field); err != nil {
		return nil, err
	}
	m.Put(t.field, field)
	m.SortAsCopy(size)
	return t.side.with(r, nil, m), nil
}

func (t timestampConverter) fieldSchema(f data.Field) *data.Schema {
	if f.Name == t.field {
		return t.schema(f.Schema.Optional)
	}
	return f.Schema
}

func (t timestampConverter) schema(optional bool) *data.Schema {
	switch t.target {
	case asText:
		return data.Of(data.String).AsOptional(optional)
	case asUnix:
		return data.Of(data.Int64).AsOptional(optional)
	case asDate:
		return data.Date().AsOptional(optional)
	case asTime:
		return data.TimeOfDay().AsOptional(optional)
	default:
		return data.Timestamp().AsOptional(optional)
	}
}

// representation tells by a schema how a point in time is represented.
func representation(schema *data.Schema) (string, error) {
	switch {
	case schema.Name == data.TimestampName:
		return asTimestamp, nil
	case schema.Name == data.DateName:
		return asDate, nil
	case schema.Name == data.TimeName:
		return asTime, nil
	case schema.Type == data.String:
		return asText, nil
	case schema.Type == data.Int64:
		return asUnix, nil
	}
	return "", fault.New(fault.Connect, "Schema %s does not correspond to a known timestamp type format", schema)
}

// convert makes of a value, whose representation is from, what is wanted. Without a
// representation its type tells.
func (t timestampConverter) convert(from string, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	at, err := t.read(from, v)
	if err != nil {
		return nil, err
	}
	switch t.target {
	case asText:
		return t.format.format(at), nil
	case asUnix:
		return t.toUnix(at), nil
	case asDate:
		return at.Truncate(day), nil
	case asTime:
		return time.UnixMilli(convert.LogicalNumber(data.TimeOfDay(), at)).UTC(), nil
	default:
		return at, nil
	}
}

// read gives the point in time that a value is.
func (t timestampConverter) read(from string, v any) (time.Time, error) {
	switch v := v.(type) {
	case time.Time:
		if t.target == asTimestamp {
			return v, nil // it stays what it is
		}
		return time.UnixMilli(v.UnixMilli()).UTC(), nil
	case int64:
		return t.fromUnix(v), nil
	case string:
		if t.format == nil {
			f := fault.New(fault.NullPointer, `Cannot invoke "java.text.SimpleDateFormat.parse(String)" because "config.format" is null`)
			f.Hint = "set the format of the texts"
			return time.Time{}, f
		}
		at, err := t.format.parse(v)
		if err != nil {
			return time.Time{}, fault.Wrap(fault.Data, fault.New("java.text.ParseException", "Unparseable date: \"%s\"", v), "Could not parse timestamp: value (%s) does not match pattern (%s)", v, t.format.pattern)
		}
		return at, nil
	default:
		if from == "" {
			return time.Time{}, fault.New(fault.Data, "TimestampConverter does not support class %s objects as timestamps", data.ClassName(v))
		}
		return time.Time{}, fault.New(fault.Data, "Expected %s to be a java.util.Date, but found class %s", from, data.ClassName(v))
	}
}

func (t timestampConverter) fromUnix(n int64) time.Time {
	if t.unit >= time.Millisecond {
		return time.UnixMilli(n * int64(t.unit/time.Millisecond)).UTC()
	}
	return time.UnixMilli(n / int64(time.Millisecond/t.unit)).UTC()
}

func (t timestampConverter) toUnix(at time.Time) int64 {
	if t.unit >= time.Millisecond {
		return at.UnixMilli() / int64(t.unit/time.Millisecond)
	}
	return at.UnixMilli() * int64(time.Millisecond/t.unit)
}
