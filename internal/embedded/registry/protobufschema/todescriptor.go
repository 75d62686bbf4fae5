package protobufschema

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// descriptorName is the name of the file in a descriptor of a schema.
const descriptorName = "default"

// descriptor gives the file as a compiler's descriptor. Names of types stand in
// it as the file has them.
func (s *Schema) descriptor() *descriptorpb.FileDescriptorProto {
	w := &descriptorWriter{types: collect(s), proto3: s.file.syntax == "proto3"}
	d := &descriptorpb.FileDescriptorProto{Name: proto.String(descriptorName)}
	if s.file.syntax != "" {
		d.Syntax = proto.String(s.file.syntax)
	}
	if s.file.hasPackage {
		d.Package = proto.String(s.file.pkg)
	}
	known := wellKnown()
	for i, name := range s.Imports() {
		if s.imports[name] == nil && known[name] == nil {
			continue
		}
		if i >= len(s.file.imports) {
			d.PublicDependency = append(d.PublicDependency, int32(len(d.Dependency))) //nolint:gosec // an index
		}
		d.Dependency = append(d.Dependency, name)
	}
	for _, t := range s.file.types {
		w.types.within(t.name(), func() {
			if t.message != nil {
				d.MessageType = append(d.MessageType, w.message(t.message))
			} else {
				d.EnumType = append(d.EnumType, w.enum(t.enum))
			}
		})
	}
	for _, s := range s.file.services {
		d.Service = append(d.Service, w.service(s))
	}
	d.Extension = w.extensions(s.file.extends)
	d.Options = setOptions(new(descriptorpb.FileOptions), s.file.options, fileOptions)
	return d
}

// descriptorWriter makes the declarations of one file descriptor.
type descriptorWriter struct {
	types  *scopeTypes
	proto3 bool
}

// setOptions sets those standard options that are given. It gives nil when there
// are none.
func setOptions[M protoreflect.ProtoMessage](into M, options []option, names []string) M {
	m := into.ProtoReflect()
	set := false
	for _, o := range options {
		text, plain := valueText(o.value)
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(o.name))
		if o.parenthesized || !plain || fd == nil || !slices.Contains(names, o.name) {
			continue
		}
		var v protoreflect.Value
		switch fd.Kind() {
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString(text)
		case protoreflect.BoolKind:
			v = protoreflect.ValueOfBool(strings.EqualFold(text, "true"))
		case protoreflect.EnumKind:
			c := fd.Enum().Values().ByName(protoreflect.Name(text))
			if c == nil {
				continue
			}
			v = protoreflect.ValueOfEnum(c.Number())
		default:
			continue
		}
		set = true
		if fd.IsList() {
			m.Mutable(fd).List().Append(v)
			continue
		}
		m.Set(fd, v)
	}
	if !set {
		var none M
		return none
	}
	return into
}

func (w *descriptorWriter) message(m *message) *descriptorpb.DescriptorProto {
	d := &descriptorpb.DescriptorProto{Name: proto.String(m.name), Options: setOptions(new(descriptorpb.MessageOptions), m.options, messageOptions)}
	for _, t := range m.types {
		w.types.within(t.name(), func() {
			if t.message != nil {
				d.NestedType = append(d.NestedType, w.message(t.message))
			} else {
				d.EnumType = append(d.EnumType, w.enum(t.enum))
			}
		})
	}
	inOneof := map[string]bool{}
	member := func(f field, name string, optional bool) {
		fd := w.field(f, "optional")
		fd.OneofIndex = proto.Int32(int32(len(d.OneofDecl) - 1)) //nolint:gosec // an index
		if optional {
			fd.Proto3Optional = proto.Bool(true)
		}
		inOneof[name] = true
		d.Field = append(d.Field, fd)
	}
	for _, o := range m.oneofs {
		d.OneofDecl = append(d.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String(o.name)})
		for _, f := range o.fields {
			member(f, f.name, false)
		}
	}
	for _, f := range m.fields {
		key, value, isMap := mapTypes(f.typ)
		switch {
		case inOneof[f.name]:
		case isMap:
			entry := mapEntryName(f.name)
			d.NestedType = append(d.NestedType, &descriptorpb.DescriptorProto{
				Name:    proto.String(entry),
				Field:   []*descriptorpb.FieldDescriptorProto{w.field(field{typ: key, name: "key", number: 1}, ""), w.field(field{typ: value, name: "value", number: 2}, "")},
				Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
			})
			fd := w.field(f, "repeated")
			fd.Type, fd.TypeName = nil, proto.String(entry)
			d.Field = append(d.Field, fd)
		case f.label == "optional" && w.proto3:
			d.OneofDecl = append(d.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String("_" + f.name)})
			member(f, f.name, true)
		default:
			d.Field = append(d.Field, w.field(f, f.label))
		}
	}
	for _, v := range slices.Concat(m.reserved...) {
		if name, ok := v.(string); ok {
			d.ReservedName = append(d.ReservedName, name)
			continue
		}
		from, to := bounds(v)
		d.ReservedRange = append(d.ReservedRange, &descriptorpb.DescriptorProto_ReservedRange{Start: &from, End: proto.Int32(to + 1)})
	}
	for _, e := range m.extensions {
		for _, v := range e.values {
			from, to := bounds(v)
			d.ExtensionRange = append(d.ExtensionRange, &descriptorpb.DescriptorProto_ExtensionRange{Start: &from, End: proto.Int32(to + 1)})
		}
	}
	d.Extension = w.extensions(m.extends)
	return d
}

func bounds(v any) (from, to int32) {
	if r, ok := v.(span); ok {
		return int32(r.from), int32(r.to) //nolint:gosec // parsed as 32 bits
	}
	n, _ := v.(int)
	return int32(n), int32(n) //nolint:gosec // parsed as 32 bits
}

// mapEntryName is the name of the message for the entries of a map: the field's
// in camel case, with Entry after it.
func mapEntryName(name string) string {
	var b strings.Builder
	upper := true
	for _, r := range name {
		if r == '_' {
			upper = true
			continue
		}
		text := string(r)
		if upper {
			text = strings.ToUpper(text)
		}
		b.WriteString(text)
		upper = false
	}
	return b.String() + "Entry"
}

func (w *descriptorWriter) field(f field, label string) *descriptorpb.FieldDescriptorProto {
	d := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(f.name), Number: proto.Int32(int32(f.number)), //nolint:gosec // parsed as 32 bits
		DefaultValue: f.defaultValue, JsonName: f.jsonName, Options: setOptions(new(descriptorpb.FieldOptions), f.options, fieldOptions),
	}
	if n, ok := descriptorpb.FieldDescriptorProto_Label_value["LABEL_"+strings.ToUpper(label)]; ok {
		d.Label = descriptorpb.FieldDescriptorProto_Label(n).Enum()
	}
	if isScalar(f.typ) {
		d.Type = descriptorpb.FieldDescriptorProto_Type(descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(f.typ)]).Enum()
		return d
	}
	if info := w.types.byName(f.typ); info != nil {
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		if info.enum != nil {
			d.Type = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum()
		}
	}
	d.TypeName = proto.String(f.typ)
	return d
}

func (w *descriptorWriter) extensions(list []extend) []*descriptorpb.FieldDescriptorProto {
	var fields []*descriptorpb.FieldDescriptorProto
	for _, e := range list {
		for _, f := range e.fields {
			d := w.field(f, f.label)
			d.Extendee = proto.String(e.name)
			fields = append(fields, d)
		}
	}
	return fields
}

func (w *descriptorWriter) enum(e *enum) *descriptorpb.EnumDescriptorProto {
	d := &descriptorpb.EnumDescriptorProto{Name: proto.String(e.name), Options: setOptions(new(descriptorpb.EnumOptions), e.options, enumOptions)}
	for _, c := range e.constants {
		d.Value = append(d.Value, &descriptorpb.EnumValueDescriptorProto{
			Name: proto.String(c.name), Number: proto.Int32(int32(c.number)), //nolint:gosec // parsed as 32 bits
			Options: setOptions(new(descriptorpb.EnumValueOptions), c.options, constantOptions),
		})
	}
	for _, v := range slices.Concat(e.reserved...) {
		if name, ok := v.(string); ok {
			d.ReservedName = append(d.ReservedName, name)
			continue
		}
		from, to := bounds(v)
		d.ReservedRange = append(d.ReservedRange, &descriptorpb.EnumDescriptorProto_EnumReservedRange{Start: &from, End: &to})
	}
	return d
}

func (w *descriptorWriter) service(s service) *descriptorpb.ServiceDescriptorProto {
	d := &descriptorpb.ServiceDescriptorProto{Name: proto.String(s.name), Options: setOptions(new(descriptorpb.ServiceOptions), s.options, serviceOptions)}
	for _, c := range s.rpcs {
		m := &descriptorpb.MethodDescriptorProto{
			Name: proto.String(c.name), InputType: proto.String(c.request), OutputType: proto.String(c.response),
			Options: setOptions(new(descriptorpb.MethodOptions), c.options, methodOptions),
		}
		if c.streamsRequest {
			m.ClientStreaming = proto.Bool(true)
		}
		if c.streamsResponse {
			m.ServerStreaming = proto.Bool(true)
		}
		d.Method = append(d.Method, m)
	}
	return d
}
