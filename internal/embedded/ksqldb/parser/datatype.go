package parser

import "github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"

// dataType reads a type. follow is what may stand after it.
func (p *parser) dataType(follow set) *ast.DataType {
	defer p.enter()()
	start := p.i
	t := p.plainType()
	t.Span = p.span(start)
	for n := 0; p.err == nil && p.la() == kwArray; {
		p.chain(&n)
		p.advance()
		t = &ast.DataType{Kind: ast.TypeArray, Element: t, Span: p.span(start)}
	}
	could := follow.with(oneOf(kwArray))
	if t.Kind == ast.TypeNamed && p.i == start+1 {
		could = could.with(oneOf(kindLeftParen))
	}
	p.skip(could)
	return t
}

func (p *parser) plainType() *ast.DataType {
	t := &ast.DataType{}
	if !p.sync(typeSet) {
		return t
	}
	closing := oneOf(kindGreater)
	switch k := p.la(); {
	case k == kwDecimal:
		p.advance()
		t.Kind = ast.TypeDecimal
		p.match(kindLeftParen, numberSet)
		t.Precision = int(p.integer("DECIMAL(PRECISION)"))
		p.match(kindComma, numberSet)
		t.Scale = int(p.integer("DECIMAL(SCALE)"))
		p.match(kindRightParen, set{})
	case k == kwArray && p.peek(1) == kindLess:
		p.advance()
		p.advance()
		t.Kind = ast.TypeArray
		t.Element = p.dataType(closing)
		p.match(kindGreater, set{})
	case k == kwMap && p.peek(1) == kindLess:
		p.advance()
		p.advance()
		t.Kind = ast.TypeMap
		t.Key = p.dataType(oneOf(kindComma))
		p.match(kindComma, typeSet)
		t.Value = p.dataType(closing)
		p.match(kindGreater, set{})
	case k == kwStruct && p.peek(1) == kindLess:
		p.structType(t)
	case k == kwStruct && p.peek(1) == kindNotEq && p.tokens[p.i+1].text == "<>":
		p.advance()
		p.advance()
		t.Kind = ast.TypeStruct
	default:
		t.Name = p.identHere()
		p.typeParameters()
	}
	return t
}

func (p *parser) structType(t *ast.DataType) {
	p.advance()
	p.advance()
	t.Kind = ast.TypeStruct
	if p.accept(kindGreater) {
		return
	}
	end := oneOf(kindComma, kindGreater)
	for p.err == nil {
		start := p.i
		f := &ast.FieldType{Name: p.ident(), Type: p.dataType(end)}
		f.Span = p.span(start)
		t.Fields = append(t.Fields, f)
		if p.err != nil || !p.sync(end) || !p.accept(kindComma) {
			break
		}
	}
	p.match(kindGreater, set{})
}

// typeParameters reads the parameters that a named type may have and that mean
// nothing.
func (p *parser) typeParameters() {
	if !p.accept(kindLeftParen) {
		return
	}
	p.list(func() {
		if p.sync(oneOf(kwString, kindInteger)) {
			p.advance()
		}
	})
}
