package json_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/json"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func read(t *testing.T, columnType *types.Type, text string) (types.Value, error) {
	t.Helper()
	s := json.New(json.Config{Columns: []types.Column{{Name: "V", Type: columnType}}, Unwrapped: true, Topic: "t"})
	values, err := s.Deserialize([]byte(text))
	if err != nil {
		return types.Null, err
	}
	return values[0], nil
}

// What a STRING column gets from other JSON values is Java's text of them.
func TestTextOfOtherValues(t *testing.T) {
	for text, want := range map[string]string{
		`"a\u00e9\ud83d\ude00\n\/"`: "aé😀\n/",
		`1e3`:                       "1E+3",
		`1.50`:                      "1.50",
		`0.0000001`:                 "1E-7",
		`0.000001`:                  "0.000001",
		`-0`:                        "0",
		`-0.0`:                      "0.0",
		`12345678901234567890123`:   "12345678901234567890123",
		`[1, "x", null, true, [2.0], {"a": [1]}]`:  `[1, x, null, true, [2.0], {"a":[1]}]`,
		`{"b": 1, "a": {"c": "é😀\u0001"}, "b": 2}`: `{"b":2,"a":{"c":"é😀\u0001"}}`,
	} {
		v, err := read(t, types.String, text)
		require.NoError(t, err, text)
		assert.Equal(t, want, v.Str(), text)
	}
}

func TestNumbersKeepTheirLowBits(t *testing.T) {
	for text, want := range map[string]int64{
		`9223372036854775808`: -9223372036854775808, `18446744073709551617`: 1, `-18446744073709551617`: -1, `1e2`: 100, `1.9e1`: 19,
		`1e64`: 0, `1e400000000`: 0, `1e-400000000`: 0, `123456789012345678901234567890.5`: -4362896299872285998,
	} {
		v, err := read(t, types.Bigint, text)
		require.NoError(t, err, text)
		assert.Equal(t, want, v.Int(), text)
	}
}

func TestWrongTexts(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `[1`, `[1,]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `'a'`, `"a`, `"\x"`, `"\u12"`, "\"\n\"", "\"\xff\"",
		`01`, `-`, `1.`, `.5`, `+1`, `1e`, `NaN`, `nul`, `truex`, `1x`,
		strings.Repeat("[", 1001), strings.Repeat("9", 1001),
	} {
		_, err := read(t, types.String, text)
		assert.Error(t, err, "%.40s", text)
	}
	_, err := read(t, types.String, strings.Repeat("[", 1000)+strings.Repeat("]", 1000))
	assert.NoError(t, err)
}

func TestMemberNames(t *testing.T) {
	row := types.StructOf(
		types.Field{Name: "ID", Type: types.Integer}, types.Field{Name: "camelCase", Type: types.String}, types.Field{Name: "CAMELCASE", Type: types.String},
	)
	members := func(text string) []types.Value {
		v, err := read(t, row, text)
		require.NoError(t, err, text)
		return v.Elems()
	}
	got := members(`{"id":"x","ID":1,"other":{"id":[]},"camelCase":"c"}`)
	assert.Equal(t, int64(1), got[0].Int(), "a member that loses may be anything")
	assert.Equal(t, "c", got[1].Str())
	assert.Equal(t, "c", got[2].Str(), "one member may fill two columns")
	got = members(`{"Id":1,"iD":2}`)
	assert.Equal(t, int64(2), got[0].Int())
	_, err := read(t, row, `{"ID":1,"ID":"x"}`)
	assert.ErrorContains(t, err, "path: $.ID")
}

func TestMapsAreInTheOrderOfAHashMap(t *testing.T) {
	s := json.New(json.Config{Columns: []types.Column{{Name: "M", Type: types.MapOf(types.String, types.Integer)}}, Topic: "t"})
	values, err := s.Deserialize([]byte(`{"M":{"k":null,"":0,"k":1}}`))
	require.NoError(t, err)
	data, err := s.Serialize(nil, values)
	require.NoError(t, err)
	assert.Equal(t, `{"M":{"":0,"k":1}}`, string(data))
}

func TestStringsAreEscapedAsJacksonDoes(t *testing.T) {
	assert.Equal(t, `"\"\\/\b\f\n\r\t\u0001\u001F`+"\u007f"+`é\uD83D\uDE00`+"\u2028"+`"`,
		string(json.AppendString(nil, "\"\\/\b\f\n\r\t\x01\x1f\x7fé😀\u2028")))
}
