// Package format writes and reads the keys and values of records as ksqlDB
// does: the formats KAFKA, JSON, DELIMITED, NONE, AVRO, JSON_SR, PROTOBUF and
// PROTOBUF_NOSR, the rules which of them can hold which columns, the schemas
// that are registered for sinks, and the columns that are inferred from
// registered schemas.
//
// A Spec says what to write, New turns it into a Serde, one per format in the
// packages below this one. Bytes, schemas and error texts are those of ksqlDB
// 7.9.
//
// Invariants: a Serde is safe for concurrent use; decoders never panic and
// never allocate more than the data at hand can justify.
package format

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// The names of the formats.
const (
	Kafka        = "KAFKA"
	JSON         = "JSON"
	Delimited    = "DELIMITED"
	None         = "NONE"
	Avro         = "AVRO"
	JSONSR       = "JSON_SR"
	Protobuf     = "PROTOBUF"
	ProtobufNoSR = "PROTOBUF_NOSR"
)

// Serde writes and reads keys or values. It may be used from many goroutines.
type Serde = serde.Serde

// SchemaRegistry is the Schema Registry that schemas come from and go to.
type SchemaRegistry = registry.Registry

// Spec describes the key or the value of a topic.
type Spec struct {
	// Format is one of the format names, in any case.
	Format string
	// Columns are the key columns or the value columns, in order.
	Columns []types.Column
	IsKey   bool
	// Wrap is WRAP_SINGLE_VALUE. Nil takes the default: single value columns
	// are wrapped where the format can, key columns are bare where it can.
	Wrap *bool
	// Delimiter is KEY_DELIMITER or VALUE_DELIMITER: one character, SPACE or
	// TAB. Empty means a comma. DELIMITED only.
	Delimiter string
	// SchemaID is KEY_SCHEMA_ID or VALUE_SCHEMA_ID: the schema to write with.
	SchemaID *int
	// FullName is KEY_SCHEMA_FULL_NAME or VALUE_SCHEMA_FULL_NAME: the name of
	// the record or message.
	FullName string
	// ProtobufNullable is KEY_/VALUE_PROTOBUF_NULLABLE_REPRESENTATION: empty,
	// OPTIONAL or WRAPPER.
	ProtobufNullable string
	// Topic is the topic that is written and read. Subjects and error texts are
	// made from it.
	Topic string
	// Source is the name of the stream or table, from which the names of Avro
	// key records are made.
	Source string
}

// Subject is the registry subject of the spec's schema.
func (s Spec) Subject() string { return registry.Subject(s.Topic, s.IsKey) }

// Canonical gives the format's name in upper case. The error says that there is
// no such format.
func Canonical(name string) (string, error) {
	upper := strings.ToUpper(name)
	if !slices.Contains(names, upper) {
		return "", fmt.Errorf("Unknown format: %s", name)
	}
	return upper, nil
}

var names = []string{Kafka, JSON, Delimited, None, Avro, JSONSR, Protobuf, ProtobufNoSR}

// New makes the Serde of a spec. The registry is asked on first use, except for
// a spec with a SchemaID, whose schema is fetched now; it may be nil for formats
// that need none.
func New(ctx context.Context, spec Spec, reg SchemaRegistry) (Serde, error) {
	name, err := Canonical(spec.Format)
	if err != nil {
		return nil, err
	}
	spec.Format = name
	if err := Validate(spec); err != nil {
		return nil, err
	}
	if reg == nil && SupportsInference(name) {
		return nil, fmt.Errorf("format %s of topic %s needs a Schema Registry: set its address", name, spec.Topic)
	}
	return newSerde(ctx, spec, reg)
}
