package format

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/jsonsr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/protobuf"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// SchemaFor gives the text and the type of the schema that ksqlDB generates and
// registers for the spec's columns. Its format must be one that keeps schemas
// in the registry.
func SchemaFor(spec Spec) (text, schemaType string, err error) {
	if spec.Format, err = Canonical(spec.Format); err != nil {
		return "", "", err
	}
	switch spec.Format {
	case Avro:
		text, err = avro.SchemaText(spec.row(), spec.avroName())
		return text, registry.TypeAvro, err
	case JSONSR:
		return jsonsr.SchemaText(spec.row(), spec.Unwrapped()), registry.TypeJSON, nil
	case Protobuf:
		text, err = protobuf.SchemaText(spec.row(), spec.FullName, protobuf.Nullable(strings.ToUpper(spec.ProtobufNullable)))
		return text, registry.TypeProtobuf, err
	default:
		return "", "", fmt.Errorf("format %s doesn't register schemas", spec.Format)
	}
}

// avroName is the name of the record that is written.
func (s Spec) avroName() string {
	switch {
	case s.FullName != "":
		return s.FullName
	case s.IsKey:
		return avro.KeyName(s.Source)
	default:
		return avro.RecordName
	}
}

// Register does what CREATE statements do with the schema of a topic's keys or
// values before the topic is used. ifExists is set for CREATE … AS SELECT,
// which registers a new version where the subject exists; a plain CREATE then
// leaves the subject alone. With a SchemaID that very schema is registered
// under the topic's subject, and must keep its id. Formats without schemas and
// specs without columns have nothing to register.
func Register(ctx context.Context, reg SchemaRegistry, spec Spec, ifExists bool) error {
	name, err := Canonical(spec.Format)
	if err != nil {
		return err
	}
	spec.Format = name
	if spec.SchemaID != nil {
		return registerGiven(ctx, reg, spec)
	}
	if !SupportsInference(name) || len(spec.Columns) == 0 {
		return nil
	}
	if !ifExists {
		_, err := reg.Latest(ctx, spec.Subject())
		if err == nil {
			return nil
		}
		if !errors.Is(err, registry.ErrNotFound) {
			return err
		}
	}
	text, schemaType, err := SchemaFor(spec)
	if err != nil {
		return cannotRegister(err)
	}
	if _, err := reg.Register(ctx, spec.Subject(), registry.Schema{Type: schemaType, Text: text}); err != nil {
		return cannotRegister(err)
	}
	return nil
}

func cannotRegister(err error) error {
	return fmt.Errorf("Could not register schema for topic: %w", err)
}

// idProperty and formatProperty are the settings of the WITH clause that a spec
// comes from.
func idProperty(isKey bool) string { return sideProperty(isKey, "SCHEMA_ID") }

func sideProperty(isKey bool, name string) string {
	if isKey {
		return "KEY_" + name
	}
	return "VALUE_" + name
}

func registerGiven(ctx context.Context, reg SchemaRegistry, spec Spec) error {
	property := idProperty(spec.IsKey)
	if !SupportsInference(spec.Format) {
		return fmt.Errorf("%s is provided but format %s doesn't support registering in Schema Registry", property, spec.Format)
	}
	id := *spec.SchemaID
	given, err := reg.SchemaByID(ctx, id)
	if err != nil {
		return err
	}
	if got := typeOf(given); got != schemaType(spec.Format) {
		return fmt.Errorf("Format and fetched schema type using %s %d are different. Format: [%s], Fetched schema type: [%s].", property, id, spec.Format, got)
	}
	registered, err := reg.Register(ctx, spec.Subject(), registry.Schema{Type: given.Type, Text: given.Text, References: given.References})
	if err != nil {
		return cannotRegister(cannotRegister(err))
	}
	if registered != id {
		return fmt.Errorf("Schema id registered is %d which is different from provided %s %d.\nTopic: %s\nSubject: %s\nSchema: %s",
			registered, property, id, spec.Topic, spec.Subject(), given.Text)
	}
	return nil
}

// schemaType is the registry's type of a format's schemas.
func schemaType(format string) string {
	switch format {
	case JSONSR:
		return registry.TypeJSON
	case Protobuf:
		return registry.TypeProtobuf
	default:
		return registry.TypeAvro
	}
}

func typeOf(s registry.Schema) string {
	if s.Type == "" {
		return registry.TypeAvro
	}
	return s.Type
}
