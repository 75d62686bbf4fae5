package search

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// encodings are the forms that an answer can have beside JSON.
var encodings = []string{"yaml", "cbor", "smile"}

// encodeAs writes an answer in one of the other forms.
func encodeAs(form string, v any) []byte {
	switch form {
	case "yaml":
		e := &yamlEncoder{}
		e.buf = append(e.buf, "---\n"...)
		e.block(v, 0)
		return e.buf
	case "cbor":
		return appendCBOR(nil, v)
	default:
		e := &smileEncoder{buf: []byte(":)\n\x05"), names: map[string]int{}}
		e.value(v)
		return e.buf
	}
}

// fieldsOf gives an object's fields, or a list's elements under empty names.
func fieldsOf(v any) (list []field, isObject, isList bool) {
	switch v := v.(type) {
	case object:
		return v, true, false
	case []any:
		for _, e := range v {
			list = append(list, field{value: e})
		}
		return list, false, true
	case []string:
		for _, e := range v {
			list = append(list, field{value: e})
		}
		return list, false, true
	case *node:
		if v != nil && (v.kind == kindObject || v.kind == kindArray) {
			return fieldsOf(unpack(v))
		}
	}
	return nil, false, false
}

// plain turns a parsed scalar into a Go value.
func plain(v any) any {
	n, ok := v.(*node)
	if !ok {
		return v
	}
	switch {
	case n == nil || n.kind == kindNull:
		return nil
	case n.kind == kindTrue || n.kind == kindFalse:
		return n.kind == kindTrue
	case n.kind == kindString:
		return n.text
	case n.isInteger():
		if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
			return i
		}
	}
	f, _ := strconv.ParseFloat(n.text, 64)
	return f
}

// yamlEncoder writes block style, strings in quotes, as Jackson does.
type yamlEncoder struct{ buf []byte }

func (e *yamlEncoder) indent(depth int) {
	for range depth {
		e.buf = append(e.buf, "  "...)
	}
}

// block writes a value whose fields or elements begin on a new line.
func (e *yamlEncoder) block(v any, depth int) {
	list, isObject, isList := fieldsOf(v)
	switch {
	case isObject && len(list) > 0:
		for _, f := range list {
			e.indent(depth)
			e.field(f, depth)
		}
	case isList && len(list) > 0:
		for _, f := range list {
			e.indent(depth)
			e.element(f.value, depth)
		}
	default:
		e.scalar(v)
		e.buf = append(e.buf, '\n')
	}
}

func (e *yamlEncoder) field(f field, depth int) {
	e.buf = append(e.buf, yamlName(f.name)...)
	e.buf = append(e.buf, ':')
	inner, isObject, isList := fieldsOf(f.value)
	switch {
	case isObject && len(inner) > 0:
		e.buf = append(e.buf, '\n')
		e.block(f.value, depth+1)
	case isList && len(inner) > 0: // lists aren't indented
		e.buf = append(e.buf, '\n')
		e.block(f.value, depth)
	default:
		e.buf = append(e.buf, ' ')
		e.scalar(f.value)
		e.buf = append(e.buf, '\n')
	}
}

// element writes a list's element; the fields of an object stand beside the dash.
func (e *yamlEncoder) element(v any, depth int) {
	e.buf = append(e.buf, "- "...)
	list, isObject, isList := fieldsOf(v)
	switch {
	case isObject && len(list) > 0:
		for i, f := range list {
			if i > 0 {
				e.indent(depth + 1)
			}
			e.field(f, depth+1)
		}
	case isList && len(list) > 0:
		for i, f := range list {
			if i > 0 {
				e.indent(depth + 1)
			}
			e.element(f.value, depth+1)
		}
	default:
		e.scalar(v)
		e.buf = append(e.buf, '\n')
	}
}

func yamlName(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == "" && strings.Trim(name, "0123456789.-") != "" {
		return name
	}
	return string(appendJSONString(nil, name))
}

func (e *yamlEncoder) scalar(v any) {
	if _, isObject, isList := fieldsOf(v); isObject || isList {
		e.buf = append(e.buf, map[bool]string{true: "{}", false: "[]"}[isObject]...)
		return
	}
	e.buf = append(e.buf, encodeJSON(plain(v), false)...)
}

// appendCBOR writes a value as CBOR (RFC 8949), objects and lists of open length.
func appendCBOR(b []byte, v any) []byte {
	head := func(b []byte, major byte, n uint64) []byte {
		switch {
		case n < 24:
			return append(b, major<<5|byte(n))
		case n <= math.MaxUint8:
			return append(b, major<<5|24, byte(n))
		case n <= math.MaxUint16:
			return binary.BigEndian.AppendUint16(append(b, major<<5|25), uint16(n))
		case n <= math.MaxUint32:
			return binary.BigEndian.AppendUint32(append(b, major<<5|26), uint32(n))
		default:
			return binary.BigEndian.AppendUint64(append(b, major<<5|27), n)
		}
	}
	text := func(b []byte, s string) []byte { return append(head(b, 3, uint64(len(s))), s...) }
	const stop = 0xff
	list, isObject, isList := fieldsOf(v)
	switch {
	case isObject:
		b = append(b, 0xbf)
		for _, f := range list {
			b = appendCBOR(text(b, f.name), f.value)
		}
		return append(b, stop)
	case isList:
		b = append(b, 0x9f)
		for _, f := range list {
			b = appendCBOR(b, f.value)
		}
		return append(b, stop)
	}
	switch v := plain(v).(type) {
	case bool:
		return append(b, 0xf4+byte(boolIndex(v)))
	case string:
		return text(b, v)
	case float32:
		return binary.BigEndian.AppendUint32(append(b, 0xfa), math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(v))
	case int, int64, uint64:
		n := wholeOf(v)
		if n < 0 {
			return head(b, 1, uint64(-1-n))
		}
		return head(b, 0, uint64(n))
	default:
		return append(b, 0xf6)
	}
}

func wholeOf(v any) int64 {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		return int64(v)
	default:
		n, _ := v.(int64)
		return n
	}
}

// smileEncoder writes Jackson's binary JSON, with names given once.
type smileEncoder struct {
	buf   []byte
	names map[string]int
}

func (e *smileEncoder) value(v any) {
	list, isObject, isList := fieldsOf(v)
	switch {
	case isObject:
		e.buf = append(e.buf, 0xfa)
		for _, f := range list {
			e.name(f.name)
			e.value(f.value)
		}
		e.buf = append(e.buf, 0xfb)
		return
	case isList:
		e.buf = append(e.buf, 0xf8)
		for _, f := range list {
			e.value(f.value)
		}
		e.buf = append(e.buf, 0xf9)
		return
	}
	switch v := plain(v).(type) {
	case bool:
		e.buf = append(e.buf, 0x22+byte(boolIndex(v)))
	case string:
		e.text(v)
	case float32:
		e.buf = append(e.buf, 0x28)
		e.sevens(uint64(math.Float32bits(v)), 5)
	case float64:
		e.buf = append(e.buf, 0x29)
		e.sevens(math.Float64bits(v), 10)
	case int, int64, uint64:
		e.whole(wholeOf(v))
	default:
		e.buf = append(e.buf, 0x21)
	}
}

// maxSharedNames is how many names are known before all are forgotten.
const maxSharedNames = 1024

func (e *smileEncoder) name(s string) {
	if i, ok := e.names[s]; ok {
		if i < 64 {
			e.buf = append(e.buf, 0x40+byte(i))
		} else {
			e.buf = append(e.buf, 0x30+byte(i>>8), byte(i))
		}
		return
	}
	ascii := isASCII(s)
	switch n := len(s); {
	case n == 0:
		e.buf = append(e.buf, 0x20)
		return
	case ascii && n <= 64:
		e.buf = append(e.buf, 0x80+byte(n-1))
	case !ascii && n <= 57:
		e.buf = append(e.buf, 0xc0+byte(n-2))
	default:
		e.buf = append(append(append(e.buf, 0x34), s...), 0xfc)
		return
	}
	e.buf = append(e.buf, s...)
	if len(e.names) == maxSharedNames {
		clear(e.names)
	}
	e.names[s] = len(e.names)
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f }) }

func (e *smileEncoder) text(s string) {
	ascii := isASCII(s)
	switch n := len(s); {
	case n == 0:
		e.buf = append(e.buf, 0x20)
		return
	case ascii && n <= 32:
		e.buf = append(e.buf, 0x40+byte(n-1))
	case ascii && n <= 64:
		e.buf = append(e.buf, 0x60+byte(n-33))
	case !ascii && n <= 33:
		e.buf = append(e.buf, 0x80+byte(n-2))
	case !ascii && n <= 64:
		e.buf = append(e.buf, 0xa0+byte(n-34))
	default:
		e.buf = append(append(append(e.buf, 0xe0+4*byte(boolIndex(!ascii))), s...), 0xfc)
		return
	}
	e.buf = append(e.buf, s...)
}

func (e *smileEncoder) whole(n int64) {
	zigzag := uint64(n<<1) ^ uint64(n>>63)
	switch {
	case zigzag < 32:
		e.buf = append(e.buf, 0xc0+byte(zigzag))
		return
	case n >= math.MinInt32 && n <= math.MaxInt32:
		e.buf = append(e.buf, 0x24)
	default:
		e.buf = append(e.buf, 0x25)
	}
	last := byte(zigzag&0x3f) | 0x80
	var parts []byte
	for rest := zigzag >> 6; rest > 0; rest >>= 7 {
		parts = append(parts, byte(rest&0x7f))
	}
	slices.Reverse(parts)
	e.buf = append(append(e.buf, parts...), last)
}

// sevens writes a number seven bits a byte, the highest first.
func (e *smileEncoder) sevens(v uint64, n int) {
	for i := n - 1; i >= 0; i-- {
		e.buf = append(e.buf, byte(v>>(7*i))&0x7f)
	}
}

// yamlBody turns a body in YAML into JSON.
func yamlBody(body []byte) ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(body, &v); err != nil {
		return nil, newError(http.StatusBadRequest, "x_content_parse_exception", "the body is not YAML: %s", err.Error())
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, newError(http.StatusBadRequest, "x_content_parse_exception", "%s", fmt.Sprint(err))
	}
	return out, nil
}
