package convert

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// jsonSchemaReader makes a Connect schema of a JSON Schema.
type jsonSchemaReader struct {
	root       any
	name       string            // of the schema that root is, empty for the first
	references map[string]string // schemas that may be referred to, by name
	optional   bool              // what is not required is optional
	open       []string          // references that are being followed
}

// connectJSONSchema makes the Connect schema of a JSON Schema.
func connectJSONSchema(c chosen, optional bool) (*data.Schema, error) {
	root, err := parseJSON([]byte(c.text))
	if err != nil {
		return nil, fmt.Errorf("reading a JSON Schema: %w", err)
	}
	r := &jsonSchemaReader{root: root, references: c.byName(), optional: optional}
	return r.schema(root, false)
}

func unsupportedJSONSchema(what string) error {
	return fault.New(fault.Data, "Unsupported schema type %s", what)
}

func (r *jsonSchemaReader) schema(raw any, forceOptional bool) (*data.Schema, error) {
	m, ok := raw.(*data.Map)
	if !ok {
		return nil, unsupportedJSONSchema(data.Text(raw))
	}
	if ref, ok := text(m, "$ref"); ok {
		return r.referred(ref, forceOptional)
	}
	for _, kind := range []string{"oneOf", "anyOf"} {
		if members, ok := get(m, kind).([]any); ok {
			return r.union(m, members, forceOptional)
		}
	}
	if members, ok := get(m, "allOf").([]any); ok {
		return r.all(m, members, forceOptional)
	}
	s, err := r.typed(m)
	if err != nil {
		return nil, err
	}
	return s, r.annotate(s, m, forceOptional)
}

func (r *jsonSchemaReader) annotate(s *data.Schema, m *data.Map, forceOptional bool) error {
	if title, ok := text(m, "title"); ok && s.Name == "" {
		s.Name = title
	}
	if n, ok := get(m, "connect.version").(json.Number); ok {
		if v, err := strconv.Atoi(n.String()); err == nil {
			s.Version = &v
		}
	}
	if doc, ok := text(m, "description"); ok {
		s.Doc = doc
	}
	if params, ok := get(m, "connect.parameters").(*data.Map); ok {
		if s.Parameters == nil {
			s.Parameters = map[string]string{}
		}
		for i, k := range params.Keys {
			s.Parameters[fmt.Sprint(k)] = fmt.Sprint(params.Values[i])
		}
	}
	if def, ok := m.Get("default"); ok && def != nil {
		v, err := jsonSchemaValue(s, def, true)
		if err != nil {
			return err
		}
		s.Default, s.HasDefault = v, true
	}
	s.Optional = s.Optional || forceOptional
	return nil
}

// referred follows a reference within the schema, or to one of those that it was
// registered with.
func (r *jsonSchemaReader) referred(ref string, forceOptional bool) (*data.Schema, error) {
	name, path, _ := strings.Cut(ref, "#")
	if name != "" {
		text, ok := r.references[name]
		if !ok {
			return nil, fault.New(fault.Data, "the JSON Schema refers to %s, which is none of the references it was registered with", ref)
		}
		root, err := parseJSON([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("reading the JSON Schema %s: %w", name, err)
		}
		before, beforeName := r.root, r.name
		r.root, r.name = root, name
		defer func() { r.root, r.name = before, beforeName }()
	}
	if ref = r.name + "#" + path; slices.Contains(r.open, ref) {
		return nil, fault.New(fault.Data, "the JSON Schema refers to itself at %s, which the embedded worker does not support", ref)
	}
	target := r.root
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		m, ok := target.(*data.Map)
		if ok {
			target, ok = m.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
		if !ok {
			return nil, fault.New(fault.Data, "the JSON Schema refers to %s, which it does not have", ref)
		}
	}
	r.open = append(r.open, ref)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	return r.schema(target, forceOptional)
}

// union makes a struct of alternatives; one alternative beside null is that one,
// optional.
func (r *jsonSchemaReader) union(m *data.Map, members []any, forceOptional bool) (*data.Schema, error) {
	null := func(raw any) bool {
		sub, ok := raw.(*data.Map)
		if !ok {
			return false
		}
		name, _ := text(sub, "type")
		return name == "null"
	}
	rest := slices.DeleteFunc(slices.Clone(members), null)
	switch {
	case len(members) == 1 && len(rest) == 1:
		return r.schema(rest[0], forceOptional)
	case len(members) == 2 && len(rest) == 1:
		return r.schema(rest[0], true)
	}
	s := &data.Schema{Type: data.StructType, Name: jsonOneOf, Optional: len(rest) < len(members)}
	for i, member := range rest {
		sub, err := r.schema(member, true)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, data.Field{Name: jsonOneOfField + strconv.Itoa(i), Schema: sub})
	}
	return s, r.annotate(s, m, forceOptional)
}

// all joins the properties of schemas that hold together.
func (r *jsonSchemaReader) all(m *data.Map, members []any, forceOptional bool) (*data.Schema, error) {
	s := &data.Schema{Type: data.StructType}
	for _, member := range members {
		sub, err := r.schema(member, false)
		if err != nil {
			return nil, err
		}
		if sub.Type != data.StructType || isUnion(sub) {
			if len(members) == 1 {
				return sub.AsOptional(sub.Optional || forceOptional), nil
			}
			return nil, fault.New(fault.IllegalArgument, "Unsupported criterion allOf for %s", data.Text(member))
		}
		s.Fields = append(s.Fields, sub.Fields...)
	}
	return s, r.annotate(s, m, forceOptional)
}

func (r *jsonSchemaReader) typed(m *data.Map) (*data.Schema, error) {
	if values, ok := get(m, "enum").([]any); ok {
		return enumOf(values), nil
	}
	if value, ok := m.Get("const"); ok {
		return enumOf([]any{value}), nil
	}
	connectType, _ := text(m, "connect.type")
	name, given := text(m, "type")
	if list, ok := get(m, "type").([]any); ok {
		return r.several(m, list)
	}
	if !given {
		name = impliedType(m)
	}
	switch name {
	case "boolean":
		return data.Of(data.Boolean), nil
	case "integer", "number":
		if connectType != "" {
			t, ok := data.TypeByName(connectType)
			if !ok {
				return nil, fault.New(fault.IllegalArgument, "Unsupported type %s", connectType)
			}
			return data.Of(t), nil
		}
		if name == "integer" {
			return data.Of(data.Int64), nil
		}
		return data.Of(data.Float64), nil
	case "string":
		if connectType == "bytes" {
			return data.Of(data.Bytes), nil
		}
		return data.Of(data.String), nil
	case "array":
		return r.array(m, connectType)
	case "object":
		return r.object(m, connectType)
	default:
		return nil, unsupportedJSONSchema(data.Text(m))
	}
}

// several makes a union of the types that a value may have.
func (r *jsonSchemaReader) several(m *data.Map, types []any) (*data.Schema, error) {
	members := make([]any, len(types))
	for i, name := range types {
		one := m.Clone()
		one.Put("type", name)
		members[i] = one
	}
	return r.union(&data.Map{}, members, false)
}

func impliedType(m *data.Map) string {
	for _, hint := range []struct{ key, name string }{{"properties", "object"}, {"additionalProperties", "object"}, {"required", "object"}, {"items", "array"}} {
		if _, ok := m.Get(hint.key); ok {
			return hint.name
		}
	}
	return ""
}

func enumOf(values []any) *data.Schema {
	s := &data.Schema{Type: data.String, Parameters: map[string]string{jsonEnum: ""}}
	for _, v := range values {
		symbol := jsonEnumNull
		if v != nil {
			symbol = data.Text(v)
		}
		s.Parameters[jsonEnum+"."+symbol] = symbol
	}
	return s
}

func (r *jsonSchemaReader) array(m *data.Map, connectType string) (*data.Schema, error) {
	items, ok := get(m, "items").(*data.Map)
	if !ok {
		return nil, fault.New(fault.Data, "Array schema did not specify the items type")
	}
	if properties, ok := get(items, "properties").(*data.Map); ok && connectType == "map" {
		key, err := r.schema(get(properties, "key"), false)
		if err != nil {
			return nil, err
		}
		value, err := r.schema(get(properties, "value"), false)
		return &data.Schema{Type: data.MapType, Key: key, Value: value}, err
	}
	value, err := r.schema(items, false)
	return &data.Schema{Type: data.Array, Value: value}, err
}

func (r *jsonSchemaReader) object(m *data.Map, connectType string) (*data.Schema, error) {
	if connectType == "map" {
		value, err := r.schema(get(m, "additionalProperties"), false)
		return &data.Schema{Type: data.MapType, Key: data.Of(data.String), Value: value}, err
	}
	s := &data.Schema{Type: data.StructType}
	properties, ok := get(m, "properties").(*data.Map)
	if !ok {
		return s, nil
	}
	required, _ := get(m, "required").([]any)
	byPlace := map[int]int{}
	var places []int
	for i := range properties.Keys {
		place := len(byPlace)
		if own, ok := properties.Values[i].(*data.Map); ok {
			if n, ok := get(own, "connect.index").(json.Number); ok {
				if v, err := strconv.Atoi(n.String()); err == nil {
					place = v
				}
			}
		}
		if _, taken := byPlace[place]; !taken {
			places = append(places, place)
		}
		byPlace[place] = i
	}
	slices.Sort(places)
	for _, place := range places {
		i := byPlace[place]
		name := fmt.Sprint(properties.Keys[i])
		sub, err := r.schema(properties.Values[i], r.optional && !slices.Contains(required, any(name)))
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, data.Field{Name: name, Schema: sub})
	}
	return s, nil
}

// jsonSchemaValue reads a JSON value by a schema. What an object leaves out is
// null, even where its schema is not optional.
func jsonSchemaValue(s *data.Schema, v any, given bool) (any, error) {
	if v == nil {
		if s.HasDefault && s.Default != nil {
			return s.Default, nil
		}
		if !given {
			return nil, nil
		}
		return jsonReader{replaceNull: true}.value(s, nil)
	}
	if isUnion(s) {
		return unionValue(s, v)
	}
	switch v := v.(type) {
	case *data.Map:
		if s.Type == data.StructType {
			st := data.NewStruct(s)
			for i, f := range s.Fields {
				raw, given := v.Get(f.Name)
				var err error
				if st.Values[i], err = jsonSchemaValue(f.Schema, raw, given); err != nil {
					return nil, err
				}
			}
			return st, nil
		}
		if s.Type == data.MapType {
			return jsonSchemaMap(s, v.Keys, v.Values)
		}
	case []any:
		if s.Type == data.MapType {
			return jsonSchemaEntries(s, v)
		}
		if s.Type == data.Array {
			list := make([]any, len(v))
			for i := range v {
				var err error
				if list[i], err = jsonSchemaValue(s.Value, v[i], true); err != nil {
					return nil, err
				}
			}
			return list, nil
		}
	}
	return jsonReader{replaceNull: true}.value(s, v)
}

func jsonSchemaMap(s *data.Schema, keys, values []any) (any, error) {
	m := &data.Map{}
	for i, k := range keys {
		value, err := jsonSchemaValue(s.Value, values[i], true)
		if err != nil {
			return nil, err
		}
		m.Put(k, value)
	}
	m.SortAsHashMap()
	return m, nil
}

// jsonSchemaEntries reads a map whose keys are no text: a list of key and value.
func jsonSchemaEntries(s *data.Schema, list []any) (any, error) {
	keys, values := make([]any, len(list)), make([]any, len(list))
	for i, raw := range list {
		entry, ok := raw.(*data.Map)
		if !ok || len(entry.Keys) != 2 {
			return nil, fault.New(fault.Data, "Found invalid map entry instead of object: %s", data.Text(raw))
		}
		var err error
		if keys[i], err = jsonSchemaValue(s.Key, get(entry, "key"), true); err != nil {
			return nil, err
		}
		values[i] = get(entry, "value")
	}
	return jsonSchemaMap(s, keys, values)
}

// unionValue finds the alternative that a value belongs to: the first simple one of
// its type, or the struct that has most of its properties.
func unionValue(s *data.Schema, v any) (any, error) {
	best, most := -1, 0
	for i, f := range s.Fields {
		if simpleMatch(f.Schema, v) {
			best = i
			break
		}
		if n := structMatch(f.Schema, v); n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return nil, fault.New(fault.Data, "Did not find matching oneof field for data")
	}
	st := data.NewStruct(s)
	var err error
	st.Values[best], err = jsonSchemaValue(s.Fields[best].Schema, v, true)
	return st, err
}

func simpleMatch(s *data.Schema, v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, err := strconv.ParseInt(v.String(), 10, 64)
		return s.Type <= data.Int64 && err == nil || s.Type == data.Float32 || s.Type == data.Float64
	case bool:
		return s.Type == data.Boolean
	case string:
		return s.Type == data.String
	case []any:
		return s.Type == data.Array || s.Type == data.MapType
	case *data.Map:
		return s.Type == data.MapType
	default:
		return false
	}
}

func structMatch(s *data.Schema, v any) int {
	m, ok := v.(*data.Map)
	if !ok || s.Type != data.StructType {
		return 0
	}
	n := 0
	for _, f := range s.Fields {
		if sub, ok := m.Get(f.Name); ok {
			n += 1 + structMatch(f.Schema, sub)
		}
	}
	return n
}
