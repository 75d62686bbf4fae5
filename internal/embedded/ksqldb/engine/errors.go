package engine

import (
	"errors"
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// The codes of errors, as ksqlDB's REST API numbers them. The HTTP status is the
// code divided by 100.
const (
	CodeBadRequest      = 40000
	CodeBadStatement    = 40001
	CodeQueryEndpoint   = 40002
	CodeNeedsHTTP2      = 40004
	CodeUnauthorized    = 40100
	CodeNotFound        = 40400
	CodeConnectorExists = 40900
	CodeAssertFailed    = 41700
	CodeNoRegistry      = 42801
	CodeServerError     = 50000
	CodeCommandTimeout  = 50301
	CodeShuttingDown    = 50303
)

// Error is an answer that says why a request failed.
type Error struct {
	Code    int
	Message string
	// Statement is the text of the statement at fault. It is set for faults of
	// statements only: the answer then is a statement_error.
	Statement string
	// Entities are the results of the statements before it.
	Entities []any

	cause error
	// hint is what the message leaves out; empty where Hint finds it elsewhere.
	hint string
	// generic makes the answer a generic_error, though the statement is at fault.
	generic bool
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives what went wrong behind it, if there is more to say.
func (e *Error) Unwrap() error { return e.cause }

// Answer is the JSON object of ksqlDB's REST API.
func (e *Error) Answer() any {
	if e.generic || e.Statement == "" && !errors.Is(e.cause, errStatement) {
		return struct {
			Type    string `json:"@type"`
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}{"generic_error", e.Code, e.Message}
	}
	entities := e.Entities
	if entities == nil {
		entities = []any{}
	}
	return struct {
		Type      string `json:"@type"`
		Code      int    `json:"error_code"`
		Message   string `json:"message"`
		Statement string `json:"statementText"`
		Entities  []any  `json:"entities"`
	}{"statement_error", e.Code, e.Message, e.Statement, entities}
}

// Status is the HTTP status that goes with the error.
func (e *Error) Status() int { return e.Code / 100 }

// statementError turns what went wrong with a statement into an answer.
// statement is the text that the answer shows for it.
func statementError(statement string, err error) *Error {
	var ready *Error
	if errors.As(err, &ready) {
		if ready.Statement == "" && ready.ofStatement() {
			ready.Statement = statement
		}
		return ready
	}
	var syntax *parser.Error
	if errors.As(err, &syntax) {
		if syntax.StatementText != "" {
			statement = syntax.StatementText
		}
		return &Error{Code: CodeBadStatement, Message: syntax.Message, Statement: statement, cause: err}
	}
	var found *analyze.Error
	if errors.As(err, &found) {
		switch {
		case found.Code == CodeBadRequest:
			statement = ""
		case found.Statement != "":
			statement = found.Statement
		}
		return &Error{Code: found.Code, Message: err.Error(), Statement: statement, cause: err}
	}
	return &Error{Code: CodeServerError, Message: err.Error(), Statement: statement, cause: err}
}

// ofStatement reports whether the answer names the statement at fault.
func (e *Error) ofStatement() bool {
	return e.Code == CodeBadStatement || e.Code == CodeServerError
}

func badStatement(statement, text string, args ...any) *Error {
	return &Error{Code: CodeBadStatement, Message: fmt.Sprintf(text, args...), Statement: statement}
}
