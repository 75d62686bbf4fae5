package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/orderflow/orderflow/internal/embedded/registry/avroschema"
)

// The types of schemas, as in requests.
const (
	typeAvro     = "AVRO"
	typeJSON     = "JSON"
	typeProtobuf = "PROTOBUF"
)

// maxReferenceDepth bounds how deep references may nest.
const maxReferenceDepth = 32

// canonicalize replaces the text of a schema by the one it is stored, compared
// and given out with, and the versions of its references by numbers. The error
// is an *apiError with code 42201.
func (s *state) canonicalize(v *schemaValue, normalize bool) error {
	if _, err := s.resolveReferences(v); err != nil {
		return invalid(v, true, err)
	}
	switch v.SchemaType {
	case "":
		parsed, known, err := s.parseAvro(v)
		if err != nil {
			return invalid(v, true, err)
		}
		v.Schema = parsed.Text(known...)
		if normalize {
			v.Schema = parsed.Normalized(known...)
		}
		return nil
	case typeJSON:
		return canonicalizeJSON(v, normalize)
	case typeProtobuf:
		if err := checkProtobuf(v); err != nil {
			return invalid(v, true, err)
		}
		return nil
	default:
		return errInvalidSchema("Invalid schema type %s", v.SchemaType)
	}
}

// reason is why a schema is refused, in the words of Confluent's registry.
type reason string

func (r reason) Error() string { return string(r) }

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

// parseAvro parses an Avro schema and what it refers to.
func (s *state) parseAvro(v *schemaValue) (parsed *avroschema.Schema, known []*avroschema.Schema, err error) {
	refs, err := s.resolveReferences(v)
	if err != nil {
		return nil, nil, err
	}
	known, err = s.avroReferences(v.Subject, refs, 0)
	if err != nil {
		return nil, nil, err
	}
	parsed, err = avroschema.Parse(v.Schema, known...)
	return parsed, known, err
}

func (s *state) avroReferences(subject string, refs []*schemaValue, depth int) ([]*avroschema.Schema, error) {
	if depth > maxReferenceDepth {
		return nil, fmt.Errorf("references nest deeper than %d", maxReferenceDepth)
	}
	var known []*avroschema.Schema
	for _, ref := range refs {
		below, err := s.resolveReferences(ref)
		if err != nil {
			return nil, err
		}
		deeper, err := s.avroReferences(subject, below, depth+1)
		if err != nil {
			return nil, err
		}
		parsed, err := avroschema.Parse(ref.Schema, deeper...)
		if err != nil {
			return nil, fmt.Errorf("reference %s version %d: %w", ref.Subject, ref.Version, err)
		}
		known = append(append(known, deeper...), parsed)
	}
	return known, nil
}

// canonicalizeJSON checks a JSON schema and takes the white space out of it.
// normalize sorts the members of its objects.
func canonicalizeJSON(v *schemaValue, normalize bool) error {
	decoder := json.NewDecoder(strings.NewReader(v.Schema))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return invalid(v, true, reason("Invalid JSON "+v.Schema))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return invalid(v, true, reason("Invalid JSON "+v.Schema))
	}
	if err := checkJSONSchema(document, len(v.References) > 0); err != nil {
		return invalid(v, false, reason("Invalid JSON Schema"))
	}
	var text bytes.Buffer
	if normalize {
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(document); err != nil {
			return invalid(v, true, err)
		}
	} else if err := json.Compact(&text, []byte(v.Schema)); err != nil {
		return invalid(v, true, err)
	}
	v.Schema = strings.TrimSpace(text.String())
	return nil
}

// checkJSONSchema compiles a schema. One with references to others is only
// checked as far as it goes without them.
func checkJSONSchema(document any, references bool) error {
	if _, list := document.([]any); list {
		return nil // Confluent takes it, as a schema that allows everything
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseLoader(noLoader{})
	const location = "schema.json"
	if err := compiler.AddResource(location, document); err != nil {
		return err
	}
	_, err := compiler.Compile(location)
	var missing *jsonschema.LoadURLError
	if references && errors.As(err, &missing) {
		return nil
	}
	return err
}

// noLoader keeps the compiler from reading files and the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is not loaded", url)
}

// checkProtobuf parses a Protobuf schema. Its text is kept as it is.
func checkProtobuf(v *schemaValue) error {
	handler := reporter.NewHandler(reporter.NewReporter(func(err reporter.ErrorWithPos) error { return err }, nil))
	if _, err := parser.Parse("schema.proto", strings.NewReader(v.Schema), handler); err != nil {
		return reason("Could not parse Protobuf - " + err.Error())
	}
	return nil
}

// resolved gives the text of an Avro schema with the types of its references
// written out, of another schema its text.
func (s *state) resolved(v *schemaValue) (string, error) {
	if v.SchemaType != "" {
		return v.Schema, nil
	}
	clone := *v
	parsed, _, err := s.parseAvro(&clone)
	if err != nil {
		return "", err
	}
	return parsed.Text(), nil
}
