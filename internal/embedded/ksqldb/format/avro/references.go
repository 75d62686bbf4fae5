package avro

import (
	"context"
	"fmt"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// maxReferences bounds how many schemas one may refer to, those that its references
// refer to included.
const maxReferences = 500

// SelfContained gives a schema's text with the types in it that it takes from other
// schemas of the registry, its references.
func SelfContained(ctx context.Context, reg registry.Registry, schema registry.Schema) (string, error) {
	if len(schema.References) == 0 {
		return schema.Text, nil
	}
	l := &loader{registry: reg, known: map[registry.Reference]bool{}}
	if err := l.load(ctx, schema.References); err != nil {
		return "", err
	}
	parsed, err := l.parse(schema.Text)
	if err != nil {
		return "", fmt.Errorf("reading a schema with references: %w", err)
	}
	return parsed.String(), nil
}

// loader reads schemas, those before the ones that refer to them.
type loader struct {
	registry registry.Registry
	types    avro.SchemaCache
	known    map[registry.Reference]bool
}

func (l *loader) load(ctx context.Context, references []registry.Reference) error {
	for _, ref := range references {
		if l.known[ref] {
			continue
		}
		if len(l.known) >= maxReferences {
			return fmt.Errorf("the schema refers to more than %d others", maxReferences)
		}
		l.known[ref] = true
		target, err := l.registry.Version(ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("fetching the referenced schema %s: %w", ref.Name, err)
		}
		if err := l.load(ctx, target.References); err != nil {
			return err
		}
		if _, err := l.parse(target.Text); err != nil {
			return fmt.Errorf("reading the referenced schema %s: %w", ref.Name, err)
		}
	}
	return nil
}

func (l *loader) parse(text string) (*avro.Schema, error) {
	return lenient(text, func(text string) (*avro.Schema, error) { return l.types.Parse(text) })
}
