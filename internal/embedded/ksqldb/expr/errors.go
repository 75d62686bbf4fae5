package expr

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// Error says what is wrong with an expression, in ksqlDB's words. Pos is the
// place in the statement; it is not valid where the expression was made by hand.
type Error struct {
	Pos ast.Position
	Msg string
}

func (e *Error) Error() string { return e.Msg }

func errorAt(n ast.Node, format string, args ...any) error {
	return &Error{Pos: n.Pos(), Msg: fmt.Sprintf(format, args...)}
}

// at gives an error from elsewhere the place of a node.
func at(n ast.Node, err error) error {
	return &Error{Pos: n.Pos(), Msg: err.Error()}
}

// location is a place in the way ksqlDB's semantic errors name it.
func location(p ast.Position) string { return fmt.Sprintf("Line: %d, Col: %d", p.Line, p.Column) }

// codeError is an error that ksqlDB finds only when it generates code. It is
// reported with the whole expression and the schema.
type codeError struct {
	pos ast.Position
	msg string
}

func (e *codeError) Error() string { return e.msg }

func codeErrorAt(n ast.Node, format string, args ...any) error {
	return &codeError{pos: n.Pos(), msg: fmt.Sprintf(format, args...)}
}
