package protobufschema

import (
	"fmt"
	"strconv"
	"strings"
)

// syntaxError says where a text is no .proto file.
type syntaxError struct {
	line, column int
	message      string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("Syntax error in :%d:%d: %s", e.line, e.column, e.message)
}

// reader reads the words of a .proto file. Its first error ends the reading:
// every method gives zero values from then on.
type reader struct {
	data      []rune
	pos       int
	line      int // how many line breaks were passed
	lineStart int
	err       error
}

func (r *reader) failAt(line, column int, format string, args ...any) {
	if r.err == nil {
		r.err = &syntaxError{line, column, fmt.Sprintf(format, args...)}
	}
	r.pos = len(r.data)
}

func (r *reader) fail(format string, args ...any) {
	line, column := r.location()
	r.failAt(line, column, format, args...)
}

func (r *reader) location() (line, column int) { return r.line + 1, r.pos - r.lineStart + 1 }

func (r *reader) newline() {
	r.line++
	r.lineStart = r.pos
}

// skip passes white space and comments.
func (r *reader) skip() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\r':
			r.pos++
		case '\n':
			r.pos++
			r.newline()
		case '/':
			r.comment()
		default:
			return
		}
	}
}

func (r *reader) comment() {
	r.pos++
	next := rune(-1)
	if r.pos < len(r.data) {
		next = r.data[r.pos]
		r.pos++
	}
	switch next {
	case '/':
		for r.pos < len(r.data) {
			r.pos++
			if r.data[r.pos-1] == '\n' {
				r.newline()
				return
			}
		}
	case '*':
		for r.pos+1 < len(r.data) {
			if r.data[r.pos] == '*' && r.data[r.pos+1] == '/' {
				r.pos += 2
				return
			}
			r.pos++
			if r.data[r.pos-1] == '\n' {
				r.newline()
			}
		}
		r.fail("unterminated comment")
	default:
		r.fail("unexpected '/'")
	}
}

// exhausted reports whether nothing but white space and comments is left.
func (r *reader) exhausted() bool {
	r.skip()
	return r.pos >= len(r.data)
}

// peek gives the next character that counts, 0 after an error.
func (r *reader) peek() rune {
	r.skip()
	if r.pos >= len(r.data) {
		r.fail("unexpected end of file")
		return 0
	}
	return r.data[r.pos]
}

func (r *reader) char() rune {
	c := r.peek()
	if r.err == nil {
		r.pos++
	}
	return c
}

// accept passes a character if it is the next one.
func (r *reader) accept(c rune) bool {
	if r.peek() != c || r.err != nil {
		return false
	}
	r.pos++
	return true
}

func (r *reader) require(c rune) {
	if got := r.char(); got != c {
		r.fail("expected '%c' but was '%c'", c, got)
	}
}

func isWord(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func (r *reader) word() string {
	r.skip()
	start := r.pos
	for r.pos < len(r.data) && isWord(r.data[r.pos]) {
		r.pos++
	}
	if r.pos == start {
		r.fail("expected a word")
		return ""
	}
	return string(r.data[start:r.pos])
}

// identifier is a word that doesn't begin with a digit.
func (r *reader) identifier() string {
	r.skip()
	line, column := r.location()
	w := r.word()
	if w != "" && w[0] >= '0' && w[0] <= '9' {
		r.failAt(line, column-1, "field and constant names cannot start with a digit")
	}
	return w
}

// name reads a word that may stand in parentheses or brackets, which are kept if
// asked for.
func (r *reader) name(keepWrap bool) string {
	closing := map[rune]rune{'(': ')', '[': ']'}
	opened := r.peek()
	end, wrapped := closing[opened]
	if !wrapped {
		return r.word()
	}
	r.pos++
	w := r.word()
	if r.char() != end {
		r.fail("expected '%c'", end)
	}
	if keepWrap {
		return string(opened) + w + string(end)
	}
	return w
}

func (r *reader) integer() int {
	w := r.word()
	n, ok := parseInt(w)
	if !ok {
		r.fail("expected an integer but was %s", trimHex(w))
	}
	return n
}

func trimHex(w string) string {
	return strings.TrimPrefix(strings.TrimPrefix(w, "0x"), "0X")
}

func parseInt(w string) (int, bool) {
	base := 10
	if digits := trimHex(w); digits != w {
		w, base = digits, 16
	}
	n, err := strconv.ParseInt(w, base, 32)
	return int(n), err == nil
}

// dataType reads the type of a field.
func (r *reader) dataType() string { return r.dataTypeFrom(r.word()) }

func (r *reader) dataTypeFrom(name string) string {
	if name != "map" {
		return name
	}
	expect := func(c rune) {
		if r.char() != c {
			r.fail("expected '%c'", c)
		}
	}
	expect('<')
	key := r.dataType()
	expect(',')
	value := r.dataType()
	expect('>')
	return "map<" + key + ", " + value + ">"
}

// text reads a word or a string in quotes.
func (r *reader) text() string {
	if c := r.peek(); c == '"' || c == '\'' {
		return r.quoted()
	}
	return r.word()
}

// quoted reads strings in quotes, of which several in a row are one.
func (r *reader) quoted() string {
	quote := r.char()
	if quote != '"' && quote != '\'' {
		r.fail("expected quoted string")
		return ""
	}
	var b strings.Builder
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		switch {
		case c == quote:
			if next := r.peek(); next == '"' || next == '\'' {
				quote = r.char()
				continue
			}
			return b.String()
		case c == '\\':
			c = r.escape()
		}
		b.WriteRune(c)
		if c == '\n' {
			r.newline()
		}
	}
	r.fail("unterminated string")
	return ""
}

func (r *reader) escape() rune {
	if r.pos >= len(r.data) {
		r.fail("unexpected end of file")
		return 0
	}
	c := r.data[r.pos]
	r.pos++
	switch c {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 'x', 'X':
		return r.numericEscape(16, 2)
	}
	if c >= '0' && c <= '7' {
		r.pos--
		return r.numericEscape(8, 3)
	}
	return c
}

func (r *reader) numericEscape(base, length int) rune {
	start := r.pos
	value := 0
	for r.pos < len(r.data) && r.pos < start+length {
		digit, err := strconv.ParseInt(string(r.data[r.pos]), base, 32)
		if err != nil {
			break
		}
		value = value*base + int(digit)
		r.pos++
	}
	if r.pos == start {
		r.fail(`expected a digit after \x or \X`)
	}
	return rune(value)
}
