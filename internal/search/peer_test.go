//go:build peers

package search_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/connectors"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/peers"
	"github.com/orderflow/orderflow/internal/search"
)

// TestPeerElasticsearchFindsTheSameOrders puts the connectors' template and documents
// as the sink connector writes them into a real Elasticsearch and the embedded one,
// and asks both what the API asks.
func TestPeerElasticsearchFindsTheSameOrders(t *testing.T) {
	urls := []string{peers.Elasticsearch(t), server(t)}
	template, err := connectors.Files.ReadFile("elasticsearch/orders.v1.json")
	require.NoError(t, err)
	var clients []*search.Client
	for _, url := range urls {
		c := client(t, url)
		require.NoError(t, c.ApplyTemplate(t.Context(), "orders.v1", template))
		var body strings.Builder
		for i := range 300 {
			state, product := []order.State{order.Created, order.Validated, order.Failed, order.Shipped}[i%4], order.Products[i%3]
			fmt.Fprintf(&body, `{"index":{"_index":"orders.v1","_id":"o-%03d","version":%d,"version_type":"external"}}`+"\n", i, i)
			fmt.Fprintf(&body, `{"id":"o-%03d","customerId":%d,"state":%q,"product":%q,"quantity":%d,"price":%d.5,"updatedAt":%d}`+"\n", i, i%7, state, product, i%5, i%90, 1714521600000+int64(i)*1000)
		}
		res, err := http.Post(url+"/_bulk?refresh=true", "application/x-ndjson", strings.NewReader(body.String()))
		require.NoError(t, err)
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Contains(t, string(raw), `"errors":false`)
		clients = append(clients, c)
	}
	customer := int64(3)
	for _, q := range []search.Query{
		{Size: 20}, {State: order.Failed, Size: 10}, {CustomerID: &customer, Size: 50}, {Product: order.Jumpers, State: order.Shipped, Size: 10, From: 5},
		{Text: "FAILED", Size: 10}, {Text: "o-017", Size: 10}, {Text: "3", Size: 10}, {After: "o-100", Size: 30}, {State: order.Created, After: "o-150", Size: 7}, {Text: "nothing", Size: 3},
	} {
		want, err := clients[0].Orders(t.Context(), q)
		require.NoError(t, err)
		got, err := clients[1].Orders(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, want, got, "%+v", q)
	}
	var all [2][]search.Document
	for i, c := range clients {
		require.NoError(t, c.Documents(t.Context(), search.OrdersIndex, "id", func(d search.Document) error {
			all[i] = append(all[i], d)
			return nil
		}))
		found, err := c.Get(t.Context(), search.OrdersIndex, []string{"o-001", "nobody"})
		require.NoError(t, err)
		assert.Len(t, found, 1)
		require.NoError(t, c.DeleteIndex(t.Context(), search.OrdersIndex))
		require.NoError(t, c.DeleteIndex(t.Context(), search.OrdersIndex))
	}
	require.Len(t, all[0], 300)
	assert.Equal(t, all[0], all[1])
}
