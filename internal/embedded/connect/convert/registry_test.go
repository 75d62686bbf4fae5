package convert_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/registry"
)

// startRegistry brings up a Schema Registry with a broker of its own.
func startRegistry(t *testing.T) (string, *sr.Client) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(broker.Config{Addr: "127.0.0.1:0", Logger: log})
	require.NoError(t, err)
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	r, err := registry.New(registry.Config{Addr: "127.0.0.1:0", Brokers: []string{b.Addr()}, Logger: log})
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, r.Stop()) })
	client, err := sr.NewClient(sr.URLs("http://" + r.Addr()))
	require.NoError(t, err)
	return "http://" + r.Addr(), client
}

const (
	jsonSchemaClass = "io.confluent.connect.json.JsonSchemaConverter"
	protobufClass   = "io.confluent.connect.protobuf.ProtobufConverter"
)

func TestJSONSchemaComesBackAsItWas(t *testing.T) {
	url, client := startRegistry(t)
	c := newConverter(t, jsonSchemaClass, map[string]string{"schema.registry.url": url})
	schema, value := everyType()
	intKeys := &data.Schema{Type: data.MapType, Key: data.Of(data.Int32), Value: data.OptionalOf(data.Boolean)}
	schema.Fields = append(schema.Fields, data.Field{Name: "int keys", Schema: intKeys})
	value.Values = append(value.Values, &data.Map{Keys: []any{int32(5)}, Values: []any{true}})
	raw, err := c.FromConnect(t.Context(), "t", schema, value)
	require.NoError(t, err)
	assert.Equal(t, byte(0), raw[0])
	assert.JSONEq(t, `{"i8":-1,"i64":null,"f32":1.5,"f64":1.0E10,"b":true,"s":"ü\"\n","raw":"Af8=","ts":-1,"d":19000,"dec":"z8c=","list":[1,2],"map":{"k":"v"},"int keys":[{"key":5,"value":true}]}`, string(raw[5:]))
	gotSchema, got, err := newConverter(t, jsonSchemaClass, map[string]string{"schema.registry.url": url}).ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.True(t, data.Equal(schema, gotSchema))
	assert.Equal(t, value.Values, got.(*data.Struct).Values)

	stored, err := client.SchemaByVersion(t.Context(), "t-value", -1)
	require.NoError(t, err)
	assert.Equal(t, sr.TypeJSON, stored.Type)
	var text struct {
		Title      string
		Properties map[string]json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(stored.Schema.Schema), &text))
	assert.Equal(t, "n", text.Title)
	assert.JSONEq(t, `{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int64"}],"connect.index":1}`, string(text.Properties["i64"]))
	assert.JSONEq(t, `{"type":"number","connect.type":"bytes","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.parameters":{"scale":"2"},"connect.index":9}`, string(text.Properties["dec"]))
}

func TestJSONSchemasOfOthersAreRead(t *testing.T) {
	url, client := startRegistry(t)
	for name, test := range map[string]struct{ schema, value, want, again string }{
		"references": {`{"type":"object","definitions":{"a":{"type":"integer"}},"properties":{"n":{"$ref":"#/definitions/a"}}}`, `{"n":5}`, `Struct{n=5}`, `{"n":5}`},
		"union":      {`{"oneOf":[{"type":"string"},{"type":"integer"},{"type":"object","properties":{"x":{"type":"boolean"}}}]}`, `{"x":true}`, `Struct{io.confluent.connect.json.OneOf.field.2=Struct{x=true}}`, `{"x":true}`},
		"types":      {`{"type":["string","null"]}`, `"a"`, `a`, `"a"`},
		"all of":     {`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"b":{"type":"number"}}}]}`, `{"a":"x","b":2}`, `Struct{a=x,b=2.0}`, `{"a":"x","b":2.0}`},
		"enum":       {`{"enum":["b","a"]}`, `"a"`, `a`, `"a"`},
		"default":    {`{"type":"object","properties":{"a":{"type":"integer","default":7}}}`, `{}`, `Struct{a=7}`, `{"a":7}`},
		"left out":   {`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}}}`, `{"b":"x"}`, `Struct{b=x}`, `{"b":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := client.RegisterSchema(t.Context(), name, sr.Schema{Schema: test.schema, Type: sr.TypeJSON}, 0, 0)
			require.NoError(t, err)
			c := newConverter(t, jsonSchemaClass, map[string]string{"schema.registry.url": url})
			schema, v, err := c.ToConnect(t.Context(), "t", append([]byte{0, 0, 0, 0, byte(id)}, test.value...))
			require.NoError(t, err)
			assert.Equal(t, test.want, data.Text(v))
			raw, err := c.FromConnect(t.Context(), name+" again", schema, v)
			require.NoError(t, err)
			assert.JSONEq(t, test.again, string(raw[5:]))
		})
	}
	c := newConverter(t, jsonSchemaClass, map[string]string{"schema.registry.url": url})
	_, _, err := c.ToConnect(t.Context(), "t", []byte("{}"))
	require.ErrorContains(t, err, "Converting byte[] to Kafka Connect data failed due to serialization error of topic t: : Unknown magic byte!")
	_, _, err = c.ToConnect(t.Context(), "t", []byte{0, 0, 0, 9, 9, '1'})
	require.ErrorContains(t, err, "Error retrieving JSON schema for id 2313")
}

func TestProtobufComesBackAsItWas(t *testing.T) {
	url, client := startRegistry(t)
	c := newConverter(t, protobufClass, map[string]string{"schema.registry.url": url})
	schema, value := everyType()
	inner := &data.Schema{Type: data.StructType, Name: "ns.Inner", Fields: []data.Field{{Name: "x", Schema: data.OptionalOf(data.Int16)}}}
	schema.Name = "com.example.Row"
	schema.Fields = append(schema.Fields, data.Field{Name: "inner", Schema: inner}, data.Field{Name: "t", Schema: data.TimeOfDay()})
	clock := time.UnixMilli(3_723_004).UTC()
	value.Values = append(value.Values, &data.Struct{Schema: inner, Values: []any{int16(-3)}}, clock)
	raw, err := c.FromConnect(t.Context(), "t", schema, value)
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 0, 1, 0}, raw[:6], "magic byte, id and the first message")

	stored, err := client.SchemaByVersion(t.Context(), "t-value", -1)
	require.NoError(t, err)
	assert.Equal(t, sr.TypeProtobuf, stored.Type)
	assert.Contains(t, stored.Schema.Schema, "message Row {")
	assert.Contains(t, stored.Schema.Schema, "int64 i64 = 2;")
	assert.Contains(t, stored.Schema.Schema, `key: "connect.type"`)
	assert.Contains(t, stored.Schema.Schema, "repeated ConnectDefault1Entry map = 12;")

	read := newConverter(t, protobufClass, map[string]string{"schema.registry.url": url})
	gotSchema, got, err := read.ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.Equal(t, "Row", gotSchema.Name)
	assert.True(t, gotSchema.Fields[0].Schema.Optional, "as the real converter reads them")
	want := append([]any(nil), value.Values...)
	want[1] = int64(0) // a plain field has no null
	st := got.(*data.Struct)
	assert.Equal(t, "Struct{x=-3}", data.Text(st.Values[12]))
	want[12], st.Values[12] = nil, nil
	assert.Equal(t, want, st.Values)

	// What was read can be written again.
	_, err = c.FromConnect(t.Context(), "again", gotSchema, got)
	require.NoError(t, err)
}

func TestProtobufOfOthersIsRead(t *testing.T) {
	url, client := startRegistry(t)
	const text = `syntax = "proto3"; package p;
message First { int32 a = 1; }
message Second {
  enum Colour { RED = 0; GREEN = 5; }
  oneof choice { string name = 1; uint32 number = 2; }
  map<string, int64> counts = 3;
  optional string note = 4;
  repeated Colour colours = 5;
  First first = 6;
}`
	id, err := client.RegisterSchema(t.Context(), "s", sr.Schema{Schema: text, Type: sr.TypeProtobuf}, 0, 0)
	require.NoError(t, err)
	c := newConverter(t, protobufClass, map[string]string{"schema.registry.url": url})
	// number = 7, counts {k: 2}, colours [GREEN]; the message is the second one.
	body := []byte{2, 2, 0x10, 7, 0x1a, 5, 0x0a, 1, 'k', 0x10, 2, 0x2a, 1, 5}
	schema, v, err := c.ToConnect(t.Context(), "t", append([]byte{0, 0, 0, 0, byte(id)}, body...))
	require.NoError(t, err)
	assert.Equal(t, "Struct{choice_0=Struct{number=7},counts={k=2},colours=[GREEN]}", data.Text(v))
	raw, err := c.FromConnect(t.Context(), "again", schema, v)
	require.NoError(t, err)
	_, again, err := c.ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.Equal(t, "Struct{choice_0=Struct{number=7},counts={k=2},note=,colours=[GREEN]}", data.Text(again), "the label optional is kept with optional.for.nullables only")

	for _, body := range [][]byte{{}, {2}, {2, 8}, {1}, {0, 0xff}} {
		_, _, err := c.ToConnect(t.Context(), "t", append([]byte{0, 0, 0, 0, byte(id)}, body...))
		require.ErrorContains(t, err, "Failed to deserialize data for topic t to Protobuf", "%x", body)
	}
}

func TestProtobufWrapsWhatIsNoStruct(t *testing.T) {
	url, _ := startRegistry(t)
	c := newConverter(t, protobufClass, map[string]string{"schema.registry.url": url})
	for _, test := range []struct {
		schema *data.Schema
		value  any
	}{{data.Of(data.String), "ü"}, {data.Of(data.Int64), int64(-1)}, {data.Of(data.Boolean), true}, {data.Of(data.Float64), 1.5}, {data.Of(data.Bytes), []byte{1}}} {
		raw, err := c.FromConnect(t.Context(), "t", test.schema, test.value)
		require.NoError(t, err)
		schema, got, err := c.ToConnect(t.Context(), "t", raw)
		require.NoError(t, err)
		assert.Equal(t, test.schema.Type, schema.Type)
		assert.Equal(t, test.value, got)
	}
	_, err := c.FromConnect(t.Context(), "t", &data.Schema{Type: data.Array, Value: data.Of(data.String)}, []any{"a"})
	require.ErrorContains(t, err, "Unsupported root schema of type ARRAY")
	raw, err := c.FromConnect(t.Context(), "t", nil, nil)
	require.NoError(t, err)
	assert.Nil(t, raw)
}

func TestNamesAreMadeValidForProtobuf(t *testing.T) {
	url, client := startRegistry(t)
	c := newConverter(t, protobufClass, map[string]string{"schema.registry.url": url, "scrub.invalid.names": "true", "optional.for.nullables": "true"})
	schema := &data.Schema{Type: data.StructType, Name: "my-table", Fields: []data.Field{{Name: "a b", Schema: data.OptionalOf(data.Int32)}, {Name: "1x", Schema: data.OptionalOf(data.String)}}}
	raw, err := c.FromConnect(t.Context(), "t", schema, &data.Struct{Schema: schema, Values: []any{nil, "v"}})
	require.NoError(t, err)
	stored, err := client.SchemaByVersion(t.Context(), "t-value", -1)
	require.NoError(t, err)
	assert.Contains(t, stored.Schema.Schema, "optional int32 a_b = 1;")
	assert.Contains(t, stored.Schema.Schema, "optional string x1x = 2;")
	_, got, err := c.ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.Equal(t, "Struct{x1x=v}", data.Text(got))
}
