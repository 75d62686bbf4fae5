package convert

import (
	"context"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// wrappers are the messages that stand for values that are no struct.
var wrappers = map[data.Type]string{
	data.Int8: "Int32Value", data.Int16: "Int32Value", data.Int32: "Int32Value", data.Int64: "Int64Value",
	data.Float32: "FloatValue", data.Float64: "DoubleValue", data.Boolean: "BoolValue", data.String: "StringValue", data.Bytes: "BytesValue",
}

// wrappersFile is google/protobuf/wrappers.proto.
const wrappersFile = `syntax = "proto3";
package google.protobuf;
option cc_enable_arenas = true;
option csharp_namespace = "Google.Protobuf.WellKnownTypes";
option go_package = "google.golang.org/protobuf/types/known/wrapperspb";
option java_multiple_files = true;
option java_outer_classname = "WrappersProto";
option java_package = "com.google.protobuf";
option objc_class_prefix = "GPB";
message DoubleValue { double value = 1; }
message FloatValue { float value = 1; }
message Int64Value { int64 value = 1; }
message UInt64Value { uint64 value = 1; }
message Int32Value { int32 value = 1; }
message UInt32Value { uint32 value = 1; }
message BoolValue { bool value = 1; }
message StringValue { string value = 1; }
message BytesValue { bytes value = 1; }
`

// protobufImports are the files that schemas may import beside Protobuf's own.
var protobufImports = map[string]string{
	"confluent/meta.proto": `syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
`,
	"confluent/type/decimal.proto": `syntax = "proto3";
package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
`,
	"google/type/date.proto": `syntax = "proto3";
package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
`,
	"google/type/timeofday.proto": `syntax = "proto3";
package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
`,
}

// compileProtobuf reads a .proto text with what it imports.
func compileProtobuf(ctx context.Context, c chosen) (protoreflect.FileDescriptor, error) {
	const path = "schema of a topic.proto"
	const meta = "confluent/meta.proto"
	text := c.text
	if end := strings.IndexByte(text, ';'); end >= 0 && strings.Contains(text, "(confluent.") && !strings.Contains(text, meta) {
		// Confluent's tools leave this import out.
		text = text[:end+1] + "\nimport \"" + meta + "\";" + text[end+1:]
	}
	sources := map[string]string{path: text}
	for name, source := range protobufImports {
		sources[name] = source
	}
	for _, r := range c.references {
		sources[r.name] = r.text
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(sources)}),
	}
	files, err := compiler.Compile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("compiling a Protobuf schema: %w", err)
	}
	return files[0], nil
}

// indexesOf is the way to a message within its file.
func indexesOf(m protoreflect.MessageDescriptor) []int {
	var path []int
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, ok := d.(protoreflect.FileDescriptor); ok {
			return path
		}
		path = append([]int{d.Index()}, path...)
	}
}

// findMessage follows such a way.
func findMessage(file protoreflect.FileDescriptor, path []int) (protoreflect.MessageDescriptor, error) {
	messages := file.Messages()
	var found protoreflect.MessageDescriptor
	for _, i := range path {
		if i < 0 || i >= messages.Len() {
			return nil, fmt.Errorf("the schema has no message at %v", path)
		}
		found = messages.Get(i)
		messages = found.Messages()
	}
	if found == nil {
		return nil, fmt.Errorf("the data tells no message of its schema")
	}
	return found, nil
}
