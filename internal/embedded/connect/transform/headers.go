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
			return config.Errorf("'fields' config must have the same number of elements as 'headers' config.")
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
	for i, name := range t.fields {
		n := schema.FieldIndex(name)
		if n < 0 {
			return nil, fault.New(fault.NullPointer, "the field %s of the transformation HeaderFrom does not exist", name)
		}
		headers = append(headers, plugin.Header{Key: t.headers[i], Schema: schema.Fields[n].Schema, Value: fieldValue(st, n, t.replaceNull)})
	}
	if t.operation == copyOperation {
		return withHeaders(r, headers), nil
	}
	changed := basics(schema)
	result := &data.Struct{Schema: changed}
	for i, f := range schema.Fields {
		if !slices.Contains(t.fields, f.Name) {
			changed.Fields = append(changed.Fields, f)
			result.Values = append(result.Values, fieldValue(st, i, t.replaceNull))
		}
	}
	return withHeaders(t.side.with(r, changed, result), headers), nil
}

// rest gives a map without the fields that are moved.
func (t headerFrom) rest(m *data.Map) *data.Map {
	if t.operation == copyOperation {
		return m
	}
	rest := &data.Map{}
	for i, k := range m.Keys {
		if name, ok := k.(string); !ok || !slices.Contains(t.fields, name) {
			rest.Put(k, m.Values[i])
		}
	}
	return rest
}
