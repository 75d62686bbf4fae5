package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// registryTimeout bounds one request to the Schema Registry.
const registryTimeout = 10 * time.Second

// maxReferenceDepth bounds how deep schema references may nest.
const maxReferenceDepth = 16

// headerSize is the length of Confluent's wire format header: a zero byte and
// the schema id as four bytes, big endian.
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
const headerSize = 5

var (
	// ErrSubjectNotFound means that the registry holds no schema under a subject.
	ErrSubjectNotFound = errors.New("subject not found")
	// ErrNotEncoded means that data doesn't begin with a schema id.
	ErrNotEncoded = errors.New("not in the Schema Registry wire format")
	// ErrUnavailable means that the registry could not be asked: the same call may
	// succeed later, so nothing is known about the data.
	ErrUnavailable = errors.New("schema registry unavailable")
	// ErrUnknownSchema means that the registry has no schema with an id, or one that a
	// schema refers to. It may have lost it, so nothing is known about the data.
	ErrUnknownSchema = errors.New("the Schema Registry does not know the schema: was it restored or made anew without its old schemas? " +
		"(docs/operations.md, \"Records that make no sense\", says what to do)")
)

// Codes of errors of the Schema Registry.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html#errors
const (
	codeSubjectNotFound = 40401
	codeVersionNotFound = 40402
	codeSchemaNotFound  = 40403
)

// Registry reads and writes values by their schema id in a Schema Registry. It
// may be used from many goroutines.
type Registry struct {
	url    string
	client *sr.Client

	mu   sync.RWMutex
	byID map[int]*avro.Schema // guarded by mu
}

// NewRegistry returns a Registry for cfg.SchemaRegistry. It connects on first
// use.
func NewRegistry(cfg Config) (*Registry, error) {
	if cfg.SchemaRegistry == "" {
		return nil, errors.New("no Schema Registry address given: set one such as http://127.0.0.1:8081")
	}
	client, err := sr.NewClient(
		sr.URLs(strings.Split(cfg.SchemaRegistry, ",")...),
		sr.UserAgent(cfg.clientID()),
		sr.HTTPClient(&http.Client{Timeout: registryTimeout, Transport: cfg.RegistryTransport}),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up the Schema Registry client for %s: %w", cfg.SchemaRegistry, err)
	}
	return &Registry{url: cfg.SchemaRegistry, client: client, byID: map[int]*avro.Schema{}}, nil
}

// Client gives the underlying registry client, for what Registry itself doesn't
// cover: registering, configuring, listing.
func (r *Registry) Client() *sr.Client { return r.client }

// LatestID gives the id of the newest schema of a subject. The error is
// ErrSubjectNotFound when there is none.
func (r *Registry) LatestID(ctx context.Context, subject string) (int, error) {
	latest, err := r.latest(ctx, subject)
	if err != nil {
		return 0, err
	}
	return latest.ID, nil
}

func (r *Registry) latest(ctx context.Context, subject string) (sr.SubjectSchema, error) {
	latest, err := r.client.SchemaByVersion(ctx, subject, -1)
	if err != nil {
		var re *sr.ResponseError
		if errors.As(err, &re) && re.StatusCode == http.StatusNotFound {
			return sr.SubjectSchema{}, fmt.Errorf("looking up the latest schema of %s in %s: %w (`orderflow topics apply` registers the schemas)", subject, r.url, ErrSubjectNotFound)
		}
		return sr.SubjectSchema{}, fmt.Errorf("looking up the latest schema of %s in %s: %w", subject, r.url, err)
	}
	return latest, nil
}

// Encoder returns an encoder that writes with the schema that is now the newest
// of subject. Later versions don't change it. The error is ErrSubjectNotFound
// when the subject has no schema.
func (r *Registry) Encoder(ctx context.Context, subject string) (*Encoder, error) {
	latest, err := r.latest(ctx, subject)
	if err != nil {
		return nil, err
	}
	schema, err := r.compile(ctx, latest.Schema)
	if err != nil {
		return nil, fmt.Errorf("compiling schema %d of %s: %w", latest.ID, subject, err)
	}
	return &Encoder{subject: subject, id: latest.ID, schema: schema}, nil
}

// Schema gives the compiled Avro schema with an id, from the registry at the
// first call and from memory after that.
func (r *Registry) Schema(ctx context.Context, id int) (*avro.Schema, error) {
	r.mu.RLock()
	schema := r.byID[id]
	r.mu.RUnlock()
	if schema != nil {
		return schema, nil
	}
	text, err := r.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	schema, err = r.compile(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("compiling schema %d: %w", id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID[id] = schema
	return schema, nil
}

// fetch gets the text of a schema. The error is ErrUnknownSchema or ErrUnavailable.
func (r *Registry) fetch(ctx context.Context, id int) (sr.Schema, error) {
	if !given(id) {
		return sr.Schema{}, fmt.Errorf("fetching schema %d from %s: %w", id, r.url, ErrUnknownSchema)
	}
	text, err := r.client.SchemaByID(ctx, id)
	if err != nil {
		return sr.Schema{}, fmt.Errorf("fetching schema %d from %s: %w: %w", id, r.url, failure(err), err)
	}
	return text, nil
}

// given reports whether a registry may give a schema this id. Of others it says that they
// are malformed, if anything.
func given(id int) bool { return id >= 1 && id <= math.MaxInt32 }

// failure says whether the registry answered that there is no such schema. Others than the
// registry answer 404 too, such as a proxy before it, and say nothing about schemas.
func failure(err error) error {
	var re *sr.ResponseError
	if errors.As(err, &re) && slices.Contains([]int{codeSubjectNotFound, codeVersionNotFound, codeSchemaNotFound}, re.ErrorCode) {
		return ErrUnknownSchema
	}
	return ErrUnavailable
}

// Decode reads a value in the wire format into v, a pointer to a struct with
// `avro:"name"` tags, a *map[string]any or an *any. Fields that the struct
// lacks are skipped, so that a writer may add fields. The error is
// ErrNotEncoded when data has no schema id in front, ErrUnavailable when the
// schema could not be fetched, ErrUnknownSchema when the registry has none; any
// other says that data is not what v needs.
func (r *Registry) Decode(ctx context.Context, data []byte, v any) error {
	id, payload, err := SchemaID(data)
	if err != nil {
		return err
	}
	schema, err := r.Schema(ctx, id)
	if err != nil {
		return err
	}
	rest, err := schema.Decode(payload, v, avro.SkipUnknown())
	if err != nil {
		return fmt.Errorf("decoding a value of schema %d into %T: %w", id, v, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("decoding a value of schema %d into %T: %d bytes are left over", id, v, len(rest))
	}
	return nil
}

// compile parses an Avro schema together with the schemas it refers to.
func (r *Registry) compile(ctx context.Context, schema sr.Schema) (*avro.Schema, error) {
	if schema.Type != sr.TypeAvro {
		return nil, fmt.Errorf("its type is %s: only AVRO is read and written here", schema.Type)
	}
	var cache avro.SchemaCache
	if err := r.addReferences(ctx, &cache, schema.References, 0); err != nil {
		return nil, err
	}
	return cache.Parse(schema.Schema)
}

func (r *Registry) addReferences(ctx context.Context, cache *avro.SchemaCache, refs []sr.SchemaReference, depth int) error {
	if depth > maxReferenceDepth {
		return fmt.Errorf("references nest deeper than %d", maxReferenceDepth)
	}
	for _, ref := range refs {
		target, err := r.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return fmt.Errorf("fetching referenced schema %s version %d: %w: %w", ref.Subject, ref.Version, failure(err), err)
		}
		if err := r.addReferences(ctx, cache, target.References, depth+1); err != nil {
			return err
		}
		if _, err := cache.Parse(target.Schema.Schema); err != nil {
			return fmt.Errorf("parsing referenced schema %s version %d: %w", ref.Subject, ref.Version, err)
		}
	}
	return nil
}

// Encoder writes values of one subject with one schema. It may be used from
// many goroutines.
type Encoder struct {
	subject string
	id      int
	schema  *avro.Schema
}

// ID is the id of the schema that the encoder writes with.
func (e *Encoder) ID() int { return e.id }

// Schema is the schema that the encoder writes with.
func (e *Encoder) Schema() *avro.Schema { return e.schema }

// Encode writes v, a struct with `avro:"name"` tags or a map[string]any, in the
// wire format. An enum symbol that the schema doesn't have and a field that v
// lacks are errors.
func (e *Encoder) Encode(v any) ([]byte, error) {
	buf := make([]byte, headerSize, 128)
	binary.BigEndian.PutUint32(buf[1:], uint32(e.id))
	buf, err := e.schema.AppendEncode(buf, v)
	if err != nil {
		return nil, fmt.Errorf("encoding %T as schema %d of %s: %w", v, e.id, e.subject, err)
	}
	return buf, nil
}

// SchemaID splits a value in the wire format into its schema id and its
// payload. The error is ErrNotEncoded when it has no such header.
func SchemaID(data []byte) (id int, payload []byte, err error) {
	if len(data) < headerSize || data[0] != 0 {
		return 0, nil, fmt.Errorf("reading the schema id of %d bytes: %w", len(data), ErrNotEncoded)
	}
	return int(binary.BigEndian.Uint32(data[1:headerSize])), data[headerSize:], nil
}
