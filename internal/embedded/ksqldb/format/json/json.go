// Package json is ksqlDB's JSON format: reading follows Jackson and the rules
// of KsqlJsonDeserializer, writing those of Connect's JsonConverter.
//
// Invariants: numbers are exact, they never pass through float64 unless the
// column is a DOUBLE; maps come out in the order of a java.util.HashMap, in
// which ksqlDB keeps them and writes them on.
package json

import (
	"fmt"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Config says what a Serde reads and writes.
type Config struct {
	Columns []types.Column
	// Unwrapped is set when the only column is written bare.
	Unwrapped bool
	IsKey     bool
	Topic     string
}

// Serde writes and reads rows as JSON.
type Serde struct {
	cfg  Config
	row  *types.Type
	root *node
	// prefixes are the names of the columns as they stand in the text,
	// `{"A":`, `,"B":`.
	prefixes [][]byte
}

// New makes a Serde.
func New(cfg Config) *Serde {
	s := &Serde{cfg: cfg}
	if cfg.Unwrapped {
		s.row = cfg.Columns[0].Type
	} else {
		s.row = serde.RowType(cfg.Columns)
	}
	s.root = newNode(s.row)
	for i, c := range cfg.Columns {
		open := byte(',')
		if i == 0 {
			open = '{'
		}
		s.prefixes = append(s.prefixes, append(AppendString([]byte{open}, c.Name), ':'))
	}
	return s
}

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil {
		return nil, nil
	}
	if len(values) != len(s.cfg.Columns) {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: %d, got: %d", s.cfg.Topic, len(s.cfg.Columns), len(values))}
	}
	if s.cfg.Unwrapped {
		if values[0].IsNull() {
			return nil, nil
		}
		return AppendValue(dst, s.row, values[0]), nil
	}
	if len(values) == 0 {
		return append(dst, "{}"...), nil
	}
	for i, v := range values {
		dst = append(dst, s.prefixes[i]...)
		dst = AppendValue(dst, s.cfg.Columns[i].Type, v)
	}
	return append(dst, '}'), nil
}

// Deserialize implements serde.Serde.
func (s *Serde) Deserialize(data []byte) ([]types.Value, error) {
	if data == nil {
		return nil, nil
	}
	v, err := s.root.decode(data)
	if err != nil {
		target := "value"
		if s.cfg.IsKey {
			target = "key"
		}
		return nil, &serde.Error{
			Message: fmt.Sprintf("Failed to deserialize %s from topic: %s. %s", target, s.cfg.Topic, err),
			Cause:   err,
		}
	}
	if s.cfg.Unwrapped {
		return []types.Value{v}, nil
	}
	return v.Elems(), nil
}
