// Package registry is what the formats need of a Schema Registry: fetch, look
// up and register schemas. Client speaks to a real one over REST, Memory is one
// that lives in the process for tests and for the conformance runner.
//
// Invariants: an id names one schema text and type for ever, so callers may
// cache schemas by id; ids are shared by content, not by subject.
package registry

import (
	"context"
	"errors"
)

// The types of schema, as the registry spells them.
const (
	TypeAvro     = "AVRO"
	TypeJSON     = "JSON"
	TypeProtobuf = "PROTOBUF"
)

// ErrNotFound means that the registry has no such subject, version or id.
var ErrNotFound = errors.New("schema not found")

// ErrUnavailable means that the registry gave no answer, or one that says that
// it can't answer now. The same question may succeed later, so a record that
// couldn't be read or written because of it must not be skipped.
var ErrUnavailable = errors.New("schema registry unavailable")

// ErrIncompatible means that a schema can't be registered under a subject
// because of the subject's compatibility rule.
var ErrIncompatible = errors.New("schema is incompatible with an earlier schema of the subject")

// Schema is a schema as the registry keeps it.
type Schema struct {
	// ID, Subject and Version are set on schemas that come from the registry;
	// Subject and Version only where the question named a subject.
	ID      int
	Subject string
	Version int
	// Type is TypeAvro, TypeJSON or TypeProtobuf; empty means TypeAvro.
	Type string
	// Text is the schema itself.
	Text string
	// References are the schemas that the text imports by name.
	References []Reference
}

// Reference names a schema that another one imports.
type Reference struct {
	Name    string
	Subject string
	Version int
}

// Registry is a Schema Registry. Its methods may be called from many
// goroutines. Errors that mean "there is none" wrap ErrNotFound.
type Registry interface {
	// SchemaByID fetches a schema by its id.
	SchemaByID(ctx context.Context, id int) (Schema, error)
	// Latest fetches the newest schema of a subject.
	Latest(ctx context.Context, subject string) (Schema, error)
	// Version fetches one version of a subject, as references name it.
	Version(ctx context.Context, subject string, version int) (Schema, error)
	// Register puts a schema under a subject, unless it is there already, and
	// gives its id. The error wraps ErrIncompatible when the subject's
	// compatibility rule forbids it.
	Register(ctx context.Context, subject string, s Schema) (id int, err error)
	// Lookup finds the id and version of a schema under a subject. The second
	// result is false when the subject doesn't hold it.
	Lookup(ctx context.Context, subject string, s Schema) (Schema, bool, error)
	// DeleteSubject removes all versions of a subject. A subject that doesn't
	// exist is no error.
	DeleteSubject(ctx context.Context, subject string) error
}

// Subject is the subject of a topic's keys or values under the registry's
// default naming strategy.
func Subject(topic string, isKey bool) string {
	if isKey {
		return topic + "-key"
	}
	return topic + "-value"
}
