package function

import (
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// ParamKind is the base of a parameter's type.
type ParamKind uint8

// The kinds of parameter. DECIMAL parameters accept any precision and scale.
const (
	ParamBoolean ParamKind = iota + 1
	ParamInteger
	ParamBigint
	ParamDouble
	ParamDecimal
	ParamString
	ParamBytes
	ParamTime
	ParamDate
	ParamTimestamp
	ParamUnit
	ParamAny
	ParamArray
	ParamMap
	ParamStruct
	ParamGeneric
	ParamLambda
)

var paramNames = map[ParamKind]string{
	ParamBoolean: "BOOLEAN", ParamInteger: "INT", ParamBigint: "BIGINT", ParamDouble: "DOUBLE",
	ParamDecimal: "DECIMAL", ParamString: "VARCHAR", ParamBytes: "BYTES", ParamTime: "TIME",
	ParamDate: "DATE", ParamTimestamp: "TIMESTAMP", ParamUnit: "INTERVAL UNIT", ParamAny: "ANY",
}

var paramKinds = map[ParamKind]types.Kind{
	ParamBoolean: types.KindBoolean, ParamInteger: types.KindInteger, ParamBigint: types.KindBigint,
	ParamDouble: types.KindDouble, ParamDecimal: types.KindDecimal, ParamString: types.KindString,
	ParamBytes: types.KindBytes, ParamTime: types.KindTime, ParamDate: types.KindDate,
	ParamTimestamp: types.KindTimestamp, ParamArray: types.KindArray, ParamMap: types.KindMap,
	ParamStruct: types.KindStruct,
}

// ParamType is the declared type of a parameter: a SQL type whose parts may be
// generic, a lambda, or an interval unit.
type ParamType struct {
	Kind ParamKind
	// Name is the letter of a generic type.
	Name string
	Key  *ParamType
	Elem *ParamType
	// Fields are the members of a STRUCT; none accepts any STRUCT.
	Fields []ParamField
	// Inputs and Result belong to a lambda.
	Inputs []*ParamType
	Result *ParamType
}

// ParamField is a member of a STRUCT parameter.
type ParamField struct {
	Name string
	Type *ParamType
}

// Param is a declared parameter. A variadic one stands for any number of
// arguments of its type, none included.
type Param struct {
	Name     string
	Type     *ParamType
	Variadic bool
}

// String gives the type in the notation of ksqlDB's error texts, such as
// ARRAY<T> or LAMBDA (T) => BOOLEAN.
func (p *ParamType) String() string {
	switch p.Kind {
	case ParamArray:
		return "ARRAY<" + p.Elem.String() + ">"
	case ParamMap:
		return "MAP<" + p.Key.String() + ", " + p.Elem.String() + ">"
	case ParamStruct:
		parts := make([]string, len(p.Fields))
		for i, f := range p.Fields {
			parts[i] = f.Name + " " + f.Type.String()
		}
		return "STRUCT<" + strings.Join(parts, ", ") + ">"
	case ParamGeneric:
		return p.Name
	case ParamLambda:
		parts := make([]string, len(p.Inputs))
		for i, in := range p.Inputs {
			parts[i] = in.String()
		}
		return "LAMBDA (" + strings.Join(parts, ", ") + ") => " + p.Result.String()
	default:
		return paramNames[p.Kind]
	}
}

// HasGenerics reports whether a generic type is part of the type.
func (p *ParamType) HasGenerics() bool {
	if p == nil {
		return false
	}
	if p.Kind == ParamGeneric || p.Key.HasGenerics() || p.Elem.HasGenerics() || p.Result.HasGenerics() {
		return true
	}
	for _, f := range p.Fields {
		if f.Type.HasGenerics() {
			return true
		}
	}
	for _, in := range p.Inputs {
		if in.HasGenerics() {
			return true
		}
	}
	return false
}

// ParseParams reads a parameter list in the notation of ksqlDB's error texts:
// "ARRAY<T> array, VARCHAR... others". A single upper-case letter is a generic
// type.
func ParseParams(text string) ([]Param, error) {
	p := &paramParser{rest: text}
	var params []Param
	for p.skip(); p.rest != ""; p.skip() {
		t, err := p.parseType()
		if err != nil {
			return nil, fmt.Errorf("parsing parameters %q: %w", text, err)
		}
		param := Param{Type: t}
		param.Variadic = p.take("...")
		param.Name = p.word()
		params = append(params, param)
		if p.skip(); p.rest != "" && !p.take(",") {
			return nil, fmt.Errorf("parsing parameters %q: expected a comma before %q", text, p.rest)
		}
	}
	return params, nil
}

// ParseParamType reads one type in the notation of [ParseParams].
func ParseParamType(text string) (*ParamType, error) {
	p := &paramParser{rest: text}
	t, err := p.parseType()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("unexpected %q", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("parsing type %q: %w", text, err)
	}
	return t, nil
}

type paramParser struct{ rest string }

func (p *paramParser) skip() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *paramParser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *paramParser) word() string {
	p.skip()
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	return w
}

func (p *paramParser) expect(token string) error {
	if !p.take(token) {
		return fmt.Errorf("expected %q before %q", token, p.rest)
	}
	return nil
}

func (p *paramParser) parseType() (*ParamType, error) {
	w := p.word()
	switch w {
	case "ARRAY":
		return p.parseArray()
	case "MAP":
		return p.parseMap()
	case "STRUCT":
		return p.parseStruct()
	case "LAMBDA":
		return p.parseLambda()
	case "INTERVAL":
		if unit := p.word(); unit != "UNIT" {
			return nil, fmt.Errorf("expected UNIT after INTERVAL, found %q", unit)
		}
		return &ParamType{Kind: ParamUnit}, nil
	}
	for kind, name := range paramNames {
		if name == w {
			return &ParamType{Kind: kind}, nil
		}
	}
	if len(w) == 1 {
		return &ParamType{Kind: ParamGeneric, Name: w}, nil
	}
	return nil, fmt.Errorf("unknown type %q", w)
}

func (p *paramParser) parseArray() (*ParamType, error) {
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	elem, err := p.parseType()
	if err != nil {
		return nil, err
	}
	return &ParamType{Kind: ParamArray, Elem: elem}, p.expect(">")
}

func (p *paramParser) parseMap() (*ParamType, error) {
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	key, err := p.parseType()
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	elem, err := p.parseType()
	if err != nil {
		return nil, err
	}
	return &ParamType{Kind: ParamMap, Key: key, Elem: elem}, p.expect(">")
}

func (p *paramParser) parseStruct() (*ParamType, error) {
	t := &ParamType{Kind: ParamStruct}
	if err := p.expect("<"); err != nil {
		return nil, err
	}
	for !p.take(">") {
		if len(t.Fields) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		name := p.word()
		field, err := p.parseType()
		if err != nil {
			return nil, err
		}
		t.Fields = append(t.Fields, ParamField{Name: name, Type: field})
	}
	return t, nil
}

func (p *paramParser) parseLambda() (*ParamType, error) {
	t := &ParamType{Kind: ParamLambda}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for !p.take(")") {
		if len(t.Inputs) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		in, err := p.parseType()
		if err != nil {
			return nil, err
		}
		t.Inputs = append(t.Inputs, in)
	}
	if err := p.expect("=>"); err != nil {
		return nil, err
	}
	result, err := p.parseType()
	t.Result = result
	return t, err
}
