package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

var (
	// ErrForeign means that no version of orderflow can have written a record as an entry
	// of its ledger and read it back. Nothing was ever answered because of it, so every
	// reader passes it over.
	ErrForeign = errors.New("not an entry of this ledger")
	// ErrNewer means that a record is an entry which this version does not understand. A
	// newer one may have acted on it, so this one must not go on behind it.
	ErrNewer = errors.New("an entry of a newer version of orderflow: run that version here, this one must not go on behind it")
)

// EntryDecoder reads the entries of a ledger: of a topic that several services fold, each
// for itself and again after a restart, and that has to be the same to all of them. So
// what it says of a record depends on the record's bytes and on schemas alone, which never
// change, and not on when or by whom it is asked. It may be used from many goroutines.
type EntryDecoder struct {
	registry *Registry
	// name is the full name of the entries' record, types has the Avro type of each field.
	name  string
	types map[string]string

	mu      sync.RWMutex
	schemas map[int]entrySchema // by id; guarded by mu
}

// entrySchema is what is known of a schema: how to read entries with it, or why there are none.
type entrySchema struct {
	schema *avro.Schema
	err    error
}

// EntryDecoder returns a decoder of the entries whose schema, as this version knows it, is
// text: a record of primitive types and enums.
func (r *Registry) EntryDecoder(text []byte) (*EntryDecoder, error) {
	known, err := avro.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("compiling the schema of a ledger's entries: %w", err)
	}
	root := known.Root()
	d := &EntryDecoder{registry: r, name: fullName(root.Name, root.Namespace), types: map[string]string{}, schemas: map[int]entrySchema{}}
	for _, f := range root.Fields {
		d.types[f.Name] = f.Type.Type
	}
	return d, nil
}

// Decode reads a value into v, a pointer to a struct with the fields of the known schema.
// Further fields of the writer are left out: a version that adds one may rely on others
// not needing it. The error is ErrForeign for what is to be passed over, ErrNewer,
// ErrUnknownSchema or ErrUnavailable for what must not be.
func (d *EntryDecoder) Decode(ctx context.Context, value []byte, v any) error {
	id, payload, err := SchemaID(value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if !given(id) {
		return fmt.Errorf("%w: no registry gives the schema id %d", ErrForeign, id)
	}
	schema, err := d.schema(ctx, id)
	if err != nil {
		return err
	}
	rest, err := schema.Decode(payload, v, avro.SkipUnknown())
	if err == nil && len(rest) == 0 {
		return nil
	}
	if err == nil {
		return fmt.Errorf("%w: %d bytes are left over behind a value of schema %d", ErrForeign, len(rest), id)
	}
	var anything any
	if rest, broken := schema.Decode(payload, &anything); broken != nil || len(rest) > 0 {
		return fmt.Errorf("%w: it is no value of its own schema %d: %w", ErrForeign, id, err)
	}
	return fmt.Errorf("%w (a value of schema %d: %w)", ErrNewer, id, err)
}

func (d *EntryDecoder) schema(ctx context.Context, id int) (*avro.Schema, error) {
	d.mu.RLock()
	known, ok := d.schemas[id]
	d.mu.RUnlock()
	if ok {
		return known.schema, known.err
	}
	found, err := d.look(ctx, id)
	if err != nil && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.schemas[id] = entrySchema{found, err}
	return found, err
}

// look judges a schema.
func (d *EntryDecoder) look(ctx context.Context, id int) (*avro.Schema, error) {
	text, err := d.registry.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	if text.Type != sr.TypeAvro {
		return nil, fmt.Errorf("%w: the type of its schema %d is %s instead of AVRO", ErrForeign, id, text.Type)
	}
	// The name is read without compiling: whether a schema can be compiled is up to a
	// library and its version, and only for entries does it matter.
	if name := recordName(text.Schema); name != d.name {
		return nil, fmt.Errorf("%w: its schema %d is of %s instead of %s", ErrForeign, id, name, d.name)
	}
	schema, err := d.registry.compile(ctx, text)
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrUnknownSchema):
		return nil, fmt.Errorf("compiling schema %d: %w", id, err)
	case err != nil:
		return nil, fmt.Errorf("%w (compiling its schema %d: %w)", ErrNewer, id, err)
	}
	written := map[string]string{}
	for _, f := range schema.Root().Fields {
		written[f.Name] = f.Type.Type
	}
	for field, want := range d.types {
		if got := written[field]; got != want {
			return nil, fmt.Errorf("%w (field %s of its schema %d has the type %q instead of %q)", ErrNewer, field, id, got, want)
		}
	}
	return schema, nil
}

// recordName returns the full name of the record that an Avro schema is of, and for
// another schema a description.
func recordName(schema string) string {
	var parsed any
	if err := json.Unmarshal([]byte(schema), &parsed); err != nil {
		return "no record"
	}
	record, ok := parsed.(map[string]any)
	if !ok || record["type"] != "record" {
		return "no record"
	}
	name, _ := record["name"].(string)
	namespace, _ := record["namespace"].(string)
	return fullName(name, namespace)
}

// fullName follows https://avro.apache.org/docs/1.12.0/specification/#names.
func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}
