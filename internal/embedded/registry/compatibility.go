package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/registry/avroschema"
)

// The compatibility levels.
const (
	levelNone               = "NONE"
	levelBackward           = "BACKWARD"
	levelBackwardTransitive = "BACKWARD_TRANSITIVE"
	levelForward            = "FORWARD"
	levelForwardTransitive  = "FORWARD_TRANSITIVE"
	levelFull               = "FULL"
	levelFullTransitive     = "FULL_TRANSITIVE"

	defaultLevel = levelBackward
)

var levels = []string{levelNone, levelBackward, levelBackwardTransitive, levelForward, levelForwardTransitive, levelFull, levelFullTransitive}

// parseLevel gives a level from a request, in any case.
func parseLevel(text string) (string, bool) {
	level := strings.ToUpper(text)
	return level, slices.Contains(levels, level)
}

// compatible compares a schema with earlier versions of its subject, oldest
// first, at the level in force. It gives the reasons against it, none when it is
// compatible. The error is an *apiError when that can't be told.
func (s *state) compatible(v *schemaValue, previous []*schemaValue) ([]string, error) {
	level := s.level(v.Subject)
	previous = s.sameGroup(v, previous)
	if level == levelNone || len(previous) == 0 {
		return nil, nil
	}
	last := fmt.Sprintf("{validateFields: 'false', compatibility: '%s'}", level)
	for _, old := range previous {
		if old.SchemaType != v.SchemaType {
			return []string{"Incompatible because of different schema type", last}, nil
		}
	}
	direction, transitive := strings.CutSuffix(level, "_TRANSITIVE")
	for _, old := range slices.Backward(previous) {
		reasons, err := s.compare(direction, v, old)
		if err != nil {
			return nil, err
		}
		if len(reasons) > 0 {
			return append(reasons, last), nil
		}
		if !transitive {
			break
		}
	}
	return nil, nil
}

// sameGroup leaves those versions that a schema is compared with: where the
// settings name a group, the ones with the same value of that property.
func (s *state) sameGroup(v *schemaValue, versions []*schemaValue) []*schemaValue {
	config := s.config(v.Subject)
	if config == nil || config.CompatibilityGroup == "" {
		return versions
	}
	group := func(v *schemaValue) string {
		if v.Metadata == nil {
			return ""
		}
		return v.Metadata.Properties[config.CompatibilityGroup]
	}
	var same []*schemaValue
	for _, old := range versions {
		if group(old) == group(v) {
			same = append(same, old)
		}
	}
	return same
}

// compare gives the reasons against a schema next to one earlier version.
func (s *state) compare(direction string, v, old *schemaValue) ([]string, error) {
	if v.Schema == old.Schema && slices.Equal(v.References, old.References) {
		return nil, nil
	}
	if v.SchemaType != "" {
		return nil, errUncheckable(v.SchemaType, v.Subject)
	}
	newSchema, _, err := s.parseAvro(v)
	if err != nil {
		return nil, invalid(v, true, err)
	}
	oldSchema, _, err := s.parseAvro(old)
	if err != nil {
		return nil, invalid(old, true, err)
	}
	version := []string{
		fmt.Sprintf("{oldSchemaVersion: %d}", old.Version),
		fmt.Sprintf("{oldSchema: '%s'}", old.Schema),
	}
	backward := reasons(avroschema.Incompatibilities(newSchema, oldSchema), "new", "old")
	if len(backward) > 0 {
		backward = append(backward, version...)
	}
	forward := reasons(avroschema.Incompatibilities(oldSchema, newSchema), "old", "new")
	switch direction {
	case levelBackward:
		return backward, nil
	case levelForward:
		if len(forward) > 0 {
			forward = append(forward, version...)
		}
		return forward, nil
	default:
		return append(forward, backward...), nil
	}
}

// reasons puts incompatibilities into the registry's words.
func reasons(found []avroschema.Incompatibility, reader, writer string) []string {
	var list []string
	for _, i := range found {
		var description string
		switch i.Kind {
		case avroschema.NameMismatch:
			description = fmt.Sprintf("The name of the schema has changed (path '%s')", i.Path)
		case avroschema.FixedSizeMismatch:
			description = fmt.Sprintf("The size of FIXED type field at path '%s' in the %s schema does not match with the %s schema", i.Path, reader, writer)
		case avroschema.MissingEnumSymbols:
			description = fmt.Sprintf("The %s schema is missing enum symbols '%s' at path '%s' in the %s schema", reader, i.Info, i.Path, writer)
		case avroschema.MissingUnionBranch:
			description = fmt.Sprintf("The %s schema is missing a type inside a union field at path '%s' in the %s schema", reader, i.Path, writer)
		case avroschema.MissingDefault:
			description = fmt.Sprintf("The field '%s' at path '%s' in the %s schema has no default value and is missing in the %s schema", i.Info, i.Path, reader, writer)
		case avroschema.TypeMismatch:
			description = fmt.Sprintf("The type (path '%s') of a field in the %s schema does not match with the %s schema", i.Path, reader, writer)
		}
		list = append(list, fmt.Sprintf("{errorType:'%s', description:'%s', additionalInfo:'%s'}", i.Kind, description, i.Info))
	}
	return list
}
