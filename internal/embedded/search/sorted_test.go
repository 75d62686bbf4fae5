package search_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// sample is a document of TestPagesAreSorted.
type sample struct {
	id        string
	group     string
	rank      *int
	exact     string
	written   int
	fractions float64
}

// TestPagesAreSorted compares pages of many orders, whose documents lie in many
// segments, with what sorting in memory gives: by values that many have, by ones
// that each has alone, with missing values, through filters and after a place.
func TestPagesAreSorted(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/s", `{"mappings":{"properties":{"group":{"type":"keyword"},"rank":{"type":"integer"},"exact":{"type":"keyword"},"fractions":{"type":"double"}}}}`)
	random := rand.New(rand.NewPCG(1, 2))
	var all []sample
	for range 6 {
		var body strings.Builder
		for range 500 {
			n := len(all)
			d := sample{id: fmt.Sprint(n), group: string(rune('a' + random.IntN(4))), exact: fmt.Sprintf("%06d", random.IntN(1000000)), written: n, fractions: float64(random.IntN(50)) / 8}
			rank := ""
			if random.IntN(10) > 0 {
				r := random.IntN(20)
				d.rank = &r
				rank = fmt.Sprintf(`,"rank":%d`, r)
			}
			fmt.Fprintf(&body, `{"index":{"_id":%q}}`+"\n"+`{"group":%q,"exact":%q,"fractions":%v%s}`+"\n", d.id, d.group, d.exact, d.fractions, rank)
			all = append(all, d)
		}
		must(t, srv, http.MethodPost, "/s/_bulk?refresh=true", body.String())
	}
	for _, id := range []int{3, 700, 1500, 2999} { // holes in segments
		must(t, srv, http.MethodDelete, fmt.Sprintf("/s/_doc/%d?refresh=true", id), "")
		all = slices.DeleteFunc(all, func(d sample) bool { return d.written == id })
	}
	rank := func(a, b sample) int {
		switch {
		case a.rank == nil || b.rank == nil:
			return cmp.Compare(boolNumber(a.rank == nil), boolNumber(b.rank == nil)) // last, whichever way
		default:
			return cmp.Compare(*a.rank, *b.rank)
		}
	}
	down := func(f func(a, b sample) int) func(a, b sample) int {
		return func(a, b sample) int {
			if a.rank == nil || b.rank == nil {
				return f(a, b)
			}
			return -f(a, b)
		}
	}
	orders := []struct {
		sort string
		cmp  func(a, b sample) int
	}{
		{`["exact"]`, func(a, b sample) int { return strings.Compare(a.exact, b.exact) }},
		{`[{"exact":"desc"}]`, func(a, b sample) int { return strings.Compare(b.exact, a.exact) }},
		{`["rank"]`, rank},
		{`[{"rank":"desc"}]`, down(rank)},
		{`["rank",{"exact":"desc"}]`, func(a, b sample) int { return cmp.Or(rank(a, b), strings.Compare(b.exact, a.exact)) }},
		{`["fractions"]`, func(a, b sample) int { return cmp.Compare(a.fractions, b.fractions) }},
		{`[{"fractions":"desc"},"group"]`, func(a, b sample) int {
			return cmp.Or(cmp.Compare(b.fractions, a.fractions), strings.Compare(a.group, b.group))
		}},
		{`["_doc"]`, func(a, b sample) int { return 0 }},
		{`[]`, func(a, b sample) int { return 0 }},
	}
	filters := []struct {
		query string
		keep  func(sample) bool
	}{
		{`{"match_all":{}}`, func(sample) bool { return true }},
		{`{"term":{"group":"b"}}`, func(d sample) bool { return d.group == "b" }},
		{`{"bool":{"filter":[{"term":{"group":"c"}},{"range":{"rank":{"gte":5,"lt":7}}}]}}`, func(d sample) bool { return d.group == "c" && d.rank != nil && *d.rank >= 5 && *d.rank < 7 }},
	}
	for _, o := range orders {
		for _, f := range filters {
			var want []string
			list := slices.DeleteFunc(slices.Clone(all), func(d sample) bool { return !f.keep(d) })
			slices.SortStableFunc(list, o.cmp)
			for _, d := range list {
				want = append(want, d.id)
			}
			for _, size := range []int{1, 7, 60} {
				body := fmt.Sprintf(`{"query":%s,"sort":%s,"size":%d,"track_total_hits":true}`, f.query, o.sort, size)
				require.Equal(t, want[:min(size, len(want))], found(t, srv, "/s/_search", body), body)
				total := must(t, srv, http.MethodPost, "/s/_search", body)["hits"].(map[string]any)["total"].(map[string]any)["value"]
				require.EqualValues(t, len(want), total, body)
			}
			require.Equal(t, want, scrolled(t, srv, fmt.Sprintf(`{"query":%s,"sort":%s,"size":300}`, f.query, o.sort)), "%s %s", f.query, o.sort)
		}
	}
}

func boolNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scrolled gives all hits of a scroll.
func scrolled(t *testing.T, srv *search.Server, body string) []string {
	t.Helper()
	ids := []string{}
	path := "/s/_search?scroll=1m"
	for {
		status, answer := call(t, srv, http.MethodPost, path, body)
		require.Equal(t, http.StatusOK, status, answer)
		var v struct {
			Scroll string `json:"_scroll_id"`
			Hits   struct {
				Hits []struct {
					ID string `json:"_id"`
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(answer), &v))
		if len(v.Hits.Hits) == 0 {
			must(t, srv, http.MethodDelete, "/_search/scroll", fmt.Sprintf(`{"scroll_id":%q}`, v.Scroll))
			return ids
		}
		for _, h := range v.Hits.Hits {
			ids = append(ids, h.ID)
		}
		path, body = "/_search/scroll", fmt.Sprintf(`{"scroll":"1m","scroll_id":%q}`, v.Scroll)
	}
}
