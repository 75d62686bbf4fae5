package expr

import (
	"errors"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var (
	errNullLike   = errors.New("LIKE with NULL")
	errLikeEscape = errors.New("LIKE pattern must not end with escape character")
)

func (b *builder) like(e *ast.Like) (node, error) {
	operand, err := b.text(e, e.Operand)
	if err != nil {
		return node{}, err
	}
	pattern, err := b.text(e, e.Pattern)
	if err != nil {
		return node{}, err
	}
	n := node{typ: types.Boolean}
	if b.typesOnly {
		return n, nil
	}
	escape := e.Escape
	l, r := operand.eval, pattern.eval
	if pattern.constant && !pattern.value.IsNull() {
		compiled, err := compileLike(pattern.value.Str(), escape)
		if err != nil {
			n.eval = func(*types.Row, *frame) (types.Value, error) { return types.Null, err }
			return n, nil
		}
		n.eval = func(row *types.Row, f *frame) (types.Value, error) {
			v, err := l(row, f)
			if err != nil {
				return types.Null, err
			}
			if v.IsNull() {
				return types.Null, errNullLike
			}
			return types.BoolValue(compiled.match(v.Str())), nil
		}
		return n, nil
	}
	n.eval = func(row *types.Row, f *frame) (types.Value, error) {
		v, err := l(row, f)
		if err != nil {
			return types.Null, err
		}
		p, err := r(row, f)
		if err != nil {
			return types.Null, err
		}
		if v.IsNull() || p.IsNull() {
			return types.Null, errNullLike
		}
		compiled, err := compileLike(p.Str(), escape)
		return types.BoolValue(err == nil && compiled.match(v.Str())), err
	}
	return n, nil
}

func (b *builder) text(parent, e ast.Expr) (node, error) {
	n, err := b.expr(e)
	if err != nil {
		return node{}, err
	}
	if n.typ != nil && n.typ.Kind != types.KindString {
		return node{}, codeErrorAt(e, "LIKE needs STRING operands, but %s in %s is %s", Format(e), Format(parent), n.typ)
	}
	return n, nil
}

// likePattern is a LIKE pattern: characters, and wildcards for one or any
// number of them. Wildcards do not match line ends, as in Java's regular
// expressions, which ksqlDB makes of the pattern.
type likePattern []likeToken

type likeToken struct {
	kind likeKind
	char rune
}

type likeKind uint8

const (
	likeChar likeKind = iota
	likeOne
	likeMany
)

func compileLike(pattern string, escape rune) (likePattern, error) {
	var p likePattern
	escaped := false
	for _, c := range pattern {
		switch {
		case escaped:
			escaped = false
			p = append(p, likeToken{char: c})
		case escape != 0 && c == escape:
			escaped = true
		case c == '%':
			p = append(p, likeToken{kind: likeMany})
		case c == '_':
			p = append(p, likeToken{kind: likeOne})
		default:
			p = append(p, likeToken{char: c})
		}
	}
	if escaped {
		return nil, errLikeEscape
	}
	return p, nil
}

func isLineEnd(c rune) bool {
	return c == '\n' || c == '\r' || c == '\u0085' || c == '\u2028' || c == '\u2029'
}

// match goes back to the last many-wildcard when a character does not fit; an
// earlier one need not be tried, since the later one can take up what it would.
func (p likePattern) match(text string) bool {
	at, wildcard, resume := 0, -1, 0
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		if at < len(p) {
			t := p[at]
			if t.kind == likeMany {
				wildcard, resume = at, i
				at++
				continue
			}
			if t.kind == likeChar && t.char == c || t.kind == likeOne && !isLineEnd(c) {
				at++
				i += size
				continue
			}
		}
		if wildcard < 0 {
			return false
		}
		skipped, size := utf8.DecodeRuneInString(text[resume:])
		if isLineEnd(skipped) {
			return false
		}
		resume += size
		i, at = resume, wildcard+1
	}
	for at < len(p) && p[at].kind == likeMany {
		at++
	}
	return at == len(p)
}
