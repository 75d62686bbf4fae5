package search_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// benchSearches are what the API, the console and dashboards ask for. A %d stands
// for a number that differs from request to request.
var benchSearches = []struct{ name, body string }{
	{"all-by-id", `{"query":{"bool":{"filter":[]}},"sort":[{"id":{"order":"asc"}}],"size":20,"track_total_hits":true}`},
	{"state-by-id", `{"query":{"bool":{"filter":[{"term":{"state":"FAILED"}}]}},"sort":[{"id":{"order":"asc"}}],"size":20,"track_total_hits":true}`},
	{"customer-by-id", `{"query":{"bool":{"filter":[{"term":{"customerId":%d}}]}},"sort":[{"id":{"order":"asc"}}],"size":20,"track_total_hits":true}`},
	{"customer-state-product", `{"query":{"bool":{"filter":[{"term":{"customerId":%d}},{"term":{"state":"CREATED"}},{"term":{"product":"JUMPERS"}}]}},"sort":[{"id":{"order":"asc"}}],"size":20,"track_total_hits":true}`},
	{"page-after", `{"query":{"bool":{"filter":[]}},"sort":[{"id":{"order":"asc"}}],"search_after":["order-05%03d000"],"size":20,"track_total_hits":true}`},
	{"page-deep", `{"query":{"term":{"state":"FAILED"}},"sort":[{"updatedAt":"desc"}],"from":9000,"size":20}`},
	{"newest-after", `{"query":{"match_all":{}},"sort":[{"updatedAt":"desc"},{"id":"asc"}],"search_after":[1714521%03d000,"order-05000000"],"size":20}`},
	{"text", `{"query":{"bool":{"filter":[{"multi_match":{"query":"order-%08d","lenient":true}}]}},"sort":[{"id":{"order":"asc"}}],"size":20,"track_total_hits":true}`},
	{"match-words", `{"query":{"match":{"note":"red order %d"}},"size":10}`},
	{"terms", `{"query":{"terms":{"customerId":[%d,7,11,13,999]}},"size":10}`},
	{"prefix", `{"query":{"prefix":{"id":"order-00%03d"}},"size":10}`},
	{"wildcard", `{"query":{"wildcard":{"id":"order-*%03d"}},"size":10}`},
	{"price-range", `{"query":{"range":{"price":{"gte":19.%03d,"lt":40}}},"size":10}`},
	{"time-range", `{"query":{"range":{"updatedAt":{"gte":1714521%03d000,"lt":1714546600000}}},"size":10}`},
	{"bool-of-ranges", `{"query":{"bool":{"filter":[{"range":{"updatedAt":{"gte":1714521%03d000}}},{"range":{"price":{"gte":20}}},{"terms":{"state":["CREATED","FAILED"]}}],"must_not":[{"term":{"product":"JUMPERS"}}]}},"sort":[{"updatedAt":"desc"}],"size":50,"track_total_hits":true}`},
	{"newest", `{"query":{"match_all":{}},"sort":[{"updatedAt":"desc"}],"size":10}`},
	{"newest-failed", `{"query":{"term":{"state":"FAILED"}},"sort":[{"updatedAt":"desc"}],"size":10}`},
	{"dearest", `{"query":{"match_all":{}},"sort":[{"price":"desc"},{"id":"asc"}],"size":10}`},
	{"scored-term", `{"query":{"term":{"state":"FAILED"}},"size":10}`},
	{"count", `{"query":{"bool":{"filter":[{"range":{"price":{"gte":99.%03d}}},{"term":{"state":"SHIPPED"}}]}},"size":0,"track_total_hits":true}`},
	{"agg-state", `{"size":0,"aggs":{"s":{"terms":{"field":"state"}}}}`},
	{"agg-state-filtered", `{"size":0,"query":{"range":{"updatedAt":{"gte":1714521%03d000}}},"aggs":{"s":{"terms":{"field":"state"}}}}`},
	{"agg-product-avg", `{"size":0,"aggs":{"s":{"terms":{"field":"product"},"aggs":{"a":{"avg":{"field":"price"}}}}}}`},
	{"agg-customers", `{"size":0,"query":{"term":{"state":"FAILED"}},"aggs":{"s":{"terms":{"field":"customerId","size":10,"order":{"p":"desc"}},"aggs":{"p":{"sum":{"field":"price"}}}}}}`},
	{"agg-hours", `{"size":0,"aggs":{"s":{"date_histogram":{"field":"updatedAt","calendar_interval":"hour"}}}}`},
	{"agg-state-by-hour", `{"size":0,"query":{"range":{"updatedAt":{"gte":1714521%03d000}}},"aggs":{"d":{"date_histogram":{"field":"updatedAt","fixed_interval":"30m","time_zone":"Europe/Berlin","min_doc_count":1},"aggs":{"s":{"terms":{"field":"state"}}}}}}`},
	{"agg-prices", `{"size":0,"aggs":{"h":{"histogram":{"field":"price","interval":10}},"r":{"range":{"field":"price","ranges":[{"to":50},{"from":50,"to":100},{"from":100}]}}}}`},
	{"agg-stats", `{"size":0,"query":{"term":{"state":"FAILED"}},"aggs":{"s":{"stats":{"field":"price"}}}}`},
	{"agg-percentiles", `{"size":0,"aggs":{"p":{"percentiles":{"field":"price"}}}}`},
	{"agg-cardinality", `{"size":0,"aggs":{"c":{"cardinality":{"field":"customerId"}},"i":{"cardinality":{"field":"id"}}}}`},
	{"agg-composite", `{"size":0,"aggs":{"c":{"composite":{"size":100,"sources":[{"d":{"date_histogram":{"field":"updatedAt","calendar_interval":"day"}}},{"s":{"terms":{"field":"state"}}}]}}}}`},
	{"agg-filters", `{"size":0,"aggs":{"f":{"filters":{"filters":{"dear":{"range":{"price":{"gte":150}}},"failed":{"term":{"state":"FAILED"}}}},"aggs":{"q":{"sum":{"field":"quantity"}}}}}}`},
}

// benchIndex gives the folder of a server with so many orders. It is
// ORDERFLOW_BENCH_DIR where that is set, and filled only when it is empty.
func benchIndex(b *testing.B, orders int) string {
	b.Helper()
	dir := os.Getenv("ORDERFLOW_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	} else {
		dir = filepath.Join(dir, strconv.Itoa(orders))
	}
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return dir
	}
	require.NoError(b, os.MkdirAll(dir, 0o755))
	srv := openQuiet(b, dir)
	from := 0
	if status, _ := call(b, srv, http.MethodHead, "/orders.v1", ""); status == http.StatusOK { // a run that didn't come to its end
		from = int(must(b, srv, http.MethodGet, "/orders.v1/_count", "")["count"].(float64))
	} else {
		putTemplate(b, srv)
		must(b, srv, http.MethodPut, "/orders.v1", `{"mappings":{"properties":{"note":{"type":"text"}}}}`)
	}
	notedOrders(b, srv, from, orders)
	must(b, srv, http.MethodPost, "/_refresh", "")
	require.NoError(b, srv.Stop())
	require.NoError(b, os.WriteFile(done, nil, 0o644))
	return dir
}

// notedOrders writes orders with a few words each.
func notedOrders(b *testing.B, srv *search.Server, from, orders int) {
	b.Helper()
	const size = 1000
	colours := []string{"red", "green", "blue", "yellow", "white", "black", "grey"}
	for from -= from % size; from < orders; from += size {
		var body strings.Builder
		for i := from; i < min(from+size, orders); i++ {
			order := strings.TrimSuffix(benchOrder(i), "}")
			fmt.Fprintf(&body, `{"index":{"_id":"order-%08d"}}`+"\n"+`%s,"note":"%s order %d"}`+"\n", i*7919%100000000, order, colours[i%len(colours)], i%1000)
		}
		must(b, srv, http.MethodPost, "/orders.v1/_bulk", body.String())
	}
}

// BenchmarkSearch runs searches and aggregations over orders and tells, in
// milliseconds, the median and the slowest of a hundred of one client (p50, p99)
// and of eight at once (p50-of-8, p99-of-8), the first one after a
// start (cold), and the time of a processor that one takes, which others on
// the machine hardly change: by itself (p50-work, p99-work), and of all that the
// process does on average (cpu).
// Answers as a whole aren't kept. ORDERFLOW_BENCH_ORDERS says how many orders, ORDERFLOW_BENCH_DIR
// where their index is kept for the next run.
func BenchmarkSearch(b *testing.B) {
	const clients, warmUp = 8, 3
	dir := benchIndex(b, benchOrders(b, 50000))
	for _, s := range benchSearches {
		b.Run(s.name, func(b *testing.B) {
			began := time.Now()
			srv := openQuiet(b, dir)
			opened := time.Since(began)
			cold := timed(b, srv, s.body, 0)
			for i := range warmUp {
				timed(b, srv, s.body, i+1)
			}
			var took, worked []time.Duration
			runtime.LockOSThread()
			for i := 0; b.Loop(); i++ {
				before := spent(b, syscall.RUSAGE_THREAD)
				took = append(took, timed(b, srv, s.body, i))
				worked = append(worked, spent(b, syscall.RUSAGE_THREAD)-before)
			}
			b.StopTimer()
			runtime.UnlockOSThread()
			b.ReportMetric(millis(opened), "ms-open")
			b.ReportMetric(millis(cold), "ms-cold")
			report(b, took, "")
			report(b, worked, "-work")
			before := spent(b, syscall.RUSAGE_SELF)
			many := concurrently(b, srv, s.body, clients, len(took))
			b.ReportMetric(millis(spent(b, syscall.RUSAGE_SELF)-before)/float64(len(many)), "ms-cpu")
			report(b, many, "-of-8")
			b.ReportMetric(0, "ns/op")
			require.NoError(b, srv.Stop())
		})
	}
	b.Run("memory", func(b *testing.B) {
		srv := openQuiet(b, dir)
		for b.Loop() {
			for _, s := range benchSearches {
				timed(b, srv, s.body, 0)
				timed(b, srv, s.body, 1)
			}
		}
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "MB-heap")
		b.ReportMetric(resident(b), "MB-resident")
		require.NoError(b, srv.Stop())
	})
}

func openQuiet(b *testing.B, dir string) *search.Server {
	b.Helper()
	srv, err := search.New(search.Config{DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	require.NoError(b, srv.Open())
	return srv
}

func timed(b *testing.B, srv *search.Server, body string, i int) time.Duration {
	if strings.Contains(body, "%") {
		body = fmt.Sprintf(body, i*13%1000)
	}
	began := time.Now()
	status, answer := call(b, srv, http.MethodPost, "/orders.v1/_search?request_cache=false", body)
	took := time.Since(began)
	require.Equal(b, http.StatusOK, status, answer)
	return took
}

// concurrently lets some clients share a number of requests.
func concurrently(b *testing.B, srv *search.Server, body string, clients, requests int) []time.Duration {
	took := make([]time.Duration, requests)
	var next atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(requests); i = next.Add(1) - 1 {
				took[i] = timed(b, srv, body, int(i))
			}
		})
	}
	all.Wait()
	return took
}

// spent is the time that the process, or the thread, has had of the processors.
func spent(b *testing.B, of int) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(of, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func report(b *testing.B, took []time.Duration, suffix string) {
	slices.Sort(took)
	b.ReportMetric(millis(took[len(took)/2]), "ms-p50"+suffix)
	b.ReportMetric(millis(took[len(took)*99/100]), "ms-p99"+suffix)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
