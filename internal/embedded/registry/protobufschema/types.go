package protobufschema

import "strings"

// isScalar reports whether a type is one of Protobuf's own.
func isScalar(typ string) bool {
	switch typ {
	case "bool", "bytes", "double", "float", "fixed32", "fixed64", "int32", "int64", "sfixed32", "sfixed64",
		"sint32", "sint64", "string", "uint32", "uint64":
		return true
	default:
		return false
	}
}

// typeInfo is a declared type.
type typeInfo struct {
	typeDecl
	pkg    string
	origin Origin // of the file that declares it
}

// isMapEntry reports whether a message only stands for the entries of a map.
func (m *message) isMapEntry() bool {
	for _, o := range m.options {
		if o.name == "map_entry" {
			text, _ := valueText(o.value)
			return strings.EqualFold(text, "true")
		}
	}
	return false
}

func (t *typeInfo) isMap() bool { return t.message != nil && t.message.isMapEntry() }

// mapType is the type of the map whose entries a message stands for.
func (t *typeInfo) mapType() string {
	var key, value string
	for _, f := range t.message.fields {
		switch f.name {
		case "key":
			key = f.typ
		case "value":
			value = f.typ
		}
	}
	return "map<" + key + ", " + value + ">"
}

// scopeTypes finds types by the names that a place in a file may use for them.
type scopeTypes struct {
	types      map[string]*typeInfo // by full name
	extensions map[string]*field    // by full name
	pkg        string
	path       []string // the messages that the place is in
}

// collect gives the types that a schema can use: those of what it imports and
// its own.
func collect(s *Schema) *scopeTypes {
	t := &scopeTypes{types: map[string]*typeInfo{}, extensions: map[string]*field{}}
	for name, f := range wellKnown() {
		if _, replaced := s.imports[name]; !replaced {
			t.addFile(f, Origin{})
		}
	}
	for name, f := range s.imports {
		t.addFile(f, s.origins[name])
	}
	t.addFile(s.file, ownOrigin)
	return t
}

func (t *scopeTypes) addFile(f *file, origin Origin) {
	t.pkg = f.pkg
	t.addExtensions("", f.extends)
	t.addTypes("", f.types, origin)
}

func (t *scopeTypes) full(prefix, name string) string {
	full := name
	if prefix != "" {
		full = prefix + "." + name
	}
	if t.pkg != "" {
		full = t.pkg + "." + full
	}
	return full
}

func (t *scopeTypes) addExtensions(prefix string, extends []extend) {
	for _, e := range extends {
		for i := range e.fields {
			t.extensions[t.full(prefix, e.fields[i].name)] = &e.fields[i]
		}
	}
}

func (t *scopeTypes) addTypes(prefix string, types []typeDecl, origin Origin) {
	for _, d := range types {
		t.types[t.full(prefix, d.name())] = &typeInfo{d, t.pkg, origin}
		if d.message == nil {
			continue
		}
		inner := d.name()
		if prefix != "" {
			inner = prefix + "." + inner
		}
		t.addExtensions(inner, d.message.extends)
		t.addTypes(inner, d.message.types, origin)
	}
}

// within calls f for a place inside a type.
func (t *scopeTypes) within(name string, f func()) {
	if t == nil {
		f()
		return
	}
	t.path = append(t.path, name)
	f()
	t.path = t.path[:len(t.path)-1]
}

// fullName gives the full name of what a name means here, empty when there is
// no such type.
func (t *scopeTypes) fullName(name string) string {
	return t.find(name, func(full string) bool { return t.types[full] != nil })
}

func (t *scopeTypes) extensionName(name string) string {
	return t.find(name, func(full string) bool { return t.extensions[full] != nil })
}

// find tries the innermost scope first.
func (t *scopeTypes) find(name string, exists func(full string) bool) string {
	if absolute, ok := strings.CutPrefix(name, "."); ok {
		if exists(absolute) {
			return absolute
		}
		return ""
	}
	var scopes []string
	if t.pkg != "" {
		scopes = strings.Split(t.pkg, ".")
	}
	scopes = append(scopes, t.path...)
	for n := len(scopes); n > 0; n-- {
		if full := strings.Join(scopes[:n], ".") + "." + name; exists(full) {
			return full
		}
	}
	if exists(name) {
		return name
	}
	return ""
}

// byName gives the type that a name means here, nil when there is none.
func (t *scopeTypes) byName(name string) *typeInfo { return t.types[t.fullName(name)] }
