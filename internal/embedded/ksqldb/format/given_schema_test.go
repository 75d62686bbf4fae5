package format_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const itemSchema = `syntax = "proto3";
package shop;
enum Color { RED = 0; BLUE = 1; }
message Other { string o = 1; }
message Item {
  int32 id = 1;
  string displayName = 2;
  Color color = 3;
  repeated int64 nums = 4;
  map<string, int32> counts = 5;
  Inner inner = 6;
  oneof choice { string s = 7; int32 i = 8; }
  optional int32 opt = 9;
  message Inner { string x = 1; }
}
`

// Schemas that others made are written as they are: names, enums and the
// position of the message in its file.
func TestWritesAGivenProtobufSchema(t *testing.T) {
	ctx := context.Background()
	reg := &registry.Memory{}
	reg.Put("t-value", 12, registry.Schema{Type: registry.TypeProtobuf, Text: itemSchema})
	id := 12
	spec := format.Spec{Format: "PROTOBUF", Topic: "t", SchemaID: &id, FullName: "shop.Item"}
	inferred, err := format.Infer(ctx, reg, spec)
	require.NoError(t, err)
	schema := types.Schema{Value: inferred.Columns}
	require.Equal(t, "`choice_0` STRUCT<`s` STRING, `i` INTEGER>, `id` INTEGER, `displayName` STRING, `color` STRING, `nums` ARRAY<BIGINT>, "+
		"`counts` MAP<STRING, INTEGER>, `inner` STRUCT<`x` STRING>, `opt` INTEGER", schema.String())
	spec.Columns = inferred.Columns
	s, err := format.New(ctx, spec, reg)
	require.NoError(t, err)
	values := []types.Value{
		types.StructValue([]types.Value{types.Null, types.IntValue(9)}), types.IntValue(7), types.StringValue("ab"), types.StringValue("BLUE"),
		types.ArrayValue([]types.Value{types.IntValue(1), types.IntValue(2)}),
		types.MapOfValues(&types.MapValue{Keys: []types.Value{types.StringValue("k")}, Values: []types.Value{types.IntValue(5)}}),
		types.StructValue([]types.Value{types.StringValue("z")}), types.Null,
	}
	data, err := s.Serialize(nil, values)
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 0, 12, 2, 2}, data[:7], "the second message of the file")
	back, err := s.Deserialize(data)
	require.NoError(t, err)
	for i, c := range inferred.Columns {
		assert.True(t, types.Equal(c.Type, values[i], back[i]), c.Name)
	}
	values[3] = types.StringValue("GREEN")
	_, err = s.Serialize(nil, values)
	assert.ErrorContains(t, err, `enum shop.Color has no value "GREEN"`)

	spec.Columns = []types.Column{{Name: "nope", Type: types.String}}
	_, err = format.New(ctx, spec, reg)
	assert.EqualError(t, err, "Schema from Schema Registry misses field with name: nope")
	spec.FullName = "shop.Nothing"
	_, err = format.New(ctx, spec, reg)
	assert.ErrorContains(t, err, "has no message shop.Nothing")
}

func TestProtobufReferences(t *testing.T) {
	ctx := context.Background()
	reg := &registry.Memory{}
	reg.Put("inner", 1, registry.Schema{Type: registry.TypeProtobuf, Text: "syntax = \"proto3\";\npackage p;\nmessage Inner { string x = 1; }"})
	reg.Put("t-value", 2, registry.Schema{
		Type: registry.TypeProtobuf, Text: "syntax = \"proto3\";\nimport \"inner.proto\";\nmessage M { p.Inner inner = 1; }",
		References: []registry.Reference{{Name: "inner.proto", Subject: "inner", Version: 1}},
	})
	inferred, err := format.Infer(ctx, reg, format.Spec{Format: "PROTOBUF", Topic: "t"})
	require.NoError(t, err)
	schema := types.Schema{Value: inferred.Columns}
	assert.Equal(t, "`INNER` STRUCT<`X` STRING>", schema.String())
	reg.Put("u-value", 3, registry.Schema{Type: registry.TypeProtobuf, Text: "syntax = \"proto3\";\nimport \"inner.proto\";\nmessage M { p.Inner inner = 1; }"})
	_, err = format.Infer(ctx, reg, format.Spec{Format: "PROTOBUF", Topic: "u"})
	assert.ErrorContains(t, err, "inner.proto is neither a reference of the schema nor a file that all know")
}

func TestProtobufNullableRepresentations(t *testing.T) {
	cols := []types.Column{{Name: "I", Type: types.Integer}, {Name: "S", Type: types.String}}
	for nullable, null := range map[string]bool{"": false, "OPTIONAL": true, "WRAPPER": true} {
		s, err := format.New(context.Background(), format.Spec{Format: "PROTOBUF", Columns: cols, Topic: "t", ProtobufNullable: nullable}, &registry.Memory{})
		require.NoError(t, err)
		data, err := s.Serialize(nil, []types.Value{types.Null, types.StringValue("")})
		require.NoError(t, err)
		got, err := s.Deserialize(data)
		require.NoError(t, err)
		assert.Equal(t, null, got[0].IsNull(), nullable)
		assert.False(t, got[1].IsNull(), nullable)
	}
}

func TestJSONSchemasOfOthers(t *testing.T) {
	ctx := context.Background()
	reg := &registry.Memory{}
	reg.Put("t-value", 1, registry.Schema{Type: registry.TypeJSON, Text: `{"type":"object","required":["id"],"properties":{
		"id":{"type":"integer"},"kind":{"enum":["A","B"]},"amount":{"$ref":"#/definitions/money"},
		"tags":{"type":"object","connect.type":"map","additionalProperties":{"type":["string","null"]}},
		"either":{"oneOf":[{"type":"string"},{"type":"integer"}]}},
		"definitions":{"money":{"type":["number","null"]}}}`})
	inferred, err := format.Infer(ctx, reg, format.Spec{Format: "JSON_SR", Topic: "t"})
	require.NoError(t, err)
	schema := types.Schema{Value: inferred.Columns}
	require.Equal(t, "`AMOUNT` DOUBLE, `EITHER` STRUCT<`IO.CONFLUENT.CONNECT.JSON.ONEOF.FIELD.0` STRING, `IO.CONFLUENT.CONNECT.JSON.ONEOF.FIELD.1` BIGINT>, "+
		"`KIND` STRING, `ID` BIGINT, `TAGS` MAP<STRING, STRING>", schema.String(), "without connect.index the order is that of a HashMap")
	s, err := format.New(ctx, format.Spec{Format: "JSON_SR", Topic: "t", Columns: []types.Column{
		{Name: "ID", Type: types.Bigint}, {Name: "KIND", Type: types.String}, {Name: "AMOUNT", Type: types.Double}, {Name: "TAGS", Type: types.MapOf(types.String, types.String)},
	}}, reg)
	require.NoError(t, err)
	got, err := s.Deserialize([]byte("\x00\x00\x00\x00\x01" + `{"id":9007199254740993,"kind":"B","amount":null,"tags":{"a":"x","b":null}}`))
	require.NoError(t, err)
	assert.Equal(t, int64(9007199254740993), got[0].Int(), "numbers are exact")
	assert.Equal(t, "B", got[1].Str())
	assert.True(t, got[2].IsNull())
	assert.Len(t, got[3].Map().Keys, 2)
	_, err = s.Deserialize([]byte("\x00\x00\x00\x00\x01" + `{"id":null}`))
	assert.ErrorContains(t, unwrap(err), "Invalid null value for required INT64 field")
	_, err = s.Deserialize([]byte(`{"id":1}`))
	assert.ErrorContains(t, unwrap(err), "Unknown magic byte!")
}
