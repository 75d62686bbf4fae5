//go:build peers

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/peers"
)

// object is a JSON object.
type object = map[string]any

// apacheAvro is a program with one of Apache Avro's libraries, which
// testdata/ApacheAvro.java describes.
type apacheAvro struct {
	name    string
	command func(t *testing.T) []string
	// resolvesAll tells a library with all of Avro's rules of schema resolution.
	// Python's knows no aliases, no default of a reader's enum, no writer's union
	// where the reader has none, and takes logical types from the writer.
	resolvesAll bool
}

var apacheAvros = []apacheAvro{
	{"java", func(t *testing.T) []string {
		jars := peers.Jars(t, "org.apache.avro:avro:1.11.4", "org.slf4j:slf4j-simple:1.7.36")
		return []string{"java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", peers.Classpath(jars), "testdata/ApacheAvro.java"}
	}, true},
	{"python", func(t *testing.T) []string {
		return []string{peers.Python(t, "confluent-kafka[avro,json,protobuf,schemaregistry]==2.14.2", "grpcio-tools==1.85.1", "avro==1.12.2", "fastavro==1.13.1"), "testdata/apache_avro.py"}
	}, false},
}

// avroTask is a line to such a program, avroAnswer what it says to it.
type avroTask struct {
	Read       []byte   `json:"read,omitempty"`
	Reader     string   `json:"reader,omitempty"`
	Write      object   `json:"write,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Schema     string   `json:"schema,omitempty"`
	References []object `json:"references,omitempty"`
}

type avroAnswer struct {
	Value  any    `json:"value"`
	Record []byte `json:"record"`
	Error  string `json:"error"`
}

// start runs the program and gives a function that has it do a task.
func (a apacheAvro) start(t *testing.T, registry string) func(avroTask) avroAnswer {
	t.Helper()
	line := append(a.command(t), registry)
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // killed when the test's context ends first
	})
	tasks, answers := json.NewEncoder(in), json.NewDecoder(out)
	answers.UseNumber()
	return func(task avroTask) avroAnswer {
		t.Helper()
		var answer avroAnswer
		require.NoError(t, tasks.Encode(task))
		require.NoError(t, answers.Decode(&answer))
		return answer
	}
}

// Every type that SQL has, as INSERT and a query write it.
const everyType = `CREATE STREAM every_type (id STRING KEY, b BOOLEAN, i INT, l BIGINT, d DOUBLE, s STRING, raw BYTES, price DECIMAL(9,2),
    day DATE, clock TIME, moment TIMESTAMP, numbers ARRAY<INT>, levels MAP<STRING, DOUBLE>, address STRUCT<city STRING, geo STRUCT<lat DOUBLE, tags ARRAY<STRING>>>,
    items ARRAY<STRUCT<sku STRING, cost DECIMAL(5,3)>>, stock MAP<STRING, STRUCT<units BIGINT, since DATE>>)
    WITH (KAFKA_TOPIC='every-type', PARTITIONS=1, VALUE_FORMAT='AVRO');
  CREATE STREAM every_type_copy WITH (KAFKA_TOPIC='every-type-copy') AS SELECT * FROM every_type;
  INSERT INTO every_type VALUES ('full', true, -7, 9007199254740993, 2.5, 'Grüße 😀', TO_BYTES('00ff10', 'hex'), -1234567.89,
    '1969-07-20', '23:59:59.123', '2024-02-29T12:34:56.789', ARRAY[1, 2147483647, -2147483648], MAP('low' := 0.5, 'high' := 1e300), STRUCT(city := 'Oslo', geo := STRUCT(lat := 59.9, tags := ARRAY['a', ''])),
    ARRAY[STRUCT(sku := 'x', cost := 12.345)], MAP('JUMPERS' := STRUCT(units := CAST(3 AS BIGINT), since := PARSE_DATE('2020-01-01', 'yyyy-MM-dd'))));
  INSERT INTO every_type (id) VALUES ('empty');
  INSERT INTO every_type (id, numbers, levels, address) VALUES ('partly', ARRAY[CAST(null AS INT), 1], MAP('none' := CAST(null AS DOUBLE)), STRUCT(city := CAST(null AS STRING), geo := CAST(null AS STRUCT<lat DOUBLE, tags ARRAY<STRING>>)));
  CREATE STREAM bare (v BIGINT) WITH (KAFKA_TOPIC='bare', PARTITIONS=1, VALUE_FORMAT='AVRO', WRAP_SINGLE_VALUE=false);
  INSERT INTO bare VALUES (125);
  CREATE TABLE by_day WITH (KAFKA_TOPIC='by-day', KEY_FORMAT='AVRO') AS SELECT day, s, COUNT(*) AS n FROM every_type WHERE day IS NOT NULL GROUP BY day, s;`

var (
	fullRecord = object{
		"B": true, "I": -7, "L": json.Number("9007199254740993"), "D": 2.5, "S": "Grüße 😀", "RAW": "AP8Q", "PRICE": "-1234567.89",
		"DAY": "1969-07-20", "CLOCK": "23:59:59.123", "MOMENT": "2024-02-29T12:34:56.789Z", "NUMBERS": []any{1, 2147483647, -2147483648},
		"LEVELS": object{"low": 0.5, "high": 1e300}, "ADDRESS": object{"CITY": "Oslo", "GEO": object{"LAT": 59.9, "TAGS": []any{"a", ""}}},
		"ITEMS": []any{object{"SKU": "x", "COST": "12.345"}}, "STOCK": object{"JUMPERS": object{"UNITS": 3, "SINCE": "2020-01-01"}},
	}
	emptyRecord = func() object {
		empty := object{}
		for name := range fullRecord {
			empty[name] = nil
		}
		return empty
	}()
	partlyRecord = func() object {
		partly := maps.Clone(emptyRecord)
		partly["NUMBERS"], partly["LEVELS"], partly["ADDRESS"] = []any{nil, 1}, object{"none": nil}, object{"CITY": nil, "GEO": nil}
		return partly
	}()
)

const sqlRecord = `"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas"`

// evolutions are schemas that a reader may have of what every_type's records were
// written with.
var evolutions = []struct {
	name, schema string
	want         object // of the full record; nil when it can't be read
	all          bool   // needs a library with all rules
}{
	{"fields removed and added with defaults", `{` + sqlRecord + `,"fields":[{"name":"S","type":["null","string"],"default":null},{"name":"COUNTRY","type":"string","default":"NO"},
		{"name":"RANK","type":{"type":"enum","name":"Rank","symbols":["LOW","HIGH"]},"default":"HIGH"},{"name":"NOTES","type":{"type":"array","items":"string"},"default":[]},
		{"name":"MORE","type":["null","int"],"default":null}]}`,
		object{"S": "Grüße 😀", "COUNTRY": "NO", "RANK": "HIGH", "NOTES": []any{}, "MORE": nil}, false},
	{"int read as long, and long as double", `{` + sqlRecord + `,"fields":[{"name":"I","type":["null","long"],"default":null},{"name":"NUMBERS","type":["null",{"type":"array","items":["null","long"]}],"default":null},
		{"name":"D","type":["null","double"],"default":null}]}`,
		object{"I": -7, "NUMBERS": []any{1, 2147483647, -2147483648}, "D": 2.5}, false},
	{"nullable read as not nullable", `{` + sqlRecord + `,"fields":[{"name":"S","type":"string"},{"name":"I","type":"long"}]}`, object{"S": "Grüße 😀", "I": -7}, true},
	{"values of logical types read as what they are stored as", `{` + sqlRecord + `,"fields":[{"name":"DAY","type":["null","int"]},{"name":"MOMENT","type":["null","long"]}]}`,
		object{"DAY": -165, "MOMENT": json.Number("1709210096789")}, true},
	{"renamed by aliases", `{"type":"record","name":"Wide","namespace":"shop","aliases":["io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"],"fields":[
		{"name":"text","aliases":["S"],"type":["null","string"],"default":null},{"name":"amount","aliases":["PRICE"],"type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"default":null}]}`,
		object{"text": "Grüße 😀", "amount": "-1234567.89"}, true},
	{"another type", `{` + sqlRecord + `,"fields":[{"name":"S","type":["null","int"]}]}`, nil, false},
	{"added without a default", `{` + sqlRecord + `,"fields":[{"name":"NEEDED","type":"string"}]}`, nil, false},
}

// Apache Avro's own libraries read what SQL and the order flow write, with the
// schema whose id the record has and with others, and SQL reads what they write.
func TestPeerApacheAvroAndSQLReadEachOther(t *testing.T) {
	p := startUp(t, filepath.Join(t.TempDir(), "data"), "--demo", "--demo-orders", "20", "--demo-rate", "1000")
	a := p.statement(t, everyType)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	p.awaitCustomer(t, 1)
	p.order(t, "avro-1", 1, "JUMPERS", 2, 12.5)
	require.Equal(t, "VALIDATED", p.decision(t, "avro-1"))
	for _, library := range apacheAvros {
		t.Run(library.name, func(t *testing.T) {
			do := library.start(t, p.addr["Schema Registry"])
			t.Run("reads what SQL writes", func(t *testing.T) { readsSQL(t, p, do) })
			t.Run("reads with another schema", func(t *testing.T) { readsEvolved(t, p, do, library) })
			t.Run("reads the order flow", func(t *testing.T) { readsOrderFlow(t, p, do) })
			t.Run("writes for SQL", func(t *testing.T) { writesForSQL(t, p, do, library) })
		})
	}
}

// awaitRecords waits until a topic has that many records.
func awaitRecords(t *testing.T, p *process, topic string, n int) []*kgo.Record {
	t.Helper()
	var all []*kgo.Record
	eventually(t, topic+" has its records", func() bool {
		all = p.records(t, topic)
		return len(all) >= n
	})
	return all
}

// same compares two values as JSON, exactly also for large numbers.
func same(t *testing.T, want, got any, of string) {
	t.Helper()
	plain := func(v any) any {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var decoded any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&decoded))
		return unified(decoded)
	}
	assert.Equal(t, plain(want), plain(got), of)
}

// unified gives numbers in one spelling, and the entries that Connect writes maps
// as, whose keys may be null, as a map: their order says nothing.
func unified(v any) any {
	switch v := v.(type) {
	case json.Number:
		if number, ok := new(big.Rat).SetString(v.String()); ok {
			return number.RatString()
		}
	case object:
		for name, item := range v {
			v[name] = unified(item)
		}
	case []any:
		entries := object{}
		for i, item := range v {
			v[i] = unified(item)
			if entry, ok := v[i].(object); ok && len(entry) == 2 {
				if key, ok := entry["key"].(string); ok {
					entries[key] = entry["value"]
				}
			}
		}
		if len(v) > 0 && len(entries) == len(v) {
			return entries
		}
	}
	return v
}

func readsSQL(t *testing.T, p *process, do func(avroTask) avroAnswer) {
	for _, topic := range []string{"every-type", "every-type-copy"} {
		records := awaitRecords(t, p, topic, 3)
		require.Len(t, records, 3)
		for i, want := range []object{fullRecord, emptyRecord, partlyRecord} {
			answer := do(avroTask{Read: records[i].Value})
			require.Empty(t, answer.Error, "%s %s", topic, records[i].Key)
			same(t, want, answer.Value, topic+" "+string(records[i].Key))
		}
	}
	answer := do(avroTask{Read: awaitRecords(t, p, "bare", 1)[0].Value})
	require.Empty(t, answer.Error)
	same(t, 125, answer.Value, "a value without a record around it")
	counted := awaitRecords(t, p, "by-day", 1)[0]
	key, value := do(avroTask{Read: counted.Key}), do(avroTask{Read: counted.Value})
	require.Empty(t, key.Error+value.Error, "key %x, value %x", counted.Key, counted.Value)
	same(t, object{"DAY": "1969-07-20", "S": "Grüße 😀"}, key.Value, "the key of a table")
	same(t, object{"N": 1}, value.Value, "the value of a table")
}

func readsEvolved(t *testing.T, p *process, do func(avroTask) avroAnswer, library apacheAvro) {
	full := awaitRecords(t, p, "every-type", 1)[0].Value
	for _, e := range evolutions {
		if e.all && !library.resolvesAll {
			continue
		}
		// The registry's verdict is that of the library.
		body, err := json.Marshal(object{"schema": e.schema})
		require.NoError(t, err)
		a := call(t, http.MethodPost, p.addr["Schema Registry"]+"/compatibility/subjects/every-type-value/versions/latest", string(body))
		require.Equal(t, http.StatusOK, a.status, "%s: %s", e.name, a.body)
		answer := do(avroTask{Read: full, Reader: e.schema})
		if e.want == nil {
			assert.NotEmpty(t, answer.Error, e.name)
			assert.Equal(t, false, a.object(t)["is_compatible"], e.name)
			continue
		}
		require.Empty(t, answer.Error, e.name)
		same(t, e.want, answer.Value, e.name)
		if e.name != "nullable read as not nullable" { // this record can be read, others can't
			assert.Equal(t, true, a.object(t)["is_compatible"], e.name)
		}
	}
}

func readsOrderFlow(t *testing.T, p *process, do func(avroTask) avroAnswer) {
	orders := p.recordsOf(t, "orders.v1", "avro-1")
	require.Len(t, orders, 2)
	for i, state := range []string{"CREATED", "VALIDATED"} {
		answer := do(avroTask{Read: orders[i].Value})
		require.Empty(t, answer.Error)
		same(t, object{"id": "avro-1", "customerId": 1, "state": state, "product": "JUMPERS", "quantity": 2, "price": 12.5}, answer.Value, state)
	}
	for topic, field := range map[string]string{
		"orders-new.v1": "PRODUCT", "order-validations.v1": "validationResult", "orders-enriched.v1": "LEVEL", "customers": "email", "payments.v1": "orderId",
	} {
		for _, record := range awaitRecords(t, p, topic, 3)[:3] {
			answer := do(avroTask{Read: record.Value})
			require.Empty(t, answer.Error, topic)
			assert.NotEmpty(t, answer.Value.(object)[field], "%s: %v", topic, answer.Value)
		}
	}
}

// A schema of another project, and its next version.
const (
	parcelSchema = `{"type":"record","name":"Parcel","namespace":"shop","fields":[{"name":"ok","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},
	  {"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"s","type":"string"},{"name":"raw","type":"bytes"},{"name":"hash","type":{"type":"fixed","name":"Hash","size":2}},
	  {"name":"dimension","type":{"type":"enum","name":"Size","symbols":["S","M","XL"]}},{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	  {"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"clock","type":{"type":"int","logicalType":"time-millis"}},
	  {"name":"moment","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null},{"name":"numbers","type":{"type":"array","items":"long"}},
	  {"name":"levels","type":{"type":"map","values":["null","double"]}},
	  {"name":"address","type":["null",{"type":"record","name":"Address","fields":[{"name":"city","type":"string"},{"name":"geo","type":{"type":"record","name":"Geo","fields":[{"name":"lat","type":"double"}]}}]}],"default":null}%s]}`
	nextField = `,{"name":"carrier","type":["null","string"],"default":null}`
)

func writesForSQL(t *testing.T, p *process, do func(avroTask) avroAnswer, library apacheAvro) {
	topic, subject := "parcels-"+library.name, "parcels-"+library.name+"-value"
	first := object{"ok": true, "i": -3, "l": json.Number("9007199254740993"), "f": 0.25, "d": 1e-9, "s": "é", "raw": "AP8Q", "hash": "AQI=", "dimension": "XL", "price": "-1234567.89",
		"day": "1969-07-20", "clock": "23:59:59.123", "moment": "2024-02-29T12:34:56.789Z", "numbers": []any{1, -1}, "levels": object{"a": 0.5, "none": nil},
		"address": object{"city": "Oslo", "geo": object{"lat": 59.9}}}
	second := maps.Clone(first)
	maps.Copy(second, object{"moment": nil, "address": nil, "numbers": []any{}, "levels": object{}, "carrier": "post"})
	written := func(value object, schema string) *kgo.Record {
		answer := do(avroTask{Write: value, Subject: subject, Schema: schema})
		require.Empty(t, answer.Error)
		return &kgo.Record{Topic: topic, Key: []byte("k"), Value: answer.Record}
	}
	old, recent := written(first, fmt.Sprintf(parcelSchema, "")), written(second, fmt.Sprintf(parcelSchema, nextField))
	require.NotEqual(t, old.Value[:5], recent.Value[:5], "they have schemas of their own")
	if library.resolvesAll {
		fewer := do(avroTask{Read: old.Value, Reader: `{"type":"record","name":"Parcel","namespace":"shop","fields":[{"name":"dimension","type":{"type":"enum","name":"Size","symbols":["S","M"],"default":"M"}}]}`})
		require.Empty(t, fewer.Error)
		same(t, object{"dimension": "M"}, fewer.Value, "a symbol that the reader doesn't know")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(p.kafka()), kgo.AllowAutoTopicCreation())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), old, recent).FirstErr())

	stream := "parcels_" + library.name
	const columns = "ok, i, CAST(l AS STRING), f, d, s, raw, hash, dimension, CAST(price AS STRING), day, FORMAT_TIME(clock, 'HH:mm:ss.SSS'), moment, numbers, levels, address, carrier"
	a := p.statement(t, "CREATE STREAM "+stream+" (k STRING KEY) WITH (KAFKA_TOPIC='"+topic+"', VALUE_FORMAT='AVRO'); CREATE TABLE "+stream+"_last AS SELECT k, LATEST_BY_OFFSET(s) AS s, SUM(l) AS l, MAX(price) AS price, COUNT(*) AS n FROM "+stream+" GROUP BY k;")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	rows := p.query(t, map[string]any{"sql": "SELECT " + columns + " FROM " + stream + " EMIT CHANGES LIMIT 2;", "properties": map[string]string{"auto.offset.reset": "earliest"}})
	require.Len(t, rows, 2)
	inSQL := []any{true, -3, "9007199254740993", 0.25, 1e-9, "é", "AP8Q", "AQI=", "XL", "-1234567.89", "1969-07-20", "23:59:59.123", "2024-02-29T12:34:56.789",
		[]any{1, -1}, object{"a": 0.5, "none": nil}, object{"CITY": "Oslo", "GEO": object{"LAT": 59.9}}, nil}
	same(t, inSQL, rows[0], "written with the first version")
	inSQL = slices.Concat(inSQL[:12], []any{nil, []any{}, object{}, nil, "post"})
	same(t, inSQL, rows[1], "written with the next version")
	eventually(t, "the table has counted both", func() bool {
		rows := p.pull(t, "SELECT s, CAST(l AS STRING), CAST(price AS STRING), n FROM "+stream+"_last WHERE k = 'k';")
		return len(rows) == 1 && fmt.Sprint(rows[0]) == fmt.Sprint([]any{"é", "18014398509481986", "-1234567.89", 2})
	})

	answer := do(avroTask{Write: second, Subject: subject, Schema: strings.Replace(fmt.Sprintf(parcelSchema, nextField), `"name":"i","type":"int"`, `"name":"i","type":"string"`, 1)})
	assert.Contains(t, answer.Error, "409", "the registry refuses what the readers of the subject can't read")

	// A schema in two subjects.
	require.Empty(t, do(avroTask{Write: object{"name": "x"}, Subject: "product-" + library.name, Schema: `{"type":"record","name":"Product","namespace":"shop","fields":[{"name":"name","type":"string"}]}`}).Error)
	topic, subject = "sales-"+library.name, "sales-"+library.name+"-value"
	answer = do(avroTask{Write: object{"n": 2, "product": object{"name": "jumper"}}, Subject: subject,
		Schema:     `{"type":"record","name":"Sale","namespace":"shop","fields":[{"name":"n","type":"int"},{"name":"product","type":"shop.Product"}]}`,
		References: []object{{"name": "shop.Product", "subject": "product-" + library.name, "version": 1}}})
	require.Empty(t, answer.Error)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: answer.Record}).FirstErr())
	back := do(avroTask{Read: answer.Record})
	require.Empty(t, back.Error)
	same(t, object{"n": 2, "product": object{"name": "jumper"}}, back.Value, "with a reference")
	a = p.statement(t, "CREATE STREAM sales_"+library.name+" WITH (KAFKA_TOPIC='"+topic+"', VALUE_FORMAT='AVRO');")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	rows = p.query(t, map[string]any{"sql": "SELECT n, product->name FROM sales_" + library.name + " EMIT CHANGES LIMIT 1;", "properties": map[string]string{"auto.offset.reset": "earliest"}})
	require.Len(t, rows, 1)
	same(t, []any{2, "jumper"}, rows[0], "with a reference")
	a = call(t, http.MethodPost, p.ksqldb()+"/query", `{"ksql":"PRINT '`+topic+`' FROM BEGINNING LIMIT 1;"}`)
	assert.Contains(t, string(a.body), `"name": "jumper"`)

	// SQL writes with that schema, too.
	id := fmt.Sprint(binary.BigEndian.Uint32(answer.Record[1:5]))
	a = p.statement(t, "CREATE STREAM sales_as_"+library.name+" WITH (KAFKA_TOPIC='"+topic+"', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID="+id+"); CREATE STREAM resales_"+library.name+
		" WITH (KAFKA_TOPIC='re"+topic+"', VALUE_FORMAT='AVRO', VALUE_SCHEMA_ID="+id+") AS SELECT * FROM sales_as_"+library.name+";")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	resale := awaitRecords(t, p, "re"+topic, 1)[0]
	assert.Equal(t, answer.Record, resale.Value)
}
