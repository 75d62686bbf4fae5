package avroschema

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Text is the schema as Java's Schema.toString writes it. The named types of
// references are written by their names only.
func (s *Schema) Text(references ...*Schema) string { return s.text(false, references) }

// Normalized is Text with properties sorted by their names, the form in which
// schemas that differ in nothing else are the same.
func (s *Schema) Normalized(references ...*Schema) string { return s.text(true, references) }

func (s *Schema) text(sorted bool, references []*Schema) string {
	known := &parser{names: map[string]*Schema{}}
	for _, ref := range references {
		known.addReference(ref, map[*Schema]bool{})
	}
	w := &writer{written: map[*Schema]bool{}, sorted: sorted}
	for _, ref := range known.names {
		w.written[ref] = true
	}
	w.schema(s)
	return w.b.String()
}

type writer struct {
	b       bytes.Buffer
	written map[*Schema]bool // named types that are written by name
	space   string           // the namespace in force
	sorted  bool
}

func (w *writer) schema(s *Schema) {
	switch {
	case s.typ.primitive():
		if len(s.props) == 0 {
			writeString(&w.b, string(s.typ))
			return
		}
		w.open(string(s.typ))
	case s.typ == Union:
		w.b.WriteByte('[')
		for i, branch := range s.branches {
			if i > 0 {
				w.b.WriteByte(',')
			}
			w.schema(branch)
		}
		w.b.WriteByte(']')
		return
	case s.typ == Array:
		w.open("array")
		w.key("items")
		w.schema(s.elem)
	case s.typ == Map:
		w.open("map")
		w.key("values")
		w.schema(s.elem)
	default:
		w.named(s)
		return
	}
	w.props(s.props)
	w.b.WriteByte('}')
}

func (w *writer) named(s *Schema) {
	if w.written[s] {
		writeString(&w.b, s.name.qualified(w.space))
		return
	}
	w.written[s] = true
	saved := w.space
	if s.isError {
		w.open("error")
	} else {
		w.open(string(s.typ))
	}
	w.attribute("name", s.name.simple)
	if s.name.space != w.space {
		w.attribute("namespace", s.name.space)
	}
	if s.typ == Record {
		w.space = s.name.space
	}
	if s.doc != nil {
		w.attribute("doc", *s.doc)
	}
	switch s.typ {
	case Record:
		w.key("fields")
		w.b.WriteByte('[')
		for i, f := range s.fields {
			if i > 0 {
				w.b.WriteByte(',')
			}
			w.field(f)
		}
		w.b.WriteByte(']')
	case Enum:
		w.key("symbols")
		w.strings(s.symbols)
		if s.enumDefault != nil {
			w.attribute("default", *s.enumDefault)
		}
	case Fixed:
		w.key("size")
		w.b.WriteString(strconv.Itoa(s.size))
	}
	w.props(s.props)
	if len(s.aliases) > 0 {
		var aliases []string
		for _, a := range s.aliases {
			aliases = append(aliases, a.qualified(s.name.space))
		}
		w.key("aliases")
		w.strings(aliases)
	}
	w.b.WriteByte('}')
	w.space = saved
}

func (w *writer) field(f *field) {
	w.b.WriteString(`{"name":`)
	writeString(&w.b, f.name)
	w.key("type")
	w.schema(f.schema)
	if f.doc != nil {
		w.attribute("doc", *f.doc)
	}
	if f.defaultValue != nil {
		w.key("default")
		f.defaultValue.write(&w.b)
	}
	if f.order != "" {
		w.attribute("order", f.order)
	}
	if len(f.aliases) > 0 {
		w.key("aliases")
		w.strings(f.aliases)
	}
	w.props(f.props)
	w.b.WriteByte('}')
}

func (w *writer) open(typ string) {
	w.b.WriteString(`{"type":`)
	writeString(&w.b, typ)
}

func (w *writer) key(key string) {
	w.b.WriteByte(',')
	writeString(&w.b, key)
	w.b.WriteByte(':')
}

func (w *writer) attribute(key, text string) {
	w.key(key)
	writeString(&w.b, text)
}

func (w *writer) strings(list []string) {
	w.b.WriteByte('[')
	for i, text := range list {
		if i > 0 {
			w.b.WriteByte(',')
		}
		writeString(&w.b, text)
	}
	w.b.WriteByte(']')
}

func (w *writer) props(props []member) {
	if w.sorted {
		props = slices.Clone(props)
		slices.SortFunc(props, func(a, b member) int { return strings.Compare(a.key, b.key) })
	}
	for i := range props {
		w.key(props[i].key)
		props[i].value.write(&w.b)
	}
}
