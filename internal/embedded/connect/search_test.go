package connect_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/connectors"
	"github.com/orderflow/orderflow/internal/embedded/search"
)

func TestOrdersAreFoundInTheEmbeddedElasticsearch(t *testing.T) {
	s := newStack(t)
	o := newOrders(s)
	es, err := search.New(search.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir(), Logger: testLogger()})
	require.NoError(t, err)
	require.NoError(t, es.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, es.Stop()) })
	base := "http://" + es.Addr()
	template, err := os.ReadFile("../../../connectors/elasticsearch/orders.v1.json")
	require.NoError(t, err)
	def := connectors.Definition{Templates: []connectors.Template{{Name: "orders.v1", Body: template}}}
	require.NoError(t, connectors.PutTemplates(t.Context(), def, base, nil))
	config := connectorFile(t, "orders.v1.json", map[string]string{
		"ORDERFLOW_CONNECT_ELASTICSEARCH": s.serve(es.Handler()), "ORDERFLOW_CONNECT_SCHEMA_REGISTRY": s.registryURL,
	})
	s.create("orders.v1", config)
	o.produce("o-1", "CREATED")
	o.produce("o-1", "VALIDATED")
	get := func(path string) string {
		res, err := http.Get(base + path)
		require.NoError(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(raw)
	}
	s.waitFor("the order", func() bool { return strings.Contains(get("/orders.v1/_doc/o-1"), "VALIDATED") })
	assert.Contains(t, get("/orders.v1/_doc/o-1"), `"_version":1`)
	assert.Contains(t, get("/orders.v1/_mapping"), `"state":{"type":"keyword"}`)
	assert.Regexp(t, `"updatedAt":1\d{12}\b`, get("/orders.v1/_doc/o-1"), "the record's time in milliseconds")
}
