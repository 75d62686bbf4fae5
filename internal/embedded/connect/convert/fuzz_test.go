package convert_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// FuzzConverters reads any bytes with any schema, and writes what was read again.
func FuzzConverters(f *testing.F) {
	kinds := map[string]string{avroClass: "AVRO", jsonSchemaClass: "JSON", protobufClass: "PROTOBUF"}
	classes := []string{avroClass, jsonSchemaClass, protobufClass, "org.apache.kafka.connect.json.JsonConverter"}
	for _, class := range convert.HeaderClasses() {
		classes = append(classes, class.Name)
	}
	f.Add(uint8(0), `{"type":"record","name":"r","fields":[{"name":"a","type":["null","string"],"default":null},{"name":"b","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"c","type":{"type":"map","values":"long"}}]}`, []byte("\x00\x00\x00\x00\x01\x02\x02x\x02\x01\x00"))
	f.Add(uint8(0), `{"type":"record","name":"r","fields":[{"name":"e","type":{"type":"enum","name":"e","symbols":["A","B"]}},{"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}}]}`, []byte("\x00\x00\x00\x00\x01\x02\x04"))
	f.Add(uint8(1), `{"type":"object","title":"t","properties":{"a":{"type":"string"},"b":{"oneOf":[{"type":"null"},{"type":"integer"}]},"c":{"type":"array","items":{"$ref":"#/definitions/x"}}},"definitions":{"x":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes","connect.parameters":{"scale":"2"}}}}`, []byte("\x00\x00\x00\x00\x01{\"a\":\"x\",\"b\":1,\"c\":[1.5]}"))
	f.Add(uint8(2), "syntax = \"proto3\";\npackage p;\nmessage M { int64 a = 1; repeated string b = 2; map<string, int32> c = 3; oneof d { bool e = 4; M f = 5; } }", []byte("\x00\x00\x00\x00\x01\x00\x08\x01\x12\x01x"))
	f.Add(uint8(3), "", []byte(`{"schema":{"type":"struct","fields":[{"type":"int64","field":"a","name":"org.apache.kafka.connect.data.Timestamp","version":1},{"type":"map","field":"m","keys":{"type":"int8"},"values":{"type":"double"}}]},"payload":{"a":1,"m":[[1,2.5]]}}`))
	f.Add(uint8(4), "", []byte(`{"a":[1,"x",null,true]}`))
	for i := range classes {
		f.Add(uint8(i), `"string"`, []byte{0, 0, 0, 0, 1, 2, 'x', 0})
	}
	var schema, kind atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"id": 1, "version": 1, "subject": "t-value", "schema": schema.Load(), "schemaType": kind.Load()}) //nolint:errcheck // the client will tell
	}))
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, which uint8, text string, raw []byte) {
		name := classes[int(which)%len(classes)]
		schema.Store(text)
		kind.Store(kinds[name])
		use := convert.Value
		if _, ok := convert.Find(name); !ok {
			use = convert.Header
		}
		c, err := convert.New(convert.Environment{}, name, use, map[string]string{"schema.registry.url": server.URL})
		if err != nil {
			t.Fatal(err)
		}
		s, v, err := c.ToConnect(t.Context(), "t", raw)
		if err != nil {
			return
		}
		_ = data.Text(v)
		if _, err := c.FromConnect(t.Context(), "t", s, v); err != nil {
			return // not all that can be read can be written
		}
	})
}
