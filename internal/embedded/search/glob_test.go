package search

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestGlobMatchesAsARegularExpressionDoes compares patterns of wildcard queries with
// what they mean.
func TestGlobMatchesAsARegularExpressionDoes(t *testing.T) {
	patterns := []string{"", "*", "a", "a*", "*a", "*a*", "a*a", "a?c", "?", "??", "*?", "?*b", "a\\*", "\\?b", "a**b", "*ab*ab*", "ä?", "*?ö", "a?*c?", "\\\\*"}
	texts := []string{"", "a", "aa", "ab", "abc", "aab", "abab", "ababab", "a*", "?b", "ä", "äx", "xö", "aöc", "axyzc!", "\\x", "b"}
	for _, p := range patterns {
		g, re := parseGlob(p), regexp.MustCompile(globExpression(p))
		for _, text := range texts {
			assert.Equal(t, re.MatchString(text), g.match([]byte(text)), "%q and %q", p, text)
			if g.match([]byte(text)) {
				assert.True(t, strings.HasPrefix(text, g.prefix()), "%q begins all matches of %q", g.prefix(), p)
				assert.True(t, strings.HasSuffix(text, g.suffix()), "%q ends all matches of %q", g.suffix(), p)
			}
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*\\*?", "a*b")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 20 || strings.ToValidUTF8(pattern, "") != pattern || strings.ToValidUTF8(text, "") != text {
			return
		}
		re := regexp.MustCompile(globExpression(pattern))
		assert.Equal(t, re.MatchString(text), parseGlob(pattern).match([]byte(text)), "%q and %q", pattern, text)
	})
}

// globExpression is the regular expression of a pattern.
func globExpression(pattern string) string {
	expr := ""
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch c := runes[i]; {
		case c == '*':
			expr += ".*"
		case c == '?':
			expr += "."
		case c == '\\' && i+1 < len(runes):
			i++
			expr += regexp.QuoteMeta(string(runes[i]))
		default:
			expr += regexp.QuoteMeta(string(c))
		}
	}
	return "(?s)^(?:" + expr + ")$"
}
