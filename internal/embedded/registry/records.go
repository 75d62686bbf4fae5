package registry

import (
	"encoding/json"
	"fmt"
)

// The records of the topic, in Confluent's format. Keys differ in keytype.
const (
	keySchema        = "SCHEMA"
	keyConfig        = "CONFIG"
	keyMode          = "MODE"
	keyDeleteSubject = "DELETE_SUBJECT"
	keyContext       = "CONTEXT"
)

// schemaMagic and plainMagic are the versions of the key formats.
const (
	schemaMagic = 1
	plainMagic  = 0
)

// schemaKey is the key of a schema version.
type schemaKey struct {
	KeyType string `json:"keytype"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
	Magic   int    `json:"magic"`
}

// subjectKey is the key of a subject's settings; a null subject means all.
type subjectKey struct {
	KeyType string  `json:"keytype"`
	Subject *string `json:"subject"`
	Magic   int     `json:"magic"`
}

// contextKey is the key of a context.
type contextKey struct {
	KeyType string `json:"keytype"`
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
	Magic   int    `json:"magic"`
}

// schemaValue is a schema version.
type schemaValue struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	SchemaType string      `json:"schemaType,omitempty"` // empty for AVRO
	References []reference `json:"references,omitempty"`
	Metadata   *metadata   `json:"metadata,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted"`
}

// reference says that a schema uses another under a name.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// metadata is what is said about a schema.
type metadata struct {
	Tags       map[string][]string `json:"tags,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"`
	Sensitive  []string            `json:"sensitive,omitempty"`
}

func (m *metadata) empty() bool {
	return m == nil || len(m.Tags) == 0 && len(m.Properties) == 0 && len(m.Sensitive) == 0
}

// configValue is the settings of a subject, a context or all.
type configValue struct {
	Subject            *string         `json:"subject,omitempty"`
	Alias              string          `json:"alias,omitempty"`
	Normalize          *bool           `json:"normalize,omitempty"`
	ValidateFields     *bool           `json:"validateFields,omitempty"`
	CompatibilityLevel string          `json:"compatibilityLevel,omitempty"`
	CompatibilityGroup string          `json:"compatibilityGroup,omitempty"`
	DefaultMetadata    *metadata       `json:"defaultMetadata,omitempty"`
	OverrideMetadata   *metadata       `json:"overrideMetadata,omitempty"`
	DefaultRuleSet     json.RawMessage `json:"defaultRuleSet,omitempty"`
	OverrideRuleSet    json.RawMessage `json:"overrideRuleSet,omitempty"`
}

// modeValue is the mode of a subject, a context or all.
type modeValue struct {
	Subject *string `json:"subject,omitempty"`
	Mode    string  `json:"mode"`
}

// deleteSubjectValue soft deletes the versions of a subject up to one.
type deleteSubjectValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type contextValue struct {
	Tenant  string `json:"tenant"`
	Context string `json:"context"`
}

// defaultTenant is the tenant in the keys of contexts.
const defaultTenant = "default"

// record is one record of the topic to be; a nil value is a tombstone.
type record struct {
	key, value any
}

// encode gives the bytes of a record.
func (r record) encode() (key, value []byte, err error) {
	if key, err = json.Marshal(r.key); err != nil {
		return nil, nil, fmt.Errorf("encoding a key of the schemas topic: %w", err)
	}
	if r.value == nil {
		return key, nil, nil
	}
	if value, err = json.Marshal(r.value); err != nil {
		return nil, nil, fmt.Errorf("encoding a value of the schemas topic: %w", err)
	}
	return key, value, nil
}

func schemaRecord(v schemaValue) record {
	return record{schemaKey{keySchema, v.Subject, v.Version, schemaMagic}, v}
}

func schemaTombstone(subject string, version int) record {
	return record{schemaKey{keySchema, subject, version, schemaMagic}, nil}
}

// subjectOf is the subject in a key: none for the registry as a whole.
func subjectOf(subject string) *string {
	if subject == "" {
		return nil
	}
	return &subject
}

func configRecord(subject string, v *configValue) record {
	r := record{key: subjectKey{keyConfig, subjectOf(subject), plainMagic}}
	if v != nil {
		v.Subject = subjectOf(subject)
		r.value = v
	}
	return r
}

func modeRecord(subject, mode string) record {
	r := record{key: subjectKey{keyMode, subjectOf(subject), plainMagic}}
	if mode != "" {
		r.value = modeValue{subjectOf(subject), mode}
	}
	return r
}

func deleteSubjectRecord(subject string, version int) record {
	return record{subjectKey{keyDeleteSubject, &subject, plainMagic}, deleteSubjectValue{subject, version}}
}

func contextRecord(context string) record {
	return record{contextKey{keyContext, defaultTenant, context, plainMagic}, contextValue{defaultTenant, context}}
}
