package convert

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

func stringClass() Class {
	return Class{
		Name: "org.apache.kafka.connect.storage.StringConverter",
		Definition: &config.Definition{Keys: []config.Key{
			{Name: "converter.encoding", Type: config.String, Default: config.Default("UTF-8"), Importance: config.High, Order: -1, Width: config.NoWidth,
				Display: "converter.encoding", Unsupported: true, Doc: "The name of the character set of strings."},
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
	text string
	size int
}{
	data.Int16: {"short", 2}, data.Int32: {"integer", 4}, data.Int64: {"long", 8}, data.Float32: {"float", 4}, data.Float64: {"double", 8},
}

func (c numberConverter) FromConnect(_ context.Context, _ string, schema *data.Schema, value any) ([]byte, error) {
	if schema != nil && schema.Type != c.t {
		return nil, fault.New(fault.Data, "Invalid schema type for %s: %s", numberNames[c.t].text+" converter", schema.Type)
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int16:
		if c.t == data.Int16 {
			return binary.BigEndian.AppendUint16(nil, uint16(v)), nil
		}
	case int32:
		if c.t == data.Int32 {
			return binary.BigEndian.AppendUint32(nil, uint32(v)), nil
		}
	case int64:
		if c.t == data.Int64 {
			return binary.BigEndian.AppendUint64(nil, uint64(v)), nil
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
	return nil, fault.New(fault.Data, "Failed to serialize to a %s (was %T)", numberNames[c.t].text, value)
}

func (c numberConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	schema := data.OptionalOf(c.t)
	if raw == nil {
		return schema, nil, nil
	}
	n := numberNames[c.t]
	if len(raw) != n.size {
		return nil, nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "Size of data received by deserializer is not %d", n.size), "Failed to deserialize %s: ", n.text)
	}
	switch c.t {
	case data.Int16:
		return schema, int16(binary.BigEndian.Uint16(raw)), nil
	case data.Int32:
		return schema, int32(binary.BigEndian.Uint32(raw)), nil
	case data.Float32:
		return schema, math.Float32frombits(binary.BigEndian.Uint32(raw)), nil
	case data.Float64:
		return schema, math.Float64frombits(binary.BigEndian.Uint64(raw)), nil
	default:
		return schema, int64(binary.BigEndian.Uint64(raw)), nil
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
		return nil, fault.New(fault.Data, "Invalid schema type for BooleanConverter: %s", schema.Type)
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
		return nil, fault.New(fault.Data, "BooleanConverter is not compatible with objects of type %T", value)
	}
}

func (booleanConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	schema := data.OptionalOf(data.Boolean)
	switch {
	case raw == nil:
		return schema, nil, nil
	case len(raw) == 1 && raw[0] <= 1:
		return schema, raw[0] == 1, nil
	default:
		return nil, nil, fault.New(fault.Data, "Failed to deserialize boolean: % x is neither 00 nor 01", raw)
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
		return nil, fault.New(fault.Data, "Invalid schema type for ByteArrayConverter: %s", schema.Type)
	}
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	default:
		return nil, fault.New(fault.Data, "ByteArrayConverter is not compatible with objects of type %T", value)
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
	switch v := value.(type) {
	case nil:
		return nil, nil
	case *data.Struct:
		return nil, fault.New(fault.Data, "Failed to serialize unexpected value type org.apache.kafka.connect.data.Struct: %s", data.Text(v))
	default:
		return []byte(data.HeaderText(value)), nil
	}
}

func (simpleHeaderConverter) ToConnect(_ context.Context, _ string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	schema, v := data.ParseText(string(raw))
	return schema, v, nil
}
