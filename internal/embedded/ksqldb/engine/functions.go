package engine

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
)

type functionEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Category string `json:"category"`
}

func (e *Engine) showFunctions(text string) any {
	list := []functionEntry{}
	for _, f := range e.functions.Scalars() {
		list = append(list, functionEntry{strings.ToUpper(f.Name), "SCALAR", f.Category})
	}
	for _, f := range e.functions.Tables() {
		list = append(list, functionEntry{strings.ToUpper(f.Name), "TABLE", f.Category})
	}
	for _, f := range e.functions.Aggregates() {
		list = append(list, functionEntry{strings.ToUpper(f.Name), "AGGREGATE", f.Category})
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
			signatures = append(signatures, signatureOf(o.Params, o.Description, o.Returns))
		}
	case e.functions.IsTable(name):
		f, err := e.functions.Table(name)
		if err != nil {
			return nil, err
		}
		info, kind = f.Info, "TABLE"
		for _, o := range f.Overloads {
			signatures = append(signatures, signatureOf(o.Params, o.Description, o.Returns))
		}
	default:
		f, err := e.functions.Scalar(name)
		if err != nil {
			return nil, &Error{Code: CodeBadRequest, Message: err.Error()}
		}
		info, kind = f.Info, "SCALAR"
		for _, o := range f.Overloads {
			signatures = append(signatures, signatureOf(o.Params, o.Description, o.Returns))
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
	}{head{"describe_function", s.Text()}, strings.ToUpper(info.Name), info.Description, info.Author, "", "internal", signatures, kind, []Warning{}}, nil
}

func signatureOf(params []function.Param, description, result string) signature {
	s := signature{Arguments: []argument{}, ReturnType: result, Description: description, ArgumentTypes: []string{}}
	for _, p := range params {
		s.Arguments = append(s.Arguments, argument{Name: p.Name, Type: p.Type.String(), Variadic: p.Variadic})
		s.ArgumentTypes = append(s.ArgumentTypes, p.Type.String())
	}
	return s
}
