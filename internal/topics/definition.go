package topics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/twmb/avro"
)

const (
	// DefinitionFile lists the topics of a definition.
	DefinitionFile = "topics.json"
	// schemaSuffix ends the name of a schema file; what is before it is the
	// subject.
	schemaSuffix = ".avsc"

	// maxTopicName is Kafka's limit of a topic's name.
	maxTopicName = 249
)

// Definition is what a cluster should have.
type Definition struct {
	// Topics are the topics in the order of the file.
	Topics []Topic
	// Schemas are the schemas in the order of their subjects.
	Schemas []Schema
}

// Topic is a topic that should exist.
type Topic struct {
	Name       string
	Partitions int32
	// Replicas is the replication factor; -1 leaves it to the brokers' default.
	Replicas int16
	// Config has the settings that matter here, such as cleanup.policy.
	Config map[string]string
}

// Schema is a schema that should be registered.
type Schema struct {
	Subject string
	// Text is the schema as it stands in its file.
	Text string
}

// definitionFile is the form of topics.json.
type definitionFile struct {
	Partitions int32       `json:"partitions"`
	Replicas   int16       `json:"replicas"`
	Topics     []topicFile `json:"topics"`
}

// topicFile is a topic in topics.json; what it leaves out is as for all topics.
type topicFile struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions,omitempty"`
	Replicas   int16             `json:"replicas,omitempty"`
	Config     map[string]string `json:"config,omitempty"`
}

// Load reads a definition from the top of fsys and checks it.
func Load(fsys fs.FS) (Definition, error) {
	raw, err := fs.ReadFile(fsys, DefinitionFile)
	if err != nil {
		return Definition{}, fmt.Errorf("reading the topic definitions: %w", err)
	}
	var file definitionFile
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return Definition{}, fmt.Errorf("reading %s: %w", DefinitionFile, err)
	}
	var def Definition
	for _, t := range file.Topics {
		topic := Topic(t)
		if topic.Partitions == 0 {
			topic.Partitions = file.Partitions
		}
		if topic.Replicas == 0 {
			topic.Replicas = file.Replicas
		}
		def.Topics = append(def.Topics, topic)
	}
	names, err := fs.Glob(fsys, "*"+schemaSuffix)
	if err != nil {
		return Definition{}, fmt.Errorf("listing the schemas: %w", err)
	}
	sort.Strings(names)
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return Definition{}, fmt.Errorf("reading a schema: %w", err)
		}
		def.Schemas = append(def.Schemas, Schema{Subject: strings.TrimSuffix(path.Base(name), schemaSuffix), Text: string(text)})
	}
	if err := def.Validate(); err != nil {
		return Definition{}, err
	}
	return def, nil
}

// Validate reports everything in the definition that no cluster could have.
func (d Definition) Validate() error {
	var errs []error
	seen := map[string]bool{}
	for i, t := range d.Topics {
		switch {
		case t.Name == "":
			errs = append(errs, fmt.Errorf("%s: topic %d has no name", DefinitionFile, i+1))
		case !validTopicName(t.Name):
			errs = append(errs, fmt.Errorf("%s: topic %q: a name has at most %d letters, digits, dots, dashes and underscores", DefinitionFile, t.Name, maxTopicName))
		case seen[t.Name]:
			errs = append(errs, fmt.Errorf("%s: topic %q stands there twice", DefinitionFile, t.Name))
		}
		seen[t.Name] = true
		if t.Partitions < 1 {
			errs = append(errs, fmt.Errorf("%s: topic %q has %d partitions: needs at least 1", DefinitionFile, t.Name, t.Partitions))
		}
		if t.Replicas < 1 && t.Replicas != -1 {
			errs = append(errs, fmt.Errorf("%s: topic %q has %d replicas: needs at least 1, or -1 for the brokers' default", DefinitionFile, t.Name, t.Replicas))
		}
	}
	for _, s := range d.Schemas {
		if _, err := avro.Parse(s.Text); err != nil {
			errs = append(errs, fmt.Errorf("%s%s: %w", s.Subject, schemaSuffix, err))
		}
	}
	return errors.Join(errs...)
}

func validTopicName(name string) bool {
	if len(name) > maxTopicName || name == "." || name == ".." {
		return false
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '.' && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
