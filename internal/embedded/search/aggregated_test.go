package search_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// counted is a document of TestAggregationsCountEveryDocument.
type counted struct {
	id     int
	group  string // empty for none
	rank   *int
	values []float64
	minute int
}

// TestAggregationsCountEveryDocument compares aggregations over documents in many
// segments, some with holes, with what going through them in memory gives: over
// all, through filters, and below other aggregations.
func TestAggregationsCountEveryDocument(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/c", `{"mappings":{"properties":{"group":{"type":"keyword"},"rank":{"type":"integer"},"values":{"type":"double"},"single":{"type":"double"},"at":{"type":"date"}}}}`)
	random := rand.New(rand.NewPCG(3, 4))
	var all []counted
	for segment := range 5 {
		var body strings.Builder
		for range 400 {
			d := counted{id: len(all), minute: random.IntN(5000)}
			doc := map[string]any{"at": int64(1714521600000) + int64(d.minute)*60000}
			if random.IntN(8) > 0 {
				d.group = string(rune('a' + random.IntN(5)))
				doc["group"] = d.group
			}
			if random.IntN(10) > 0 {
				rank := random.IntN(300) - 20
				d.rank = &rank
				doc["rank"] = rank
			}
			n := 1
			if segment%2 == 0 { // these segments have a single value everywhere
				n = random.IntN(4)
			}
			for range n {
				d.values = append(d.values, float64(random.IntN(40))/4)
			}
			doc["values"] = d.values
			raw, err := json.Marshal(doc)
			require.NoError(t, err)
			fmt.Fprintf(&body, `{"index":{"_id":"%d"}}`+"\n%s\n", d.id, raw)
			all = append(all, d)
		}
		must(t, srv, http.MethodPost, "/c/_bulk?refresh=true", body.String())
	}
	for _, id := range []int{5, 401, 1999} {
		must(t, srv, http.MethodDelete, fmt.Sprintf("/c/_doc/%d?refresh=true", id), "")
		all = slices.DeleteFunc(all, func(d counted) bool { return d.id == id })
	}
	filters := map[string]struct {
		query string
		has   func(d counted) bool
	}{
		"all":   {`{"match_all":{}}`, func(counted) bool { return true }},
		"group": {`{"term":{"group":"b"}}`, func(d counted) bool { return d.group == "b" }},
		"rank":  {`{"range":{"rank":{"gte":10,"lt":200}}}`, func(d counted) bool { return d.rank != nil && *d.rank >= 10 && *d.rank < 200 }},
		"values": {`{"range":{"values":{"gt":2,"lte":3.5}}}`, func(d counted) bool {
			return slices.ContainsFunc(d.values, func(v float64) bool { return v > 2 && v <= 3.5 })
		}},
		"other": {`{"bool":{"must_not":[{"exists":{"field":"group"}}],"filter":[{"range":{"at":{"gte":"2024-05-02"}}}]}}`, func(d counted) bool { return d.group == "" && d.minute >= 1440 }},
	}
	for name, f := range filters {
		t.Run(name, func(t *testing.T) {
			var docs []counted
			for _, d := range all {
				if f.has(d) {
					docs = append(docs, d)
				}
			}
			for range 3 { // the first one may read values one by one, later ones from columns
				body := must(t, srv, http.MethodPost, "/c/_search?request_cache=false", `{"size":0,"track_total_hits":true,"query":`+f.query+`,"aggs":{
					"groups":{"terms":{"field":"group","missing":"none","size":10},"aggs":{"sum":{"sum":{"field":"values"}},"hours":{"date_histogram":{"field":"at","fixed_interval":"12h","min_doc_count":1}}}},
					"ranks":{"histogram":{"field":"rank","interval":50,"min_doc_count":1},"aggs":{"n":{"value_count":{"field":"values"}}}},
					"parts":{"range":{"field":"values","ranges":[{"to":2.5},{"from":2.5,"to":7},{"from":7}]}},
					"stats":{"stats":{"field":"values"}},
					"different":{"cardinality":{"field":"rank"}},
					"pairs":{"composite":{"size":1000,"sources":[{"g":{"terms":{"field":"group","missing_bucket":true}}},{"r":{"histogram":{"field":"rank","interval":100}}}]}},
					"median":{"percentiles":{"field":"values","percents":[50],"keyed":false}}}}`)
				checkAggregations(t, body, docs)
			}
		})
	}
}

func checkAggregations(t *testing.T, body map[string]any, docs []counted) {
	t.Helper()
	groups, sums, hours := map[string]float64{}, map[string]float64{}, map[string]float64{}
	ranks, values := map[float64]float64{}, map[float64]float64{}
	different, pairs := map[int]bool{}, map[string]float64{}
	parts := []float64{0, 0, 0}
	var every []float64
	for _, d := range docs {
		group := d.group
		if group == "" {
			group = "none"
		}
		groups[group]++
		hours[fmt.Sprintf("%s %d", group, d.minute/720)]++
		in := [3]bool{}
		for _, v := range d.values {
			sums[group] += v
			every = append(every, v)
			in[boolNumber(v >= 2.5)+boolNumber(v >= 7)] = true
		}
		for i := range in {
			parts[i] += float64(boolNumber(in[i]))
		}
		if d.rank != nil {
			different[*d.rank] = true
			key := math.Floor(float64(*d.rank)/50) * 50
			ranks[key]++
			values[key] += float64(len(d.values))
			pairs[fmt.Sprintf("%s %v", d.group, math.Floor(float64(*d.rank)/100)*100)]++
		}
	}
	assert.InDelta(t, len(docs), body["hits"].(map[string]any)["total"].(map[string]any)["value"], 0)
	aggs := body["aggregations"].(map[string]any)
	buckets := func(o any) []map[string]any {
		var list []map[string]any
		for _, b := range o.(map[string]any)["buckets"].([]any) {
			list = append(list, b.(map[string]any))
		}
		return list
	}
	value := func(o any, name string) any { return o.(map[string]any)[name] }
	gotGroups, gotSums, gotHours := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, b := range buckets(aggs["groups"]) {
		key := b["key"].(string)
		gotGroups[key] = b["doc_count"].(float64)
		gotSums[key] = value(b["sum"], "value").(float64)
		for _, h := range buckets(b["hours"]) {
			gotHours[fmt.Sprintf("%s %d", key, (int64(h["key"].(float64))-1714521600000)/43200000)] = h["doc_count"].(float64)
		}
	}
	for group := range groups {
		sums[group] += 0
	}
	assert.Equal(t, groups, gotGroups)
	assert.Equal(t, sums, gotSums)
	assert.Equal(t, hours, gotHours)
	gotRanks, gotValues := map[float64]float64{}, map[float64]float64{}
	for _, b := range buckets(aggs["ranks"]) {
		gotRanks[b["key"].(float64)] = b["doc_count"].(float64)
		gotValues[b["key"].(float64)] = value(b["n"], "value").(float64)
	}
	assert.Equal(t, ranks, gotRanks)
	assert.Equal(t, values, gotValues)
	gotPairs := map[string]float64{}
	for _, b := range buckets(aggs["pairs"]) {
		group, _ := value(b["key"], "g").(string)
		gotPairs[fmt.Sprintf("%s %v", group, value(b["key"], "r"))] = b["doc_count"].(float64)
	}
	assert.Equal(t, pairs, gotPairs)
	for i, b := range buckets(aggs["parts"]) {
		assert.InDelta(t, parts[i], b["doc_count"], 0, "range %d", i)
	}
	slices.Sort(every)
	stats := aggs["stats"].(map[string]any)
	assert.InDelta(t, len(every), stats["count"], 0)
	if len(every) > 0 {
		total := 0.0
		for _, v := range every {
			total += v
		}
		assert.Equal(t, []any{every[0], every[len(every)-1], total}, []any{stats["min"], stats["max"], stats["sum"]})
		median := aggs["median"].(map[string]any)["values"].([]any)[0].(map[string]any)["value"]
		assert.InDelta(t, (every[(len(every)-1)/2]+every[len(every)/2])/2, median, 0.3)
	}
	assert.InDelta(t, len(different), value(aggs["different"], "value"), 0)
}
