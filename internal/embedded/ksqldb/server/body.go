package server

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// maxBody bounds the body of a request.
const maxBody = 16 << 20

// bodyTimeout is how long a client may take to send one. The rows of /inserts-stream
// are no body in this sense: they come as long as the client likes.
const bodyTimeout = 30 * time.Second

// invalidJSONPrefix begins messages about bodies.
const invalidJSONPrefix = "Invalid JSON in request: "

func invalidJSON(text string) *engine.Error {
	return &engine.Error{Code: engine.CodeBadRequest, Message: invalidJSONPrefix + text}
}

// errNotRead is ksqlDB's answer to a body in which a member that it can't do
// without is null.
var errNotRead = &engine.Error{Code: engine.CodeServerError, Message: "Failed to deserialize buffer"}

// The names that ksqlDB's messages give to the bodies of requests.
const (
	entityKsql    = "KsqlRequest"
	entityQuery   = "QueryStreamArgs"
	entityClose   = "CloseQueryArgs"
	entityInserts = "InsertsStreamArgs"
	entityEnd     = "ClusterTerminateRequest"
)

// body is the JSON object of a request. Its first problem is kept, all reading
// after it gives nothing.
type body struct {
	entity string
	data   []byte
	object *jsonValue // nil for the JSON null
	failed *engine.Error
}

// readBody reads the JSON object that a request brings.
func readBody(w http.ResponseWriter, r *http.Request, entity string) (*body, *engine.Error) {
	// Not every ResponseWriter has a connection (those of tests do not).
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil { // else http.Server would wait for the rest without end
		_ = connection.SetReadDeadline(time.Time{})
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &engine.Error{Code: 41300, Message: fmt.Sprintf("The request is longer than %d bytes. Split it into several.", maxBody)}
	case err != nil:
		return nil, &engine.Error{Code: engine.CodeBadRequest, Message: "Reading the request: " + err.Error()}
	case len(data) == 0:
		return nil, &engine.Error{Code: engine.CodeServerError, Message: `Cannot invoke "io.vertx.core.buffer.Buffer.getBytes()" because "buffer" is null`}
	}
	return parseBody(data, entity)
}

func parseBody(data []byte, entity string) (*body, *engine.Error) {
	value, err := parseJSON(data)
	if err != nil {
		return nil, invalidJSON(err.Error())
	}
	b := &body{entity: entity, data: data, object: value}
	switch value.kind {
	case jsonObject:
	case jsonNull:
		b.object = nil
	default:
		b.mismatch(value, "io.confluent.ksql.rest.entity."+entity, "")
	}
	return b, b.failed
}

// fail notes a problem at a place of the body, under a member of it.
func (b *body) fail(offset int, member, text string) {
	if b.failed != nil {
		return
	}
	text += "\n at " + jsonPlace(b.data, offset)
	if member != "" {
		text += fmt.Sprintf(" (through reference chain: io.confluent.ksql.rest.entity.%s[%q])", b.entity, member)
	}
	b.failed = invalidJSON(text)
}

// mismatch notes that a value is not of the kind that is wanted. class is the
// name that ksqlDB has for it.
func (b *body) mismatch(v *jsonValue, class, member string) {
	kind, token := v.described()
	scalar := map[jsonKind]string{
		jsonBool:   "no boolean/Boolean-argument constructor/factory method to deserialize from boolean value (" + v.text + ")",
		jsonInt:    "no int/Int-argument constructor/factory method to deserialize from Number value (" + v.text + ")",
		jsonFloat:  "no double/Double-argument constructor/factory method to deserialize from Number value (" + v.text + ")",
		jsonString: "no String-argument constructor/factory method to deserialize from String value ('" + v.text + "')",
	}[v.kind]
	switch {
	case scalar != "" && (member == "" || class == classMap && v.kind == jsonString):
		if class == classMap {
			class = "java.util.LinkedHashMap"
		}
		b.fail(v.at, member, fmt.Sprintf("Cannot construct instance of `%s` (although at least one Creator exists): %s", class, scalar))
	default:
		b.fail(v.at, member, fmt.Sprintf("Cannot deserialize value of type `%s` from %s (token `JsonToken.%s`)", class, kind, token))
	}
}

// The classes of ksqlDB's members, as messages name them.
const (
	classText = "java.lang.String"
	classMap  = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>"
	classLong = "java.lang.Long"
	classList = "java.util.ArrayList<java.lang.String>"
)

// text reads a member as text: numbers and booleans as they are written. It is
// empty when the member is missing or null.
func (b *body) text(name string) string {
	v := b.object.member(name)
	if v == nil || v.kind == jsonNull {
		return ""
	}
	if v.kind == jsonArray || v.kind == jsonObject {
		b.mismatch(v, classText, name)
		return ""
	}
	return v.text
}

// required notes that a member is missing, with the end of the object as place.
func (b *body) required(name string) {
	if b.object == nil {
		b.fail(0, "", "Missing required creator property '"+name+"' (index 0)")
	} else if b.object.member(name) == nil {
		b.fail(b.object.last, name, "Missing required creator property '"+name+"' (index 0)")
	}
}

// texts reads a member that is an object of scalars.
func (b *body) texts(name string) map[string]string {
	v := b.object.member(name)
	if v == nil || v.kind == jsonNull {
		return nil
	}
	if v.kind != jsonObject {
		b.mismatch(v, classMap, name)
		return nil
	}
	out := make(map[string]string, len(v.members))
	for _, m := range v.members {
		if m.value.kind == jsonArray || m.value.kind == jsonObject {
			b.fail(m.value.at, name, fmt.Sprintf("%q must be a text, a number or a boolean", m.name))
			return nil
		}
		out[m.name] = m.value.text
	}
	return out
}

// list reads a member that is an array of texts.
func (b *body) list(name string) []string {
	v := b.object.member(name)
	if v == nil || v.kind == jsonNull {
		return nil
	}
	if v.kind != jsonArray {
		b.mismatch(v, classList, name)
		return nil
	}
	var out []string
	for _, m := range v.members {
		if m.value.kind == jsonArray || m.value.kind == jsonObject {
			b.mismatch(m.value, classText, name)
			return nil
		}
		out = append(out, m.value.text)
	}
	return out
}

// whole reads a member that is a whole number; nil when it is missing, null or
// empty.
func (b *body) whole(name string) *int64 {
	v := b.object.member(name)
	if v == nil || v.kind == jsonNull || v.kind == jsonString && v.text == "" {
		return nil
	}
	var n int64
	var err error
	switch v.kind {
	case jsonInt:
		if n, err = strconv.ParseInt(v.text, 10, 64); err != nil {
			b.fail(v.at, name, fmt.Sprintf("Numeric value (%s) out of range of long (%d - %d)", v.text, math.MinInt64, math.MaxInt64))
		}
	case jsonFloat:
		var f float64
		if f, err = strconv.ParseFloat(v.text, 64); err == nil {
			n = int64(f)
		}
	case jsonString:
		if n, err = strconv.ParseInt(v.text, 10, 64); err != nil {
			b.fail(v.at, name, fmt.Sprintf("Cannot deserialize value of type `%s` from String %q: not a valid `%[1]s` value", classLong, v.text))
		}
	default:
		b.mismatch(v, classLong, name)
	}
	return &n
}

// request makes a request of a body, whose members are named differently by the
// end points.
func (b *body) request(sqlName, propertiesName string) (engine.Request, *engine.Error) {
	req := engine.Request{
		SQL:        b.text(sqlName),
		Properties: b.texts(propertiesName),
		Variables:  b.texts("sessionVariables"),
		After:      b.whole("commandSequenceNumber"),
	}
	b.texts("requestProperties") // for requests between servers, which there are none of
	if req.After != nil && *req.After < 0 {
		req.After = nil
	}
	return req, b.failed
}
