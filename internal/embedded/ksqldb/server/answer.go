package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// marshal writes JSON without escaping what HTML would not like.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// write sends bytes; a client that is gone is found out elsewhere.
func write(w http.ResponseWriter, body []byte) { _, _ = w.Write(body) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := marshal(v)
	if err != nil {
		writeError(w, asError(err), true)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	write(w, body)
}

// asError gives any error the form of the API's.
func asError(err error) *engine.Error {
	var ready *engine.Error
	if errors.As(err, &ready) {
		return ready
	}
	return &engine.Error{Code: engine.CodeServerError, Message: err.Error()}
}

// hintHeader carries what ksqlDB's own messages leave out, which stay as they are.
// Characters beyond ASCII are encoded as in the headers of mails (RFC 2047).
const hintHeader = "Ksql-Hint"

// writeError answers with an error. ksqlDB leaves the content type out of those
// of its newer end points and of malformed bodies.
func writeError(w http.ResponseWriter, failed *engine.Error, typed bool) {
	body, err := marshal(failed.Answer())
	if err != nil {
		body = []byte(`{"@type":"generic_error","error_code":50000,"message":"the error could not be written"}`)
	}
	if hint := failed.Hint(); hint != "" {
		w.Header().Set(hintHeader, mime.QEncoding.Encode("utf-8", hint))
	}
	if typed {
		w.Header().Set("Content-Type", typeJSON)
	} else {
		w.Header()["Content-Type"] = nil // keeps net/http from guessing
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(failed.Status())
	write(w, body)
}

// unguarded reports the requests that ksqlDB never asks credentials for.
func unguarded(r *http.Request) bool {
	switch r.URL.Path {
	case "/v1/metadata", "/v1/metadata/id", "/healthcheck":
		return true
	}
	// Browsers ask for leave without credentials (CORS).
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// refuse answers a request without credentials that hold.
func refuse(w http.ResponseWriter, _ *http.Request) {
	writeError(w, &engine.Error{Code: engine.CodeUnauthorized, Message: "Unauthorized"}, true)
}
