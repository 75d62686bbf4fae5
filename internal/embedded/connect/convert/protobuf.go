package convert

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The real converter's messages when writing or reading fails.
const (
	protobufWriteFailed = "Failed to serialize Protobuf data from topic %s :"
	protobufReadFailed  = "Failed to deserialize data for topic %s to Protobuf: "
)

// deepestMessage bounds the way to a message within a file.
const deepestMessage = 64

func protobufClass() Class {
	return Class{
		Name: "io.confluent.connect.protobuf.ProtobufConverter",
		Definition: &config.Definition{Keys: append(registryKeys(),
			flagKey("optional.for.nullables", "false", false, "Whether optional fields have the label optional."),
			flagKey("scrub.invalid.names", "false", false, "Whether names that Protobuf does not allow are made valid."),
			flagKey("enhanced.protobuf.schema.support", "false", true, "Only false is supported by the embedded worker."),
			flagKey("generalized.sum.type.support", "false", true, "Only false is supported by the embedded worker."),
			flagKey("ignore.default.for.nullables", "false", true, "Only false is supported by the embedded worker."),
			flagKey("int.for.enums", "false", true, "Only false is supported by the embedded worker."),
			flagKey("optional.for.proto2", "true", true, "Only true is supported by the embedded worker."),
			flagKey("wrapper.for.nullables", "false", true, "Only false is supported by the embedded worker."),
			flagKey("wrapper.for.raw.primitives", "true", true, "Only true is supported by the embedded worker."),
			flagKey("generate.struct.for.nulls", "false", true, "Only false is supported by the embedded worker."),
			flagKey("generate.index.for.unions", "true", true, "Only true is supported by the embedded worker."),
			flagKey("flatten.unions", "false", true, "Only false is supported by the embedded worker."),
		)},
		registry: true,
		make:     newProtobufConverter,
	}
}

// protobufConverter writes Protobuf in the wire format of Confluent's registry:
// the schema's id, the way to the message within the schema, the message.
type protobufConverter struct {
	subjects
	optional bool
	scrub    bool

	writers map[string]*protobufForm // by subject and schema text
	readers map[int]protoreflect.FileDescriptor
	schemas map[protoreflect.MessageDescriptor]*data.Schema
}

// protobufForm is a schema that data is written with.
type protobufForm struct {
	id      int
	message protoreflect.MessageDescriptor
	path    []int // to the message within the registered schema
}

func newProtobufConverter(env Environment, key bool, s config.Settings) (Converter, error) {
	registry, err := newSubjects(env, key, s)
	if err != nil {
		return nil, err
	}
	return &protobufConverter{
		subjects: registry, optional: s.Flag("optional.for.nullables"), scrub: s.Flag("scrub.invalid.names"),
		writers: map[string]*protobufForm{}, readers: map[int]protoreflect.FileDescriptor{}, schemas: map[protoreflect.MessageDescriptor]*data.Schema{},
	}, nil
}

func (c *protobufConverter) FromConnect(ctx context.Context, topic string, schema *data.Schema, value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	failed := func(err error) error { return fault.Wrap(fault.Data, err, protobufWriteFailed, topic) }
	if schema == nil {
		return nil, failed(fault.New(fault.Serialization, "data without a schema needs a converter that writes such"))
	}
	form, err := c.form(ctx, topic, schema)
	if err != nil {
		return nil, failed(err)
	}
	values := protobufValues{scrub: c.scrub}
	message := dynamicpb.NewMessage(form.message)
	if schema.Type == data.StructType {
		st, ok := value.(*data.Struct)
		if !ok {
			return nil, fault.New(fault.Data, "Invalid type for STRUCT: %T", value)
		}
		if err := values.fill(message, st); err != nil {
			return nil, err
		}
	} else {
		fd := form.message.Fields().ByName("value")
		wrapped, err := values.toProtobuf(fd, schema, value)
		if err != nil {
			return nil, err
		}
		message.Set(fd, wrapped)
	}
	buf := appendIndexes(framed(form.id), form.path)
	buf, err = proto.MarshalOptions{Deterministic: true}.MarshalAppend(buf, message)
	if err != nil {
		return nil, failed(fault.Wrap(fault.Serialization, err, "Error serializing Protobuf message"))
	}
	return buf, nil
}

func (c *protobufConverter) form(ctx context.Context, topic string, schema *data.Schema) (*protobufForm, error) {
	w := &protobufWriter{optional: c.optional, scrub: c.scrub}
	text, name, err := w.file(schema)
	if err != nil {
		return nil, err
	}
	subject, err := c.subject(topic, name)
	if err != nil {
		return nil, err
	}
	cacheKey := subject + "\x00" + name + "\x00" + text
	if form := c.writers[cacheKey]; form != nil {
		return form, nil
	}
	file, err := compileProtobuf(ctx, chosen{text: text})
	if err != nil {
		return nil, err
	}
	message := file.Messages().ByName(protoreflect.FullName(name).Name())
	if message == nil {
		return nil, fault.New(fault.Data, "Invalid message name: %s", name)
	}
	with, err := c.choose(ctx, subject, sr.Schema{Schema: text, Type: sr.TypeProtobuf}, "Error registering Protobuf schema: ")
	if err != nil {
		return nil, err
	}
	form := &protobufForm{with.id, message, indexesOf(message)}
	if with.text != text {
		// The latest schema may have the message elsewhere.
		latest, err := compileProtobuf(ctx, with)
		if err != nil {
			return nil, err
		}
		there := latest.Messages().ByName(message.Name())
		if there == nil || there.FullName() != message.FullName() {
			return nil, fault.New(fault.Serialization, "the latest schema of %s has no message %s", subject, message.FullName())
		}
		form.path = indexesOf(there)
	}
	keep(c.writers, c.most, cacheKey, form)
	return form, nil
}

func (c *protobufConverter) ToConnect(ctx context.Context, topic string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	failed := func(err error) error { return fault.Wrap(fault.Data, err, protobufReadFailed, topic) }
	id, rest, err := unframed(raw)
	if err != nil {
		return nil, nil, failed(err)
	}
	file := c.readers[id]
	if file == nil {
		with, err := c.read(ctx, id, sr.TypeProtobuf)
		if err == nil {
			file, err = compileProtobuf(ctx, with)
		}
		if err != nil {
			return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error retrieving Protobuf schema for id %d", id))
		}
		keep(c.readers, c.most, id, file)
	}
	path, rest, err := cutIndexes(rest)
	if err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error deserializing Protobuf message for id %d", id))
	}
	descriptor, err := findMessage(file, path)
	if err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error deserializing Protobuf message for id %d", id))
	}
	message := dynamicpb.NewMessage(descriptor)
	if err := proto.Unmarshal(rest, message); err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error deserializing Protobuf message for id %d", id))
	}
	schema := c.schemas[descriptor]
	if schema == nil {
		if schema, err = (protobufReader{optional: c.optional}).message(descriptor); err != nil {
			return nil, nil, err
		}
		keep(c.schemas, c.most, descriptor, schema)
	}
	if schema.Type != data.StructType {
		fd := descriptor.Fields().ByName("value")
		v, err := fromProtobuf(fd, schema, message.Get(fd))
		return schema, v, err
	}
	v, err := structFromProtobuf(schema, message)
	return schema, v, err
}

// appendIndexes writes the way to a message: how many steps and each; the first
// message of a file, which is the usual one, is one zero byte.
func appendIndexes(buf []byte, path []int) []byte {
	if len(path) == 1 && path[0] == 0 {
		return append(buf, 0)
	}
	buf = binary.AppendVarint(buf, int64(len(path)))
	for _, i := range path {
		buf = binary.AppendVarint(buf, int64(i))
	}
	return buf
}

func cutIndexes(raw []byte) ([]int, []byte, error) {
	errCut := errors.New("the way to the message is cut off")
	count, n := binary.Varint(raw)
	if n <= 0 {
		return nil, nil, errCut
	}
	raw = raw[n:]
	if count == 0 {
		return []int{0}, raw, nil
	}
	if count < 0 || count > deepestMessage {
		return nil, nil, errors.New("the way to the message is no such")
	}
	path := make([]int, count)
	for i := range path {
		step, n := binary.Varint(raw)
		if n <= 0 {
			return nil, nil, errCut
		}
		path[i], raw = int(step), raw[n:]
	}
	return path, raw, nil
}
