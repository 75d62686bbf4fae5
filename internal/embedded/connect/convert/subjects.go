package convert

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/registry/jsonschema"
	"github.com/orderflow/orderflow/internal/embedded/registry/protobufschema"
)

const (
	// wireHeader is the length of the magic byte and the schema id.
	wireHeader = 5
	// deepestReference is how far a schema's references may refer to others.
	deepestReference = 32
)

// The ways to name subjects.
const (
	strategyPackage     = "io.confluent.kafka.serializers.subject."
	topicStrategy       = strategyPackage + "TopicNameStrategy"
	recordStrategy      = strategyPackage + "RecordNameStrategy"
	topicRecordStrategy = strategyPackage + "TopicRecordNameStrategy"
)

// subjects finds the schemas of topics in a registry.
type subjects struct {
	registry  *sr.Client
	key       bool
	register  bool
	latest    bool
	strict    bool
	normalize bool
	strategy  string
	most      int // schemas that are kept
}

// chosen is the schema that data is written with, or was.
type chosen struct {
	id         int
	text       string
	references []reference // those that a schema needs come before it
}

// reference is a schema that another refers to by a name.
type reference struct{ name, text string }

func (c chosen) byName() map[string]string {
	m := make(map[string]string, len(c.references))
	for _, r := range c.references {
		m[r.name] = r.text
	}
	return m
}

func newSubjects(env Environment, key bool, s config.Settings) (subjects, error) {
	client, err := registryClient(env, s)
	if err != nil {
		return subjects{}, err
	}
	strategy := "value.subject.name.strategy"
	if key {
		strategy = "key.subject.name.strategy"
	}
	return subjects{
		registry: client, key: key, register: s.Flag("auto.register.schemas"), latest: s.Flag("use.latest.version"), strict: s.Flag("latest.compatibility.strict"),
		normalize: s.Flag("normalize.schemas"), strategy: s.Text(strategy), most: int(min(s.Number("schemas.cache.config"), s.Number("max.schemas.per.subject"))),
	}, nil
}

// subject names the subject of a topic's records with a full name, which is empty
// for what is no record.
func (s subjects) subject(topic, record string) (string, error) {
	part := "value"
	if s.key {
		part = "key"
	}
	switch {
	case s.strategy != recordStrategy && s.strategy != topicRecordStrategy:
		return topic + "-" + part, nil
	case record == "":
		return "", fault.New(fault.Serialization, "In configuration %[1]s.subject.name.strategy = %[2]s, the message %[1]s must only be a record schema", part, s.strategy)
	case s.strategy == recordStrategy:
		return record, nil
	default:
		return topic + "-" + record, nil
	}
}

// choose registers or looks up the schema that a subject's data is written with.
// failing begins the real client's message when the registry refuses the schema.
func (s subjects) choose(ctx context.Context, subject string, schema sr.Schema, failing string) (chosen, error) {
	if s.normalize {
		ctx = sr.WithParams(ctx, sr.Normalize)
	}
	switch {
	case s.register:
		id, err := s.registry.RegisterSchema(ctx, subject, schema, 0, 0)
		if err != nil {
			return chosen{}, registryFault(err, failing+schema.Schema)
		}
		return chosen{id: id, text: schema.Schema}, nil
	case s.latest:
		latest, err := s.registry.SchemaByVersion(ctx, subject, -1)
		if err != nil {
			return chosen{}, fmt.Errorf("looking up the latest schema of %s; register one first: %w", subject, err)
		}
		with := chosen{id: latest.ID, text: latest.Schema.Schema}
		if with.references, err = s.references(ctx, latest.References); err != nil {
			return chosen{}, err
		}
		if s.strict && !compatible(schema, with) {
			return chosen{}, fault.New(fault.IO, "Incompatible schema '%s' with refs '%s' of type '%s' for schema '%s'. Set latest.compatibility.strict=false to disable this check. See log file for more details.",
				with.text, referenceText(latest.References), schema.Type, schema.Schema)
		}
		return with, nil
	default:
		found, err := s.registry.LookupSchema(ctx, subject, schema)
		if err != nil {
			return chosen{}, fmt.Errorf("looking up the schema %s of %s: %w", schema.Schema, subject, err)
		}
		return chosen{id: found.ID, text: schema.Schema}, nil
	}
}

// referenceText writes references as the real client's messages have them.
func referenceText(list []sr.SchemaReference) string {
	text := ""
	for i, r := range list {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("{name='%s', subject='%s', version=%d}", r.Name, r.Subject, r.Version)
	}
	return "[" + text + "]"
}

// compatible reports whether a schema can read what one without references writes.
func compatible(writer sr.Schema, reader chosen) bool {
	switch writer.Type {
	case sr.TypeJSON:
		w, err := jsonschema.Parse(writer.Schema, nil)
		if err != nil {
			return false
		}
		r, err := jsonschema.Parse(reader.text, reader.byName())
		return err == nil && len(jsonschema.Incompatibilities(r, w)) == 0
	case sr.TypeProtobuf:
		w, err := protobufschema.Parse(writer.Schema, nil)
		if err != nil {
			return false
		}
		imports := map[string]protobufschema.Import{}
		for _, ref := range reader.references {
			imports[ref.name] = protobufschema.Import{Text: ref.text}
		}
		r, err := protobufschema.Parse(reader.text, imports)
		return err == nil && len(protobufschema.Incompatibilities(r, w)) == 0
	default:
		w, err := avro.Parse(writer.Schema)
		if err != nil {
			return false
		}
		r, err := parseAvro(reader)
		return err == nil && avro.CheckCompatibility(w, r) == nil
	}
}

// parseAvro reads an Avro schema with what it refers to.
func parseAvro(c chosen) (*avro.Schema, error) {
	if len(c.references) == 0 {
		return avro.Parse(c.text)
	}
	cache := new(avro.SchemaCache)
	for _, r := range c.references {
		if _, err := cache.Parse(r.text); err != nil {
			return nil, fmt.Errorf("reading the schema %s, which another refers to: %w", r.name, err)
		}
	}
	return cache.Parse(c.text)
}

// read looks a schema up that data was written with.
func (s subjects) read(ctx context.Context, id int, kind sr.SchemaType) (chosen, error) {
	found, err := s.registry.SchemaByID(ctx, id)
	if err != nil {
		return chosen{}, err
	}
	if found.Type != kind {
		return chosen{}, fmt.Errorf("the schema %d is of type %s", id, found.Type)
	}
	references, err := s.references(ctx, found.References)
	return chosen{id: id, text: found.Schema, references: references}, err
}

// references looks up what a schema refers to, and what that refers to.
func (s subjects) references(ctx context.Context, list []sr.SchemaReference) ([]reference, error) {
	var found []reference
	known := map[string]bool{}
	var look func(list []sr.SchemaReference, depth int) error
	look = func(list []sr.SchemaReference, depth int) error {
		if depth > deepestReference {
			return fault.New(fault.Serialization, "the references of a schema are more than %d deep", deepestReference)
		}
		for _, r := range list {
			if known[r.Name] {
				continue
			}
			known[r.Name] = true
			schema, err := s.registry.SchemaByVersion(ctx, r.Subject, r.Version)
			if err != nil {
				return fmt.Errorf("looking up version %d of %s, which a schema refers to as %s: %w", r.Version, r.Subject, r.Name, err)
			}
			if err := look(schema.References, depth+1); err != nil {
				return err
			}
			found = append(found, reference{r.Name, schema.Schema.Schema})
		}
		return nil
	}
	return found, look(list, 1)
}

// keep puts something into a map that has a bound; a full one is emptied.
func keep[K comparable, V any](m map[K]V, most int, key K, value V) {
	if len(m) >= most {
		clear(m)
	}
	m[key] = value
}

// registryFault is what the registry said, as the real client has it.
func registryFault(err error, what string) error {
	if said, ok := errors.AsType[*sr.ResponseError](err); ok {
		err = fault.New(fault.RestClient, "%s; error code: %d", said.Message, said.ErrorCode)
	}
	return fault.Wrap(fault.Serialization, err, "%s", what)
}

// framed begins bytes in the wire format of Confluent's registry: a zero byte and
// the schema's id in four.
func framed(id int) []byte {
	return binary.BigEndian.AppendUint32(make([]byte, 1, 128), uint32(id)) //nolint:gosec // ids are small and positive
}

// unframed takes the schema's id off the beginning of bytes.
func unframed(raw []byte) (id int, rest []byte, err error) {
	if len(raw) < wireHeader || raw[0] != 0 {
		return 0, nil, fault.New(fault.Serialization, "Unknown magic byte!")
	}
	return int(binary.BigEndian.Uint32(raw[1:wireHeader])), raw[wireHeader:], nil
}
