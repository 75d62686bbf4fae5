package protobufschema

import (
	"slices"
	"strings"
)

// options reads options in brackets, if there are any.
func (p *parser) options() []option {
	if !p.accept('[') {
		return nil
	}
	var list []option
	for p.err == nil {
		list = append(list, p.option('=', 0))
		if p.accept(']') {
			break
		}
		if !p.accept(',') {
			p.fail("Expected ',' or ']'")
		}
	}
	return list
}

// option reads a name, a separator and a value.
func (p *parser) option(separator rune, depth int) option {
	if depth > maxDepth {
		p.fail("options nest deeper than %d", maxDepth)
		return option{}
	}
	first := p.peek()
	o := option{parenthesized: first == '(', name: p.name(false)}
	if first == '[' {
		o.name = "[" + o.name + "]"
	}
	var parts []string
	c := p.char()
	for ; c == '.' && p.err == nil; c = p.char() {
		if part := p.name(true); strings.HasPrefix(part, "(") {
			parts = append(parts, part)
		} else {
			parts = append(parts, strings.Split(part, ".")...)
		}
	}
	switch {
	case separator == ':' && c == '{':
		p.pos--
	case c != separator:
		p.fail("expected '%c' in option", separator)
	}
	o.value = p.value(depth)
	for _, part := range slices.Backward(parts) {
		inner, parenthesized := cutAround(part, "(", ")")
		if !parenthesized {
			inner = part
		}
		o.value = option{inner, parenthesized, o.value}
	}
	return o
}

func (p *parser) value(depth int) any {
	switch c := p.peek(); {
	case c == '{':
		return p.table(depth)
	case c == '[':
		return p.list(depth)
	case c == '"' || c == '\'':
		return p.quoted()
	default:
		return word{p.word(), c >= '0' && c <= '9' || c == '-'}
	}
}

// table reads members in braces. A member that comes again makes a list of its
// values.
func (p *parser) table(depth int) *table {
	p.require('{')
	t := newTable()
	for p.err == nil && !p.accept('}') {
		o := p.option(':', depth+1)
		switch v := o.value.(type) {
		case option:
			nested, ok := t.values[o.name].(*table)
			if !ok {
				nested = newTable()
				t.set(o.name, nested)
			}
			nested.set(v.name, v.value)
		default:
			previous, again := t.values[o.name]
			if !again {
				t.set(o.name, v)
				break
			}
			list, ok := previous.([]any)
			if !ok {
				list = []any{previous}
			}
			if more, ok := v.([]any); ok {
				list = append(list, more...)
			} else {
				list = append(list, v)
			}
			t.set(o.name, list)
		}
		if !p.accept(',') {
			p.accept(';')
		}
	}
	return t
}

func (p *parser) list(depth int) []any {
	p.require('[')
	list := []any{}
	if depth > maxDepth {
		p.fail("options nest deeper than %d", maxDepth)
	}
	for p.err == nil && !p.accept(']') {
		list = append(list, p.value(depth+1))
		if !p.accept(',') && p.peek() != ']' {
			p.fail("expected ',' or ']'")
		}
	}
	return list
}
