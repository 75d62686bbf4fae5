package avroschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// maxDepth bounds how deep JSON may nest, Jackson's own limit.
const maxDepth = 1000

// value is a JSON value whose objects keep the order of their members.
type value struct {
	kind    kind
	text    string // of a string, or the literal of a number
	members []member
	items   []value
}

type member struct {
	key   string
	value value
}

type kind byte

const (
	jsonNull kind = iota
	jsonTrue
	jsonFalse
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// get gives a member of an object, nil when there is none.
func (v *value) get(key string) *value {
	if v.kind != jsonObject {
		return nil
	}
	for i := range v.members {
		if v.members[i].key == key {
			return &v.members[i].value
		}
	}
	return nil
}

// str gives a member's text, and whether it is a string.
func (v *value) str(key string) (string, bool) {
	m := v.get(key)
	if m == nil || m.kind != jsonString {
		return "", false
	}
	return m.text, true
}

func parseJSON(text string) (value, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	v, err := parseValue(decoder, 0)
	if errors.Is(err, io.EOF) {
		return value{}, errors.New("the text ends too early")
	}
	if err != nil {
		return value{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return value{}, errors.New("there is more text behind the value")
	}
	return v, nil
}

func parseValue(decoder *json.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return value{}, err
	}
	switch t := token.(type) {
	case nil:
		return value{kind: jsonNull}, nil
	case bool:
		if t {
			return value{kind: jsonTrue}, nil
		}
		return value{kind: jsonFalse}, nil
	case json.Number:
		return value{kind: jsonNumber, text: t.String()}, nil
	case string:
		return value{kind: jsonString, text: t}, nil
	case json.Delim:
		if t == '[' {
			return parseArray(decoder, depth)
		}
		return parseObject(decoder, depth)
	default:
		return value{}, fmt.Errorf("unexpected token %v", token)
	}
}

func parseArray(decoder *json.Decoder, depth int) (value, error) {
	v := value{kind: jsonArray}
	for decoder.More() {
		item, err := parseValue(decoder, depth+1)
		if err != nil {
			return value{}, err
		}
		v.items = append(v.items, item)
	}
	_, err := decoder.Token()
	return v, err
}

func parseObject(decoder *json.Decoder, depth int) (value, error) {
	v := value{kind: jsonObject}
	at := map[string]int{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return value{}, err
		}
		key, ok := token.(string)
		if !ok {
			return value{}, fmt.Errorf("a member's name is %v", token)
		}
		item, err := parseValue(decoder, depth+1)
		if err != nil {
			return value{}, err
		}
		if i, repeated := at[key]; repeated {
			v.members[i].value = item
			continue
		}
		at[key] = len(v.members)
		v.members = append(v.members, member{key, item})
	}
	_, err := decoder.Token()
	return v, err
}

// write appends the compact text of a value as Jackson writes it.
func (v *value) write(b *bytes.Buffer) {
	switch v.kind {
	case jsonNull:
		b.WriteString("null")
	case jsonTrue:
		b.WriteString("true")
	case jsonFalse:
		b.WriteString("false")
	case jsonNumber:
		b.WriteString(javaNumber(v.text))
	case jsonString:
		writeString(b, v.text)
	case jsonArray:
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.items[i].write(b)
		}
		b.WriteByte(']')
	case jsonObject:
		b.WriteByte('{')
		for i := range v.members {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, v.members[i].key)
			b.WriteByte(':')
			v.members[i].value.write(b)
		}
		b.WriteByte('}')
	}
}

func (v *value) String() string {
	var b bytes.Buffer
	v.write(&b)
	return b.String()
}

const hexDigits = "0123456789ABCDEF"

func writeString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ':
			b.WriteString(`\u00`)
			b.WriteByte(hexDigits[r>>4])
			b.WriteByte(hexDigits[r&0xf])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// javaNumber writes a number's literal as Jackson does after reading it: whole
// numbers stay, others become a double in Java's notation.
func javaNumber(literal string) string {
	if !strings.ContainsAny(literal, ".eE") {
		if literal == "-0" {
			return "0"
		}
		return literal
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) {
		return literal
	}
	return javaDouble(f)
}

// javaDouble writes a finite double as Java's Double.toString does.
func javaDouble(f float64) string {
	abs := math.Abs(f)
	if abs == 0 || abs >= 1e-3 && abs < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exponent[1:], "0")
}
