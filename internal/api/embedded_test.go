package api_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/orderflow/orderflow/internal/api"
	"github.com/orderflow/orderflow/internal/email"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
	ksqldbserver "github.com/orderflow/orderflow/internal/embedded/ksqldb/server"
	"github.com/orderflow/orderflow/internal/embeddedtest"
	"github.com/orderflow/orderflow/internal/inventory"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/telemetry"
	"github.com/orderflow/orderflow/migrations"
)

// startEverything runs the services over embedded servers and the project's own
// migrations, and returns the API's address.
func startEverything(t *testing.T, tracing *telemetry.Tracing, elasticsearch string) (string, kafka.Config) {
	t.Helper()
	ctx := t.Context()
	cfg := embeddedtest.Start(t)
	ids := embeddedtest.ApplyTopics(t, cfg)

	ksqlServer, err := ksqldbserver.New(ksqldbserver.Config{Listen: "127.0.0.1:0", Config: engine.Config{
		Brokers: cfg.Brokers, SchemaRegistry: cfg.SchemaRegistry, DataDir: t.TempDir(),
	}})
	require.NoError(t, err)
	require.NoError(t, ksqlServer.Start(ctx))
	t.Cleanup(func() { assert.NoError(t, ksqlServer.Stop()) })
	ksqlConfig := ksql.Config{URL: "http://" + ksqlServer.Addr()}
	ksqlClient, err := ksql.New(ksqlConfig)
	require.NoError(t, err)
	defer ksqlClient.Close()
	migrator, err := migrate.New(migrate.Config{Client: ksqlClient, FS: migrations.FS, Resolver: ids.LatestID})
	require.NoError(t, err)
	_, err = migrator.Apply(ctx, migrate.ApplyOptions{All: true})
	require.NoError(t, err)

	cfg.Options = tracing.KafkaOptions()
	apiService, err := api.New(api.Config{Listen: "127.0.0.1:0", Kafka: cfg, Ksql: ksqlConfig, Elasticsearch: elasticsearch, Tracing: tracing})
	require.NoError(t, err)
	stock, err := inventory.New(inventory.Config{Kafka: cfg, Tracing: tracing})
	require.NoError(t, err)
	mail, err := email.New(email.Config{Kafka: cfg, Tracing: tracing})
	require.NoError(t, err)
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 3)
	for _, run := range []func(context.Context) error{apiService.Run, stock.Run, mail.Run} {
		go func() { done <- run(running) }()
	}
	t.Cleanup(func() {
		cancel()
		for range cap(done) {
			assert.NoError(t, <-done)
		}
	})
	require.Eventually(t, func() bool { return apiService.Ready() && stock.Ready() && mail.Ready() }, 30*time.Second, time.Millisecond)
	return "http://" + apiService.Addr(), cfg
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(data)
}

func newOrder(id, quantity string) string {
	return `{"id":"` + id + `","customerId":7,"state":"CREATED","product":"JUMPERS","quantity":` + quantity + `,"price":9.5}`
}

func TestOrdersFromPostToEmailOnEmbeddedServers(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	base, cfg := startEverything(t, telemetry.TracingTo(spans), "")
	ann := map[string]any{"id": int64(7), "firstName": "Ann", "lastName": "Able", "email": "ann@example.com", "address": "1 Main St", "level": "gold"}
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: "customers", Key: binary.BigEndian.AppendUint64(nil, 7), Value: kafkatest.Encode(t, cfg, order.ValueSubject("customers"), ann)})
	var code int
	var body string
	require.Eventually(t, func() bool {
		code, body = request(t, "GET", base+"/v1/customers/7", "")
		return code == http.StatusOK
	}, 20*time.Second, 5*time.Millisecond)
	assert.JSONEq(t, `{"id":7,"firstName":"Ann","lastName":"Able","email":"ann@example.com","address":"1 Main St","level":"gold"}`, body)
	code, body = request(t, "GET", base+"/v1/customers/8", "")
	assert.Equal(t, http.StatusNotFound, code, body)

	code, body = request(t, "PUT", base+"/v1/inventory/JUMPERS", `{"quantity":5}`)
	require.Equal(t, http.StatusOK, code, body)
	code, body = request(t, "POST", base+"/v1/orders:batch", `{"orders":[`+newOrder("good", "2")+`,`+newOrder("none", "0")+`]}`)
	require.Equal(t, http.StatusOK, code, body)
	code, body = request(t, "GET", base+"/v1/orders/good/validated?timeout=30000", "")
	require.Equal(t, http.StatusOK, code, body)
	assert.Contains(t, body, "VALIDATED")
	code, body = request(t, "POST", base+"/v1/orders", newOrder("greedy", "4"))
	require.Equal(t, http.StatusCreated, code, body)
	code, body = request(t, "GET", base+"/v1/orders/greedy/validated?timeout=30000", "")
	require.Equal(t, http.StatusOK, code, body)
	assert.Contains(t, body, `"state":"FAILED"`)
	assert.Contains(t, body, `"failures":[{"check":"INVENTORY_CHECK","result":"FAIL","detail":"4 units of JUMPERS were asked for, 3 were available."}]`)
	code, body = request(t, "POST", base+"/v1/payments", `{"id":"p-1","orderId":"good","ccy":"EUR","amount":19}`)
	require.Equal(t, http.StatusCreated, code, body)

	for _, id := range []string{`'; DROP TABLE orders_by_id; --`, `x') OR ('1'='1`, `" OR 1=1 /*`} {
		quoted, err := json.Marshal(id)
		require.NoError(t, err)
		hostile := strings.Replace(newOrder("ID", "1"), `"ID"`, string(quoted), 1)
		code, body = request(t, "GET", base+"/v1/orders/"+url.PathEscape(id)+"?timeout=0", "")
		require.Equal(t, http.StatusNotFound, code, body)
		code, body = request(t, "POST", base+"/v1/orders", hostile)
		require.Equal(t, http.StatusCreated, code, body)
		code, body = request(t, "GET", base+"/v1/orders/"+url.PathEscape(id)+"/validated?timeout=30000", "")
		require.Equal(t, http.StatusOK, code, body)
		assert.Contains(t, body, string(quoted))
		code, body = request(t, "POST", base+"/v1/orders", hostile)
		require.Equal(t, http.StatusOK, code, body)
	}
	code, body = request(t, "POST", base+"/v1/orders/good/ship", "")
	require.Equal(t, http.StatusOK, code, body)

	type history struct {
		Complete bool
		Failures []struct{ Check, Detail string }
		Events   []struct{ Kind string }
	}
	read := func(id string) (h history) {
		code, body := request(t, "GET", base+"/v1/orders/"+id+"/history", "")
		require.Equal(t, http.StatusOK, code, body)
		require.NoError(t, json.Unmarshal([]byte(body), &h))
		assert.True(t, h.Complete)
		return h
	}
	count := func(h history) map[string]int {
		kinds := map[string]int{}
		for _, e := range h.Events {
			kinds[e.Kind]++
		}
		return kinds
	}
	want := map[string]int{"ORDER": 3, "CHECK": 3, "RESERVATION": 2, "SHIPMENT": 1, "PAYMENT": 1, "EMAIL": 1}
	require.Eventually(t, func() bool {
		kinds := count(read("good"))
		return kinds["EMAIL"] == 1 && kinds["RESERVATION"] == 2
	}, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, want, count(read("good")))
	assert.Empty(t, read("good").Failures)
	greedy := read("greedy").Failures
	require.Len(t, greedy, 1)
	assert.Equal(t, "INVENTORY_CHECK", greedy[0].Check)
	assert.Equal(t, "4 units of JUMPERS were asked for, 3 were available.", greedy[0].Detail)
	code, body = request(t, "GET", base+"/v1/orders/none/validated?timeout=30000", "")
	require.Equal(t, http.StatusOK, code, body)
	require.Eventually(t, func() bool { return len(read("none").Failures) == 2 }, 20*time.Second, 5*time.Millisecond)

	// One trace follows the order through services that know nothing of each other.
	inTrace := func() map[string]int {
		names := map[string]int{}
		for _, s := range spans.GetSpans() {
			if s.SpanContext.TraceID().String() == telemetry.OrderTrace("good") {
				names[s.Name]++
			}
		}
		return names
	}
	trace := map[string]int{
		"order received": 1, "orders.v1 publish": 1, "order acknowledged": 1, "stock reserved": 1, "order-validations.v1 publish": 1,
		"order inventory_check": 1, "order fraud_check": 1, "order order_details_check": 1, "order decided": 1, "order final_seen": 1,
		"payment received": 1, "payments.v1 publish": 1, "e-mail sent": 1, "email-ledger.v1 publish": 1, "shipment requested": 1, "shipments.v1 publish": 1,
	}
	require.Eventually(t, func() bool { return len(inTrace()) == len(trace) }, 10*time.Second, 5*time.Millisecond, "%v", inTrace())
	assert.Equal(t, trace, inTrace())
	orders := kafkatest.Consume(t, cfg, order.TopicOrders, func(r []*kgo.Record) bool { return len(r) >= 6 })
	traced := 0
	for _, rec := range orders {
		for _, h := range rec.Headers {
			if string(rec.Key) == "good" && h.Key == "traceparent" {
				traced++
				assert.Contains(t, string(h.Value), telemetry.OrderTrace("good"))
			}
		}
	}
	assert.Positive(t, traced, "what the API wrote tells of its trace")
	code, body = request(t, "GET", base+"/metrics", "")
	require.Equal(t, http.StatusOK, code)
	for _, stage := range []string{"acknowledged", "inventory_check", "fraud_check", "order_details_check", "decided", "final_seen"} {
		assert.Regexp(t, `orderflow_order_stage_duration_seconds_count{stage="`+stage+`"} [1-9]`, body)
	}
}
