package protobuf

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
)

// maxNesting bounds how deep messages may nest.
const maxNesting = 64

var errTooDeep = errors.New("the message nests too deep: recursive messages can't be read as columns")

// Translate turns a message of a Protobuf schema into a Connect schema as
// Connect's ProtobufData does: a oneof becomes a struct, named after it and its
// number, in front of the other fields.
func Translate(ctx context.Context, reg registry.Registry, schema registry.Schema, fullName string, nullable Nullable) (*connect.Schema, error) {
	file, err := compile(ctx, reg, schema)
	if err != nil {
		return nil, err
	}
	m, err := messageNamed(file, fullName)
	if err != nil {
		return nil, err
	}
	return messageSchema(m, nullable, 0)
}

func messageSchema(m protoreflect.MessageDescriptor, nullable Nullable, depth int) (*connect.Schema, error) {
	if depth > maxNesting {
		return nil, errTooDeep
	}
	s := &connect.Schema{Type: connect.Struct, Name: string(m.FullName()), Optional: true}
	for _, f := range fieldsOf(m) {
		field, err := f.schema(nullable, depth+1)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, connect.Field{Name: f.name, Schema: field})
	}
	return s, nil
}

// field is a member of the struct that a message is read as: a field, or a
// oneof with its fields.
type field struct {
	name  string
	fd    protoreflect.FieldDescriptor
	oneof []protoreflect.FieldDescriptor
}

func fieldsOf(m protoreflect.MessageDescriptor) []field {
	var out []field
	for i := range m.Oneofs().Len() {
		o := m.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue
		}
		f := field{name: string(o.Name()) + "_" + strconv.Itoa(o.Index())}
		for j := range o.Fields().Len() {
			f.oneof = append(f.oneof, o.Fields().Get(j))
		}
		out = append(out, f)
	}
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
			continue
		}
		out = append(out, field{name: string(fd.Name()), fd: fd})
	}
	return out
}

func (f field) schema(nullable Nullable, depth int) (*connect.Schema, error) {
	if f.fd != nil {
		return fieldSchema(f.fd, nullable, depth)
	}
	s := &connect.Schema{Type: connect.Struct, Name: f.name, Optional: true}
	for _, fd := range f.oneof {
		member, err := fieldSchema(fd, nullable, depth)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, connect.Field{Name: string(fd.Name()), Schema: member})
	}
	return s, nil
}

// isEntry recognises a repeated message that stands for a map: those of proto
// maps, and those that ksqlDB generates.
func isEntry(fd protoreflect.FieldDescriptor) bool {
	if fd.IsMap() {
		return true
	}
	if fd.Kind() != protoreflect.MessageKind || !fd.IsList() {
		return false
	}
	m := fd.Message()
	if !strings.HasSuffix(string(m.Name()), "Entry") || m.Fields().Len() != 2 {
		return false
	}
	key, value := m.Fields().Get(0), m.Fields().Get(1)
	return key.Name() == "key" && value.Name() == "value" && !key.IsList() && !value.IsList()
}

func fieldSchema(fd protoreflect.FieldDescriptor, nullable Nullable, depth int) (*connect.Schema, error) {
	if isEntry(fd) {
		key, err := singleSchema(fd.Message().Fields().Get(0), nullable, depth)
		if err != nil {
			return nil, err
		}
		value, err := singleSchema(fd.Message().Fields().Get(1), nullable, depth)
		if err != nil {
			return nil, err
		}
		return &connect.Schema{Type: connect.Map, Key: key, Value: value, Optional: true}, nil
	}
	s, err := singleSchema(fd, nullable, depth)
	if err != nil || !fd.IsList() {
		return s, err
	}
	return &connect.Schema{Type: connect.Array, Value: s, Optional: true}, nil
}

// singleSchema is the schema of one value of a field.
func singleSchema(fd protoreflect.FieldDescriptor, nullable Nullable, depth int) (*connect.Schema, error) {
	s := &connect.Schema{Optional: true}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		s.Type = connect.Boolean
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		s.Type = smallType(fd)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Int64Kind, protoreflect.Sint64Kind,
		protoreflect.Sfixed64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		s.Type = connect.Int64
	case protoreflect.FloatKind:
		s.Type = connect.Float32
	case protoreflect.DoubleKind:
		s.Type = connect.Float64
	case protoreflect.StringKind, protoreflect.EnumKind:
		s.Type = connect.String
	case protoreflect.BytesKind:
		s.Type = connect.Bytes
	default:
		return knownSchema(fd, s, nullable, depth)
	}
	return s, nil
}

func knownSchema(fd protoreflect.FieldDescriptor, s *connect.Schema, nullable Nullable, depth int) (*connect.Schema, error) {
	switch fd.Message().FullName() {
	case decimalMessage:
		meta := params(fd)
		s.Type, s.Name = connect.Bytes, connect.Decimal
		s.Precision, _ = strconv.Atoi(meta["precision"])
		s.Scale, _ = strconv.Atoi(meta["scale"])
	case timestampMessage:
		s.Type, s.Name = connect.Int64, connect.Timestamp
	case dateMessage:
		s.Type, s.Name = connect.Int32, connect.Date
	case timeMessage:
		s.Type, s.Name = connect.Int32, connect.Time
	default:
		if inner := wrapped(fd, nullable); inner != nil {
			return singleSchema(inner, nullable, depth)
		}
		return messageSchema(fd.Message(), nullable, depth)
	}
	return s, nil
}

// wrapped is the field within a wrapper message such as
// google.protobuf.Int32Value, where those stand for values that may be null.
func wrapped(fd protoreflect.FieldDescriptor, nullable Nullable) protoreflect.FieldDescriptor {
	if nullable != AsWrapper || fd.Kind() != protoreflect.MessageKind {
		return nil
	}
	m := fd.Message()
	if m.FullName().Parent() != "google.protobuf" || !strings.HasSuffix(string(m.Name()), "Value") || m.Fields().Len() != 1 {
		return nil
	}
	return m.Fields().Get(0)
}

func smallType(fd protoreflect.FieldDescriptor) connect.Type {
	switch params(fd)["connect.type"] {
	case "int8":
		return connect.Int8
	case "int16":
		return connect.Int16
	default:
		return connect.Int32
	}
}

// metaField is the number of the option confluent.field_meta, and paramsField
// that of its map of parameters.
const (
	metaField   = 1088
	paramsField = 2
)

// params reads the parameters of the option confluent.field_meta.
func params(fd protoreflect.FieldDescriptor) map[string]string {
	raw, err := proto.Marshal(fd.Options())
	if err != nil {
		return nil
	}
	out := map[string]string{}
	eachBytes(raw, metaField, func(meta []byte) {
		eachBytes(meta, paramsField, func(entry []byte) {
			var key, value string
			eachBytes(entry, 1, func(b []byte) { key = string(b) })
			eachBytes(entry, 2, func(b []byte) { value = string(b) })
			out[key] = value
		})
	})
	return out
}

// eachBytes visits the length-delimited fields of a message with a number.
func eachBytes(raw []byte, number protowire.Number, visit func([]byte)) {
	for len(raw) > 0 {
		num, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return
		}
		raw = raw[n:]
		size := protowire.ConsumeFieldValue(num, kind, raw)
		if size < 0 {
			return
		}
		if num == number && kind == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(raw)
			visit(content)
		}
		raw = raw[size:]
	}
}
