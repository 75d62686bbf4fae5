package migrate

import (
	"regexp"
	"strings"
)

// Servers keep statements with what they have found out themselves, and refuse
// some of that in a statement that they are given.
const foundOut = `(?:CLEANUP_POLICY|RETENTION_MS)\s*=\s*(?:'[^']*'|-?[0-9]+)`

var (
	laterFoundOut  = regexp.MustCompile(`(?i),\s*` + foundOut)
	firstFoundOut  = regexp.MustCompile(`(?i)\(\s*` + foundOut + `\s*,?\s*`)
	columnsBegin   = regexp.MustCompile(`(?is)^CREATE\s+(?:OR\s+REPLACE\s+)?(?:SOURCE\s+)?(?:STREAM|TABLE)\s+(?:IF\s+NOT\s+EXISTS\s+)?` + namePart + `\s*\(`)
	keySchemaID    = regexp.MustCompile(`(?i)[(,]\s*KEY_SCHEMA_ID\s*=`)
	valueSchemaID  = regexp.MustCompile(`(?i)[(,]\s*VALUE_SCHEMA_ID\s*=`)
	keyColumn      = regexp.MustCompile(`(?is)\sKEY\s*$`)
	headersColumns = regexp.MustCompile(`(?is)\s(?:HEADERS|HEADER\s*\(.*\))\s*$`)
)

// replayable returns a statement that a server keeps as it was given to it, as
// far as that matters: without topic settings, and without the columns that come
// from a schema id.
func replayable(text string) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ";")
	text = firstFoundOut.ReplaceAllString(laterFoundOut.ReplaceAllString(text, ""), "(")
	begin := columnsBegin.FindStringIndex(text)
	if begin == nil {
		return text + ";"
	}
	columns, length, ok := splitColumns(text[begin[1]:])
	if !ok {
		return text + ";"
	}
	head, tail := text[:begin[1]-1], text[begin[1]+length:]
	fromKey, fromValue := keySchemaID.MatchString(tail), valueSchemaID.MatchString(tail)
	var kept []string
	for _, column := range columns {
		given := !fromValue
		switch {
		case headersColumns.MatchString(column):
			given = true
		case keyColumn.MatchString(column):
			given = !fromKey
		}
		if given {
			kept = append(kept, strings.TrimSpace(column))
		}
	}
	if len(kept) > 0 {
		head += "(" + strings.Join(kept, ", ") + ")"
	}
	return head + tail + ";"
}

// splitColumns divides what follows an opening parenthesis at its commas and
// returns the length with the closing one. ok is false when there is none.
func splitColumns(text string) (columns []string, length int, ok bool) {
	depth, begin := 0, 0
	var quote rune
	for i, r := range text {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '`' || r == '"' || r == '\'':
			quote = r
		case r == '(' || r == '<':
			depth++
		case depth > 0 && (r == ')' || r == '>'):
			depth--
		case r == ')':
			return append(columns, text[begin:i]), i + 1, true
		case r == ',' && depth == 0:
			columns = append(columns, text[begin:i])
			begin = i + 1
		}
	}
	return nil, 0, false
}
