package types_test

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func TestParseDecimalKeepsScale(t *testing.T) {
	for in, want := range map[string]string{
		"12.35": "12.35", "-0.05": "-0.05", "0.00": "0.00", "-0.0": "0.0", "1e3": "1000", "+7": "7",
		"1E-3": "0.001", ".5": "0.5", "5.": "5", "123456789012345678901234567890.12": "123456789012345678901234567890.12",
		"1e-19": "0.0000000000000000001",
	} {
		d, err := types.ParseDecimal(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, string(types.AppendDecimal(nil, d)), in)
	}
	for _, in := range []string{"", " 1", "1 ", "x", "1e", "--1", "1.2.3", "NaN", "e5", ".", "1e99999999999"} {
		_, err := types.ParseDecimal(in)
		assert.Error(t, err, in)
	}
}

func TestFitDecimal(t *testing.T) {
	fit := func(text string, precision, scale int) (string, error) {
		d, err := types.ParseDecimal(text)
		require.NoError(t, err)
		d, err = types.FitDecimal(d, precision, scale)
		if err != nil {
			return "", err
		}
		return string(types.AppendDecimal(nil, d)), nil
	}
	for _, c := range [][2]string{{"7", "7.00"}, {"1.5", "1.50"}, {"99.990", "99.99"}, {"0", "0.00"}, {"1e1", "10.00"}} {
		got, err := fit(c[0], 4, 2)
		require.NoError(t, err, c[0])
		assert.Equal(t, c[1], got)
	}
	_, err := fit("100", 4, 2)
	assert.EqualError(t, err, "Numeric field overflow: A field with precision 4 and scale 2 must round to an absolute value less than 10^2. Got 100")
	_, err = fit("1.234", 4, 2)
	assert.EqualError(t, err, "Cannot fit decimal '1.234' into DECIMAL(4, 2) without rounding. (Requires 4,3)")
	_, err = fit("1e2000000000", 4, 2)
	assert.Error(t, err)
	_, err = fit("1e-2000000000", 4, 2)
	assert.Error(t, err)
}

func TestUnscaledBytesAreTwosComplement(t *testing.T) {
	for n, want := range map[string][]byte{
		"12.35": {4, 0xd3}, "-9999.99": {0xf0, 0xbd, 0xc1}, "0.00": {0}, "0.05": {5}, "1.28": {0, 0x80}, "-1.28": {0x80}, "-1.29": {0xff, 0x7f},
		"92233720368547758.08": {0, 0x80, 0, 0, 0, 0, 0, 0, 0}, "-92233720368547758.08": {0x80, 0, 0, 0, 0, 0, 0, 0},
	} {
		d, err := types.ParseDecimal(n)
		require.NoError(t, err)
		assert.Equal(t, want, types.UnscaledBytes(nil, d), n)
		assert.Equal(t, n, string(types.AppendDecimal(nil, types.DecimalFromUnscaled(want, 2))))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		raw := make([]byte, 1+rng.IntN(17))
		for i := range raw {
			raw[i] = byte(rng.Uint32())
		}
		n := new(big.Int).SetBytes(raw)
		if rng.IntN(2) == 0 {
			n.Neg(n)
		}
		d, err := types.ParseDecimal(n.String())
		require.NoError(t, err)
		back := types.DecimalFromUnscaled(types.UnscaledBytes(nil, d), 0)
		require.Equal(t, n.String(), string(types.AppendDecimal(nil, back)))
	}
}
