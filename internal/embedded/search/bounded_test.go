package search_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestRequestsOfTooManyPartsAreRefused: what takes memory for each of its parts may
// not have more of them than Elasticsearch lets it have.
func TestRequestsOfTooManyPartsAreRefused(t *testing.T) {
	srv := open(t, search.Config{})
	must(t, srv, http.MethodPut, "/i/_doc/1?refresh=true", `{"a":1}`)
	terms := func(n int) string { return `{"terms":{"a":[` + strings.Repeat("1,", n-1) + `1]}}` }
	for _, form := range []string{`{"query":%s}`, `{"query":{"bool":{"filter":%s}}}`, `{"query":{"bool":{"must":%s}}}`, `{"query":{"constant_score":{"filter":%s}}}`} {
		status, answer := call(t, srv, http.MethodPost, "/i/_search", fmt.Sprintf(form, terms(65537)))
		assert.Equal(t, http.StatusBadRequest, status, form)
		assert.Contains(t, answer, "exceeded the allowed maximum of [65536]")
	}
	must(t, srv, http.MethodPost, "/i/_search", `{"query":`+terms(65536)+`}`)
	status, answer := call(t, srv, http.MethodPost, "/i/_delete_by_query?slices=1025", `{"query":{"term":{"a":2}}}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, answer, "The number of slices [1025] is too large")
	must(t, srv, http.MethodPost, "/i/_delete_by_query?slices=1024", `{"query":{"term":{"a":2}}}`)
	status, answer = call(t, srv, http.MethodPost, "/i/_search", `{"query":{"bool":{"should":[`+strings.Repeat("{},", 1<<20)+`{}]}}}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, answer, "has more than 1048576 values")
	half := `{"size":0,"docvalue_fields":[` + strings.Repeat(`"a",`, 1<<19) + `"a"]}` + "\n"
	status, answer = call(t, srv, http.MethodPost, "/i/_msearch", "{}\n"+half+"{}\n"+half)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, answer, "The text has more than")
	must(t, srv, http.MethodPost, "/i/_msearch", strings.Repeat("{}\n{\"size\":0}\n", 1000))
	_, answer = call(t, srv, http.MethodPost, "/_analyze", `{"text":"`+strings.Repeat("a ", 10001)+`"}`)
	assert.Contains(t, answer, "exceeded the allowed maximum of [10000]")
	must(t, srv, http.MethodPost, "/_analyze", `{"text":"`+strings.Repeat("a ", 10000)+`"}`)
}
