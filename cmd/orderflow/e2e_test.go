package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite"

	"github.com/orderflow/orderflow/internal/customers"
)

// arrives is how long something may take that has to happen.
const arrives = 30 * time.Second

// eventually asks until the answer is yes. Unlike require.Eventually it does so
// within the test's own goroutine, so that ok may use require.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, arrives, what, ok)
}

func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !ok(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "it never came true that %s", what)
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func call(t *testing.T, method, address, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, b}
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(a.body, &v), "%s", a.body)
	return v
}

func orderBody(id string, customer int64, product string, quantity int, price float64) string {
	return fmt.Sprintf(`{"id":%q,"customerId":%d,"state":"CREATED","product":%q,"quantity":%d,"price":%v}`,
		id, customer, product, quantity, price)
}

func (p *process) order(t *testing.T, id string, customer int64, product string, quantity int, price float64) {
	t.Helper()
	a := call(t, http.MethodPost, p.api()+"/v1/orders", orderBody(id, customer, product, quantity, price))
	require.Equal(t, http.StatusCreated, a.status, "%s", a.body)
}

// decision waits for the final state of an order.
func (p *process) decision(t *testing.T, id string) string {
	t.Helper()
	a := call(t, http.MethodGet, p.api()+"/v1/orders/"+id+"/validated?timeout=30000", "")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	return a.object(t)["state"].(string)
}

func (p *process) stock(t *testing.T, product string, units int) {
	t.Helper()
	a := call(t, http.MethodPut, p.api()+"/v1/inventory/"+product, fmt.Sprintf(`{"quantity":%d}`, units))
	require.Less(t, a.status, 300, "%s", a.body)
}

func (p *process) available(t *testing.T, product string) float64 {
	t.Helper()
	var list []map[string]any
	a := call(t, http.MethodGet, p.api()+"/v1/inventory", "")
	require.NoError(t, json.Unmarshal(a.body, &list), "%s", a.body)
	for _, item := range list {
		if item["product"] == product {
			return item["available"].(float64)
		}
	}
	return 0
}

// pull asks ksqlDB and gives the rows.
func (p *process) pull(t *testing.T, query string) [][]any {
	t.Helper()
	return p.query(t, map[string]any{"sql": query})
}

// query sends a query that comes to an end, and gives the rows.
func (p *process) query(t *testing.T, request map[string]any) [][]any {
	t.Helper()
	body, err := json.Marshal(request)
	require.NoError(t, err)
	a := call(t, http.MethodPost, p.ksqldb()+"/query-stream", string(body))
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	var rows [][]any
	for i, line := range bytes.Split(bytes.TrimSpace(a.body), []byte("\n")) {
		if i == 0 {
			continue
		}
		var row []any
		require.NoError(t, json.Unmarshal(line, &row), "%s", line)
		rows = append(rows, row)
	}
	return rows
}

func (p *process) statement(t *testing.T, text string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"ksql": text, "streamsProperties": map[string]string{"auto.offset.reset": "earliest"}})
	require.NoError(t, err)
	return call(t, http.MethodPost, p.ksqldb()+"/ksql", string(body))
}

func (p *process) awaitCustomer(t *testing.T, id int) {
	t.Helper()
	eventually(t, "customer is known to ksqlDB", func() bool {
		return len(p.pull(t, fmt.Sprintf("SELECT * FROM customers_table WHERE customerid = %d;", id))) == 1
	})
}

// records reads a whole topic with a plain Kafka client.
func (p *process) records(t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(p.kafka()), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	var all []*kgo.Record
	ctx, cancel := context.WithTimeout(t.Context(), arrives)
	defer cancel()
	for int64(len(all)) < total {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		all = append(all, fetches.Records()...)
	}
	return all
}

func (p *process) recordsOf(t *testing.T, topic, key string) []*kgo.Record {
	t.Helper()
	var own []*kgo.Record
	for _, rec := range p.records(t, topic) {
		if string(rec.Key) == key {
			own = append(own, rec)
		}
	}
	return own
}

func (p *process) found(t *testing.T, id string) []map[string]any {
	t.Helper()
	a := call(t, http.MethodGet, p.elastic()+"/orders.v1/_search?q="+url.QueryEscape(`id:"`+id+`"`), "")
	if a.status == http.StatusNotFound {
		return nil
	}
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	var result struct {
		Hits struct {
			Hits []map[string]any `json:"hits"`
		} `json:"hits"`
	}
	require.NoError(t, json.Unmarshal(a.body, &result))
	return result.Hits.Hits
}

// TestOrderFlow walks every arrow of the architecture over the real protocols,
// on the whole stack in a process of its own, and does it again after a restart
// and after a crash.
func TestOrderFlow(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, customers.Prepare(t.Context(), customersDB(dir), true))
	p := startUp(t, dir)
	p.awaitCustomer(t, 1)
	p.stock(t, "JUMPERS", 100)
	p.stock(t, "UNDERPANTS", 3)

	t.Run("an order is accepted once and validated", func(t *testing.T) {
		body := orderBody("o-1", 1, "JUMPERS", 2, 10)
		first := call(t, http.MethodPost, p.api()+"/v1/orders", body)
		require.Equal(t, http.StatusCreated, first.status, "%s", first.body)
		require.Equal(t, "/v1/orders/o-1", first.header.Get("Location"))
		require.Equal(t, "VALIDATED", p.decision(t, "o-1"))
		require.Equal(t, http.StatusOK, call(t, http.MethodPost, p.api()+"/v1/orders", body).status, "the same again")
		other := call(t, http.MethodPost, p.api()+"/v1/orders", orderBody("o-1", 1, "JUMPERS", 3, 10))
		require.Equal(t, http.StatusConflict, other.status, "other content under the same id")
		got := call(t, http.MethodGet, p.api()+"/v1/orders/o-1", "").object(t)
		require.Equal(t, "VALIDATED", got["state"])
		require.EqualValues(t, 2, got["quantity"])
		require.Equal(t, http.StatusNotFound, call(t, http.MethodGet, p.api()+"/v1/orders/nobody?timeout=0", "").status)
		require.Len(t, p.recordsOf(t, "orders.v1", "o-1"), 2, "one CREATED and one final record")
	})

	t.Run("the checks fail orders", func(t *testing.T) {
		p.order(t, "none", 2, "JUMPERS", 0, 10)
		p.order(t, "negative", 2, "JUMPERS", 1, -1)
		p.order(t, "no-stock", 2, "STOCKINGS", 1, 1)
		p.order(t, "too-many", 2, "UNDERPANTS", 4, 1)
		for _, id := range []string{"none", "negative", "no-stock", "too-many"} {
			require.Equal(t, "FAILED", p.decision(t, id), id)
		}
		p.order(t, "last-units", 2, "UNDERPANTS", 3, 1)
		require.Equal(t, "VALIDATED", p.decision(t, "last-units"))
	})

	t.Run("2000 within a session is fraud, and the stock is released", func(t *testing.T) {
		before := p.available(t, "JUMPERS")
		p.order(t, "rich-1", 3, "JUMPERS", 1, 1999)
		require.Equal(t, "VALIDATED", p.decision(t, "rich-1"))
		p.order(t, "rich-2", 3, "JUMPERS", 1, 1)
		require.Equal(t, "FAILED", p.decision(t, "rich-2"))
		eventually(t, "the failed order's stock is available again", func() bool {
			return p.available(t, "JUMPERS") == before-1
		})
	})

	t.Run("a paid order becomes one e-mail", func(t *testing.T) {
		body := `{"id":"pay-1","orderId":"o-1","ccy":"EUR","amount":20}`
		require.Equal(t, http.StatusCreated, call(t, http.MethodPost, p.api()+"/v1/payments", body).status)
		require.Equal(t, http.StatusOK, call(t, http.MethodPost, p.api()+"/v1/payments", body).status, "the same again")
		eventually(t, "the e-mail is in the ledger", func() bool { return len(p.records(t, "email-ledger.v1")) == 1 })
		require.Len(t, p.records(t, "emails.v1"), 1)
		require.Equal(t, 1, strings.Count(p.output(), "message_id="), "one e-mail is logged")
	})

	t.Run("orders are enriched and routed by level", func(t *testing.T) {
		level := p.pull(t, "SELECT level FROM customers_table WHERE customerid = 1;")[0][0].(string)
		eventually(t, "the order is in its level's topic", func() bool { return len(p.recordsOf(t, level, "o-1")) == 1 })
		eventually(t, "enriched orders exist", func() bool { return len(p.records(t, "orders-enriched.v1")) > 0 })
	})

	t.Run("many orders in a short time are listed as fraud, at both addresses", func(t *testing.T) {
		_, second, ok := strings.Cut(p.addr["fraud"], ", ")
		require.True(t, ok)
		listed := func(address string) bool {
			var list []map[string]any
			a := call(t, http.MethodGet, address+"?limit=10&wait=200", "")
			require.NoError(t, json.Unmarshal(a.body, &list), "%s", a.body)
			return len(list) > 0 && list[0]["customerId"] == 4.0 && list[0]["counts"].(float64) >= 3 && list[0]["lastName"] != ""
		}
		n := 0
		eventually(t, "three orders within one window are listed", func() bool {
			for range 3 {
				p.order(t, fmt.Sprintf("many-%d", n), 4, "JUMPERS", 1, 1)
				n++
			}
			return listed(p.api() + "/fraud")
		})
		eventually(t, "the second address lists them too", func() bool { return listed(second) })
	})

	t.Run("orders are found in Elasticsearch, one document each", func(t *testing.T) {
		eventually(t, "the newest state is found", func() bool {
			hits := p.found(t, "o-1")
			return len(hits) == 1 && hits[0]["_id"] == "o-1" && hits[0]["_source"].(map[string]any)["state"] == "VALIDATED"
		})
	})

	t.Run("orders are found by the time of their latest record", func(t *testing.T) {
		total := func(query string) int {
			a := call(t, http.MethodGet, p.api()+"/v1/orders?q=o-1&"+query, "")
			require.Equal(t, http.StatusOK, a.status, "%s", a.body)
			return int(a.object(t)["total"].(float64))
		}
		ago := url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
		require.Positive(t, total("from="+ago))
		require.Zero(t, total("to="+ago))
	})

	t.Run("changed customers arrive", func(t *testing.T) {
		db, err := sql.Open("sqlite", customersDB(dir))
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(t.Context(), "UPDATE customers SET level = 'platinum', lastName = 'Newname' WHERE id = 5")
		require.NoError(t, err)
		eventually(t, "the change is known to ksqlDB", func() bool {
			rows := p.pull(t, "SELECT lastname, level FROM customers_table WHERE customerid = 5;")
			return len(rows) == 1 && rows[0][0] == "Newname" && rows[0][1] == "platinum"
		})
	})

	t.Run("a stream typed by hand runs, and any Kafka client reads it", func(t *testing.T) {
		a := p.statement(t, "CREATE STREAM big_orders WITH (KAFKA_TOPIC='big-orders', VALUE_FORMAT='JSON') AS SELECT id, quantity * 2 AS twice FROM orders_new WHERE quantity >= 3;")
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		eventually(t, "the orders of 3 and more are in its topic", func() bool {
			recs := p.recordsOf(t, "big-orders", "last-units")
			return len(recs) == 1 && string(recs[0].Value) == `{"TWICE":6}`
		})
		refused := p.statement(t, "CREATE STREAM nonsense AS SELECT nothing FROM orders_new;")
		require.Equal(t, http.StatusBadRequest, refused.status)
		require.Equal(t, "statement_error", refused.object(t)["@type"])
		require.EqualValues(t, 40001, refused.object(t)["error_code"])
	})

	t.Run("malformed orders never reach the topic", func(t *testing.T) {
		before := len(p.records(t, "orders.v1"))
		for body, pointer := range map[string]string{
			`{"id":"x","customerId":1,"state":"CREATED","product":"HATS","quantity":1,"price":1}`:      "#/product",
			`{"id":"x","customerId":1,"state":"VALIDATED","product":"JUMPERS","quantity":1,"price":1}`: "#/state",
			`{"id":"","customerId":1,"state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`:    "#/id",
			`{"id":"x","customerId":"1","state":"CREATED","product":"JUMPERS","quantity":1,"price":1}`: "#/customerId",
		} {
			a := call(t, http.MethodPost, p.api()+"/v1/orders", body)
			require.Equal(t, http.StatusBadRequest, a.status, "%s", a.body)
			require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
			require.Contains(t, string(a.body), pointer)
		}
		huge := call(t, http.MethodPost, p.api()+"/v1/orders", `{"id":"`+strings.Repeat("x", 4<<20)+`"}`)
		require.Equal(t, http.StatusRequestEntityTooLarge, huge.status)
		require.Len(t, p.records(t, "orders.v1"), before)
	})

	checkAfterRestart := func(t *testing.T, p *process, next string) {
		require.Equal(t, "VALIDATED", p.decision(t, "o-1"))
		require.Equal(t, "FAILED", p.decision(t, "rich-2"))
		require.Len(t, p.found(t, "o-1"), 1)
		available := p.available(t, "JUMPERS")
		p.order(t, next, 6, "JUMPERS", 1, 1)
		require.Equal(t, "VALIDATED", p.decision(t, next))
		require.InDelta(t, available-1, p.available(t, "JUMPERS"), 0)
		p.order(t, "rich-again-"+next, 3, "JUMPERS", 1, 1)
		require.Equal(t, "FAILED", p.decision(t, "rich-again-"+next), "the session's sum is remembered")
		eventually(t, "the hand-made stream goes on", func() bool {
			return p.statement(t, "DESCRIBE big_orders;").status == http.StatusOK && len(p.recordsOf(t, "big-orders", "last-units")) == 1
		})
		eventually(t, "new orders are found", func() bool { return len(p.found(t, next)) == 1 })
		require.Len(t, p.records(t, "email-ledger.v1"), 1, "no e-mail goes out again")
		require.Len(t, p.recordsOf(t, "orders.v1", "o-1"), 2, "nothing is decided again")
	}
	t.Run("everything is there after a stop", func(t *testing.T) {
		p.stop(t)
		p = startUp(t, dir)
		checkAfterRestart(t, p, "after-stop")
	})
	t.Run("everything is there after a kill", func(t *testing.T) {
		p.kill(t)
		p = startUp(t, dir)
		checkAfterRestart(t, p, "after-kill")
	})
}

func TestUpThatCannotStartSaysWhyInOneLine(t *testing.T) {
	dir := t.TempDir()
	p := startUp(t, dir)
	refused := func(t *testing.T, args ...string) string {
		t.Helper()
		cmd := orderflow(t, append([]string{"up"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		require.Error(t, cmd.Run())
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		require.Len(t, lines, 1, stderr.String())
		return lines[0]
	}
	t.Run("a second one on the same directory", func(t *testing.T) {
		line := refused(t, append(freePorts(), "--data-dir", dir)...)
		require.Contains(t, line, dir)
	})
	t.Run("a port in use", func(t *testing.T) {
		for flag, address := range map[string]string{
			"--kafka-listen": p.kafka(), "--api-listen": strings.TrimPrefix(p.api(), "http://"),
			"--ksqldb-listen": strings.TrimPrefix(p.ksqldb(), "http://"),
		} {
			line := refused(t, append(freePorts(), "--data-dir", t.TempDir(), flag, address)...)
			require.Contains(t, line, address)
			require.Contains(t, line, flag)
		}
	})
	t.Run("a directory that cannot be made", func(t *testing.T) {
		line := refused(t, append(freePorts(), "--data-dir", "/proc/nowhere")...)
		require.Contains(t, line, "/proc/nowhere")
	})
	p.stop(t)
}
