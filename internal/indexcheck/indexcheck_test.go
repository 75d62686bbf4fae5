package indexcheck_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/connectors"
	embedded "github.com/orderflow/orderflow/internal/embedded/search"
	"github.com/orderflow/orderflow/internal/indexcheck"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
	"github.com/orderflow/orderflow/internal/order"
	"github.com/orderflow/orderflow/internal/search"
)

// schema is the one that ksqlDB gives to the table of states.
const schema = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
	{"name":"ORDERID","type":["null","string"],"default":null},{"name":"CUSTOMERID","type":["null","long"],"default":null},
	{"name":"STATE","type":["null","string"],"default":null},{"name":"PRODUCT","type":["null","string"],"default":null},
	{"name":"QUANTITY","type":["null","int"],"default":null},{"name":"PRICE","type":["null","double"],"default":null}]}`

// fixture is a topic with orders, and an index.
type fixture struct {
	kafka kafka.Config
	url   string
	index *search.Client
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{kafka: kafkatest.Start(t, 3, []string{order.TopicOrderStates}, map[string]string{order.ValueSubject(order.TopicOrderStates): schema})}
	srv, err := embedded.New(embedded.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, srv.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, srv.Stop()) })
	f.url = "http://" + srv.Addr()
	f.index, err = search.New(search.Config{URL: f.url})
	require.NoError(t, err)
	template, err := connectors.Files.ReadFile("elasticsearch/orders.v1.json")
	require.NoError(t, err)
	require.NoError(t, f.index.ApplyTemplate(t.Context(), "orders.v1", template))
	return f
}

func ordered(i int, state order.State) order.Order {
	return order.Order{ID: fmt.Sprintf("order-%04d", i), CustomerID: int64(i % 7), State: state, Product: order.Jumpers, Quantity: int32(i % 5), Price: float64(i) / 4}
}

// produce writes orders to the topic and gives their records.
func (f *fixture) produce(t *testing.T, orders ...order.Order) []*kgo.Record {
	t.Helper()
	registry, err := kafka.NewRegistry(f.kafka)
	require.NoError(t, err)
	encoder, err := registry.Encoder(t.Context(), order.ValueSubject(order.TopicOrderStates))
	require.NoError(t, err)
	var records []*kgo.Record
	for _, o := range orders {
		value, err := encoder.Encode(map[string]any{
			"ORDERID": o.ID, "CUSTOMERID": o.CustomerID, "STATE": string(o.State), "PRODUCT": string(o.Product), "QUANTITY": o.Quantity, "PRICE": o.Price,
		})
		require.NoError(t, err)
		records = append(records, &kgo.Record{Topic: order.TopicOrderStates, Key: []byte(o.ID), Value: value, Timestamp: time.UnixMilli(1714521600000)})
	}
	kafkatest.Produce(t, f.kafka, records...)
	return records
}

// send makes a request of the index.
func (f *fixture) send(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Less(t, res.StatusCode, 300, "%s %s", method, path)
	require.NoError(t, res.Body.Close())
}

// put writes a document as the connector does.
func (f *fixture) put(t *testing.T, rec *kgo.Record, o order.Order) {
	t.Helper()
	body, err := json.Marshal(o)
	require.NoError(t, err)
	body = append(bytes.TrimSuffix(body, []byte("}")), fmt.Sprintf(`,"updatedAt":%d}`, rec.Timestamp.UnixMilli())...)
	f.send(t, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/%s?version=%d&version_type=external_gte", rec.Key, rec.Offset), string(body))
}

func (f *fixture) run(t *testing.T, patience time.Duration) indexcheck.Report {
	t.Helper()
	dir := t.TempDir()
	report, err := indexcheck.Run(t.Context(), indexcheck.Config{Kafka: f.kafka, Index: f.index, Patience: patience, TempDir: dir})
	require.NoError(t, err)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the check leaves nothing behind")
	return report
}

func kinds(r indexcheck.Report) map[string]indexcheck.Kind {
	found := map[string]indexcheck.Kind{}
	for _, d := range r.Differences {
		found[d.ID] = d.Kind
	}
	return found
}

func TestAnIndexThatIsNotThere(t *testing.T) {
	f := setUp(t)
	report := f.run(t, -1)
	assert.True(t, report.Equal(), "no orders, no index")
	f.produce(t, ordered(1, order.Created))
	assert.Equal(t, map[string]indexcheck.Kind{"order-0001": indexcheck.Missing}, kinds(f.run(t, -1)))
}

// TestEveryDifferenceIsFound takes a right index apart, one document at a time.
func TestEveryDifferenceIsFound(t *testing.T) {
	f := setUp(t)
	const n = 1100 // more than a page
	var created, validated []order.Order
	for i := range n {
		created = append(created, ordered(i, order.Created))
		validated = append(validated, ordered(i, order.Validated))
	}
	f.produce(t, created...)
	last := f.produce(t, validated...)
	for i := range n {
		f.put(t, last[i], validated[i])
	}
	report := f.run(t, -1)
	require.True(t, report.Equal(), "%v", report.Differences)
	assert.Equal(t, indexcheck.Report{Records: 2 * n, Orders: n, Documents: n}, report)

	f.send(t, http.MethodDelete, "/orders.v1/_doc/order-0003", "")
	f.send(t, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/order-0004?version=%d&version_type=external", last[4].Offset+1), `{"id":"order-0004"}`)
	f.send(t, http.MethodPut, "/orders.v1/_doc/order-zzzz", `{"id":"order-zzzz"}`)
	f.send(t, http.MethodPut, "/orders.v1/_doc/no-id", `{"state":"CREATED"}`)
	wrong := validated[5]
	wrong.Quantity++
	f.put(t, last[5], wrong)
	f.send(t, http.MethodPut, fmt.Sprintf("/orders.v1/_doc/order-0006?version=%d&version_type=external_gte", last[6].Offset), `{"id":"order-0006","more":1}`)
	report = f.run(t, -1)
	assert.Equal(t, map[string]indexcheck.Kind{
		"order-0003": indexcheck.Missing, "order-0004": indexcheck.Different, "order-0005": indexcheck.Different, "order-0006": indexcheck.Different,
		"order-zzzz": indexcheck.Extra, "no-id": indexcheck.Extra,
	}, kinds(report))
	assert.Equal(t, kinds(report), kinds(f.run(t, time.Millisecond)), "a second look says the same")
}

// TestTheIndexMayLag writes a document only while the check runs.
func TestTheIndexMayLag(t *testing.T) {
	f := setUp(t)
	o := ordered(1, order.Created)
	rec := f.produce(t, o)[0]
	f.put(t, f.produce(t, ordered(2, order.Created))[0], ordered(2, order.Created))
	looked := make(chan struct{})
	go func() {
		<-looked
		f.put(t, rec, o)
	}()
	report, err := indexcheck.Run(t.Context(), indexcheck.Config{Kafka: lookedAt(f.kafka, looked), Index: f.index, TempDir: t.TempDir()})
	require.NoError(t, err)
	assert.True(t, report.Equal(), "%v", report.Differences)
}

// lookedAt closes a channel when the registry is asked for a schema, which is
// when the first record is read.
func lookedAt(cfg kafka.Config, looked chan struct{}) kafka.Config {
	cfg.RegistryTransport = &transport{looked: looked}
	return cfg
}

type transport struct{ looked chan struct{} }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.looked != nil {
		close(t.looked)
		t.looked = nil
	}
	return http.DefaultTransport.RoundTrip(req)
}

func TestADeletedOrderHasNoDocument(t *testing.T) {
	f := setUp(t)
	o := ordered(1, order.Created)
	f.put(t, f.produce(t, o)[0], o)
	kafkatest.Produce(t, f.kafka, &kgo.Record{Topic: order.TopicOrderStates, Key: []byte(o.ID)})
	assert.Equal(t, map[string]indexcheck.Kind{o.ID: indexcheck.Extra}, kinds(f.run(t, -1)))
	f.send(t, http.MethodDelete, "/orders.v1/_doc/"+o.ID, "")
	assert.True(t, f.run(t, -1).Equal())
}
