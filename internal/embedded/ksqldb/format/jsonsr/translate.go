package jsonsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
)

// The names that Connect gives to the members a union of several types turns
// into.
const (
	unionName   = "io.confluent.connect.json.OneOf"
	unionMember = unionName + ".field."
)

// maxDepth bounds how deep a schema may nest, references included.
const maxDepth = 64

// Translate turns a JSON Schema into a Connect schema as Connect's
// JsonSchemaData does. References within the schema, and to those that the registry
// has as its references, are followed.
func Translate(ctx context.Context, reg registry.Registry, schema registry.Schema) (*connect.Schema, error) {
	references, err := registry.References(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	t := translator{others: map[string]any{}}
	for _, r := range references {
		other, err := decode(r.Schema.Text)
		if err != nil {
			return nil, fmt.Errorf("reading the referenced JSON Schema %s: %w", r.Name, err)
		}
		t.others[r.Name] = other
		if id := idOf(other); id != "" && t.others[id] == nil {
			t.others[id] = other
		}
	}
	if t.root, err = decode(schema.Text); err != nil {
		return nil, fmt.Errorf("reading the JSON Schema: %w", err)
	}
	return t.schema(t.root, 0)
}

func decode(text string) (any, error) {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}

// idOf is the address that a schema says it has, or empty.
func idOf(schema any) string {
	o, _ := schema.(object)
	id, _ := o["$id"].(string)
	return strings.TrimSuffix(id, "#")
}

// translator turns one schema, root, into Connect's. Others are those that it may
// refer to, by the names of the references and by their own addresses.
type translator struct {
	root   any
	others map[string]any
}

type object = map[string]any

func (t translator) schema(v any, depth int) (*connect.Schema, error) {
	if depth > maxDepth {
		return nil, errors.New("the schema nests too deep: recursive schemas can't be read as columns")
	}
	o, ok := v.(object)
	if !ok {
		return nil, fmt.Errorf("Unsupported schema type %v", v)
	}
	if ref, ok := o["$ref"].(string); ok {
		in, target, err := t.resolve(ref)
		if err != nil {
			return nil, err
		}
		return in.schema(target, depth+1)
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		if list, ok := o[word].([]any); ok {
			return t.combined(o, list, depth)
		}
	}
	if list, ok := o["type"].([]any); ok {
		return t.combined(o, typeList(o, list), depth)
	}
	return t.single(o, depth)
}

// typeList turns "type": ["null", "integer"] into a list of schemas.
func typeList(o object, list []any) []any {
	var out []any
	for _, name := range list {
		branch := object{}
		for k, v := range o {
			branch[k] = v
		}
		branch["type"] = name
		out = append(out, branch)
	}
	return out
}

// resolve follows a reference, and gives the translator of the schema that it leads
// into.
func (t translator) resolve(ref string) (translator, any, error) {
	address, pointer, _ := strings.Cut(ref, "#")
	if address != "" {
		var found bool
		if t.root, found = t.at(address); !found {
			return t, nil, fmt.Errorf("the schema refers to %s, which is none of the references that the registry has for it", ref)
		}
	}
	at := t.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		o, ok := at.(object)
		if !ok || o[step] == nil {
			return t, nil, fmt.Errorf("the schema refers to %s, which it doesn't have", ref)
		}
		at = o[step]
	}
	return t, at, nil
}

// at finds the schema with an address, which may be relative to that of the root.
func (t translator) at(address string) (any, bool) {
	own := idOf(t.root)
	addresses := []string{address}
	if base, err := url.Parse(own); err == nil {
		if full, err := base.Parse(address); err == nil {
			addresses = append(addresses, full.String())
		}
	}
	for _, a := range addresses {
		if a == own {
			return t.root, true
		}
		if other, ok := t.others[a]; ok {
			return other, true
		}
	}
	return nil, false
}

// combined makes one type or null optional, and several types a struct with a
// member per type.
func (t translator) combined(o object, list []any, depth int) (*connect.Schema, error) {
	optional := false
	var branches []*connect.Schema
	for _, v := range list {
		if b, ok := v.(object); ok && b["type"] == "null" {
			optional = true
			continue
		}
		s, err := t.schema(v, depth+1)
		if err != nil {
			return nil, err
		}
		branches = append(branches, s)
	}
	switch len(branches) {
	case 0:
		return nil, errors.New("Unsupported schema type null")
	case 1:
		s := *branches[0]
		s.Optional = s.Optional || optional
		return &s, nil
	}
	s := &connect.Schema{Type: connect.Struct, Name: unionName, Optional: optional}
	for i, b := range branches {
		b.Optional = true
		s.Fields = append(s.Fields, connect.Field{Name: unionMember + strconv.Itoa(i), Schema: b})
	}
	return s, nil
}

func (t translator) single(o object, depth int) (*connect.Schema, error) {
	s := &connect.Schema{}
	if title, ok := o["title"].(string); ok {
		s.Name = title
	}
	kind, _ := o["type"].(string)
	connectType, _ := o["connect.type"].(string)
	switch {
	case kind == "boolean":
		s.Type = connect.Boolean
	case kind == "integer" || kind == "number":
		s.Type = numberType(kind, connectType)
		if s.Name == connect.Decimal {
			s.Scale, s.Precision = parameter(o, "scale"), parameter(o, "connect.decimal.precision")
		}
	case kind == "string" && connectType == "bytes":
		s.Type = connect.Bytes
	case kind == "string" || o["enum"] != nil || o["const"] != nil:
		s.Type = connect.String
	case kind == "array":
		return t.array(o, s, connectType, depth)
	case kind == "object" || o["properties"] != nil:
		return t.object(o, s, connectType, depth)
	default:
		return nil, fmt.Errorf("Unsupported schema type %s", kind)
	}
	return s, nil
}

func numberType(kind, connectType string) connect.Type {
	switch connectType {
	case "int8":
		return connect.Int8
	case "int16":
		return connect.Int16
	case "int32":
		return connect.Int32
	case "int64":
		return connect.Int64
	case "float32":
		return connect.Float32
	case "bytes":
		return connect.Bytes
	}
	if kind == "integer" {
		return connect.Int64
	}
	return connect.Float64
}

func parameter(o object, name string) int {
	params, _ := o["connect.parameters"].(object)
	text, _ := params[name].(string)
	n, _ := strconv.Atoi(text)
	return n
}

func (t translator) array(o object, s *connect.Schema, connectType string, depth int) (*connect.Schema, error) {
	items, ok := o["items"]
	if !ok {
		return nil, errors.New("Array schema did not specify the items type")
	}
	elem, err := t.schema(items, depth+1)
	if err != nil {
		return nil, err
	}
	if connectType != "map" {
		s.Type, s.Value = connect.Array, elem
		return s, nil
	}
	s.Type = connect.Map
	for _, f := range elem.Fields {
		switch f.Name {
		case "key":
			s.Key = f.Schema
		case "value":
			s.Value = f.Schema
		}
	}
	if s.Key == nil || s.Value == nil {
		return nil, errors.New("a map needs items with the properties key and value")
	}
	return s, nil
}

func (t translator) object(o object, s *connect.Schema, connectType string, depth int) (*connect.Schema, error) {
	if connectType == "map" {
		value, err := t.schema(o["additionalProperties"], depth+1)
		if err != nil {
			return nil, err
		}
		s.Type, s.Key, s.Value = connect.Map, &connect.Schema{Type: connect.String}, value
		return s, nil
	}
	s.Type = connect.Struct
	properties, _ := o["properties"].(object)
	for _, name := range propertyOrder(properties) {
		field, err := t.schema(properties[name], depth+1)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, connect.Field{Name: name, Schema: field})
	}
	return s, nil
}

// propertyOrder gives the properties in the order of connect.index; one without
// takes the next number when its turn comes, in the order of a
// java.util.HashMap.
func propertyOrder(properties object) []string {
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	at := map[int]string{}
	var indexes []int
	for _, i := range serde.HashMapOrder(names, 0) {
		index := len(at)
		if p, ok := properties[names[i]].(object); ok {
			if n, ok := p["connect.index"].(json.Number); ok {
				if v, err := n.Int64(); err == nil {
					index = int(v)
				}
			}
		}
		if _, taken := at[index]; !taken {
			indexes = append(indexes, index)
		}
		at[index] = names[i]
	}
	slices.Sort(indexes)
	out := make([]string, len(indexes))
	for i, index := range indexes {
		out[i] = at[index]
	}
	return out
}
