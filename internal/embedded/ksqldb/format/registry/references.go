package registry

import (
	"context"
	"fmt"
)

// maxReferences bounds how many schemas one may refer to, those that its references
// refer to included.
const maxReferences = 256

// Referenced is a schema by the name that another one refers to it with.
type Referenced struct {
	Name   string
	Schema Schema
}

// References fetches the schemas that one refers to, and those that they refer to,
// each behind those that it refers to itself. The first one of a name counts.
func References(ctx context.Context, reg Registry, schema Schema) ([]Referenced, error) {
	var found []Referenced
	known := map[string]bool{}
	var follow func(list []Reference) error
	follow = func(list []Reference) error {
		for _, ref := range list {
			if known[ref.Name] {
				continue
			}
			if len(known) >= maxReferences {
				return fmt.Errorf("the schema refers to more than %d others", maxReferences)
			}
			known[ref.Name] = true
			target, err := reg.Version(ctx, ref.Subject, ref.Version)
			if err != nil {
				return fmt.Errorf("fetching the referenced schema %s: %w", ref.Name, err)
			}
			if err := follow(target.References); err != nil {
				return err
			}
			found = append(found, Referenced{ref.Name, target})
		}
		return nil
	}
	err := follow(schema.References)
	return found, err
}
