package transform

import (
	"strings"

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
			replaceNullKey(),
		}},
		make: func(s config.Settings) (Transformation, error) {
			return valueToKey{s.List("fields"), s.Flag(replaceNullSetting)}, nil
		},
	}}
}

func nonEmptyList(v any) error {
	if list, ok := v.([]string); ok && len(list) == 0 {
		return config.Errorf("Empty list")
	}
	return nil
}

// valueToKey makes the key a struct of some of the value's fields.
type valueToKey struct {
	fields      []string
	replaceNull bool
}

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
		key.Values = append(key.Values, fieldValue(value, i, t.replaceNull))
	}
	return keySide.with(r, schema, key), nil
}

func extractFieldClasses() []Class {
	return both("ExtractField", &config.Definition{Keys: []config.Key{
		required(key("field", config.String, config.Medium, "The field to take.")),
		checked(withDefault(key("field.syntax.version", config.String, config.High, "V1: a plain name; V2: a path into nested fields, with dots between names and backticks around names that have dots."), "V1"), config.OneOfAnyCase("V1", "V2")),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		_, err := parsePath(s.Text("field"), s.Text("field.syntax.version"))
		return err
	}, func(s side, settings config.Settings) (Transformation, error) {
		steps, err := parsePath(settings.Text("field"), settings.Text("field.syntax.version"))
		return extractField{s, settings.Text("field"), steps, settings.Flag(replaceNullSetting)}, err
	})
}

// parsePath cuts a path into names. A name may stand between backticks, in which
// a backslash escapes a backtick before a dot.
func parsePath(path, version string) ([]string, error) {
	if !strings.EqualFold(version, "V2") {
		return []string{path}, nil
	}
	var steps []string
	for rest := path; ; {
		quoted, ok := strings.CutPrefix(rest, "`")
		if !ok {
			name, more, found := strings.Cut(rest, ".")
			steps = append(steps, name)
			if !found {
				return steps, nil
			}
			rest = more
			continue
		}
		var name strings.Builder
		for {
			i := strings.IndexByte(quoted, '`')
			if i < 0 || i == len(quoted)-1 && i > 0 && quoted[i-1] == '\\' {
				return nil, config.Errorf("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", path, len(path)-len(rest))
			}
			if i == len(quoted)-1 {
				name.WriteString(quoted[:i])
				return append(steps, name.String()), nil
			}
			switch {
			case quoted[i+1] != '.':
				name.WriteString(quoted[:i+1])
				quoted = quoted[i+1:]
				continue
			case i > 0 && quoted[i-1] == '\\':
				name.WriteString(quoted[:i-1] + "`")
				quoted = quoted[i+1:]
				continue
			}
			name.WriteString(quoted[:i])
			steps, rest = append(steps, name.String()), quoted[i+2:]
			break
		}
	}
}

// extractField replaces a struct by one of its fields.
type extractField struct {
	side        side
	path        string
	steps       []string
	replaceNull bool
}

func (t extractField) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "field extraction"
	schema, v := t.side.get(r)
	if schema == nil {
		for _, step := range t.steps {
			if v == nil {
				break
			}
			m, err := asMap(v, purpose)
			if err != nil {
				return nil, err
			}
			v, _ = m.Get(step)
		}
		return t.side.with(r, nil, v), nil
	}
	for n, step := range t.steps {
		i := schema.FieldIndex(step)
		if i < 0 {
			return nil, fault.New(fault.IllegalArgument, "Unknown field: %s", t.path)
		}
		if v != nil {
			st, err := asStruct(v, purpose)
			if err != nil {
				return nil, err
			}
			v = fieldValue(st, i, t.replaceNull || n < len(t.steps)-1)
		}
		schema = schema.Fields[i].Schema
	}
	return t.side.with(r, schema, v), nil
}
