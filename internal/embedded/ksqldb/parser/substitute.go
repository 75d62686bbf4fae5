package parser

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// Substitute replaces ${name} by the value of that variable and returns the new
// text. Where a variable stands for a name, the value must be one (plain, or in
// quotes); where it stands for a literal, the value must be a number, TRUE, FALSE
// or text in single quotes. Inside text in single quotes any value is inserted,
// and a variable without value stays as it is; so it does in comments.
//
// The text must follow the grammar before the substitution, and the values can't
// change its structure. The error is an *Error whose position counts from the
// start of sql.
func Substitute(sql string, vars map[string]string) (string, error) {
	p := newParser(sql)
	p.statements()
	if p.err != nil {
		return "", p.err
	}
	uses := map[int]variable{}
	for _, v := range p.variables {
		uses[v.token.pos.Offset] = v
	}
	var out strings.Builder
	done, last, lastVariable := 0, byte(' '), false
	for _, t := range p.tokens {
		text := t.text
		switch t.kind {
		case kindVariable:
			value, err := p.variableValue(uses[t.pos.Offset], vars)
			if err != nil {
				return "", err
			}
			text = value
		case kindStringText:
			text = substituteText(text, vars)
		case kindEOF:
			text = ""
		}
		isVariable := t.kind == kindVariable
		touches := done == t.pos.Offset && text != "" && (isVariable || lastVariable)
		out.WriteString(sql[done:t.pos.Offset])
		if touches && merge(last, text[0]) {
			out.WriteByte(' ')
		}
		out.WriteString(text)
		if text != "" {
			last = text[len(text)-1]
		}
		done, lastVariable = t.end.Offset, isVariable
	}
	return out.String(), nil
}

// merge reports whether two characters that touch may be read as one token though
// they belong to two.
func merge(a, b byte) bool {
	word := func(c byte) bool { return isIdentPart(c) || c == '\'' || c == '"' || c == '`' }
	return word(a) && word(b) || a == '-' && b == '-' ||
		a == '.' && isDigit(b) || isDigit(a) && b == '.' || a == '.' && b == '.'
}

func (p *parser) variableValue(use variable, vars map[string]string) (string, error) {
	raw := use.token.text
	value, ok := vars[raw[2:len(raw)-1]]
	if !ok {
		value = raw
	}
	pos := use.token.pos
	switch {
	case use.literal && isLiteralText(value), !use.literal && isNameText(value):
		return value, nil
	}
	e := &Error{
		Line: pos.Line, Col: pos.Column, Offset: pos.Offset,
		Message:       illegalArgument(pos),
		StatementText: p.text,
	}
	if !use.literal {
		e.Message += " Identifier names cannot start with '@' and may only contain alphanumeric values and '_'."
	}
	e.Message += fmt.Sprintf(" Got: '%s'", value)
	switch {
	case !ok:
		e.Message = undefinedMessage(pos, use.literal, raw)
		e.Hint = fmt.Sprintf("line %d:%d: ", pos.Line, pos.Column) + undefinedHint(raw)
	case use.literal:
		e.Hint = "A variable that stands for a value must hold a number, TRUE, FALSE, or text in single quotes."
	}
	return "", e
}

// undefinedMessage is ksqlDB's text for a variable without a value, which its
// parser meets as it is written.
func undefinedMessage(pos ast.Position, literal bool, raw string) string {
	if literal {
		return "Failed to prepare statement: not yet implemented"
	}
	raw = strings.ToUpper(raw)
	return fmt.Sprintf("%s Source names may only contain alphanumeric values, '_' or '-'. Got: '%s'\nStatement: %s", illegalArgument(pos), raw, raw)
}

func illegalArgument(pos ast.Position) string {
	return fmt.Sprintf("Illegal argument at Line: %d, Col: %d.", pos.Line, pos.Column)
}

// isNameText reports whether value is one identifier of letters, digits, '_' and
// '@', be it in quotes or not.
func isNameText(value string) bool {
	if n := len(value); n > 2 && (value[0] == '"' || value[0] == '`') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return value != "" && (isLetter(value[0]) || value[0] == '_') && identLength(value) == len(value)
}

// isLiteralText reports whether value is one literal other than NULL.
func isLiteralText(value string) bool {
	switch {
	case strings.EqualFold(value, "true"), strings.EqualFold(value, "false"):
		return true
	case strings.HasPrefix(value, "'"):
		k, n := quoted(value, '\'', kindStringText)
		return k == kindStringText && n == len(value)
	}
	digits := strings.TrimPrefix(value, "-")
	if digits == "" || !isDigit(digits[0]) && digits[0] != '.' {
		return false
	}
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		return false
	}
	k, n := number(digits)
	return n == len(digits) && k.isNumber()
}

// substituteText replaces the variables in text, which stands in single quotes.
func substituteText(text string, vars map[string]string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	var out strings.Builder
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			break
		}
		end := strings.IndexByte(text[at:], '}')
		if end < 0 {
			break
		}
		name := text[at+2 : at+end]
		value, ok := vars[name]
		if !ok {
			out.WriteString(text[:at+2])
			text = text[at+2:]
			continue
		}
		out.WriteString(text[:at])
		out.WriteString(strings.ReplaceAll(value, "'", "''"))
		text = text[at+end+1:]
	}
	out.WriteString(text)
	return out.String()
}
