package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/registry/avroschema"
	"github.com/orderflow/orderflow/internal/embedded/registry/jsonschema"
	"github.com/orderflow/orderflow/internal/embedded/registry/protobufschema"
)

// The types of schemas, as in requests.
const (
	typeAvro     = "AVRO"
	typeJSON     = "JSON"
	typeProtobuf = "PROTOBUF"
)

// The formats that a schema can be asked for in, beside its text.
const (
	formatResolved         = "resolved"
	formatSerialized       = "serialized"
	formatIgnoreExtensions = "ignore_extensions"
)

// maxReferenceDepth bounds how deep references may nest.
const maxReferenceDepth = 32

// parsedSchema is a schema of one type with what it refers to.
type parsedSchema interface {
	// text is what the schema is stored, compared and given out as.
	text() string
	// normalized is the text that schemas share which mean the same. The error
	// says why there is none, in the words of Confluent's registry.
	normalized() (string, error)
	// check reports what else is wrong with a schema that could be parsed; strict
	// also refuses names that the registry keeps for itself.
	check(strict bool) error
	// format gives the text in a format. What isn't known is ignored, as
	// Confluent's registry does, or refused where it fails.
	format(name string) (string, error)
	// against gives the reasons that keep data written with another schema of the
	// same type from being read with this one. The two are called as given.
	against(writer parsedSchema, reader, written string) []string
	// hasField reports whether the topmost record has a field.
	hasField(name string) bool
}

// reason is why a schema is refused, in the words of Confluent's registry.
type reason string

func (r reason) Error() string { return string(r) }

// parse reads a schema and sets the numbers of the versions that it refers to.
// The error is an *apiError with code 42201.
func (s *state) parse(v *schemaValue) (parsedSchema, error) {
	if _, err := s.resolveReferences(v); err != nil {
		return nil, invalid(v, true, err)
	}
	switch v.SchemaType {
	case "":
		parsed, known, err := s.parseAvro(v)
		if err != nil {
			return nil, invalid(v, true, err)
		}
		return &avroType{parsed, known}, nil
	case typeJSON:
		return s.parseJSON(v)
	case typeProtobuf:
		return s.parseProtobuf(v)
	default:
		return nil, errInvalidSchema("Invalid schema type %s", v.SchemaType)
	}
}

// canonicalize replaces the text of a schema by the one it is stored, compared
// and given out with, and the versions of its references by numbers. The error
// is an *apiError with code 42201.
func (s *state) canonicalize(v *schemaValue, normalize bool) error {
	parsed, err := s.parse(v)
	if err != nil {
		return err
	}
	if s.mode(v.Subject) != modeImport {
		if err := parsed.check(s.validatesFields(v.Subject)); err != nil {
			return invalid(v, false, err)
		}
	}
	if !normalize {
		v.Schema = parsed.text()
		return nil
	}
	if v.Schema, err = parsed.normalized(); err != nil {
		return invalid(v, false, err)
	}
	slices.SortFunc(v.References, func(a, b reference) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version), strings.Compare(a.Name, b.Name))
	})
	v.References = slices.Compact(v.References)
	return nil
}

// invalid puts the reason why a schema is refused into the registry's words.
func invalid(v *schemaValue, parsing bool, cause error) *apiError {
	refs := make([]string, len(v.References))
	for i, r := range v.References {
		refs[i] = fmt.Sprintf("{name='%s', subject='%s', version=%d}", r.Name, r.Subject, r.Version)
	}
	list := "[" + strings.Join(refs, ", ") + "]"
	typ := schemaTypeName(v)
	middle := ""
	if parsing {
		middle = fmt.Sprintf(" with refs %s of type %s", list, typ)
	}
	return errInvalidSchema("Invalid schema {subject=%s,version=0,id=-1,schemaType=%s,references=%s,metadata=null,ruleSet=null,schema=%s,schemaTags=null}%s, details: %v",
		v.Subject, typ, list, v.Schema, middle, cause)
}

func schemaTypeName(v *schemaValue) string {
	if v.SchemaType == "" {
		return typeAvro
	}
	return v.SchemaType
}

// resolveReferences gives the schemas that v refers to and sets the numbers of
// the versions it means.
func (s *state) resolveReferences(v *schemaValue) ([]*schemaValue, error) {
	var targets []*schemaValue
	for i := range v.References {
		ref := &v.References[i]
		subject := qualify(contextOf(v.Subject), ref.Subject)
		target := s.subjects[subject][ref.Version]
		if ref.Version == latestVersion {
			if target = s.latest(subject); target != nil {
				ref.Version = target.Version
			}
		}
		if target == nil {
			return nil, reason(fmt.Sprintf("No schema reference found for subject %q and version %d", ref.Subject, ref.Version))
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// eachReference calls f for all that a schema refers to, and what that refers
// to, with the names under which it does. Names that come again mean the first.
func (s *state) eachReference(v *schemaValue, f func(ref reference, target *schemaValue, direct bool)) error {
	seen := map[string]bool{}
	var walk func(v *schemaValue, depth int) error
	walk = func(v *schemaValue, depth int) error {
		if depth > maxReferenceDepth {
			return fmt.Errorf("references nest deeper than %d", maxReferenceDepth)
		}
		targets, err := s.resolveReferences(v)
		if err != nil {
			return err
		}
		for i, target := range targets {
			ref := v.References[i]
			if seen[ref.Name] {
				continue
			}
			seen[ref.Name] = true
			f(ref, target, depth == 0)
			below := *target
			below.References = slices.Clone(target.References)
			if err := walk(&below, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(v, 0)
}

// avroType is an Avro schema.
type avroType struct {
	schema *avroschema.Schema
	known  []*avroschema.Schema // what it refers to
}

func (t *avroType) text() string                { return t.schema.Text(t.known...) }
func (t *avroType) normalized() (string, error) { return t.schema.Normalized(t.known...), nil }
func (t *avroType) check(bool) error            { return nil }
func (t *avroType) hasField(name string) bool   { return t.schema.HasField(name) }

func (t *avroType) format(name string) (string, error) {
	if name == formatResolved {
		return t.schema.Text(), nil
	}
	return t.text(), nil
}

func (t *avroType) against(writer parsedSchema, reader, written string) []string {
	other, ok := writer.(*avroType)
	if !ok {
		return []string{differentType}
	}
	return avroReasons(avroschema.Incompatibilities(t.schema, other.schema), reader, written)
}

// parseAvro parses an Avro schema and what it refers to.
func (s *state) parseAvro(v *schemaValue) (parsed *avroschema.Schema, known []*avroschema.Schema, err error) {
	refs, err := s.resolveReferences(v)
	if err != nil {
		return nil, nil, err
	}
	known, err = s.avroReferences(refs, 0, map[*schemaValue][]*avroschema.Schema{})
	if err != nil {
		return nil, nil, err
	}
	parsed, err = avroschema.Parse(v.Schema, known...)
	return parsed, known, err
}

// avroReferences parses schemas and what they refer to, each once: several ways may lead
// to the same one, and their number grows with each step. done has those parsed so far,
// each behind what it refers to.
func (s *state) avroReferences(refs []*schemaValue, depth int, done map[*schemaValue][]*avroschema.Schema) ([]*avroschema.Schema, error) {
	if depth > maxReferenceDepth {
		return nil, fmt.Errorf("references nest deeper than %d", maxReferenceDepth)
	}
	var known []*avroschema.Schema
	for _, ref := range refs {
		all, ok := done[ref]
		if !ok {
			below, err := s.resolveReferences(ref)
			if err != nil {
				return nil, err
			}
			deeper, err := s.avroReferences(below, depth+1, done)
			if err != nil {
				return nil, err
			}
			parsed, err := avroschema.Parse(ref.Schema, deeper...)
			if err != nil {
				return nil, fmt.Errorf("reference %s version %d: %w", ref.Subject, ref.Version, err)
			}
			all = append(slices.Clip(deeper), parsed)
			done[ref] = all
		}
		for _, schema := range all {
			if !slices.Contains(known, schema) {
				known = append(known, schema)
			}
		}
	}
	return known, nil
}

// jsonType is a JSON schema, or a text that is JSON but no schema, with the
// error that says so.
type jsonType struct {
	schema *jsonschema.Schema
	err    error
}

func (s *state) parseJSON(v *schemaValue) (parsedSchema, error) {
	texts := map[string]string{}
	if err := s.eachReference(v, func(ref reference, target *schemaValue, _ bool) { texts[ref.Name] = target.Schema }); err != nil {
		return nil, invalid(v, true, err)
	}
	schema, err := jsonschema.Parse(v.Schema, texts)
	if schema == nil {
		return nil, invalid(v, true, reason("Invalid JSON "+v.Schema))
	}
	return &jsonType{schema, err}, nil
}

func (t *jsonType) text() string                { return t.schema.Text() }
func (t *jsonType) normalized() (string, error) { return t.schema.Normalized(), nil }
func (t *jsonType) hasField(name string) bool   { return t.schema.HasProperty(name) }

func (t *jsonType) check(strict bool) error {
	if t.err != nil {
		return reason("Invalid JSON Schema")
	}
	if name := t.schema.Reserved(); strict && name != "" {
		return reason("#/properties/" + name + ": Field names cannot start with $$ prefix")
	}
	return nil
}

func (t *jsonType) format(name string) (string, error) {
	if name != "" {
		return "", errInternal()
	}
	return t.text(), nil
}

func (t *jsonType) against(writer parsedSchema, reader, written string) []string {
	other, ok := writer.(*jsonType)
	if !ok {
		return []string{differentType}
	}
	var list []string
	for _, d := range jsonschema.Incompatibilities(t.schema, other.schema) {
		list = append(list, d.Message(reader, written))
	}
	return list
}

// protobufType is a Protobuf schema.
type protobufType struct{ schema *protobufschema.Schema }

func (s *state) parseProtobuf(v *schemaValue) (parsedSchema, error) {
	imports := map[string]protobufschema.Import{}
	err := s.eachReference(v, func(ref reference, target *schemaValue, direct bool) {
		i := protobufschema.Import{Text: target.Schema}
		if direct {
			i.Origin = protobufschema.Origin{Subject: ref.Subject, Version: ref.Version}
		}
		imports[ref.Name] = i
	})
	if err != nil {
		return nil, invalid(v, true, err)
	}
	schema, err := protobufschema.Parse(v.Schema, imports)
	if err != nil {
		return nil, invalid(v, true, reason("Could not parse Protobuf - "+err.Error()))
	}
	return &protobufType{schema}, nil
}

func (t *protobufType) text() string                { return t.schema.Text() }
func (t *protobufType) normalized() (string, error) { return t.schema.Normalized() }
func (t *protobufType) hasField(name string) bool   { return t.schema.HasField(name) }

func (t *protobufType) check(bool) error {
	_, err := t.schema.Normalized()
	return err
}

func (t *protobufType) format(name string) (string, error) {
	switch name {
	case formatSerialized:
		return t.schema.Serialized()
	case formatIgnoreExtensions:
		return t.schema.WithoutExtensions(), nil
	default:
		return t.text(), nil
	}
}

func (t *protobufType) against(writer parsedSchema, reader, written string) []string {
	other, ok := writer.(*protobufType)
	if !ok {
		return []string{differentType}
	}
	var list []string
	for _, d := range protobufschema.Incompatibilities(t.schema, other.schema) {
		list = append(list, d.Message(reader, written))
	}
	return list
}
