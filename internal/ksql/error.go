package ksql

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	ksqldb "github.com/thmeitz/ksqldb-go"
)

// Error codes of ksqlDB that callers tell apart. The HTTP status is the code
// divided by 100.
const (
	CodeBadRequest         = 40000
	CodeBadStatement       = 40001
	CodeQueryEndpoint      = 40002 // a SELECT or PRINT was sent to /ksql
	CodeTooManyPush        = 40003
	CodeUnauthorized       = 40100
	CodeNotFound           = 40400
	CodeAssertionFailed    = 41700
	CodeServerError        = 50000
	CodeCommandTimeout     = 50301
	CodeServerNotReady     = 50302
	CodeServerShuttingDown = 50303
	CodeServerShutDown     = 50304
)

// Error is a refusal or a failure that the server reported.
type Error struct {
	// HTTPStatus is the status of the answer; 200 for an error that came
	// after rows of a query.
	HTTPStatus int
	// Code is ksqlDB's error code, 0 when the answer had none (a proxy's, say).
	Code int
	// Message is the server's text.
	Message string
	// Hint is what the embedded server knows beyond ksqlDB's text; "" from
	// others.
	Hint string
	// Statement is the statement that the error is about, "" when unknown.
	Statement string
	// Entities are the results of statements of the same request that had
	// been executed before this one failed.
	Entities []Entity
}

// Error returns the server's message, preceded by what kind of failure it is.
func (e *Error) Error() string {
	kind := "ksqlDB failed"
	if e.HTTPStatus >= 400 && e.HTTPStatus < 500 || e.Code >= 40000 && e.Code < 50000 {
		kind = "ksqlDB refused it"
	}
	number := ""
	switch {
	case e.Code != 0:
		number = fmt.Sprintf(" (error %d)", e.Code)
	case e.HTTPStatus != 0:
		number = fmt.Sprintf(" (HTTP status %d %s)", e.HTTPStatus, http.StatusText(e.HTTPStatus))
	}
	if e.Message == "" {
		return kind + number
	}
	text := kind + number + ": " + e.Message
	if e.Hint != "" {
		text = strings.TrimRight(text, "\n") + "\n" + e.Hint
	}
	return text
}

// hintHeader is where the embedded server puts its hint, encoded as RFC 2047 says.
const hintHeader = "Ksql-Hint"

func decodeHint(header http.Header) string {
	encoded := header.Get(hintHeader)
	hint, err := new(mime.WordDecoder).DecodeHeader(encoded)
	if err != nil {
		return encoded
	}
	return hint
}

// IsNotReady reports whether err says that the server is starting or
// stopping, so that the same request may succeed a little later.
func IsNotReady(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case CodeServerNotReady, CodeServerShuttingDown, CodeServerShutDown, CodeCommandTimeout:
		return true
	}
	return e.Code == 0 && e.HTTPStatus == http.StatusServiceUnavailable
}

// IsCode reports whether err is an *Error with that code.
func IsCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

type errorBody struct {
	ksqldb.ResponseError
	StatementText string          `json:"statementText"`
	Entities      json.RawMessage `json:"entities"`
}

func decodeError(status int, body []byte) *Error {
	var decoded errorBody
	if err := json.Unmarshal(body, &decoded); err != nil || decoded.ErrCode == 0 && decoded.Message == "" {
		return &Error{HTTPStatus: status, Message: plainText(body)}
	}
	e := &Error{
		HTTPStatus: status,
		Code:       decoded.ErrCode,
		Message:    decoded.Message,
		Statement:  decoded.StatementText,
	}
	if len(decoded.Entities) > 0 {
		// What ran before the failure is an extra: an answer whose entities
		// cannot be read still is the error it says it is.
		if entities, err := decodeEntities(decoded.Entities); err == nil {
			e.Entities = entities
		}
	}
	return e
}

// plainText makes one short line of a body that is not ksqlDB's.
func plainText(body []byte) string {
	text := strings.Join(strings.Fields(string(body)), " ")
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// withStatement notes the statement in an *Error whose answer named none.
func withStatement(err error, sql string) error {
	var e *Error
	if errors.As(err, &e) && e.Statement == "" {
		e.Statement = strings.TrimSpace(sql)
	}
	return err
}
