package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/restpath"
)

// maxBody is the largest request body, far above any configuration.
const maxBody = 4 << 20

// bodyTimeout is how long a client may take to send one.
const bodyTimeout = 30 * time.Second

// apiError is an answer that says no.
type apiError struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// Error gives the message.
func (e *apiError) Error() string { return e.Message }

func fail(code int, format string, args ...any) *apiError {
	return &apiError{code, fmt.Sprintf(format, args...)}
}

// plain is an error that the real worker's HTTP server answers itself.
func plain(code int) *apiError { return fail(code, "HTTP %d %s", code, http.StatusText(code)) }

func invalidConfig(errs []string) *apiError {
	return fail(http.StatusBadRequest, "Connector configuration is invalid and contains the following %d error(s):\n%s\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		len(errs), strings.Join(errs, "\n"))
}

// call is one request on its way through a handler.
type call struct {
	req  *http.Request
	vars []string // the variable segments of the path
	body []byte
}

// answer is what a handler says. A nil body is an empty answer.
type answer struct {
	status   int
	body     any
	location string
}

func ok(body any) (*answer, error) { return &answer{status: http.StatusOK, body: body}, nil }

type handler func(w *worker, c *call) (*answer, error)

// route is a path with its methods. A segment "*" is variable.
type route struct {
	path    string
	methods map[string]handler
}

// api is the REST interface of a worker.
type api struct{ worker *worker }

// ServeHTTP answers one request.
func (a *api) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	path, err := restpath.Segments(req.URL)
	if err != nil {
		a.refuse(rw, plain(http.StatusBadRequest))
		return
	}
	var found *route
	var vars []string
	for i := range routes {
		if v, ok := restpath.Match(routes[i].path, path); ok {
			found, vars = &routes[i], v
			break
		}
	}
	if found == nil {
		a.refuse(rw, plain(http.StatusNotFound))
		return
	}
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h := found.methods[method]
	switch {
	case h == nil && method == http.MethodOptions:
		a.options(rw, found)
		return
	case h == nil:
		a.refuse(rw, plain(http.StatusMethodNotAllowed))
		return
	case !acceptable(req.Header.Get("Accept")):
		a.refuse(rw, plain(http.StatusNotAcceptable))
		return
	}
	c := &call{req: req, vars: vars}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		if c.body, err = io.ReadAll(io.LimitReader(req.Body, maxBody+1)); err != nil {
			a.refuse(rw, fail(http.StatusBadRequest, "reading the request's body: %v", err))
			return
		}
		if len(c.body) > maxBody {
			a.refuse(rw, fail(http.StatusRequestEntityTooLarge, "a request's body has at most %d bytes", maxBody))
			return
		}
		if len(c.body) > 0 && !readable(req.Header.Get("Content-Type")) {
			a.refuse(rw, plain(http.StatusUnsupportedMediaType))
			return
		}
	}
	res, err := h(a.worker, c)
	if err != nil {
		a.refuse(rw, err)
		return
	}
	if res.location != "" {
		rw.Header().Set("Location", "http://"+a.worker.id+res.location)
	}
	a.write(rw, req, res.status, res.body)
}

func (a *api) options(rw http.ResponseWriter, r *route) {
	methods := &data.Map{Keys: []any{http.MethodOptions}, Values: []any{nil}}
	for _, m := range sortedKeys(r.methods) {
		methods.Put(m, nil)
		if m == http.MethodGet {
			methods.Put(http.MethodHead, nil)
		}
	}
	methods.SortAsHashMap()
	names := make([]string, len(methods.Keys))
	for i, m := range methods.Keys {
		names[i] = data.Text(m)
	}
	rw.Header().Set("Allow", strings.Join(names, ","))
	rw.Header().Set("Content-Type", "text/plain")
	if _, err := io.WriteString(rw, strings.Join(names, ", ")); err != nil {
		a.worker.log.Debug("connect: answering", "error", err)
	}
}

func (a *api) refuse(rw http.ResponseWriter, err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		a.worker.log.Error("connect: a request failed", "error", err)
		e = fail(http.StatusInternalServerError, "%s", err)
	}
	a.write(rw, nil, e.Code, e)
}

func (a *api) write(rw http.ResponseWriter, req *http.Request, status int, body any) {
	if body == nil {
		rw.WriteHeader(status)
		return
	}
	raw, err := json.Marshal(body)
	if err != nil {
		a.worker.log.Error("connect: writing an answer", "error", err)
		rw.WriteHeader(http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	if req != nil && req.Method == http.MethodHead {
		return
	}
	if _, err := rw.Write(raw); err != nil {
		a.worker.log.Debug("connect: answering", "error", err)
	}
}

func acceptable(header string) bool {
	if header == "" {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err == nil && (media == "*/*" || media == "application/*" || media == "application/json") {
			return true
		}
	}
	return false
}

func readable(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// javaMap writes settings as Java's maps do, the name last.
func javaMap(config map[string]string) string {
	var parts []string
	for _, k := range sortedKeys(config) {
		if k != "name" {
			parts = append(parts, k+"="+config[k])
		}
	}
	if name, ok := config["name"]; ok {
		parts = append(parts, "name="+name)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
