package avro_test

import (
	"context"
	"encoding/hex"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	twmb "github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const orderSchema = `{"type":"record","name":"Order","namespace":"orderflow","fields":[
	{"name":"id","type":"string"},{"name":"customerId","type":"long"},
	{"name":"state","type":{"type":"enum","name":"OrderState","symbols":["CREATED","VALIDATED","FAILED","SHIPPED"]}},
	{"name":"quantity","type":"int"},{"name":"price","type":"double"},
	{"name":"note","type":["null","string"],"default":null},
	{"name":"channel","type":"string","default":"web"},
	{"name":"source","type":["string","null"],"default":"api"}]}`

func columns(pairs ...any) []types.Column {
	var out []types.Column
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, types.Column{Name: pairs[i].(string), Type: pairs[i+1].(*types.Type)})
	}
	return out
}

// foreign makes a Serde that writes with a schema of somebody else.
func foreign(t *testing.T, schema string, cols []types.Column) (*avro.Serde, error) {
	t.Helper()
	reg := &registry.Memory{}
	reg.Put("orders-value", 7, registry.Schema{Text: schema})
	id := 7
	return avro.New(context.Background(), avro.Config{Columns: cols, Topic: "orders", Subject: "orders-value", SchemaID: &id}, reg)
}

func TestWritesWithAGivenSchema(t *testing.T) {
	s, err := foreign(t, orderSchema, columns("id", types.String, "customerId", types.Bigint, "state", types.String,
		"quantity", types.Integer, "price", types.Double, "note", types.String))
	require.NoError(t, err)
	data, err := s.Serialize(nil, []types.Value{
		types.StringValue("o1"), types.IntValue(9), types.StringValue("FAILED"), types.IntValue(2), types.DoubleValue(1.5), types.Null,
	})
	require.NoError(t, err)

	schema := twmb.MustParse(orderSchema)
	require.Equal(t, []byte{0, 0, 0, 0, 7}, data[:5])
	var got map[string]any
	rest, err := schema.Decode(data[5:], &got)
	require.NoError(t, err)
	assert.Empty(t, rest)
	assert.Equal(t, map[string]any{
		"id": "o1", "customerId": int64(9), "state": "FAILED", "quantity": int32(2), "price": 1.5,
		"note": nil, "channel": "web", "source": "api",
	}, got, "fields without a column get the schema's default")
}

func TestGivenSchemaErrors(t *testing.T) {
	all := columns("id", types.String, "customerId", types.Bigint, "state", types.String, "quantity", types.Integer, "price", types.Double)
	valid := []types.Value{types.StringValue("o1"), types.IntValue(9), types.StringValue("CREATED"), types.IntValue(2), types.DoubleValue(1.5)}
	with := func(i int, v types.Value) []types.Value {
		out := append([]types.Value{}, valid...)
		out[i] = v
		return out
	}
	const hint = "\nHint: You probably forgot to add VALUE_SCHEMA_ID when creating the source."
	s, err := foreign(t, orderSchema, all)
	require.NoError(t, err)

	_, err = s.Serialize(nil, with(2, types.StringValue("LOST")))
	assert.EqualError(t, err, "Error serializing message to topic: orders. Failed to serialize Avro data from topic orders :"+hint)
	_, err = s.Serialize(nil, with(1, types.Null))
	assert.EqualError(t, err, `Error serializing message to topic: orders. Invalid value: null used for required field: "customerId", schema type: INT64`+hint)
	data, err := s.Serialize(nil, valid)
	require.NoError(t, err, "a failed record leaves nothing behind")
	back, err := s.Deserialize(data)
	require.NoError(t, err)
	assert.Equal(t, "CREATED", back[2].Str())

	s, err = foreign(t, orderSchema, all[1:])
	require.NoError(t, err)
	_, err = s.Serialize(nil, valid[1:])
	assert.EqualError(t, err, "Error serializing message to topic: orders. Missing default value for required Avro field: [id]. This field appears in Avro schema in Schema Registry"+hint)

	_, err = foreign(t, orderSchema, columns("id", types.String, "nope", types.String))
	assert.EqualError(t, err, "Schema from Schema Registry misses field with name: nope")
	_, err = foreign(t, orderSchema, columns("customerId", types.Integer))
	assert.Error(t, err, "an INTEGER isn't written as a long")

	id := 8
	_, err = avro.New(context.Background(), avro.Config{Columns: all, SchemaID: &id}, &registry.Memory{})
	assert.EqualError(t, err, "Failed to fetch schema for serialization from Schema Registry using schema id: 8")
}

func TestReadsByUpperCasedNames(t *testing.T) {
	writer, err := foreign(t, orderSchema, columns("id", types.String, "customerId", types.Bigint, "state", types.String, "quantity", types.Integer, "price", types.Double))
	require.NoError(t, err)
	data, err := writer.Serialize(nil, []types.Value{types.StringValue("o1"), types.IntValue(9), types.StringValue("CREATED"), types.IntValue(2), types.DoubleValue(1.5)})
	require.NoError(t, err)
	reg := &registry.Memory{}
	reg.Put("orders-value", 7, registry.Schema{Text: orderSchema})
	s, err := avro.New(context.Background(), avro.Config{Columns: columns(
		"CUSTOMERID", types.Bigint, "STATE", types.String, "QUANTITY", types.Bigint, "MISSING", types.Integer, "ID", types.String, "customerId", types.String,
	), Topic: "orders", FullName: avro.RecordName}, reg)
	require.NoError(t, err)
	got, err := s.Deserialize(data)
	require.NoError(t, err)
	assert.True(t, got[0].IsNull(), "the column with the exact name wins")
	assert.Equal(t, "CREATED", got[1].Str())
	assert.Equal(t, int64(2), got[2].Int(), "int is read as BIGINT")
	assert.True(t, got[3].IsNull())
	assert.Equal(t, "o1", got[4].Str())
	assert.Equal(t, "9", got[5].Str(), "numbers are read as STRING")
}

func TestMismatchIsAnErrorOfTheRecord(t *testing.T) {
	reg := &registry.Memory{}
	reg.Put("t-value", 1, registry.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]}]}`})
	s, err := avro.New(context.Background(), avro.Config{Columns: columns("A", types.Double), Topic: "t", FullName: avro.RecordName}, reg)
	require.NoError(t, err)
	for _, payload := range []string{"00", "0202"} {
		raw, _ := hex.DecodeString("0000000001" + payload)
		_, err = s.Deserialize(raw)
		require.EqualError(t, err, "Error deserializing message from topic: t", "also for null, as in ksqlDB")
		assert.ErrorContains(t, unwrapAll(err), "Cannot deserialize type int32 as type float64 for path: ->A")
	}
	_, err = s.Deserialize([]byte{1, 2, 3, 4, 5, 6})
	assert.ErrorContains(t, unwrapAll(err), "Unknown magic byte!")
	_, err = s.Deserialize([]byte{0, 0, 0, 0, 99, 0})
	assert.ErrorIs(t, err, registry.ErrNotFound)
	_, err = s.Deserialize([]byte{0, 0, 0, 0, 1})
	assert.Error(t, err, "a record that is cut off")
}

func unwrapAll(err error) error {
	type wrapper interface{ Unwrap() error }
	if w, ok := err.(wrapper); ok && w.Unwrap() != nil {
		return w.Unwrap()
	}
	return err
}

// A recursive schema can be read as long as no column wants the recursion.
func TestRecursiveSchema(t *testing.T) {
	reg := &registry.Memory{}
	reg.Put("t-value", 1, registry.Schema{Text: `{"type":"record","name":"Node","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","Node"]}]}`})
	s, err := avro.New(context.Background(), avro.Config{Columns: columns("V", types.Integer), Topic: "t", FullName: avro.RecordName}, reg)
	require.NoError(t, err)
	got, err := s.Deserialize([]byte{0, 0, 0, 0, 1, 2, 2, 4, 0})
	require.NoError(t, err)
	assert.Equal(t, int64(1), got[0].Int())
	_, err = avro.Translate(`{"type":"record","name":"Node","fields":[{"name":"next","type":["null","Node"]}]}`)
	assert.Error(t, err)
}

func TestNestedAndRepeated(t *testing.T) {
	schema := `{"type":"record","name":"R","fields":[
		{"name":"inner","type":["null",{"type":"record","name":"I","fields":[{"name":"x","type":["null","int"]},{"name":"y","type":"string"}]}]},
		{"name":"list","type":{"type":"array","items":["null","I"]}},
		{"name":"tags","type":{"type":"map","values":["null","long"]}},
		{"name":"either","type":["null","int","I",{"type":"array","items":"string"}]}]}`
	type inner struct {
		X *int   `avro:"x"`
		Y string `avro:"y"`
	}
	one := 1
	five := int64(5)
	payload, err := twmb.MustParse(schema).Encode(map[string]any{
		"inner": &inner{&one, "a"}, "list": []*inner{nil, {nil, "b"}, {&one, "c"}},
		"tags": map[string]any{"k": five, "n": nil}, "either": map[string]any{"I": map[string]any{"x": nil, "y": "z"}},
	}, twmb.TaggedUnions())
	require.NoError(t, err)
	reg := &registry.Memory{}
	reg.Put("t-value", 1, registry.Schema{Text: schema})
	i := types.StructOf(types.Field{Name: "X", Type: types.Integer}, types.Field{Name: "Y", Type: types.String})
	cols := columns("INNER", i, "LIST", types.ArrayOf(i), "TAGS", types.MapOf(types.String, types.Bigint),
		"EITHER", types.StructOf(types.Field{Name: "INT", Type: types.Integer}, types.Field{Name: "I", Type: i}))
	s, err := avro.New(context.Background(), avro.Config{Columns: cols, Topic: "t", FullName: avro.RecordName}, reg)
	require.NoError(t, err)
	data := append([]byte{0, 0, 0, 0, 1}, payload...)

	pair := func(x types.Value, y string) types.Value {
		return types.StructValue([]types.Value{x, types.StringValue(y)})
	}
	want := []types.Value{
		pair(types.IntValue(1), "a"),
		types.ArrayValue([]types.Value{types.Null, pair(types.Null, "b"), pair(types.IntValue(1), "c")}),
		types.MapOfValues(&types.MapValue{
			Keys:   []types.Value{types.StringValue("k"), types.StringValue("n")},
			Values: []types.Value{types.IntValue(5), types.Null},
		}),
		types.StructValue([]types.Value{types.Null, pair(types.Null, "z")}),
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				got, err := s.Deserialize(data)
				if !assert.NoError(t, err) {
					return
				}
				for c := range cols {
					assert.True(t, types.Equal(cols[c].Type, want[c], got[c]), "column %s", cols[c].Name)
				}
			}
		})
	}
	wg.Wait()
}

func TestSchemaTextOfMaps(t *testing.T) {
	row := types.StructOf(types.Field{Name: "M", Type: types.MapOf(types.String, types.StructOf(types.Field{Name: "X", Type: types.Integer}))})
	text, err := avro.SchemaText(row, avro.RecordName)
	require.NoError(t, err)
	assert.Equal(t, `{"type":"record","name":"KsqlDataSourceSchema","namespace":"io.confluent.ksql.avro_schemas","fields":[`+
		`{"name":"M","type":["null",{"type":"array","items":{"type":"record","name":"KsqlDataSourceSchema_M","fields":[`+
		`{"name":"key","type":["null","string"],"default":null},`+
		`{"name":"value","type":["null",{"type":"record","name":"KsqlDataSourceSchema_M_MapValue","fields":[{"name":"X","type":["null","int"],"default":null}],`+
		`"connect.name":"io.confluent.ksql.avro_schemas.KsqlDataSourceSchema_M_MapValue"}],"default":null}],`+
		`"connect.internal.type":"MapEntry"},"connect.name":"io.confluent.ksql.avro_schemas.KsqlDataSourceSchema_M"}],"default":null}],`+
		`"connect.name":"io.confluent.ksql.avro_schemas.KsqlDataSourceSchema"}`, text)
	_, err = avro.SchemaText(types.StructOf(types.Field{Name: "a-b", Type: types.Integer}), avro.RecordName)
	assert.EqualError(t, err, "Schema is not compatible with Avro: Illegal character in: a-b")
}

func TestKeyName(t *testing.T) {
	assert.Equal(t, "io.confluent.ksql.avro_schemas.MyOutKey", avro.KeyName("MY_OUT"))
	assert.Equal(t, "io.confluent.ksql.avro_schemas.Fwo40Key", avro.KeyName("FWO40"))
}

func TestDecimalWithoutPrecision(t *testing.T) {
	reg := &registry.Memory{}
	reg.Put("t-key", 1, registry.Schema{Text: `{"type":"bytes","logicalType":"decimal","scale":2}`})
	s, err := avro.New(context.Background(), avro.Config{Columns: columns("K", types.DecimalOf(64, 2)), Unwrapped: true, Topic: "t"}, reg)
	require.NoError(t, err)
	got, err := s.Deserialize([]byte{0, 0, 0, 0, 1, 0x19, 0x79})
	require.NoError(t, err)
	assert.Equal(t, "65.21", string(types.AppendDecimal(nil, got[0].Decimal())))
}
