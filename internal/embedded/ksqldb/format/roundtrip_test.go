package format_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// generator makes random columns and values that a format can hold.
type generator struct {
	*rand.Rand
	format string
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func (g generator) nullable() bool { return !strings.HasPrefix(g.format, "PROTOBUF") }

func (g generator) columnType(depth int) *types.Type {
	kinds := 10
	if g.format != "DELIMITED" && depth > 0 {
		kinds = 13
	}
	switch types.Kind(1 + g.IntN(kinds)) {
	case types.KindBoolean:
		return types.Boolean
	case types.KindInteger:
		return types.Integer
	case types.KindBigint:
		return types.Bigint
	case types.KindDouble:
		return types.Double
	case types.KindDecimal:
		precision := 1 + g.IntN(30)
		return types.DecimalOf(precision, g.IntN(precision+1))
	case types.KindBytes:
		return types.Bytes
	case types.KindTime:
		return types.Time
	case types.KindDate:
		return types.Date
	case types.KindTimestamp:
		return types.Timestamp
	case types.KindArray:
		elem := g.columnType(depth - 1)
		if !g.nullable() && (elem.Kind == types.KindArray || elem.Kind == types.KindMap) {
			return types.String
		}
		return types.ArrayOf(elem)
	case types.KindMap:
		value := g.columnType(depth - 1)
		if !g.nullable() && (value.Kind == types.KindArray || value.Kind == types.KindMap) {
			return types.String
		}
		return types.MapOf(types.String, value)
	case types.KindStruct:
		fields := make([]types.Field, 1+g.IntN(3))
		for i := range fields {
			fields[i] = types.Field{Name: fmt.Sprintf("F%d", i), Type: g.columnType(depth - 1)}
		}
		return types.StructOf(fields...)
	default:
		return types.String
	}
}

var alphabet = []rune("aZ0 ,\"'\\\n\té€ž😀{}[]:|-\u0001")

func (g generator) text() string {
	out := make([]rune, 1+g.IntN(8))
	for i := range out {
		out[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(out)
}

func (g generator) value(t *types.Type) types.Value {
	if g.nullable() && g.IntN(5) == 0 {
		return types.Null
	}
	switch t.Kind {
	case types.KindBoolean:
		return types.BoolValue(g.IntN(2) == 0)
	case types.KindInteger:
		return types.IntValue(int64(int32(g.Uint32() >> g.IntN(32))))
	case types.KindBigint:
		return types.IntValue(int64(g.Uint64() >> g.IntN(64)))
	case types.KindTimestamp:
		return types.IntValue(g.Int64N(1<<45) - 1<<44)
	case types.KindDate:
		return types.IntValue(g.Int64N(200_000) - 100_000)
	case types.KindTime:
		return types.IntValue(g.Int64N(86_400_000))
	case types.KindDouble:
		f := math.Float64frombits(g.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 1.5
		}
		return types.DoubleValue(f)
	case types.KindDecimal:
		digits := strings.Builder{}
		if g.IntN(2) == 0 {
			digits.WriteByte('-')
		}
		digits.WriteByte('0')
		for range g.IntN(t.Precision + 1) {
			digits.WriteByte(byte('0' + g.IntN(10)))
		}
		d, _ := types.ParseDecimal(fmt.Sprintf("%se-%d", digits.String(), t.Scale))
		return types.DecimalValue(d)
	case types.KindString:
		return types.StringValue(g.text())
	case types.KindBytes:
		return types.BytesValue([]byte(g.text()))
	case types.KindArray:
		elems := make([]types.Value, g.IntN(4))
		for i := range elems {
			elems[i] = g.value(t.Elem)
		}
		return types.ArrayValue(elems)
	case types.KindMap:
		m := &types.MapValue{}
		for i := range g.IntN(4) {
			m.Keys = append(m.Keys, types.StringValue(fmt.Sprintf("%d%s", i, g.text())))
			m.Values = append(m.Values, g.value(t.Elem))
		}
		return types.MapOfValues(m)
	default:
		members := make([]types.Value, len(t.Fields))
		for i, f := range t.Fields {
			members[i] = g.value(f.Type)
		}
		return types.StructValue(members)
	}
}

// What is written is read back, for every format that can hold the columns,
// wrapped and unwrapped, as key and as value.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"JSON", "DELIMITED", "AVRO", "JSON_SR", "PROTOBUF", "PROTOBUF_NOSR"} {
		t.Run(name, func(t *testing.T) {
			g := generator{newRand(), name}
			reg := &registry.Memory{}
			for i := range 150 {
				cols := make([]types.Column, 1+g.IntN(4))
				for c := range cols {
					cols[c] = types.Column{Name: fmt.Sprintf("C%d", c), Type: g.columnType(2)}
				}
				spec := format.Spec{Format: name, Columns: cols, IsKey: i%2 == 0, Topic: fmt.Sprintf("t%d", i), Source: "S"}
				if unwrap := false; i%3 == 0 && len(cols) == 1 && !spec.IsKey && name != "PROTOBUF" {
					spec.Wrap = &unwrap
				}
				if name == "PROTOBUF_NOSR" && spec.Unwrapped() && (cols[0].Type.Kind == types.KindArray || cols[0].Type.Kind == types.KindMap) {
					continue
				}
				s, err := format.New(context.Background(), spec, reg)
				require.NoError(t, err)
				for range 5 {
					values := make([]types.Value, len(cols))
					for c := range cols {
						values[c] = g.value(cols[c].Type)
					}
					data, err := s.Serialize(nil, values)
					require.NoError(t, err)
					if data == nil || name == "DELIMITED" && len(data) == 0 {
						require.True(t, values[0].IsNull())
						continue
					}
					back, err := s.Deserialize(data)
					require.NoError(t, err, "%v\n%q", cols, data)
					for c := range cols {
						if !types.Equal(cols[c].Type, values[c], back[c]) {
							require.Fail(t, "differs", "column %s of type %s: %s became %s\n%q", cols[c].Name, cols[c].Type,
								display(cols[c].Type, values[c], false), display(cols[c].Type, back[c], false), data)
						}
					}
				}
			}
		})
	}
}

func TestNullsAndTombstones(t *testing.T) {
	wrap, unwrap := true, false
	one := []types.Column{{Name: "A", Type: types.Integer}}
	for _, c := range []struct {
		spec format.Spec
		want string // of a NULL column
	}{
		{format.Spec{Format: "JSON", Columns: one}, `{"A":null}`},
		{format.Spec{Format: "JSON", Columns: one, Wrap: &wrap}, `{"A":null}`},
		{format.Spec{Format: "JSON", Columns: one, Wrap: &unwrap}, "null bytes"},
		{format.Spec{Format: "JSON", Columns: one, IsKey: true}, "null bytes"},
		{format.Spec{Format: "KAFKA", Columns: one}, "null bytes"},
		{format.Spec{Format: "DELIMITED", Columns: one}, ""},
		{format.Spec{Format: "AVRO", Columns: one, IsKey: true, Source: "S"}, "null bytes"},
		{format.Spec{Format: "NONE"}, "null bytes"},
	} {
		c.spec.Topic = "t"
		s, err := format.New(context.Background(), c.spec, &registry.Memory{})
		require.NoError(t, err)
		data, err := s.Serialize(nil, nil)
		require.NoError(t, err)
		assert.Nil(t, data, "no values are null bytes in %s", c.spec.Format)
		back, err := s.Deserialize(nil)
		require.NoError(t, err)
		assert.Nil(t, back)
		data, err = s.Serialize(nil, make([]types.Value, len(c.spec.Columns)))
		require.NoError(t, err)
		got := string(data)
		if data == nil {
			got = "null bytes"
		}
		assert.Equal(t, c.want, got, "%s key=%t", c.spec.Format, c.spec.IsKey)
	}
}

func TestSerializeAppends(t *testing.T) {
	cols, values := tenColumns(t)
	for _, name := range []string{"JSON", "DELIMITED", "AVRO", "JSON_SR", "PROTOBUF", "PROTOBUF_NOSR"} {
		s, err := format.New(context.Background(), format.Spec{Format: name, Columns: cols, Topic: "t"}, &registry.Memory{})
		require.NoError(t, err)
		alone, err := s.Serialize(nil, values)
		require.NoError(t, err)
		behind, err := s.Serialize([]byte("x"), values)
		require.NoError(t, err)
		assert.Equal(t, "x"+string(alone), string(behind), name)
	}
}

// Keys of maps may be NULL in ksqlDB. JSON has no such names: it writes "null".
func TestNullMapKey(t *testing.T) {
	cols := []types.Column{{Name: "M", Type: types.MapOf(types.String, types.Integer)}}
	m := types.MapOfValues(&types.MapValue{
		Keys:   []types.Value{types.StringValue("foo"), types.Null},
		Values: []types.Value{types.IntValue(10), types.IntValue(11)},
	})
	for _, name := range []string{"AVRO", "JSON_SR"} {
		s, err := format.New(context.Background(), format.Spec{Format: name, Columns: cols, Topic: "t"}, &registry.Memory{})
		require.NoError(t, err)
		data, err := s.Serialize(nil, []types.Value{m})
		require.NoError(t, err)
		back, err := s.Deserialize(data)
		require.NoError(t, err)
		assert.True(t, types.Equal(cols[0].Type, m, back[0]), name)
	}
	s, err := format.New(context.Background(), format.Spec{Format: "JSON", Columns: cols, Topic: "t"}, nil)
	require.NoError(t, err)
	data, err := s.Serialize(nil, []types.Value{m})
	require.NoError(t, err)
	assert.Equal(t, `{"M":{"foo":10,"null":11}}`, string(data))
}
