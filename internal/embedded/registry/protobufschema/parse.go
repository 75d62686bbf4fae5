package protobufschema

import "strings"

// place is what a declaration stands in.
type place int

const (
	inFile place = iota
	inMessage
	inEnum
	inService
	inExtend
	inRPC
)

// maxDepth bounds how deep messages and options may nest.
const maxDepth = 200

// parser reads the declarations of a .proto file.
type parser struct {
	*reader
	file         *file
	declarations int
	depth        int
}

func parseFile(text string) (*file, error) {
	p := &parser{reader: &reader{data: []rune(text)}, file: &file{}}
	for !p.exhausted() && p.err == nil {
		p.declare(inFile, &scope{})
	}
	return p.file, p.err
}

// scope is what the declarations of a block go to.
type scope struct {
	message *message
	enum    *enum
	service *service
	extend  *extend
	rpc     *rpc
}

// block reads declarations up to the closing brace.
func (p *parser) block(in place, s *scope) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		p.fail("declarations nest deeper than %d", maxDepth)
	}
	for p.err == nil && !p.accept('}') {
		p.declare(in, s)
	}
}

func (p *parser) declare(in place, s *scope) {
	index := p.declarations
	p.declarations++
	if p.accept(';') {
		return
	}
	line, column := p.location()
	label := ""
	if in == inEnum {
		label = p.identifier()
	} else {
		label = p.word()
	}
	if p.err != nil {
		return
	}
	switch {
	case in == inFile && p.declareFile(label, index, line, column):
	case label == "option":
		p.addOption(in, s, p.option('=', 0))
		p.require(';')
	case label == "reserved":
		p.addReserved(in, s, p.reserved(line, column))
	case label == "message" && (in == inFile || in == inMessage):
		p.addType(in, s, typeDecl{message: p.message()}, line, column)
	case label == "enum" && (in == inFile || in == inMessage):
		p.addType(in, s, typeDecl{enum: p.enum()}, line, column)
	case label == "extend" && (in == inFile || in == inMessage):
		p.addExtend(in, s, p.extend())
	case label == "rpc" && in == inService:
		s.service.rpcs = append(s.service.rpcs, p.rpc(line, column))
	case label == "oneof" && in == inMessage:
		s.message.oneofs = append(s.message.oneofs, p.oneof())
	case label == "extensions" && in == inMessage:
		s.message.extensions = append(s.message.extensions, p.extensions(line, column))
	case in == inMessage:
		f, g := p.fieldOrGroup(label, line, column)
		if g != nil {
			s.message.groups = append(s.message.groups, *g)
		} else {
			s.message.fields = append(s.message.fields, f)
		}
	case in == inExtend:
		if f, g := p.fieldOrGroup(label, line, column); g == nil {
			s.extend.fields = append(s.extend.fields, f)
		}
	case in == inEnum:
		s.enum.constants = append(s.enum.constants, p.constant(label))
	default:
		p.failAt(line, column, "unexpected label: %s", label)
	}
}

// declareFile reads what only stands at the top of a file, and reports whether
// the label was of that.
func (p *parser) declareFile(label string, index, line, column int) bool {
	switch label {
	case "package":
		p.file.hasPackage, p.file.pkg = true, p.name(false)
		p.require(';')
	case "import":
		if name := p.text(); name == "public" {
			p.file.publicImports = append(p.file.publicImports, p.text())
		} else {
			p.file.imports = append(p.file.imports, name)
		}
		p.require(';')
	case "syntax":
		if p.file.syntax != "" {
			p.failAt(line, column, "too many syntax definitions")
		}
		p.require('=')
		if index != 0 {
			p.failAt(line, column, "'syntax' element must be the first declaration in a file")
		}
		p.file.syntax = p.quoted()
		if p.err == nil && p.file.syntax != "proto2" && p.file.syntax != "proto3" {
			p.failAt(line, column, "unexpected syntax: %s", p.file.syntax)
		}
		p.require(';')
	case "service":
		s := service{name: p.name(false)}
		p.require('{')
		p.block(inService, &scope{service: &s})
		for _, other := range p.file.services {
			if other.name == s.name {
				p.failAt(line, column, "%s is already defined", s.name)
			}
		}
		p.file.services = append(p.file.services, s)
	case "edition":
		p.fail("edition is not currently supported")
	default:
		return false
	}
	return true
}

func (p *parser) addOption(in place, s *scope, o option) {
	switch in {
	case inFile:
		p.file.options = append(p.file.options, o)
	case inMessage:
		s.message.options = append(s.message.options, o)
	case inEnum:
		s.enum.options = append(s.enum.options, o)
	case inService:
		s.service.options = append(s.service.options, o)
	case inRPC:
		s.rpc.options = append(s.rpc.options, o)
	case inExtend: // Wire drops them
	}
}

func (p *parser) addReserved(in place, s *scope, values []any) {
	switch in {
	case inMessage:
		s.message.reserved = append(s.message.reserved, values)
	case inEnum:
		s.enum.reserved = append(s.enum.reserved, values)
	case inFile, inService, inExtend, inRPC: // Wire drops them
	}
}

func (p *parser) addType(in place, s *scope, t typeDecl, line, column int) {
	if in == inMessage {
		s.message.types = append(s.message.types, t)
		return
	}
	for _, other := range p.file.types {
		if other.name() == t.name() {
			p.failAt(line, column, "%s is already defined", t.name())
		}
	}
	p.file.types = append(p.file.types, t)
}

func (p *parser) addExtend(in place, s *scope, e extend) {
	if in == inMessage {
		s.message.extends = append(s.message.extends, e)
		return
	}
	p.file.extends = append(p.file.extends, e)
}

func (p *parser) message() *message {
	m := &message{name: p.name(false)}
	p.require('{')
	p.block(inMessage, &scope{message: m})
	return m
}

func (p *parser) enum() *enum {
	e := &enum{name: p.name(false)}
	p.require('{')
	p.block(inEnum, &scope{enum: e})
	return e
}

func (p *parser) extend() extend {
	e := extend{name: p.name(false)}
	p.require('{')
	p.block(inExtend, &scope{extend: &e})
	return e
}

func (p *parser) constant(name string) constant {
	p.require('=')
	c := constant{name: name, number: p.integer()}
	c.options = p.options()
	p.require(';')
	return c
}

// fieldOrGroup reads a field, or a group, which is not nil then.
func (p *parser) fieldOrGroup(label string, line, column int) (field, *group) {
	typ := ""
	switch label {
	case "required", "optional", "repeated":
		if label == "required" && p.file.syntax == "proto3" {
			p.failAt(line, column, "'required' label forbidden in proto3 field declarations")
		}
		typ = p.dataType()
	default:
		if p.file.syntax != "proto3" && (label != "map" || p.peek() != '<') {
			p.failAt(line, column, "unexpected label: %s", label)
		}
		typ, label = p.dataTypeFrom(label), ""
	}
	if strings.HasPrefix(typ, "map<") && label != "" {
		p.failAt(line, column, "'map' type cannot have label")
	}
	if typ == "group" {
		g := p.group(label)
		return field{}, &g
	}
	return p.field(label, typ), nil
}

func (p *parser) field(label, typ string) field {
	f := field{label: label, typ: typ, name: p.identifier()}
	p.require('=')
	f.number = p.integer()
	for _, o := range p.options() {
		text, isText := valueText(o.value)
		switch {
		case o.name == "default" && isText:
			f.defaultValue = &text
		case o.name == "json_name" && isText:
			f.jsonName = &text
		default:
			f.options = append(f.options, o)
		}
	}
	p.require(';')
	return f
}

// valueText is the text of a value that is not made of others.
func valueText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case word:
		return v.text, true
	default:
		return "", false
	}
}

func (p *parser) oneof() oneof {
	o := oneof{name: p.name(false)}
	p.require('{')
	for p.err == nil && !p.accept('}') {
		switch typ := p.dataType(); typ {
		case "group":
			o.groups = append(o.groups, p.group(""))
		case "option":
			o.options = append(o.options, p.option('=', 0))
			p.require(';')
		default:
			o.fields = append(o.fields, p.field("", typ))
		}
	}
	return o
}

func (p *parser) group(label string) group {
	g := group{label: label, name: p.word()}
	p.require('=')
	g.number = p.integer()
	p.require('{')
	for p.err == nil && !p.accept('}') {
		p.skip()
		line, column := p.location()
		f, inner := p.fieldOrGroup(p.word(), line, column)
		if inner != nil {
			p.fail("expected field declaration, was a group")
		}
		g.fields = append(g.fields, f)
	}
	return g
}

// number reads a number, or a range when "to" follows it.
func (p *parser) number(line, column int, ends, expected string) any {
	from := p.integer()
	if strings.ContainsRune(ends, p.peek()) {
		return from
	}
	if p.word() != "to" {
		p.failAt(line, column, "%s", expected)
	}
	to := p.word()
	if to == "max" {
		return span{from, maxTag}
	}
	n, ok := parseInt(to)
	if !ok {
		p.fail("expected an integer but was %s", to)
	}
	return span{from, n}
}

func (p *parser) reserved(line, column int) []any {
	var values []any
	for p.err == nil {
		if c := p.peek(); c == '"' || c == '\'' {
			values = append(values, p.quoted())
		} else {
			values = append(values, p.number(line, column, ",;", "expected ',', ';', or 'to'"))
		}
		switch p.char() {
		case ';':
			return values
		case ',':
		default:
			p.fail("expected ',' or ';'")
		}
	}
	return values
}

func (p *parser) extensions(line, column int) extensions {
	var e extensions
	for p.err == nil {
		e.values = append(e.values, p.number(line, column, ",;[", "expected ',', ';', '[' or 'to'"))
		if p.peek() == '[' {
			e.options = p.options()
			p.require(';')
			return e
		}
		switch p.char() {
		case ';':
			return e
		case ',':
		default:
			p.fail("expected ',' or ';'")
		}
	}
	return e
}

func (p *parser) rpc(line, column int) rpc {
	c := rpc{name: p.name(false)}
	signature := func() (typ string, streams bool) {
		p.require('(')
		if typ = p.word(); typ == "stream" {
			typ, streams = p.dataType(), true
		} else {
			typ = p.dataTypeFrom(typ)
		}
		p.require(')')
		return typ, streams
	}
	c.request, c.streamsRequest = signature()
	if p.word() != "returns" {
		p.failAt(line, column, "expected 'returns'")
	}
	c.response, c.streamsResponse = signature()
	if p.accept('{') {
		p.block(inRPC, &scope{rpc: &c})
	} else {
		p.require(';')
	}
	return c
}
