package search

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the largest request body, as http.max_content_length has it.
const maxBody = 100 << 20

// maxValues is how many JSON values a body may have that isn't stored as it is: each
// takes far more memory than its text.
const maxValues = 1 << 20

// bodyTimeout is how long a client may take to send one.
const bodyTimeout = time.Minute

// errNotGzip is a body that isn't packed as its header says. The real server drops
// the connection.
var errNotGzip = errors.New("the body is not gzip")

// call is one request on its way through a handler.
type call struct {
	ctx   context.Context
	srv   *Server
	req   *http.Request
	path  string            // as the client sent it
	vars  map[string]string // the variable segments of the path
	query url.Values
	used  map[string]bool // parameters that the handler knows
	body  []byte
	began time.Time
	// compatible is the version that the client asks to be answered as, 7 or 8.
	compatible int
	// form is that of the answer when it isn't JSON: one of encodings.
	form string
}

// answer is what a handler gives back.
type answer struct {
	status  int
	body    any // to encode; nil for none
	text    *string
	headers map[string]string
	// pretty is set where an answer is pretty unless told otherwise.
	pretty bool
	failed bool // filter_path has no say in errors
}

func ok(body any) (*answer, error) { return &answer{status: http.StatusOK, body: body}, nil }

func acknowledged() (*answer, error) { return ok(object{{"acknowledged", true}}) }

// handler answers a call, or fails with an *apiError. An answer whose parameters
// were not all known is replaced by an error, so handlers read them first.
type handler func(c *call) (*answer, error)

// commonParams are known to every endpoint.
var commonParams = []string{"pretty", "human", "error_trace", "filter_path", "format", "source", "source_content_type"}

// param gives a query parameter.
func (c *call) param(name string) string {
	c.used[name] = true
	return c.query.Get(name)
}

func (c *call) has(name string) bool {
	c.used[name] = true
	return c.query.Has(name)
}

// flag gives a boolean parameter, which is also true when it has no value.
func (c *call) flag(name string, otherwise bool) (bool, error) {
	if !c.has(name) {
		return otherwise, nil
	}
	switch v := c.query.Get(name); v {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, illegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", v)
	}
}

func (c *call) number(name string, otherwise int) (int, error) {
	v := c.param(name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		e := illegalArgument("Failed to parse int parameter [%s] with value [%s]", name, v)
		e.cause = newError(0, "number_format_exception", "For input string: \"%s\"", v)
		return 0, e
	}
	return n, nil
}

func (c *call) duration(name string, otherwise time.Duration) (time.Duration, error) {
	v := c.param(name)
	if v == "" {
		return otherwise, nil
	}
	d, err := parseTimeValue(name, v)
	if err != nil {
		return 0, err
	}
	return d, nil
}

// ignore takes parameters that have no effect on a single node.
func (c *call) ignore(names ...string) {
	for _, name := range names {
		c.used[name] = true
	}
}

// unknown reports parameters that nobody has read.
func (c *call) unknown() error {
	var names []string
	for name := range c.query {
		if !c.used[name] && !slices.Contains(commonParams, name) {
			names = append(names, "["+name+"]")
		}
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return nil
	case 1:
		return illegalArgument("request [%s] contains unrecognized parameter: %s", c.path, names[0])
	default:
		return illegalArgument("request [%s] contains unrecognized parameters: %s", c.path, strings.Join(names, ", "))
	}
}

// json parses the body, nil when there is none.
func (c *call) json() (*node, error) {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil, nil
	}
	n, end, err := (&jsonParser{most: maxValues}).parse(c.body)
	if err != nil {
		return nil, syntaxError(err)
	}
	if end < len(c.body) {
		rest, _, err := (&jsonParser{most: maxValues}).parse(c.body[end:])
		if err != nil {
			return nil, syntaxError(err)
		}
		return nil, parsingError(c.body, end, "Unexpected token [%s] found after the main object.", rest.token())
	}
	return n, nil
}

// elapsed is how many milliseconds the call has taken.
func (c *call) elapsed() int64 { return time.Since(c.began).Milliseconds() }

// Handler answers Elasticsearch requests. It may be used before and without
// Start, between Open and Stop.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c := &call{ctx: r.Context(), srv: s, req: r, path: r.URL.EscapedPath(), used: map[string]bool{}, began: time.Now(), compatible: 8}
	w.Header().Set("X-elastic-product", "Elasticsearch")
	if id := r.Header.Get("X-Opaque-Id"); id != "" {
		w.Header().Set("X-Opaque-Id", id)
	}
	contentType := "application/json"
	a, err := s.answer(c, &contentType)
	if errors.Is(err, errNotGzip) {
		if conn, _, hijackErr := http.NewResponseController(w).Hijack(); hijackErr == nil {
			_ = conn.Close() // there is nobody to tell
			return
		}
		err = newError(http.StatusBadRequest, "parse_exception", "%s", errNotGzip.Error())
	}
	if err != nil {
		e := asAPIError(err)
		a = &answer{status: e.status, body: e.body(), headers: map[string]string{}, failed: true}
		if a.status == 0 {
			a.status = http.StatusInternalServerError
		}
		if e.allow != "" {
			a.headers["Allow"] = e.allow
		}
	}
	s.write(w, r, c, a, contentType)
}

func (s *Server) answer(c *call, contentType *string) (*answer, error) {
	var err error
	if c.query, err = parseQuery(c.req.URL.RawQuery); err != nil {
		return nil, err
	}
	negotiated, err := c.negotiate()
	if err != nil {
		return nil, err
	}
	*contentType = negotiated
	for _, name := range []string{"pretty", "human", "error_trace"} {
		if _, err := c.flag(name, false); err != nil {
			return nil, err
		}
	}
	h, err := s.route(c)
	if err != nil || h == nil {
		return &answer{status: http.StatusOK, headers: map[string]string{"Allow": c.vars["allow"], "Content-Type": "text/plain; charset=UTF-8"}}, err
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	s.requests.RLock()
	defer s.requests.RUnlock()
	s.catalog.RLock()
	open := s.store != nil
	s.catalog.RUnlock()
	if !open {
		return nil, newError(http.StatusServiceUnavailable, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];")
	}
	a, err := h(c)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// parseQuery reads the parameters of a request.
func parseQuery(raw string) (url.Values, error) {
	values := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		for _, text := range []*string{&name, &value} {
			decoded, err := url.QueryUnescape(*text)
			if err != nil {
				reason := fmt.Sprintf("invalid escape sequence `%s' at index %d of: %s", firstEscape(*text), strings.Index(*text, firstEscape(*text)), *text)
				e := newError(http.StatusBadRequest, "bad_parameter_exception", "java.lang.IllegalArgumentException: %s", reason)
				e.cause = newError(0, "illegal_argument_exception", "%s", reason)
				return nil, e
			}
			*text = decoded
		}
		values.Add(name, value)
	}
	return values, nil
}

// firstEscape is the first wrong escape sequence of a text.
func firstEscape(text string) string {
	for i := strings.IndexByte(text, '%'); i >= 0 && i < len(text); i++ {
		if text[i] != '%' {
			continue
		}
		end := min(i+3, len(text))
		if _, err := url.QueryUnescape(text[i:end]); err != nil {
			return text[i:end]
		}
	}
	return text
}

// read takes in the body, unpacked.
func (c *call) read() error {
	var body io.Reader = http.MaxBytesReader(nil, c.req.Body, maxBody)
	switch encoding := c.req.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzip, err := gzip.NewReader(body)
		if err != nil {
			return errNotGzip
		}
		body = io.LimitReader(unzip, maxBody+1)
	default:
		return newError(http.StatusUnsupportedMediaType, "parse_exception", "Content-Encoding [%s] is not supported", encoding)
	}
	var err error
	if c.body, err = io.ReadAll(body); err != nil || len(c.body) > maxBody {
		return newError(http.StatusRequestEntityTooLarge, "parse_exception", "reading the request body (at most %d bytes): %v", maxBody, err)
	}
	if len(c.body) == 0 {
		if source := c.query.Get("source"); source != "" {
			if c.query.Get("source_content_type") == "" {
				return newError(http.StatusBadRequest, "illegal_state_exception", "source and source_content_type parameters are required")
			}
			c.body = []byte(source)
		}
		return nil
	}
	if _, ok := c.req.Header["Content-Type"]; !ok {
		return notAcceptable("Content-Type header [] is not supported")
	}
	if strings.Contains(c.req.Header.Get("Content-Type"), "yaml") {
		c.body, err = yamlBody(c.body)
	}
	return err
}

func notAcceptable(format string, args ...any) *apiError {
	return &apiError{status: http.StatusNotAcceptable, plain: true, reason: fmt.Sprintf(format, args...)}
}

// mediaType is one media type of a header.
type mediaType struct {
	name   string
	params map[string]string
}

func parseMediaType(text string) (mediaType, bool) {
	parts := strings.Split(text, ";")
	m := mediaType{name: strings.ToLower(strings.TrimSpace(parts[0])), params: map[string]string{}}
	typ, sub, ok := strings.Cut(m.name, "/")
	if !ok || typ == "" || sub == "" || strings.ContainsAny(m.name, " \t") {
		return m, false
	}
	for _, p := range parts[1:] {
		key, value, ok := strings.Cut(strings.TrimSpace(p), "=")
		if !ok {
			return m, false
		}
		m.params[strings.ToLower(strings.TrimSpace(key))] = strings.ToLower(strings.TrimSpace(value))
	}
	return m, true
}

const vendorPrefix = "application/vnd.elasticsearch+"

// negotiate checks Content-Type and Accept and gives the type of the answer.
func (c *call) negotiate() (string, error) {
	contentHeader, sent := c.req.Header["Content-Type"]
	acceptHeader := c.req.Header.Get("Accept")
	var content mediaType
	if sent {
		text := contentHeader[0]
		if text == "" {
			return "", badMediaType("Content-Type", "illegal_argument_exception", "Header [Content-Type] cannot be empty.")
		}
		var ok bool
		if content, ok = parseMediaType(text); !ok {
			return "", badMediaType("Content-Type", "illegal_argument_exception", fmt.Sprintf("invalid media-type [%s]", text))
		}
		switch strings.TrimPrefix(strings.TrimPrefix(content.name, vendorPrefix), "application/") {
		case "json", "x-ndjson":
		case "yaml":
			c.form = "yaml"
		default:
			return "", notAcceptable("Content-Type header [%s] is not supported", text)
		}
	}
	var accept mediaType
	if acceptHeader != "" && !strings.Contains(acceptHeader, ",") {
		var ok bool
		if accept, ok = parseMediaType(acceptHeader); !ok {
			return "", badMediaType("Accept", "illegal_argument_exception", fmt.Sprintf("invalid media-type [%s]", acceptHeader))
		}
	}
	if err := c.checkCompatible(content, accept, sent, acceptHeader); err != nil {
		return "", err
	}
	answerType, version := "application/json", accept.params["compatible-with"]
	vendor := accept.name == vendorPrefix+"json"
	if acceptHeader == "" {
		vendor, version = content.name == vendorPrefix+"json", ""
	}
	if vendor {
		answerType = vendorPrefix + "json"
	}
	format := c.query.Get("format")
	if strings.HasPrefix(accept.name, "application/json") || format == "json" {
		c.form = ""
	}
	for _, other := range encodings {
		if accept.name == "application/"+other || format == other {
			c.form = other
		}
		if accept.name == vendorPrefix+other {
			c.form, answerType = other, vendorPrefix+other
			if version != "" {
				answerType += ";compatible-with=" + version
			}
			return answerType, nil
		}
	}
	if c.form != "" {
		return "application/" + c.form, nil
	}
	if vendor && version != "" {
		answerType += ";compatible-with=" + version
	}
	if version == "7" {
		c.compatible = 7
	}
	return answerType, nil
}

func badMediaType(headers, typ, reason string) *apiError {
	e := newError(http.StatusBadRequest, "media_type_header_exception", "Invalid media-type value on headers [%s]", headers)
	e.cause = newError(0, typ, "%s", reason)
	return e
}

// checkCompatible checks that both headers ask for the same version.
func (c *call) checkCompatible(content, accept mediaType, sent bool, acceptHeader string) error {
	cv, av := content.params["compatible-with"], accept.params["compatible-with"]
	contentText := c.req.Header.Get("Content-Type")
	for _, h := range []struct{ name, version, text string }{{"Content-Type", cv, contentText}, {"Accept", av, acceptHeader}} {
		if h.version != "" && h.version != "7" && h.version != "8" {
			return badMediaType("Accept, Content-Type", "status_exception", fmt.Sprintf("%s version must be either version 8 or 7, but found %s. %s=%s", h.name, h.version, h.name, h.text))
		}
	}
	hasBody := c.req.ContentLength != 0 && sent
	if !hasBody || cv == av {
		return nil
	}
	shown := acceptHeader
	if shown == "" {
		shown = "null"
	}
	reason := "A compatible version is required on both Content-Type and Accept headers if either one has requested a compatible version"
	if cv == "7" || av == "7" {
		reason += " and the compatible versions must match"
	}
	return badMediaType("Accept, Content-Type", "status_exception", fmt.Sprintf("%s. Accept=%s, Content-Type=%s", reason, shown, contentText))
}

// write sends an answer.
func (s *Server) write(w http.ResponseWriter, r *http.Request, c *call, a *answer, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	for name, value := range a.headers {
		h.Set(name, value)
	}
	var body []byte
	switch {
	case a.text != nil:
		body = []byte(*a.text)
	case a.body != nil:
		v := a.body
		if paths := c.query.Get("filter_path"); paths != "" && !a.failed {
			v = filterPaths(v, paths)
		}
		pretty := a.pretty
		if c.query.Has("pretty") {
			v := c.query.Get("pretty")
			pretty = v == "" || v == "true"
		}
		if c.form != "" {
			body = encodeAs(c.form, v)
		} else {
			body = encodeJSON(v, pretty)
		}
	}
	if r.Method == http.MethodHead {
		body = nil
	}
	if len(body) > 0 && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(a.status)
		zip := zippers.Get().(*gzip.Writer)
		zip.Reset(w)
		_, _ = zip.Write(body) // the client has gone
		_ = zip.Close()
		zippers.Put(zip)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client has gone
}

// zippers are used again, since each takes close to a megabyte.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" {
			return strings.TrimSpace(q) != "q=0"
		}
	}
	return false
}
