package function

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// patterns remembers the regular expression compiled last, since a query
// nearly always uses one.
type patterns struct {
	last atomic.Pointer[compiledPattern]
}

type compiledPattern struct {
	text string
	re   *regexp.Regexp
}

// compile reads a pattern in the syntax of Go's package regexp, which has
// Java's but for look-around, back-references and possessive quantifiers.
func (p *patterns) compile(text string) (*regexp.Regexp, error) {
	if c := p.last.Load(); c != nil && c.text == text {
		return c.re, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("Invalid regular expression pattern: %s: %w", text, err)
	}
	p.last.Store(&compiledPattern{text: text, re: re})
	return re, nil
}

// perCall makes code that has a memory for patterns of its own.
func perCall(make func(p *patterns) Impl) func([]*types.Type, *types.Type) (Impl, error) {
	return func([]*types.Type, *types.Type) (Impl, error) { return make(&patterns{}), nil }
}

func regexpFunctions() []scalarDef {
	return []scalarDef{
		{"regexp_extract", CategoryRegex, "The first match of a pattern in a text, or a group of it.", []overloadDef{
			{params: "VARCHAR pattern, VARCHAR input", result: "VARCHAR", bind: perCall(func(p *patterns) Impl {
				return f2(func(pattern, in types.Value) (types.Value, error) { return p.extract(pattern, in, 0) })
			})},
			{params: "VARCHAR pattern, VARCHAR input, INT group", result: "VARCHAR", bind: perCall(func(p *patterns) Impl {
				return f3(func(pattern, in, group types.Value) (types.Value, error) { return p.extract(pattern, in, group.Int()) })
			})},
		}},
		{"regexp_extract_all", CategoryRegex, "All matches of a pattern in a text, or a group of each.", []overloadDef{
			{params: "VARCHAR pattern, VARCHAR input", result: "ARRAY<VARCHAR>", bind: perCall(func(p *patterns) Impl {
				return f2(func(pattern, in types.Value) (types.Value, error) { return p.extractAll(pattern, in, 0) })
			})},
			{params: "VARCHAR pattern, VARCHAR input, INT group", result: "ARRAY<VARCHAR>", bind: perCall(func(p *patterns) Impl {
				return f3(func(pattern, in, group types.Value) (types.Value, error) {
					return p.extractAll(pattern, in, group.Int())
				})
			})},
		}},
		{"regexp_replace", CategoryRegex, "A text in which each match of a pattern is replaced.", []overloadDef{
			{params: "VARCHAR str, VARCHAR regexp, VARCHAR newStr", result: "VARCHAR", bind: perCall(func(p *patterns) Impl { return f3(p.replace) })},
		}},
		{"regexp_split_to_array", CategoryRegex, "The parts of a text between matches of a pattern.", []overloadDef{
			{params: "VARCHAR string, VARCHAR regexp", result: "ARRAY<VARCHAR>", bind: perCall(func(p *patterns) Impl { return f2(p.split) })},
		}},
	}
}

func group(s string, match []int, n int64) types.Value {
	if match[2*n] < 0 {
		return types.Null
	}
	return types.StringValue(s[match[2*n]:match[2*n+1]])
}

func (p *patterns) extract(pattern, in types.Value, n int64) (types.Value, error) {
	re, err := p.compile(pattern.Str())
	if err != nil || n > int64(re.NumSubexp()) {
		return types.Null, err
	}
	match := re.FindStringSubmatchIndex(in.Str())
	if match == nil {
		return types.Null, nil
	}
	if n < 0 {
		return types.Null, fmt.Errorf("No group %d", n)
	}
	return group(in.Str(), match, n), nil
}

func (p *patterns) extractAll(pattern, in types.Value, n int64) (types.Value, error) {
	re, err := p.compile(pattern.Str())
	if err != nil || n > int64(re.NumSubexp()) {
		return types.Null, err
	}
	var out []types.Value
	for _, match := range re.FindAllStringSubmatchIndex(in.Str(), -1) {
		if n < 0 {
			return types.Null, fmt.Errorf("No group %d", n)
		}
		out = append(out, group(in.Str(), match, n))
	}
	return types.ArrayValue(out), nil
}

func (p *patterns) replace(in, pattern, by types.Value) (types.Value, error) {
	re, err := p.compile(pattern.Str())
	if err != nil {
		return types.Null, err
	}
	s := in.Str()
	var b strings.Builder
	end := 0
	for _, match := range re.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(s[end:match[0]])
		end = match[1]
		if err := expandReplacement(&b, re, s, match, by.Str()); err != nil {
			return types.Null, err
		}
	}
	b.WriteString(s[end:])
	return text(b.String())
}

// expandReplacement writes a replacement in Java's notation: a backslash takes
// the next character as it is, $1 and ${name} are groups.
func expandReplacement(b *strings.Builder, re *regexp.Regexp, s string, match []int, by string) error {
	for i := 0; i < len(by); i++ {
		switch by[i] {
		case '\\':
			i++
			if i == len(by) {
				return fmt.Errorf("character to be escaped is missing")
			}
			b.WriteByte(by[i])
		case '$':
			n, next, err := groupReference(re, by, i+1)
			if err != nil {
				return err
			}
			if match[2*n] >= 0 {
				b.WriteString(s[match[2*n]:match[2*n+1]])
			}
			i = next - 1
		default:
			b.WriteByte(by[i])
		}
	}
	return nil
}

func groupReference(re *regexp.Regexp, by string, i int) (n, next int, err error) {
	if name, rest, ok := strings.Cut(strings.TrimPrefix(by[i:], "{"), "}"); ok && strings.HasPrefix(by[i:], "{") {
		if n = re.SubexpIndex(name); n < 0 {
			return 0, 0, fmt.Errorf("No group with name {%s}", name)
		}
		return n, len(by) - len(rest), nil
	}
	if i == len(by) || by[i] < '0' || by[i] > '9' {
		return 0, 0, fmt.Errorf("Illegal group reference")
	}
	n = int(by[i] - '0')
	for i++; i < len(by) && by[i] >= '0' && by[i] <= '9' && n*10+int(by[i]-'0') <= re.NumSubexp(); i++ {
		n = n*10 + int(by[i]-'0')
	}
	if n > re.NumSubexp() {
		return 0, 0, fmt.Errorf("No group %d", n)
	}
	return n, i, nil
}

func (p *patterns) split(in, pattern types.Value) (types.Value, error) {
	re, err := p.compile(pattern.Str())
	if err != nil {
		return types.Null, err
	}
	s := in.Str()
	if !re.MatchString("") {
		return stringArray(re.Split(s, -1)), nil
	}
	// A pattern that matches nothing splits as Java's Pattern.split: no empty
	// part before a match of nothing at the start, none at the end.
	var parts []string
	end := 0
	for _, match := range re.FindAllStringIndex(s, -1) {
		if match[1] == 0 {
			continue
		}
		parts = append(parts, s[end:match[0]])
		end = match[1]
	}
	parts = append(parts, s[end:])
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	return stringArray(parts), nil
}
