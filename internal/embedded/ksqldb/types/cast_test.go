package types_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func decimalOf(t testing.TB, text string) types.Value {
	d, err := types.ParseDecimal(text)
	require.NoError(t, err)
	return types.DecimalValue(d)
}

func TestCast(t *testing.T) {
	str, dbl := types.StringValue, types.DoubleValue
	for _, c := range []struct {
		from *types.Type
		in   types.Value
		to   *types.Type
		want string // "" is an error
	}{
		{types.Bigint, types.IntValue(5_000_000_000), types.Integer, "705032704"},
		{types.Double, dbl(1e20), types.Integer, "2147483647"},
		{types.Double, dbl(-1e300), types.Bigint, "-9223372036854775808"},
		{types.Double, dbl(math.NaN()), types.Bigint, "0"},
		{types.Double, dbl(2.345), types.DecimalOf(3, 2), "2.35"},
		{types.Double, dbl(0.1), types.DecimalOf(10, 5), "0.10000"},
		{types.Double, dbl(1e300), types.DecimalOf(6, 2), ""},
		{types.Double, dbl(math.Inf(1)), types.DecimalOf(6, 2), ""},
		{types.DecimalOf(2, 1), decimalOf(t, "-2.5"), types.Integer, "-2"},
		{types.DecimalOf(4, 2), decimalOf(t, "99.95"), types.DecimalOf(3, 1), "100.0"},
		{types.Integer, types.IntValue(100), types.DecimalOf(2, 0), ""},
		{types.String, str(" 12 "), types.Integer, "12"},
		{types.String, str("1.9"), types.Integer, ""},
		{types.String, str("3000000000"), types.Integer, ""},
		{types.String, str("1e2"), types.Double, "100.0"},
		{types.String, str("NaN"), types.Double, ""},
		{types.String, str("1e400"), types.Double, ""},
		{types.String, str(" YES "), types.Boolean, "true"},
		{types.String, str("1"), types.Boolean, "false"},
		{types.String, str("2021-03-04T05:06:07+0200"), types.Timestamp, "2021-03-04T03:06:07.000"},
		{types.String, str("2021"), types.Timestamp, "2021-01-01T00:00:00.000"},
		{types.String, str("2021-03-04 05:06"), types.Timestamp, ""},
		{types.String, str("2021-03"), types.Date, "2021-03-01"},
		{types.String, str("05:06"), types.Time, "05:06"},
		{types.String, str("5"), types.Time, ""},
		{types.Timestamp, types.IntValue(-1), types.Date, "1969-12-31"},
		{types.Timestamp, types.IntValue(-1), types.Time, "23:59:59"},
		{types.Date, types.IntValue(18690), types.Timestamp, "2021-03-04T00:00:00.000"},
	} {
		f, err := types.Cast(c.from, c.to)
		require.NoError(t, err)
		v, err := f(c.in)
		if c.want == "" {
			assert.Error(t, err, "%s AS %s", types.Text(c.from, c.in), c.to)
			continue
		}
		require.NoError(t, err, "%s AS %s", types.Text(c.from, c.in), c.to)
		assert.Equal(t, c.want, types.Text(c.to, v))
		v, err = f(types.Null)
		require.NoError(t, err)
		assert.True(t, v.IsNull())
	}
}

func TestCastOfNestedTypesIsElementWise(t *testing.T) {
	from := types.StructOf(types.Field{Name: "X", Type: types.Integer}, types.Field{Name: "L", Type: types.ArrayOf(types.Integer)})
	to := types.StructOf(types.Field{Name: "L", Type: types.ArrayOf(types.String)}, types.Field{Name: "Q", Type: types.Double})
	f, err := types.Cast(from, to)
	require.NoError(t, err)
	v, err := f(types.StructValue([]types.Value{types.IntValue(1), types.ArrayValue([]types.Value{types.IntValue(2), types.Null})}))
	require.NoError(t, err)
	assert.Equal(t, "Struct{L=[2, null]}", types.Text(to, v))
}

func TestUnsupportedCasts(t *testing.T) {
	for _, c := range [][2]*types.Type{
		{types.Integer, types.Boolean}, {types.Bytes, types.String}, {types.Bigint, types.Timestamp}, {types.Time, types.Date},
		{types.ArrayOf(types.Bytes), types.ArrayOf(types.Integer)},
	} {
		_, err := types.Cast(c[0], c[1])
		assert.EqualError(t, err, "Cast of "+c[0].String()+" to "+c[1].String()+" is not supported")
	}
}

func TestDecimalArithmetic(t *testing.T) {
	type op = func(a, b string, p, s int) (string, error)
	do := func(f func(a, b types.Value, p, s int) (types.Value, error)) op {
		return func(a, b string, p, s int) (string, error) {
			v, err := f(decimalOf(t, a), decimalOf(t, b), p, s)
			if err != nil {
				return "", err
			}
			return types.DecimalText(v.Decimal()), nil
		}
	}
	div := do(func(a, b types.Value, p, s int) (types.Value, error) {
		d, err := types.DivDecimal(a.Decimal(), b.Decimal(), p, s)
		return types.DecimalValue(d), err
	})
	rem := do(func(a, b types.Value, p, s int) (types.Value, error) {
		d, err := types.RemDecimal(a.Decimal(), b.Decimal(), p, s)
		return types.DecimalValue(d), err
	})
	got, err := div("12.35", "5000000000", 26, 22)
	require.NoError(t, err)
	assert.Equal(t, "0.0000000024700000000000", got)
	_, err = div("12.35", "3", 17, 13)
	assert.Error(t, err, "an inexact quotient")
	_, err = div("1", "0", 17, 13)
	assert.ErrorIs(t, err, types.ErrDivisionByZero)
	got, err = rem("5000000000", "2.50", 3, 2)
	require.NoError(t, err)
	assert.Equal(t, "0.00", got)
	_, err = rem("-2147483648", "2.50", 3, 2)
	assert.Error(t, err, "a quotient longer than the precision")
}

func TestHashOrderIsThatOfJava(t *testing.T) {
	order := func(capacity int, keys ...string) []string {
		values := make([]types.Value, len(keys))
		for i, k := range keys {
			values[i] = types.StringValue(k)
		}
		var out []string
		for _, i := range types.HashOrder(types.String, values, capacity) {
			out = append(out, keys[i])
		}
		return out
	}
	assert.Equal(t, []string{"", "k"}, order(2, "k", ""))
	assert.Equal(t, []string{"é", "k1"}, order(2, "k1", "é"))
	assert.Equal(t, []string{"k1", "é"}, order(-1, "é", "k1"))
}

func TestCompareText(t *testing.T) {
	assert.Negative(t, types.CompareText("😀", "\uffff"), "surrogates come before the end of the basic plane")
	assert.Positive(t, types.CompareText("b", "a"))
	assert.Negative(t, types.CompareText("a", "ab"))
	assert.Zero(t, types.CompareText("é", "é"))
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add("2020-05-26T23:59:58.000+0200")
	f.Add("2020")
	f.Fuzz(func(t *testing.T, text string) {
		millis, err := types.ParseTimestamp(text)
		if err != nil {
			return
		}
		again, err := types.ParseTimestamp(types.FormatTimestamp(millis))
		if err == nil {
			assert.Equal(t, millis, again)
		}
	})
}
