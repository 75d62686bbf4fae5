package transform

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func hoistFieldClasses() []Class {
	return both("HoistField", &config.Definition{Keys: []config.Key{
		required(key("field", config.String, config.Medium, "The name of the only field of the struct that is made.")),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		return hoistField{s, settings.Text("field")}, nil
	})
}

// hoistField makes a key or value the only field of a struct.
type hoistField struct {
	side  side
	field string
}

func (t hoistField) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if schema == nil {
		return t.side.with(r, nil, &data.Map{Keys: []any{t.field}, Values: []any{v}}), nil
	}
	m := newMaker(&data.Schema{Type: data.StructType})
	m.add(t.field, schema, v)
	hoisted, err := m.made()
	if err != nil {
		return nil, err
	}
	return t.side.with(r, hoisted.Schema, hoisted), nil
}

func flattenClasses() []Class {
	return both("Flatten", &config.Definition{Keys: []config.Key{
		withDefault(key("delimiter", config.String, config.Medium, "What stands between the names of nested fields."), "."),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		return flatten{s, settings.Text("delimiter")}, nil
	})
}

// flatten makes fields of nested structs fields of the outermost one.
type flatten struct {
	side      side
	delimiter string
}

func (t flatten) Apply(r *plugin.Record) (*plugin.Record, error) {
	const purpose = "flattening"
	schema, v := t.side.get(r)
	if v == nil {
		return r, nil
	}
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		flat := &data.Map{}
		if err := t.flattenMap(m, "", flat); err != nil {
			return nil, err
		}
		return t.side.with(r, nil, flat), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	flat := newMaker(basics(schema))
	fallback, _ := schema.Default.(*data.Struct)
	if err := t.flattenStruct(schema, st, "", schema.Optional, fallback, flat); err != nil {
		return nil, err
	}
	if st, err = flat.made(); err != nil {
		return nil, err
	}
	return t.side.with(r, st.Schema, st), nil
}

func (t flatten) name(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + t.delimiter + name
}

func (t flatten) flattenMap(m *data.Map, prefix string, into *data.Map) error {
	for i, k := range m.Keys {
		name := t.name(prefix, data.Text(k))
		switch v := m.Values[i].(type) {
		case *data.Map:
			if err := t.flattenMap(v, name, into); err != nil {
				return err
			}
		case *data.Struct:
			return fault.New(fault.Data, "Flatten transformation does not support class %s for record without schemas (for field %s).", data.ClassName(v), name)
		default:
			into.Put(name, v)
		}
	}
	return nil
}

// flattenStruct adds the fields of a struct, nil for null. Those below an optional
// struct are optional, and have its default's values for defaults.
func (t flatten) flattenStruct(schema *data.Schema, st *data.Struct, prefix string, optional bool, fallback *data.Struct, into *maker) error {
	for i, f := range schema.Fields {
		name := t.name(prefix, f.Name)
		def := f.Schema.Default
		if def == nil && fallback != nil {
			def, _ = fallback.Get(f.Name)
		}
		switch f.Schema.Type {
		case data.StructType:
			var inner *data.Struct
			if st != nil {
				inner, _ = st.Values[i].(*data.Struct)
			}
			innerDefault, _ := def.(*data.Struct)
			if err := t.flattenStruct(f.Schema, inner, name, optional || f.Schema.Optional, innerDefault, into); err != nil {
				return err
			}
			continue
		case data.MapType:
			return fault.New(fault.Data, "Flatten transformation does not support %s for record with schemas (for field %s).", strings.ToUpper(f.Schema.Type.String()), name)
		}
		s := f.Schema.Clone()
		s.Optional = optional || s.Optional
		s.Default, s.HasDefault = def, def != nil
		if st == nil {
			into.declare(name, s)
		} else {
			into.add(name, s, fieldValue(st, i, true))
		}
	}
	return nil
}
