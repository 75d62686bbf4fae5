// Package parser reads ksqlDB's SQL: it turns text into the tree of package ast.
//
// Invariants:
//   - It follows the grammar of ksqlDB 7.9 and judges nothing that needs to know
//     which streams, tables, types or functions exist.
//   - Every error is an *Error with line and column; its Message is what ksqlDB
//     says of the same text.
//   - It takes time in proportion to the length of the text, and nesting beyond
//     maxDepth is refused, so no text can exhaust the stack.
//   - Two oddities of the original are not copied: there "--" directly before the
//     end of a line makes a comment of the next line too, and "--" at the very end
//     of the text is no comment.
package parser

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

const (
	// maxDepth is how deep expressions, types and statements may be nested.
	maxDepth = 256
	// maxChain is how many operators may follow each other without parentheses.
	maxChain = 4000
)

// Parse reads statements, each closed by a semicolon. Text without any statement
// gives none. The error is an *Error.
func Parse(sql string) ([]ast.Statement, error) {
	return parse(sql, false)
}

// ParseTest reads what Parse does and also the statements that exist only in
// ksqlDB's SQL tests: ASSERT VALUES, ASSERT NULL VALUES, ASSERT STREAM, ASSERT
// TABLE and RUN SCRIPT.
func ParseTest(sql string) ([]ast.Statement, error) {
	return parse(sql, true)
}

func parse(sql string, test bool) ([]ast.Statement, error) {
	p := newParser(sql)
	p.test = test
	statements := p.statements()
	if err := p.failure(); err != nil {
		return nil, err
	}
	return statements, nil
}

// ParseExpr reads one expression and nothing else. The error is an *Error.
func ParseExpr(sql string) (ast.Expr, error) {
	p := newParser(sql)
	e := p.expression(oneOf(kindEOF))
	p.match(kindEOF, set{})
	if err := p.failure(); err != nil {
		return nil, err
	}
	return e, nil
}

// ParseDataType reads one type and nothing else. The error is an *Error.
func ParseDataType(sql string) (*ast.DataType, error) {
	p := newParser(sql)
	t := p.dataType(oneOf(kindEOF))
	p.match(kindEOF, set{})
	if err := p.failure(); err != nil {
		return nil, err
	}
	return t, nil
}

// Split cuts a text into its statements, each with its semicolon and without the
// white space and comments around it. The whole text is checked against the
// grammar first, so positions in an error count from its start; ${variables} may
// stand where a name or a literal may. The error is an *Error.
func Split(sql string) ([]string, error) {
	p := newParser(sql)
	statements := p.statements()
	if p.err != nil {
		return nil, p.err
	}
	texts := make([]string, len(statements))
	for i, s := range statements {
		texts[i] = s.Text()
	}
	return texts, nil
}

// parser reads tokens from left to right. After an error it sees nothing but the
// end of the text, so everything comes to an end by itself; what was built until
// then is dropped.
type parser struct {
	text   string
	tokens []token
	i      int
	// test allows the statements of SQL tests.
	test bool
	// err is the first syntax error.
	err *Error
	// refused is the first reason to refuse a text that follows the grammar.
	refused *Error
	// statementStart is the index of the first token of the outermost statement.
	statementStart int
	depth          int
	// predicting tells that the tokens read could still belong to more than one form
	// of the grammar, which is where ksqlDB says "Syntax error at or near".
	predicting bool
	// itemDepth is the depth at which the current select item began, as long as it
	// may still be base->*; 0 otherwise.
	itemDepth int
	// skipped is what optional parts could have stood at index skippedAt.
	skipped   set
	skippedAt int
	// follow is what may stand after the expression that is being read.
	follow set
	// lambdaParams counts how often each name is a parameter of the lambdas around
	// the current place.
	lambdaParams map[string]int
	// variables are the uses of ${name}.
	variables []variable
}

// variable is one use of ${name} outside text and comments.
type variable struct {
	token token
	// literal tells that it stands for a value, not a name.
	literal bool
}

func newParser(text string) *parser {
	return &parser{text: text, tokens: lex(text), skippedAt: -1, lambdaParams: map[string]int{}}
}

func (p *parser) failure() error {
	switch {
	case p.err != nil:
		return p.err
	case p.refused != nil:
		return p.refused
	}
	return nil
}

func (p *parser) tok() token { return p.tokens[p.i] }
func (p *parser) la() kind   { return p.tokens[p.i].kind }

// peek returns the kind of the n-th token after the current one.
func (p *parser) peek(n int) kind {
	if p.i+n >= len(p.tokens) {
		return kindEOF
	}
	return p.tokens[p.i+n].kind
}

func (p *parser) advance() token {
	t := p.tokens[p.i]
	if t.kind != kindEOF {
		p.i++
	}
	return t
}

// accept reads a token of kind k if it is there.
func (p *parser) accept(k kind) bool {
	if p.la() != k {
		return false
	}
	p.advance()
	return true
}

// sync requires that the current token is in want, before a choice is made.
func (p *parser) sync(want set) bool {
	if want.has(p.la()) {
		return true
	}
	p.unexpected(want, want.has(p.peek(1)))
	return false
}

// syncAgain is sync at the end of a round of a loop, where ksqlDB takes whatever
// is wrong for one token too many.
func (p *parser) syncAgain(want set) bool {
	if want.has(p.la()) {
		return true
	}
	p.unexpected(want, true)
	return false
}

// skip notes what optional parts could have stood here, for an error that comes
// before the next token is read.
func (p *parser) skip(could set) {
	if p.skippedAt != p.i && !could.has(p.la()) {
		p.skipped, p.skippedAt = could, p.i
	}
}

// match reads a token of kind k. after is what may follow it, which tells a
// token that was left out from a wrong one.
func (p *parser) match(k kind, after set) token {
	if p.la() == k {
		return p.advance()
	}
	want := oneOf(k)
	switch {
	case p.la() == kindEOF && p.i == len(p.tokens)-1 && p.err != nil:
	case p.peek(1) == k && p.la() != kindEOF:
		p.unexpected(want, true)
	case after.has(p.la()):
		p.missing(k)
	default:
		if p.skippedAt == p.i {
			want = p.skipped.with(want)
		}
		p.unexpected(want, false)
	}
	return token{kind: k, text: "''", pos: p.tok().pos, end: p.tok().pos}
}

// span returns the place from the token at index start up to the last one read.
func (p *parser) span(start int) ast.Span {
	if p.i <= start {
		return ast.Span{Start: p.tokens[start].pos, Stop: p.tokens[start].pos}
	}
	return ast.Span{Start: p.tokens[start].pos, Stop: p.tokens[p.i-1].end}
}

// source returns the place and the text of the statement from start on.
func (p *parser) source(start int) ast.Source {
	s := p.span(start)
	return ast.Source{Span: s, SQL: p.text[s.Start.Offset:s.Stop.Offset]}
}

// enter counts one more level of nesting and returns the function that takes it
// back.
func (p *parser) enter() (leave func()) {
	p.depth++
	if p.depth > maxDepth {
		p.tooLarge()
	}
	return func() { p.depth-- }
}

func (p *parser) tooLarge() {
	t := p.tok()
	p.fail(&Error{
		Line: t.pos.Line, Col: t.pos.Column, Offset: t.pos.Offset,
		Message: "Error processing statement: Statement is too large to parse. " +
			"This may be caused by having too many nested expressions in the statement.",
		Hint:          "The nesting gets too deep at line " + t.pos.String() + ".",
		StatementText: lineAt(p.text, t.pos),
		Syntax:        true,
	})
}

// ident reads a name.
func (p *parser) ident() *ast.Ident {
	if !p.sync(identSet) {
		return &ast.Ident{}
	}
	return p.identHere()
}

// identHere reads the name that is known to be there.
func (p *parser) identHere() *ast.Ident {
	t := p.advance()
	id := &ast.Ident{Span: ast.Span{Start: t.pos, Stop: t.end}, Raw: t.text}
	switch t.kind {
	case kindQuoted, kindBackQuoted:
		id.Name, id.Quoted = unquote(t.text), true
	case kindVariable:
		p.variables = append(p.variables, variable{token: t})
		id.Name = strings.ToUpper(t.text)
	default:
		id.Name = strings.ToUpper(t.text)
	}
	return id
}

// sourceName reads the name of a stream or table.
func (p *parser) sourceName() *ast.Ident {
	id := p.ident()
	for i := range len(id.Name) {
		if c := id.Name[i]; !isLetter(c) && !isDigit(c) && c != '_' && c != '-' {
			p.refuseSourceName(id)
			break
		}
	}
	return id
}

func (p *parser) refuseSourceName(id *ast.Ident) {
	e := p.refuse(id.Start, "")
	e.Message = illegalArgument(id.Start) +
		" Source names may only contain alphanumeric values, '_' or '-'. Got: '" + id.Name + "'"
	e.StatementText = id.Name
	if strings.HasPrefix(id.Name, "${") {
		e.Hint = undefinedHint(id.Raw)
	}
}
