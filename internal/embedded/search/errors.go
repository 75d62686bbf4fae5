package search

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// apiError is an error in Elasticsearch's form.
type apiError struct {
	status int
	typ    string
	reason string
	meta   object    // more fields, after type and reason
	cause  *apiError // caused_by
	root   *apiError // root_cause when it isn't the error itself
	// rootless is set where root_cause is an empty list.
	rootless bool
	noReason bool // the reason is null
	// direct is set on the error of a parameter that isn't wrapped once more by the
	// object that it stands in.
	direct bool
	offset int    // in the request body plus one, 0 for none
	phases object // fields of a failed search, after the reason
	plain  bool   // {"error": reason} with the status unless bare
	bare   bool
	allow  string // the Allow header of a 405
}

func (e *apiError) Error() string { return e.typ + ": " + e.reason }

func (e *apiError) Unwrap() error {
	if e.cause == nil {
		return nil
	}
	return e.cause
}

// body is the whole answer.
func (e *apiError) body() object {
	if e.plain {
		o := object{{"error", e.reason}}
		if !e.bare {
			o = append(o, field{"status", e.status})
		}
		return o
	}
	root := e.root
	if root == nil {
		root = e
	}
	causes := []any{root.summary()}
	if e.rootless {
		causes = []any{}
	}
	o := object{{"root_cause", causes}}
	o = append(o, e.detail()...)
	return object{{"error", o}, {"status", e.status}}
}

// summary has no cause.
func (e *apiError) summary() object {
	o := object{{"type", e.typ}, {"reason", e.reason}}
	if e.noReason {
		o[1].value = nil
	}
	return append(o, e.meta...)
}

// detail is the error with its causes, as bulk items have it too.
func (e *apiError) detail() object {
	o := e.summary()
	o = append(o, e.phases...)
	if e.cause != nil {
		o = append(o, field{"caused_by", e.cause.detail()})
	}
	return o
}

func newError(status int, typ, format string, args ...any) *apiError {
	return &apiError{status: status, typ: typ, reason: fmt.Sprintf(format, args...)}
}

func illegalArgument(format string, args ...any) *apiError {
	return newError(http.StatusBadRequest, "illegal_argument_exception", format, args...)
}

func validationFailed(problems ...string) *apiError {
	var b strings.Builder
	b.WriteString("Validation Failed: ")
	for i, p := range problems {
		fmt.Fprintf(&b, "%d: %s;", i+1, p)
	}
	return newError(http.StatusBadRequest, "action_request_validation_exception", "%s", b.String())
}

// parsingError points at a place in a request body.
func parsingError(src []byte, offset int, format string, args ...any) *apiError {
	e := newError(http.StatusBadRequest, "parsing_exception", format, args...)
	line, col := position(src, offset)
	e.meta = object{{"line", line}, {"col", col}}
	e.offset = offset + 1
	return e
}

// contentError is a parse error whose message begins with the place.
func contentError(src []byte, offset int, format string, args ...any) *apiError {
	e := newError(http.StatusBadRequest, "x_content_parse_exception", "[%s] %s", at(src, offset), fmt.Sprintf(format, args...))
	e.offset = offset + 1
	return e
}

// syntaxError is what a malformed body is told.
func syntaxError(err error) *apiError {
	var j *jsonError
	if !errors.As(err, &j) {
		return newError(http.StatusBadRequest, "x_content_parse_exception", "%s", err.Error())
	}
	if j.eof {
		return &apiError{
			status: http.StatusBadRequest, typ: "x_content_e_o_f_exception",
			reason: "com.fasterxml.jackson.core.io.JsonEOFException: " + j.Error(),
			cause:  &apiError{typ: "json_e_o_f_exception", reason: j.Error()},
		}
	}
	return &apiError{
		status: http.StatusBadRequest, typ: "x_content_parse_exception",
		reason: fmt.Sprintf("[%s] %s", at(j.src, j.offset), j.Error()),
		cause:  &apiError{typ: "json_parse_exception", reason: j.Error()},
	}
}

func indexNotFound(name string) *apiError {
	e := newError(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", name)
	e.meta = object{
		{"resource.type", "index_or_alias"}, {"resource.id", name},
		{"index_uuid", "_na_"}, {"index", name},
	}
	return e
}

func invalidIndexName(name, why string) *apiError {
	e := newError(http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name [%s], %s", name, why)
	e.meta = object{{"index_uuid", "_na_"}, {"index", name}}
	return e
}

func indexClosed(ix *index) *apiError {
	e := newError(http.StatusBadRequest, "index_closed_exception", "closed")
	e.meta = object{{"index_uuid", ix.uuid}, {"index", ix.name}}
	return e
}

// shardError is an error of one document of an index.
func shardError(ix *index, status int, typ, format string, args ...any) *apiError {
	e := newError(status, typ, format, args...)
	e.meta = object{{"index_uuid", ix.uuid}, {"shard", "0"}, {"index", ix.name}}
	return e
}

func versionConflict(ix *index, id, format string, args ...any) *apiError {
	return shardError(ix, http.StatusConflict, "version_conflict_engine_exception",
		"[%s]: version conflict, %s", id, fmt.Sprintf(format, args...))
}

// unsupported refuses what the real server has and this one has not.
func unsupported(what string) *apiError {
	return illegalArgument("%s is not supported by the embedded search server; use a real Elasticsearch for it", what)
}

// queryShard is an error of a query that is known only once it meets a mapping.
func queryShard(ix *index, format string, args ...any) *apiError {
	e := newError(http.StatusBadRequest, "query_shard_exception", format, args...)
	e.meta = object{{"index_uuid", ix.uuid}, {"index", ix.name}}
	return e
}

// failedSearch wraps the error of one index as the failure of all its shards.
func failedSearch(ix *index, nodeID string, cause *apiError) *apiError {
	failure := object{{"shard", 0}, {"index", ix.name}, {"node", nodeID}, {"reason", cause.detail()}}
	e := &apiError{
		status: cause.status, typ: "search_phase_execution_exception", reason: "all shards failed",
		root:   cause,
		phases: object{{"phase", "query"}, {"grouped", true}, {"failed_shards", []any{failure}}},
	}
	if cause.typ == "illegal_argument_exception" || cause.typ == "illegal_state_exception" {
		e.cause = &apiError{typ: cause.typ, reason: cause.reason, cause: &apiError{typ: cause.typ, reason: cause.reason, cause: cause.cause}}
	}
	return e
}

// innermost is the error that Elasticsearch names as the root cause: the last one of
// a chain that is of its own making, not of Java's.
func (e *apiError) innermost() *apiError {
	root := e
	for c := e.cause; c != nil && slices.Contains(ownErrors, c.typ); c = c.cause {
		root = c
	}
	return root
}

var ownErrors = []string{"parsing_exception", "x_content_parse_exception", "parse_exception", "query_shard_exception"}

// asAPIError gives any error Elasticsearch's form; one that is not of that form
// is a fault of this server.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return newError(http.StatusInternalServerError, "exception", "%s", err.Error())
}
