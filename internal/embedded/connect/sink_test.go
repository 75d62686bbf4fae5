package connect_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// fakeElasticsearch answers as Elasticsearch does, as far as the sink asks, and
// keeps what it was asked.
type fakeElasticsearch struct {
	URL string

	mu        sync.Mutex
	requests  []string // "METHOD path" of all but GET /
	bulks     []string
	documents map[string]string
	versions  map[string]int64
	indices   map[string]bool
	mappings  map[string]string // by the path of the mapping
	// faults are answered in place of the next bulk requests; a status of 0
	// breaks the connection.
	faults []fault
	// planned are answered to bulk requests that have one of their lines, once each.
	planned []plannedFault
}

type plannedFault struct {
	fault
	lines []string
}

// plan gives the planned fault for a bulk request.
func (f *fakeElasticsearch) plan(text string) (fault, bool) {
	got := actions(text)
	for i, p := range f.planned {
		if slices.ContainsFunc(p.lines, func(line string) bool { return slices.Contains(got, line) }) {
			f.planned = slices.Delete(f.planned, i, i+1)
			return p.fault, true
		}
	}
	return fault{}, false
}

type fault struct {
	status int
	body   string
}

func newFakeElasticsearch(s *stack) *fakeElasticsearch {
	s.t.Helper()
	f := &fakeElasticsearch{documents: map[string]string{}, versions: map[string]int64{}, indices: map[string]bool{}, mappings: map[string]string{}}
	f.URL = s.serve(f)
	return f
}

func (f *fakeElasticsearch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Path == "/" {
		fmt.Fprint(w, `{"version":{"number":"8.14.3"},"tagline":"You Know, for Search"}`)
		return
	}
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	index := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodHead && !f.indices[index]:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodHead:
	case strings.HasPrefix(r.URL.Path, "/_data_stream/"):
		w.WriteHeader(http.StatusMethodNotAllowed)
		fmt.Fprintf(w, `{"error":"Incorrect HTTP method for uri [%s] and method [PUT], allowed: [POST]","status":405}`, r.URL.Path)
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/_mapping"):
		fmt.Fprintf(w, `{%q:{"mappings":%s}}`, strings.TrimSuffix(index, "/_mapping"), cmp.Or(f.mappings[index], "{}"))
	case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/_mapping"):
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		f.mappings[index] = string(raw)
		fmt.Fprint(w, `{"acknowledged":true}`)
	case r.Method == http.MethodPut:
		f.indices[index] = true
		fmt.Fprintf(w, `{"acknowledged":true,"shards_acknowledged":true,"index":%q}`, index)
	case r.URL.Path == "/_bulk":
		f.bulk(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *fakeElasticsearch) bulk(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.bulks = append(f.bulks, string(raw))
	next, planned := f.plan(string(raw))
	if !planned && len(f.faults) > 0 {
		next, f.faults, planned = f.faults[0], f.faults[1:], true
	}
	if planned && next.status != http.StatusOK {
		if next.status == 0 {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close() //nolint:errcheck // it shall break
			}
			return
		}
		w.WriteHeader(next.status)
		fmt.Fprint(w, next.body)
		return
	}
	instead := map[string]map[string]any{} // planned items by index and id
	if planned {
		var answer struct {
			Items []map[string]map[string]any
		}
		if err := json.Unmarshal([]byte(next.body), &answer); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		for _, item := range answer.Items {
			for _, a := range item {
				instead[fmt.Sprint(a["_index"], "/", a["_id"])] = a
			}
		}
	}
	var items []any
	failed := false
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for lines.Scan() {
		var action map[string]struct {
			Index   string `json:"_index"`
			ID      string `json:"_id"`
			Version *int64 `json:"version"`
		}
		if json.Unmarshal(lines.Bytes(), &action) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for verb, a := range action {
			key := a.Index + "/" + a.ID
			item := map[string]any{"_index": a.Index, "_id": a.ID, "status": 200}
			document := ""
			if verb != "delete" {
				lines.Scan()
				document = lines.Text()
			}
			known, exists := f.versions[key]
			switch {
			case instead[key] != nil:
				item, failed = instead[key], true
			case a.Version != nil && exists && *a.Version <= known:
				failed = true
				item["status"] = 409
				item["error"] = map[string]any{"type": "version_conflict_engine_exception", "reason": "version conflict"}
			case strings.Contains(document, "malformed") || strings.Contains(document, `"not a number"`):
				failed = true
				item["status"] = 400
				item["error"] = map[string]any{"type": "document_parsing_exception", "reason": "failed to parse"}
			case verb == "delete":
				delete(f.documents, key)
			default:
				f.documents[key] = document
			}
			if a.Version != nil && item["error"] == nil {
				f.versions[key] = *a.Version
			}
			items = append(items, map[string]any{verb: item})
		}
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"took": 1, "errors": failed, "items": items}); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (f *fakeElasticsearch) document(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.documents[key]
}

func (f *fakeElasticsearch) asked(request string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.requests, request)
}

func (f *fakeElasticsearch) bulkText() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.bulks, "")
}

func (f *fakeElasticsearch) fail(faults ...fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// orderStates is the schema that ksqlDB gives to the table of orders.
const orderStates = `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[
	{"name":"ORDERID","type":["null","string"],"default":null},{"name":"CUSTOMERID","type":["null","long"],"default":null},
	{"name":"STATE","type":["null","string"],"default":null},{"name":"PRODUCT","type":["null","string"],"default":null},
	{"name":"QUANTITY","type":["null","int"],"default":null},{"name":"PRICE","type":["null","double"],"default":null}]}`

// orders produces the states of orders as ksqlDB does.
type orders struct {
	s      *stack
	id     int
	schema *avro.Schema
}

func newOrders(s *stack) *orders {
	s.t.Helper()
	registered, err := s.sr.CreateSchema(context.Background(), "order-states.v1-value", sr.Schema{Schema: orderStates})
	require.NoError(s.t, err)
	s.createTopic("order-states.v1")
	return &orders{s, registered.ID, avro.MustParse(orderStates)}
}

func (o *orders) produce(id, state string) {
	o.s.t.Helper()
	buf := binary.BigEndian.AppendUint32([]byte{0}, uint32(o.id))
	buf, err := o.schema.AppendEncode(buf, map[string]any{"ORDERID": id, "CUSTOMERID": int64(15), "STATE": state, "PRODUCT": "JUMPERS", "QUANTITY": int32(3), "PRICE": 5.0})
	require.NoError(o.s.t, err)
	o.put(id, buf)
}

func (o *orders) put(key string, value []byte) {
	o.s.t.Helper()
	require.NoError(o.s.t, o.s.client.ProduceSync(context.Background(), &kgo.Record{Topic: "order-states.v1", Key: []byte(key), Value: value}).FirstErr())
}

func (s *stack) createOrdersSink(es *fakeElasticsearch, changes ...string) {
	s.t.Helper()
	config := connectorFile(s.t, "orders.v1.json", map[string]string{
		"ORDERFLOW_CONNECT_ELASTICSEARCH": es.URL, "ORDERFLOW_CONNECT_SCHEMA_REGISTRY": s.registryURL,
	})
	for i := 0; i < len(changes); i += 2 {
		config[changes[i]] = changes[i+1]
	}
	s.create("orders.v1", config)
	s.waitRunning("orders.v1")
}

func TestOrdersBecomeOneDocumentEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		o := newOrders(s)
		es := newFakeElasticsearch(s)
		o.produce("o-1", "CREATED")
		s.createOrdersSink(es)
		s.waitFor("the first order", func() bool { return es.document("orders.v1/o-1") != "" })
		began := time.Now()
		o.produce("o-1", "VALIDATED")
		s.waitFor("its next state", func() bool { return strings.Contains(es.document("orders.v1/o-1"), "VALIDATED") })
		t.Logf("a change took %s", time.Since(began))
		o.put("o-1", nil)
		s.waitFor("its end", func() bool { return es.document("orders.v1/o-1") == "" })
		assert.Equal(t, `{"index":{"_index":"orders.v1","_id":"o-1","version":0,"version_type":"external"}}
{"id":"o-1","customerId":15,"state":"CREATED","product":"JUMPERS","quantity":3,"price":5.0,"updatedAt":TIME}
{"index":{"_index":"orders.v1","_id":"o-1","version":1,"version_type":"external"}}
{"id":"o-1","customerId":15,"state":"VALIDATED","product":"JUMPERS","quantity":3,"price":5.0,"updatedAt":TIME}
{"delete":{"_index":"orders.v1","_id":"o-1","version":2,"version_type":"external"}}
`, regexp.MustCompile(`"updatedAt":\d{12}\b`).ReplaceAllString(es.bulkText(), `"updatedAt":TIME`))
		assert.Equal(t, []string{"HEAD /orders.v1", "PUT /orders.v1?master_timeout=30s&timeout=30s", "POST /_bulk?timeout=1m"}, es.requests[:3])

		s.waitFor("the offset", func() bool {
			return strings.Contains(string(s.request(http.MethodGet, "/connectors/orders.v1/offsets", nil).body), `"kafka_offset":3`)
		})
		s.restart()
		o.produce("o-2", "CREATED")
		s.waitFor("an order after a restart", func() bool { return es.document("orders.v1/o-2") != "" })
		assert.Equal(t, 1, strings.Count(es.bulkText(), "VALIDATED"), "nothing is sent twice after a clean stop")
	})
}

func TestElasticsearchMayFailForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		o := newOrders(s)
		es := newFakeElasticsearch(s)
		s.createOrdersSink(es, "retry.backoff.ms", "1")
		es.fail(
			fault{status: http.StatusTooManyRequests, body: `{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution"},"status":429}`},
			fault{status: http.StatusServiceUnavailable}, fault{status: 0},
		)
		o.produce("o-1", "CREATED")
		s.waitFor("the order", func() bool { return es.document("orders.v1/o-1") != "" })
		assert.Equal(t, "RUNNING", s.status("orders.v1").Tasks[0].State)
	})
}

func TestATaskThatGivesUpFailsAndGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		o := newOrders(s)
		es := newFakeElasticsearch(s)
		s.createOrdersSink(es, "retry.backoff.ms", "1", "max.retries", "1")
		rejected := fault{status: http.StatusTooManyRequests, body: `{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution"},"status":429}`}
		es.fail(rejected, rejected)
		o.produce("o-1", "CREATED")
		failed := s.waitFailed("orders.v1")
		assert.Equal(t, "RUNNING", failed.Connector.State)
		assert.Contains(t, failed.Tasks[0].Trace, `org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.
Caused by: org.apache.kafka.connect.errors.ConnectException: Bulk request failed
Caused by: org.apache.kafka.connect.errors.ConnectException: Failed to execute bulk request due to 'ElasticsearchStatusException[Elasticsearch exception [type=es_rejected_execution_exception, reason=rejected execution]]' after 2 attempt(s)
Caused by: ElasticsearchStatusException`)
		res := s.request(http.MethodPost, "/connectors/orders.v1/restart?includeTasks=true&onlyFailed=true", nil)
		assert.Equal(t, http.StatusAccepted, res.status)
		s.waitFor("the order", func() bool { return es.document("orders.v1/o-1") != "" })
		s.waitRunning("orders.v1")
	})
}

func TestMalformedDocumentsGoByTheSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		o := newOrders(s)
		es := newFakeElasticsearch(s)
		s.createOrdersSink(es)
		o.produce("malformed", "CREATED")
		o.produce("o-2", "CREATED")
		s.waitFor("the order after it", func() bool { return es.document("orders.v1/o-2") != "" })
		assert.Empty(t, es.document("orders.v1/malformed"))

		o.put("o-3", []byte("no Avro"))
		failed := s.waitFailed("orders.v1")
		assert.Equal(t, `org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler
Caused by: org.apache.kafka.connect.errors.DataException: Failed to deserialize data for topic order-states.v1 to Avro: 
Caused by: org.apache.kafka.common.errors.SerializationException: Unknown magic byte!`, failed.Tasks[0].Trace)
	})
}

func TestASinkWithoutElasticsearchIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStack(t)
		res := s.request(http.MethodPost, "/connectors", map[string]any{"name": "x", "config": map[string]any{
			"connector.class": "io.confluent.connect.elasticsearch.ElasticsearchSinkConnector", "topics": "t", "schema.ignore": true, "key.ignore": false,
			"connection.url": "http://127.0.0.1:1",
		}})
		assert.Equal(t, http.StatusBadRequest, res.status)
		var answer struct{ Message string }
		res.decode(t, &answer)
		assert.Contains(t, answer.Message, "contains the following 2 error(s):\nCould not connect to Elasticsearch. Error message: java.util.concurrent.ExecutionException: java.net.ConnectException: Connection refused")
	})
}
