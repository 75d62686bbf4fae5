package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// inference tells which sides of a source got their columns from the Schema
// Registry.
type inference struct{ key, value bool }

// inferSchema fills in the columns that a CREATE leaves to the Schema Registry.
func (a *Analyzer) inferSchema(ctx context.Context, s *ast.CreateSource, p *properties, schema *types.Schema) (inference, error) {
	var done inference
	if p.key.schemaID != nil && len(schema.Key) > 0 {
		return done, badStatement("Table elements and KEY_SCHEMA_ID cannot both exist for create statement.")
	}
	if p.value.schemaID != nil && len(schema.Value) > 0 {
		return done, badStatement("Table elements and VALUE_SCHEMA_ID cannot both exist for create statement.")
	}
	for _, side := range []struct {
		name, format string
		f            *formatProperties
	}{{"KEY", p.keyFormat, &p.key}, {"VALUE", p.valueFormat, &p.value}} {
		if side.f.schemaID != nil && !format.SupportsInference(side.format) {
			return done, badStatement("%s_FORMAT should support schema inference when %s_SCHEMA_ID is provided. Current format is %s.", side.name, side.name, side.format)
		}
	}
	inferKey := len(schema.Key) == 0 && format.SupportsInference(p.keyFormat)
	inferValue := len(schema.Value) == 0 && format.SupportsInference(p.valueFormat)
	if len(s.Elements) == 0 && !inferKey && !inferValue {
		return done, badStatement("No columns supplied.")
	}
	if inferKey && (s.Kind == ast.Stream && p.key.schemaID == nil && len(schema.Value) > 0 && !p.has(propKeyFormat) && !p.has(propFormat)) {
		inferKey = false
	}
	var err error
	if inferKey {
		if schema.Key, err = a.infer(ctx, p, true); err != nil {
			return done, err
		}
		done.key = true
	}
	if inferValue {
		if schema.Value, err = a.infer(ctx, p, false); err != nil {
			return done, err
		}
		done.value = true
	}
	return done, duplicateColumns(schema)
}

func duplicateColumns(schema *types.Schema) error {
	var seen, twice []string
	for _, c := range slices.Concat(schema.Key, schema.Value, schema.Header) {
		if slices.Contains(seen, c.Name) {
			twice = append(twice, types.QuoteName(c.Name))
		}
		seen = append(seen, c.Name)
	}
	if len(twice) > 0 {
		return prepareFailure("Duplicate column names: %s", strings.Join(twice, ", "))
	}
	return nil
}

// infer reads the columns of one side from the Schema Registry.
func (a *Analyzer) infer(ctx context.Context, p *properties, isKey bool) ([]types.Column, error) {
	f, name := &p.value, p.valueFormat
	if isKey {
		f, name = &p.key, p.keyFormat
	}
	spec := format.Spec{
		Format: name, IsKey: isKey, SchemaID: f.schemaID, FullName: f.fullName, ProtobufNullable: f.nullable, Topic: p.topic,
	}
	if !isKey {
		spec.Wrap = p.wrap
	}
	found, err := a.inferred(ctx, spec)
	if err != nil {
		return nil, err
	}
	if f.schemaID != nil && f.fullName == "" {
		f.fullName = found.FullName
	}
	return found.Columns, nil
}

func (a *Analyzer) inferred(ctx context.Context, spec format.Spec) (format.Inferred, error) {
	if a.Registry == nil {
		return format.Inferred{}, badStatement("inferring the columns of topic %s needs a Schema Registry: set its address", spec.Topic)
	}
	found, err := format.Infer(ctx, a.Registry, spec)
	if err != nil {
		failed := badStatement("%s", err)
		failed.Cause = err
		return found, failed
	}
	return found, nil
}

// useSchemaIDs checks the columns of a sink against the schemas that its
// statement names by id.
func (a *Analyzer) useSchemaIDs(ctx context.Context, s *catalog.Source, p *properties) error {
	for _, side := range []struct {
		spec   format.Spec
		id     *int
		name   string
		target *string
	}{
		{KeySpec(s), p.key.schemaID, "KEY", &s.Topic.Key.FullName},
		{ValueSpec(s), p.value.schemaID, "VALUE", &s.Topic.Value.FullName},
	} {
		if side.id == nil {
			continue
		}
		if !format.SupportsInference(side.spec.Format) {
			return badStatement("%s_FORMAT should support schema inference when %s_SCHEMA_ID is provided. Current format is %s.", side.name, side.name, side.spec.Format)
		}
		side.spec.Topic = p.topic // as declared: the topic's default name is filled in later
		found, err := a.inferred(ctx, side.spec)
		if err != nil {
			return err
		}
		if err := fitsSchema(strings.ToLower(side.name), side.spec.Columns, found.Columns); err != nil {
			return err
		}
		if *side.target == "" {
			*side.target = found.FullName
		}
	}
	return nil
}

// fitsSchema requires that columns are the first ones of a schema.
func fitsSchema(side string, columns, schema []types.Column) error {
	var changed []string
	for i, c := range columns {
		if i >= len(schema) || schema[i].Name != c.Name || !schema[i].Type.Equal(c.Type) {
			changed = append(changed, columnText(c))
		}
	}
	if len(changed) == 0 {
		return nil
	}
	list := make([]string, len(schema))
	for i, c := range schema {
		list[i] = columnText(c)
	}
	return badStatement("The following %s columns are changed, missing or reordered: [%s]. Schema from schema registry is [%s]",
		side, strings.Join(changed, ", "), strings.Join(list, ", "))
}

func columnText(c types.Column) string {
	return fmt.Sprintf("%s %s", types.QuoteName(c.Name), c.Type)
}
