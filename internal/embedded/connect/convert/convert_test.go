package convert_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

func newConverter(t testing.TB, class string, settings map[string]string) convert.Converter {
	t.Helper()
	c, err := convert.New(convert.Environment{}, class, convert.Value, settings)
	require.NoError(t, err)
	return c
}

const jsonClass = "org.apache.kafka.connect.json.JsonConverter"

func everyType() (*data.Schema, *data.Struct) {
	schema := &data.Schema{Type: data.StructType, Name: "n", Version: data.Version(2), Fields: []data.Field{
		{Name: "i8", Schema: data.Of(data.Int8)}, {Name: "i64", Schema: data.OptionalOf(data.Int64)}, {Name: "f32", Schema: data.Of(data.Float32)},
		{Name: "f64", Schema: data.Of(data.Float64)}, {Name: "b", Schema: data.Of(data.Boolean)}, {Name: "s", Schema: data.Of(data.String)},
		{Name: "raw", Schema: data.Of(data.Bytes)}, {Name: "ts", Schema: data.Timestamp()}, {Name: "d", Schema: data.Date()},
		{Name: "dec", Schema: &data.Schema{Type: data.Bytes, Name: data.DecimalName, Version: data.Version(1), Parameters: map[string]string{"scale": "2"}}},
		{Name: "list", Schema: &data.Schema{Type: data.Array, Value: data.Of(data.Int32)}},
		{Name: "map", Schema: &data.Schema{Type: data.MapType, Key: data.Of(data.String), Value: data.Of(data.String)}},
	}}
	return schema, &data.Struct{Schema: schema, Values: []any{int8(-1), nil, float32(1.5), 1e10, true, "ü\"\n", []byte{1, 255},
		time.UnixMilli(-1).UTC(), time.UnixMilli(19000 * 86400000).UTC(), data.Decimal{Unscaled: big.NewInt(-12345), Scale: 2},
		[]any{int32(1), int32(2)}, &data.Map{Keys: []any{"k"}, Values: []any{"v"}}}}
}

func TestJSONWithSchemasComesBackAsItWas(t *testing.T) {
	c := newConverter(t, jsonClass, nil)
	schema, value := everyType()
	raw, err := c.FromConnect(t.Context(), "t", schema, value)
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"payload":{"i8":-1,"i64":null,"f32":1.5,"f64":1.0E10,"b":true,"s":"ü\"\n","raw":"Af8=","ts":-1,"d":19000,"dec":"z8c=","list":[1,2],"map":{"k":"v"}}`)
	gotSchema, got, err := c.ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.True(t, data.Equal(schema, gotSchema))
	assert.Equal(t, value.Values, got.(*data.Struct).Values)
}

func TestJSONWithoutSchemas(t *testing.T) {
	c := newConverter(t, jsonClass, map[string]string{"schemas.enable": "false"})
	_, got, err := c.ToConnect(t.Context(), "t", []byte(`{"n": 1, "s": "a", "f": 1.5, "l": [null, true]}`))
	require.NoError(t, err)
	raw, err := c.FromConnect(t.Context(), "t", nil, got)
	require.NoError(t, err)
	assert.Equal(t, `{"s":"a","f":1.5,"l":[null,true],"n":1}`, string(raw), "in the order of Java's HashMap")
	_, _, err = c.ToConnect(t.Context(), "t", []byte(`{"a"`))
	require.ErrorContains(t, err, "Converting byte[] to Kafka Connect data failed")
	_, _, err = newConverter(t, jsonClass, nil).ToConnect(t.Context(), "t", []byte(`{"a":1}`))
	require.ErrorContains(t, err, `requires "schema" and "payload" fields`)
}

func TestNumbersAreBigEndian(t *testing.T) {
	c := newConverter(t, "org.apache.kafka.connect.converters.LongConverter", nil)
	raw, err := c.FromConnect(t.Context(), "t", data.Of(data.Int64), int64(258))
	require.NoError(t, err)
	assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 1, 2}, raw)
	_, v, err := c.ToConnect(t.Context(), "t", raw)
	require.NoError(t, err)
	assert.Equal(t, int64(258), v)
	_, _, err = c.ToConnect(t.Context(), "t", raw[1:])
	require.ErrorContains(t, err, "Size of data received by LongDeserializer is not 8")
	_, err = c.FromConnect(t.Context(), "t", data.Of(data.Int32), int32(1))
	require.Error(t, err)
}

func TestAvroSchemasAreConfluents(t *testing.T) {
	schema := &data.Schema{Type: data.StructType, Name: "a.b.C", Version: data.Version(1), Fields: []data.Field{
		{Name: "id", Schema: data.Of(data.Int64)}, {Name: "name", Schema: data.OptionalOf(data.String)},
		{Name: "at", Schema: data.Timestamp()}, {Name: "tiny", Schema: data.Of(data.Int8)},
	}}
	text, err := convert.AvroSchema(schema, true)
	require.NoError(t, err)
	assert.Equal(t, `{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"id","type":"long"},{"name":"name","type":["null","string"],"default":null},`+
		`{"name":"at","type":{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}},`+
		`{"name":"tiny","type":{"type":"int","connect.type":"int8"}}],"connect.version":1,"connect.name":"a.b.C"}`, text)
}

func FuzzJSONConverterReads(f *testing.F) {
	for _, seed := range []string{`{}`, `{"schema":{"type":"int32"},"payload":1}`, `{"schema":null,"payload":[1,"a",null]}`, `1e400`, `{"schema":{"type":"struct","fields":[{"type":"bytes","field":"a","default":"AA=="}]},"payload":{}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := newConverter(t, jsonClass, nil)
		schema, v, err := c.ToConnect(t.Context(), "t", raw)
		if err != nil {
			return
		}
		_, err = c.FromConnect(t.Context(), "t", schema, v)
		require.NoError(t, err)
	})
}
