package registry

import (
	"fmt"
	"net/http"
)

// apiError is an answer other than success. Its code is the registry's own: the
// HTTP status, or the status with two more digits.
type apiError struct {
	status  int
	code    int
	message string
}

func (e *apiError) Error() string { return e.message }

func fail(status, code int, format string, args ...any) *apiError {
	return &apiError{status, code, fmt.Sprintf(format, args...)}
}

func plainError(status int) *apiError {
	return fail(status, status, "HTTP %d %s", status, http.StatusText(status))
}

func errSubjectNotFound(subject string) *apiError {
	return fail(http.StatusNotFound, 40401, "Subject '%s' not found.", subject)
}

func errVersionNotFound(version int) *apiError {
	return fail(http.StatusNotFound, 40402, "Version %d not found.", version)
}

func errSchemaNotFound() *apiError {
	return fail(http.StatusNotFound, 40403, "Schema not found")
}

func errIDNotFound(id int) *apiError {
	return fail(http.StatusNotFound, 40403, "Schema %d not found", id)
}

func errSubjectSoftDeleted(subject string) *apiError {
	return fail(http.StatusNotFound, 40404, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", subject)
}

func errSubjectNotSoftDeleted(subject string) *apiError {
	return fail(http.StatusNotFound, 40405, "Subject '%s' was not deleted first before being permanently deleted", subject)
}

func errVersionSoftDeleted(subject string, version int) *apiError {
	return fail(http.StatusNotFound, 40406, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", subject, version)
}

func errVersionNotSoftDeleted(subject string, version int) *apiError {
	return fail(http.StatusNotFound, 40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, version)
}

func errNoSubjectConfig(subject string) *apiError {
	return fail(http.StatusNotFound, 40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func errNoSubjectMode(subject string) *apiError {
	return fail(http.StatusNotFound, 40409, "Subject '%s' does not have subject-level mode configured", subject)
}

func errInvalidSchema(format string, args ...any) *apiError {
	return fail(http.StatusUnprocessableEntity, 42201, format, args...)
}

func errInvalidVersion(text string) *apiError {
	return fail(http.StatusUnprocessableEntity, 42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
}

func errInvalidLevel() *apiError {
	return fail(http.StatusUnprocessableEntity, 42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func errInvalidMode() *apiError {
	return fail(http.StatusUnprocessableEntity, 42204, "Invalid mode. Valid values are READWRITE, READONLY, and IMPORT.")
}

func errNotPermitted(format string, args ...any) *apiError {
	return fail(http.StatusUnprocessableEntity, 42205, format, args...)
}

func errReferenced(subject string, version int) *apiError {
	return fail(http.StatusUnprocessableEntity, 42206, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, version)
}

func errInvalidSubject(subject string) *apiError {
	return fail(http.StatusUnprocessableEntity, 42208, "The specified subject '%s' is not a valid.", subject)
}

// errInternal is what Confluent's registry answers where it fails itself.
func errInternal() *apiError {
	return fail(http.StatusInternalServerError, http.StatusInternalServerError, "Internal Server Error")
}

func errStore(err error) *apiError {
	return fail(http.StatusInternalServerError, 50001, "Error in the backend data store: %v", err)
}
