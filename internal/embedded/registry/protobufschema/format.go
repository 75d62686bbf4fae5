package protobufschema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// printer writes a file as text. It writes the declarations in the order in
// which they stand in the file, or, when it normalizes, with names resolved and
// what has a number in the order of the numbers.
type printer struct {
	normalize        bool
	ignoreExtensions bool // leaves extensions and options of one's own out
	types            *scopeTypes
	err              error // the first name that can't be resolved
}

func (p *printer) file(f *file) string {
	var b strings.Builder
	if f.syntax != "" && (!p.normalize || f.syntax == "proto3") {
		fmt.Fprintf(&b, "syntax = %q;\n", f.syntax)
	}
	if f.hasPackage {
		fmt.Fprintf(&b, "package %s;\n", f.pkg)
	}
	if len(f.imports)+len(f.publicImports) > 0 {
		b.WriteByte('\n')
		for _, name := range p.sortedNames(f.imports) {
			fmt.Fprintf(&b, "import \"%s\";\n", name)
		}
		for _, name := range p.sortedNames(f.publicImports) {
			fmt.Fprintf(&b, "import public \"%s\";\n", name)
		}
	}
	if options := p.filter(f.options); len(options) > 0 {
		b.WriteByte('\n')
		for _, o := range options {
			b.WriteString(p.optionLine(o))
		}
	}
	if types := p.withoutMapEntries(f.types); len(types) > 0 {
		b.WriteByte('\n')
		p.typeDecls(types, func(text string) { b.WriteString(text) })
	}
	if !p.ignoreExtensions && len(f.extends) > 0 {
		b.WriteByte('\n')
		for _, e := range p.extends(f.extends) {
			b.WriteString(p.extend(e))
		}
	}
	if len(f.services) > 0 {
		b.WriteByte('\n')
		for _, s := range f.services {
			b.WriteString(p.service(s))
		}
	}
	return b.String()
}

func (p *printer) sortedNames(names []string) []string {
	if !p.normalize {
		return names
	}
	return slices.Compact(slices.SortedFunc(slices.Values(names), strings.Compare))
}

// typeDecls writes messages, then enums. The order of messages counts, since
// serialized records name them by their place.
func (p *printer) typeDecls(types []typeDecl, add func(text string)) {
	for _, t := range types {
		if t.message != nil {
			p.types.within(t.name(), func() { add(p.message(t.message)) })
		}
	}
	for _, t := range types {
		if t.enum != nil {
			p.types.within(t.name(), func() { add(p.enum(t.enum)) })
		}
	}
}

func (p *printer) withoutMapEntries(types []typeDecl) []typeDecl {
	if !p.normalize {
		return types
	}
	return slices.DeleteFunc(slices.Clone(types), func(t typeDecl) bool { return t.message != nil && t.message.isMapEntry() })
}

// block is the text of a declaration with a body.
type block struct{ strings.Builder }

// section sets off the lines of one kind by an empty line.
func (b *block) section(lines int) {
	if lines > 0 {
		b.WriteByte('\n')
	}
}

func (b *block) indent(text string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		b.WriteString("  " + line + "\n")
	}
}

func (b *block) end() string { return b.String() + "}\n" }

func begin(format string, args ...any) *block {
	b := new(block)
	fmt.Fprintf(b, format, args...)
	return b
}

func (p *printer) service(s service) string {
	b := begin("service %s {", s.name)
	p.optionLines(b, s.options)
	b.section(len(s.rpcs))
	for _, c := range s.rpcs {
		b.indent(p.rpc(c))
	}
	return b.end()
}

func (p *printer) rpc(c rpc) string {
	stream := map[bool]string{true: "stream "}
	request, response := c.request, c.response
	if p.normalize {
		request, response = p.resolve(request), p.resolve(response)
	}
	b := begin("rpc %s (%s%s) returns (%s%s)", c.name, stream[c.streamsRequest], request, stream[c.streamsResponse], response)
	if options := p.filter(c.options); len(options) > 0 {
		b.WriteString(" {\n")
		for _, o := range options {
			b.indent(p.optionLine(o))
		}
		b.WriteByte('}')
	}
	return b.String() + ";\n"
}

func (p *printer) optionLines(b *block, options []option) {
	options = p.filter(options)
	b.section(len(options))
	for _, o := range options {
		b.indent(p.optionLine(o))
	}
}

func (p *printer) enum(e *enum) string {
	b := begin("enum %s {", e.name)
	p.reserved(b, e.reserved)
	if len(e.reserved) == 0 {
		b.section(len(e.options) + len(e.constants))
	}
	for _, o := range p.filter(e.options) {
		b.indent(p.optionLine(o))
	}
	constants := slices.Clone(e.constants)
	if p.normalize {
		slices.SortStableFunc(constants, func(a, b constant) int {
			if a.number != b.number {
				return compareInts(a.number, b.number)
			}
			return strings.Compare(a.name, b.name)
		})
	}
	for _, c := range constants {
		b.indent(fmt.Sprintf("%s = %d%s;\n", c.name, c.number, p.inline(c.options)))
	}
	return b.end()
}

func compareInts(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func (p *printer) message(m *message) string {
	b := begin("message %s {", m.name)
	p.reserved(b, m.reserved)
	p.optionLines(b, m.options)
	p.fields(b, m.fields)
	b.section(len(m.oneofs))
	for _, o := range p.oneofs(m.oneofs) {
		b.indent(p.oneof(o))
	}
	p.groups(b, m.groups)
	if !p.ignoreExtensions {
		b.section(len(m.extensions))
		for _, e := range p.extensionRanges(m.extensions) {
			b.indent("extensions " + p.values(e.values) + p.inline(e.options) + ";\n")
		}
		b.section(len(m.extends))
		for _, e := range p.extends(m.extends) {
			b.indent(p.extend(e))
		}
	}
	types := p.withoutMapEntries(m.types)
	b.section(len(types))
	p.typeDecls(types, func(text string) { b.indent(text) })
	return b.end()
}

func (p *printer) reserved(b *block, reserved [][]any) {
	b.section(len(reserved))
	if p.normalize {
		var single [][]any
		for _, values := range reserved {
			for _, v := range values {
				single = append(single, []any{v})
			}
		}
		slices.SortStableFunc(single, func(a, b []any) int {
			if c := compareInts(firstNumber(a[0]), firstNumber(b[0])); c != 0 {
				return c
			}
			return strings.Compare(javaText(a[0]), javaText(b[0]))
		})
		reserved = single
	}
	for _, values := range reserved {
		b.indent("reserved " + p.values(values) + ";\n")
	}
}

// firstNumber is where a value sorts: names come after all numbers.
func firstNumber(v any) int {
	switch v := v.(type) {
	case int:
		return v
	case span:
		return v.from
	default:
		return 1<<31 - 1
	}
}

func javaText(v any) string {
	if r, ok := v.(span); ok {
		return fmt.Sprintf("%d..%d", r.from, r.to)
	}
	return fmt.Sprint(v)
}

func (p *printer) values(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string:
			texts[i] = `"` + v + `"`
		case span:
			switch {
			case p.normalize && v.from == v.to:
				texts[i] = strconv.Itoa(v.from)
			case v.to >= maxTag:
				texts[i] = fmt.Sprintf("%d to max", v.from)
			default:
				texts[i] = fmt.Sprintf("%d to %d", v.from, v.to)
			}
		default:
			texts[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(texts, ", ")
}

func (p *printer) extensionRanges(list []extensions) []extensions {
	if !p.normalize {
		return list
	}
	var single []extensions
	for _, e := range list {
		for _, v := range e.values {
			single = append(single, extensions{[]any{v}, e.options})
		}
	}
	slices.SortStableFunc(single, func(a, b extensions) int {
		return compareInts(firstNumber(a.values[0]), firstNumber(b.values[0]))
	})
	return single
}

// sorted gives the fields by number when normalizing.
func (p *printer) sorted(fields []field) []field {
	if !p.normalize {
		return fields
	}
	return slices.SortedStableFunc(slices.Values(fields), func(a, b field) int { return compareInts(a.number, b.number) })
}

func (p *printer) fields(b *block, fields []field) {
	b.section(len(fields))
	for _, f := range p.sorted(fields) {
		b.indent(p.field(f))
	}
}

func (p *printer) oneofs(list []oneof) []oneof {
	if !p.normalize {
		return list
	}
	var filled []oneof
	for _, o := range list {
		if len(o.fields) > 0 {
			o.fields = p.sorted(o.fields)
			filled = append(filled, o)
		}
	}
	slices.SortStableFunc(filled, func(a, b oneof) int { return compareInts(a.fields[0].number, b.fields[0].number) })
	return filled
}

func (p *printer) oneof(o oneof) string {
	b := begin("oneof %s {", o.name)
	p.optionLines(b, o.options)
	b.section(len(o.fields))
	for _, f := range o.fields {
		b.indent(p.field(f))
	}
	p.groups(b, o.groups)
	return b.end()
}

func (p *printer) groups(b *block, groups []group) {
	b.section(len(groups))
	if p.normalize {
		groups = slices.SortedStableFunc(slices.Values(groups), func(a, b group) int { return compareInts(a.number, b.number) })
	}
	for _, g := range groups {
		label := g.label
		if label != "" {
			label += " "
		}
		inner := begin("%sgroup %s = %d {", label, g.name, g.number)
		p.fields(inner, g.fields)
		b.indent(inner.end())
	}
}

// extends gives the extensions of each type together when normalizing.
func (p *printer) extends(list []extend) []extend {
	if !p.normalize {
		return list
	}
	var merged []extend
	for _, e := range list {
		if len(e.fields) == 0 {
			continue
		}
		e.name = p.resolve(e.name)
		i := slices.IndexFunc(merged, func(m extend) bool { return m.name == e.name })
		if i < 0 {
			merged = append(merged, extend{name: e.name, fields: slices.Clone(e.fields)})
			continue
		}
		merged[i].fields = append(merged[i].fields, e.fields...)
	}
	return merged
}

func (p *printer) extend(e extend) string {
	b := begin("extend %s {", e.name)
	p.fields(b, e.fields)
	return b.end()
}

func (p *printer) field(f field) string {
	label, typ := f.label, f.typ
	if p.normalize {
		typ, label = p.fieldType(typ, label)
	}
	if label != "" {
		label += " "
	}
	options := slices.Clone(f.options)
	if f.defaultValue != nil {
		options = append(options, option{name: "default", value: defaultValue(typ, *f.defaultValue)})
	}
	if f.jsonName != nil {
		options = append(options, option{name: "json_name", value: *f.jsonName})
	}
	return fmt.Sprintf("%s%s %s = %d%s;\n", label, typ, f.name, f.number, p.inline(options))
}

// fieldType resolves the names in a type. A map has no label.
func (p *printer) fieldType(typ, label string) (string, string) {
	if !isScalar(typ) && !strings.HasPrefix(typ, "map<") {
		typ = p.resolve(typ)
		if info := p.types.byName(typ); info != nil && info.isMap() {
			typ = info.mapType()
		}
	}
	key, value, ok := mapTypes(typ)
	if !ok {
		return typ, label
	}
	if full := p.types.fullName(value); full != "" {
		typ = "map<" + key + ", ." + full + ">"
	}
	return typ, ""
}

func defaultValue(typ, text string) any {
	switch {
	case typ == "string":
		return text
	case typ == "bool":
		return word{text: text}
	default:
		return word{text: text, number: isScalar(typ)}
	}
}

// resolve gives the full name of a type, after a dot.
func (p *printer) resolve(name string) string {
	full := p.types.fullName(name)
	if full == "" {
		if p.err == nil {
			p.err = &UnresolvedError{name}
		}
		return name
	}
	return "." + full
}

// UnresolvedError is the error of a schema that uses a type nobody declares.
type UnresolvedError struct {
	// Type is the name as the schema uses it.
	Type string
}

func (e *UnresolvedError) Error() string { return "Could not resolve type: " + e.Type }
