package transform

import (
	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// asStruct wants a struct, in the real transformations' words.
func asStruct(v any, purpose string) (*data.Struct, error) {
	if s, ok := v.(*data.Struct); ok {
		return s, nil
	}
	return nil, fault.New(fault.Data, "Only Struct objects supported for [%s], found: %s", purpose, typeName(v))
}

func asMap(v any, purpose string) (*data.Map, error) {
	if m, ok := v.(*data.Map); ok {
		return m, nil
	}
	return nil, fault.New(fault.Data, "Only Map objects supported in absence of schema for [%s], found: %s", purpose, typeName(v))
}

// typeName is the Java class of a value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "java.lang.String"
	case int8:
		return "java.lang.Byte"
	case int16:
		return "java.lang.Short"
	case int32:
		return "java.lang.Integer"
	case int64:
		return "java.lang.Long"
	case float32:
		return "java.lang.Float"
	case float64:
		return "java.lang.Double"
	case bool:
		return "java.lang.Boolean"
	case []any:
		return "java.util.ArrayList"
	case *data.Map:
		return "java.util.HashMap"
	case *data.Struct:
		return "org.apache.kafka.connect.data.Struct"
	default:
		return "java.lang.Object"
	}
}

// basics copies what a schema says apart from its fields.
func basics(s *data.Schema) *data.Schema {
	c := s.Clone()
	c.Fields = nil
	return c
}

func valueToKeyClasses() []Class {
	return []Class{{
		Name: prefix + "ValueToKey",
		Definition: &config.Definition{Keys: []config.Key{
			checked(required(key("fields", config.List, config.High, "The fields of the value that make the key.")), nonEmptyList),
			withDefault(key("replace.null.with.default", config.Boolean, config.Medium, "Whether a null becomes its field's default."), "true"),
		}},
		make: func(s config.Settings) (Transformation, error) { return valueToKey{s.List("fields")}, nil },
	}}
}

func nonEmptyList(v any) error {
	if list, ok := v.([]string); ok && len(list) == 0 {
		return config.Errorf("Empty list")
	}
	return nil
}

// valueToKey makes the key a struct of some of the value's fields.
type valueToKey struct{ fields []string }

func (t valueToKey) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "copying fields from value to key"
	if r.ValueSchema == nil {
		m, err := asMap(r.Value, purpose)
		if err != nil {
			return nil, err
		}
		key := &data.Map{}
		for _, name := range t.fields {
			v, _ := m.Get(name)
			key.Put(name, v)
		}
		return keySide.with(r, nil, key), nil
	}
	value, err := asStruct(r.Value, purpose)
	if err != nil {
		return nil, err
	}
	schema := &data.Schema{Type: data.StructType}
	key := &data.Struct{Schema: schema}
	for _, name := range t.fields {
		i := value.Schema.FieldIndex(name)
		if i < 0 {
			return nil, fault.New(fault.Data, "Field does not exist: %s", name)
		}
		schema.Fields = append(schema.Fields, value.Schema.Fields[i])
		v, _ := value.Get(name)
		key.Values = append(key.Values, v)
	}
	return keySide.with(r, schema, key), nil
}

func extractFieldClasses() []Class {
	return both("ExtractField", &config.Definition{Keys: []config.Key{
		required(key("field", config.String, config.Medium, "The field to take.")),
		checked(withDefault(key("field.syntax.version", config.String, config.High, "V1: a plain name; V2, paths into nested fields, is not supported by the embedded worker."), "V1"), config.OneOfAnyCase("V1")),
		withDefault(key("replace.null.with.default", config.Boolean, config.Medium, "Whether a null becomes its field's default."), "true"),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		return extractField{s, settings.Text("field")}, nil
	})
}

// extractField replaces a struct by one of its fields.
type extractField struct {
	side  side
	field string
}

func (t extractField) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "field extraction"
	schema, v := t.side.get(r)
	if schema == nil {
		if v == nil {
			return t.side.with(r, nil, nil), nil
		}
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		field, _ := m.Get(t.field)
		return t.side.with(r, nil, field), nil
	}
	i := schema.FieldIndex(t.field)
	if i < 0 {
		return nil, fault.New(fault.IllegalArgument, "Unknown field: %s", t.field)
	}
	if v == nil {
		return t.side.with(r, schema.Fields[i].Schema, nil), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	field, _ := st.Get(t.field)
	return t.side.with(r, schema.Fields[i].Schema, field), nil
}
