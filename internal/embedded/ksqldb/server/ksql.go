package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// ksql answers POST /ksql: everything but SELECT and PRINT.
func (s *Server) ksql(w http.ResponseWriter, r *http.Request) {
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
		s.log.Error("a request failed", "path", r.URL.Path, "statement", failed.Statement, "error", err, "cause", errors.Unwrap(failed))
	}
}

// terminate answers POST /ksql/terminate.
func (s *Server) terminate(w http.ResponseWriter, r *http.Request) {
	in, failed := readBody(w, r, entityEnd)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	topics := in.list("deleteTopicList")
	if in.failed != nil {
		writeError(w, in.failed, false)
		return
	}
	entities, err := s.engine.TerminateCluster(r.Context(), topics)
	if err != nil {
		s.logFailure(r, err)
		writeError(w, asError(err), true)
		return
	}
	writeJSON(w, http.StatusOK, entities)
}

// closeQuery answers POST /close-query.
func (s *Server) closeQuery(w http.ResponseWriter, r *http.Request) {
	in, failed := readBody(w, r, entityClose)
	if failed != nil {
		writeError(w, failed, false)
		return
	}
	in.required("queryId")
	id := in.text("queryId")
	failed = in.failed
	switch {
	case failed != nil:
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
