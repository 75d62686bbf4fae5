package protobufschema

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// confluentPrefix begins the names of options that are the registry's own.
const confluentPrefix = "confluent."

// filter gives the options to write: when normalizing, those of one's own under
// their full names, all sorted by name, and the parts of one together.
func (p *printer) filter(options []option) []option {
	if p.ignoreExtensions {
		options = slices.DeleteFunc(slices.Clone(options), func(o option) bool {
			return o.parenthesized && !strings.HasPrefix(o.name, confluentPrefix)
		})
	}
	if !p.normalize || len(options) == 0 {
		return options
	}
	list := make([]option, len(options))
	for i, o := range options {
		if full := p.types.extensionName(o.name); o.parenthesized && full != "" {
			o = asTable(option{full, true, o.value})
		}
		list[i] = o
	}
	slices.SortStableFunc(list, func(a, b option) int { return strings.Compare(a.name, b.name) })
	var merged []option
	for _, o := range list {
		last := len(merged) - 1
		extension := p.types.extensions[o.name]
		if last >= 0 && merged[last].name == o.name && extension != nil && extension.label != "repeated" {
			merged[last] = mergeOptions(merged[last], o)
			continue
		}
		merged = append(merged, o)
	}
	return merged
}

// asTable makes a table of an option that names members one by one.
func asTable(o option) option {
	inner, ok := o.value.(option)
	if !ok {
		return o
	}
	t := newTable()
	t.set(inner.name, asTable(inner).value)
	return option{o.name, o.parenthesized, t}
}

// mergeOptions gives the members of both, where both are tables; otherwise the
// second replaces the first.
func mergeOptions(first, second option) option {
	second = asTable(second)
	a, okA := first.value.(*table)
	b, okB := second.value.(*table)
	if !okA || !okB {
		return second
	}
	merged := newTable()
	for _, key := range a.keys {
		merged.set(key, a.values[key])
	}
	for _, key := range b.keys {
		before, both := merged.values[key]
		if !both {
			merged.set(key, b.values[key])
			continue
		}
		var list []any
		for _, v := range append(asList(before), asList(b.values[key])...) {
			if text := fmt.Sprintf("%T %+v", v, v); !slices.ContainsFunc(list, func(o any) bool { return fmt.Sprintf("%T %+v", o, o) == text }) {
				list = append(list, v)
			}
		}
		merged.set(key, list)
	}
	return option{second.name, second.parenthesized, merged}
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return slices.Clone(list)
	}
	return []any{v}
}

func (p *printer) optionLine(o option) string { return "option " + p.option(o) + ";\n" }

func (p *printer) option(o option) string {
	name := o.name
	if o.parenthesized {
		name = "(" + name + ")"
	}
	switch v := o.value.(type) {
	case string:
		return name + ` = "` + escape(v) + `"`
	case option:
		return name + "." + p.option(v)
	case *table:
		return name + " = {\n" + p.members(v) + "}"
	case []any:
		return name + " = " + p.bracketed(v)
	default:
		return name + " = " + p.value(v)
	}
}

// inline writes options after a declaration, none when there are none.
func (p *printer) inline(options []option) string {
	options = p.filter(options)
	if len(options) == 0 {
		return ""
	}
	list := make([]any, len(options))
	for i, o := range options {
		list[i] = o
	}
	return " " + p.bracketed(list)
}

func (p *printer) bracketed(list []any) string {
	if len(list) == 1 {
		return "[" + p.value(list[0]) + "]"
	}
	return "[\n" + p.lines(list) + "]"
}

func (p *printer) lines(list []any) string {
	var b block
	for i, v := range list {
		text := p.value(v)
		if i < len(list)-1 {
			text += ","
		}
		b.indent(text)
	}
	return b.String()
}

func (p *printer) value(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + escape(v) + `"`
	case word:
		if v.number && p.normalize {
			return normalNumber(v.text)
		}
		return v.text
	case *table:
		return "{\n" + p.members(v) + "}"
	case []any:
		if p.normalize && len(v) == 1 {
			return p.value(v[0])
		}
		return "[\n" + p.lines(v) + "]"
	case option:
		return p.option(v)
	default:
		return fmt.Sprint(v)
	}
}

// members writes what a table has, when normalizing without empty lists, with
// the full names of extensions, and sorted.
func (p *printer) members(t *table) string {
	if p.normalize {
		normal := newTable()
		for _, key := range t.keys {
			if list, ok := t.values[key].([]any); ok && len(list) == 0 {
				continue
			}
			name := key
			if inner, ok := cutAround(key, "[", "]"); ok {
				if full := p.types.extensionName(inner); full != "" {
					name = "[" + full + "]"
				}
			}
			if _, again := normal.values[name]; !again {
				normal.set(name, t.values[key])
			}
		}
		slices.Sort(normal.keys)
		t = normal
	}
	var b block
	for i, key := range t.keys {
		text := key + ": " + p.value(t.values[key])
		if i < len(t.keys)-1 {
			text += ","
		}
		b.indent(text)
	}
	return b.String()
}

var escapes = strings.NewReplacer("\a", `\a`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`,
	`\`, `\\`, "'", `\'`, `"`, `\"`)

func escape(s string) string { return escapes.Replace(s) }

// normalNumber writes a number with at most three decimals, as Java's
// DecimalFormat does. What is no number stays as it is.
func normalNumber(text string) string {
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	r, ok := new(big.Rat).SetString(strings.TrimRight(text, "fFdDlL"))
	if !ok {
		return text
	}
	f, _ := r.Float64()
	rounded := strconv.FormatFloat(f, 'f', 3, 64)
	rounded = strings.TrimRight(strings.TrimRight(rounded, "0"), ".")
	if rounded == "" || rounded == "-" {
		return "0"
	}
	return rounded
}
