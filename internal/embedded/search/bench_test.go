package search_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/connectors"
	"github.com/orderflow/orderflow/internal/embedded/search"
)

// benchOrder is an order as the sink connector writes it.
func benchOrder(i int) string {
	states, products := []string{"CREATED", "VALIDATED", "FAILED", "SHIPPED"}, []string{"JUMPERS", "UNDERPANTS", "STOCKINGS"}
	return fmt.Sprintf(`{"id":"order-%08d","customerId":%d,"state":%q,"product":%q,"quantity":%d,"price":%d.%02d,"updatedAt":%d}`,
		i*7919%100000000, i*31%1000, states[i%7%4], products[i%3], i%9, i%200, i*37%100, 1714521600000+int64(i)*50)
}

// bulkOrders writes orders, many in a request.
func bulkOrders(b *testing.B, srv *search.Server, from, to int) {
	b.Helper()
	const size = 1000
	for ; from < to; from += size {
		var body strings.Builder
		for i := from; i < min(from+size, to); i++ {
			fmt.Fprintf(&body, `{"index":{"_id":"order-%08d"}}`+"\n%s\n", i*7919%100000000, benchOrder(i))
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

// putTemplate installs the product's own template.
func putTemplate(b *testing.B, srv *search.Server) {
	b.Helper()
	raw, err := fs.ReadFile(connectors.Files, "elasticsearch/orders.v1.json")
	require.NoError(b, err)
	must(b, srv, http.MethodPut, "/_index_template/orders.v1", string(raw))
}

func resident(b *testing.B) float64 {
	b.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	require.NoError(b, err)
	pages, err := strconv.ParseFloat(strings.Fields(string(raw))[1], 64)
	require.NoError(b, err)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// processorTime is what the process has used of all processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBulk writes orders in bulks of 1,000 and waits until all are found; it
// tells what an order takes of a processor, how long an empty server and a filled one take to open, the memory, and
// the bytes on disk. ORDERFLOW_BENCH_ORDERS sets how many, 50,000 by default;
// above a million it takes minutes.
func BenchmarkBulk(b *testing.B) {
	orders := benchOrders(b, 50000)
	for b.Loop() {
		dir, err := os.MkdirTemp(b.TempDir(), "")
		require.NoError(b, err)
		began := time.Now()
		srv := openBench(b, dir)
		putTemplate(b, srv)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-open-empty")
		began = time.Now()
		used := processorTime(b)
		bulkOrders(b, srv, 0, orders)
		must(b, srv, http.MethodPost, "/_refresh", "")
		b.ReportMetric(float64(orders)/time.Since(began).Seconds(), "orders/s")
		b.ReportMetric(float64((processorTime(b)-used).Microseconds())/float64(orders), "µs-cpu/order")
		b.ReportMetric(resident(b), "MB-resident")
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "MB-heap")
		require.NoError(b, srv.Stop())
		b.ReportMetric(float64(diskBytes(b, dir))/float64(orders), "B/order")
		began = time.Now()
		srv = openBench(b, dir)
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-open-filled")
		require.NoError(b, srv.Stop())
	}
}

func benchOrders(b *testing.B, usual int) int {
	b.Helper()
	text := os.Getenv("ORDERFLOW_BENCH_ORDERS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(b, err)
	return n
}

func diskBytes(b *testing.B, dir string) int64 {
	b.Helper()
	total := int64(0)
	require.NoError(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	}))
	return total
}
