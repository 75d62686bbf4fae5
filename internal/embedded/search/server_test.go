package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// open brings a server up that is stopped at the end of the test.
func open(t *testing.T, cfg search.Config) *search.Server {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	srv, err := search.New(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Open())
	t.Cleanup(func() { require.NoError(t, srv.Stop()) })
	return srv
}

// call sends a request and gives status and body.
func call(t testing.TB, srv *search.Server, method, path, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	srv.Handler().ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// must sends a request that has to succeed and decodes the answer.
func must(t testing.TB, srv *search.Server, method, path, body string) map[string]any {
	t.Helper()
	status, answer := call(t, srv, method, path, body)
	require.Less(t, status, 300, "%s %s: %s", method, path, answer)
	var v map[string]any
	if answer != "" {
		require.NoError(t, json.Unmarshal([]byte(answer), &v))
	}
	return v
}

// found gives the ids of a search's hits, in order.
func found(t testing.TB, srv *search.Server, path, body string) []string {
	t.Helper()
	status, answer := call(t, srv, http.MethodPost, path, body)
	require.Equal(t, http.StatusOK, status, answer)
	var v struct {
		Hits struct {
			Hits []struct {
				ID string `json:"_id"`
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(answer), &v))
	ids := []string{}
	for _, h := range v.Hits.Hits {
		ids = append(ids, h.ID)
	}
	return ids
}

func order(id string, quantity int) string {
	return fmt.Sprintf(`{"id":%q,"customerId":15,"state":"CREATED","product":"JUMPERS","quantity":%d,"price":5.0}`, id, quantity)
}

func TestWritesBecomeVisibleByThemselves(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: time.Millisecond})
	must(t, srv, http.MethodPut, "/orders.v1/_doc/o1", order("o1", 3))
	assert.Equal(t, true, must(t, srv, http.MethodGet, "/orders.v1/_doc/o1", "")["found"], "a read by id is real time")
	waitFor(t, "the order is found", func() bool {
		return len(found(t, srv, "/orders.v1/_search", `{"query":{"term":{"state.keyword":"CREATED"}}}`)) == 1
	})
}

func TestRefreshPolicies(t *testing.T) {
	srv := open(t, search.Config{RefreshInterval: -1})
	must(t, srv, http.MethodPut, "/a/_doc/1", `{"n":1}`)
	assert.Empty(t, found(t, srv, "/a/_search", ""))
	must(t, srv, http.MethodPut, "/a/_doc/2?refresh=wait_for", `{"n":2}`)
	assert.Equal(t, []string{"1", "2"}, found(t, srv, "/a/_search", ""))
	must(t, srv, http.MethodDelete, "/a/_doc/1?refresh", "")
	assert.Equal(t, []string{"2"}, found(t, srv, "/a/_search", ""))
	must(t, srv, http.MethodPut, "/a/_doc/2", `{"n":3}`)
	must(t, srv, http.MethodPost, "/_refresh", "")
	assert.Equal(t, []string{"2"}, found(t, srv, "/a/_search", `{"query":{"term":{"n":3}}}`))
}

// TestExternalVersions writes as a Kafka sink does, with offsets as versions.
func TestExternalVersions(t *testing.T) {
	srv := open(t, search.Config{})
	bulk := func(lines ...string) []any {
		t.Helper()
		answer := must(t, srv, http.MethodPost, "/_bulk", strings.Join(lines, "\n")+"\n")
		return answer["items"].([]any)
	}
	status := func(item any) float64 {
		for _, v := range item.(map[string]any) {
			return v.(map[string]any)["status"].(float64)
		}
		return 0
	}
	index := func(offset int, state string) []string {
		return []string{fmt.Sprintf(`{"index":{"_index":"o","_id":"1","version":%d,"version_type":"external"}}`, offset), fmt.Sprintf(`{"state":%q}`, state)}
	}
	items := bulk(append(index(7, "CREATED"), index(9, "VALIDATED")...)...)
	assert.Equal(t, 201.0, status(items[0]))
	assert.Equal(t, 200.0, status(items[1]))
	assert.Equal(t, 409.0, status(bulk(index(7, "CREATED")...)[0]), "a redelivered record changes nothing")
	assert.Equal(t, 409.0, status(bulk(index(9, "VALIDATED")...)[0]))
	doc := must(t, srv, http.MethodGet, "/o/_doc/1", "")
	assert.Equal(t, 9.0, doc["_version"])
	assert.Equal(t, map[string]any{"state": "VALIDATED"}, doc["_source"])
	assert.Equal(t, 200.0, status(bulk(`{"delete":{"_index":"o","_id":"1","version":12,"version_type":"external"}}`)[0]))
	assert.Equal(t, 409.0, status(bulk(index(11, "SHIPPED")...)[0]), "a deleted document keeps its version")
	assert.Equal(t, 201.0, status(bulk(index(13, "SHIPPED")...)[0]))
}

func TestMappingConflicts(t *testing.T) {
	tests := map[string]struct{ mapping, first, second, wantType, wantReason string }{
		"text into long":      {"", `{"n":1}`, `{"n":"many"}`, "document_parsing_exception", "failed to parse field [n] of type [long]"},
		"object into text":    {"", `{"s":"x"}`, `{"s":{"a":1}}`, "document_parsing_exception", "failed to parse field [s] of type [text]"},
		"value into object":   {"", `{"o":{"a":1}}`, `{"o":5}`, "document_parsing_exception", "tried to parse field [o] as object"},
		"rubbish into date":   {`{"properties":{"d":{"type":"date"}}}`, `{"d":"2024-05-01"}`, `{"d":"soon"}`, "document_parsing_exception", "of type [date]"},
		"too large":           {`{"properties":{"i":{"type":"integer"}}}`, `{"i":1}`, `{"i":2147483648}`, "document_parsing_exception", "of type [integer]"},
		"strict":              {`{"dynamic":"strict","properties":{"a":{"type":"long"}}}`, `{"a":1}`, `{"b":1}`, "strict_dynamic_mapping_exception", "introduction of [b]"},
		"mixed in one":        {"", `{"a":1}`, `{"m":[1,2.5]}`, "illegal_argument_exception", "cannot be changed from type [long] to [float]"},
		"a dotted name":       {"", `{"n":1}`, `{"n.x":1}`, "document_parsing_exception", "of type [long]"},
		"a field of our own":  {"", `{"a":1}`, `{"_record":1}`, "document_parsing_exception", "_record"},
		"a malformed body":    {"", `{"a":1}`, `{"a":`, "document_parsing_exception", "Unexpected end-of-input"},
		"the same name twice": {"", `{"a":1}`, `{"a":1,"a":2}`, "document_parsing_exception", "Duplicate field 'a'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv := open(t, search.Config{RefreshInterval: -1})
			body := ""
			if tt.mapping != "" {
				body = `{"mappings":` + tt.mapping + `}`
			}
			must(t, srv, http.MethodPut, "/i", body)
			must(t, srv, http.MethodPut, "/i/_doc/1", tt.first)
			before := must(t, srv, http.MethodGet, "/i/_mapping", "")
			status, answer := call(t, srv, http.MethodPut, "/i/_doc/2", tt.second)
			assert.Equal(t, http.StatusBadRequest, status, answer)
			var e struct{ Error struct{ Type, Reason string } }
			require.NoError(t, json.Unmarshal([]byte(answer), &e))
			assert.Equal(t, tt.wantType, e.Error.Type)
			assert.Contains(t, e.Error.Reason, tt.wantReason)
			assert.Equal(t, before, must(t, srv, http.MethodGet, "/i/_mapping", ""), "a refused document leaves the mapping alone")
			must(t, srv, http.MethodPost, "/i/_refresh", "")
			assert.Equal(t, []string{"1"}, found(t, srv, "/i/_search", ""))
		})
	}
}

func TestStrictMappingKeepsMultiFields(t *testing.T) {
	srv := open(t, search.Config{})
	must(t, srv, http.MethodPut, "/i", `{"mappings":{"dynamic":"strict","properties":{"s":{"type":"text","fields":{"raw":{"type":"keyword"}}}}}}`)
	must(t, srv, http.MethodPut, "/i/_doc/1?refresh", `{"s":"Ada Lovelace"}`)
	assert.Equal(t, []string{"1"}, found(t, srv, "/i/_search", `{"query":{"term":{"s.raw":"Ada Lovelace"}}}`))
	assert.Equal(t, []string{"1"}, found(t, srv, "/i/_search", `{"query":{"match":{"s":"lovelace"}}}`))
	assert.Empty(t, found(t, srv, "/i/_search", `{"query":{"term":{"s":"Ada Lovelace"}}}`))
}

// TestRanges compares ranges of all numeric types with a plain comparison.
func TestRanges(t *testing.T) {
	srv := open(t, search.Config{})
	must(t, srv, http.MethodPut, "/r", `{"mappings":{"properties":{"l":{"type":"long"},"d":{"type":"double"},"v":{"type":"long","index":false},"k":{"type":"keyword"}}}}`)
	random := rand.New(rand.NewPCG(1, 2))
	numbers := []int64{-1 << 63, 1<<63 - 1, 0, -1, 1, 255, 256, 257, 65535, 65536, -65536}
	for range 300 {
		numbers = append(numbers, random.Int64N(1<<uint(1+random.IntN(62)))-random.Int64N(1<<uint(1+random.IntN(62))))
	}
	var bulk strings.Builder
	for i, n := range numbers {
		fmt.Fprintf(&bulk, `{"index":{"_id":"%d"}}`+"\n"+`{"l":%d,"d":%d.5,"v":%d,"k":"%d"}`+"\n", i, n, n/3, n, n)
	}
	answer := must(t, srv, http.MethodPost, "/r/_bulk?refresh", bulk.String())
	require.Equal(t, false, answer["errors"])
	for range 200 {
		a, b := numbers[random.IntN(len(numbers))], numbers[random.IntN(len(numbers))]
		lower, upper := []string{"gt", "gte"}[random.IntN(2)], []string{"lt", "lte"}[random.IntN(2)]
		want := 0
		for _, n := range numbers {
			if (n > a || lower == "gte" && n == a) && (n < b || upper == "lte" && n == b) {
				want++
			}
		}
		for _, field := range []string{"l", "v"} {
			body := fmt.Sprintf(`{"query":{"range":{%q:{%q:%d,%q:%d}}}}`, field, lower, a, upper, b)
			assert.Equal(t, float64(want), must(t, srv, http.MethodPost, "/r/_count", body)["count"], body)
		}
		low, high := float64(a/3), float64(b/3)
		want = 0
		for _, n := range numbers {
			v := float64(n / 3)
			if n/3 < 0 {
				v -= 0.5
			} else {
				v += 0.5
			}
			if n/3 == 0 {
				v = 0.5
			}
			if v >= low && v <= high {
				want++
			}
		}
		body := fmt.Sprintf(`{"query":{"range":{"d":{"gte":%d,"lte":%d}}}}`, a/3, b/3)
		assert.Equal(t, float64(want), must(t, srv, http.MethodPost, "/r/_count", body)["count"], body)
	}
}

// TestSurvivesAKill looks at a copy of the data directory taken while the server
// runs: what a process that is killed leaves behind.
func TestSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	srv := open(t, search.Config{DataDir: dir, RefreshInterval: time.Millisecond})
	must(t, srv, http.MethodPut, "/_index_template/t", `{"index_patterns":["orders*"],"template":{"mappings":{"properties":{"state":{"type":"keyword"}}},"aliases":{"all":{}}}}`)
	want := []string{}
	for i := range 200 {
		id := fmt.Sprintf("o%03d", i)
		want = append(want, id)
		must(t, srv, http.MethodPut, "/orders.v1/_doc/"+id, order(id, i))
	}
	must(t, srv, http.MethodDelete, "/orders.v1/_doc/o007", "")
	want = append(want[:7], want[8:]...)

	copied := t.TempDir()
	copyTree(t, filepath.Join(dir, "store"), filepath.Join(copied, "store"))
	again := open(t, search.Config{DataDir: copied})
	must(t, again, http.MethodPost, "/_refresh", "")
	assert.Equal(t, want, found(t, again, "/all/_search?size=1000", `{"sort":["_doc"],"query":{"term":{"state":"CREATED"}}}`))
	assert.Equal(t, 8.0, must(t, again, http.MethodPut, "/orders.v1/_doc/o000", order("o000", 1))["_version"].(float64)+6, "versions go on")
	assert.Equal(t, 201.0, must(t, again, http.MethodPut, "/orders.v1/_doc/o000", order("o000", 1))["_seq_no"].(float64)-1, "sequence numbers go on")
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if d.Name() == "LOCK" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, raw, 0o644)
	}))
}

// TestCatchesUpWithTheStore opens a store with inverted indexes that lack the
// newest changes, all changes, or make no sense.
func TestCatchesUpWithTheStore(t *testing.T) {
	dir := t.TempDir()
	write := func(from, to int) {
		srv, err := search.New(search.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.NoError(t, srv.Open())
		for i := from; i < to; i++ {
			must(t, srv, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/o%d", i%40), order(fmt.Sprintf("o%d", i%40), i))
		}
		must(t, srv, http.MethodPost, "/_refresh", "")
		require.NoError(t, srv.Stop())
	}
	indices := filepath.Join(dir, "indices")
	write(0, 30)
	older := t.TempDir()
	copyTree(t, indices, older)
	write(30, 60)

	tests := map[string]func(t *testing.T){
		"an older one": func(t *testing.T) {
			require.NoError(t, os.RemoveAll(indices))
			copyTree(t, older, indices)
		},
		"none": func(t *testing.T) { require.NoError(t, os.RemoveAll(indices)) },
		"a damaged one": func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(indices, "*", "root.bolt"))
			require.NoError(t, err)
			require.NotEmpty(t, files)
			for _, f := range files {
				require.NoError(t, os.WriteFile(f, bytes.Repeat([]byte("x"), 1<<15), 0o644))
			}
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			spoil(t)
			srv := open(t, search.Config{DataDir: dir})
			must(t, srv, http.MethodPost, "/_refresh", "")
			count := must(t, srv, http.MethodPost, "/orders.v1/_count", `{"query":{"range":{"quantity":{"gte":40}}}}`)
			assert.Equal(t, 20.0, count["count"], "o0 to o19 were written again as 40 to 59")
			count = must(t, srv, http.MethodGet, "/orders.v1/_count", "")
			assert.Equal(t, 40.0, count["count"])
			require.NoError(t, srv.Stop())
		})
	}
}

func TestStartAndStopTwice(t *testing.T) {
	srv, err := search.New(search.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, srv.Start(t.Context()))
		require.NoError(t, srv.Start(t.Context()))
		resp, err := http.Get("http://" + srv.Addr() + "/")
		require.NoError(t, err)
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Contains(t, string(raw), `"number" : "8.14.3"`)
		assert.Equal(t, "Elasticsearch", resp.Header.Get("X-elastic-product"))
		require.NoError(t, srv.Stop())
		require.NoError(t, srv.Stop())
		assert.Empty(t, srv.Addr())
	}
	status, answer := call(t, srv, http.MethodGet, "/_search", "")
	assert.Equal(t, http.StatusServiceUnavailable, status, answer)
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	srv, err := search.New(search.Config{Addr: taken.Addr().String(), AddrSetting: "--elasticsearch-addr"})
	require.NoError(t, err)
	err = srv.Start(t.Context())
	require.ErrorContains(t, err, "the port is in use; stop the other process or choose another address with --elasticsearch-addr")

	_, err = search.New(search.Config{Addr: "nonsense"})
	require.ErrorContains(t, err, "is not host:port")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	srv, err = search.New(search.Config{DataDir: filepath.Join(file, "data")})
	require.NoError(t, err)
	require.ErrorContains(t, srv.Open(), "creating the search data directory")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, srv.Start(ctx), context.Canceled)
}

func TestUnsupportedIsRefused(t *testing.T) {
	srv := open(t, search.Config{})
	must(t, srv, http.MethodPut, "/i/_doc/1?refresh", `{"a":1}`)
	for _, tt := range []struct{ method, path, body string }{
		{http.MethodPost, "/i/_search", `{"highlight":{"fields":{"a":{"type":"plain"}}}}`},
		{http.MethodPost, "/i/_search", `{"suggest":{"s":{"text":"x","term":{"field":"a"}}}}`},
		{http.MethodPost, "/i/_search", `{"aggs":{"s":{"scripted_metric":{}}}}`},
		{http.MethodPost, "/i/_search", `{"query":{"nested":{"path":"a","query":{"match_all":{}}}}}`},
		{http.MethodPost, "/i/_search?scroll=48h", `{}`},
		{http.MethodPost, "/i/_search", `{"query":{"match_phrase":{"a":{"query":"x y","slop":2}}}}`},
		{http.MethodPut, "/j", `{"mappings":{"properties":{"g":{"type":"geo_shape"}}}}`},
		{http.MethodPost, "/i/_update/1", `{"script":{"source":"ctx._source.a = 2"}}`},
		{http.MethodGet, "/i/_search?nonsense=1", ""},
		{http.MethodPost, "/i/_delete_by_query", `{}`},
	} {
		status, answer := call(t, srv, tt.method, tt.path, tt.body)
		assert.Contains(t, []int{400, 405}, status, "%s %s: %s", tt.method, tt.path, answer)
		assert.Contains(t, answer, `"error"`)
	}
}
