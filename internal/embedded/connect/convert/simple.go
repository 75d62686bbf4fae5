package convert

import (
	"context"
	"encoding/binary"
	"math"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

func stringClass() Class {
	return Class{
		Name: "org.apache.kafka.connect.storage.StringConverter",
		Definition: &config.Definition{Keys: []config.Key{
			{Name: "converter.encoding", Type: config.String, Default: config.Default("UTF-8"), Importance: config.High, Order: -1, Width: config.Middle,
				Display: "Encoding", Unsupported: true, Doc: "The name of the character set of strings."},
			typeKey(""),
		}},
		make: func(Environment, bool, config.Settings) (Converter, error) { return stringConverter{}, nil },
	}
}

// stringConverter writes the text of any value.
type stringConverter struct{}

func (stringConverter) FromConnect(_ context.Context, _ string, _ *data.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	return []byte(data.Text(value)), nil
}

func (stringConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return data.OptionalOf(data.String), nil, nil
	}
	return data.OptionalOf(data.String), string(raw), nil
}

func numberClass(name string, t data.Type) Class {
	return Class{
		Name:       "org.apache.kafka.connect.converters." + name,
		Definition: &config.Definition{Keys: []config.Key{typeKey("")}},
		make:       func(Environment, bool, config.Settings) (Converter, error) { return numberConverter{t}, nil },
	}
}

// numberConverter writes numbers of one type, big endian.
type numberConverter struct{ t data.Type }

var numberNames = map[data.Type]struct {
	text         string
	size         int
	class        string
	deserializer string
}{
	data.Int16: {"short", 2, "java.lang.Short", "ShortDeserializer"}, data.Int32: {"integer", 4, "java.lang.Integer", "IntegerDeserializer"},
	data.Int64: {"long", 8, "java.lang.Long", "LongDeserializer"}, data.Float32: {"float", 4, "java.lang.Float", "Deserializer"},
	data.Float64: {"double", 8, "java.lang.Double", "Deserializer"},
}

func (c numberConverter) FromConnect(_ context.Context, _ string, _ *data.Schema, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int16:
		if c.t == data.Int16 {
			return binary.BigEndian.AppendUint16(nil, uint16(v)), nil //nolint:gosec // the bits
		}
	case int32:
		if c.t == data.Int32 {
			return binary.BigEndian.AppendUint32(nil, uint32(v)), nil //nolint:gosec // the bits
		}
	case int64:
		if c.t == data.Int64 {
			return binary.BigEndian.AppendUint64(nil, uint64(v)), nil //nolint:gosec // the bits
		}
	case float32:
		if c.t == data.Float32 {
			return binary.BigEndian.AppendUint32(nil, math.Float32bits(v)), nil
		}
	case float64:
		if c.t == data.Float64 {
			return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)), nil
		}
	}
	wanted := numberNames[c.t].class
	if !isNumber(value) {
		wanted = "java.lang.Number"
	}
	return nil, c.refused(data.ClassName(value), wanted)
}

func isNumber(v any) bool {
	switch v.(type) {
	case int8, int16, int32, int64, float32, float64, data.Decimal:
		return true
	default:
		return false
	}
}

// refused is how Java says that a value is not of a class.
func (c numberConverter) refused(class, wanted string) error {
	where := class + " and " + wanted + " are in module java.base of loader 'bootstrap'"
	if !strings.HasPrefix(class, "java.") && class != "[B" {
		where = class + " is in unnamed module of loader 'app'; " + wanted + " is in module java.base of loader 'bootstrap'"
	}
	cast := fault.New("java.lang.ClassCastException", "class %s cannot be cast to class %s (%s)", class, wanted, where)
	return fault.Wrap(fault.Data, cast, "Failed to serialize to %s (was class %s): ", numberNames[c.t].text, class)
}

func (c numberConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	schema := data.OptionalOf(c.t)
	if raw == nil {
		return schema, nil, nil
	}
	n := numberNames[c.t]
	if len(raw) != n.size {
		return nil, nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "Size of data received by %s is not %d", n.deserializer, n.size), "Failed to deserialize %s: ", n.text)
	}
	switch c.t {
	case data.Int16:
		return schema, int16(binary.BigEndian.Uint16(raw)), nil //nolint:gosec // the bits
	case data.Int32:
		return schema, int32(binary.BigEndian.Uint32(raw)), nil //nolint:gosec // the bits
	case data.Float32:
		return schema, math.Float32frombits(binary.BigEndian.Uint32(raw)), nil
	case data.Float64:
		return schema, math.Float64frombits(binary.BigEndian.Uint64(raw)), nil
	default:
		return schema, int64(binary.BigEndian.Uint64(raw)), nil //nolint:gosec // the bits
	}
}

func booleanClass() Class {
	return Class{
		Name:       "org.apache.kafka.connect.converters.BooleanConverter",
		Definition: &config.Definition{Keys: []config.Key{typeKey("")}},
		make:       func(Environment, bool, config.Settings) (Converter, error) { return booleanConverter{}, nil },
	}
}

// booleanConverter writes one byte, 1 or 0.
type booleanConverter struct{}

func (booleanConverter) FromConnect(_ context.Context, _ string, schema *data.Schema, value any) ([]byte, error) {
	if schema != nil && schema.Type != data.Boolean {
		return nil, fault.New(fault.Data, "Invalid schema type for BooleanConverter: %s", typeText(schema.Type))
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case bool:
		if v {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	default:
		return nil, fault.New(fault.Data, "BooleanConverter is not compatible with objects of type class %s", data.ClassName(value))
	}
}

func (booleanConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	schema := data.OptionalOf(data.Boolean)
	switch {
	case raw == nil:
		return schema, nil, nil
	case len(raw) != 1:
		return nil, nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "Size of data received by BooleanDeserializer is not 1"), "Failed to deserialize boolean: ")
	case raw[0] > 1:
		return nil, nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "Unexpected byte received by BooleanDeserializer: %d", int8(raw[0])), "Failed to deserialize boolean: ") //nolint:gosec // Java's bytes have a sign
	default:
		return schema, raw[0] == 1, nil
	}
}

func bytesClass() Class {
	return Class{
		Name:       "org.apache.kafka.connect.converters.ByteArrayConverter",
		Definition: &config.Definition{Keys: []config.Key{typeKey("")}},
		make:       func(Environment, bool, config.Settings) (Converter, error) { return bytesConverter{}, nil },
	}
}

// bytesConverter hands bytes through.
type bytesConverter struct{}

func (bytesConverter) FromConnect(_ context.Context, _ string, schema *data.Schema, value any) ([]byte, error) {
	if schema != nil && schema.Type != data.Bytes {
		return nil, fault.New(fault.Data, "Invalid schema type for ByteArrayConverter: %s", typeText(schema.Type))
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	default:
		return nil, fault.New(fault.Data, "ByteArrayConverter is not compatible with objects of type class %s", data.ClassName(value))
	}
}

func (bytesConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return data.OptionalOf(data.Bytes), nil, nil
	}
	return data.OptionalOf(data.Bytes), raw, nil
}

// SimpleHeaderClass is the class by which workers convert headers.
const SimpleHeaderClass = "org.apache.kafka.connect.storage.SimpleHeaderConverter"

func simpleHeaderClass() Class {
	return Class{
		Name:       SimpleHeaderClass,
		Definition: &config.Definition{},
		make:       func(Environment, bool, config.Settings) (Converter, error) { return simpleHeaderConverter{}, nil },
	}
}

// simpleHeaderConverter writes the text of values, and reads from a text what it
// looks like.
type simpleHeaderConverter struct{}

func (simpleHeaderConverter) FromConnect(_ context.Context, _ string, _ *data.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	return []byte(data.HeaderText(value)), nil
}

func (simpleHeaderConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	schema, v := data.ParseText(string(raw))
	return schema, v, nil
}
