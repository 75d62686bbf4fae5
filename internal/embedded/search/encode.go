package search

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// object is a JSON object whose fields keep their order.
type object []field

// field is a name and a value: object, []any, string, bool, nil, int, int64,
// uint64, float32, float64 or *node.
type field struct {
	name  string
	value any
}

// set replaces or appends a field.
func (o *object) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, field{name, value})
}

func (o object) get(name string) (any, bool) {
	for _, f := range o {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

// encoder writes JSON as Elasticsearch does: compact, or "pretty" with its
// spaces around colons.
type encoder struct {
	buf    []byte
	pretty bool
}

func encodeJSON(v any, pretty bool) []byte {
	e := &encoder{pretty: pretty}
	e.value(v, 0)
	if pretty {
		e.buf = append(e.buf, '\n')
	}
	return e.buf
}

func (e *encoder) value(v any, depth int) {
	switch v := v.(type) {
	case nil:
		e.buf = append(e.buf, "null"...)
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	case string:
		e.buf = appendJSONString(e.buf, v)
	case int:
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	case int64:
		e.buf = strconv.AppendInt(e.buf, v, 10)
	case uint64:
		e.buf = strconv.AppendUint(e.buf, v, 10)
	case float32:
		e.float(float64(v), 32)
	case float64:
		e.float(v, 64)
	case object:
		e.fields(len(v), depth, func(i int) (string, any) { return v[i].name, v[i].value })
	case []any:
		e.elements(len(v), depth, func(i int) any { return v[i] })
	case []string:
		e.elements(len(v), depth, func(i int) any { return v[i] })
	case *node:
		e.node(v, depth)
	}
}

func (e *encoder) node(n *node, depth int) {
	switch {
	case n == nil:
		e.buf = append(e.buf, "null"...)
	case !e.pretty:
		e.buf = append(e.buf, n.raw()...)
	case n.kind == kindObject:
		e.fields(len(n.members), depth, func(i int) (string, any) { return n.members[i].name, n.members[i].value })
	case n.kind == kindArray:
		e.elements(len(n.elements), depth, func(i int) any { return n.elements[i] })
	case n.kind == kindString:
		e.buf = appendJSONString(e.buf, n.text)
	default:
		e.buf = append(e.buf, n.raw()...)
	}
}

func (e *encoder) fields(n, depth int, at func(int) (string, any)) {
	e.buf = append(e.buf, '{')
	for i := range n {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.newline(depth + 1)
		name, value := at(i)
		e.buf = appendJSONString(e.buf, name)
		if e.pretty {
			e.buf = append(e.buf, " : "...)
		} else {
			e.buf = append(e.buf, ':')
		}
		e.value(value, depth+1)
	}
	if n > 0 {
		e.newline(depth)
	} else if e.pretty {
		e.buf = append(e.buf, ' ')
	}
	e.buf = append(e.buf, '}')
}

func (e *encoder) elements(n, depth int, at func(int) any) {
	e.buf = append(e.buf, '[')
	for i := range n {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.newline(depth + 1)
		e.value(at(i), depth+1)
	}
	if n > 0 {
		e.newline(depth)
	} else if e.pretty {
		e.buf = append(e.buf, ' ')
	}
	e.buf = append(e.buf, ']')
}

func (e *encoder) newline(depth int) {
	if e.pretty {
		e.buf = append(e.buf, '\n')
		for range depth {
			e.buf = append(e.buf, "  "...)
		}
	}
}

func (e *encoder) float(v float64, bits int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		e.buf = appendJSONString(e.buf, javaFloat(v, bits))
		return
	}
	e.buf = append(e.buf, javaFloat(v, bits)...)
}

// javaFloat writes a number as Java's Double.toString and Float.toString do.
func javaFloat(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if abs := math.Abs(v); v != 0 && (abs < 1e-3 || abs >= 1e7) {
		text := strconv.FormatFloat(v, 'E', -1, bits)
		mantissa, exponent, _ := strings.Cut(text, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		sign := ""
		if strings.HasPrefix(exponent, "-") {
			sign = "-"
		}
		return mantissa + "E" + sign + strings.TrimLeft(exponent, "+-0")
	}
	text := strconv.FormatFloat(v, 'f', -1, bits)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

const hexDigits = "0123456789abcdef"

func appendJSONString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				buf = append(buf, "�"...)
			} else {
				buf = append(buf, s[i:i+size]...)
			}
			i += size
			continue
		}
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		case '\b':
			buf = append(buf, '\\', 'b')
		case '\f':
			buf = append(buf, '\\', 'f')
		default:
			if c < 0x20 {
				buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
			} else {
				buf = append(buf, c)
			}
		}
		i++
	}
	return append(buf, '"')
}

// filterPaths keeps or drops parts of an answer, as the parameter filter_path
// asks. An answer of which nothing is left is an empty object.
func filterPaths(v any, patterns string) any {
	var include, exclude [][]string
	for p := range strings.SplitSeq(patterns, ",") {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		if rest, negated := strings.CutPrefix(p, "-"); negated {
			exclude = append(exclude, strings.Split(rest, "."))
		} else {
			include = append(include, strings.Split(p, "."))
		}
	}
	if len(include) > 0 {
		v, _ = keepPaths(v, include)
	}
	if len(exclude) > 0 {
		v, _ = dropPaths(v, exclude)
	}
	if v == nil {
		return object{}
	}
	return v
}

// step gives the patterns that go on below a name, and whether one ends there.
func step(patterns [][]string, name string) (below [][]string, ends bool) {
	for _, p := range patterns {
		if p[0] == "**" {
			below = append(below, p)
			if len(p) == 1 {
				ends = true
				continue
			}
			p = p[1:]
		}
		if !matchSimple(p[0], name) {
			continue
		}
		if len(p) == 1 {
			ends = true
		} else {
			below = append(below, p[1:])
		}
	}
	return below, ends
}

func keepPaths(v any, patterns [][]string) (any, bool) {
	switch v := v.(type) {
	case object:
		var kept object
		for _, f := range v {
			below, ends := step(patterns, f.name)
			if ends {
				kept = append(kept, f)
			} else if len(below) > 0 {
				if value, ok := keepPaths(f.value, below); ok {
					kept = append(kept, field{f.name, value})
				}
			}
		}
		return kept, len(kept) > 0
	case []any:
		var kept []any
		for _, e := range v {
			if value, ok := keepPaths(e, patterns); ok {
				kept = append(kept, value)
			}
		}
		return kept, len(kept) > 0
	case *node:
		if v != nil && (v.kind == kindObject || v.kind == kindArray) {
			return keepPaths(unpack(v), patterns)
		}
	}
	return nil, false
}

// dropPaths removes what the patterns name; an object or list of which nothing
// is left goes too.
func dropPaths(v any, patterns [][]string) (any, bool) {
	switch v := v.(type) {
	case object:
		var kept object
		for _, f := range v {
			below, ends := step(patterns, f.name)
			if ends {
				continue
			}
			if len(below) > 0 {
				value, ok := dropPaths(f.value, below)
				if !ok {
					continue
				}
				f.value = value
			}
			kept = append(kept, f)
		}
		return kept, len(kept) > 0 || len(v) == 0
	case []any:
		var kept []any
		for _, e := range v {
			if value, ok := dropPaths(e, patterns); ok {
				kept = append(kept, value)
			}
		}
		return kept, len(kept) > 0 || len(v) == 0
	case *node:
		if v != nil && (v.kind == kindObject || v.kind == kindArray) {
			return dropPaths(unpack(v), patterns)
		}
	}
	return v, true
}

// unpack turns the outermost level of a parsed value into one to encode.
func unpack(n *node) any {
	switch {
	case n == nil:
		return nil
	case n.kind == kindObject:
		o := object{}
		for _, m := range n.members {
			o = append(o, field{m.name, m.value})
		}
		return o
	case n.kind == kindArray:
		list := []any{}
		for _, e := range n.elements {
			list = append(list, e)
		}
		return list
	default:
		return n
	}
}

// matchSimple reports whether a name matches a pattern with asterisks.
func matchSimple(pattern, name string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == name
	}
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, last)
}

// matchAny reports whether a name matches one of several patterns.
func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchSimple(p, name) })
}

// boolIndex is 1 for true.
func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}
