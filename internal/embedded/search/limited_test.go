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

// TestMatchesOfLittleScoreDontChangeThePage compares the first hits of a search for
// words, which leaves out what can't come among them, with those of a whole list of
// all matches, whatever is counted.
func TestMatchesOfLittleScoreDontChangeThePage(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/w", `{"mappings":{"properties":{"note":{"type":"text"},"even":{"type":"boolean"}}}}`)
	const documents = 3000
	for segment := range 3 {
		var body strings.Builder
		for i := segment * documents / 3; i < (segment+1)*documents/3; i++ {
			note := "order"
			for n, word := range []string{"red", "blue", "rare", "order"} {
				if i%(7+n*n*n) == 0 {
					note += strings.Repeat(" "+word, 1+i%3)
				}
			}
			fmt.Fprintf(&body, `{"index":{"_id":"%d"}}`+"\n"+`{"note":"%s","even":%v}`+"\n", i, note, i%2 == 0)
		}
		must(t, srv, http.MethodPost, "/w/_bulk?refresh=true", body.String())
	}
	for _, query := range []string{
		`{"match":{"note":"red order rare"}}`,
		`{"bool":{"must":[{"match":{"note":"blue red order"}}],"filter":[{"term":{"even":true}}]}}`,
		`{"bool":{"should":[{"match":{"note":"rare"}},{"match":{"note":"order"}}],"must_not":[{"term":{"even":false}}],"boost":2}}`,
		`{"multi_match":{"query":"rare blue","fields":["note","note^2"]}}`,
		`{"bool":{"should":[{"match_phrase":{"note":"red red"}},{"match":{"note":"blue"}}]}}`,
		`{"dis_max":{"queries":[{"match":{"note":"rare order"}},{"match":{"note":"red"}}]}}`,
	} {
		whole := must(t, srv, http.MethodPost, "/w/_search", `{"size":10000,"_source":false,"query":`+query+`}`)["hits"].(map[string]any)
		total := whole["total"].(map[string]any)["value"]
		require.Greater(t, total, 20.0, query)
		for _, counted := range []string{"", `"track_total_hits":true,`, `"track_total_hits":false,`, `"track_total_hits":5,`} {
			page := must(t, srv, http.MethodPost, "/w/_search", `{"size":15,`+counted+`"_source":false,"query":`+query+`}`)["hits"].(map[string]any)
			assert.Equal(t, whole["hits"].([]any)[:15], page["hits"], "%s %s", query, counted)
			assert.Equal(t, whole["max_score"], page["max_score"], "%s %s", query, counted)
			switch counted {
			case `"track_total_hits":false,`:
				assert.NotContains(t, page, "total")
			case `"track_total_hits":5,`:
				assert.Equal(t, map[string]any{"value": 5.0, "relation": "gte"}, page["total"])
			default:
				assert.Equal(t, map[string]any{"value": total, "relation": "eq"}, page["total"])
			}
		}
	}
}
