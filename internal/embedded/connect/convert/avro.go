package convert

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

func avroClass() Class {
	return Class{
		Name: "io.confluent.connect.avro.AvroConverter",
		Definition: &config.Definition{Keys: append(registryKeys(),
			flagKey("connect.meta.data", "true", false, "Whether registered schemas carry names and versions as properties."),
			flagKey("enhanced.avro.schema.support", "false", false, "Whether enums are written as such."),
			flagKey("generalized.sum.type.support", "false", true, "Only false is supported by the embedded worker."),
			flagKey("flatten.singleton.unions", "true", true, "Only true is supported by the embedded worker."),
			flagKey("allow.optional.map.keys", "false", true, "Only false is supported by the embedded worker."),
			flagKey("discard.type.doc.default", "false", true, "Only false is supported by the embedded worker."),
			flagKey("ignore.default.for.nullables", "false", true, "Only false is supported by the embedded worker."),
			flagKey("scrub.invalid.names", "false", true, "Only false is supported by the embedded worker."),
			flagKey("avro.use.logical.type.converters", "false", true, "Only false is supported by the embedded worker."),
			flagKey("avro.reflection.allow.null", "false", true, "Only false is supported by the embedded worker."),
			flagKey("avro.remove.java.properties", "false", true, "Only false is supported by the embedded worker."),
		)},
		registry: true,
		make:     newAvroConverter,
	}
}

func flagKey(name, def string, unsupported bool, doc string) config.Key {
	return config.Key{Name: name, Type: config.Boolean, Default: &def, Importance: config.Medium, Order: -1, Width: config.NoWidth, Display: name, Doc: doc, Unsupported: unsupported}
}

func textKey(name, def string) config.Key {
	return config.Key{Name: name, Type: config.String, Default: &def, Importance: config.Medium, Order: -1, Width: config.NoWidth, Display: name,
		Doc: "Only the default is supported by the embedded worker.", Unsupported: true}
}

// avroConverter writes Avro in the wire format of Confluent's registry: a zero
// byte, the schema's id in four bytes, the data.
type avroConverter struct {
	subjects
	meta  bool
	enums bool

	writers map[string]*avroWriter // by subject and schema text
	readers map[int]*avroReader    // by schema id
}

type avroWriter struct {
	id     int
	schema *avro.Schema
	root   *avro.SchemaNode
}

type avroReader struct {
	schema  *avro.Schema
	connect *data.Schema
}

func newAvroConverter(env Environment, key bool, s config.Settings) (Converter, error) {
	registry, err := newSubjects(env, key, s)
	if err != nil {
		return nil, err
	}
	return &avroConverter{
		subjects: registry, meta: s.Flag("connect.meta.data"), enums: s.Flag("enhanced.avro.schema.support"),
		writers: map[string]*avroWriter{}, readers: map[int]*avroReader{},
	}, nil
}

func (c *avroConverter) FromConnect(ctx context.Context, topic string, schema *data.Schema, value any) ([]byte, error) {
	if schema == nil && value == nil {
		return nil, nil
	}
	if value == nil && schema.Optional {
		return nil, nil
	}
	if schema == nil {
		return nil, fault.New(fault.Data, "Failed to serialize Avro data from topic %s : data without a schema needs a converter that writes such", topic)
	}
	text, err := avroSchema(schema, c.meta, c.enums)
	if err != nil {
		return nil, fault.Wrap(fault.Data, err, "Failed to serialize Avro data from topic %s :", topic)
	}
	w, err := c.writer(ctx, topic, schema, text)
	if err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Class != fault.Serialization {
			err = fault.Wrap(fault.Serialization, err, "Error serializing Avro message")
		}
		return nil, fault.Wrap(fault.Data, err, "Failed to serialize Avro data from topic %s :", topic)
	}
	native, err := toAvro(schema, value, w.root)
	if err != nil {
		return nil, err
	}
	buf, err := w.schema.AppendEncode(framed(w.id), native)
	if err != nil {
		if missing := nullFault(native, w.root); missing != nil {
			err = missing
		}
		return nil, fault.Wrap(fault.Data, fault.Wrap(fault.Serialization, err, "Error serializing Avro message"), "Failed to serialize Avro data from topic %s :", topic)
	}
	return buf, nil
}

// nullFault tells which field of a record has no value and must have one, as the
// real library does; nil when none is like that.
func nullFault(native any, root *avro.SchemaNode) error {
	record, ok := native.(map[string]any)
	if !ok || root.Type != "record" {
		return nil
	}
	for _, f := range root.Fields {
		if record[f.Name] != nil || f.Type.Type == "union" || f.Type.Type == "null" {
			continue
		}
		name := root.Name[strings.LastIndexByte(root.Name, '.')+1:]
		var cause error
		if f.Type.Type == "string" {
			cause = fault.New(fault.NullPointer, `Cannot invoke "java.lang.CharSequence.toString()" because "charSequence" is null`)
		}
		return &fault.Fault{Class: fault.NullPointer, Cause: cause, Message: fmt.Sprintf("null value for (non-nullable) %s at %s.%s", f.Type.Type, name, f.Name)}
	}
	return nil
}

// writer finds the schema that a subject's data is written with.
func (c *avroConverter) writer(ctx context.Context, topic string, of *data.Schema, text string) (*avroWriter, error) {
	record := ""
	if of.Type == data.StructType {
		if record = of.Name; record == "" {
			record = defaultNamespace + "." + defaultName
		}
	}
	subject, err := c.subject(topic, record)
	if err != nil {
		return nil, err
	}
	cacheKey := subject + "\x00" + text
	if w := c.writers[cacheKey]; w != nil {
		return w, nil
	}
	with, err := c.choose(ctx, subject, sr.Schema{Schema: text}, "Error registering Avro schema")
	if err != nil {
		return nil, err
	}
	schema, err := parseAvro(with)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema %d of %s: %w", with.id, subject, err)
	}
	w := &avroWriter{id: with.id, schema: schema, root: schema.Root().ExpandReferences()}
	keep(c.writers, c.most, cacheKey, w)
	return w, nil
}

func (c *avroConverter) ToConnect(ctx context.Context, topic string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	failed := func(err error) error {
		return fault.Wrap(fault.Data, err, "Failed to deserialize data for topic %s to Avro: ", topic)
	}
	id, body, err := unframed(raw)
	if err != nil {
		return nil, nil, failed(err)
	}
	r, err := c.reader(ctx, id)
	if err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error retrieving Avro value schema for id %d", id))
	}
	var native any
	rest, err := r.schema.Decode(body, &native)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes are left over", len(rest))
	}
	if err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error deserializing Avro message for id %d", id))
	}
	value, err := fromAvro(r.connect, native)
	if err != nil {
		return nil, nil, failed(err)
	}
	return r.connect, value, nil
}

func (c *avroConverter) reader(ctx context.Context, id int) (*avroReader, error) {
	if r := c.readers[id]; r != nil {
		return r, nil
	}
	with, err := c.read(ctx, id, sr.TypeAvro)
	if err != nil {
		return nil, err
	}
	schema, err := parseAvro(with)
	if err != nil {
		return nil, err
	}
	connect, err := connectSchema(schema.Root().ExpandReferences(), map[string]bool{})
	if err != nil {
		return nil, err
	}
	r := &avroReader{schema: schema, connect: connect}
	keep(c.readers, c.most, id, r)
	return r, nil
}

// fullName splits a schema's name as Avro wants it.
func fullName(name string) (namespace, short string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}
