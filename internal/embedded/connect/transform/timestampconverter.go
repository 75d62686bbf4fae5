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

func timestampConverterClasses() []Class {
	return both("TimestampConverter", &config.Definition{Keys: []config.Key{
		withDefault(key("field", config.String, config.High, "The field with the point in time; empty for the whole key or value."), ""),
		checked(required(key("target.type", config.String, config.High, "What to make of it: string, unix, Date, Time or Timestamp.")),
			config.OneOf("string", "unix", "Date", "Time", "Timestamp")),
		checked(withDefault(key("format", config.String, config.Medium, "The pattern of texts, in the way of Java's SimpleDateFormat."), ""), checkPattern),
		checked(withDefault(key("unix.precision", config.String, config.Low, "What unix numbers count: seconds, milliseconds, microseconds or nanoseconds."), "milliseconds"),
			config.OneOf("nanoseconds", "microseconds", "milliseconds", "seconds")),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		if s.Text("target.type") == "string" && strings.TrimSpace(s.Text("format")) == "" {
			return config.Errorf("TimestampConverter requires format option to be specified when using string timestamps")
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		layout, err := goLayout(settings.Text("format"))
		return timestampConverter{side: s, field: settings.Text("field"), target: settings.Text("target.type"), layout: layout, unit: unixUnits[settings.Text("unix.precision")], replaceNull: settings.Flag(replaceNullSetting)}, err
	})
}

var unixUnits = map[string]time.Duration{
	"seconds": time.Second, "milliseconds": time.Millisecond, "microseconds": time.Microsecond, "nanoseconds": time.Nanosecond,
}

func checkPattern(v any) error {
	text, _ := v.(string)
	_, err := goLayout(text)
	return err
}

var patternLetters = map[string]string{
	"yyyy": "2006", "yy": "06", "MM": "01", "M": "1", "MMM": "Jan", "MMMM": "January", "dd": "02", "d": "2",
	"HH": "15", "hh": "03", "h": "3", "mm": "04", "m": "4", "ss": "05", "s": "5", "SSS": "000", "a": "PM",
	"EEE": "Mon", "E": "Mon", "EEEE": "Monday", "Z": "-0700", "X": "Z07", "XX": "Z0700", "XXX": "Z07:00", "z": "MST",
}

// goLayout turns a pattern of Java's SimpleDateFormat into a layout of Go's.
func goLayout(pattern string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(pattern[i+1:], '\'')
			if end < 0 {
				return "", config.Errorf("Unterminated quote")
			}
			if end == 0 {
				b.WriteByte('\'')
			} else {
				b.WriteString(pattern[i+1 : i+1+end])
			}
			i += end + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			j := i
			for j < len(pattern) && pattern[j] == c {
				j++
			}
			layout, ok := patternLetters[pattern[i:j]]
			if !ok {
				return "", config.Errorf("the embedded worker does not support %q in a time pattern", pattern[i:j])
			}
			b.WriteString(layout)
			i = j
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// timestampConverter turns a point in time from one representation to another.
type timestampConverter struct {
	side          side
	field, target string
	layout        string
	unit          time.Duration
	replaceNull   bool
}

func (t timestampConverter) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if v == nil && schema == nil {
		return r, nil
	}
	if t.field == "" {
		converted, err := t.convert(schema, v)
		if err != nil {
			return nil, err
		}
		if schema == nil {
			return t.side.with(r, nil, converted), nil
		}
		return t.side.with(r, t.schema(schema.Optional), converted), nil
	}
	const purpose = "converting timestamp formats"
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		m = m.Clone()
		field, _ := m.Get(t.field)
		if field, err = t.convert(nil, field); err != nil {
			return nil, err
		}
		m.Put(t.field, field)
		return t.side.with(r, nil, m), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	changed := basics(schema)
	values := make([]any, len(st.Values))
	for i, f := range schema.Fields {
		values[i] = fieldValue(st, i, t.replaceNull)
		if f.Name == t.field {
			if values[i], err = t.convert(f.Schema, values[i]); err != nil {
				return nil, err
			}
			f.Schema = t.schema(f.Schema.Optional)
		}
		changed.Fields = append(changed.Fields, f)
	}
	return t.side.with(r, changed, &data.Struct{Schema: changed, Values: values}), nil
}

func (t timestampConverter) schema(optional bool) *data.Schema {
	switch t.target {
	case "string":
		return data.Of(data.String).AsOptional(optional)
	case "unix":
		return data.Of(data.Int64).AsOptional(optional)
	case "Date":
		return data.Date().AsOptional(optional)
	case "Time":
		return data.TimeOfDay().AsOptional(optional)
	default:
		return data.Timestamp().AsOptional(optional)
	}
}

func (t timestampConverter) convert(schema *data.Schema, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	var at time.Time
	switch v := v.(type) {
	case time.Time:
		at = time.UnixMilli(v.UnixMilli()).UTC()
	case int64:
		at = t.fromUnix(v)
	case string:
		parsed, err := time.ParseInLocation(t.layout, v, time.UTC)
		if err != nil || t.layout == "" {
			return nil, fault.New(fault.Data, "Could not parse timestamp: value (%s) does not match the configured format", v)
		}
		at = parsed.UTC()
	default:
		return nil, fault.New(fault.Connect, "Schema %s does not correspond to a known timestamp type format", schema)
	}
	switch t.target {
	case "string":
		return at.Format(t.layout), nil
	case "unix":
		return t.toUnix(at), nil
	case "Date":
		return at.Truncate(day), nil
	case "Time":
		return time.UnixMilli(convert.LogicalNumber(data.TimeOfDay(), at)).UTC(), nil
	default:
		return at, nil
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
