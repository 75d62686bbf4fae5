package delimited_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/delimited"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

var twoStrings = []types.Column{{Name: "A", Type: types.String}, {Name: "B", Type: types.String}}

func TestQuoting(t *testing.T) {
	s := delimited.New(twoStrings, ',', "t")
	for _, c := range [][3]string{
		{"a", "b", `a,b`}, {"-1", "-1", `"-1",-1`}, {"é", "é", `"é",é`}, {"", "", `"",`}, {`a"b`, `a"b`, `"a""b","a""b"`},
		{"a,b", "a;b", `"a,b",a;b`}, {"a\n", " b", "\"a\n\",\" b\""}, {"a ", "#b", `"a ","#b"`}, {"a#", "$", `a#,$`},
	} {
		got, err := s.Serialize(nil, []types.Value{types.StringValue(c[0]), types.StringValue(c[1])})
		require.NoError(t, err)
		assert.Equal(t, c[2], string(got))
	}
	tab := delimited.New(twoStrings, '\t', "t")
	got, err := tab.Serialize(nil, []types.Value{types.StringValue("a,b"), types.StringValue("c\td")})
	require.NoError(t, err)
	assert.Equal(t, "a,b\t\"c\td\"", string(got))
}

func TestReading(t *testing.T) {
	s := delimited.New(twoStrings, ',', "t")
	for text, want := range map[string][2]any{
		`a,b`: {"a", "b"}, `"a,""b",c`: {`a,"b`, "c"}, `,`: {nil, nil}, `"",x`: {nil, "x"}, "a,b\r\nc,d": {"a", "b"},
		"\n\na,b": {"a", "b"}, ` a , b `: {" a ", " b "}, `a"b,c`: {`a"b`, "c"}, `"a" ,b`: {"a", "b"}, "\"a\nb\",c": {"a\nb", "c"},
	} {
		got, err := s.Deserialize([]byte(text))
		require.NoError(t, err, text)
		for i, v := range got {
			if want[i] == nil {
				assert.True(t, v.IsNull(), text)
				continue
			}
			assert.Equal(t, want[i], v.Str(), text)
		}
	}
	for _, text := range []string{"", "\n", "a", "a,b,c", `"a,b`, `"a"x,b`} {
		_, err := s.Deserialize([]byte(text))
		assert.Error(t, err, text)
	}
}

func TestReadingValues(t *testing.T) {
	read := func(t *testing.T, columnType *types.Type, text string) (types.Value, error) {
		got, err := delimited.New([]types.Column{{Name: "A", Type: columnType}}, ',', "t").Deserialize([]byte(text))
		if err != nil {
			return types.Null, err
		}
		return got[0], nil
	}
	v, err := read(t, types.Boolean, "TRUE")
	require.NoError(t, err)
	assert.True(t, v.Bool())
	v, err = read(t, types.Boolean, "yes")
	require.NoError(t, err)
	assert.False(t, v.Bool())
	v, err = read(t, types.DecimalOf(4, 2), "1.5")
	require.NoError(t, err)
	assert.Equal(t, "1.50", string(types.AppendDecimal(nil, v.Decimal())))
	for kind, text := range map[*types.Type]string{
		types.Integer: "2147483648", types.Bigint: " 1", types.Double: "x", types.DecimalOf(4, 2): "1.234", types.Bytes: "a-b", types.Time: "86400001", types.Date: "1.5",
	} {
		_, err := read(t, kind, text)
		assert.Error(t, err, "%s %s", kind, text)
	}
}
