package connect_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
	"github.com/orderflow/orderflow/internal/embedded/connect/transform"
)

// ask sends any request and wants an answer of the worker's: JSON, or none.
func (s *stack) ask(method, path, contentType string, body []byte) []byte {
	req := &http.Request{Method: method, URL: &url.URL{Scheme: "http", Host: s.server.Addr(), Opaque: "//" + s.server.Addr() + path},
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
	res, err := s.http.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "closed") {
			s.t.Fatalf("%s %q with %q broke the connection: %v", method, path, body, err)
		}
		return nil // the client does not send such a request
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	if res.Header.Get("Content-Type") == "application/json" && len(raw) > 0 && !json.Valid(raw) {
		s.t.Fatalf("%s %q answers with what is no JSON: %q", method, path, raw)
	}
	return raw
}

const fuzzedSecret = "Zq7-never-to-be-seen"

// FuzzConnectorSettings validates and creates connectors with any settings. Nothing
// may break, and no answer may have the value of a variable or a password.
func FuzzConnectorSettings(f *testing.F) {
	f.Setenv("ORDERFLOW_TEST_SECRET", fuzzedSecret)
	for _, seed := range []string{
		`{"connector.class":"JdbcSourceConnector","connection.url":"jdbc:sqlite:x.db","mode":"incrementing","incrementing.column.name":"id","topic.prefix":"p-"}`,
		`{"connector.class":"ElasticsearchSinkConnector","connection.url":"http://127.0.0.1:1","topics":"t","key.ignore":"true"}`,
		`{"connector.class":"FileStreamSink","file":"x","topics.regex":"[","errors.tolerance":"all"}`,
		`{"connector.class":"JdbcSource","connection.url":"${env:ORDERFLOW_TEST_SECRET}","batch.max.rows":"${env:ORDERFLOW_TEST_SECRET}","mode":"x"}`,
		`{"connector.class":"JdbcSource","mode":"bulk","connection.url":"jdbc:sqlite:x","transforms":"a,b","transforms.a.type":"org.apache.kafka.connect.transforms.Cast$Value","transforms.a.spec":"${env:ORDERFLOW_TEST_SECRET}","predicates":"p","predicates.p.type":"org.apache.kafka.connect.transforms.predicates.TopicNameMatches","predicates.p.pattern":"("}`,
		`{"connector.class":"JdbcSource","mode":"bulk","connection.url":"jdbc:sqlite:x","value.converter":"io.confluent.connect.avro.AvroConverter","value.converter.schema.registry.url":"${env:ORDERFLOW_TEST_SECRET}","value.converter.basic.auth.user.info":"${env:ORDERFLOW_TEST_SECRET}"}`,
		`{"connector.class":"${env:ORDERFLOW_TEST_SECRET}"}`, `{"connector.class":1,"tasks.max":-1}`, `{}`, `null`, `[]`,
	} {
		f.Add(seed)
	}
	s := newStack(f)
	f.Fuzz(func(t *testing.T, settings string) {
		s.t = t
		answers := [][]byte{
			s.ask(http.MethodPut, "/connector-plugins/JdbcSourceConnector/config/validate", "application/json", []byte(settings)),
			s.ask(http.MethodPut, "/connector-plugins/ElasticsearchSinkConnector/config/validate", "application/json", []byte(settings)),
			s.ask(http.MethodPost, "/connectors", "application/json", []byte(`{"name":"fuzzed","initial_state":"STOPPED","config":`+settings+`}`)),
			s.ask(http.MethodGet, "/connectors?expand=info&expand=status", "", nil),
			s.ask(http.MethodPut, "/connectors/fuzzed/config", "application/json", []byte(settings)),
			s.ask(http.MethodDelete, "/connectors/fuzzed", "", nil),
		}
		for _, answer := range answers {
			if bytes.Contains(answer, []byte(fuzzedSecret)) {
				t.Fatalf("an answer has a secret: %s", answer)
			}
		}
	})
}

// FuzzRequests sends anything to any path.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, body string }{
		{"GET", "/connectors?expand=status&expand=info", ""}, {"POST", "/connectors", `{"name":"n","config":{"connector.class":"x"}}`},
		{"PATCH", "/connectors/c/offsets", `{"offsets":[{"partition":{"a":1},"offset":{"b":2}}]}`}, {"PATCH", "/connectors/c/config", `{"mode":null}`},
		{"DELETE", "/connectors/c/offsets", ""}, {"PUT", "/admin/loggers/root?scope=cluster", `{"level":"DEBUG"}`}, {"GET", "/connectors/%2e%2e/status", ""},
		{"POST", "/connectors/c/tasks/0/restart", ""}, {"PUT", "/connectors/c/stop", ""}, {"OPTIONS", "/connectors", ""}, {"GET", "/connector-plugins?connectorsOnly=false", ""},
		{"POST", "/connectors/c/restart?includeTasks=true&onlyFailed=true", ""}, {"PUT", "/connectors/c/config", "\xff{"},
	} {
		f.Add(seed.method, seed.path, seed.body)
	}
	s := newStack(f)
	s.exec(s.database("t.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL)", "INSERT INTO t VALUES (1)")
	s.create("c", map[string]string{"connector.class": "JdbcSource", "connection.url": s.jdbcURL("t.db"), "mode": "incrementing", "incrementing.column.name": "id",
		"topic.prefix": "x-", "value.converter": "org.apache.kafka.connect.json.JsonConverter"})
	f.Fuzz(func(t *testing.T, method, path, body string) {
		s.t = t
		s.ask(method, "/"+strings.TrimPrefix(path, "/"), "application/json", []byte(body))
		if answer := s.ask(http.MethodGet, "/", "", nil); !bytes.Contains(answer, []byte("kafka_cluster_id")) {
			t.Fatalf("after %s %q the worker answers %q", method, path, answer)
		}
	})
}

// FuzzTransformations makes transformations from any settings and applies them to
// records with and without schemas.
func FuzzTransformations(f *testing.F) {
	classes := transform.Classes()
	for i := range classes {
		f.Add(uint8(i), "field", "a", "fields", "a,b", "2024-01-01")
	}
	f.Add(uint8(0), "spec", "int32", "spec", "a:int8,b:float64", "12.5")
	f.Add(uint8(len(classes)-1), "target.type", "string", "format", "yyyy-MM-dd'T'HH:mm:ss.SSS", "2024-01-01T00:00:00.000")
	f.Add(uint8(12), "regex", "(.*)(", "replacement", "$1$2", "x")
	f.Fuzz(func(t *testing.T, which uint8, key1, value1, key2, value2, text string) {
		class := classes[int(which)%len(classes)]
		settings := map[string]string{key1: value1, key2: value2}
		if class.Check(settings) != nil || len(config.Validate(class.Definition, "", settings).Errors()) > 0 {
			return
		}
		made, err := class.New(settings)
		if err != nil {
			return
		}
		at, partition := int64(1709294400250), int32(0)
		schema := &data.Schema{Type: data.StructType, Name: "s", Fields: []data.Field{
			{Name: "a", Schema: data.OptionalOf(data.String)}, {Name: "b", Schema: data.Of(data.Int64)}, {Name: "c", Schema: data.Timestamp()},
		}}
		st := data.NewStruct(schema)
		st.Values[0], st.Values[1], st.Values[2] = text, at, data.SQLTime(timeOf(at))
		plain := &data.Map{}
		plain.Put("a", text)
		plain.Put("b", at)
		for _, r := range []*plugin.Record{
			{Topic: "t", Partition: &partition, KeySchema: schema, Key: st, ValueSchema: schema, Value: st, Timestamp: &at, Headers: []plugin.Header{{Key: "a", Value: text}}},
			{Topic: "t", Key: plain, Value: plain, Timestamp: &at},
			{Topic: "t", KeySchema: data.Of(data.String), Key: text, ValueSchema: data.OptionalOf(data.String)},
			{Topic: text},
		} {
			if out, err := made.Apply(r); err == nil && out != nil {
				_ = out.Text() // what logs and traces have
			}
		}
	})
}
