package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/order"
)

// tables answers the API's queries in ksqlDB's protocol, from what stands in the topics.
type tables struct {
	registry *kafka.Registry

	mu       sync.Mutex
	still    bool            // what comes is left out
	read     map[int32]int64 // up to where orders.v1 is in the table
	orders   map[string]order.Order
	payments map[string]order.Payment
	log      []order.Order
	grown    chan struct{}
	fraud    string
}

func startTables(t *testing.T, cfg kafka.Config) (*tables, string) {
	t.Helper()
	reg, err := kafka.NewRegistry(cfg)
	require.NoError(t, err)
	tb := &tables{registry: reg, orders: map[string]order.Order{}, payments: map[string]order.Payment{}, grown: make(chan struct{}), read: map[int32]int64{}}
	client, err := kafka.NewClient(cfg, kgo.ConsumeTopics(order.TopicOrders, order.TopicPayments, order.TopicShipments), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { tb.add(t, rec) })
		}
	}()
	srv := httptest.NewServer(tb)
	t.Cleanup(func() {
		cancel()
		<-done
		client.Close()
		srv.CloseClientConnections()
		srv.Close()
	})
	return tb, srv.URL
}

func (tb *tables) add(t *testing.T, rec *kgo.Record) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.still {
		return
	}
	if rec.Topic == order.TopicPayments {
		var p order.Payment
		assert.NoError(t, tb.registry.Decode(t.Context(), rec.Value, &p))
		tb.payments[p.ID] = p
		return
	}
	var o order.Order
	if rec.Topic == order.TopicShipments {
		var s order.Shipment
		assert.NoError(t, tb.registry.Decode(t.Context(), rec.Value, &s))
		o = order.Order{ID: s.OrderID, CustomerID: s.CustomerID, State: order.Shipped, Product: s.Product, Quantity: s.Quantity, Price: s.Price}
	} else {
		assert.NoError(t, tb.registry.Decode(t.Context(), rec.Value, &o))
		tb.read[rec.Partition] = rec.Offset + 1
	}
	assert.Equal(t, o.ID, string(rec.Key))
	tb.orders[o.ID] = o
	tb.log = append(tb.log, o)
	close(tb.grown)
	tb.grown = make(chan struct{})
}

var literal = regexp.MustCompile(`'((?:[^']|'')*)'`)

func (tb *tables) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct{ SQL string }
	if r.URL.Path == "/ksql" {
		tb.describe(w)
		return
	}
	if r.URL.Path != "/query-stream" || json.NewDecoder(r.Body).Decode(&q) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.ksqlapi.delimited.v1")
	line := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	header := func(names, types string) {
		line(map[string]any{"queryId": "q", "columnNames": strings.Fields(names), "columnTypes": strings.Fields(types)})
	}
	row := func(o order.Order) { line([]any{o.ID, o.CustomerID, o.State, o.Product, o.Quantity, o.Price}) }
	const orderNames, orderTypes = "ID CUSTOMERID STATE PRODUCT QUANTITY PRICE", "STRING BIGINT STRING STRING INTEGER DOUBLE"
	switch {
	case strings.Contains(q.SQL, "ORDER_STATES"):
		header(orderNames, orderTypes)
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, m := range literal.FindAllStringSubmatch(q.SQL, -1) {
			if o, ok := tb.orders[strings.ReplaceAll(m[1], "''", "'")]; ok {
				row(o)
			}
		}
	case strings.Contains(q.SQL, "PAYMENTS_BY_ID"):
		header("PAYMENTID ORDERID CCY AMOUNT", "STRING STRING STRING DOUBLE")
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, m := range literal.FindAllStringSubmatch(q.SQL, -1) {
			if p, ok := tb.payments[m[1]]; ok {
				line([]any{p.ID, p.OrderID, p.Currency, p.Amount})
			}
		}
	case strings.Contains(q.SQL, "ORDER_SUBMISSIONS"):
		header("ID N ROWTIME", "STRING BIGINT BIGINT")
		line([]any{"o-1", 1, time.Now().UnixMilli()})
	case strings.Contains(q.SQL, "ORDERS_STREAM"):
		header(orderNames, orderTypes)
		tb.mu.Lock()
		next := len(tb.log)
		tb.mu.Unlock()
		for {
			_ = http.NewResponseController(w).Flush()
			tb.mu.Lock()
			fresh, grown := tb.log[next:], tb.grown
			next = len(tb.log)
			tb.mu.Unlock()
			for _, o := range fresh {
				row(o)
			}
			if len(fresh) > 0 {
				continue
			}
			select {
			case <-grown:
			case <-r.Context().Done():
				return
			}
		}
	default:
		header("CUSTOMERID LASTNAME FIRSTNAME WINDOWSTART WINDOWEND COUNTS", "BIGINT STRING STRING BIGINT BIGINT BIGINT")
		_, _ = io.WriteString(w, tb.fraud)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// describe answers how far the table is.
func (tb *tables) describe(w http.ResponseWriter) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	offsets := []map[string]any{}
	for partition, offset := range tb.read {
		offsets = append(offsets, map[string]any{"partition": partition, "consumerOffset": offset})
	}
	topic := map[string]any{"kafkaTopic": order.TopicOrders, "offsets": offsets}
	group := map[string]any{"groupId": "_confluent-ksql-default_query_CTAS_ORDER_STATES_1", "topicSummaries": []any{topic}}
	_ = json.NewEncoder(w).Encode([]any{map[string]any{"@type": "sourceDescription",
		"sourceDescription": map[string]any{"name": statesTable, "queryOffsetSummaries": []any{group}}}})
}

// stand makes the table miss what comes from now on.
func (tb *tables) stand() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.still = true
}

func startService(t *testing.T) (*Service, *tables, kafka.Config) {
	t.Helper()
	return startServiceWith(t, startKafka(t))
}

// startKafka runs a Kafka with the topics and schemas that the API needs.
func startKafka(t *testing.T) kafka.Config {
	t.Helper()
	schemas := map[string]string{}
	for _, topic := range avroTopics {
		text, err := os.ReadFile("../../schemas/" + order.ValueSubject(topic) + ".avsc")
		require.NoError(t, err)
		schemas[order.ValueSubject(topic)] = string(text)
	}
	return kafkatest.Start(t, 4, append([]string{order.TopicWarehouseInventory, order.TopicInventoryLedger}, avroTopics...), schemas)
}

func startServiceWith(t *testing.T, cfg kafka.Config) (*Service, *tables, kafka.Config) {
	t.Helper()
	tb, url := startTables(t, cfg)
	tb.fraud = "[402,\"Ford\",\"Fay\",1795298460000,1795298490000,4]\n"
	s, err := New(Config{Listen: "127.0.0.1:0", FraudListen: "127.0.0.1:0", Kafka: cfg, Ksql: ksql.Config{URL: url}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
		s.Close()
	})
	require.Eventually(t, s.Ready, 20*time.Second, time.Millisecond)
	return s, tb, cfg
}

func call(t *testing.T, method, url, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, string(data)}
}

func TestServiceOverTheRealProtocols(t *testing.T) {
	s, tb, cfg := startService(t)
	base := "http://" + s.Addr()
	assert.Equal(t, http.StatusOK, call(t, "GET", base+"/readyz", "").code)

	require.Equal(t, http.StatusCreated, call(t, "POST", base+"/v1/orders", goodOrder).code)
	require.Equal(t, http.StatusOK, call(t, "POST", base+"/v1/orders", goodOrder).code)
	require.Eventually(t, func() bool {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		return tb.orders["o-1"] == goodOrderValue
	}, 10*time.Second, time.Millisecond)

	got := make(chan answer, 1)
	go func() { got <- call(t, "GET", base+"/v1/orders/o-1/validated?timeout=20000", "") }()
	require.Eventually(t, func() bool { return s.handlers.watch.count() == 1 }, 10*time.Second, time.Millisecond)
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: order.TopicOrders, Key: []byte("o-1"),
		Value: kafkatest.Encode(t, cfg, order.ValueSubject(order.TopicOrders), inState(goodOrderValue, order.Validated))})
	a := <-got
	assert.Equal(t, http.StatusOK, a.code)
	assert.Contains(t, a.body, "VALIDATED")

	assert.Equal(t, http.StatusOK, call(t, "POST", base+"/v1/orders/o-1/ship", "").code)
	require.Equal(t, http.StatusCreated, call(t, "POST", base+"/v1/payments", goodPayment).code)
	require.Equal(t, http.StatusOK, call(t, "POST", base+"/v1/payments", goodPayment).code)

	odd := `it's "ö" / x`
	body, err := json.Marshal(odd)
	require.NoError(t, err)
	a = call(t, "POST", base+"/v1/orders", strings.Replace(goodOrder, `"o-1"`, string(body), 1))
	require.Equal(t, http.StatusCreated, a.code)
	a = call(t, "GET", base+a.header.Get("Location"), "")
	assert.Equal(t, http.StatusOK, a.code)
	assert.Contains(t, a.body, `"quantity":2`)

	for _, addr := range []string{s.Addr(), s.FraudAddr()} {
		assert.JSONEq(t, `[{"customerId":402,"lastName":"Ford","firstName":"Fay","counts":4}]`, call(t, "GET", "http://"+addr+"/fraud?limit=10", "").body)
	}

	a = call(t, "PUT", base+"/v1/inventory/JUMPERS", `{"quantity":7}`)
	assert.Equal(t, http.StatusAccepted, a.code, "no inventory service has put it into the ledger")
	stock := kafkatest.Consume(t, cfg, order.TopicWarehouseInventory, func(r []*kgo.Record) bool { return len(r) == 1 })
	assert.Equal(t, []byte{0, 0, 0, 7}, stock[0].Value)
	assert.Equal(t, "JUMPERS", string(stock[0].Key))

	recs := kafkatest.Consume(t, cfg, order.TopicOrders, func(r []*kgo.Record) bool { return len(r) >= 3 })
	assert.Len(t, recs, 3, "created, validated, and the odd one")
	shipped := kafkatest.Consume(t, cfg, order.TopicShipments, func(r []*kgo.Record) bool { return len(r) >= 1 })
	assert.Len(t, shipped, 1)
}

func TestAnotherInstanceKnowsTheOrder(t *testing.T) {
	s, tb, cfg := startService(t)
	require.Equal(t, http.StatusCreated, call(t, "POST", "http://"+s.Addr()+"/v1/orders", goodOrder).code)
	srv := httptest.NewServer(tb)
	defer srv.Close()
	other, err := New(Config{Listen: "127.0.0.1:0", Kafka: cfg, Ksql: ksql.Config{URL: srv.URL}})
	require.NoError(t, err)
	assert.Empty(t, other.FraudAddr())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	assert.Equal(t, http.StatusOK, call(t, "GET", "http://"+other.Addr()+"/v1/orders/o-1?timeout=20000", "").code)
	assert.Equal(t, http.StatusOK, call(t, "POST", "http://"+other.Addr()+"/v1/orders", goodOrder).code)
	assert.Equal(t, http.StatusConflict, call(t, "POST", "http://"+other.Addr()+"/v1/orders", strings.Replace(goodOrder, "9.5", "9.6", 1)).code)
	cancel()
	assert.NoError(t, <-done)
}

func TestManyClientsWithOneIDWriteOneRecord(t *testing.T) {
	s, _, cfg := startService(t)
	const ids, clients = 8, 8
	var wg sync.WaitGroup
	codes := make(chan int, ids*clients)
	for i := range ids {
		for range clients {
			wg.Go(func() {
				codes <- call(t, "POST", "http://"+s.Addr()+"/v1/orders", strings.Replace(goodOrder, "o-1", fmt.Sprint("m-", i), 1)).code
			})
		}
	}
	wg.Wait()
	close(codes)
	count := map[int]int{}
	for c := range codes {
		count[c]++
	}
	assert.Equal(t, map[int]int{http.StatusCreated: ids, http.StatusOK: ids * (clients - 1)}, count)
	recs := kafkatest.Consume(t, cfg, order.TopicOrders, func(r []*kgo.Record) bool { return len(r) >= ids })
	assert.Len(t, recs, ids)
}

func TestStartStopsWithOneClearLine(t *testing.T) {
	cfg := Config{Listen: "127.0.0.1:0", Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1"}, SchemaRegistry: "http://127.0.0.1:1"}, Ksql: ksql.Config{URL: "http://127.0.0.1:1"}}
	s, err := New(cfg)
	require.NoError(t, err)
	defer s.Close()
	cfg.Listen = s.Addr()
	_, err = New(cfg)
	require.ErrorContains(t, err, "--api-listen")
	assert.NotContains(t, err.Error(), "\n")
	_, err = New(Config{})
	require.ErrorContains(t, err, "no address to listen on")
}

// Without its servers the API answers, and says that it is not ready.
func TestServiceStartsBeforeItsServers(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1"}, SchemaRegistry: "http://127.0.0.1:1"}, Ksql: ksql.Config{URL: "http://127.0.0.1:1"}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	base := "http://" + s.Addr()
	assert.Equal(t, http.StatusOK, call(t, "GET", base+"/livez", "").code)
	a := call(t, "GET", base+"/readyz", "")
	assert.Equal(t, http.StatusServiceUnavailable, a.code)
	assert.Contains(t, a.body, "waiting for the schemas")
	assert.Equal(t, http.StatusServiceUnavailable, call(t, "POST", base+"/v1/orders", goodOrder).code)
	cancel()
	assert.NoError(t, <-done)
}
