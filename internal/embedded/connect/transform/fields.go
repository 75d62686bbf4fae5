package transform

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

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
	if list, ok := v.([]string); !ok || len(list) == 0 {
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
		key.SortAsHashMapFor(len(t.fields))
		return keySide.with(r, nil, key), nil
	}
	value, err := asStruct(r.Value, purpose)
	if err != nil {
		return nil, err
	}
	m := newMaker(&data.Schema{Type: data.StructType})
	for _, name := range t.fields {
		i := value.Schema.FieldIndex(name)
		if i < 0 {
			return nil, fault.New(fault.Data, "Field does not exist: %s", name)
		}
		m.add(name, value.Schema.Fields[i].Schema, fieldValue(value, i, t.replaceNull))
	}
	key, err := m.made()
	if err != nil {
		return nil, err
	}
	return keySide.with(r, key.Schema, key), nil
}

func extractFieldClasses() []Class {
	return both("ExtractField", &config.Definition{Keys: []config.Key{
		required(key("field", config.String, config.Medium, "The field to take.")),
		checked(withDefault(key("field.syntax.version", config.String, config.High, "V1: a plain name; V2: a path into nested fields, with dots between names and backticks around names that have dots."), "V1"), config.OneOfFold("V1", "V2")),
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
		for from := 0; ; {
			i := strings.IndexByte(quoted[from:], '`') + from
			escaped := i > 0 && quoted[i-1] == '\\'
			if i < from || i == len(quoted)-1 && escaped {
				return nil, config.Wholef("Incomplete backtick pair in path: [%s], consider adding a backslash before backtick at position %d to escape it", path, len(path)-len(rest))
			}
			if i == len(quoted)-1 {
				return append(steps, name.String()+quoted[:i]), nil
			}
			if quoted[i+1] != '.' {
				from = i + 1
				continue
			}
			if escaped {
				name.WriteString(quoted[:i-1] + "`")
				quoted, from = quoted[i+1:], 0
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

const (
	extraction   = "field extraction"
	nestedAccess = "nested field access"
)

func (t extractField) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if schema == nil {
		return t.applySchemaless(r, v)
	}
	st, err := asStructOrNull(v, extraction)
	if err != nil {
		return nil, err
	}
	found := schema
	for _, step := range t.steps {
		field, err := fieldOf(found, step)
		if err != nil {
			return nil, err
		}
		if field == nil {
			return nil, fault.New(fault.IllegalArgument, "Unknown field: %s", t.path)
		}
		found = field.Schema
	}
	last := len(t.steps) - 1
	for _, step := range t.steps[:last] {
		if st == nil {
			break
		}
		inner, _ := st.Get(step)
		if st, err = asStructOrNull(inner, nestedAccess); err != nil {
			return nil, err
		}
	}
	if st == nil {
		return t.side.with(r, found, nil), nil
	}
	return t.side.with(r, found, fieldValue(st, st.Schema.FieldIndex(t.steps[last]), t.replaceNull)), nil
}

func (t extractField) applySchemaless(r *plugin.Record, v any) (*plugin.Record, error) {
	m, err := asMapOrNull(v, extraction)
	last := len(t.steps) - 1
	for _, step := range t.steps[:last] {
		if err != nil || m == nil {
			break
		}
		inner, _ := m.Get(step)
		m, err = asMapOrNull(inner, nestedAccess)
	}
	if err != nil {
		return nil, err
	}
	if m == nil {
		return t.side.with(r, nil, nil), nil
	}
	field, _ := m.Get(t.steps[last])
	return t.side.with(r, nil, field), nil
}
