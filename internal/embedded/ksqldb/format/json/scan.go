package json

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth and maxNumber are Jackson's limits for nesting and for the length of
// a number.
const (
	maxDepth  = 1000
	maxNumber = 1000
)

// syntaxError is a text that isn't JSON.
type syntaxError struct{ text string }

func (e *syntaxError) Error() string { return e.text }

func syntax(format string, args ...any) error {
	return &syntaxError{fmt.Sprintf(format, args...)}
}

// scanner walks over a JSON text. It reads the first value and ignores what
// stands after it, as Jackson's readTree does.
type scanner struct {
	data  []byte
	pos   int
	depth int
}

// next skips white space and gives the first byte of the next token without
// taking it, or 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.next(); s.pos >= len(s.data) {
		return syntax("Unexpected end-of-input: expected %s", want)
	}
	r, _ := utf8.DecodeRune(s.data[s.pos:])
	return syntax("Unexpected character ('%c' (code %d)): expected %s", r, r, want)
}

// take takes the byte c, which must be next.
func (s *scanner) take(c byte, want string) error {
	if s.next() != c || s.pos >= len(s.data) {
		return s.unexpected(want)
	}
	s.pos++
	return nil
}

func (s *scanner) enter() error {
	if s.depth++; s.depth > maxDepth {
		return syntax("Document nesting depth (%d) exceeds the maximum allowed (%d)", s.depth, maxDepth)
	}
	s.pos++
	return nil
}

func (s *scanner) leave() { s.depth-- }

// literal takes one of true, false and null.
func (s *scanner) literal(word string) error {
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word {
		return s.unexpected("a JSON value")
	}
	if end < len(s.data) && isWord(s.data[end]) {
		return syntax("Unrecognized token: expected a JSON value")
	}
	s.pos = end
	return nil
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c >= utf8.RuneSelf
}

// number takes a number. integer is false when it has a fraction or exponent.
func (s *scanner) number() (text []byte, integer bool, err error) {
	start := s.pos
	if s.data[s.pos] == '-' {
		s.pos++
	}
	digits := s.digits()
	if digits == 0 {
		return nil, false, s.unexpected("digit (0-9) to follow minus sign, for valid numeric value")
	}
	if s.data[s.pos-digits] == '0' && digits > 1 {
		return nil, false, syntax("Invalid numeric value: Leading zeroes not allowed")
	}
	integer = true
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		integer = false
		s.pos++
		if s.digits() == 0 {
			return nil, false, s.unexpected("a digit after the decimal point")
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		integer = false
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '-' || s.data[s.pos] == '+') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, false, s.unexpected("a digit in the exponent")
		}
	}
	if s.pos < len(s.data) && isWord(s.data[s.pos]) {
		return nil, false, s.unexpected("space separating root-level values or the end of the value")
	}
	if s.pos-start > maxNumber {
		return nil, false, syntax("Number value length (%d) exceeds the maximum allowed (%d)", s.pos-start, maxNumber)
	}
	return s.data[start:s.pos], integer, nil
}

func (s *scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - start
}

// text takes a string and gives its content, as a part of the data where it
// has no escapes.
func (s *scanner) text() ([]byte, error) {
	if err := s.take('"', "a double-quoted string"); err != nil {
		return nil, err
	}
	start, ascii := s.pos, true
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			raw := s.data[start:s.pos]
			if !ascii && !utf8.Valid(raw) {
				return nil, syntax("Invalid UTF-8 in a string")
			}
			s.pos++
			return raw, nil
		case c == '\\':
			return s.escapedText(start)
		case c < ' ':
			return nil, syntax("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		case c >= utf8.RuneSelf:
			ascii = false
		}
		s.pos++
	}
	return nil, syntax("Unexpected end-of-input in a string")
}

func (s *scanner) escapedText(start int) ([]byte, error) {
	out := append(make([]byte, 0, s.pos-start+32), s.data[start:s.pos]...)
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		s.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, syntax("Invalid UTF-8 in a string")
			}
			return out, nil
		case c == '\\':
			var err error
			if out, err = s.escape(out); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, syntax("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		default:
			out = append(out, c)
		}
	}
	return nil, syntax("Unexpected end-of-input in a string")
}

// escape takes what follows a backslash.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.pos >= len(s.data) {
		return nil, syntax("Unexpected end-of-input in character escape sequence")
	}
	c := s.data[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, err := s.hex()
		if err != nil {
			return nil, err
		}
		if utf16.IsSurrogate(r) && s.pos+6 <= len(s.data) && s.data[s.pos] == '\\' && s.data[s.pos+1] == 'u' {
			back := s.pos
			s.pos += 2
			low, err := s.hex()
			if err != nil {
				return nil, err
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), nil
			}
			s.pos = back
		}
		return utf8.AppendRune(out, r), nil
	default:
		return nil, syntax("Unrecognized character escape '%c' (code %d)", c, c)
	}
}

func (s *scanner) hex() (rune, error) {
	if s.pos+4 > len(s.data) {
		return 0, syntax("Unexpected end-of-input in character escape sequence")
	}
	n, err := strconv.ParseUint(string(s.data[s.pos:s.pos+4]), 16, 16)
	if err != nil {
		return 0, syntax("Unexpected character in a \\u escape: expected a hex-digit for character escape sequence")
	}
	s.pos += 4
	return rune(n), nil
}

// members calls visit for each member of the object that is next; visit takes
// the value.
func (s *scanner) members(visit func(name []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.next() == '}' {
		s.pos++
		return nil
	}
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if err := s.take(':', "a colon to separate field name and value"); err != nil {
			return err
		}
		if err := visit(name); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.unexpected("comma to separate Object entries")
		}
	}
}

// elements calls visit for each element of the array that is next; visit takes
// the element.
func (s *scanner) elements(visit func(index int) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.next() == ']' {
		s.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := visit(i); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.unexpected("comma to separate Array entries")
		}
	}
}

// skip takes the next value, whatever it is.
func (s *scanner) skip() error {
	switch c := s.next(); {
	case c == '{':
		return s.members(func([]byte) error { return s.skip() })
	case c == '[':
		return s.elements(func(int) error { return s.skip() })
	case c == '"':
		_, err := s.text()
		return err
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || c >= '0' && c <= '9':
		_, _, err := s.number()
		return err
	default:
		return s.unexpected("a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
	}
}
