package transform

import (
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func replaceFieldClasses() []Class {
	return both("ReplaceField", &config.Definition{Keys: []config.Key{
		withDefault(key("exclude", config.List, config.Medium, "The fields to leave out."), ""),
		withDefault(key("include", config.List, config.Medium, "The fields to keep; all when empty."), ""),
		checked(withDefault(key("renames", config.List, config.Medium, "New names of fields, old:new."), ""), checkRenames),
		replaceNullKey(),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		t := replaceField{side: s, exclude: settings.List("exclude"), include: settings.List("include"), renames: map[string]string{}, replaceNull: settings.Flag(replaceNullSetting)}
		for _, entry := range settings.List("renames") {
			from, to, _ := strings.Cut(entry, ":")
			t.renames[from] = to
		}
		return t, nil
	})
}

func checkRenames(v any) error {
	list, _ := v.([]string)
	for _, entry := range list {
		if strings.Count(entry, ":") != 1 {
			return config.Errorf("Invalid rename mapping: %s", entry)
		}
	}
	return nil
}

// replaceField leaves out or renames fields.
type replaceField struct {
	side             side
	exclude, include []string
	renames          map[string]string
	replaceNull      bool
}

func (t replaceField) keeps(name string) bool {
	return !slices.Contains(t.exclude, name) && (len(t.include) == 0 || slices.Contains(t.include, name))
}

func (t replaceField) renamed(name string) string {
	if to, ok := t.renames[name]; ok {
		return to
	}
	return name
}

func (t replaceField) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "field replacement"
	schema, v := t.side.get(r)
	if v == nil {
		return r, nil
	}
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		changed := &data.Map{}
		for i, k := range m.Keys {
			name, ok := k.(string)
			switch {
			case !ok:
				changed.Put(k, m.Values[i])
			case t.keeps(name):
				changed.Put(t.renamed(name), m.Values[i])
			}
		}
		return t.side.with(r, nil, changed), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	changed := basics(schema)
	result := &data.Struct{Schema: changed}
	for i, f := range schema.Fields {
		if t.keeps(f.Name) {
			changed.Fields = append(changed.Fields, data.Field{Name: t.renamed(f.Name), Schema: f.Schema})
			result.Values = append(result.Values, fieldValue(st, i, t.replaceNull))
		}
	}
	return t.side.with(r, changed, result), nil
}
