package analyze

import (
	"errors"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
)

// The codes of errors, as ksqlDB's REST API numbers them.
const (
	// CodeBadRequest is a fault outside of a statement's own text.
	CodeBadRequest = 40000
	// CodeBadStatement is a fault in a statement.
	CodeBadStatement = 40001
	// CodeServerError is a fault in carrying a statement out.
	CodeServerError = 50000
)

// Error is a statement that can't be carried out. Message is ksqlDB's text where
// ksqlDB has one.
type Error struct {
	Code    int
	Message string
	// Statement is the statement with its names resolved, for errors that come
	// up after that; empty for others.
	Statement string
	// Cause is the error behind it, if any; Message already says what it says.
	Cause error
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

func badStatement(text string, args ...any) *Error {
	return &Error{Code: CodeBadStatement, Message: fmt.Sprintf(text, args...)}
}

func badRequest(text string, args ...any) *Error {
	return &Error{Code: CodeBadRequest, Message: fmt.Sprintf(text, args...)}
}

func serverError(text string, args ...any) *Error {
	return &Error{Code: CodeServerError, Message: fmt.Sprintf(text, args...)}
}

// wrapError puts a text before an error's message and keeps its code.
func wrapError(prefix string, err error) error {
	code := CodeBadStatement
	var e *Error
	if errors.As(err, &e) {
		code = e.Code
	}
	return &Error{Code: code, Message: prefix + err.Error(), Cause: err}
}

// schemaError is an error that ksqlDB finds while it works out the columns of a
// CREATE … AS SELECT. Other statements show it without its prefix.
type schemaError struct{ err error }

func (e *schemaError) Error() string { return e.err.Error() }
func (e *schemaError) Unwrap() error { return e.err }

const schemaErrorPrefix = "Could not determine output schema for query due to error: "

// inSchemaStage marks an error of planning as one of the schema stage, unless it
// is known to come from another stage.
func inSchemaStage(err error) error {
	var pre *prepareError
	var sch *schemaError
	if err == nil || errors.As(err, &pre) || errors.As(err, &sch) {
		return err
	}
	return &schemaError{err}
}

// prepareError is an error that ksqlDB finds before or after the schema stage.
type prepareError struct{ err error }

func (e *prepareError) Error() string { return e.err.Error() }
func (e *prepareError) Unwrap() error { return e.err }

// withSchemaPrefix gives the text of a CREATE … AS SELECT to a planning error.
func withSchemaPrefix(err error) error {
	var sch *schemaError
	if errors.As(err, &sch) {
		return wrapError(schemaErrorPrefix, err)
	}
	return err
}

// location is how ksqlDB names a place in front of a message.
func location(n ast.Node) string {
	if p := n.Pos(); p.IsValid() {
		return fmt.Sprintf("Line: %d, Col: %d: ", p.Line, p.Column)
	}
	return ""
}

// at names a place within a message of our own.
func at(n ast.Node) string {
	if p := n.Pos(); p.IsValid() {
		return fmt.Sprintf("line %d:%d", p.Line, p.Column)
	}
	return "an unknown place"
}

// englishList joins names as "a", "a and b", "a, b and c".
func englishList(names []string, last string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}
