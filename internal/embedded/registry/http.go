package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/restpath"
)

// The media types of the interface; the first is the default.
const (
	mediaV1     = "application/vnd.schemaregistry.v1+json"
	mediaPlain  = "application/vnd.schemaregistry+json"
	mediaJSON   = "application/json"
	mediaBinary = "application/octet-stream"
)

// maxBody is the largest request body, far above any schema.
const maxBody = 16 << 20

// bodyTimeout is how long a client may take to send one.
const bodyTimeout = 30 * time.Second

// call is one request on its way through a handler.
type call struct {
	ctx   context.Context
	vars  []string // the variable segments of the path, in order
	query url.Values
	body  []byte
	// scope is the context that the path names, empty for none.
	scope string
}

// subject gives the subject in the i-th variable segment, in its context.
func (c *call) subject(i int) string { return qualify(c.scope, c.vars[i]) }

// flag reports whether a query parameter is true.
func (c *call) flag(name string) bool { return strings.EqualFold(c.query.Get(name), "true") }

// number gives a whole number from the query, or a default.
func (c *call) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(c.query.Get(name)); err == nil {
		return n
	}
	return otherwise
}

// handler answers a call with a body to encode or an *apiError.
type handler func(r *Registry, c *call) (any, error)

// rawJSON is an answer whose text is sent as it is.
type rawJSON string

// route is a path with its methods. A segment "*" is variable.
type route struct {
	path    string
	methods map[string]handler
}

var routes = []route{
	{"", map[string]handler{http.MethodGet: root}},
	{"subjects", map[string]handler{http.MethodGet: listSubjects}},
	{"subjects/*", map[string]handler{http.MethodPost: lookUp, http.MethodDelete: deleteSubject}},
	{"subjects/*/versions", map[string]handler{http.MethodGet: listVersions, http.MethodPost: register}},
	{"subjects/*/versions/*", map[string]handler{http.MethodGet: getVersion, http.MethodDelete: deleteVersion}},
	{"subjects/*/versions/*/schema", map[string]handler{http.MethodGet: getVersionText}},
	{"subjects/*/versions/*/referencedby", map[string]handler{http.MethodGet: referencedBy}},
	{"subjects/*/metadata", map[string]handler{http.MethodGet: latestWithMetadata}},
	{"schemas", map[string]handler{http.MethodGet: listSchemas}},
	{"schemas/types", map[string]handler{http.MethodGet: listTypes}},
	{"schemas/ids/*", map[string]handler{http.MethodGet: getByID}},
	{"schemas/ids/*/schema", map[string]handler{http.MethodGet: getTextByID}},
	{"schemas/ids/*/subjects", map[string]handler{http.MethodGet: subjectsOfID}},
	{"schemas/ids/*/versions", map[string]handler{http.MethodGet: versionsOfID}},
	{"compatibility/subjects/*/versions", map[string]handler{http.MethodPost: checkAll}},
	{"compatibility/subjects/*/versions/*", map[string]handler{http.MethodPost: checkOne}},
	{"config", map[string]handler{http.MethodGet: getConfig, http.MethodPut: putConfig, http.MethodDelete: deleteConfig}},
	{"config/*", map[string]handler{http.MethodGet: getConfig, http.MethodPut: putConfig, http.MethodDelete: deleteConfig}},
	{"mode", map[string]handler{http.MethodGet: getMode, http.MethodPut: putMode, http.MethodDelete: deleteMode}},
	{"mode/*", map[string]handler{http.MethodGet: getMode, http.MethodPut: putMode, http.MethodDelete: deleteMode}},
	{"contexts", map[string]handler{http.MethodGet: listContexts}},
	{"v1/metadata/id", map[string]handler{http.MethodGet: metadataID}},
	{"v1/metadata/version", map[string]handler{http.MethodGet: metadataVersion}},
}

// Handler gives the REST interface, for a server of one's own. It answers with
// errors until Load or Start.
func (r *Registry) Handler() http.Handler { return http.HandlerFunc(r.serve) }

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	found, c, scope, err := findRoute(req.URL)
	if err != nil {
		writePlain(w, http.StatusBadRequest)
		return
	}
	if found == nil {
		writePlain(w, http.StatusNotFound)
		return
	}
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h := found.methods[method]
	if h == nil {
		if method == http.MethodOptions {
			writeOptions(w, found)
			return
		}
		writePlain(w, http.StatusMethodNotAllowed)
		return
	}
	media, ok := accepted(req.Header.Get("Accept"))
	if !ok {
		writePlain(w, http.StatusNotAcceptable)
		return
	}
	call := &call{ctx: req.Context(), vars: c, query: req.URL.Query(), scope: scope}
	answer, err := r.handle(h, call, req)
	if err != nil {
		r.writeError(w, media, err)
		return
	}
	if method == http.MethodGet || method == http.MethodPost {
		if req.Method != http.MethodHead {
			w.Header().Set("Vary", "Accept-Encoding, User-Agent")
		}
	}
	r.writeBody(w, media, http.StatusOK, answer)
}

func (r *Registry) handle(h handler, c *call, req *http.Request) (any, error) {
	if req.Method == http.MethodPost || req.Method == http.MethodPut {
		if !readable(req.Header.Get("Content-Type")) {
			return nil, plainError(http.StatusUnsupportedMediaType)
		}
		body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
		if err != nil {
			return nil, fail(http.StatusBadRequest, http.StatusBadRequest, "reading the request's body: %v", err)
		}
		if len(body) > maxBody {
			return nil, fail(http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge, "a request's body has at most %d bytes", maxBody)
		}
		c.body = body
	}
	return h(r, c)
}

// findRoute gives the route of a path, its variable segments and the context
// that it begins with.
func findRoute(u *url.URL) (*route, []string, string, error) {
	path, err := restpath.Segments(u)
	if err != nil {
		return nil, nil, "", err
	}
	scope := ""
	if len(path) > 2 && path[0] == "contexts" {
		scope, path = path[1], path[2:]
	}
	// A fixed segment counts more than a variable one, and routes have them first.
	for i := range routes {
		if vars, ok := restpath.Match(routes[i].path, path); ok {
			return &routes[i], vars, scope, nil
		}
	}
	if len(path) == 3 && path[0] == "subjects" && path[1] == "" {
		return &route{}, nil, "", nil // Jersey takes it for a path with other methods
	}
	return nil, nil, "", nil
}

// accepted gives the media type to answer with.
func accepted(header string) (string, bool) {
	if header == "" {
		return mediaV1, true
	}
	best, bestQ := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		switch media {
		case mediaV1, mediaPlain, mediaJSON:
		case "*/*", "application/*":
			media = mediaV1
		default:
			continue
		}
		if q > bestQ {
			best, bestQ = media, q
		}
	}
	return best, best != ""
}

// readable reports whether a request's body is of a type that is read.
func readable(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case mediaV1, mediaPlain, mediaJSON, mediaBinary:
		return true
	default:
		return false
	}
}

// decode reads a request's body into v.
func (c *call) decode(v any, operation string) error {
	trimmed := bytes.TrimSpace(c.body)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return fail(http.StatusUnprocessableEntity, http.StatusUnprocessableEntity, "%s must not be null (was null)", operation)
	}
	err := json.Unmarshal(trimmed, v)
	if err == nil {
		return nil
	}
	bad := func(format string, args ...any) error {
		return fail(http.StatusBadRequest, http.StatusBadRequest, format, args...)
	}
	var typeErr *json.UnmarshalTypeError
	var syntaxErr *json.SyntaxError
	switch {
	case errors.As(err, &typeErr):
		return bad("Cannot deserialize value of type `%s` from %s at %q", typeErr.Type, typeErr.Value, typeErr.Field)
	case errors.As(err, &syntaxErr) && int(syntaxErr.Offset) >= len(trimmed):
		return bad("Unexpected end-of-input: %v", err)
	default:
		return bad("%v", err)
	}
}

func writePlain(w http.ResponseWriter, status int) {
	e := plainError(status)
	w.Header()["Content-Type"] = nil
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error_code":%d,"message":%q}`, e.code, e.message) //nolint:errcheck // the client is gone
}

func writeOptions(w http.ResponseWriter, found *route) {
	methods := []string{}
	for _, m := range []string{http.MethodDelete, http.MethodPost, http.MethodPut} {
		if found.methods[m] != nil {
			methods = append(methods, m)
		}
	}
	if found.methods[http.MethodGet] != nil {
		methods = append(methods, http.MethodHead, http.MethodGet)
	}
	methods = append(methods, http.MethodOptions)
	w.Header().Set("Allow", strings.Join(methods, ","))
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, strings.Join(methods, ", ")) //nolint:errcheck // the client is gone
}

func (r *Registry) writeError(w http.ResponseWriter, media string, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		r.cfg.Logger.Error("schema registry: answering a request", "error", err)
		e = fail(http.StatusInternalServerError, http.StatusInternalServerError, "Internal Server Error")
	}
	r.writeBody(w, media, e.status, struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}{e.code, e.message})
}

func (r *Registry) writeBody(w http.ResponseWriter, media string, status int, body any) {
	var text bytes.Buffer
	if raw, ok := body.(rawJSON); ok {
		text.WriteString(string(raw))
	} else {
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(body); err != nil {
			r.cfg.Logger.Error("schema registry: encoding an answer", "error", err)
			writePlain(w, http.StatusInternalServerError)
			return
		}
		text.Truncate(text.Len() - 1) // the encoder ends with a line break
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	w.Write(text.Bytes()) //nolint:errcheck // the client is gone
}
