package engine

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

func TestFormatsAreGuessedFromAllDataSoFar(t *testing.T) {
	reg := &registry.Memory{}
	id, err := reg.Register(t.Context(), "s-value", registry.Schema{Text: `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}`})
	require.NoError(t, err)
	avroData := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), 2, 4, 'x', 'y')
	start := int64(1795305600000)
	tumbling := format.AppendWindow([]byte("k"), types.Window{Kind: types.TimeWindow, Start: start})
	session := format.AppendWindow([]byte("k"), types.Window{Kind: types.SessionWindow, Start: start, End: start + 5000})
	for _, c := range []struct {
		name  string
		isKey bool
		data  [][]byte
		guess string
		text  string // of the last one
	}{
		{"nothing but nulls", true, [][]byte{nil}, "KAFKA_STRING", "<null>"},
		{"JSON", false, [][]byte{[]byte(`{"A": 10}`)}, "JSON or KAFKA_STRING", `{"A": 10}`},
		{"JSON, then text", false, [][]byte{[]byte("1"), []byte("text")}, "KAFKA_STRING", "text"},
		{"INTEGER", true, [][]byte{{0, 0, 0, 1}}, "KAFKA_INT or KAFKA_STRING", "1"},
		{"BIGINT", true, [][]byte{{0, 0, 0, 0, 0, 0, 0, 5}}, "KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING", "5"},
		{"Avro", false, [][]byte{avroData}, "AVRO or KAFKA_STRING", `{"a": 1, "b": "xy"}`},
		{"time window", true, [][]byte{tumbling}, "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING)", "[k@1795305600000/-]"},
		{"session", true, [][]byte{session}, "SESSION(KAFKA_STRING)", "[k@1795305600000/1795305605000]"},
		{"no format", false, [][]byte{{0xff, 0xfe}}, " does not match any supported format. It may be a STRING with encoding other than UTF8, or some other format.", `\xFF\xFE`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newFormatGuess(reg, c.isKey)
			assert.True(t, g.narrow(t.Context(), c.data))
			assert.Equal(t, c.guess, g.String())
			assert.Equal(t, c.text, g.text(t.Context(), c.data[len(c.data)-1]))
			assert.False(t, g.narrow(t.Context(), c.data), "the same again changes nothing")
		})
	}
}
