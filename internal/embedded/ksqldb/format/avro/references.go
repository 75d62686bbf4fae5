package avro

import (
	"context"
	"fmt"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// SelfContained gives a schema's text with the types in it that it takes from other
// schemas of the registry, its references.
func SelfContained(ctx context.Context, reg registry.Registry, schema registry.Schema) (string, error) {
	references, err := registry.References(ctx, reg, schema)
	if err != nil || len(references) == 0 {
		return schema.Text, err
	}
	var types avro.SchemaCache
	read := func(text string) (*avro.Schema, error) { return types.Parse(text) }
	for _, r := range references {
		if _, err := lenient(r.Schema.Text, read); err != nil {
			return "", fmt.Errorf("reading the referenced schema %s: %w", r.Name, err)
		}
	}
	parsed, err := lenient(schema.Text, read)
	if err != nil {
		return "", fmt.Errorf("reading a schema with references: %w", err)
	}
	return parsed.String(), nil
}
