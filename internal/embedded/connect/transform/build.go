package transform

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// schemaBuilderError is the class of what is wrong with a schema in the making.
const schemaBuilderError = "org.apache.kafka.connect.errors.SchemaBuilderException"

// asStruct wants a struct, in the real transformations' words.
func asStruct(v any, purpose string) (*data.Struct, error) {
	if s, ok := v.(*data.Struct); ok {
		return s, nil
	}
	return nil, fault.New(fault.Data, "Only Struct objects supported for [%s], found: %s", purpose, data.ClassName(v))
}

// asStructOrNull wants a struct or null, which gives nil.
func asStructOrNull(v any, purpose string) (*data.Struct, error) {
	if v == nil {
		return nil, nil
	}
	return asStruct(v, purpose)
}

func asMap(v any, purpose string) (*data.Map, error) {
	if m, ok := v.(*data.Map); ok {
		return m, nil
	}
	return nil, fault.New(fault.Data, "Only Map objects supported in absence of schema for [%s], found: %s", purpose, data.ClassName(v))
}

// asMapOrNull wants a map or null, which gives nil.
func asMapOrNull(v any, purpose string) (*data.Map, error) {
	if v == nil {
		return nil, nil
	}
	return asMap(v, purpose)
}

// fieldsOf lists the fields of a schema, which must be a struct's.
func fieldsOf(schema *data.Schema) ([]data.Field, error) {
	if schema.Type != data.StructType {
		return nil, fault.New(fault.Data, "Cannot list fields on non-struct type")
	}
	return schema.Fields, nil
}

// fieldOf looks a field up in a schema, which must be a struct's; nil for none.
func fieldOf(schema *data.Schema, name string) (*data.Field, error) {
	if schema.Type != data.StructType {
		return nil, fault.New(fault.Data, "Cannot look up fields on non-struct type")
	}
	if i := schema.FieldIndex(name); i >= 0 {
		return &schema.Fields[i], nil
	}
	return nil, nil
}

// basics is the beginning of a struct schema that takes after another: its name,
// version, documentation and parameters. It is neither optional nor has a default.
func basics(s *data.Schema) *data.Schema {
	c := s.Clone()
	c.Type, c.Fields, c.Optional, c.Default, c.HasDefault = data.StructType, nil, false, nil, false
	return c
}

// maker makes a struct with its schema, field by field. It keeps the first error of
// the schema, and the first of the values.
type maker struct {
	result      *data.Struct
	schemaError error
	valueError  error
}

func newMaker(schema *data.Schema) *maker { return &maker{result: &data.Struct{Schema: schema}} }

// add adds a field with its value.
func (m *maker) add(name string, schema *data.Schema, value any) {
	if m.schemaError == nil {
		if name == "" {
			m.schemaError = fault.New(schemaBuilderError, "fieldName cannot be null.")
		} else if m.result.Schema.FieldIndex(name) >= 0 {
			m.schemaError = fault.New(schemaBuilderError, "Cannot create field because of field name duplication %s", name)
		}
	}
	if value == nil && !schema.Optional && m.valueError == nil {
		m.valueError = nullForRequired(name, schema)
	}
	m.result.Schema.Fields = append(m.result.Schema.Fields, data.Field{Name: name, Schema: schema})
	m.result.Values = append(m.result.Values, value)
}

// declare adds a field that no value is put into: it stays null.
func (m *maker) declare(name string, schema *data.Schema) {
	before := m.valueError
	m.add(name, schema, nil)
	m.valueError = before
}

func nullForRequired(name string, schema *data.Schema) error {
	return fault.New(fault.Data, "Invalid value: null used for required field: \"%s\", schema type: %s", name, strings.ToUpper(schema.Type.String()))
}

// made gives the struct.
func (m *maker) made() (*data.Struct, error) {
	if m.schemaError != nil {
		return nil, m.schemaError
	}
	if m.valueError != nil {
		return nil, m.valueError
	}
	return m.result, nil
}

// fieldValue gives the value of a struct's field, perhaps its default when it is
// null.
func fieldValue(st *data.Struct, i int, replaceNull bool) any {
	if v := st.Values[i]; v != nil || !replaceNull || !st.Schema.Fields[i].Schema.HasDefault {
		return v
	}
	return st.Schema.Fields[i].Schema.Default
}
