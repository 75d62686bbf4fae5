package ksql

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A doubled dollar sign is ksqlDB's way to write ${name} itself.
var (
	variablePattern     = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	variableNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// IsVariableName reports whether name can be that of a variable.
func IsVariableName(name string) bool { return variableNamePattern.MatchString(name) }

// VariableError is a variable in a statement that has no value.
type VariableError struct {
	// Offset is where the variable stands in the text, in bytes.
	Offset int
	Name   string
	Err    error
}

func (e *VariableError) Error() string { return fmt.Sprintf("the variable %s: %v", e.Name, e.Err) }

// Unwrap returns the error of the look-up.
func (e *VariableError) Unwrap() error { return e.Err }

var errPartOfName = errors.New("it stands for a whole name or value outside of quotes, but is only a part of one here")

var errNoToken = errors.New("outside of quotes its value must be a name, a number, TRUE, FALSE or text in single quotes, and it is none of them")

// wholeToken is what a variable may stand for outside of quotes.
var wholeToken = regexp.MustCompile("^(?:[A-Za-z_][A-Za-z0-9_@]*|`[A-Za-z_][A-Za-z0-9_@]*`|\"[A-Za-z_][A-Za-z0-9_@]*\"|'(?:[^']|'')*'|-?[0-9]+(?:\\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|-?\\.[0-9]+(?:[eE][+-]?[0-9]+)?)$")

// Substitute puts the values of variables in place of each ${name} of a
// statement, in strings and quoted identifiers too, but not in comments. An
// error of lookup comes back as a *VariableError. $${name} stays as it is.
//
// As to ksqlDB itself, outside of quotes a variable stands for a whole name or
// value: it must not be a part of one (a${b}), and its value must be one. In quotes,
// those of the same kind in the value are doubled.
func Substitute(text string, lookup func(name string) (string, error)) (string, error) {
	return substitute(text, lookup, false)
}

// substitute also writes $${name} as ${name} when unescape says so, as the last to
// put in variables has to.
func substitute(text string, lookup func(name string) (string, error), unescape bool) (string, error) {
	matches := variablePattern.FindAllStringSubmatchIndex(text, -1)
	if len(matches) == 0 {
		return text, nil
	}
	comments, quoted := textRanges(text)
	var out strings.Builder
	end := 0
	for _, match := range matches {
		start := match[0]
		switch escaped := strings.HasPrefix(text[start:], "$$"); {
		case inRanges(comments, start), escaped && !unescape:
			continue
		case escaped:
			out.WriteString(text[end:start])
			end = start + 1
			continue
		}
		name := text[match[2]:match[3]]
		if !inRanges(quoted, start) && (endsInName(text[:start]) || beginsInName(text[match[1]:])) {
			return "", &VariableError{Offset: start, Name: name, Err: errPartOfName}
		}
		value, err := lookup(name)
		if err != nil {
			return "", &VariableError{Offset: start, Name: name, Err: err}
		}
		switch quote := quoteAt(text, quoted, start); {
		case quote != "":
			value = strings.ReplaceAll(value, quote, quote+quote)
		case !wholeToken.MatchString(value):
			return "", &VariableError{Offset: start, Name: name, Err: errNoToken}
		}
		out.WriteString(text[end:start])
		out.WriteString(value)
		end = match[1]
	}
	out.WriteString(text[end:])
	return out.String(), nil
}

// WithoutComments returns a statement with a blank in place of each comment.
func WithoutComments(text string) string {
	var out strings.Builder
	end := 0
	comments, _ := textRanges(text)
	for _, r := range comments {
		out.WriteString(text[end:r[0]])
		out.WriteByte(' ')
		end = r[1]
	}
	out.WriteString(text[end:])
	return strings.TrimSpace(out.String())
}

// quoteAt returns the quote of the part in which an offset is, "" outside of all.
func quoteAt(text string, quoted [][2]int, offset int) string {
	for _, r := range quoted {
		if offset >= r[0] && offset < r[1] {
			return text[r[0] : r[0]+1]
		}
	}
	return ""
}

func inRanges(ranges [][2]int, offset int) bool {
	for _, r := range ranges {
		if offset >= r[0] && offset < r[1] {
			return true
		}
	}
	return false
}

func endsInName(text string) bool {
	return text != "" && (isNameByte(text[len(text)-1]) || text[len(text)-1] == '}')
}

func beginsInName(text string) bool { return text != "" && isNameByte(text[0]) }

func isNameByte(c byte) bool {
	return c == '_' || c == '@' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// textRanges returns where the comments and the quoted parts of a text are, in
// bytes.
func textRanges(text string) (comments, quoted [][2]int) {
	for i := 0; i < len(text); {
		rest := text[i:]
		length := 1
		switch {
		case strings.HasPrefix(rest, "--"):
			length = lengthTo(rest, "\n")
			comments = append(comments, [2]int{i, i + length})
		case strings.HasPrefix(rest, "/*"):
			length = 2 + lengthTo(rest[2:], "*/")
			comments = append(comments, [2]int{i, i + length})
		case rest[0] == '\'' || rest[0] == '`' || rest[0] == '"':
			length = 1 + lengthTo(rest[1:], rest[:1])
			quoted = append(quoted, [2]int{i, i + length})
		}
		i += length
	}
	return comments, quoted
}

// lengthTo returns the length of text up to and with the first end in it.
func lengthTo(text, end string) int {
	if i := strings.Index(text, end); i >= 0 {
		return i + len(end)
	}
	return len(text)
}
