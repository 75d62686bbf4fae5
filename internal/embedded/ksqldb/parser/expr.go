package parser

import (
	"math"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// expression reads a condition or a value. follow is what may stand after it.
func (p *parser) expression(follow set) ast.Expr {
	return p.nested(follow, func() ast.Expr { return p.or() })
}

// value reads a value: no comparison, AND, OR or NOT outside parentheses.
func (p *parser) value(follow set) ast.Expr {
	return p.nested(follow, func() ast.Expr { return p.binary(concatLevel) })
}

func (p *parser) nested(follow set, read func() ast.Expr) ast.Expr {
	defer p.enter()()
	outer := p.follow
	p.follow = follow
	e := read()
	p.follow = outer
	return e
}

// chain counts the operators of a chain and refuses one that is too long.
func (p *parser) chain(n *int) {
	if *n++; *n > maxChain {
		p.tooLarge()
	}
}

// decided ends the time in which a select item may still be base->*.
func (p *parser) decided() {
	if p.itemDepth != 0 && p.depth == p.itemDepth {
		p.predicting, p.itemDepth = false, 0
	}
}

func (p *parser) or() ast.Expr {
	start, n := p.i, 0
	left := p.and()
	for p.err == nil && p.la() == kwOr {
		p.chain(&n)
		op := p.advance().pos
		left = &ast.Logical{Op: ast.Or, Left: left, Right: p.and(), OpPos: op}
		left.(*ast.Logical).Span = p.span(start)
	}
	return left
}

func (p *parser) and() ast.Expr {
	start, n := p.i, 0
	left := p.not()
	for p.err == nil && p.la() == kwAnd {
		p.chain(&n)
		op := p.advance().pos
		left = &ast.Logical{Op: ast.And, Left: left, Right: p.not(), OpPos: op}
		left.(*ast.Logical).Span = p.span(start)
	}
	return left
}

func (p *parser) not() ast.Expr {
	if p.la() != kwNot {
		return p.predicate()
	}
	p.decided()
	defer p.enter()()
	start := p.i
	p.advance()
	n := &ast.Not{Operand: p.not()}
	n.Span = p.span(start)
	return n
}

var comparisons = map[kind]ast.ComparisonOp{
	kindEq: ast.Equal, kindNotEq: ast.NotEqual, kindLess: ast.LessThan, kindLessEq: ast.LessOrEqual,
	kindGreater: ast.GreaterThan, kindGreaterEq: ast.GreaterOrEqual,
}

// predicate reads a value and at most one comparison of it.
func (p *parser) predicate() ast.Expr {
	start := p.i
	if !p.sync(conditionSet) {
		return nil
	}
	e := p.binary(concatLevel)
	t := p.tok()
	if op, ok := comparisons[t.kind]; ok {
		p.advance()
		c := &ast.Comparison{Op: op, Left: e, Right: p.binary(concatLevel), OpPos: t.pos}
		c.Span = p.span(start)
		return c
	}
	switch t.kind {
	case kwIs:
		return p.is(start, e)
	case kwNot:
		p.advance()
		if k := p.la(); k != kwBetween && k != kwIn && k != kwLike {
			p.noViable(oneOf(kwBetween, kwIn, kwLike))
			return nil
		}
		n := &ast.Not{Operand: p.comparisonWord(start, e)}
		n.Span = p.span(start)
		return n
	case kwBetween, kwIn, kwLike:
		return p.comparisonWord(start, e)
	}
	return e
}

// is reads IS [NOT] NULL and IS [NOT] DISTINCT FROM.
func (p *parser) is(start int, e ast.Expr) ast.Expr {
	op := p.advance().pos
	not := p.accept(kwNot)
	switch p.la() {
	case kwNull:
		p.advance()
		return &ast.IsNull{Operand: e, Not: not, Span: p.span(start)}
	case kwDistinct:
		p.advance()
		p.match(kwFrom, valueSet)
		c := &ast.Comparison{Op: ast.IsDistinctFrom, Left: e, Right: p.binary(concatLevel), OpPos: op}
		c.Span = p.span(start)
		if not {
			return &ast.Not{Operand: c, Span: c.Span}
		}
		return c
	}
	p.noViable(oneOf(kwNot, kwNull, kwDistinct))
	return nil
}

// comparisonWord reads BETWEEN, IN or LIKE, one of which is there.
func (p *parser) comparisonWord(start int, e ast.Expr) ast.Expr {
	switch p.advance().kind {
	case kwBetween:
		b := &ast.Between{Operand: e, Lower: p.binary(concatLevel)}
		p.match(kwAnd, valueSet)
		b.Upper = p.binary(concatLevel)
		b.Span = p.span(start)
		return b
	case kwIn:
		p.match(kindLeftParen, conditionSet)
		in := &ast.In{Operand: e}
		p.list(func() { in.Values = append(in.Values, p.expression(oneOf(kindComma, kindRightParen))) })
		in.Span = p.span(start)
		return in
	}
	l := &ast.Like{Operand: e, Pattern: p.binary(concatLevel)}
	if p.accept(kwEscape) {
		t := p.tok()
		text := []rune(p.stringText(set{}))
		if p.err == nil && len(text) == 1 {
			l.Escape = text[0]
		} else if p.err == nil {
			p.refuse(t.pos, "Optional[Line: %d, Col: %d]: Expected single character escape but got: %s",
				t.pos.Line, t.pos.Column, string(text))
		}
	}
	l.Span = p.span(start)
	return l
}

// The levels of the binary operators, from the loosest to the tightest.
const (
	concatLevel = iota
	sumLevel
	productLevel
	unaryLevel
)

func level(k kind) int {
	switch k {
	case kindConcat:
		return concatLevel
	case kindPlus, kindMinus:
		return sumLevel
	case kindStar, kindSlash, kindPercent:
		return productLevel
	}
	return -1
}

var arithmetic = map[kind]ast.ArithmeticOp{
	kindPlus: ast.Add, kindMinus: ast.Subtract, kindStar: ast.Multiply, kindSlash: ast.Divide, kindPercent: ast.Modulus,
}

// binary reads operands joined by operators of at least the given level.
func (p *parser) binary(least int) ast.Expr {
	start, n := p.i, 0
	left := p.unary()
	for p.err == nil {
		t := p.tok()
		l := level(t.kind)
		if l < least {
			break
		}
		p.chain(&n)
		p.advance()
		right := p.binary(l + 1)
		if t.kind == kindConcat {
			left = &ast.Concat{Left: left, Right: right, OpPos: t.pos, Span: p.span(start)}
		} else {
			left = &ast.Arithmetic{Op: arithmetic[t.kind], Left: left, Right: right, OpPos: t.pos, Span: p.span(start)}
		}
	}
	p.skip(operatorSet.with(valueSet))
	return left
}

func (p *parser) unary() ast.Expr {
	k := p.la()
	if k == kindPlus || k == kindMinus && !p.peek(1).isNumber() {
		p.decided()
		defer p.enter()()
		start := p.i
		p.advance()
		u := &ast.Unary{Negative: k == kindMinus, Operand: p.unary()}
		u.Span = p.span(start)
		return u
	}
	start := p.i
	e := p.postfix(start, p.primary())
	if p.itemDepth == 0 || p.la() != kindArrow {
		p.decided()
	}
	if p.la() == kwAt {
		er := p.refuse(p.tok().pos, "not yet implemented")
		er.Hint = "AT TIME ZONE is not supported; use FORMAT_TIMESTAMP or CONVERT_TZ."
		p.advance()
		p.match(kwTime, oneOf(kwZone))
		p.match(kwZone, oneOf(kindStringText))
		p.match(kindStringText, set{})
	}
	return e
}

// postfix reads [index] and ->field after a primary expression.
func (p *parser) postfix(start int, e ast.Expr) ast.Expr {
	n := 0
	for p.err == nil {
		switch p.la() {
		case kindLeftBracket:
			p.chain(&n)
			p.advance()
			s := &ast.Subscript{Base: e, Index: p.value(oneOf(kindRightBracket))}
			p.match(kindRightBracket, operatorSet.with(p.follow))
			s.Span = p.span(start)
			e = s
		case kindArrow:
			if p.peek(1) == kindStar && p.itemDepth != 0 && p.depth == p.itemDepth {
				return e
			}
			p.chain(&n)
			p.advance()
			d := &ast.Dereference{Base: e, Field: p.ident()}
			d.Span = p.span(start)
			e = d
		default:
			return e
		}
	}
	return e
}

func (p *parser) primary() ast.Expr {
	if !p.sync(valueSet) {
		return nil
	}
	start := p.i
	switch k := p.la(); {
	case k == kindVariable && p.peek(1) != kindDot && p.peek(1) != kindLeftParen,
		k == kwNull, k == kwTrue, k == kwFalse, k == kindStringText, k == kindMinus, k.isNumber():
		return p.literal()
	case k == kindLeftParen:
		p.advance()
		e := p.expression(oneOf(kindRightParen))
		p.match(kindRightParen, operatorSet.with(p.follow))
		return e
	case k == kwCase:
		return p.caseExpr()
	case k == kwCast:
		p.advance()
		c := &ast.Cast{}
		p.match(kindLeftParen, conditionSet)
		c.Operand = p.expression(oneOf(kwAs))
		p.match(kwAs, typeSet)
		c.Type = p.dataType(oneOf(kindRightParen))
		p.match(kindRightParen, operatorSet.with(p.follow))
		c.Span = p.span(start)
		return c
	case k == kwArray && p.peek(1) == kindLeftBracket:
		return p.arrayConstructor()
	case p.peek(1) == kindLeftParen:
		return p.call()
	}
	return p.columnRef()
}

func (p *parser) columnRef() ast.Expr {
	start := p.i
	id := p.identHere()
	switch {
	case p.la() == kindStringText:
		return p.typeConstructor(id)
	case p.la() == kindDot:
		p.advance()
		c := &ast.ColumnRef{Source: id, Name: p.ident()}
		c.Span = p.span(start)
		return c
	case p.lambdaParams[id.Name] > 0:
		return &ast.LambdaVariable{Name: id.Name, Span: id.Span}
	}
	return &ast.ColumnRef{Name: id, Span: id.Span}
}

// typeConstructor reads the text of type 'text', which exists for DECIMAL alone.
func (p *parser) typeConstructor(id *ast.Ident) ast.Expr {
	t := p.advance()
	text := unquote(t.text)
	d := &ast.DecimalLiteral{Text: decimalText(text), Span: ast.Span{Start: id.Start, Stop: t.end}}
	switch {
	case id.Name != "DECIMAL":
		e := p.refuse(id.Start, "Unknown type: %s, location:Optional[Line: %d, Col: %d]",
			id.Name, id.Start.Line, id.Start.Column)
		e.Hint = "Dates and times are written as text alone, as in T > '2020-01-01'."
	case !isDecimalText(text):
		p.refuse(t.pos, "Invalid numeric literal: %s", text)
	}
	return d
}

// decimalText brings a decimal number into the form of ast.DecimalLiteral.
func decimalText(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign = "-"
	}
	whole, fraction, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	return sign + whole + "." + fraction
}

// isDecimalText reports whether text is digits with at most one point and a sign.
func isDecimalText(text string) bool {
	if text != "" && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	if text == "" || !isDigit(text[0]) && text[0] != '.' {
		return false
	}
	k, n := number(text)
	return n == len(text) && (k == kindDecimal || k == kindInteger)
}

// literal reads NULL, a number, a boolean, or text. It returns nil after an error.
func (p *parser) literal() ast.Literal {
	if !p.sync(literalSet) {
		return nil
	}
	t := p.tok()
	span := ast.Span{Start: t.pos, Stop: t.end}
	switch t.kind {
	case kwNull:
		p.advance()
		return &ast.NullLiteral{Span: span}
	case kwTrue, kwFalse:
		p.advance()
		return &ast.BooleanLiteral{Span: span, Value: t.kind == kwTrue}
	case kindStringText:
		p.advance()
		return &ast.StringLiteral{Span: span, Value: unquote(t.text)}
	case kindVariable:
		p.advance()
		p.variables = append(p.variables, variable{token: t, literal: true})
		p.refuse(t.pos, "not yet implemented").Hint = undefinedHint(t.text)
		return &ast.NullLiteral{Span: span}
	}
	return p.number()
}

// number reads a number with an optional minus sign. It returns nil after an
// error.
func (p *parser) number() ast.Literal {
	start := p.i
	text := ""
	if p.accept(kindMinus) {
		text = "-"
	}
	if !p.la().isNumber() {
		p.noViable(set{kinds: []kind{kindInteger, kindDecimal, kindFloat}, what: "a number"})
		return nil
	}
	t := p.advance()
	text += t.text
	span := p.span(start)
	switch t.kind {
	case kindInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			p.refuseNumber(span.Start, "Invalid numeric literal", text).Hint =
				"The number does not fit a BIGINT; write it with a point to make it a DECIMAL."
		case n >= math.MinInt32 && n <= math.MaxInt32:
			return &ast.IntegerLiteral{Span: span, Value: int32(n)}
		}
		return &ast.LongLiteral{Span: span, Value: n}
	case kindDecimal:
		return &ast.DecimalLiteral{Span: span, Text: decimalText(text)}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.refuseNumber(span.Start, "Number overflows DOUBLE", text)
	}
	return &ast.DoubleLiteral{Span: span, Value: f}
}

// refuseNumber refuses a number. The column that ksqlDB names in this one message
// is one too high.
func (p *parser) refuseNumber(pos ast.Position, why, text string) *Error {
	return p.refuse(pos, "line %d:%d: %s: %s", pos.Line, pos.Column+1, why, text)
}

func (p *parser) caseExpr() ast.Expr {
	start := p.i
	p.advance()
	var operand ast.Expr
	if p.la() != kwWhen {
		operand = p.value(oneOf(kwWhen))
	}
	after := oneOf(kwWhen, kwElse, kwEnd)
	var whens []*ast.WhenClause
	for p.err == nil && (len(whens) == 0 || p.syncAgain(after) && p.la() == kwWhen) {
		at := p.i
		p.match(kwWhen, conditionSet)
		w := &ast.WhenClause{Condition: p.expression(oneOf(kwThen))}
		p.match(kwThen, conditionSet)
		w.Result = p.expression(after)
		w.Span = p.span(at)
		whens = append(whens, w)
	}
	var otherwise ast.Expr
	if p.accept(kwElse) {
		otherwise = p.expression(oneOf(kwEnd))
	}
	p.match(kwEnd, operatorSet.with(p.follow))
	if operand == nil {
		return &ast.SearchedCase{Whens: whens, Else: otherwise, Span: p.span(start)}
	}
	return &ast.SimpleCase{Operand: operand, Whens: whens, Else: otherwise, Span: p.span(start)}
}

func (p *parser) arrayConstructor() ast.Expr {
	start := p.i
	p.advance()
	p.advance()
	a := &ast.ArrayConstructor{}
	if !p.accept(kindRightBracket) {
		end := oneOf(kindComma, kindRightBracket)
		a.Elements = append(a.Elements, p.expression(end))
		for p.err == nil && p.sync(end) && p.accept(kindComma) {
			a.Elements = append(a.Elements, p.expression(end))
		}
		p.match(kindRightBracket, operatorSet.with(p.follow))
	}
	a.Span = p.span(start)
	return a
}

// call reads name(...), be it a function call or a MAP or STRUCT constructor.
func (p *parser) call() ast.Expr {
	start := p.i
	k := p.la()
	name := p.identHere()
	p.advance()
	end := oneOf(kindComma, kindRightParen)
	switch {
	case p.la() == kindRightParen && k == kwMap:
		p.advance()
		return &ast.MapConstructor{Span: p.span(start)}
	case p.la() == kindRightParen && k == kwStruct:
		p.advance()
		return &ast.StructConstructor{Span: p.span(start)}
	case k == kwStruct && p.la().isIdent() && p.peek(1) == kindAssign:
		s := &ast.StructConstructor{}
		p.list(func() { s.Fields = append(s.Fields, p.structField(end)) })
		s.Span = p.span(start)
		return s
	}
	f := &ast.FunctionCall{Name: name}
	switch {
	case p.la() == kindStar:
		p.advance()
		f.Star = true
		p.match(kindRightParen, operatorSet.with(p.follow))
	case p.accept(kindRightParen):
	default:
		first := p.argument(end, false)
		if k == kwMap && p.la() == kindAssign {
			return p.mapConstructor(start, first, end)
		}
		p.arguments(f, first, end)
	}
	f.Span = p.span(start)
	return f
}

// arguments reads what follows the first argument; lambdas come last.
func (p *parser) arguments(f *ast.FunctionCall, first ast.Expr, end set) {
	f.Args = []ast.Expr{first}
	lambda := false
	ok := p.err == nil && p.sync(end)
	for ok && p.accept(kindComma) {
		at := p.i
		e := p.argument(end, true)
		_, isLambda := e.(*ast.Lambda)
		if lambda && !isLambda && p.err == nil {
			p.i = at
			p.noViable(set{what: "another lambda, which come after all other arguments,"})
			return
		}
		lambda = isLambda
		f.Args = append(f.Args, e)
		ok = p.err == nil && p.syncAgain(end)
	}
	p.match(kindRightParen, operatorSet.with(p.follow))
}

func (p *parser) argument(end set, lambda bool) ast.Expr {
	if lambda && p.lambdaFollows() {
		return p.lambda(end)
	}
	if u, ok := timeUnits[p.la()]; ok && !p.la().isIdent() {
		t := p.advance()
		return &ast.IntervalUnit{Unit: u, Span: ast.Span{Start: t.pos, Stop: t.end}}
	}
	return p.expression(end)
}

func (p *parser) mapConstructor(start int, key ast.Expr, end set) ast.Expr {
	m := &ast.MapConstructor{}
	at := start + 2
	p.list(func() {
		if m.Entries != nil {
			at = p.i
			key = p.expression(oneOf(kindAssign))
		}
		p.match(kindAssign, conditionSet)
		e := &ast.MapEntry{Key: key, Value: p.expression(end)}
		e.Span = p.span(at)
		m.Entries = append(m.Entries, e)
	})
	m.Span = p.span(start)
	return m
}

func (p *parser) structField(end set) *ast.StructField {
	start := p.i
	f := &ast.StructField{Name: p.ident()}
	p.match(kindAssign, conditionSet)
	f.Value = p.expression(end)
	f.Span = p.span(start)
	return f
}

// lambdaFollows tells x => and (x, y) => from an expression.
func (p *parser) lambdaFollows() bool {
	if p.la().isIdent() {
		return p.peek(1) == kindLambda
	}
	if p.la() != kindLeftParen {
		return false
	}
	for n := 1; p.peek(n).isIdent(); n += 2 {
		switch p.peek(n + 1) {
		case kindComma:
		case kindRightParen:
			return p.peek(n+2) == kindLambda
		default:
			return false
		}
	}
	return false
}

func (p *parser) lambda(end set) ast.Expr {
	start := p.i
	l := &ast.Lambda{}
	if p.accept(kindLeftParen) {
		p.list(func() { l.Params = append(l.Params, p.ident()) })
	} else {
		l.Params = []*ast.Ident{p.identHere()}
	}
	p.match(kindLambda, conditionSet)
	for _, id := range l.Params {
		p.lambdaParams[id.Name]++
	}
	l.Body = p.expression(end)
	for _, id := range l.Params {
		p.lambdaParams[id.Name]--
	}
	l.Span = p.span(start)
	return l
}
