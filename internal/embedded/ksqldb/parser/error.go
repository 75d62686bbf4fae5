package parser

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// Error says what is wrong with a text, where, and what to do about it.
type Error struct {
	// Line and Col count from 1.
	Line, Col int
	// Offset counts bytes from 0.
	Offset int
	// Message is the whole message as ksqlDB 7.9 words it. It may be as short as
	// "line 1:43: Syntax Error\n".
	Message string
	// Hint adds what ksqlDB's message leaves out: what was found, what was expected,
	// and what was probably meant. It may be empty.
	Hint string
	// StatementText is what ksqlDB reports as the text of the statement: the line
	// that holds a syntax error, the whole statement, or the name that is refused.
	StatementText string
	// Syntax tells a text that does not follow the grammar from one that does but
	// is refused all the same, whose message ksqlDB starts with "Failed to prepare
	// statement" or "Illegal argument".
	Syntax bool
}

// Error returns the message and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return strings.TrimSuffix(e.Message, "\n")
	}
	return strings.TrimSuffix(e.Message, "\n") + "\n" + e.Hint
}

// commands are the words a statement can start with, in the order in which ksqlDB
// compares a misspelt one with them.
var commands = []kind{
	kwSelect, kwCreate, kwInsert, kwDescribe, kwPrint, kwExplain, kwShow, kwList,
	kwTerminate, kwPause, kwResume, kwDrop, kwSet, kwDefine, kwUndefine, kwUnset,
	kwAssert, kwAlter,
}

// syntaxError makes the error for the token at index i. detail is what follows
// "Syntax Error\n"; an empty one is how ksqlDB leaves it.
func (p *parser) syntaxError(i int, detail, hint string) *Error {
	t := p.tokens[i]
	return &Error{
		Line: t.pos.Line, Col: t.pos.Column, Offset: t.pos.Offset,
		Message:       fmt.Sprintf("line %s: Syntax Error\n%s", t.pos, detail),
		Hint:          hint,
		StatementText: lineAt(p.text, t.pos),
		Syntax:        true,
	}
}

// fail notes the first syntax error and ends the reading: all that is looked at
// from now on is the end of the text.
func (p *parser) fail(e *Error) {
	if p.err == nil {
		p.err = e
	}
	p.i = len(p.tokens) - 1
}

// refuse notes the first reason for which a text is refused though it follows
// the grammar. Reading goes on, because a syntax error further on comes first.
func (p *parser) refuse(pos ast.Position, format string, args ...any) *Error {
	e := &Error{
		Line: pos.Line, Col: pos.Column, Offset: pos.Offset,
		Message: "Failed to prepare statement: " + fmt.Sprintf(format, args...),
	}
	if p.refused == nil && p.err == nil {
		p.refused = e
	}
	return e
}

// lineAt returns the line of text that pos lies in. Empty lines at the end of the
// text do not count, as in ksqlDB.
func lineAt(text string, pos ast.Position) string {
	start := strings.LastIndexByte(text[:pos.Offset], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	return line
}

// found describes a token for a hint.
func (t token) found() string {
	if t.kind == kindEOF {
		return "the end of the text"
	}
	return "'" + t.text + "'"
}

// isReserved reports whether ksqlDB counts the token among the reserved words.
func (t token) isReserved() bool {
	return t.kind.isKeyword() && !nonReserved[t.kind]
}

// unexpected reports the current token where the grammar wants one of want.
// extraneous tells that ksqlDB would go on if the token were not there.
func (p *parser) unexpected(want set, extraneous bool) {
	t := p.tok()
	if p.predicting {
		p.noViable(want)
		return
	}
	p.fail(p.syntaxError(p.i, p.expectation(t, want, extraneous), p.hint(want)))
}

func (p *parser) expectation(t token, want set, extraneous bool) string {
	switch {
	case extraneous && t.isReserved():
		return fmt.Sprintf(`"%s" is a reserved keyword and it can't be used as an identifier.`+
			` You can use it as an identifier by escaping it as '%s' `, t.text, t.text)
	case t.kind == kindEOF:
		return "Syntax error at or near \";\"\n'}', ']', or ')' is missing"
	}
	text := want.String()
	if text == "" || strings.Count(text, ",") > 2 {
		return ""
	}
	return "Expecting " + text
}

// noViable reports the current token where no form of the statement goes on with
// it.
func (p *parser) noViable(want set) {
	t := p.tok()
	p.fail(p.syntaxError(p.i, fmt.Sprintf("Syntax error at or near '%s' at line %s", t.text, t.pos), p.hint(want)))
}

// missing reports that a token of kind k was left out before the current one.
func (p *parser) missing(k kind) {
	t := p.tok()
	if p.predicting {
		p.noViable(set{kinds: []kind{k}})
		return
	}
	p.fail(p.syntaxError(p.i, fmt.Sprintf("missing %s at '%s'", display[k], t.text), p.hint(set{kinds: []kind{k}})))
}

// unknownStatement reports a token that starts no statement.
func (p *parser) unknownStatement(extraneous bool) {
	t := p.tok()
	if extraneous && t.isReserved() {
		p.unexpected(set{kinds: commands}, true)
		return
	}
	detail := fmt.Sprintf("Unknown statement '%s'\nDid you mean '%s'?", t.text, mostSimilar(t.text))
	p.fail(p.syntaxError(p.i, detail, p.unrecognizedHint()))
}

func mostSimilar(word string) string {
	best, least := "", -1
	for _, c := range commands {
		name := strings.Trim(display[c], "'")
		if d := distance(name, strings.ToUpper(word)); least < 0 || d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	const longest = 64
	ra, rb := []rune(a), []rune(b)
	if len(rb) > longest {
		rb = rb[:longest]
	}
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i, ca := range ra {
		diagonal := row[0]
		row[0] = i + 1
		for j, cb := range rb {
			cost := diagonal
			if ca != cb {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(rb)]
}
