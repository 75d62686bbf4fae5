package search_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/connectors"
	embedded "github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
)

// server starts an embedded search server and gives its URL.
func server(t *testing.T) string {
	t.Helper()
	srv, err := embedded.New(embedded.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, srv.Stop()) })
	return "http://" + srv.Addr()
}

func client(t *testing.T, url string) *search.Client {
	t.Helper()
	c, err := search.New(search.Config{URL: url})
	require.NoError(t, err)
	return c
}

// TestOrders fills the index with go-elasticsearch's bulk indexer, under the
// template that the connectors bring, and looks for orders.
func TestOrders(t *testing.T) {
	url := server(t)
	c := client(t, url)
	require.NoError(t, c.Ping(t.Context()))
	health, err := c.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, search.Health{Status: "green", Nodes: 1}, health)

	_, err = c.Orders(t.Context(), search.Query{Size: 1})
	require.Error(t, err)
	assert.True(t, search.IsNotFound(err), err)

	template, err := connectors.Files.ReadFile("elasticsearch/orders.v1.json")
	require.NoError(t, err)
	require.NoError(t, c.ApplyTemplate(t.Context(), "orders.v1", template))

	orders := fill(t, url)
	require.NoError(t, c.Refresh(t.Context(), search.OrdersIndex))

	customer := int64(3)
	tests := map[string]struct {
		query search.Query
		want  func(search.Order) bool
	}{
		"all":               {search.Query{Size: 100}, func(search.Order) bool { return true }},
		"of a customer":     {search.Query{Size: 100, CustomerID: &customer}, func(o search.Order) bool { return o.CustomerID == 3 }},
		"in a state":        {search.Query{Size: 100, State: "FAILED"}, func(o search.Order) bool { return o.State == "FAILED" }},
		"by product, state": {search.Query{Size: 100, Product: "JUMPERS", State: "CREATED"}, func(o search.Order) bool { return o.Product == "JUMPERS" && o.State == "CREATED" }},
		"from a time on":    {search.Query{Size: 100, Since: updated(10)}, func(o search.Order) bool { return !o.UpdatedAt.Before(updated(10)) }},
		"until a time":      {search.Query{Size: 100, Since: updated(3), Before: updated(5)}, func(o search.Order) bool { return o.Quantity == 3 || o.Quantity == 4 }},
		"by a word":         {search.Query{Size: 100, Text: "order-007"}, func(o search.Order) bool { return o.ID == "order-007" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			page, err := c.Orders(t.Context(), tt.query)
			require.NoError(t, err)
			want := []search.Order{}
			for _, o := range orders {
				if tt.want(o) {
					want = append(want, o)
				}
			}
			assert.NotEmpty(t, want)
			assert.Equal(t, want, page.Orders)
			assert.EqualValues(t, len(want), page.Total)
		})
	}
	page, err := c.Orders(t.Context(), search.Query{From: 10, Size: 5})
	require.NoError(t, err)
	assert.Equal(t, orders[10:15], page.Orders)
	assert.EqualValues(t, len(orders), page.Total)

	page, err = c.Orders(t.Context(), search.Query{Size: 3, After: orders[11].ID})
	require.NoError(t, err)
	assert.Equal(t, orders[12:15], page.Orders)
	assert.EqualValues(t, len(orders), page.Total)

	_, err = c.Orders(t.Context(), search.Query{From: 1, Size: 1, After: "order-000"})
	require.ErrorContains(t, err, "not both")
	_, err = c.Orders(t.Context(), search.Query{From: 9999, Size: 2})
	require.ErrorContains(t, err, "at most 10000 together")
}

// updated is the time of an order's latest record.
func updated(i int) time.Time { return time.Date(2026, 3, 1, 0, i, 0, 1e6, time.UTC) }

// fill indexes orders in bulk, as the connector writes them.
func fill(t *testing.T, url string) []search.Order {
	t.Helper()
	es, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{url}, CompressRequestBody: true, EnableCompatibilityMode: true})
	require.NoError(t, err)
	bulk, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: es, Index: search.OrdersIndex, NumWorkers: 1, FlushBytes: 2000})
	require.NoError(t, err)
	var failed atomic.Int64
	var orders []search.Order
	for i := range 40 {
		o := search.Order{UpdatedAt: updated(i), Order: order.Order{
			ID: fmt.Sprintf("order-%03d", i), CustomerID: int64(i % 7), State: []order.State{"CREATED", "VALIDATED", "FAILED"}[i%3],
			Product: []order.Product{"JUMPERS", "UNDERPANTS"}[i%2], Quantity: int32(i), Price: float64(i) + 0.25,
		}}
		orders = append(orders, o)
		raw, err := json.Marshal(struct {
			order.Order
			UpdatedAt int64 `json:"updatedAt"`
		}{o.Order, o.UpdatedAt.UnixMilli()})
		require.NoError(t, err)
		version := int64(i)
		require.NoError(t, bulk.Add(t.Context(), esutil.BulkIndexerItem{
			Action: "index", DocumentID: o.ID, Version: &version, VersionType: "external", Body: bytes.NewReader(raw),
			OnFailure: func(_ context.Context, _ esutil.BulkIndexerItem, _ esutil.BulkIndexerResponseItem, _ error) {
				failed.Add(1)
			},
		}))
	}
	require.NoError(t, bulk.Close(t.Context()))
	assert.Zero(t, failed.Load())
	assert.EqualValues(t, 40, bulk.Stats().NumFlushed)
	return orders
}

// TestRoundTrip goes through documents with go-elasticsearch's own calls.
func TestRoundTrip(t *testing.T) {
	es, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{server(t)}})
	require.NoError(t, err)
	res, err := es.Index("things", bytes.NewReader([]byte(`{"name":"Ada","n":1}`)), es.Index.WithDocumentID("1"), es.Index.WithRefresh("true"))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, res.StatusCode, res)
	res, err = es.Update("things", "1", bytes.NewReader([]byte(`{"doc":{"n":2}}`)))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, res)
	res, err = es.Get("things", "1")
	require.NoError(t, err)
	assert.Contains(t, res.String(), `"_source":{"name":"Ada","n":2}`)
	res, err = es.Indices.Exists([]string{"things"})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	res, err = es.Search(es.Search.WithIndex("things"), es.Search.WithQuery("name:ada"))
	require.NoError(t, err)
	assert.Contains(t, res.String(), `"total":{"value":1,"relation":"eq"}`)
	res, err = es.Delete("things", "1")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	res, err = es.Cat.Indices(es.Cat.Indices.WithFormat("json"))
	require.NoError(t, err)
	assert.Contains(t, res.String(), `"docs.count":"0"`)
}

func TestErrors(t *testing.T) {
	answer, status := "", 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	c := client(t, srv.URL)
	for _, tt := range []struct {
		status       int
		answer, want string
	}{
		{400, `{"error":{"type":"parsing_exception","reason":"unknown query [x]"},"status":400}`, "status 400, parsing_exception: unknown query [x]"},
		{405, `{"error":"Incorrect HTTP method","status":405}`, "status 405: Incorrect HTTP method"},
		{502, `Bad Gateway from a proxy`, "status 502: Bad Gateway from a proxy"},
		{503, ``, "status 503: Service Unavailable"},
	} {
		status, answer = tt.status, tt.answer
		err := c.Ping(t.Context())
		require.ErrorContains(t, err, tt.want)
	}
	srv.Close()
	require.ErrorContains(t, c.Ping(t.Context()), "is it running there?")

	_, err := search.New(search.Config{URL: "localhost:9200"})
	require.ErrorContains(t, err, "is not http://host:port")
}
