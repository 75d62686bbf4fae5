package server

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonKind is the kind of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonInt
	jsonFloat
	jsonString
	jsonArray
	jsonObject
)

// jsonValue is a JSON value with the place where it stands.
type jsonValue struct {
	kind jsonKind
	// text is the content of a string; numbers and booleans as they are written.
	text string
	// raw is the value as it is written.
	raw     []byte
	members []jsonMember
	// at and last are the offsets of the first and the last byte.
	at, last int
}

type jsonMember struct {
	name  string
	value *jsonValue
}

// member finds a member of an object, the last of several; nil when it is
// missing.
func (v *jsonValue) member(name string) *jsonValue {
	if v == nil {
		return nil
	}
	for i := len(v.members) - 1; i >= 0; i-- {
		if v.members[i].name == name {
			return v.members[i].value
		}
	}
	return nil
}

// described names the kind of a value and the token that begins it, as ksqlDB's
// JSON library does in messages.
func (v *jsonValue) described() (kind, token string) {
	switch v.kind {
	case jsonBool:
		return "Boolean value", "VALUE_" + strings.ToUpper(v.text)
	case jsonInt:
		return "Integer value", "VALUE_NUMBER_INT"
	case jsonFloat:
		return "Floating-point value", "VALUE_NUMBER_FLOAT"
	case jsonString:
		return "String value", "VALUE_STRING"
	case jsonArray:
		return "Array value", "START_ARRAY"
	case jsonObject:
		return "Object value", "START_OBJECT"
	default:
		return "Null value", "VALUE_NULL"
	}
}

// maxJSONDepth bounds how deep values may be nested.
const maxJSONDepth = 1000

// jsonError is a problem of JSON text. Its message is that of ksqlDB's JSON
// library, which clients have come to know.
type jsonError struct{ message string }

func (e *jsonError) Error() string { return e.message }

// jsonPlace says where something is, counting lines and columns (of bytes) from
// 1. ksqlDB never shows the text itself.
func jsonPlace(data []byte, offset int) string {
	before := data[:min(offset, len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", line, column)
}

// jsonReader reads the first JSON value of a text. What follows it is left alone,
// as ksqlDB does.
type jsonReader struct {
	data []byte
	pos  int
	// open are the values being read that have an end of their own.
	open []jsonOpen
}

type jsonOpen struct {
	kind jsonKind
	at   int
}

// parseJSON reads a JSON value. The error is a *jsonError.
func parseJSON(data []byte) (*jsonValue, error) {
	r := &jsonReader{data: data}
	r.blank()
	if r.pos == len(data) {
		return nil, r.failed(r.pos, "No content to map due to end-of-input")
	}
	return r.value()
}

func (r *jsonReader) failed(offset int, text string, args ...any) error {
	return &jsonError{fmt.Sprintf(text, args...) + "\n at " + jsonPlace(r.data, offset)}
}

func (r *jsonReader) blank() {
	for r.pos < len(r.data) && strings.IndexByte(" \t\r\n", r.data[r.pos]) >= 0 {
		r.pos++
	}
}

// openDescription names the innermost value that has not ended.
func (r *jsonReader) openDescription() string {
	if r.open[len(r.open)-1].kind == jsonArray {
		return "Array"
	}
	return "Object"
}

// next skips blanks and looks at the next byte, which a value that is open needs.
func (r *jsonReader) next(closing bool) (byte, error) {
	r.blank()
	if r.pos < len(r.data) {
		return r.data[r.pos], nil
	}
	if !closing {
		return 0, r.failed(r.pos, "Unexpected end-of-input within/between %s entries", r.openDescription())
	}
	o := r.open[len(r.open)-1]
	return 0, r.failed(r.pos, "Unexpected end-of-input: expected close marker for %s (start marker at %s)", r.openDescription(), jsonPlace(r.data, o.at))
}

// unexpected is the error for a byte that can't stand where it does.
func (r *jsonReader) unexpected(expected string) error {
	c, size := utf8.DecodeRune(r.data[r.pos:])
	if c == utf8.RuneError && size < 2 {
		return r.failed(r.pos+1, "Invalid UTF-8 start byte 0x%x", r.data[r.pos])
	}
	shown := fmt.Sprintf("'%c' (code %d)", c, c)
	switch {
	case unicode.IsControl(c):
		shown = fmt.Sprintf("(CTRL-CHAR, code %d)", c)
	case c > 0xFF:
		shown = fmt.Sprintf("'%c' (code %d / 0x%x)", c, c, c)
	}
	return r.failed(r.pos+size, "Unexpected character (%s): %s", shown, expected)
}

const jsonTokens = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

func (r *jsonReader) value() (*jsonValue, error) {
	v := &jsonValue{at: r.pos}
	var err error
	switch c := r.data[r.pos]; {
	case c == '{':
		err = r.object(v)
	case c == '[':
		err = r.array(v)
	case c == '"':
		v.kind = jsonString
		v.text, err = r.text()
	case c == '-' || c >= '0' && c <= '9':
		err = r.number(v)
	default:
		err = r.word(v)
	}
	v.last = r.pos - 1
	v.raw = r.data[v.at:r.pos]
	return v, err
}

func (r *jsonReader) enter(v *jsonValue, kind jsonKind) error {
	v.kind = kind
	r.open = append(r.open, jsonOpen{kind, r.pos})
	r.pos++
	if len(r.open) > maxJSONDepth {
		return &jsonError{fmt.Sprintf("Document nesting depth (%d) exceeds the maximum allowed (%d, from `StreamReadConstraints.getMaxNestingDepth()`)", len(r.open), maxJSONDepth)}
	}
	return nil
}

func (r *jsonReader) leave() {
	r.open = r.open[:len(r.open)-1]
	r.pos++
}

func (r *jsonReader) object(v *jsonValue) error {
	if err := r.enter(v, jsonObject); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := r.next(true)
		switch {
		case err != nil:
			return err
		case c == '}' && first:
			r.leave()
			return nil
		case !first && c == '}':
			r.leave()
			return nil
		case !first && c != ',':
			return r.unexpected("was expecting comma to separate Object entries")
		case !first:
			r.pos++
			if c, err = r.next(false); err != nil {
				return err
			}
		}
		if c != '"' {
			return r.unexpected("was expecting double-quote to start field name")
		}
		name, err := r.text()
		if err != nil {
			return err
		}
		if c, err = r.next(false); err != nil {
			return err
		}
		if c != ':' {
			return r.unexpected("was expecting a colon to separate field name and value")
		}
		r.pos++
		if _, err = r.next(false); err != nil {
			return err
		}
		member, err := r.value()
		if err != nil {
			return err
		}
		v.members = append(v.members, jsonMember{name, member})
	}
}

func (r *jsonReader) array(v *jsonValue) error {
	if err := r.enter(v, jsonArray); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := r.next(true)
		switch {
		case err != nil:
			return err
		case c == ']':
			r.leave()
			return nil
		case !first && c != ',':
			return r.unexpected("was expecting comma to separate Array entries")
		case !first:
			r.pos++
			if c, err = r.next(false); err != nil {
				return err
			}
			if c == ']' {
				return r.unexpected("expected a value")
			}
		}
		element, err := r.value()
		if err != nil {
			return err
		}
		v.members = append(v.members, jsonMember{value: element})
	}
}

// word reads null, true or false.
func (r *jsonReader) word(v *jsonValue) error {
	begin := r.pos
	for _, w := range []struct {
		text string
		kind jsonKind
	}{{"null", jsonNull}, {"true", jsonBool}, {"false", jsonBool}} {
		rest, ok := bytes.CutPrefix(r.data[begin:], []byte(w.text))
		if next, _ := utf8.DecodeRune(rest); ok && (len(rest) == 0 || !isWordPart(next)) {
			v.kind, v.text = w.kind, w.text
			r.pos += len(w.text)
			return nil
		}
	}
	if c, _ := utf8.DecodeRune(r.data[begin:]); !isWordPart(c) || unicode.IsDigit(c) {
		return r.unexpected("expected a valid value " + jsonTokens)
	}
	at := begin
	for at < len(r.data) {
		c, size := utf8.DecodeRune(r.data[at:])
		if !isWordPart(c) {
			break
		}
		at += size
	}
	after := at
	if at < len(r.data) {
		after++ // the library has looked at the character behind the word
	}
	return r.failed(after, "Unrecognized token '%s': was expecting %s", r.data[begin:at], jsonTokens)
}

func isWordPart(c rune) bool {
	return c != utf8.RuneError && (unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_' || c == '$')
}

func (r *jsonReader) number(v *jsonValue) error {
	begin := r.pos
	digits := func() int {
		from := r.pos
		for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
			r.pos++
		}
		return r.pos - from
	}
	malformed := func(what string) error {
		if r.pos == len(r.data) {
			return r.failed(r.pos, "Unexpected end-of-input in a Number value")
		}
		return r.unexpected(what)
	}
	if r.data[r.pos] == '-' {
		r.pos++
	}
	from := r.pos
	switch n := digits(); {
	case n == 0:
		return malformed("Expected digit (0-9) to follow minus sign, for valid numeric value")
	case n > 1 && r.data[from] == '0':
		return r.failed(from+1, "Invalid numeric value: Leading zeroes not allowed")
	}
	v.kind = jsonInt
	if r.pos < len(r.data) && r.data[r.pos] == '.' {
		v.kind = jsonFloat
		if r.pos++; digits() == 0 {
			return malformed("Decimal point not followed by a digit")
		}
	}
	if r.pos < len(r.data) && (r.data[r.pos] == 'e' || r.data[r.pos] == 'E') {
		v.kind = jsonFloat
		if r.pos++; r.pos < len(r.data) && (r.data[r.pos] == '+' || r.data[r.pos] == '-') {
			r.pos++
		}
		if digits() == 0 {
			return malformed("Exponent indicator not followed by a digit")
		}
	}
	v.text = string(r.data[begin:r.pos])
	if len(r.open) > 0 || r.pos == len(r.data) {
		if r.pos < len(r.data) && strings.IndexByte(" \t\r\n,]}", r.data[r.pos]) < 0 {
			return r.unexpected("Expected space separating root-level values")
		}
	}
	return nil
}

// text reads a string, whose opening quote is the next byte.
func (r *jsonReader) text() (string, error) {
	r.pos++
	var out []byte
	for {
		if r.pos >= len(r.data) {
			return "", r.failed(r.pos, "Unexpected end-of-input: was expecting closing quote for a string value")
		}
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			return string(out), nil
		case c == '\\':
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		case c < ' ':
			return "", r.failed(r.pos+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		case c < utf8.RuneSelf:
			out = append(out, c)
			r.pos++
		default:
			_, size := utf8.DecodeRune(r.data[r.pos:])
			if size == 1 {
				return "", r.failed(r.pos+1, "Invalid UTF-8 start byte 0x%x", c)
			}
			out = append(out, r.data[r.pos:r.pos+size]...)
			r.pos += size
		}
	}
}

func (r *jsonReader) escape(out []byte) ([]byte, error) {
	if r.pos+1 >= len(r.data) {
		return nil, r.failed(r.pos+1, "Unexpected end-of-input in character escape sequence")
	}
	c := r.data[r.pos+1]
	if at := strings.IndexByte(`"\/bfnrt`, c); at >= 0 {
		r.pos += 2
		return append(out, "\"\\/\b\f\n\r\t"[at]), nil
	}
	if c != 'u' {
		return nil, r.failed(r.pos+2, "Unrecognized character escape '%c' (code %d)", c, c)
	}
	first, err := r.hex()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(first) && bytes.HasPrefix(r.data[r.pos:], []byte(`\u`)) {
		before := r.pos
		second, err := r.hex()
		if err != nil {
			return nil, err
		}
		if both := utf16.DecodeRune(first, second); both != utf8.RuneError {
			return utf8.AppendRune(out, both), nil
		}
		r.pos = before
	}
	return utf8.AppendRune(out, first), nil
}

// hex reads an escape of four hexadecimal digits.
func (r *jsonReader) hex() (rune, error) {
	digits := r.data[r.pos+2 : min(r.pos+6, len(r.data))]
	n, err := strconv.ParseUint(string(digits), 16, 16)
	if err != nil || len(digits) < 4 {
		for i, c := range digits {
			if strings.IndexByte("0123456789abcdefABCDEF", c) < 0 {
				return 0, r.failed(r.pos+3+i, "Unexpected character ('%c' (code %d)): expected a hex-digit for character escape sequence", c, c)
			}
		}
		return 0, r.failed(len(r.data), "Unexpected end-of-input in character escape sequence")
	}
	r.pos += 6
	return rune(n), nil
}
