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

// differentType is the reason against schemas of another type.
const differentType = "Incompatible because of different schema type"

// compatible compares a schema with earlier versions of its subject, oldest
// first, at the level in force. It gives the reasons against it, none when it is
// compatible. The error is an *apiError when that can't be told.
func (s *state) compatible(v *schemaValue, previous []*schemaValue) ([]string, error) {
	var reasons []string
	strict := s.validatesFields(v.Subject)
	if strict {
		parsed, err := s.parse(v)
		if err != nil {
			return nil, err
		}
		reasons = reservedReasons(v, parsed, previous)
	}
	level := s.level(v.Subject)
	against, err := s.reasonsAt(level, v, s.sameGroup(v, previous))
	if err != nil {
		return nil, err
	}
	if reasons = append(reasons, against...); len(reasons) == 0 {
		return nil, nil
	}
	return append(reasons, fmt.Sprintf("{validateFields: '%t', compatibility: '%s'}", strict, level)), nil
}

func (s *state) reasonsAt(level string, v *schemaValue, previous []*schemaValue) ([]string, error) {
	if level == levelNone {
		return nil, nil
	}
	for _, old := range previous {
		if old.SchemaType != v.SchemaType {
			return []string{differentType}, nil
		}
	}
	direction, transitive := strings.CutSuffix(level, "_TRANSITIVE")
	for _, old := range slices.Backward(previous) {
		reasons, err := s.compare(direction, v, old)
		if len(reasons) > 0 || err != nil || !transitive {
			return reasons, err
		}
	}
	return nil, nil
}

// reservedProperty is the property of a schema's metadata that names the fields
// which it must never have, and reservedSeparator what stands between them.
const (
	reservedProperty  = "confluent:reserved"
	reservedSeparator = ","
)

func reservedFields(v *schemaValue) []string {
	if v.Metadata == nil {
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(v.Metadata.Properties[reservedProperty], reservedSeparator) {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// reservedReasons gives what is wrong with the fields that a schema reserves:
// none may be given up, and none be there.
func reservedReasons(v *schemaValue, parsed parsedSchema, previous []*schemaValue) []string {
	var reasons []string
	reserved := reservedFields(v)
	if len(previous) > 0 {
		for _, name := range reservedFields(previous[len(previous)-1]) {
			if !slices.Contains(reserved, name) {
				reasons = append(reasons, fmt.Sprintf("The new schema has reserved field %s removed from its metadata which is present in the old schema's metadata.", name))
			}
		}
	}
	for _, name := range reserved {
		if parsed.hasField(name) {
			reasons = append(reasons, fmt.Sprintf("The new schema has field that conflicts with the reserved field %s.", name))
		}
	}
	return reasons
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
	newSchema, err := s.parse(v)
	if err != nil {
		return nil, err
	}
	oldSchema, err := s.parse(old)
	if err != nil {
		return nil, err
	}
	version := []string{
		fmt.Sprintf("{oldSchemaVersion: %d}", old.Version),
		fmt.Sprintf("{oldSchema: '%s'}", old.Schema),
	}
	var backward, forward []string
	if direction != levelForward {
		if backward = newSchema.against(oldSchema, "new", "old"); len(backward) > 0 {
			backward = append(backward, version...)
		}
	}
	if direction != levelBackward {
		forward = oldSchema.against(newSchema, "old", "new")
		if len(forward) > 0 && direction == levelForward {
			forward = append(forward, version...)
		}
	}
	return append(forward, backward...), nil
}

// avroReasons puts incompatibilities of Avro schemas into the registry's words.
func avroReasons(found []avroschema.Incompatibility, reader, writer string) []string {
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
