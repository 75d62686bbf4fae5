package transform

import (
	"slices"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// withHeaders gives a copy of the record with other headers.
func withHeaders(r *plugin.Record, headers []plugin.Header) *plugin.Record {
	c := *r
	c.Headers = headers
	return &c
}

func dropHeadersClasses() []Class {
	return []Class{{
		Name: prefix + "DropHeaders",
		Definition: &config.Definition{Keys: []config.Key{
			checked(required(key("headers", config.List, config.High, "The names of the headers to remove.")), nonEmptyList),
		}},
		make: func(s config.Settings) (Transformation, error) { return dropHeaders(s.List("headers")), nil },
	}}
}

// dropHeaders removes headers by name.
type dropHeaders []string

func (t dropHeaders) Apply(r *plugin.Record) (*plugin.Record, error) {
	kept := slices.DeleteFunc(slices.Clone(r.Headers), func(h plugin.Header) bool { return slices.Contains(t, h.Key) })
	return withHeaders(r, kept), nil
}

func insertHeaderClasses() []Class {
	return []Class{{
		Name: prefix + "InsertHeader",
		Definition: &config.Definition{Keys: []config.Key{
			checked(required(key("header", config.String, config.High, "The name of the header.")), nonNull),
			checked(required(key("value.literal", config.String, config.High, "The value of the header on all records.")), nonNull),
		}},
		make: func(s config.Settings) (Transformation, error) {
			h := plugin.Header{Key: s.Text("header")}
			h.Schema, h.Value = data.ParseText(s.Text("value.literal"))
			return insertHeader(h), nil
		},
	}}
}

func nonNull(v any) error {
	if v == nil {
		return config.Errorf("entry must be non null")
	}
	return nil
}

// insertHeader adds one header.
type insertHeader plugin.Header

func (t insertHeader) Apply(r *plugin.Record) (*plugin.Record, error) {
	return withHeaders(r, append(slices.Clone(r.Headers), plugin.Header(t))), nil
}

const (
	moveOperation = "move"
	copyOperation = "copy"
)

func headerFromClasses() []Class {
	return both("HeaderFrom", &config.Definition{Keys: []config.Key{
		checked(required(key("fields", config.List, config.High, "The fields that become headers.")), nonEmptyList),
		checked(required(key("headers", config.List, config.High, "The names of the headers, in the order of the fields.")), nonEmptyList),
		checked(required(key("operation", config.String, config.High, "move takes the fields out, copy leaves them in.")), config.OneOf(moveOperation, copyOperation)),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		if len(s.List("fields")) != len(s.List("headers")) {
			return config.Wholef("'fields' config must have the same number of elements as 'headers' config.")
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		return headerFrom{s, settings.List("fields"), settings.List("headers"), settings.Text("operation"), settings.Flag(replaceNullSetting)}, nil
	})
}

// headerFrom moves or copies fields into headers.
type headerFrom struct {
	side            side
	fields, headers []string
	operation       string
	replaceNull     bool
}

func (t headerFrom) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	purpose := "header " + t.operation
	headers := slices.Clone(r.Headers)
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		for i, name := range t.fields {
			field, _ := m.Get(name)
			headers = append(headers, plugin.Header{Key: t.headers[i], Value: field})
		}
		return withHeaders(t.side.with(r, nil, t.rest(m)), headers), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	result := st
	if t.operation == moveOperation {
		m := newMaker(basics(schema))
		for i, f := range schema.Fields {
			if !slices.Contains(t.fields, f.Name) {
				m.add(f.Name, f.Schema, fieldValue(st, i, t.replaceNull))
			}
		}
		if result, err = m.made(); err != nil {
			return nil, err
		}
	}
	for i, name := range t.fields {
		n := schema.FieldIndex(name)
		if n < 0 {
			return nil, missingField(name)
		}
		headers = append(headers, plugin.Header{Key: t.headers[i], Schema: schema.Fields[n].Schema, Value: fieldValue(st, n, t.replaceNull)})
	}
	return withHeaders(t.side.with(r, result.Schema, result), headers), nil
}

// missingField is how the real transformation fails on a field that the schema does
// not have; the hint says which one.
func missingField(name string) error {
	f := fault.New(fault.NullPointer, `Cannot invoke "org.apache.kafka.connect.data.Field.schema()" because the return value of "org.apache.kafka.connect.data.Schema.field(String)" is null`)
	f.Hint = "the record has no field " + name
	return f
}

// rest gives a map without the fields that are moved.
func (t headerFrom) rest(m *data.Map) *data.Map {
	rest := &data.Map{}
	for i, k := range m.Keys {
		if name, ok := k.(string); !ok || t.operation == copyOperation || !slices.Contains(t.fields, name) {
			rest.Put(k, m.Values[i])
		}
	}
	rest.SortAsCopy(len(m.Keys))
	return rest
}
