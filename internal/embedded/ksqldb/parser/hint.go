package parser

import (
	"fmt"
	"strings"
)

// hint says what was found and expected at the current token, and what was
// probably meant.
func (p *parser) hint(want set) string {
	t := p.tok()
	if h := p.unrecognizedHint(); h != "" {
		return h
	}
	if h := p.misspelt(t, want); h != "" {
		return h
	}
	// A misspelt keyword behind a source or an expression was taken for an alias.
	if p.i > 0 && !want.ident {
		if h := p.misspelt(p.tokens[p.i-1], want); h != "" {
			return h
		}
	}
	h := fmt.Sprintf("Found %s where %s was expected.", t.found(), want.describe())
	if extra := p.commonMistake(want); extra != "" {
		h += " " + extra
	}
	return h
}

// unrecognizedHint explains a character that starts no token.
func (p *parser) unrecognizedHint() string {
	t := p.tok()
	if t.kind != kindUnrecognized {
		if t.kind == kindSlash && p.peek(1) == kindStar {
			return "The comment that starts here with /* is never closed with */."
		}
		return ""
	}
	switch t.text {
	case "'":
		return "The text that starts here is never closed with a single quote; a single quote inside text is written ''."
	case `"`, "`":
		return fmt.Sprintf("The name that starts here is never closed with %s.", t.text)
	case "‘", "’", "‚", "‛":
		return "This is a typographic quote; text stands in straight single quotes (')."
	case "“", "”", "„":
		return "This is a typographic quote; text stands in straight single quotes ('), a name in back-ticks."
	case "\u00a0", "\u2007", "\u202f", "\ufeff", "\u200b":
		return fmt.Sprintf("There is an invisible character here (%U); replace it by a space.", []rune(t.text)[0])
	case "$":
		return "A variable is written ${name}, with a letter or _ first."
	}
	return fmt.Sprintf("The character %s has no meaning here.", t.text)
}

// misspelt names the keyword that an unknown word was probably meant to be.
func (p *parser) misspelt(t token, want set) string {
	if t.kind != kindIdent || want.has(t.kind) || len(t.text) < 3 {
		return ""
	}
	best, least := "", 3
	candidates := want.kinds
	if p.skippedAt == p.i {
		candidates = p.skipped.with(want).kinds
	}
	for _, k := range candidates {
		if !k.isKeyword() {
			continue
		}
		name := strings.Trim(display[k], "'")
		if d := distance(name, strings.ToUpper(t.text)); d < least && d*2 <= len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("Did you mean %s instead of '%s'?", best, t.text)
}

// commonMistake recognizes what people often write.
func (p *parser) commonMistake(want set) string {
	t := p.tok()
	previous := token{}
	if p.i > 0 {
		previous = p.tokens[p.i-1]
	}
	word := strings.ToUpper(t.text)
	before := strings.ToUpper(previous.text)
	switch {
	case previous.kind == kindStringText && t.pos.Offset > 0 && p.text[t.pos.Offset-1] == '\'':
		return "The text ends at the quote before it; a single quote inside text is written ''."
	case t.kind == kwWithin:
		return "WITHIN stands before ON."
	case t.kind == kindEOF && want.has(kindSemicolon):
		return "Every statement ends with a semicolon."
	case previous.kind == kindComma && (t.kind == kindRightParen || t.kind == kwFrom || t.kind == kindSemicolon):
		return "There is a comma too many before it."
	case before == "IF" && distance(word, "EXISTS") < 3:
		return "Did you mean EXISTS?"
	case previous.kind == kindIdent && t.kind == kindLeftParen && want.has(kwTumbling):
		return fmt.Sprintf("There are no %s windows.", before)
	case before == "EMIT":
		return "The clause is EMIT CHANGES or EMIT FINAL."
	case t.kind == kwChanges || t.kind == kwFinal:
		return fmt.Sprintf("The clause is EMIT %s.", word)
	case t.kind == kwDistinct:
		return "ksqlDB has no SELECT DISTINCT; use GROUP BY."
	case word == "BY" && before == "ORDER" || word == "ORDER":
		return "ksqlDB has no ORDER BY."
	case word == "UNION" || before == "UNION":
		return "ksqlDB has no UNION; write into one stream with several INSERT INTO ... SELECT."
	case word == "OFFSET":
		return "ksqlDB has no OFFSET."
	case t.kind == kindLeftParen && before == "FROM":
		return "ksqlDB has no sub-queries; make the inner query a stream or table of its own."
	case t.kind == kindQuoted && (want.has(kindStringText) || isLiteralSet(want)):
		return "Text stands in single quotes; double quotes are for names."
	case t.kind == kindStringText && want.ident && !want.value:
		return "A name stands in back-ticks or double quotes, or in none; single quotes are for text."
	case t.isReserved() && want.ident && !want.value:
		return fmt.Sprintf("%s is a reserved word; as a name it needs back-ticks: `%s`.", word, t.text)
	case t.kind == kindEq && previous.kind == kindEq:
		return "Equality is written with one =."
	case t.kind == kwEmit || t.kind == kwWhere || t.kind == kwGroup || t.kind == kwHaving || t.kind == kwPartition:
		return "The clauses come in this order: FROM, WINDOW, WHERE, GROUP BY, PARTITION BY, HAVING, EMIT, LIMIT."
	case t.kind == kindComma && p.tokens[p.statementStart].kind == kwInsert && previous.kind == kindRightParen:
		return "INSERT INTO takes one row of VALUES; write one statement for each row."
	case t.kind == kindComma && want.has(kwWhere):
		return "Sources are joined with JOIN ... ON, not with a comma."
	}
	return ""
}

func isLiteralSet(s set) bool { return s.what == literalSet.what }

func undefinedHint(variable string) string {
	return fmt.Sprintf("The variable %s has no value; give it one with DEFINE or with the request.", variable)
}
