package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// maxDepth bounds how deep documents may nest.
const maxDepth = 500

// value is a JSON value: nil, bool, string, json.Number, []value or *object.
type value any

// object is a JSON object whose members keep their order.
type object struct {
	keys    []string
	members map[string]value
}

func (o *object) get(key string) (value, bool) {
	v, ok := o.members[key]
	return v, ok
}

func (o *object) has(keys ...string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { _, ok := o.members[k]; return ok })
}

// decode reads the first JSON value of a text. A repeated member keeps its first
// place and its last value.
func decode(text string) (value, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return decodeValue(d, 0)
}

func decodeValue(d *json.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("the document nests deeper than %d", maxDepth)
	}
	token, err := d.Token()
	if err == io.EOF { //nolint:errorlint // the decoder returns it bare
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			list := []value{}
			for d.More() {
				v, err := decodeValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				list = append(list, v)
			}
			_, err := d.Token()
			return list, err
		}
		return decodeObject(d, depth)
	default:
		return token, nil
	}
}

func decodeObject(d *json.Decoder, depth int) (value, error) {
	o := &object{members: map[string]value{}}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, ok := o.members[name]; !ok {
			o.keys = append(o.keys, name)
		}
		o.members[name] = v
	}
	_, err := d.Token()
	return o, err
}

// encode gives the compact text of a value in Jackson's spelling, with the
// members of objects sorted if asked for.
func encode(v value, sorted bool) string {
	var b bytes.Buffer
	write(&b, v, sorted)
	return b.String()
}

func write(b *bytes.Buffer, v value, sorted bool) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		fmt.Fprint(b, v)
	case string:
		writeString(b, v)
	case json.Number:
		b.WriteString(number(v))
	case []value:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, e, sorted)
		}
		b.WriteByte(']')
	case *object:
		keys := v.keys
		if sorted {
			keys = slices.SortedFunc(slices.Values(keys), compareUTF16)
		}
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, k)
			b.WriteByte(':')
			write(b, v.members[k], sorted)
		}
		b.WriteByte('}')
	}
}

// compareUTF16 orders strings as Java does.
func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

func writeString(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if r < ' ' {
				fmt.Fprintf(b, `\u%04X`, r)
				continue
			}
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// number spells a number as Java's BigInteger and BigDecimal do.
func number(n json.Number) string {
	text := n.String()
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			return "0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	exp := 0
	if exponent != "" {
		if _, err := fmt.Sscanf(exponent, "%d", &exp); err != nil {
			return text
		}
	}
	sign := ""
	if rest, ok := strings.CutPrefix(mantissa, "-"); ok {
		sign, mantissa = "-", rest
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	scale := len(fraction) - exp
	if digits == "" {
		sign, digits = "", "0"
	}
	adjusted := -scale + len(digits) - 1
	if scale >= 0 && adjusted >= -6 {
		if scale == 0 {
			return sign + digits
		}
		if pad := scale - len(digits) + 1; pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	if adjusted == 0 {
		return sign + digits
	}
	return fmt.Sprintf("%s%sE%+d", sign, digits, adjusted)
}
