package protobufschema

import (
	"encoding/base64"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Origin names the registered schema that an imported file is.
type Origin struct {
	Subject string
	Version int
}

// ownOrigin is that of a schema itself.
var ownOrigin = Origin{"", -1}

// Import is a file that a schema, or one of those that it imports, imports.
type Import struct {
	// Text is the file, in any form that Parse reads.
	Text string
	// Origin is where it is registered. The zero value stands for nowhere.
	Origin Origin
}

// Schema is a parsed Protobuf schema.
type Schema struct {
	file    *file
	imports map[string]*file
	origins map[string]Origin
}

// Parse reads a schema: a .proto file or a file descriptor in base64. imports
// are the files that it needs, by the names under which they are imported.
func Parse(text string, imports map[string]Import) (*Schema, error) {
	f, err := parseAny(text)
	if err != nil {
		return nil, err
	}
	s := &Schema{file: f, imports: map[string]*file{}, origins: map[string]Origin{}}
	for name, i := range imports {
		if s.imports[name], err = parseAny(i.Text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.origins[name] = i.Origin
	}
	return s, nil
}

func parseAny(text string) (*file, error) {
	f, err := parseFile(text)
	if err == nil {
		return f, nil
	}
	raw, decodeErr := base64.StdEncoding.DecodeString(text)
	if decodeErr != nil {
		return nil, err
	}
	var descriptor descriptorpb.FileDescriptorProto
	if proto.Unmarshal(raw, &descriptor) != nil {
		return nil, err
	}
	return fromDescriptor(&descriptor), nil
}

// Text is the schema without comments, its declarations in the order they came.
func (s *Schema) Text() string { return (&printer{}).file(s.file) }

// WithoutExtensions is Text without extensions and options that are not
// Protobuf's own.
func (s *Schema) WithoutExtensions() string { return (&printer{ignoreExtensions: true}).file(s.file) }

// Normalized is the schema with the full names of its types, its fields in the
// order of their numbers. The error is an *UnresolvedError.
func (s *Schema) Normalized() (string, error) {
	p := &printer{normalize: true, types: collect(s)}
	text := p.file(s.file)
	return text, p.err
}

// Serialized is the schema as a file descriptor in base64.
func (s *Schema) Serialized() (string, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.descriptor())
	if err != nil {
		return "", fmt.Errorf("encoding the file descriptor: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// HasField reports whether the first message has a field.
func (s *Schema) HasField(name string) bool {
	for _, t := range s.file.types {
		if t.message == nil {
			continue
		}
		named := func(f field) bool { return f.name == name }
		return slices.ContainsFunc(t.message.fields, named) ||
			slices.ContainsFunc(t.message.oneofs, func(o oneof) bool { return slices.ContainsFunc(o.fields, named) })
	}
	return false
}

// Imports gives the names of the files that the schema itself imports.
func (s *Schema) Imports() []string { return slices.Concat(s.file.imports, s.file.publicImports) }
