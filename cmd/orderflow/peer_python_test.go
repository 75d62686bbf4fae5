//go:build peers

package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/peers"
)

// What Python's serializers write is read by SQL, what SQL writes is read by
// Python's deserializers, and so are the topics of the order flow.
func TestPeerPythonAndSQLReadEachOther(t *testing.T) {
	interpreter := peers.Python(t, "confluent-kafka[avro,json,protobuf,schemaregistry]==2.14.2", "grpcio-tools==1.85.1", "avro==1.12.2", "fastavro==1.13.1")
	p := startUp(t, filepath.Join(t.TempDir(), "data"), "--demo", "--demo-orders", "20", "--demo-rate", "1000")
	work := t.TempDir()
	python := func(what string) map[string][]map[string]any {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), interpreter, "testdata/interchange.py", what, p.kafka(), p.addr["Schema Registry"], work)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		require.NoError(t, err, said.String())
		got := map[string][]map[string]any{}
		for line := range strings.Lines(string(out)) {
			require.NoError(t, json.Unmarshal([]byte(line), &got))
		}
		return got
	}
	run := func(statement string) {
		t.Helper()
		a := p.statement(t, statement)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", statement, a.body)
	}
	python("write")
	for topic, format := range map[string]string{"avro": "AVRO", "json": "JSON_SR", "proto": "PROTOBUF"} {
		run("CREATE STREAM py_" + topic + " (k STRING KEY) WITH (KAFKA_TOPIC='py-" + topic + "', VALUE_FORMAT='" + format + "');")
		query := "SELECT k, name, qty, price, tags FROM py_" + topic
		rows := p.query(t, map[string]any{"sql": query + " EMIT CHANGES LIMIT 3;", "properties": map[string]string{"auto.offset.reset": "earliest"}})
		require.Len(t, rows, 3, topic)
		assert.Equal(t, []any{"k2", "n2", 2.0, 1.0, []any{"a", "2"}}, rows[2], topic)
		run("CREATE STREAM out_" + topic + " WITH (KAFKA_TOPIC='out-" + topic + "') AS " + query + ";")
		run("CREATE TABLE count_" + topic + " AS SELECT k, SUM(qty) AS qty FROM py_" + topic + " GROUP BY k;")
	}
	want := map[string]any{"NAME": "n2", "QTY": 2.0, "PRICE": 1.0, "TAGS": []any{"a", "2"}}
	for topic, records := range python("read") {
		require.Len(t, records, 3, topic)
		assert.Equal(t, want, records[2], topic)
	}
	for _, topic := range []string{"avro", "json", "proto"} {
		eventually(t, topic+" is counted", func() bool {
			rows := p.pull(t, "SELECT qty FROM count_"+topic+" WHERE k = 'k2';")
			return len(rows) == 1 && rows[0][0] == 2.0
		})
	}
	flow := python("pipeline")
	for topic, field := range map[string]string{
		"orders.v1": "state", "orders-new.v1": "PRODUCT", "order-validations.v1": "validationResult",
		"orders-enriched.v1": "LEVEL", "customers": "email", "payments.v1": "orderId",
	} {
		require.Len(t, flow[topic], 3, topic)
		for _, r := range flow[topic] {
			assert.NotEmpty(t, r[field], "%s: %v", topic, r)
		}
	}
}
