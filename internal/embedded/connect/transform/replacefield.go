package transform

import (
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func replaceFieldClasses() []Class {
	return both("ReplaceField", &config.Definition{Keys: []config.Key{
		withDefault(key("exclude", config.List, config.Medium, "The fields to leave out."), ""),
		key("blacklist", config.List, config.Low, "The former name of exclude."),
		withDefault(key("include", config.List, config.Medium, "The fields to keep; all when empty."), ""),
		key("whitelist", config.List, config.Low, "The former name of include."),
		checked(withDefault(key("renames", config.List, config.Medium, "New names of fields, old:new."), ""), checkRenames),
		replaceNullKey(),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		return replaceField{
			side: s, exclude: formerly(settings, "exclude", "blacklist"), include: formerly(settings, "include", "whitelist"),
			renames: settings.List("renames"), replaceNull: settings.Flag(replaceNullSetting),
		}, nil
	})
}

// formerly reads a setting that had another name once.
func formerly(s config.Settings, name, former string) []string {
	if s.Said(name) {
		return s.List(name)
	}
	return s.List(former)
}

func checkRenames(v any) error {
	list, _ := v.([]string)
	for _, entry := range list {
		if len(splitAt(entry, ':')) != 2 {
			return config.Wholef("Invalid value [%s] for configuration renames: Invalid rename mapping: %s", strings.Join(list, ", "), entry)
		}
	}
	return nil
}

// replaceField leaves out or renames fields.
type replaceField struct {
	side             side
	exclude, include []string
	renames          []string // old:new; the last one of a name holds
	replaceNull      bool
}

func (t replaceField) keeps(name string) bool {
	return !slices.Contains(t.exclude, name) && (len(t.include) == 0 || slices.Contains(t.include, name))
}

func (t replaceField) renamed(name string) string {
	to := name
	for _, entry := range t.renames {
		if from, given, _ := strings.Cut(entry, ":"); from == name {
			to = given
		}
	}
	return to
}

// renamedFrom is the name that a field has before it is renamed.
func (t replaceField) renamedFrom(name string) string {
	from := name
	for _, entry := range t.renames {
		if was, given, _ := strings.Cut(entry, ":"); given == name {
			from = was
		}
	}
	return from
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
		changed.SortAsHashMapFor(len(m.Keys))
		return t.side.with(r, nil, changed), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	m := newMaker(basics(schema))
	for _, f := range schema.Fields {
		if !t.keeps(f.Name) {
			continue
		}
		name := t.renamed(f.Name)
		from := t.renamedFrom(name)
		i := schema.FieldIndex(from)
		if i < 0 {
			return nil, fault.New(fault.Data, "%s is not a valid field name", from)
		}
		m.add(name, f.Schema, fieldValue(st, i, t.replaceNull))
	}
	if st, err = m.made(); err != nil {
		return nil, err
	}
	return t.side.with(r, st.Schema, st), nil
}
