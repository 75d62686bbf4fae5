package codec_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state/codec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var columns = []*types.Type{
	types.Boolean, types.Integer, types.Bigint, types.Double, types.DecimalOf(10, 2), types.String, types.Bytes,
	types.Time, types.Date, types.Timestamp, types.ArrayOf(types.String), types.MapOf(types.String, types.Bigint),
	types.StructOf(types.Field{Name: "X", Type: types.Integer}, types.Field{Name: "Y", Type: types.ArrayOf(types.Double)}),
}

func rows() [][]types.Value {
	big, _, _ := apd.NewFromString("-123456789012345678901234567890.50")
	full := []types.Value{
		types.BoolValue(true), types.IntValue(-1), types.IntValue(math.MinInt64), types.DoubleValue(math.Inf(-1)),
		types.DecimalValue(big), types.StringValue("né\x00e"), types.BytesValue([]byte{0, 255}),
		types.IntValue(1), types.IntValue(-2), types.IntValue(3),
		types.ArrayValue([]types.Value{types.StringValue("a"), types.Null, types.StringValue("")}),
		types.MapOfValues(&types.MapValue{Keys: []types.Value{types.StringValue("k"), types.StringValue("l")}, Values: []types.Value{types.IntValue(7), types.Null}}),
		types.StructValue([]types.Value{types.Null, types.ArrayValue([]types.Value{types.DoubleValue(0.1)})}),
	}
	empty := slices.Clone(full)
	empty[5], empty[6] = types.StringValue(""), types.BytesValue(nil)
	empty[10], empty[11] = types.ArrayValue(nil), types.MapOfValues(&types.MapValue{})
	return [][]types.Value{full, empty, make([]types.Value, len(columns))}
}

func requireSame(t *testing.T, want, got []types.Value) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.True(t, types.Equal(columns[i], want[i], got[i]), "column %d, %s", i, columns[i])
		require.Equal(t, want[i].IsNull(), got[i].IsNull(), "column %d, %s", i, columns[i])
	}
}

func TestRowsReadAsTheyWereWritten(t *testing.T) {
	for _, row := range rows() {
		data := codec.AppendRow(nil, -5, columns, row)
		time, got, err := codec.DecodeRow(data, columns, nil)
		require.NoError(t, err)
		require.Equal(t, int64(-5), time)
		requireSame(t, row, got)
		require.Equal(t, data, codec.AppendRow(nil, -5, columns, got), "equal values give equal bytes")
	}
}

func TestValuesShareNoMemoryWithTheirBytes(t *testing.T) {
	row := rows()[0]
	data := codec.AppendRow(nil, 1, columns, row)
	_, got, err := codec.DecodeRow(data, columns, nil)
	require.NoError(t, err)
	clear(data)
	requireSame(t, row, got)
}

func TestAddedColumnsAreNull(t *testing.T) {
	data := codec.AppendRow(nil, 1, columns[:2], rows()[0][:2])
	_, got, err := codec.DecodeRow(data, columns, nil)
	require.NoError(t, err)
	requireSame(t, append(slices.Clone(rows()[0][:2]), make([]types.Value, len(columns)-2)...), got)
	_, _, err = codec.DecodeRow(codec.AppendRow(nil, 1, columns, rows()[0]), columns[:2], nil)
	require.ErrorIs(t, err, codec.ErrCorrupt)
}

func TestDamagedRowsAreErrors(t *testing.T) {
	data := codec.AppendRow(nil, 1, columns, rows()[0])
	for n := range len(data) {
		_, _, err := codec.DecodeRow(data[:n], columns, nil)
		require.ErrorIs(t, err, codec.ErrCorrupt, "cut to %d bytes", n)
	}
	_, _, err := codec.DecodeRow(append(data, 0), columns, nil)
	require.ErrorContains(t, err, "1 bytes are left over")
	data[0] = 9
	_, _, err = codec.DecodeRow(data, columns, nil)
	require.ErrorContains(t, err, "version 9, this build reads version 1")
}

func FuzzDecodeRow(f *testing.F) {
	for _, row := range rows() {
		f.Add(codec.AppendRow(nil, 7, columns, row))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		time, values, err := codec.DecodeRow(data, columns, nil)
		if err != nil {
			return
		}
		again := codec.AppendRow(nil, time, columns, values)
		_, got, err := codec.DecodeRow(again, columns, nil)
		require.NoError(t, err)
		require.Equal(t, again, codec.AppendRow(nil, time, columns, got))
	})
}

func TestOrderedKeysSortLikeTheirBytesAndAreNoPrefixes(t *testing.T) {
	keys := [][]byte{{}, {0}, {0, 0}, {0, 1}, {0, 255}, {1}, []byte("a"), []byte("a\x00"), []byte("a\x00b"), []byte("ab"), {255}, {255, 0}}
	require.True(t, slices.IsSortedFunc(keys, bytes.Compare))
	for i, k := range keys {
		e := codec.AppendOrdered(nil, k)
		got, rest, err := codec.SplitOrdered(append(e, "rest"...))
		require.NoError(t, err)
		require.Equal(t, string(k), string(got))
		require.Equal(t, "rest", string(rest))
		for j, other := range keys {
			require.Equal(t, j < i, bytes.Compare(codec.AppendOrdered(nil, other), e) < 0)
			require.Equal(t, i == j, bytes.HasPrefix(codec.AppendOrdered(nil, other), e))
		}
	}
	for _, bad := range [][]byte{{}, {1}, {0}, {0, 2}} {
		_, _, err := codec.SplitOrdered(bad)
		require.ErrorIs(t, err, codec.ErrCorrupt)
	}
}

func TestTimesSortLikeNumbers(t *testing.T) {
	times := []int64{math.MinInt64, -1, 0, 1, 1 << 40, math.MaxInt64}
	for i, at := range times {
		got, err := codec.Time(codec.AppendTime(nil, at))
		require.NoError(t, err)
		require.Equal(t, at, got)
		if i > 0 {
			require.Negative(t, bytes.Compare(codec.AppendTime(nil, times[i-1]), codec.AppendTime(nil, at)))
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	require.Equal(t, []byte{1, 3}, codec.PrefixEnd([]byte{1, 2}))
	require.Equal(t, []byte{2}, codec.PrefixEnd([]byte{1, 255}))
	require.Nil(t, codec.PrefixEnd([]byte{255}))
	require.Nil(t, codec.PrefixEnd(nil))
}
