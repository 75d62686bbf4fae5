package convert

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// protobufReader makes Connect schemas of messages.
type protobufReader struct {
	optional bool // fields are optional only where they say so
	open     []protoreflect.FullName
}

var unwrapped = map[protoreflect.FullName]data.Type{
	"google.protobuf.DoubleValue": data.Float64, "google.protobuf.FloatValue": data.Float32, "google.protobuf.Int64Value": data.Int64,
	"google.protobuf.UInt64Value": data.Int64, "google.protobuf.Int32Value": data.Int32, "google.protobuf.UInt32Value": data.Int64,
	"google.protobuf.BoolValue": data.Boolean, "google.protobuf.StringValue": data.String, "google.protobuf.BytesValue": data.Bytes,
}

func (r protobufReader) message(m protoreflect.MessageDescriptor) (*data.Schema, error) {
	if t, ok := unwrapped[m.FullName()]; ok {
		return data.Of(t), nil
	}
	for _, name := range r.open {
		if name == m.FullName() {
			return nil, fault.New(fault.Data, "the Protobuf message %s contains itself, which the embedded worker does not support", name)
		}
	}
	r.open = append(r.open[:len(r.open):len(r.open)], m.FullName())
	s := &data.Schema{Type: data.StructType, Name: string(m.Name())}
	for i := range m.Oneofs().Len() {
		oneof := m.Oneofs().Get(i)
		if oneof.IsSynthetic() {
			continue
		}
		union := &data.Schema{Type: data.StructType, Name: protobufUnionPrefix + string(oneof.Name()), Optional: true}
		for j := range oneof.Fields().Len() {
			f, err := r.field(oneof.Fields().Get(j))
			if err != nil {
				return nil, err
			}
			union.Fields = append(union.Fields, f)
		}
		s.Fields = append(s.Fields, data.Field{Name: unionFieldName(oneof), Schema: union})
	}
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if realOneof(fd) != nil {
			continue
		}
		f, err := r.field(fd)
		if err != nil {
			return nil, err
		}
		s.Fields = append(s.Fields, f)
	}
	return s, nil
}

func unionFieldName(oneof protoreflect.OneofDescriptor) string {
	return string(oneof.Name()) + "_" + strconv.Itoa(oneof.Index())
}

// realOneof is the oneof that a field is in, nil for none and for the one that
// stands for the label optional.
func realOneof(fd protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if oneof := fd.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		return oneof
	}
	return nil
}

func (r protobufReader) field(fd protoreflect.FieldDescriptor) (data.Field, error) {
	s, err := r.typeOf(fd)
	if err != nil {
		return data.Field{}, err
	}
	if fd.Cardinality() == protoreflect.Repeated && s.Type != data.MapType {
		s.Optional = true
		s = &data.Schema{Type: data.Array, Value: s, Optional: true}
	}
	if !r.optional || fd.HasOptionalKeyword() {
		s.Optional = true
	}
	if s.Parameters == nil {
		s.Parameters = map[string]string{}
	}
	s.Parameters[protobufTag] = strconv.Itoa(int(fd.Number()))
	return data.Field{Name: string(fd.Name()), Schema: s}, nil
}

func (r protobufReader) typeOf(fd protoreflect.FieldDescriptor) (*data.Schema, error) {
	kind := fd.Kind()
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		switch fieldMeta(fd, "connect.type") {
		case "int8":
			return data.Of(data.Int8), nil
		case "int16":
			return data.Of(data.Int16), nil
		}
		return ownType(data.Int32, kind, protoreflect.Int32Kind), nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind,
		protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return ownType(data.Int64, kind, protoreflect.Int64Kind), nil
	case protoreflect.FloatKind:
		return data.Of(data.Float32), nil
	case protoreflect.DoubleKind:
		return data.Of(data.Float64), nil
	case protoreflect.BoolKind:
		return data.Of(data.Boolean), nil
	case protoreflect.StringKind:
		return data.Of(data.String), nil
	case protoreflect.BytesKind:
		return data.Of(data.Bytes), nil
	case protoreflect.EnumKind:
		e := fd.Enum()
		s := &data.Schema{Type: data.String, Name: string(e.Name()), Optional: true, Parameters: map[string]string{protobufEnum: string(e.Name())}}
		for i := range e.Values().Len() {
			v := e.Values().Get(i)
			s.Parameters[protobufEnum+"."+string(v.Name())] = strconv.Itoa(int(v.Number()))
		}
		return s, nil
	case protoreflect.MessageKind:
		s, err := r.messageField(fd)
		if err != nil {
			return nil, err
		}
		s.Optional = true
		return s, nil
	default:
		return nil, fault.New(fault.Data, "Unknown Connect schema type: %s", strings.ToUpper(kind.String()))
	}
}

// ownType makes a schema that tells its Protobuf type where it is not the usual one.
func ownType(t data.Type, kind, usual protoreflect.Kind) *data.Schema {
	s := data.Of(t)
	if kind != usual {
		s.Parameters = map[string]string{protobufType: kind.String()}
	}
	return s
}

func (r protobufReader) messageField(fd protoreflect.FieldDescriptor) (*data.Schema, error) {
	m := fd.Message()
	switch m.FullName() {
	case decimalMessage:
		scale, err := strconv.Atoi(fieldMeta(fd, "scale"))
		if err != nil {
			scale = 0
		}
		s := data.DecimalSchema(scale)
		if precision := fieldMeta(fd, "precision"); precision != "" {
			s.Parameters["connect.decimal.precision"] = precision
		}
		return s, nil
	case dateMessage:
		return data.Date(), nil
	case timeMessage:
		return data.TimeOfDay(), nil
	case timestampMessage:
		return data.Timestamp(), nil
	}
	if isMap(fd) {
		key, err := r.field(m.Fields().ByName("key"))
		if err != nil {
			return nil, err
		}
		value, err := r.field(m.Fields().ByName("value"))
		return &data.Schema{Type: data.MapType, Name: mapFieldName(string(m.Name())), Key: key.Schema, Value: value.Schema}, err
	}
	if _, ok := unwrapped[m.FullName()]; ok {
		s := &data.Schema{Type: data.StructType, Name: string(m.Name())}
		f, err := r.field(m.Fields().ByName("value"))
		s.Fields = []data.Field{f}
		return s, err
	}
	return r.message(m)
}

// isMap reports whether a field is a map, or a list of what the real converter
// writes for the entries of one.
func isMap(fd protoreflect.FieldDescriptor) bool {
	if fd.IsMap() {
		return true
	}
	if fd.Cardinality() != protoreflect.Repeated || !strings.HasSuffix(string(fd.Message().Name()), mapEntrySuffix) {
		return false
	}
	fields := fd.Message().Fields()
	return fields.Len() == 2 && fields.Get(0).Name() == "key" && fields.Get(1).Name() == "value" &&
		fields.Get(0).Cardinality() != protoreflect.Repeated && fields.Get(1).Cardinality() != protoreflect.Repeated
}

// fieldMeta gives what Confluent keeps of a field by a name, empty for nothing.
func fieldMeta(fd protoreflect.FieldDescriptor, name string) string {
	value := ""
	fd.Options().ProtoReflect().Range(func(option protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if option.FullName() != "confluent.field_meta" {
			return true
		}
		meta := v.Message()
		params := meta.Descriptor().Fields().ByName("params")
		if params == nil || !params.IsMap() {
			return false
		}
		if found := meta.Get(params).Map().Get(protoreflect.ValueOfString(name).MapKey()); found.IsValid() {
			value = found.String()
		}
		return false
	})
	return value
}
