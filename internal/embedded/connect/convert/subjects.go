package convert

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

const (
	registryTimeout = 30 * time.Second // for one request
	registryIdle    = time.Minute      // an unused connection is kept
)

// wireHeader is the length of the magic byte and the schema id.
const wireHeader = 5

// subjects finds the schemas of topics in a registry.
type subjects struct {
	registry *sr.Client
	key      bool
	register bool
	latest   bool
}

// chosen is the schema that data is written with.
type chosen struct {
	id   int
	text string
}

func newSubjects(env Environment, key bool, s config.Settings) (subjects, error) {
	dial := env.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	client, err := sr.NewClient(sr.URLs(s.List("schema.registry.url")...), sr.UserAgent("orderflow-connect"),
		sr.HTTPClient(&http.Client{Timeout: registryTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial, IdleConnTimeout: registryIdle}}))
	if err != nil {
		return subjects{}, fmt.Errorf("connecting to the Schema Registry: %w", err)
	}
	return subjects{registry: client, key: key, register: s.Flag("auto.register.schemas"), latest: s.Flag("use.latest.version")}, nil
}

// subject names the subject of a topic.
func (s subjects) subject(topic string) string {
	if s.key {
		return topic + "-key"
	}
	return topic + "-value"
}

// choose registers or looks up the schema that a subject's data is written with.
// failing begins the real client's message when the registry refuses the schema.
func (s subjects) choose(ctx context.Context, subject string, schema sr.Schema, failing string) (chosen, error) {
	switch {
	case s.register:
		id, err := s.registry.RegisterSchema(ctx, subject, schema, 0, 0)
		if err != nil {
			return chosen{}, registryFault(err, failing+schema.Schema)
		}
		return chosen{id, schema.Schema}, nil
	case s.latest:
		latest, err := s.registry.SchemaByVersion(ctx, subject, -1)
		if err != nil {
			return chosen{}, fmt.Errorf("looking up the latest schema of %s; register one first: %w", subject, err)
		}
		return chosen{latest.ID, latest.Schema.Schema}, nil
	default:
		found, err := s.registry.LookupSchema(ctx, subject, schema)
		if err != nil {
			return chosen{}, fmt.Errorf("looking up the schema %s of %s: %w", schema.Schema, subject, err)
		}
		return chosen{found.ID, schema.Schema}, nil
	}
}

// read looks a schema up that data was written with. One that refers to others is
// refused.
func (s subjects) read(ctx context.Context, id int, kind sr.SchemaType) (string, error) {
	found, err := s.registry.SchemaByID(ctx, id)
	if err != nil {
		return "", err
	}
	if found.Type != kind {
		return "", fmt.Errorf("the schema %d is of type %s", id, found.Type)
	}
	if len(found.References) > 0 {
		return "", fmt.Errorf("the schema %d refers to other schemas, which the embedded worker does not support", id)
	}
	return found.Schema, nil
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

// registryKeys are the settings that all converters with schemas in a registry
// have.
func registryKeys() []config.Key {
	return []config.Key{
		{Name: "schema.registry.url", Type: config.List, Required: true, Importance: config.High, Order: -1, Width: config.NoWidth,
			Display: "schema.registry.url", Check: config.NonNull, Doc: "The URLs of the Schema Registry, separated by commas."},
		flagKey("auto.register.schemas", "true", false, "Whether the schema of written data is registered."),
		flagKey("normalize.schemas", "false", true, "Whether schemas are normalized before they are registered."),
		textKey("key.subject.name.strategy", "io.confluent.kafka.serializers.subject.TopicNameStrategy"),
		textKey("value.subject.name.strategy", "io.confluent.kafka.serializers.subject.TopicNameStrategy"),
		textKey("basic.auth.credentials.source", "URL"),
		textKey("basic.auth.user.info", ""),
	}
}
