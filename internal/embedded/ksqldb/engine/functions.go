package engine

import (
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

type functionEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Category string `json:"category"`
}

func (e *Engine) showFunctions(text string) any {
	list := []functionEntry{}
	for _, f := range e.functions.Scalars() {
		list = append(list, functionEntry{f.Name, "SCALAR", f.Category})
	}
	for _, f := range e.functions.Tables() {
		list = append(list, functionEntry{f.Name, "TABLE", f.Category})
	}
	for _, f := range e.functions.Aggregates() {
		list = append(list, functionEntry{f.Name, "AGGREGATE", f.Category})
	}
	return struct {
		head
		Functions []functionEntry `json:"functions"`
		Warnings  []Warning       `json:"warnings"`
	}{head{"function_names", text}, list, []Warning{}}
}

type argument struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description"`
	Variadic    bool   `json:"isVariadic"`
}

type signature struct {
	Arguments     []argument `json:"arguments"`
	ReturnType    string     `json:"returnType"`
	Description   string     `json:"description"`
	ArgumentTypes []string   `json:"argumentTypes"`
}

func (e *Engine) describeFunction(s *ast.DescribeFunction) (any, error) {
	name := s.Name.Name
	var info function.Info
	var signatures []signature
	var kind string
	switch {
	case e.functions.IsAggregate(name):
		f, err := e.functions.Aggregate(name)
		if err != nil {
			return nil, err
		}
		info, kind = f.Info, "AGGREGATE"
		for _, o := range f.Overloads {
			signatures = append(signatures, signatureOf(o.Params, o.Description, aggregateResult(o)))
		}
	case e.functions.IsTable(name):
		f, err := e.functions.Table(name)
		if err != nil {
			return nil, err
		}
		info, kind = f.Info, "TABLE"
		for _, o := range f.Overloads {
			signatures = append(signatures, signatureOf(o.Params, o.Description, resultText(o.Params, o.Result)))
		}
	default:
		f, err := e.functions.Scalar(name)
		if err != nil {
			return nil, &Error{Code: CodeBadRequest, Message: err.Error()}
		}
		info, kind = f.Info, "SCALAR"
		for _, o := range f.Overloads {
			signatures = append(signatures, signatureOf(o.Params, o.Description, resultText(o.Params, o.Result)))
		}
	}
	return struct {
		head
		Name        string      `json:"name"`
		Description string      `json:"description"`
		Author      string      `json:"author"`
		Version     string      `json:"version"`
		Path        string      `json:"path"`
		Functions   []signature `json:"functions"`
		Type        string      `json:"type"`
		Warnings    []Warning   `json:"warnings"`
	}{head{"describe_function", s.Text()}, info.Name, info.Description, "", "", "internal", signatures, kind, []Warning{}}, nil
}

func signatureOf(params []function.Param, description, result string) signature {
	s := signature{Arguments: []argument{}, ReturnType: result, Description: description, ArgumentTypes: []string{}}
	for _, p := range params {
		s.Arguments = append(s.Arguments, argument{Name: p.Name, Type: p.Type.String(), Variadic: p.Variadic})
		s.ArgumentTypes = append(s.ArgumentTypes, p.Type.String())
	}
	return s
}

// anyType is shown for results that depend on the types of the arguments.
const anyType = "ANY"

// resultText is the type of a function's result, in the notation of parameters.
func resultText(params []function.Param, result func([]function.Arg) (*types.Type, error)) string {
	args, ok := exampleArgs(params)
	if !ok {
		return anyType
	}
	t, err := result(args)
	if err != nil || t == nil {
		return anyType
	}
	return paramNotation(t)
}

func aggregateResult(o *function.AggregateOverload) string {
	args, ok := exampleArgs(o.Params)
	if !ok || o.Constants > 0 {
		return anyType
	}
	b := function.Binding{}
	for _, a := range args {
		b.Args = append(b.Args, a.Type)
	}
	bound, err := o.Bind(b)
	if err != nil {
		return anyType
	}
	return paramNotation(bound.ResultType())
}

// exampleArgs are arguments of exactly the declared types. The second result is
// false where a declared type leaves a choice.
func exampleArgs(params []function.Param) ([]function.Arg, bool) {
	var args []function.Arg
	for _, p := range params {
		if p.Type.HasGenerics() {
			return nil, false
		}
		t, err := function.Generics{}.Apply(p.Type)
		if err != nil {
			return nil, false
		}
		args = append(args, function.Arg{Type: t})
	}
	return args, true
}

// paramNotation writes a type as the declarations of functions do: VARCHAR for
// STRING, INT for INTEGER.
func paramNotation(t *types.Type) string {
	switch t.Kind {
	case types.KindString:
		return "VARCHAR"
	case types.KindInteger:
		return "INT"
	case types.KindDecimal:
		return "DECIMAL"
	case types.KindArray:
		return "ARRAY<" + paramNotation(t.Elem) + ">"
	case types.KindMap:
		return "MAP<" + paramNotation(t.Key) + ", " + paramNotation(t.Elem) + ">"
	default:
		return t.String()
	}
}
