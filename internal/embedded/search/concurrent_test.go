package search_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/search"
)

// TestManyAtOnce writes, searches, and deletes an index at the same time; every
// answer is a success or an error of the client's making.
func TestManyAtOnce(t *testing.T) {
	srv := open(t, search.Config{DataDir: t.TempDir(), RefreshInterval: time.Millisecond})
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 60 {
				method, path, body := http.MethodPut, fmt.Sprintf("/orders.v1/_doc/o%d", i), order("o", i)
				switch {
				case worker == 1:
					method, path, body = http.MethodPost, "/orders.v1/_search?ignore_unavailable=true", `{"query":{"match":{"product":"jumpers"}},"sort":[{"quantity":{"order":"desc","unmapped_type":"long"}}]}`
				case worker == 2 && i%20 == 19:
					method, path, body = http.MethodDelete, "/orders.v1", ""
				case worker == 3:
					path += "?refresh=true"
				}
				status, answer := call(t, srv, method, path, body)
				assert.True(t, status < 300 || status == http.StatusNotFound || status == http.StatusBadRequest, "%d %s", status, answer)
			}
		})
	}
	wg.Wait()
	must(t, srv, http.MethodPut, "/orders.v1/_doc/last?refresh", order("last", 1))
	assert.Contains(t, found(t, srv, "/orders.v1/_search?size=100", ""), "last")
}
