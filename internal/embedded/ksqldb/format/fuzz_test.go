package format_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// fuzzColumns has a column of every type.
func fuzzColumns() []types.Column {
	inner := types.StructOf(types.Field{Name: "X", Type: types.Integer}, types.Field{Name: "y", Type: types.ArrayOf(types.String)})
	return []types.Column{
		{Name: "A", Type: types.Boolean}, {Name: "B", Type: types.Integer}, {Name: "C", Type: types.Bigint},
		{Name: "D", Type: types.Double}, {Name: "E", Type: types.DecimalOf(9, 3)}, {Name: "F", Type: types.String},
		{Name: "G", Type: types.Bytes}, {Name: "H", Type: types.Time}, {Name: "I", Type: types.Date}, {Name: "J", Type: types.Timestamp},
		{Name: "K", Type: types.ArrayOf(types.Double)}, {Name: "L", Type: types.MapOf(types.String, inner)}, {Name: "M", Type: inner},
	}
}

// fuzzSerde lets a decoder read anything: it must not panic, and what it
// accepts must be writable again.
func fuzzSerde(f *testing.F, spec format.Spec, reg format.SchemaRegistry) {
	spec.Topic = "t"
	s, err := format.New(context.Background(), spec, reg)
	require.NoError(f, err)
	g := generator{newRand(), spec.Format}
	for range 20 {
		values := make([]types.Value, len(spec.Columns))
		for i, c := range spec.Columns {
			values[i] = g.value(c.Type)
		}
		data, err := s.Serialize(nil, values)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := s.Deserialize(data)
		if err != nil || values == nil {
			return
		}
		require.Len(t, values, len(spec.Columns))
		if _, err := s.Serialize(nil, values); err != nil {
			t.Skip("what was read can't be written")
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzzSerde(f, format.Spec{Format: "JSON", Columns: fuzzColumns()}, nil)
}

func FuzzJSONText(f *testing.F) {
	f.Add([]byte(`{"a":[1.50,{"b":"\u00e9"},null]}`))
	fuzzSerde(f, format.Spec{Format: "JSON", Columns: []types.Column{{Name: "V", Type: types.String}}, IsKey: true}, nil)
}

func FuzzDelimited(f *testing.F) {
	fuzzSerde(f, format.Spec{Format: "DELIMITED", Columns: fuzzColumns()[:10]}, nil)
}

func FuzzAvro(f *testing.F) {
	reg := &registry.Memory{}
	reg.Put("foreign", 2, registry.Schema{Text: `{"type":"record","name":"R","fields":[
		{"name":"a","type":["boolean","null"]},{"name":"b","type":"int"},{"name":"c","type":["null","int","string"]},
		{"name":"d","type":"float"},{"name":"e","type":{"type":"fixed","name":"Fx","size":4,"logicalType":"decimal","precision":9,"scale":3}},
		{"name":"f","type":{"type":"enum","name":"En","symbols":["P","Q"]}},{"name":"k","type":{"type":"array","items":"double"}},
		{"name":"l","type":{"type":"map","values":{"type":"record","name":"In","fields":[{"name":"x","type":["null","int"]},{"name":"y","type":{"type":"array","items":["null","string"]}}]}}},
		{"name":"m","type":["null","In"]},{"name":"n","type":["null","R"]}]}`})
	f.Add([]byte{0, 0, 0, 0, 2, 0, 1, 4})
	fuzzSerde(f, format.Spec{Format: "AVRO", Columns: fuzzColumns()}, reg)
}

func FuzzJSONSR(f *testing.F) {
	fuzzSerde(f, format.Spec{Format: "JSON_SR", Columns: fuzzColumns()}, &registry.Memory{})
}

func FuzzProtobuf(f *testing.F) {
	fuzzSerde(f, format.Spec{Format: "PROTOBUF", Columns: fuzzColumns()}, &registry.Memory{})
}

func FuzzProtobufNoSR(f *testing.F) {
	fuzzSerde(f, format.Spec{Format: "PROTOBUF_NOSR", Columns: fuzzColumns()}, nil)
}

// FuzzAvroSchema reads a record of any writer schema.
func FuzzAvroSchema(f *testing.F) {
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","boolean"],"default":null}]}`, []byte{2, 1})
	f.Add(`{"type":"array","items":{"type":"map","values":"long"}}`, []byte{2, 2, 2, 'a', 2, 0, 0})
	f.Add(`"string"`, []byte{4, 'a', 'b'})
	f.Fuzz(func(t *testing.T, schema string, payload []byte) {
		reg := &registry.Memory{}
		reg.Put("t-value", 1, registry.Schema{Text: schema})
		_, _ = format.Infer(context.Background(), reg, format.Spec{Format: "AVRO", Topic: "t"})
		s, err := format.New(context.Background(), format.Spec{Format: "AVRO", Columns: fuzzColumns(), Topic: "t"}, reg)
		require.NoError(t, err)
		_, _ = s.Deserialize(append([]byte{0, 0, 0, 0, 1}, payload...))
	})
}

// FuzzSchemas infers columns from anything that claims to be a schema.
func FuzzSchemas(f *testing.F) {
	f.Add("JSON_SR", `{"type":"object","properties":{"a":{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int32"}]},"b":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":["string","null"]}}}`)
	f.Add("PROTOBUF", "syntax = \"proto3\";\nmessage M { int32 a = 1; repeated M b = 2; oneof c { string d = 3; } map<string,int32> e = 4; }")
	f.Fuzz(func(t *testing.T, name, schema string) {
		if !format.SupportsInference(name) {
			t.Skip()
		}
		reg := &registry.Memory{}
		kind := map[string]string{"JSON_SR": "JSON", "PROTOBUF": "PROTOBUF"}[name]
		reg.Put("t-value", 1, registry.Schema{Type: kind, Text: schema})
		_, _ = format.Infer(context.Background(), reg, format.Spec{Format: name, Topic: "t"})
	})
}
