package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// described is the OpenAPI document and what finds an operation in it.
type described struct {
	doc    *openapi3.T
	router *mux.Router
}

var describe = sync.OnceValues(func() (described, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		return described{}, err
	}
	d := described{doc: doc, router: mux.NewRouter().UseEncodedPath().SkipClean(true)}
	if err := doc.Validate(context.Background()); err != nil {
		return d, err
	}
	// An address that is spelled out goes before one with a parameter.
	for _, exact := range []bool{true, false} {
		for path := range doc.Paths.Map() {
			if exact == !strings.Contains(path, "{") {
				d.router.Path(path).Name(path)
			}
		}
	}
	return d, nil
})

// operation returns what the document says of a request; false when it says nothing.
func operation(t *testing.T, r *http.Request) (*openapi3filter.RequestValidationInput, bool) {
	t.Helper()
	d, err := describe()
	require.NoError(t, err)
	var match mux.RouteMatch
	if !d.router.Match(r, &match) {
		return nil, false
	}
	item := d.doc.Paths.Value(match.Route.GetName())
	op := item.GetOperation(r.Method)
	if op == nil {
		return nil, false
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: match.Vars,
		Route:   &routers.Route{Spec: d.doc, Path: match.Route.GetName(), PathItem: item, Method: r.Method, Operation: op},
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}, true
}

// documented checks that an answer is one that the document announces: its status, its
// kind of content, its headers and its body.
func documented(t *testing.T, r *http.Request, a answer) {
	t.Helper()
	in, ok := operation(t, r)
	if !ok {
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, a.code, "%s %s is not described", r.Method, r.URL)
		return
	}
	options := *in.Options
	// The body is checked below: kin-openapi compiles its schema anew each time.
	options.ExcludeResponseBody = true
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: a.code, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), Options: &options,
	})
	require.NoError(t, err, "%s %s answered %d %s", r.Method, r.URL, a.code, a.body)
	status := strconv.Itoa(a.code)
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	require.NoError(t, err)
	require.Contains(t, in.Route.Operation.Responses.Value(status).Value.Content, mediaType, "%s %s", r.Method, r.URL)
	if !strings.HasSuffix(mediaType, "json") {
		return
	}
	at := strings.Join([]string{"paths", in.Route.Path, strings.ToLower(r.Method), "responses", status, "content", mediaType, "schema"}, "\x00")
	at = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "\x00", "/").Replace(at)
	schema, err := compiled(at)
	require.NoError(t, err)
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	require.NoError(t, err, a.body)
	require.NoError(t, schema.Validate(body), "%s %s answered %d %s", r.Method, r.URL, a.code, a.body)
}

var places struct {
	sync.Mutex
	byPlace map[string]*jsonschema.Schema
}

// compiled returns the schema at a place of the document (a JSON Pointer without its first slash).
func compiled(at string) (*jsonschema.Schema, error) {
	places.Lock()
	defer places.Unlock()
	if s := places.byPlace[at]; s != nil {
		return s, nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		return nil, err
	}
	s, err := c.Compile("openapi.json#/" + at)
	if err != nil {
		return nil, err
	}
	if places.byPlace == nil {
		places.byPlace = map[string]*jsonschema.Schema{}
	}
	places.byPlace[at] = s
	return s, nil
}

// refused reports whether the document says that a request breaks the contract.
func refused(t *testing.T, r *http.Request, body string) bool {
	t.Helper()
	in, ok := operation(t, r)
	if !ok {
		return false
	}
	again := r.Clone(t.Context())
	again.Body = io.NopCloser(strings.NewReader(body))
	in.Request = again
	return openapi3filter.ValidateRequest(t.Context(), in) != nil
}

func TestOpenAPIDescribesExactlyTheRoutes(t *testing.T) {
	f := newFixture(t)
	a := f.do("GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, a.code)
	d, err := describe()
	require.NoError(t, err, "the document is a valid one")
	assert.True(t, d.doc.IsOpenAPI31OrLater())
	var inDocument, routed, ids []string
	for path, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			inDocument = append(inDocument, method+" "+path)
			ids = append(ids, op.OperationID)
			assert.NotEmpty(t, op.Summary, path)
		}
	}
	for _, r := range f.handlers.routes() {
		routed = append(routed, r.method+" "+r.path)
	}
	assert.ElementsMatch(t, inDocument, routed)
	assert.Len(t, ids, len(routed))
	assert.NotContains(t, ids, "")
}

// What the document refuses, the handlers refuse, and nothing of it is written.
func TestHandlersRefuseWhatTheDocumentRefuses(t *testing.T) {
	bodies := []string{
		goodOrder, goodPayment, `{"quantity":4}`, `{"orders":[` + goodOrder + `]}`, `{"orders":[]}`, `{}`, `[]`, `null`, `7`, `""`,
		strings.Replace(goodOrder, `"o-1"`, `""`, 1), strings.Replace(goodOrder, `"o-1"`, `7`, 1), strings.Replace(goodOrder, `JUMPERS`, `SOCKS`, 1),
		strings.Replace(goodOrder, `CREATED`, `SHIPPED`, 1), strings.Replace(goodOrder, `"quantity":2`, `"quantity":2.5`, 1),
		strings.Replace(goodOrder, `"quantity":2`, `"quantity":2147483648`, 1), strings.Replace(goodOrder, `"quantity":2`, `"count":2`, 1),
		strings.Replace(goodOrder, `9.5`, `"9.5"`, 1), strings.Replace(goodOrder, `{`, `{"more":1,`, 1),
		strings.Replace(goodPayment, `EUR`, `eur`, 1), strings.Replace(goodPayment, `EUR`, `EURO`, 1), strings.Replace(goodPayment, `19`, `-1`, 1),
		`{"quantity":-1}`, `{"quantity":1.5}`, `{"quantity":null}`, `{"quantity":2147483648}`, `{"orders":[{}]}`, `{"orders":7}`,
	}
	n := 0
	for _, rt := range []struct{ method, path string }{
		{"POST", "/v1/orders"}, {"POST", "/v1/orders:batch"}, {"POST", "/v1/payments"}, {"PUT", "/v1/inventory/JUMPERS"}, {"PUT", "/v1/inventory/SOCKS"},
	} {
		for _, body := range bodies {
			f := newFixture(t)
			r := httptest.NewRequestWithContext(t.Context(), rt.method, rt.path, bytes.NewReader([]byte(body)))
			r.Header.Set("Content-Type", "application/json")
			no := refused(t, r, body)
			a := f.request(r)
			if no {
				n++
				assert.GreaterOrEqual(t, a.code, 400, "%s %s %s", rt.method, rt.path, body)
				assert.Empty(t, f.publisher.orders)
				assert.Empty(t, f.publisher.payments)
				assert.Empty(t, f.publisher.units)
			} else {
				assert.Less(t, a.code, 400, "%s %s %s: %s", rt.method, rt.path, body, a.body)
			}
		}
	}
	assert.Greater(t, n, 80)
}

// matchesSchema checks an answer against a schema of the OpenAPI document.
func matchesSchema(t *testing.T, name, body string) {
	t.Helper()
	schema, err := compiled("components/schemas/" + name)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(v), body)
}

func TestAnswersMatchTheirSchemas(t *testing.T) {
	matchesSchema(t, "NewOrder", goodOrder)
	f := newFixture(t)
	matchesSchema(t, "Order", f.do("POST", "/v1/orders", goodOrder).body)
	matchesSchema(t, "Payment", f.do("POST", "/v1/payments", goodPayment).body)
	matchesSchema(t, "Stock", f.do("PUT", "/v1/inventory/JUMPERS", `{"quantity":4}`).body)
	matchesSchema(t, "Problem", f.do("POST", "/v1/orders", "{}").body)
	matchesSchema(t, "Health", f.do("GET", "/readyz", "").body)
	assert.True(t, json.Valid(openAPI))
}

func TestTheDocumentationCanBeRead(t *testing.T) {
	a := newFixture(t).do("GET", "/docs", "")
	require.Equal(t, http.StatusOK, a.code)
	for _, text := range []string{"<code><span class=\"method\">POST</span> /v1/orders:batch</code>", "Wait for an order&#39;s decision", `<a href="#Problem">Problem</a>`, `<details id="FoundOrder">`} {
		assert.Contains(t, a.body, text)
	}
	assert.NotRegexp(t, `(src|href)="(https?:)?//`, a.body, "it needs nothing from elsewhere")
}
