package search

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is the type of a JSON value.
type kind byte

const (
	kindObject kind = iota
	kindArray
	kindString
	kindNumber
	kindTrue
	kindFalse
	kindNull
)

// maxJSONDepth bounds the nesting that is parsed, as Jackson's default does.
const maxJSONDepth = 1000

// fewFields is up to how many fields of an object are looked through one by one.
const fewFields = 24

// node is a parsed JSON value that remembers where it stood.
type node struct {
	kind       kind
	start, end int // bytes of the value in the text, end exclusive
	text       string
	members    []member
	elements   []*node
	src        []byte // the whole text
}

// A parser takes its nodes from blocks, and keeps all texts as parts of one string.
const nodeBlock = 16

// member is a field of an object, in the order of the text.
type member struct {
	name  string
	start int // of the name's opening quote
	value *node
}

// raw is the text of the value.
func (n *node) raw() []byte { return n.src[n.start:n.end] }

// get gives the value of a field, nil when the object hasn't got it.
func (n *node) get(name string) *node {
	if n == nil || n.kind != kindObject {
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			return n.members[i].value
		}
	}
	return nil
}

// token is Jackson's name of the token that begins the value.
func (n *node) token() string {
	switch n.kind {
	case kindObject:
		return "START_OBJECT"
	case kindArray:
		return "START_ARRAY"
	case kindString:
		return "VALUE_STRING"
	case kindNumber:
		return "VALUE_NUMBER"
	case kindTrue, kindFalse:
		return "VALUE_BOOLEAN"
	default:
		return "VALUE_NULL"
	}
}

// scalar gives the text of a string, number or boolean.
func (n *node) scalar() (string, bool) {
	switch n.kind {
	case kindString, kindNumber:
		return n.text, true
	case kindTrue:
		return "true", true
	case kindFalse:
		return "false", true
	default:
		return "", false
	}
}

// list gives the elements of an array, or the value itself as the only one.
func (n *node) list() []*node {
	if n.kind == kindArray {
		return n.elements
	}
	return []*node{n}
}

// isInteger reports whether a number is written without fraction and exponent.
func (n *node) isInteger() bool {
	return n.kind == kindNumber && !strings.ContainsAny(n.text, ".eE")
}

// position gives line and column of an offset, both from 1, the column in bytes.
func position(src []byte, offset int) (line, col int) {
	offset = min(offset, len(src))
	line = 1 + bytes.Count(src[:offset], []byte("\n"))
	return line, offset - bytes.LastIndexByte(src[:offset], '\n')
}

// at is the "line:column" of an offset.
func at(src []byte, offset int) string {
	line, col := position(src, offset)
	return fmt.Sprintf("%d:%d", line, col)
}

// jsonError is a syntax error, in the words of Elasticsearch's parser.
type jsonError struct {
	src    []byte
	offset int
	msg    string
	eof    bool
	parent int // start of the innermost open field or object: where the reader stood
}

func (e *jsonError) Error() string { return e.msg + e.source() }

// source is the part of the message that shows the text.
func (e *jsonError) source() string {
	shown := string(e.src)
	if len(shown) > 500 {
		shown = shown[:500] + "[truncated " + strconv.Itoa(len(e.src)-500) + " bytes]"
	}
	line, col := position(e.src, e.offset)
	return fmt.Sprintf("\n at [Source: (byte[])\"%s\"; line: %d, column: %d]", shown, line, col)
}

// parseJSON parses one value and reports what follows it.
func parseJSON(src []byte) (*node, int, error) {
	return new(jsonParser).parse(src)
}

// parse begins with another text.
func (p *jsonParser) parse(src []byte) (*node, int, error) {
	p.src, p.text, p.pos, p.last, p.members, p.count = src, string(src), 0, 0, p.members[:0], 0
	p.valid = utf8.Valid(src)
	n, err := p.value(0)
	if err != nil {
		return nil, p.pos, err
	}
	p.space()
	return n, p.pos, nil
}

type jsonParser struct {
	src  []byte
	pos  int
	last int // start of the innermost token that was read whole

	most  int // values that the text may have, 0 for any number
	count int // of them

	text    string   // src
	valid   bool     // src is UTF-8
	block   []node   // those to be taken next
	members []member // of the objects that are open
}

// node takes one from the block.
func (p *jsonParser) node() *node {
	if len(p.block) == 0 {
		p.block = make([]node, nodeBlock)
	}
	n := &p.block[0]
	p.block = p.block[1:]
	n.start, n.src = p.pos, p.src
	return n
}

func (p *jsonParser) fail(offset int, format string, args ...any) error {
	return &jsonError{src: p.src, offset: offset, msg: fmt.Sprintf(format, args...), parent: p.last}
}

func (p *jsonParser) eof(format string, args ...any) error {
	return &jsonError{src: p.src, offset: len(p.src), msg: fmt.Sprintf(format, args...), eof: true, parent: p.last}
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (*node, error) {
	if depth > maxJSONDepth {
		return nil, p.fail(p.pos, "Document nesting depth (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNestingDepth()`)", depth, maxJSONDepth)
	}
	p.space()
	if p.pos >= len(p.src) {
		return nil, p.eof("Unexpected end-of-input")
	}
	if p.count++; p.most > 0 && p.count > p.most {
		return nil, p.fail(p.pos, "The text has more than %d values. Send it in several requests.", p.most)
	}
	n := p.node()
	var err error
	switch c := p.src[p.pos]; {
	case c == '{':
		err = p.object(n, depth)
	case c == '[':
		err = p.array(n, depth)
	case c == '"':
		n.kind = kindString
		n.text, err = p.str()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = kindNumber
		n.text, err = p.number()
	case c == 't' || c == 'f' || c == 'n' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		err = p.literal(n)
	default:
		return nil, p.fail(p.pos+1, "Unexpected character ('%c' (code %d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", c, c)
	}
	n.end = p.pos
	if err == nil && n.kind != kindObject && n.kind != kindArray {
		p.last = n.start
	}
	return n, err
}

func (p *jsonParser) object(n *node, depth int) error {
	n.kind = kindObject
	start := p.pos
	p.last = start
	p.pos++
	unclosed := func() error {
		line, col := position(p.src, start)
		e := &jsonError{src: p.src, offset: start}
		shown, _, _ := strings.Cut(e.source(), "; line:")
		return p.eof("Unexpected end-of-input: expected close marker for Object (start marker at%s; line: %d, column: %d])", strings.TrimPrefix(shown, "\n at"), line, col)
	}
	open := len(p.members)
	defer func() { p.members = p.members[:open] }()
	done := func() error {
		if len(p.members) > open {
			n.members = slices.Clone(p.members[open:])
		}
		return nil
	}
	var seen map[string]bool // of an object with many fields
	for first := true; ; first = false {
		p.space()
		if p.pos >= len(p.src) {
			return unclosed()
		}
		if p.src[p.pos] == '}' && first {
			p.pos++
			return done()
		}
		if !first {
			switch p.src[p.pos] {
			case '}':
				p.pos++
				return done()
			case ',':
				p.pos++
				p.space()
			default:
				return p.fail(p.pos+1, "Unexpected character ('%c' (code %d)): was expecting comma to separate Object entries", p.src[p.pos], p.src[p.pos])
			}
		}
		if p.pos >= len(p.src) {
			return unclosed()
		}
		if p.src[p.pos] != '"' {
			return p.fail(p.pos+1, "Unexpected character ('%c' (code %d)): was expecting double-quote to start field name", p.src[p.pos], p.src[p.pos])
		}
		nameStart := p.pos
		name, err := p.str()
		if err != nil {
			return err
		}
		before := p.members[open:]
		if seen == nil && len(before) == fewFields {
			seen = map[string]bool{}
			for _, m := range before {
				seen[m.name] = true
			}
		}
		if seen[name] || seen == nil && slices.ContainsFunc(before, func(m member) bool { return m.name == name }) {
			return p.fail(p.pos, "Duplicate field '%s'", name)
		}
		if seen != nil {
			seen[name] = true
		}
		p.last = nameStart
		p.space()
		if p.pos >= len(p.src) {
			return p.eof("Unexpected end-of-input within/between Object entries")
		}
		if p.src[p.pos] != ':' {
			return p.fail(p.pos+1, "Unexpected character ('%c' (code %d)): was expecting a colon to separate field name and value", p.src[p.pos], p.src[p.pos])
		}
		p.pos++
		p.space()
		if p.pos >= len(p.src) {
			return p.eof("Unexpected end-of-input within/between Object entries")
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		p.members = append(p.members, member{name: name, start: nameStart, value: value})
	}
}

func (p *jsonParser) array(n *node, depth int) error {
	n.kind = kindArray
	n.elements = []*node{}
	p.last = p.pos
	p.pos++
	for first := true; ; first = false {
		p.space()
		if p.pos >= len(p.src) {
			return p.eof("Unexpected end-of-input: expected close marker for Array")
		}
		if p.src[p.pos] == ']' && first {
			p.pos++
			return nil
		}
		if !first {
			switch p.src[p.pos] {
			case ']':
				p.pos++
				return nil
			case ',':
				p.pos++
			default:
				return p.fail(p.pos+1, "Unexpected character ('%c' (code %d)): was expecting comma to separate Array entries", p.src[p.pos], p.src[p.pos])
			}
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.elements = append(n.elements, value)
	}
}

func (p *jsonParser) literal(n *node) error {
	end := p.pos
	for end < len(p.src) && (p.src[end] >= 'a' && p.src[end] <= 'z' || p.src[end] >= 'A' && p.src[end] <= 'Z' || p.src[end] >= '0' && p.src[end] <= '9' || p.src[end] == '_') {
		end++
	}
	word := string(p.src[p.pos:end])
	switch word {
	case "true":
		n.kind = kindTrue
	case "false":
		n.kind = kindFalse
	case "null":
		n.kind = kindNull
	case "NaN", "Infinity", "INF":
		return p.fail(end, "Non-standard token '%s': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow", word)
	default:
		return p.fail(end+1, "Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", word)
	}
	p.pos = end
	return nil
}

func (p *jsonParser) number() (string, error) {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	if p.src[p.pos] == '-' {
		p.pos++
	}
	first := p.pos
	ok := digits()
	if ok && p.src[first] == '0' && p.pos > first+1 {
		return "", p.fail(first+2, "Invalid numeric value: Leading zeroes not allowed")
	}
	if ok && p.pos < len(p.src) && p.src[p.pos] == '.' {
		p.pos++
		ok = digits()
	}
	if ok && p.pos < len(p.src) && (p.src[p.pos] == 'e' || p.src[p.pos] == 'E') {
		p.pos++
		if p.pos < len(p.src) && (p.src[p.pos] == '+' || p.src[p.pos] == '-') {
			p.pos++
		}
		ok = digits()
	}
	if !ok {
		if p.pos >= len(p.src) {
			return "", p.eof("Unexpected end-of-input in numeric value")
		}
		return "", p.fail(p.pos+1, "Unexpected character ('%c' (code %d)) in numeric value", p.src[p.pos], p.src[p.pos])
	}
	return p.text[start:p.pos], nil
}

// utf8 replaces what is not UTF-8.
func (p *jsonParser) utf8(text string) string {
	if p.valid {
		return text
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

func (p *jsonParser) str() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			text := p.text[start:p.pos]
			p.pos++
			return p.utf8(text), nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail(p.pos+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		default:
			p.pos++
		}
	}
	return "", p.eof("Unexpected end-of-input in VALUE_STRING")
}

func (p *jsonParser) escaped(start int) (string, error) {
	out := append([]byte{}, p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '"':
			p.pos++
			return strings.ToValidUTF8(string(out), "�"), nil
		case c < 0x20:
			return "", p.fail(p.pos+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		case c != '\\':
			out = append(out, c)
			p.pos++
			continue
		}
		if p.pos+1 >= len(p.src) {
			break
		}
		c = p.src[p.pos+1]
		p.pos += 2
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", p.fail(p.pos, "Unrecognized character escape '%c' (code %d)", c, c)
		}
	}
	p.pos = len(p.src)
	return "", p.eof("Unexpected end-of-input in VALUE_STRING")
}

// unicode reads the four digits of an escape, and those of the second half of a
// pair.
func (p *jsonParser) unicode() (rune, error) {
	four := func(offset int) (rune, bool) {
		if offset+4 > len(p.src) {
			return 0, false
		}
		v, err := strconv.ParseUint(string(p.src[offset:offset+4]), 16, 16)
		return rune(v), err == nil
	}
	r, ok := four(p.pos)
	if !ok {
		return 0, p.fail(p.pos, "Unexpected character in a Unicode escape: expected four hex digits")
	}
	p.pos += 4
	if utf16.IsSurrogate(r) && bytes.HasPrefix(p.src[p.pos:], []byte(`\u`)) {
		if low, ok := four(p.pos + 2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				p.pos += 6
				return pair, nil
			}
		}
	}
	return r, nil
}
