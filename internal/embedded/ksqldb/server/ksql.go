package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// ksql answers POST /ksql: everything but SELECT and PRINT.
func (s *Server) ksql(w http.ResponseWriter, r *http.Request) {
	object, failed := readBody(w, r)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	req, failed := readRequest(object, "ksql", "streamsProperties")
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	entities, err := s.engine.Execute(r.Context(), req)
	if err != nil {
		s.logFailure(r, err)
		writeError(w, asError(err), true)
		return
	}
	writeJSON(w, http.StatusOK, entities)
}

// logFailure notes failures of the server's own.
func (s *Server) logFailure(r *http.Request, err error) {
	if failed := asError(err); failed.Code/100 >= http.StatusInternalServerError && !errors.Is(err, r.Context().Err()) {
		s.log.Error("a request failed", "path", r.URL.Path, "statement", failed.Statement, "error", err)
	}
}

// closeQuery answers POST /close-query.
func (s *Server) closeQuery(w http.ResponseWriter, r *http.Request) {
	object, failed := readBody(w, r)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	id, failed := textMember(object, "queryId")
	switch {
	case failed != nil:
	case id == "":
		failed = invalidJSON("Missing required creator property 'queryId' (index 0)")
	case !s.engine.CloseQuery(id):
		failed = &engine.Error{Code: engine.CodeBadRequest, Message: "No query with id " + id}
	}
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	w.Header()["Content-Type"] = nil
	w.Header().Set("Content-Length", strconv.Itoa(0))
	w.WriteHeader(http.StatusOK)
}

// insertsStream answers POST /inserts-stream, which is refused: INSERT INTO …
// VALUES does the same.
func (s *Server) insertsStream(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		writeError(w, &engine.Error{Code: engine.CodeNeedsHTTP2, Message: "This endpoint is only available when using HTTP2"}, false)
		return
	}
	writeError(w, &engine.Error{Code: engine.CodeBadRequest, Message: "/inserts-stream is not supported by the embedded server. Use INSERT INTO … VALUES, or write to the topic."}, false)
}
