package search_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// withoutTook is an answer without what differs between runs.
func withoutTook(answer map[string]any, names ...string) map[string]any {
	kept := map[string]any{}
	for _, name := range names {
		kept[name] = answer[name]
	}
	return kept
}

// tenOrders writes ten orders of three states.
func tenOrders(t *testing.T, srv *search.Server, index string) {
	t.Helper()
	var body strings.Builder
	for i := range 10 {
		fmt.Fprintf(&body, `{"index":{"_id":"o%d","routing":"r%d"}}`+"\n"+`{"id":"o%d","state":%q,"n":%d,"inner":{"a":1,"b":2}}`+"\n", i, i, i, []string{"CREATED", "FAILED", "VALIDATED"}[i%3], i)
	}
	must(t, srv, http.MethodPost, "/"+index+"/_bulk?refresh", body.String())
}

func TestDeleteByQuery(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	tenOrders(t, srv, "i")
	answer := must(t, srv, http.MethodPost, "/i/_delete_by_query?refresh", `{"query":{"term":{"state.keyword":"CREATED"}}}`)
	assert.Equal(t, map[string]any{"timed_out": false, "total": 4., "deleted": 4., "batches": 1., "version_conflicts": 0., "noops": 0., "failures": []any{}, "requests_per_second": -1.},
		withoutTook(answer, "timed_out", "total", "deleted", "batches", "version_conflicts", "noops", "failures", "requests_per_second"))
	assert.NotContains(t, answer, "updated")
	assert.Equal(t, []string{"o1", "o2", "o4", "o5", "o7", "o8"}, found(t, srv, "/i/_search", `{"sort":["n"]}`))

	answer = must(t, srv, http.MethodPost, "/i/_delete_by_query?refresh&q=n:[0+TO+9]&max_docs=3&scroll_size=2", "")
	assert.Equal(t, map[string]any{"total": 3., "deleted": 3., "batches": 2.}, withoutTook(answer, "total", "deleted", "batches"))
	assert.Equal(t, []string{"o5", "o7", "o8"}, found(t, srv, "/i/_search", `{"sort":["n"]}`), "the first ones were written first")

	answer = must(t, srv, http.MethodPost, "/i/_delete_by_query?refresh&slices=2", `{"query":{"match_all":{}}}`)
	assert.Equal(t, 3., answer["deleted"])
	require.Len(t, answer["slices"], 2)
	assert.Empty(t, found(t, srv, "/i/_search", ""))
}

// TestByQueryWritesNothingOverNewerDocuments has a document changed after the
// searches' state.
func TestByQueryWritesNothingOverNewerDocuments(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	tenOrders(t, srv, "i")
	must(t, srv, http.MethodPut, "/i/_doc/o3", `{"id":"o3","state":"CREATED","n":33}`)
	must(t, srv, http.MethodDelete, "/i/_doc/o6", "")

	answer := must(t, srv, http.MethodPost, "/i/_update_by_query?conflicts=proceed", `{"query":{"term":{"state.keyword":"CREATED"}}}`)
	assert.Equal(t, map[string]any{"total": 4., "updated": 2., "deleted": 0., "version_conflicts": 2., "failures": []any{}},
		withoutTook(answer, "total", "updated", "deleted", "version_conflicts", "failures"))
	assert.Equal(t, 33., must(t, srv, http.MethodGet, "/i/_doc/o3", "")["_source"].(map[string]any)["n"])

	status, text := call(t, srv, http.MethodPost, "/i/_delete_by_query?scroll_size=1", `{"query":{"term":{"id.keyword":"o3"}}}`)
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, text, `"deleted":0,"batches":1,"version_conflicts":1`)
	assert.Contains(t, text, `"failures":[{"index":"i","id":"o3","cause":{"type":"version_conflict_engine_exception","reason":"[o3]: version conflict, required seqNo [3], primary term [1]. current document has seqNo [10] and primary term [1]"`)
	assert.Contains(t, text, `"status":409}]`)
	status, text = call(t, srv, http.MethodPost, "/i/_delete_by_query", `{"query":{"term":{"id.keyword":"o6"}}}`)
	assert.Equal(t, http.StatusConflict, status)
	assert.Contains(t, text, "but no document was found")
}

// TestUpdateByQueryPicksUpTheMapping gives a field a sub-field after its documents.
func TestUpdateByQueryPicksUpTheMapping(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/i", `{"mappings":{"properties":{"id":{"type":"keyword"}}}}`)
	must(t, srv, http.MethodPut, "/i/_doc/1?refresh&routing=x", `{"id":"Some Order"}`)
	must(t, srv, http.MethodPut, "/i/_mapping", `{"properties":{"id":{"type":"keyword","fields":{"words":{"type":"text"}}}}}`)
	byWord := `{"query":{"match":{"id.words":"order"}}}`
	assert.Empty(t, found(t, srv, "/i/_search", byWord))
	assert.Equal(t, 1., must(t, srv, http.MethodPost, "/i/_update_by_query?refresh", "")["updated"])
	assert.Equal(t, []string{"1"}, found(t, srv, "/i/_search", byWord))
	doc := must(t, srv, http.MethodGet, "/i/_doc/1", "")
	assert.Equal(t, 2., doc["_version"])
	assert.Equal(t, "x", doc["_routing"])
}

func TestReindex(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	tenOrders(t, srv, "a")
	must(t, srv, http.MethodPut, "/a/_doc/o1?refresh&routing=r1", `{"id":"o1","state":"FAILED","n":1,"inner":{"a":7}}`)

	answer := must(t, srv, http.MethodPost, "/_reindex?refresh", `{"source":{"index":"a","query":{"range":{"n":{"lt":5}}},"_source":["n","inner.a"],"size":2},"dest":{"index":"b","version_type":"external"}}`)
	assert.Equal(t, map[string]any{"total": 5., "created": 5., "updated": 0., "deleted": 0., "batches": 3.}, withoutTook(answer, "total", "created", "updated", "deleted", "batches"))
	doc := must(t, srv, http.MethodGet, "/b/_doc/o1", "")
	assert.Equal(t, map[string]any{"n": 1., "inner": map[string]any{"a": 7.}}, doc["_source"])
	assert.Equal(t, 2., doc["_version"])
	assert.Equal(t, "r1", doc["_routing"])

	status, text := call(t, srv, http.MethodPost, "/_reindex", `{"source":{"index":"a"},"dest":{"index":"b","op_type":"create"}}`)
	assert.Equal(t, http.StatusConflict, status, text)
	answer = must(t, srv, http.MethodPost, "/_reindex?refresh", `{"conflicts":"proceed","source":{"index":["a"]},"dest":{"index":"b","op_type":"create","routing":"discard"}}`)
	assert.Equal(t, 0., answer["created"], "the one before had created them")
	assert.Equal(t, 10., answer["version_conflicts"])
	answer = must(t, srv, http.MethodPost, "/_reindex?refresh&slices=3", `{"source":{"index":"a"},"dest":{"index":"c","routing":"=all"}}`)
	assert.Equal(t, 10., answer["created"])
	assert.Len(t, found(t, srv, "/c/_search", `{"size":20}`), 10)
	assert.Equal(t, "all", must(t, srv, http.MethodGet, "/c/_doc/o9", "")["_routing"])

	must(t, srv, http.MethodPut, "/d", `{"mappings":{"properties":{"state":{"type":"long"}}}}`)
	status, text = call(t, srv, http.MethodPost, "/_reindex", `{"source":{"index":"a"},"dest":{"index":"d"}}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, `"cause":{"type":"document_parsing_exception"`)
}

func TestByQueryRefuses(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	tenOrders(t, srv, "i")
	for _, tt := range []struct {
		path, body string
		status     int
		reason     string
	}{
		{"/i/_delete_by_query", `{}`, 400, "Validation Failed: 1: query is missing;"},
		{"/none/_delete_by_query", `{"query":{"match_all":{}}}`, 404, "no such index [none]"},
		{"/i/_delete_by_query?size=3", `{"query":{"match_all":{}}}`, 400, "invalid parameter [size], use [max_docs] instead"},
		{"/i/_delete_by_query?from=3", `{"query":{"match_all":{}}}`, 400, "from is not supported in this context"},
		{"/i/_delete_by_query?conflicts=maybe", `{"query":{"match_all":{}}}`, 400, `conflicts may only be \"proceed\" or \"abort\" but was [maybe]`},
		{"/i/_delete_by_query?slices=0", `{"query":{"match_all":{}}}`, 400, "[slices] must be at least 1 but was [0]"},
		{"/i/_delete_by_query?requests_per_second=0", `{"query":{"match_all":{}}}`, 400, "[requests_per_second] must be a float greater than 0. Use -1 to disable throttling."},
		{"/i/_delete_by_query?wait_for_completion=false", `{"query":{"match_all":{}}}`, 400, "is not supported by the embedded search server"},
		{"/i/_delete_by_query?scroll_size=20000", `{"query":{"match_all":{}}}`, 400, "Batch size is too large"},
		{"/i/_delete_by_query", `{"query":{"match_all":{}},"aggs":{"a":{"max":{"field":"n"}}}}`, 400, "[aggs] of a deletion by query is not supported"},
		{"/i/_update_by_query", `{"script":{"source":"ctx._source.n++"}}`, 400, "script_lang not supported [painless]"},
		{"/i/_update_by_query?nonsense=1", "", 400, "unrecognized parameter: [nonsense]"},
		{"/_reindex", "", 400, "request body is required"},
		{"/_reindex", `{"source":{"index":"i"},"dest":{"index":"i"}}`, 400, "reindex cannot write into an index its reading from [i]"},
		{"/_reindex", `{"source":{"index":"i"}}`, 400, "index must be specified"},
		{"/_reindex", `{"dest":{"index":"j"}}`, 400, "use _all if you really want to copy from all existing indexes"},
		{"/_reindex", `{"source":{"index":"i","remote":{"host":"http://x:9200"}},"dest":{"index":"j"}}`, 400, "[remote] of a reindex is not supported"},
		{"/_reindex", `{"source":{"index":"i"},"dest":{"index":"j"},"nonsense":1}`, 400, "[reindex] unknown field [nonsense]"},
	} {
		status, text := call(t, srv, http.MethodPost, tt.path, tt.body)
		assert.Equal(t, tt.status, status, "%s %s: %s", tt.path, tt.body, text)
		assert.Contains(t, text, tt.reason)
	}
	assert.Len(t, found(t, srv, "/i/_search", `{"size":20}`), 10, "nothing was deleted")
}

// TestByQueryGoesSlowly lets ten documents through in batches of four, at a rate.
func TestByQueryGoesSlowly(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	tenOrders(t, srv, "i")
	answer := must(t, srv, http.MethodPost, "/i/_update_by_query?scroll_size=4&requests_per_second=200", "")
	assert.Equal(t, 10., answer["updated"])
	assert.Equal(t, 200., answer["requests_per_second"])
	assert.Positive(t, answer["throttled_millis"])
}
