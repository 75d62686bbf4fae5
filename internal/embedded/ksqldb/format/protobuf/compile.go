package protobuf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// builtIn are the files that the registry's clients know without references,
// besides those of google.protobuf.
var builtIn = map[string]string{
	"confluent/meta.proto": `syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
`,
	"confluent/type/decimal.proto": `syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
`,
	"google/type/date.proto": `syntax = "proto3";
package google.type;
message Date {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
}
`,
	"google/type/timeofday.proto": `syntax = "proto3";
package google.type;
message TimeOfDay {
  int32 hours = 1;
  int32 minutes = 2;
  int32 seconds = 3;
  int32 nanos = 4;
}
`,
}

// mainFile is the name that a schema is compiled under.
const mainFile = "schema.proto"

var (
	metaOption = regexp.MustCompile(`\(\s*\.?confluent\.\w+_meta\s*\)`)
	syntaxLine = regexp.MustCompile(`(?m)^\s*syntax\s*=\s*["']proto[23]["']\s*;`)
)

// compile parses a schema and what it refers to.
func compile(ctx context.Context, reg registry.Registry, schema registry.Schema) (protoreflect.FileDescriptor, error) {
	sources := map[string]string{}
	references, err := registry.References(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	for _, r := range references {
		sources[r.Name] = withMetaImport(r.Schema.Text)
	}
	sources[mainFile] = withMetaImport(schema.Text)
	compiler := protocompile.Compiler{
		MaxParallelism: 1,
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			Accessor: func(path string) (io.ReadCloser, error) {
				text, ok := sources[path]
				if !ok {
					text, ok = builtIn[path]
				}
				if !ok {
					return nil, fmt.Errorf("%s is neither a reference of the schema nor a file that all know", path)
				}
				return io.NopCloser(strings.NewReader(text)), nil
			},
		}),
	}
	files, err := compiler.Compile(ctx, mainFile)
	if err != nil {
		return nil, fmt.Errorf("compiling the Protobuf schema: %w", err)
	}
	return files[0], nil
}

// withMetaImport adds the import of Confluent's options, which their tools
// leave out.
func withMetaImport(text string) string {
	if !metaOption.MatchString(text) || strings.Contains(text, `"confluent/meta.proto"`) {
		return text
	}
	const line = "import \"confluent/meta.proto\";"
	at := syntaxLine.FindStringIndex(text)
	if at == nil {
		return line + text
	}
	return text[:at[1]] + line + text[at[1]:]
}

// messageNamed finds the message with the full name, or the first message when
// there is no name.
func messageNamed(file protoreflect.FileDescriptor, fullName string) (protoreflect.MessageDescriptor, error) {
	messages := file.Messages()
	if fullName == "" {
		if messages.Len() == 0 {
			return nil, errors.New("the Protobuf schema has no message")
		}
		return messages.Get(0), nil
	}
	for i := range messages.Len() {
		if m := findMessage(messages.Get(i), fullName); m != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("the Protobuf schema has no message %s", fullName)
}

func findMessage(m protoreflect.MessageDescriptor, fullName string) protoreflect.MessageDescriptor {
	if string(m.FullName()) == fullName {
		return m
	}
	for i := range m.Messages().Len() {
		if found := findMessage(m.Messages().Get(i), fullName); found != nil {
			return found
		}
	}
	return nil
}

// messageAt follows the message indexes of the wire format.
func messageAt(file protoreflect.FileDescriptor, indexes []int) (protoreflect.MessageDescriptor, error) {
	messages := file.Messages()
	var m protoreflect.MessageDescriptor
	for _, i := range indexes {
		if i < 0 || i >= messages.Len() {
			return nil, fmt.Errorf("the record's message indexes %v point to no message of the schema", indexes)
		}
		m = messages.Get(i)
		messages = m.Messages()
	}
	return m, nil
}

// indexesOf is the way from the file to a message.
func indexesOf(m protoreflect.MessageDescriptor) []int {
	var indexes []int
	for d := protoreflect.Descriptor(m); ; {
		md, ok := d.(protoreflect.MessageDescriptor)
		if !ok {
			return indexes
		}
		indexes = append([]int{md.Index()}, indexes...)
		d = md.Parent()
	}
}

// FullNames lists what a schema defines at its top, messages before enums.
func FullNames(ctx context.Context, reg registry.Registry, schema registry.Schema) ([]string, error) {
	file, err := compile(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range file.Messages().Len() {
		names = append(names, string(file.Messages().Get(i).FullName()))
	}
	for i := range file.Enums().Len() {
		names = append(names, string(file.Enums().Get(i).FullName()))
	}
	return names, nil
}
