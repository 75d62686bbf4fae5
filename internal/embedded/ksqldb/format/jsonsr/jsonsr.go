// Package jsonsr is ksqlDB's JSON_SR format: JSON behind Confluent's header,
// with a JSON Schema in the registry that Connect's JsonSchemaConverter reads
// by.
//
// Invariants: a Serde is safe for concurrent use; schemas are fetched once per
// id; numbers are exact but where a column is a DOUBLE.
package jsonsr

import (
	"bytes"
	"context"
	"encoding/binary"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/json"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const headerSize = 5

// Config says what a Serde reads and writes.
type Config struct {
	Columns []types.Column
	// Unwrapped is set when the only column is written bare.
	Unwrapped bool
	Topic     string
	// Subject is where the generated schema is registered on the first write.
	Subject string
	// SchemaID is the schema to write with instead of the generated one.
	SchemaID *int
}

// Serde writes and reads rows as JSON with a registered schema.
type Serde struct {
	cfg Config
	reg registry.Registry
	row *types.Type

	schemas sync.Map // int (schema id) → *connect.Schema

	mu sync.Mutex   // held while the generated schema is registered
	id atomic.Int64 // id of the schema that is written with, 0 before
}

// New makes a Serde. With a SchemaID the schema is fetched and compared with
// the columns now.
func New(ctx context.Context, cfg Config, reg registry.Registry) (*Serde, error) {
	s := &Serde{cfg: cfg, reg: reg, row: serde.RowType(cfg.Columns)}
	if cfg.Unwrapped {
		s.row = cfg.Columns[0].Type
	}
	if cfg.SchemaID == nil {
		return s, nil
	}
	schema, err := reg.SchemaByID(ctx, *cfg.SchemaID)
	if err != nil {
		return nil, &serde.Error{
			Message: fmt.Sprintf("Failed to fetch schema for serialization from Schema Registry using schema id: %d", *cfg.SchemaID),
			Cause:   err,
		}
	}
	given, err := Translate(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	if !cfg.Unwrapped {
		if err := covers(given, s.row); err != nil {
			return nil, err
		}
	}
	s.id.Store(int64(*cfg.SchemaID))
	return s, nil
}

// covers checks that the schema has a member for each column.
func covers(given *connect.Schema, row *types.Type) error {
	for _, c := range row.Fields {
		found := false
		for _, f := range given.Fields {
			found = found || f.Name == c.Name
		}
		if !found {
			return fmt.Errorf("Schema from Schema Registry misses field with name: %s", c.Name)
		}
	}
	return nil
}

// SchemaText is the schema that ksqlDB generates for the row.
func (s *Serde) SchemaText() string { return SchemaText(s.row, s.cfg.Unwrapped) }

// Serialize implements serde.Serde.
func (s *Serde) Serialize(dst []byte, values []types.Value) ([]byte, error) {
	if values == nil {
		return nil, nil
	}
	if len(values) != len(s.cfg.Columns) {
		return nil, &serde.Error{Message: fmt.Sprintf("Column count mismatch on serialization. topic: %s, expected: %d, got: %d", s.cfg.Topic, len(s.cfg.Columns), len(values))}
	}
	row := types.StructValue(values)
	if s.cfg.Unwrapped {
		if row = values[0]; row.IsNull() {
			return nil, nil
		}
	}
	id, err := s.schemaID()
	if err != nil {
		return nil, &serde.Error{
			Message: fmt.Sprintf("Error serializing message to topic: %s. Converting Kafka Connect data to byte[] failed due to serialization error of topic %s: \nHint: You probably forgot to add VALUE_SCHEMA_ID when creating the source.", s.cfg.Topic, s.cfg.Topic),
			Cause:   err,
		}
	}
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(id))
	return json.AppendValueWithEntries(dst, s.row, row), nil
}

// schemaID registers the generated schema on the first call that succeeds.
func (s *Serde) schemaID() (int64, error) {
	if id := s.id.Load(); id != 0 {
		return id, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := s.id.Load(); id != 0 {
		return id, nil
	}
	id, err := s.reg.Register(context.Background(), s.cfg.Subject, registry.Schema{Type: registry.TypeJSON, Text: s.SchemaText()})
	if err != nil {
		return 0, err
	}
	s.id.Store(int64(id))
	return int64(id), nil
}

// Deserialize implements serde.Serde.
func (s *Serde) Deserialize(data []byte) ([]types.Value, error) {
	if data == nil {
		return nil, nil
	}
	v, err := s.deserialize(data)
	if err != nil {
		return nil, &serde.Error{Message: "Error deserializing message from topic: " + s.cfg.Topic, Cause: err}
	}
	if s.cfg.Unwrapped {
		return []types.Value{v}, nil
	}
	return v.Elems(), nil
}

func (s *Serde) deserialize(data []byte) (types.Value, error) {
	if len(data) < headerSize || data[0] != 0 {
		return types.Null, errors.New("Unknown magic byte!")
	}
	schema, err := s.schema(int(binary.BigEndian.Uint32(data[1:headerSize])))
	if err != nil {
		return types.Null, err
	}
	dec := stdjson.NewDecoder(bytes.NewReader(data[headerSize:]))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return types.Null, fmt.Errorf("Error deserializing JSON message: %w", err)
	}
	if v == nil {
		return types.Null, nil
	}
	return read(schema, s.row, v, "")
}

func (s *Serde) schema(id int) (*connect.Schema, error) {
	if schema, ok := s.schemas.Load(id); ok {
		return schema.(*connect.Schema), nil
	}
	got, err := s.reg.SchemaByID(context.Background(), id)
	if err != nil {
		return nil, fmt.Errorf("Error retrieving JSON schema for id %d: %w", id, err)
	}
	if got.Type != registry.TypeJSON {
		return nil, fmt.Errorf("schema %d is of type %s, not JSON", id, got.Type)
	}
	schema, err := Translate(context.Background(), s.reg, got)
	if err != nil {
		return nil, err
	}
	s.schemas.Store(id, schema)
	return schema, nil
}
