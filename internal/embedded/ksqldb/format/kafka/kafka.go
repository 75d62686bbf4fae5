// Package kafka is ksqlDB's KAFKA format: a single column in the encoding of
// Kafka's own serializers, INTEGER as 4 and BIGINT as 8 bytes big endian,
// DOUBLE as IEEE 754 in 8 bytes big endian, STRING as UTF-8, BYTES as they are.
//
// Invariants: a NULL column is a null key or value.
package kafka

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Serde writes and reads one column.
type Serde struct {
	columnType *types.Type
	topic      string
}

// New makes a Serde for a column of type INTEGER, BIGINT, DOUBLE, STRING or
// BYTES, or for no column at all (nil), which is always null.
func New(columnType *types.Type, topic string) *Serde {
	return &Serde{columnType: columnType, topic: topic}
}

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil || s.columnType == nil {
		return nil, nil
	}
	if len(values) != 1 {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: 1, got: %d", s.topic, len(values))}
	}
	v := values[0]
	if v.IsNull() {
		return nil, nil
	}
	if dst == nil {
		dst = []byte{}
	}
	switch s.columnType.Kind {
	case types.KindInteger:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), nil
	case types.KindBigint:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
	case types.KindDouble:
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Double())), nil
	case types.KindString:
		return append(dst, v.Str()...), nil
	default:
		return append(dst, v.Bytes()...), nil
	}
}

// Deserialize implements serde.Serde.
func (s *Serde) Deserialize(data []byte) ([]types.Value, error) {
	if data == nil || s.columnType == nil {
		return nil, nil
	}
	var v types.Value
	switch s.columnType.Kind {
	case types.KindInteger:
		if len(data) != 4 {
			return nil, s.wrongSize("Integer", 4)
		}
		v = types.IntValue(int64(int32(binary.BigEndian.Uint32(data))))
	case types.KindBigint:
		if len(data) != 8 {
			return nil, s.wrongSize("Long", 8)
		}
		v = types.IntValue(int64(binary.BigEndian.Uint64(data)))
	case types.KindDouble:
		if len(data) != 8 {
			return nil, s.wrongSize("Double", 8)
		}
		v = types.DoubleValue(math.Float64frombits(binary.BigEndian.Uint64(data)))
	case types.KindString:
		text := string(data)
		if !utf8.ValidString(text) {
			text = strings.ToValidUTF8(text, "\uFFFD")
		}
		v = types.StringValue(text)
	default:
		v = types.BytesValue(append([]byte{}, data...))
	}
	return []types.Value{v}, nil
}

func (s *Serde) wrongSize(deserializer string, size int) error {
	return &serde.Error{
		Message: "Error deserializing KAFKA message from topic: " + s.topic,
		Cause:   fmt.Errorf("Size of data received by %sDeserializer is not %d", deserializer, size),
	}
}
