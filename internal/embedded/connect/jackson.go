package connect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Clients see the words of the real worker's JSON parser, with the place in the
// body, so bodies are read by a parser that has them.

// The Java types that bodies are read as.
const (
	createRequestType = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest"
	initialStateType  = createRequestType + "$InitialState"
	linkedMapType     = "java.util.LinkedHashMap"
	stringMapType     = linkedMapType + "<java.lang.String,java.lang.String>"
)

// at says where in a body something is wrong.
func at(body []byte, pos int) string {
	line, start := 1, 0
	for i := range body[:min(pos, len(body))] {
		if body[i] == '\n' {
			line, start = line+1, i+1
		}
	}
	return fmt.Sprintf("[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", line, pos-start+1)
}

// jsonError is an answer in the words of the real worker's parser.
func jsonError(body []byte, pos int, format string, args ...any) error {
	return fail(http.StatusInternalServerError, "%s\n at %s", fmt.Sprintf(format, args...), at(body, pos))
}

// member is one member of an object in a body.
type member struct {
	name       string
	start, end int // of its value
}

// jsonBody reads a body member by member.
type jsonBody struct {
	raw   []byte
	pos   int
	depth int
}

const maxJSONDepth = 1000

func (b *jsonBody) fail(pos int, format string, args ...any) error {
	return jsonError(b.raw, pos, format, args...)
}

func (b *jsonBody) space() {
	for b.pos < len(b.raw) && strings.IndexByte(" \t\r\n", b.raw[b.pos]) >= 0 {
		b.pos++
	}
}

// next gives the next character that counts, 0 at the end.
func (b *jsonBody) next() byte {
	if b.space(); b.pos >= len(b.raw) {
		return 0
	}
	return b.raw[b.pos]
}

func (b *jsonBody) unexpected(expected string) error {
	c := b.raw[b.pos]
	return b.fail(b.pos+1, "Unexpected character ('%c' (code %d)): %s", c, c, expected)
}

// object reads an object and gives its members.
func (b *jsonBody) object() ([]member, error) {
	start := b.pos
	unclosed := func() error {
		return b.fail(len(b.raw), "Unexpected end-of-input: expected close marker for Object (start marker at %s)", at(b.raw, start))
	}
	b.pos++
	var list []member
	for first := true; ; first = false {
		switch c := b.next(); {
		case c == 0:
			return nil, unclosed()
		case c == '}' && (first || len(list) > 0):
			b.pos++
			return list, nil
		case !first && c != ',':
			return nil, b.unexpected("was expecting comma to separate Object entries")
		case !first:
			b.pos++
			if b.next() == 0 {
				return nil, unclosed()
			}
		}
		if b.next() != '"' {
			return nil, b.unexpected("was expecting double-quote to start field name")
		}
		name, err := b.text("Unexpected end-of-input in field name")
		if err != nil {
			return nil, err
		}
		switch c := b.next(); {
		case c == 0:
			return nil, b.fail(len(b.raw), "Unexpected end-of-input within/between Object entries")
		case c != ':':
			return nil, b.unexpected("was expecting a colon to separate field name and value")
		}
		b.pos++
		if b.next() == 0 {
			return nil, b.fail(len(b.raw), "Unexpected end-of-input within/between Object entries")
		}
		m := member{name: name, start: b.pos}
		if err := b.value(); err != nil {
			return nil, err
		}
		m.end = b.pos
		list = append(list, m)
	}
}

func (b *jsonBody) array() error {
	start := b.pos
	b.pos++
	for first := true; ; first = false {
		switch c := b.next(); {
		case c == 0:
			return b.fail(len(b.raw), "Unexpected end-of-input: expected close marker for Array (start marker at %s)", at(b.raw, start))
		case c == ']':
			b.pos++
			return nil
		case !first && c != ',':
			return b.unexpected("was expecting comma to separate Array entries")
		case !first:
			b.pos++
		}
		if b.next() == 0 {
			continue
		}
		if err := b.value(); err != nil {
			return err
		}
	}
}

func (b *jsonBody) value() error {
	if b.depth++; b.depth > maxJSONDepth {
		return b.fail(b.pos, "Document nesting depth (%d) exceeds the maximum allowed (%d)", b.depth, maxJSONDepth)
	}
	defer func() { b.depth-- }()
	switch c := b.next(); {
	case c == '{':
		_, err := b.object()
		return err
	case c == '[':
		return b.array()
	case c == '"':
		_, err := b.text("Unexpected end-of-input: was expecting closing quote for a string value")
		return err
	case c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return b.word()
	default:
		return b.unexpected("expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
	}
}

// text reads a string.
func (b *jsonBody) text(unclosed string) (string, error) {
	start := b.pos
	for b.pos++; b.pos < len(b.raw); b.pos++ {
		switch c := b.raw[b.pos]; {
		case c == '\\':
			b.pos++
		case c == '"':
			b.pos++
			var s string
			if err := json.Unmarshal(b.raw[start:b.pos], &s); err != nil {
				return "", b.fail(b.pos, "%s", err)
			}
			return s, nil
		case c < ' ':
			return "", b.fail(b.pos+1, "Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		}
	}
	b.pos = len(b.raw)
	return "", b.fail(len(b.raw), "%s", unclosed)
}

// word reads a number or a literal.
func (b *jsonBody) word() error {
	start := b.pos
	for b.pos < len(b.raw) && strings.IndexByte(" \t\r\n,:]}[{\"", b.raw[b.pos]) < 0 {
		b.pos++
	}
	if word := b.raw[start:b.pos]; !json.Valid(word) {
		return b.fail(min(b.pos+1, len(b.raw)), "Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", word)
	}
	return nil
}

// members reads a body that is to be an object of a Java type; none for null.
func members(body []byte, javaType string) ([]member, error) {
	b := &jsonBody{raw: body}
	switch c := b.next(); {
	case c == 0:
		return nil, nil
	case c == '{':
		return b.object()
	case c == '[':
		return nil, b.fail(b.pos, "Cannot deserialize value of type `%s` from Array value (token `JsonToken.START_ARRAY`)", javaType)
	case c == '"':
		start := b.pos
		if err := b.value(); err != nil {
			return nil, err
		}
		return nil, b.fail(start, "Cannot construct instance of `%s` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('%s')", javaType, b.raw[start+1:b.pos-1])
	default:
		start := b.pos
		if err := b.value(); err != nil {
			return nil, err
		}
		if string(b.raw[start:b.pos]) == "null" {
			return nil, nil
		}
		return nil, b.fail(start, "Cannot construct instance of `%s` (although at least one Creator exists): no suitable creator method found to deserialize from %s", javaType, b.raw[start:b.pos])
	}
}

// settingsOf reads the members of a part of a body as settings. chain names the
// part as the real worker's errors do, with %s for the setting.
func settingsOf(body []byte, list []member, chain string) (settings, error) {
	s := settings{}
	for _, m := range list {
		value := body[m.start:m.end]
		kind := ""
		switch {
		case value[0] == '[':
			kind = "Array value (token `JsonToken.START_ARRAY`)"
		case value[0] == '{':
			kind = "Object value (token `JsonToken.START_OBJECT`)"
		case string(value) == "null":
			return nil, fail(http.StatusBadRequest, "The setting %s is null: leave it out or give it a value", m.name)
		}
		if kind != "" {
			return nil, fail(http.StatusInternalServerError, "Cannot deserialize value of type `java.lang.String` from %s\n at %s (through reference chain: "+chain+")", kind, at(body, m.start), m.name)
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		s[m.name] = text
	}
	return s, nil
}

// bodySettings reads a body that is settings and nothing else.
func bodySettings(body []byte) (settings, error) {
	list, err := members(body, stringMapType)
	if err != nil || list == nil {
		return nil, err
	}
	return settingsOf(body, list, linkedMapType+`["%s"]`)
}

// createRequest is the body of a request for a new connector.
type createRequest struct {
	name    string
	config  settings // nil when it has none
	initial string
}

// readCreateRequest reads it; nil for null.
func readCreateRequest(body []byte) (*createRequest, error) {
	list, err := members(body, createRequestType)
	if err != nil || list == nil && strings.TrimSpace(string(body)) != "{}" {
		return nil, err
	}
	r := &createRequest{}
	unknown := ""
	for _, m := range list {
		value := body[m.start:m.end]
		switch m.name {
		case "name", "initial_state":
			into := &r.name
			if m.name == "initial_state" {
				into = &r.initial
			}
			if string(value) == "null" {
				continue
			}
			if json.Unmarshal(value, into) != nil {
				*into = string(value)
			}
			if m.name == "initial_state" {
				if _, known := initialStates[strings.ToUpper(r.initial)]; !known {
					return nil, fail(http.StatusInternalServerError, "Cannot construct instance of `%s`, problem: No enum constant %s.InitialState.%s\n at %s (through reference chain: %s[\"initial_state\"])",
						initialStateType, createRequestType, strings.ToUpper(r.initial), at(body, m.start), createRequestType)
				}
			}
		case "config":
			if value[0] != '{' {
				if string(value) == "null" {
					continue
				}
				return nil, fail(http.StatusInternalServerError, "Cannot deserialize value of type `%s` from %s\n at %s (through reference chain: %s[\"config\"])", stringMapType, tokenOf(value), at(body, m.start), createRequestType)
			}
			inner := &jsonBody{raw: body[:m.end], pos: m.start}
			config, err := inner.object()
			if err != nil {
				return nil, err
			}
			if r.config, err = settingsOf(body, config, createRequestType+`["config"]->`+linkedMapType+`["%s"]`); err != nil {
				return nil, err
			}
		default:
			if unknown == "" {
				unknown = m.name
			}
		}
	}
	if unknown != "" {
		return nil, fail(http.StatusInternalServerError, "Unrecognized field %q (class %s), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\"])\n at %s (through reference chain: %s[%q])",
			unknown, createRequestType, at(body, len(strings.TrimRight(string(body), " \t\r\n"))), createRequestType, unknown)
	}
	return r, nil
}

func tokenOf(value []byte) string {
	switch value[0] {
	case '[':
		return "Array value (token `JsonToken.START_ARRAY`)"
	case '"':
		return "String value (token `JsonToken.VALUE_STRING`)"
	case 't':
		return "Boolean value (token `JsonToken.VALUE_TRUE`)"
	case 'f':
		return "Boolean value (token `JsonToken.VALUE_FALSE`)"
	default:
		return "Integer value (token `JsonToken.VALUE_NUMBER_INT`)"
	}
}
