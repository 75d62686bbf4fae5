package search_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// bulkOrders writes orders, many in a request.
func bulkOrders(b *testing.B, srv *search.Server, from, to int) {
	b.Helper()
	const size = 500
	for ; from < to; from += size {
		var body strings.Builder
		for i := from; i < min(from+size, to); i++ {
			fmt.Fprintf(&body, `{"index":{"_id":"o%d"}}`+"\n%s\n", i, order(fmt.Sprintf("o%d", i), i%9))
		}
		must(b, srv, http.MethodPost, "/orders.v1/_bulk", body.String())
	}
}

func openBench(b *testing.B, dir string) *search.Server {
	b.Helper()
	srv, err := search.New(search.Config{DataDir: dir})
	require.NoError(b, err)
	require.NoError(b, srv.Open())
	return srv
}

// BenchmarkBulk writes 20,000 orders and waits until all are found; it tells how
// long an empty server and a filled one take to open, and the memory.
func BenchmarkBulk(b *testing.B) {
	const orders = 20000
	for b.Loop() {
		dir, err := os.MkdirTemp(b.TempDir(), "")
		require.NoError(b, err)
		began := time.Now()
		srv := openBench(b, dir)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-open-empty")
		began = time.Now()
		bulkOrders(b, srv, 0, orders)
		must(b, srv, http.MethodPost, "/_refresh", "")
		b.ReportMetric(orders/time.Since(began).Seconds(), "orders/s")
		began = time.Now()
		require.Len(b, found(b, srv, "/orders.v1/_search", `{"query":{"match":{"id":"o77"}}}`), 1)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-search")
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "MB-heap")
		require.NoError(b, srv.Stop())
		began = time.Now()
		srv = openBench(b, dir)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-open-filled")
		require.NoError(b, srv.Stop())
	}
}
