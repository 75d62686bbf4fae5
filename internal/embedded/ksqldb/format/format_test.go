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

func TestValidate(t *testing.T) {
	wrap, unwrap, id := true, false, 1
	a := []types.Column{{Name: "A", Type: types.Integer}}
	ab := append([]types.Column{{Name: "B", Type: types.String}}, a...)
	list := []types.Column{{Name: "A", Type: types.ArrayOf(types.Integer)}}
	intMap := []types.Column{{Name: "A", Type: types.MapOf(types.Integer, types.Integer)}}
	flag := []types.Column{{Name: "K", Type: types.Boolean}}
	for _, c := range []struct {
		spec format.Spec
		want string
	}{
		{format.Spec{Format: "json", Columns: ab}, ""},
		{format.Spec{Format: "JSON", Columns: a, Wrap: &unwrap}, ""},
		{format.Spec{Format: "DELIMITED", Columns: a, Wrap: &unwrap, Delimiter: "TAB"}, ""},
		{format.Spec{Format: "NONE"}, ""},
		{format.Spec{Format: "XML", Columns: a}, "Unknown format: XML"},
		{format.Spec{Format: "JSON", Columns: ab, Wrap: &unwrap}, "'WRAP_SINGLE_VALUE' is only valid for single-field value schemas"},
		{format.Spec{Format: "PROTOBUF", Columns: a, Wrap: &unwrap}, "Format 'PROTOBUF' does not support 'WRAP_SINGLE_VALUE' set to 'false'."},
		{format.Spec{Format: "DELIMITED", Columns: a, Wrap: &wrap}, "Format 'DELIMITED' does not support 'WRAP_SINGLE_VALUE' set to 'true'."},
		{format.Spec{Format: "JSON", Columns: a, Delimiter: "|"}, "JSON does not support the following configs: [delimiter]"},
		{format.Spec{Format: "KAFKA", Columns: a, SchemaID: &id}, "KAFKA does not support the following configs: [schemaId]"},
		{format.Spec{Format: "DELIMITED", Columns: a, Delimiter: "||"}, "Invalid delimiter value: '||'. Delimiter must be a single character or TAB,SPACE\nExample valid value: ';'"},
		{format.Spec{Format: "DELIMITED", Columns: list}, "Value format does not support schema.\nformat: DELIMITED\nschema: Persistence{columns=[`A` ARRAY<INTEGER>], features=[]}\nreason: The 'DELIMITED' format does not support type 'ARRAY', column: `A`"},
		{format.Spec{Format: "AVRO", Columns: intMap}, "Value format does not support schema.\nformat: AVRO\nschema: Persistence{columns=[`A` MAP<INTEGER, INTEGER>], features=[]}\nreason: Avro only supports MAPs with STRING keys"},
		{format.Spec{Format: "KAFKA", Columns: flag, IsKey: true}, "Key format does not support schema.\nformat: KAFKA\nschema: Persistence{columns=[`K` BOOLEAN KEY], features=[]}\nreason: The 'KAFKA' format does not support type 'BOOLEAN'"},
		{format.Spec{Format: "KAFKA", Columns: ab, IsKey: true}, "Key format does not support schema.\nformat: KAFKA\nschema: Persistence{columns=[`B` STRING KEY, `A` INTEGER KEY], features=[]}\nreason: The 'KAFKA' format only supports a single field. Got: [`B` STRING KEY, `A` INTEGER KEY]"},
		{format.Spec{Format: "NONE", Columns: a, IsKey: true}, "Key format does not support schema.\nformat: NONE\nschema: Persistence{columns=[`A` INTEGER KEY], features=[]}\nreason: The 'NONE' format can only be used when no columns are defined. Got: [`A` INTEGER KEY]"},
	} {
		err := format.Validate(c.spec)
		if c.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, c.want)
	}
}

func TestKeyFormatFor(t *testing.T) {
	assert.Equal(t, "KAFKA", format.KeyFormatFor("KAFKA", []*types.Type{types.String}))
	assert.Equal(t, "JSON", format.KeyFormatFor("KAFKA", []*types.Type{types.Boolean}))
	assert.Equal(t, "JSON", format.KeyFormatFor("KAFKA", []*types.Type{types.String, types.String}))
	assert.Equal(t, "JSON", format.KeyFormatFor("NONE", []*types.Type{types.String}))
	assert.Equal(t, "JSON", format.KeyFormatFor("DELIMITED", []*types.Type{types.DecimalOf(4, 2)}))
	assert.Equal(t, "AVRO", format.KeyFormatFor("AVRO", []*types.Type{types.DecimalOf(4, 2), types.String}))
}

func TestMatchColumns(t *testing.T) {
	c1, c2 := types.Column{Name: "c1", Type: types.String}, types.Column{Name: "c2", Type: types.Double}
	schema := []types.Column{c1, c2}
	require.NoError(t, format.MatchColumns(schema[:1], schema, false), "more columns at the end are fine")
	assert.EqualError(t, format.MatchColumns([]types.Column{{Name: "c1", Type: types.Integer}, c2}, schema, false),
		"The following value columns are changed, missing or reordered: [`c1` INTEGER]. Schema from schema registry is [`c1` STRING, `c2` DOUBLE]")
	assert.EqualError(t, format.MatchColumns([]types.Column{c2, c1}, schema, true),
		"The following key columns are changed, missing or reordered: [`c2` DOUBLE KEY, `c1` STRING KEY]. Schema from schema registry is [`c1` STRING KEY, `c2` DOUBLE KEY]")
}

func TestRegister(t *testing.T) {
	ctx := context.Background()
	spec := format.Spec{Format: "AVRO", Columns: []types.Column{{Name: "A", Type: types.Integer}}, Topic: "t"}
	t.Run("a plain CREATE registers only what isn't there", func(t *testing.T) {
		reg := &registry.Memory{}
		require.NoError(t, format.Register(ctx, reg, spec, false))
		first, err := reg.Latest(ctx, "t-value")
		require.NoError(t, err)
		wider := spec
		wider.Columns = append([]types.Column{{Name: "B", Type: types.String}}, spec.Columns...)
		require.NoError(t, format.Register(ctx, reg, wider, false))
		again, err := reg.Latest(ctx, "t-value")
		require.NoError(t, err)
		assert.Equal(t, first, again)
		require.NoError(t, format.Register(ctx, reg, wider, true))
		second, err := reg.Latest(ctx, "t-value")
		require.NoError(t, err)
		assert.Equal(t, 2, second.Version)
	})
	t.Run("a given schema is registered under the topic with its id", func(t *testing.T) {
		reg := &registry.Memory{}
		reg.Put("other", 7, registry.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`})
		id := 7
		given := spec
		given.SchemaID = &id
		require.NoError(t, format.Register(ctx, reg, given, true))
		got, err := reg.Latest(ctx, "t-value")
		require.NoError(t, err)
		assert.Equal(t, 7, got.ID)
		given.Format = "JSON_SR"
		assert.EqualError(t, format.Register(ctx, reg, given, true),
			"Format and fetched schema type using VALUE_SCHEMA_ID 7 are different. Format: [JSON_SR], Fetched schema type: [AVRO].")
		given.Format, given.IsKey = "KAFKA", true
		assert.EqualError(t, format.Register(ctx, reg, given, true), "KEY_SCHEMA_ID is provided but format KAFKA doesn't support registering in Schema Registry")
	})
	t.Run("formats without schemas and sides without columns have none", func(t *testing.T) {
		reg := &registry.Memory{}
		json := spec
		json.Format = "JSON"
		require.NoError(t, format.Register(ctx, reg, json, true))
		empty := spec
		empty.Columns = nil
		require.NoError(t, format.Register(ctx, reg, empty, true))
		assert.Empty(t, reg.Subjects())
	})
}

func TestInfer(t *testing.T) {
	ctx := context.Background()
	reg := &registry.Memory{}
	reg.Put("t-value", 3, registry.Schema{Text: `{"type":"record","name":"R","namespace":"x","fields":[{"name":"aFloat","type":"float"},{"name":"n","type":{"type":"record","name":"N","fields":[{"name":"i","type":"int"}]}}]}`})
	reg.Put("t-key", 4, registry.Schema{Text: `{"type":"record","name":"K","fields":[{"name":"k","type":"int"},{"name":"k2","type":"int"}]}`})

	got, err := format.Infer(ctx, reg, format.Spec{Format: "AVRO", Topic: "t"})
	require.NoError(t, err)
	schema := types.Schema{Value: got.Columns}
	assert.Equal(t, "`AFLOAT` DOUBLE, `N` STRUCT<`I` INTEGER>", schema.String())
	assert.Empty(t, got.FullName)

	got, err = format.Infer(ctx, reg, format.Spec{Format: "AVRO", Topic: "t", IsKey: true})
	require.NoError(t, err)
	schema = types.Schema{Key: got.Columns}
	assert.Equal(t, "`ROWKEY` STRUCT<`K` INTEGER, `K2` INTEGER> KEY", schema.String())

	id := 3
	_, err = format.Infer(ctx, reg, format.Spec{Format: "AVRO", SchemaID: &id})
	assert.ErrorContains(t, err, "Unable to verify if the value schema for schema id: 3 is compatible with ksqlDB.\nReason: Unexpected schema type: Schema{FLOAT32}\n")

	_, err = format.Infer(ctx, reg, format.Spec{Format: "PROTOBUF", Topic: "t"})
	assert.EqualError(t, err, "Value schema is not in the expected format. You may want to set VALUE_FORMAT to 'AVRO'.\ntopic: t\nexpected format: PROTOBUF\nactual format from Schema Registry: AVRO")

	_, err = format.Infer(ctx, reg, format.Spec{Format: "KAFKA", SchemaID: &id})
	assert.EqualError(t, err, "VALUE_FORMAT should support schema inference when VALUE_SCHEMA_ID is provided. Current format is KAFKA.")

	_, err = format.Infer(ctx, reg, format.Spec{Format: "AVRO", Topic: "none"})
	assert.ErrorContains(t, err, "Schema for message values on topic 'none' does not exist in the Schema Registry.\nSubject: none-value\nPossible causes include:\n- The topic itself does not exist\n\t-> Use SHOW TOPICS; to check\n")

	reg.Put("p-key", 5, registry.Schema{Type: registry.TypeProtobuf, Text: "syntax = \"proto3\";\nmessage M { int32 a = 1; int32 b = 2; }"})
	_, err = format.Infer(ctx, reg, format.Spec{Format: "PROTOBUF", Topic: "p", IsKey: true})
	assert.ErrorContains(t, err, "The key schema for topic: p contains multiple columns, which is not supported by ksqlDB at this time.")
}

func TestErrorTexts(t *testing.T) {
	ctx := context.Background()
	read := func(t *testing.T, spec format.Spec, data string) string {
		spec.Topic = "t"
		s, err := format.New(ctx, spec, nil)
		require.NoError(t, err)
		_, err = s.Deserialize([]byte(data))
		require.Error(t, err)
		return err.Error()
	}
	x := func(ct *types.Type) format.Spec {
		return format.Spec{Format: "JSON", Columns: []types.Column{{Name: "X", Type: ct}}}
	}
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't convert type. sourceType: TextNode, requiredType: BOOLEAN, path: $.X", read(t, x(types.Boolean), `{"X":"true"}`))
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't coerce string to type. targetType: INTEGER, path: $.X", read(t, x(types.Integer), `{"X":"a"}`))
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't convert type. sourceType: IntNode, requiredType: ARRAY<INT>, path: $.X", read(t, x(types.ArrayOf(types.Integer)), `{"X":5}`))
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't convert type. sourceType: BooleanNode, requiredType: INTEGER, path: $.X[1]", read(t, x(types.ArrayOf(types.Integer)), `{"X":[1,true]}`))
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't coerce string to type. targetType: BIGINT, path: $.X.k.value", read(t, x(types.MapOf(types.String, types.Bigint)), `{"X":{"k":"v"}}`))
	assert.Equal(t, "Failed to deserialize value from topic: t. Can't convert type. sourceType: ArrayNode, requiredType: STRUCT<X INT>, path: $", read(t, x(types.Integer), `[1]`))
	key := format.Spec{Format: "JSON", IsKey: true, Columns: []types.Column{{Name: "K", Type: types.Integer}}}
	assert.Equal(t, "Failed to deserialize key from topic: t. Can't coerce string to type. targetType: INTEGER, path: $", read(t, key, `"a"`))

	s, err := format.New(ctx, format.Spec{Format: "KAFKA", Columns: []types.Column{{Name: "K", Type: types.Bigint}}, Topic: "t"}, nil)
	require.NoError(t, err)
	_, err = s.Deserialize([]byte{1})
	require.EqualError(t, err, "Error deserializing KAFKA message from topic: t")
	assert.ErrorContains(t, unwrap(err), "Size of data received by LongDeserializer is not 8")

	s, err = format.New(ctx, format.Spec{Format: "DELIMITED", Columns: []types.Column{{Name: "A", Type: types.Bigint}, {Name: "B", Type: types.String}}, Topic: "t"}, nil)
	require.NoError(t, err)
	_, err = s.Deserialize([]byte("1"))
	require.EqualError(t, err, "Error deserializing delimited")
	assert.ErrorContains(t, unwrap(err), "Column count mismatch on deserialization. topic: t, expected: 2, got: 1")

	_, err = format.New(ctx, format.Spec{Format: "AVRO", Columns: []types.Column{{Name: "A", Type: types.Bigint}}, Topic: "t"}, nil)
	assert.ErrorContains(t, err, "needs a Schema Registry")
}

func unwrap(err error) error {
	if w, ok := err.(interface{ Unwrap() error }); ok {
		return w.Unwrap()
	}
	return nil
}
