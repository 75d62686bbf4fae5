package format

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/avro"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/jsonsr"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/protobuf"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Inferred is what a registered schema says about a topic's keys or values.
type Inferred struct {
	Columns []types.Column
	// Schema is the schema that the columns come from.
	Schema registry.Schema
	// FullName is what ksqlDB adds to the statement as KEY_ or
	// VALUE_SCHEMA_FULL_NAME: the given one, or the schema's own name when it
	// was asked for by id.
	FullName string
}

// Infer reads columns from the registry: of the schema with spec.SchemaID where
// that is set, with names as they are, else of the latest schema of the topic's
// subject, with names in upper case. spec.Columns are ignored; spec.Topic may be
// empty with a SchemaID. Errors are ksqlDB's.
func Infer(ctx context.Context, reg SchemaRegistry, spec Spec) (Inferred, error) {
	name, err := Canonical(spec.Format)
	if err != nil {
		return Inferred{}, err
	}
	spec.Format = name
	if !SupportsInference(name) {
		return Inferred{}, fmt.Errorf("%s should support schema inference when %s is provided. Current format is %s.",
			sideProperty(spec.IsKey, "FORMAT"), idProperty(spec.IsKey), name)
	}
	// There are no columns to count yet: a key is bare, a value where the
	// statement says so.
	if !spec.IsKey && spec.Wrap != nil {
		if f := featuresOf[name]; *spec.Wrap && !f.wrap || !*spec.Wrap && !f.unwrap {
			return Inferred{}, fmt.Errorf("Format '%s' does not support 'WRAP_SINGLE_VALUE' set to '%t'.", name, *spec.Wrap)
		}
	}
	schema, err := fetch(ctx, reg, spec)
	if err != nil {
		return Inferred{}, err
	}
	if got, want := typeOf(schema), schemaType(name); got != want {
		return Inferred{}, fmt.Errorf("%s schema is not in the expected format. You may want to set %s to '%s'.\n%s\nexpected format: %s\nactual format from Schema Registry: %s",
			spec.side(), sideProperty(spec.IsKey, "FORMAT"), got, spec.origin(), want, got)
	}
	cols, err := columnsOf(ctx, reg, schema, spec)
	if err != nil {
		return Inferred{}, fmt.Errorf("Unable to verify if the %s schema for %s is compatible with ksqlDB.\nReason: %w\n\n"+
			"Please see https://github.com/confluentinc/ksql/issues/ to see if this particular reason is already known.\n"+
			"If not, please log a new issue, including this full error message.\nSchema:%s",
			strings.ToLower(spec.side()), spec.origin(), err, canonicalText(schema))
	}
	if spec.IsKey && len(cols) > 1 {
		return Inferred{}, fmt.Errorf("The key schema for %s contains multiple columns, which is not supported by ksqlDB at this time.\nSchema:%s",
			spec.origin(), canonicalText(schema))
	}
	out := Inferred{Columns: cols, Schema: schema, FullName: spec.FullName}
	if spec.FullName != "" {
		return out, nil
	}
	names, err := fullNames(ctx, reg, schema)
	if err != nil {
		return Inferred{}, err
	}
	if len(names) > 1 {
		var list strings.Builder
		for _, n := range names {
			list.WriteString("- " + n + "\n")
		}
		return Inferred{}, fmt.Errorf("%s schema has multiple schema definitions. \n\n%s\nPlease specify a schema full name in the WITH clause using %s",
			spec.side(), list.String(), sideProperty(spec.IsKey, "SCHEMA_FULL_NAME"))
	}
	if spec.SchemaID != nil && len(names) == 1 {
		out.FullName = names[0]
	}
	return out, nil
}

func (s Spec) side() string {
	if s.IsKey {
		return "Key"
	}
	return "Value"
}

// origin says where a schema was looked for.
func (s Spec) origin() string {
	var parts []string
	if s.Topic != "" {
		parts = append(parts, "topic: "+s.Topic)
	}
	if s.SchemaID != nil {
		parts = append(parts, fmt.Sprintf("schema id: %d", *s.SchemaID))
	}
	return strings.Join(parts, ", ")
}

func fetch(ctx context.Context, reg SchemaRegistry, spec Spec) (registry.Schema, error) {
	var schema registry.Schema
	var err error
	if spec.SchemaID != nil {
		schema, err = reg.SchemaByID(ctx, *spec.SchemaID)
	} else {
		schema, err = reg.Latest(ctx, spec.Subject())
	}
	switch {
	case err == nil:
		return schema, nil
	case errors.Is(err, registry.ErrNotFound):
		return schema, errors.New(notFound(spec))
	default:
		return schema, fmt.Errorf("Schema registry fetch for topic %s request failed for %s: %w", strings.ToLower(spec.side()), spec.origin(), &fetchError{err})
	}
}

const (
	notSerialised = "- Messages on the topic have not been serialized using a Confluent Schema Registry supported serializer\n" +
		"\t-> See https://docs.confluent.io/current/schema-registry/docs/serializer-formatter.html\n" +
		"- The schema is registered on a different instance of the Schema Registry\n" +
		"\t-> Use the REST API to list available subjects\thttps://docs.confluent.io/current/schema-registry/docs/api.html#get--subjects\n" +
		"- You do not have permissions to access the Schema Registry.\n" +
		"\t-> See https://docs.confluent.io/current/schema-registry/docs/security.html"
	unknownTopic = "- The topic itself does not exist\n\t-> Use SHOW TOPICS; to check\n" +
		"- Messages on the topic are not serialized using a format Schema Registry supports\n" +
		"\t-> Use PRINT '%s' FROM BEGINNING; to verify\n"
)

// ErrFetch is the error of a Schema Registry that could not be asked, other than
// one that lacks a schema.
var ErrFetch = errors.New("the Schema Registry could not be asked")

type fetchError struct{ err error }

func (e *fetchError) Error() string        { return e.err.Error() }
func (e *fetchError) Unwrap() error        { return e.err }
func (e *fetchError) Is(target error) bool { return target == ErrFetch }

func notFound(spec Spec) string {
	idLine := ""
	if spec.SchemaID != nil {
		idLine = fmt.Sprintf("Schema Id: %d\n", *spec.SchemaID)
	}
	side := strings.ToLower(spec.side())
	if spec.Topic == "" {
		return fmt.Sprintf("Schema for message %ss on schema id'%d does not exist in the Schema Registry.\n%sPossible causes include:\n- Schema Id Optional[%d]\n%s",
			side, *spec.SchemaID, idLine, *spec.SchemaID, notSerialised)
	}
	return fmt.Sprintf("Schema for message %ss on topic '%s' does not exist in the Schema Registry.\nSubject: %s\n%sPossible causes include:\n"+unknownTopic+"%s",
		side, spec.Topic, spec.Subject(), idLine, spec.Topic, notSerialised)
}

// columnsOf turns a schema into columns.
func columnsOf(ctx context.Context, reg SchemaRegistry, schema registry.Schema, spec Spec) ([]types.Column, error) {
	s, err := translate(ctx, reg, schema, spec)
	if err != nil {
		return nil, err
	}
	bare := spec.Wrap != nil && !*spec.Wrap
	if spec.IsKey {
		f := featuresOf[spec.Format]
		bare = f.wrap && f.unwrap
	}
	if bare {
		name := "ROWVAL"
		if spec.IsKey {
			name = "ROWKEY"
		}
		s = &connect.Schema{Type: connect.Struct, Fields: []connect.Field{{Name: name, Schema: s}}}
	}
	if s.Type != connect.Struct {
		return nil, errors.New("Schema returned from schema registry is anonymous type. To use this schema with ksqlDB, set 'WRAP_SINGLE_VALUE=false' in the WITH clause properties.")
	}
	policy := connect.UpperCase
	if spec.SchemaID != nil {
		policy = connect.OriginalCase
		if err := connect.Unsupported(s); err != nil {
			return nil, err
		}
	}
	return connect.Columns(s, policy)
}

func translate(ctx context.Context, reg SchemaRegistry, schema registry.Schema, spec Spec) (*connect.Schema, error) {
	switch spec.Format {
	case Avro:
		text, err := avro.SelfContained(ctx, reg, schema)
		if err != nil {
			return nil, err
		}
		return avro.Translate(text)
	case JSONSR:
		return jsonsr.Translate(ctx, reg, schema)
	default:
		return protobuf.Translate(ctx, reg, schema, spec.FullName, protobuf.Nullable(strings.ToUpper(spec.ProtobufNullable)))
	}
}

// fullNames lists the records or messages that a schema defines at its top.
func fullNames(ctx context.Context, reg SchemaRegistry, schema registry.Schema) ([]string, error) {
	switch typeOf(schema) {
	case registry.TypeAvro:
		text, err := avro.SelfContained(ctx, reg, schema)
		if err != nil {
			return nil, err
		}
		if name := avro.FullName(text); name != "" {
			return []string{name}, nil
		}
	case registry.TypeProtobuf:
		return protobuf.FullNames(ctx, reg, schema)
	}
	return nil, nil
}

// canonicalText prints a schema as the registry's clients do.
func canonicalText(schema registry.Schema) string {
	if typeOf(schema) == registry.TypeAvro || typeOf(schema) == registry.TypeJSON {
		return compactJSON(schema.Text)
	}
	return schema.Text
}

// MatchColumns compares the columns that a query gives with those of the schema
// that KEY_ or VALUE_SCHEMA_ID names: names, types and positions must agree,
// more columns at the end of the schema are fine. The error is ksqlDB's.
func MatchColumns(query, schema []types.Column, isKey bool) error {
	var wrong []types.Column
	for i, c := range query {
		if i >= len(schema) || schema[i].Name != c.Name || !schema[i].Type.Equal(c.Type) {
			wrong = append(wrong, c)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	side := "value"
	if isKey {
		side = "key"
	}
	return fmt.Errorf("The following %s columns are changed, missing or reordered: %s. Schema from schema registry is %s",
		side, columnList(wrong, isKey), columnList(slices.Clone(schema), isKey))
}
