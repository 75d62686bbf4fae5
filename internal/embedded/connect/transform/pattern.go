package transform

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/dlclark/regexp2/v2"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// pattern is a regular expression of Java's.
type pattern struct{ find, whole *regexp2.Regexp }

// possessive are quantifiers that never give back, which the engine writes as
// atomic groups.
var possessive = regexp.MustCompile(`[*+?}]\+`)

func compilePattern(text string) (*pattern, error) {
	find, err := regexp2.Compile(text, regexp2.OptionMaintainCaptureOrder())
	if err != nil {
		return nil, err
	}
	whole, err := regexp2.Compile(`\A(?:`+text+`)\z`, regexp2.OptionMaintainCaptureOrder())
	if err != nil {
		return nil, err
	}
	return &pattern{find, whole}, nil
}

func checkRegex(v any) error {
	text, ok := v.(string)
	if !ok {
		return config.Errorf("Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null")
	}
	if possessive.MatchString(text) {
		return config.Errorf("Invalid regex: the embedded worker does not support possessive quantifiers; write (?>…)")
	}
	if _, err := compilePattern(text); err != nil {
		return config.Errorf("Invalid regex: %s", err)
	}
	return nil
}

// matches reports whether the pattern matches the whole text. A search that needs
// more memory than the engine gives it finds nothing.
func (p *pattern) matches(text string) bool {
	ok, err := p.whole.MatchString(text)
	return err == nil && ok
}

// replaceFirst replaces what the pattern finds first, as Java's Matcher does.
func (p *pattern) replaceFirst(text, replacement string) (string, error) {
	m, err := p.find.FindStringMatch(text)
	if err != nil || m == nil {
		return text, nil
	}
	with, err := p.expand(m, replacement)
	if err != nil {
		return "", err
	}
	at, size := m.ByteRange()
	return text[:at] + with + text[at+size:], nil
}

// expand writes a replacement, in which $1 or ${name} is what a group matched and a
// backslash takes what follows as it is.
func (p *pattern) expand(m *regexp2.Match, replacement string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		if c != '\\' && c != '$' {
			b.WriteByte(c)
			continue
		}
		i++
		if i == len(replacement) {
			if c == '\\' {
				return "", fault.New(fault.IllegalArgument, "character to be escaped is missing")
			}
			return "", fault.New(fault.IllegalArgument, "Illegal group reference: group index is missing")
		}
		switch next := replacement[i]; {
		case c == '\\':
			b.WriteByte(next)
		case next == '{':
			end := strings.IndexByte(replacement[i:], '}')
			if end < 0 {
				return "", fault.New(fault.IllegalArgument, "named capturing group is missing trailing '}'")
			}
			name := replacement[i+1 : i+end]
			group := m.GroupByName(name)
			if group == nil {
				return "", fault.New(fault.IllegalArgument, "No group with name {%s}", name)
			}
			b.WriteString(group.String())
			i += end
		case next < '0' || next > '9':
			return "", fault.New(fault.IllegalArgument, "Illegal group reference")
		default:
			n := int(next - '0')
			if n >= m.GroupCount() {
				return "", fault.New("java.lang.IndexOutOfBoundsException", "No group %s", strconv.Itoa(n))
			}
			for i+1 < len(replacement) && replacement[i+1] >= '0' && replacement[i+1] <= '9' && n*10+int(replacement[i+1]-'0') < m.GroupCount() {
				i++
				n = n*10 + int(replacement[i]-'0')
			}
			b.WriteString(m.GroupByNumber(n).String())
		}
	}
	return b.String(), nil
}
