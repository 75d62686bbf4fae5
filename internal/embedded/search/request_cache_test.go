package search_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestKeptAnswersFollowTheIndex asks the same again and again while documents,
// mappings and aliases change under it.
func TestKeptAnswersFollowTheIndex(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/k", `{"mappings":{"properties":{"state":{"type":"keyword"}}},"aliases":{"some":{"filter":{"term":{"state":"A"}}}}}`)
	states := func(index string) map[string]any {
		body := must(t, srv, http.MethodPost, "/"+index+"/_search", `{"size":0,"aggs":{"s":{"terms":{"field":"state"}}}}`)
		counts := map[string]any{}
		for _, b := range body["aggregations"].(map[string]any)["s"].(map[string]any)["buckets"].([]any) {
			counts[b.(map[string]any)["key"].(string)] = b.(map[string]any)["doc_count"]
		}
		return counts
	}
	put := func(id, state string) {
		must(t, srv, http.MethodPut, "/k/_doc/"+id+"?refresh=true", `{"state":"`+state+`"}`)
	}
	assert.Empty(t, states("k"))
	put("1", "A")
	put("2", "B")
	for range 3 {
		assert.Equal(t, map[string]any{"A": 1.0, "B": 1.0}, states("k"))
		assert.Equal(t, map[string]any{"A": 1.0}, states("some"))
	}
	put("2", "A")
	for range 3 {
		assert.Equal(t, map[string]any{"A": 2.0}, states("k"))
	}
	must(t, srv, http.MethodPost, "/_aliases", `{"actions":[{"add":{"index":"k","alias":"some","filter":{"term":{"state":"B"}}}}]}`)
	assert.Empty(t, states("some"))
	must(t, srv, http.MethodDelete, "/k/_doc/1?refresh=true", "")
	assert.Equal(t, map[string]any{"A": 1.0}, states("k"))
	must(t, srv, http.MethodDelete, "/k", "")
	must(t, srv, http.MethodPut, "/k", `{"mappings":{"properties":{"state":{"type":"keyword"}}}}`)
	assert.Empty(t, states("k"))
}
