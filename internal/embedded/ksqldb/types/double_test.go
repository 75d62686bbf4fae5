package types_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func TestAppendDouble(t *testing.T) {
	for want, f := range map[string]float64{
		"0.0": 0, "-0.0": math.Copysign(0, -1), "1.0": 1, "0.1": 0.1, "2.5": 2.5, "0.001": 0.001,
		"9.99E-4": 0.000999, "9999999.0": 9999999, "1.0E7": 1e7, "1.0E10": 1e10, "-1.0E300": -1e300,
		"1.2345678912E8": 123456789.12, "4.9E-324": math.SmallestNonzeroFloat64,
		"1.7976931348623157E308": math.MaxFloat64, "NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		assert.Equal(t, want, string(types.AppendDouble(nil, f)))
	}
}
