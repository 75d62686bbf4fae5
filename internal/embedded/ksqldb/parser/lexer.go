package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// kind is the kind of a token.
type kind uint8

// token is one piece of the text. Comments and white space are no tokens.
type token struct {
	kind kind
	// text is the token as written, quotes included.
	text string
	pos  ast.Position
	end  ast.Position
}

// isIdent reports whether a token of this kind can be an identifier.
func (k kind) isIdent() bool {
	switch k {
	case kindIdent, kindDigitIdent, kindQuoted, kindBackQuoted, kindVariable:
		return true
	}
	return nonReserved[k]
}

// isKeyword reports whether the kind is a keyword, reserved or not.
func (k kind) isKeyword() bool { return k >= kwString && k < kindEq }

// isNumber reports whether the kind is a number without sign.
func (k kind) isNumber() bool {
	return k == kindInteger || k == kindDecimal || k == kindFloat
}

type lexer struct {
	text string
	at   ast.Position
	// noCommentEnd tells that no "*/" follows, so that a text full of "/*" does not
	// make the lexer search for it again and again.
	noCommentEnd bool
	tokens       []token
}

// lex cuts the text into tokens, the last of which is of kindEOF. It never fails:
// what fits no token becomes tokens of kindUnrecognized, of one character each.
func lex(text string) []token {
	l := &lexer{text: text, at: ast.Position{Line: 1, Column: 1}}
	for {
		l.skipSpace()
		if l.at.Offset >= len(text) {
			break
		}
		k, n := l.next(text[l.at.Offset:])
		start := l.at
		l.advance(n)
		l.tokens = append(l.tokens, token{kind: k, text: text[start.Offset:l.at.Offset], pos: start, end: l.at})
	}
	return append(l.tokens, token{kind: kindEOF, text: "<EOF>", pos: l.at, end: l.at})
}

// advance moves n bytes ahead.
func (l *lexer) advance(n int) {
	piece := l.text[l.at.Offset : l.at.Offset+n]
	l.at.Offset += n
	if lines := strings.Count(piece, "\n"); lines > 0 {
		l.at.Line += lines
		l.at.Column = 1
		piece = piece[strings.LastIndexByte(piece, '\n')+1:]
	}
	l.at.Column += utf8.RuneCountInString(piece)
}

// skipSpace moves to the next token, over white space and comments.
func (l *lexer) skipSpace() {
	for {
		rest := l.text[l.at.Offset:]
		n := 0
		switch {
		case rest == "":
			return
		case isSpace(rest[0]):
			for n < len(rest) && isSpace(rest[n]) {
				n++
			}
		case strings.HasPrefix(rest, "--"):
			n = strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
		case strings.HasPrefix(rest, "/*") && !l.noCommentEnd:
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				l.noCommentEnd = true
				return
			}
			n = end + 4
		default:
			return
		}
		l.advance(n)
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
func isIdentPart(c byte) bool {
	return isLetter(c) || isDigit(c) || c == '_' || c == '@'
}

var pairs = map[string]kind{
	"<>": kindNotEq, "!=": kindNotEq, "<=": kindLessEq, ">=": kindGreaterEq,
	"||": kindConcat, ":=": kindAssign, "->": kindArrow, "=>": kindLambda,
}

var singles = map[byte]kind{
	';': kindSemicolon, ',': kindComma, '(': kindLeftParen, ')': kindRightParen,
	'.': kindDot, '[': kindLeftBracket, ']': kindRightBracket, '=': kindEq,
	'<': kindLess, '>': kindGreater, '+': kindPlus, '-': kindMinus, '*': kindStar,
	'/': kindSlash, '%': kindPercent,
}

// next tells the kind and the length in bytes of the token at the start of s,
// which is not empty.
func (l *lexer) next(s string) (kind, int) {
	c := s[0]
	switch {
	case isLetter(c) || c == '_':
		n := identLength(s)
		if k, ok := keywords[strings.ToUpper(s[:n])]; ok {
			return k, n
		}
		return kindIdent, n
	case isDigit(c) || c == '.' && len(s) > 1 && isDigit(s[1]):
		return number(s)
	case c == '\'':
		return quoted(s, c, kindStringText)
	case c == '"':
		return quoted(s, c, kindQuoted)
	case c == '`':
		return quoted(s, c, kindBackQuoted)
	case c == '$':
		if n := variableLength(s); n > 0 {
			return kindVariable, n
		}
		return kindUnrecognized, 1
	}
	if len(s) > 1 {
		if k, ok := pairs[s[:2]]; ok {
			return k, 2
		}
	}
	if k, ok := singles[c]; ok {
		return k, 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return kindUnrecognized, n
}

func identLength(s string) int {
	n := 0
	for n < len(s) && isIdentPart(s[n]) {
		n++
	}
	return n
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// number reads what starts with a digit, or with a point and a digit: of the
// number and the identifier that starts with a digit the longer one wins, and the
// number if they are equally long.
func number(s string) (kind, int) {
	k, n := kindInteger, digits(s)
	if n < len(s) && s[n] == '.' {
		k = kindDecimal
		n++
		n += digits(s[n:])
	}
	if e := exponent(s[n:]); e > 0 {
		k = kindFloat
		n += e
	}
	if s[0] != '.' {
		if id := identLength(s); id > n {
			return kindDigitIdent, id
		}
	}
	return k, n
}

// exponent returns the length of the exponent at the start of s, or 0.
func exponent(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	d := digits(s[n:])
	if d == 0 {
		return 0
	}
	return n + d
}

// quoted reads text between quotes, in which a doubled quote stands for one. A
// quote that is never closed is not recognized.
func quoted(s string, quote byte, k kind) (kind, int) {
	last := 0
	for n := 1; n < len(s); n++ {
		if s[n] != quote {
			continue
		}
		last = n + 1
		if last < len(s) && s[last] == quote {
			n++
			continue
		}
		return k, last
	}
	if last > 0 {
		return k, last
	}
	return kindUnrecognized, 1
}

// variableLength returns the length of ${name} at the start of s, or 0.
func variableLength(s string) int {
	if len(s) < 4 || s[1] != '{' || !isLetter(s[2]) && s[2] != '_' {
		return 0
	}
	n := 2 + identLength(s[2:])
	if n < len(s) && s[n] == '}' {
		return n + 1
	}
	return 0
}

// unquote takes the quotes off and resolves doubled ones.
func unquote(text string) string {
	q := text[:1]
	return strings.ReplaceAll(text[1:len(text)-1], q+q, q)
}
