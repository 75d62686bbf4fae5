package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// maxBody bounds the body of a request.
const maxBody = 16 << 20

func invalidJSON(text string, args ...any) *engine.Error {
	return &engine.Error{Code: engine.CodeBadRequest, Message: "Invalid JSON in request: " + fmt.Sprintf(text, args...)}
}

// readBody reads a JSON object. Members may be of any kind; the object is nil for
// the JSON null.
func readBody(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, *engine.Error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &engine.Error{Code: 41300, Message: fmt.Sprintf("The request is longer than %d bytes. Split it into several.", maxBody)}
	case err != nil:
		return nil, &engine.Error{Code: engine.CodeBadRequest, Message: "Reading the request: " + err.Error()}
	case len(data) == 0:
		return nil, &engine.Error{Code: engine.CodeServerError, Message: `Cannot invoke "io.vertx.core.buffer.Buffer.getBytes()" because "buffer" is null`}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, invalidJSON("%s", jsonProblem(data, err))
	}
	return object, nil
}

// jsonProblem says what is wrong with JSON text, and where.
func jsonProblem(data []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := data[:min(int(syntax.Offset), len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Sprintf("%s (line %d, column %d)", syntax.Error(), line, max(column, 1))
}

// textMember reads a member as text: numbers and booleans as they are written.
// It is empty when the member is missing or null.
func textMember(object map[string]json.RawMessage, name string) (string, *engine.Error) {
	raw := object[name]
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	text, ok := scalarText(raw)
	if !ok {
		return "", invalidJSON("%q must be a text", name)
	}
	return text, nil
}

// mapMember reads a member that is an object of scalars.
func mapMember(object map[string]json.RawMessage, name string) (map[string]string, *engine.Error) {
	raw := object[name]
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, invalidJSON("%q must be an object", name)
	}
	out := make(map[string]string, len(members))
	for key, value := range members {
		text, ok := scalarText(value)
		if !ok {
			return nil, invalidJSON("%q in %q must be a text, a number or a boolean", key, name)
		}
		out[key] = text
	}
	return out, nil
}

func scalarText(raw json.RawMessage) (string, bool) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[':
		return "", false
	case raw[0] == '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err == nil
	default:
		return string(raw), true
	}
}

// readRequest makes a request of a body, whose members are named differently by
// the end points.
func readRequest(object map[string]json.RawMessage, sqlName, propertiesName string) (engine.Request, *engine.Error) {
	var req engine.Request
	var failed *engine.Error
	if req.SQL, failed = textMember(object, sqlName); failed != nil {
		return req, failed
	}
	if req.Properties, failed = mapMember(object, propertiesName); failed != nil {
		return req, failed
	}
	if req.Variables, failed = mapMember(object, "sessionVariables"); failed != nil {
		return req, failed
	}
	after, failed := textMember(object, "commandSequenceNumber")
	if failed != nil || after == "" {
		return req, failed
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return req, invalidJSON(`"commandSequenceNumber" must be a whole number`)
	}
	if n >= 0 {
		req.After = &n
	}
	return req, nil
}
