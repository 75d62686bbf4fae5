package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
)

// query answers POST /query, the older of the end points for queries.
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	in, failed := readBody(w, r, entityKsql)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	req, failed := in.request("ksql", "streamsProperties")
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	if req.SQL == "" {
		writeError(w, &engine.Error{Code: engine.CodeBadRequest, Message: `"ksql" field must be populated`}, true)
		return
	}
	if err := engine.CheckOverrides(req.Properties); err != nil {
		writeError(w, asError(err), true)
		return
	}
	req.Variables = nil // ksqlDB fills none in here
	q, err := s.engine.Prepare(r.Context(), req)
	if err != nil {
		s.logFailure(r, err)
		failed, typed := olderError(asError(err))
		writeError(w, failed, typed)
		return
	}
	var out stream
	switch kind := negotiate(r, []string{typeKsql, typeJSON, typeDelimited}); {
	case q.Kind == engine.PrintQuery:
		out = &textStream{sink: newSink(w, typeJSON), formats: true}
	case anyType(r) || kind == typeDelimited:
		out = &delimitedStream{sink: newSink(w, typeDelimited)}
	default:
		out = &objectStream{sink: newSink(w, typeKsql)}
	}
	s.run(w, r, q, out, true)
}

// olderError gives an error the form that it has at /query: syntax errors name
// their cause, and what the code behind /query-stream finds out comes without a
// content type.
func olderError(failed *engine.Error) (quoted *engine.Error, typed bool) {
	var syntax *parser.Error
	switch {
	case errors.As(failed, &syntax) && syntax.Syntax:
		copied := *failed
		copied.Message += fmt.Sprintf("\nStatement: %s\nCaused by: line %d:%d: Syntax error at line %[2]d:%[3]d", failed.Statement, syntax.Line, syntax.Col)
		return &copied, true
	case errors.As(failed, &syntax) || failed.Code != engine.CodeBadStatement || strings.HasPrefix(failed.Message, "Exception while preparing statement"):
		return failed, true
	default:
		return withStatement(failed), false
	}
}

// anyType reports whether the client takes whatever comes, in so many words.
func anyType(r *http.Request) bool {
	for _, a := range acceptHeader(r) {
		if a.kind != "*/*" {
			return false
		}
	}
	return r.Header.Get("Accept") != ""
}

// queryStream answers POST /query-stream.
func (s *Server) queryStream(w http.ResponseWriter, r *http.Request) {
	in, failed := readBody(w, r, entityQuery)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	in.required("sql")
	if sql := in.object.member("sql"); sql != nil && sql.kind == jsonNull {
		writeError(w, errNotRead, false)
		return
	}
	req, failed := in.request("sql", "properties")
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	q, err := s.engine.Prepare(r.Context(), req)
	if err != nil {
		s.logFailure(r, err)
		writeError(w, withStatement(asError(err)), false)
		return
	}
	kind := negotiate(r, streamTypes)
	var out stream
	switch {
	case q.Kind == engine.PrintQuery && kind != typeDelimited:
		w.WriteHeader(http.StatusNotAcceptable)
		return
	case q.Kind == engine.PrintQuery:
		out = &textStream{sink: newSink(w, "")}
	case kind == typeJSON:
		out = &arrayStream{sink: newSink(w, typeJSON)}
	case kind == typeKsql:
		out = &objectStream{sink: newSink(w, typeKsql)}
	case kind == typeProtobuf:
		out = &protobufStream{objectStream: objectStream{sink: newSink(w, typeProtobuf)}}
	default:
		out = &delimitedStream{sink: newSink(w, typeDelimited)}
	}
	s.run(w, r, q, out, false)
}

// withStatement repeats the statement behind the message, where ksqlDB does.
func withStatement(failed *engine.Error) *engine.Error {
	if !failed.QuotesStatement() {
		return failed
	}
	quoted := *failed
	quoted.Message += "\nStatement: " + failed.Statement
	return &quoted
}

// run gives a query's answer to the client. Errors from before the first byte
// have a status of their own.
func (s *Server) run(w http.ResponseWriter, r *http.Request, q *engine.Query, out stream, typed bool) {
	begun := false
	end, err := q.Run(r.Context(), engine.Receiver{
		Begin: func() error {
			err := out.begin(q)
			begun = err == nil
			return err
		},
		Row:   out.row,
		Print: out.print,
	})
	var failed *engine.Error
	switch {
	case err == nil:
		out.end(q, end)
	case r.Context().Err() != nil:
	case !begun:
		s.logFailure(r, err)
		writeError(w, asError(err), typed)
	case errors.As(err, &failed):
		s.logFailure(r, err)
		out.fail(failed)
	}
}
