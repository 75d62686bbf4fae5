package serde_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func TestStringHashIsJavas(t *testing.T) {
	assert.Equal(t, uint32(0), serde.StringHash(""))
	assert.Equal(t, uint32(96354), serde.StringHash("abc"))
	assert.Equal(t, uint32(1772899), serde.StringHash("\U0001F600"), "characters beyond the basic plane count as two")
}

func TestHashMapOrder(t *testing.T) {
	order := func(capacity int, keys ...string) string {
		var out string
		for _, i := range serde.HashMapOrder(keys, capacity) {
			out += keys[i] + " "
		}
		return out
	}
	assert.Equal(t, "DT B S D I TM L BYT N TS ", order(0, "I", "L", "D", "N", "S", "B", "TS", "DT", "TM", "BYT"))
	assert.Equal(t, "opt e price name id ok nested tags ", order(0, "e", "id", "name", "nested", "ok", "opt", "price", "tags"))
	assert.Equal(t, " k ", order(2, "k", ""))
}

func TestEntries(t *testing.T) {
	var e serde.Entries
	for i := range 30 {
		e.Add(types.StringValue(fmt.Sprint(i%20)), types.IntValue(int64(i)))
		e.Add(types.Null, types.IntValue(int64(100+i)))
	}
	m := e.Map(false).Map()
	require.Len(t, m.Keys, 21)
	for i, k := range m.Keys {
		switch {
		case k.IsNull():
			assert.Equal(t, int64(129), m.Values[i].Int())
		case len(k.Str()) == 1:
			assert.Equal(t, "1"+k.Str(), fmt.Sprint(m.Values[i].Int()-10), "the last of equal keys wins")
		}
	}
}

func TestParseDouble(t *testing.T) {
	for text, want := range map[string]float64{
		"1": 1, " 7 ": 7, "-0.5": -0.5, "+1e3": 1000, ".5": 0.5, "5.": 5, "1d": 1, "2.5F": 2.5, "1e400": math.Inf(1), "-1e400": math.Inf(-1),
		"1e-400": 0, "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "0x1p3": 8,
	} {
		got, err := serde.ParseDouble(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	nan, err := serde.ParseDouble("NaN")
	require.NoError(t, err)
	assert.True(t, math.IsNaN(nan))
	for _, text := range []string{"", " ", "x", "1_0", "inf", "nan", "1e", "--1", "0x10", "infinity"} {
		_, err := serde.ParseDouble(text)
		assert.Error(t, err, text)
	}
}
