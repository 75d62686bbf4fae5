package data_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

func TestDecimalsAreJavas(t *testing.T) {
	for text, want := range map[string]struct {
		text string
		long int64
		f    float64
	}{
		"1.50": {"1.50", 1, 1.5}, "-12345E-2": {"-123.45", -123, -123.45}, "1e3": {"1E+3", 1000, 1000}, "0.00000001": {"1E-8", 0, 1e-8}, "+7": {"7", 7, 7},
		"12345678901234567890": {"12345678901234567890", -6101065172474983726, 12345678901234567890}, "12e400": {"1.2E+401", 0, 0}, "0.000": {"0.000", 0, 0},
	} {
		d, err := data.ParseDecimal(text)
		require.NoError(t, err, text)
		assert.Equal(t, want.text, d.String())
		if text != "12e400" {
			assert.Equal(t, want.long, d.Long(), text)
			assert.InDelta(t, want.f, d.Float(64), 1e-9, text)
		}
	}
	for text, want := range map[string]string{
		"": "Index 0", "x": "Character x is neither", "1.2.3": "more than one decimal point", ".": "No digits found", "1e": "No digits following", "--1": "Character - is neither",
	} {
		_, err := data.ParseDecimal(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestTextsSuggestTypes(t *testing.T) {
	for text, want := range map[string]any{
		"": "", "text": "text", "12": int8(12), "300": int16(300), "70000": int32(70000), "3000000000": int64(3000000000), "1.5": float32(1.5), "0.1e60": 1e59,
		"true": true, "true}": "true}", "null": nil, "[1,300]": []any{int16(1), int16(300)}, "[1,null]": "[1,null]", "[1,": "[1,", `["a"]`: []any{"a"},
		"2023-11-14": time.Date(2023, 11, 14, 0, 0, 0, 0, time.UTC), "22:13:20.123Z": time.Date(1970, 1, 1, 22, 13, 20, 123e6, time.UTC), "2023-11-14T22:13:20.123Z": time.Date(2023, 11, 14, 22, 13, 20, 123e6, time.UTC),
		`{"a":1}`: &data.Map{Keys: []any{"a"}, Values: []any{int8(1)}}, "12:34": int8(12),
	} {
		_, got := data.ParseText(text)
		assert.Equal(t, want, got, text)
	}
}

func TestMapsHaveTheOrderOfHashMaps(t *testing.T) {
	keys := func(sort func(*data.Map)) string {
		m := &data.Map{}
		for _, k := range []string{"topic", "s", "id", "when", "x"} {
			m.Put(k, nil)
		}
		sort(m)
		return data.Text(m.Keys)
	}
	assert.Equal(t, "[s, x, topic, id, when]", keys((*data.Map).SortAsHashMap))
	assert.Equal(t, "[x, topic, s, id, when]", keys(func(m *data.Map) { m.SortAsCopy(3) }))
	ints := &data.Map{Keys: []any{int32(17), int64(2), true}, Values: []any{nil, nil, nil}}
	ints.SortAsHashMap()
	assert.Equal(t, []any{int32(17), int64(2), true}, ints.Keys)
}

func TestPointsInTimeHaveTheTextOfTheirClass(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	assert.Equal(t, "Tue Nov 14 22:13:20 UTC 2023", data.Text(at))
	assert.Equal(t, "2023-11-14 22:13:20.123", data.Text(data.SQLTime(at)))
	assert.Equal(t, "java.sql.Timestamp", data.ClassName(data.SQLTime(at)))
	assert.Equal(t, "22:13:20.123Z", data.ISOText(time.UnixMilli(80000123)))
	assert.Equal(t, "{\"a\":[\"b\",1]}", data.HeaderText(&data.Map{Keys: []any{"a"}, Values: []any{[]any{"b", data.Decimal{Unscaled: big.NewInt(1)}}}}))
}
