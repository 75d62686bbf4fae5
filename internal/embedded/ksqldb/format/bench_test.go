package format_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// tenColumns is the record of the benchmarks: strings, numbers, a decimal, a
// time, and one column that is NULL.
func tenColumns(t testing.TB) ([]types.Column, []types.Value) {
	price, err := types.ParseDecimal("1234.50")
	require.NoError(t, err)
	cols := []types.Column{
		{Name: "ID", Type: types.String}, {Name: "CUSTOMERID", Type: types.Bigint}, {Name: "STATE", Type: types.String},
		{Name: "PRODUCT", Type: types.String}, {Name: "QUANTITY", Type: types.Integer}, {Name: "PRICE", Type: types.Double},
		{Name: "TOTAL", Type: types.DecimalOf(10, 2)}, {Name: "TS", Type: types.Timestamp}, {Name: "OK", Type: types.Boolean},
		{Name: "NOTE", Type: types.String},
	}
	return cols, []types.Value{
		types.StringValue("order-0001-4711"), types.IntValue(123456789), types.StringValue("VALIDATED"), types.StringValue("UNDERPANTS"),
		types.IntValue(3), types.DoubleValue(5.25), types.DecimalValue(price), types.IntValue(1614834367008), types.BoolValue(true), types.Null,
	}
}

func benchmarkSerde(b *testing.B, name string) {
	cols, values := tenColumns(b)
	s, err := format.New(context.Background(), format.Spec{Format: name, Columns: cols, Topic: "t"}, &registry.Memory{})
	require.NoError(b, err)
	data, err := s.Serialize(nil, values)
	require.NoError(b, err)
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 512)
		for b.Loop() {
			if _, err := s.Serialize(buf, values); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Deserialize(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAvro(b *testing.B)      { benchmarkSerde(b, "AVRO") }
func BenchmarkJSON(b *testing.B)      { benchmarkSerde(b, "JSON") }
func BenchmarkJSONSR(b *testing.B)    { benchmarkSerde(b, "JSON_SR") }
func BenchmarkProtobuf(b *testing.B)  { benchmarkSerde(b, "PROTOBUF") }
func BenchmarkDelimited(b *testing.B) { benchmarkSerde(b, "DELIMITED") }
