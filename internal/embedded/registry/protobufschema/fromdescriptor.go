package protobufschema

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// fromDescriptor gives the file that a compiler's descriptor was made from.
func fromDescriptor(d *descriptorpb.FileDescriptorProto) *file {
	f := &file{hasPackage: d.GetPackage() != "", pkg: d.GetPackage(), options: standardOptions(d.GetOptions(), fileOptions)}
	if s := d.GetSyntax(); s == "proto2" || s == "proto3" {
		f.syntax = s
	}
	c := &descriptorReader{proto3: f.syntax == "proto3"}
	for _, m := range d.GetMessageType() {
		f.types = append(f.types, typeDecl{message: c.message(m)})
	}
	for _, e := range d.GetEnumType() {
		f.types = append(f.types, typeDecl{enum: c.enum(e)})
	}
	for _, s := range d.GetService() {
		f.services = append(f.services, c.service(s))
	}
	for i, name := range d.GetDependency() {
		if slices.Contains(d.GetPublicDependency(), int32(i)) { //nolint:gosec // an index
			f.publicImports = append(f.publicImports, name)
		} else {
			f.imports = append(f.imports, name)
		}
	}
	f.extends = c.extends(d.GetExtension())
	return f
}

// The standard options of each kind of declaration, in the order in which they
// are written.
var (
	fileOptions = []string{"java_package", "java_outer_classname", "java_multiple_files", "java_generate_equals_and_hash",
		"java_string_check_utf8", "optimize_for", "go_package", "cc_generic_services", "java_generic_services",
		"py_generic_services", "deprecated", "cc_enable_arenas", "objc_class_prefix", "csharp_namespace", "swift_prefix",
		"php_class_prefix", "php_namespace", "php_metadata_namespace", "ruby_package"}
	messageOptions  = []string{"no_standard_descriptor_accessor", "deprecated", "map_entry"}
	fieldOptions    = []string{"ctype", "packed", "jstype", "deprecated", "debug_redact", "retention", "targets"}
	enumOptions     = []string{"allow_alias", "deprecated"}
	constantOptions = []string{"deprecated", "debug_redact"}
	serviceOptions  = []string{"deprecated"}
	methodOptions   = []string{"deprecated", "idempotency_level"}
)

// standardOptions gives those of the named options that are set.
func standardOptions(set protoreflect.ProtoMessage, names []string) []option {
	m := set.ProtoReflect()
	if !m.IsValid() {
		return nil
	}
	var list []option
	for _, name := range names {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if fd == nil || !m.Has(fd) {
			continue
		}
		if !fd.IsList() {
			list = append(list, option{name: name, value: optionValue(fd, m.Get(fd))})
			continue
		}
		values := m.Get(fd).List()
		for i := range values.Len() {
			list = append(list, option{name: name, value: optionValue(fd, values.Get(i))})
		}
	}
	return list
}

func optionValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.EnumKind:
		if c := fd.Enum().Values().ByNumber(v.Enum()); c != nil {
			return word{text: string(c.Name())}
		}
		return word{text: v.String(), number: true}
	default:
		return word{text: v.String()}
	}
}

// descriptorReader reads the declarations of one file descriptor.
type descriptorReader struct{ proto3 bool }

func (c *descriptorReader) message(d *descriptorpb.DescriptorProto) *message {
	m := &message{name: d.GetName(), options: standardOptions(d.GetOptions(), messageOptions)}
	oneofs := make([]oneof, len(d.GetOneofDecl()))
	for i, o := range d.GetOneofDecl() {
		oneofs[i].name = o.GetName()
	}
	for _, fd := range d.GetField() {
		f := c.field(fd)
		if i := int(fd.GetOneofIndex()); fd.OneofIndex != nil && !fd.GetProto3Optional() && i < len(oneofs) {
			f.label = ""
			oneofs[i].fields = append(oneofs[i].fields, f)
			continue
		}
		m.fields = append(m.fields, f)
	}
	m.oneofs = slices.DeleteFunc(oneofs, func(o oneof) bool { return len(o.fields) == 0 })
	for _, nested := range d.GetNestedType() {
		m.types = append(m.types, typeDecl{message: c.message(nested)})
	}
	for _, nested := range d.GetEnumType() {
		m.types = append(m.types, typeDecl{enum: c.enum(nested)})
	}
	for _, r := range d.GetReservedRange() {
		m.reserved = append(m.reserved, []any{numbers(r.GetStart(), r.GetEnd()-1)})
	}
	for _, name := range d.GetReservedName() {
		m.reserved = append(m.reserved, []any{name})
	}
	for _, r := range d.GetExtensionRange() {
		m.extensions = append(m.extensions, extensions{values: []any{numbers(r.GetStart(), r.GetEnd()-1)}})
	}
	m.extends = c.extends(d.GetExtension())
	return m
}

// numbers gives a range, or the number when it has only one.
func numbers(from, to int32) any {
	if from == to {
		return int(from)
	}
	return span{int(from), int(to)}
}

func (c *descriptorReader) extends(fields []*descriptorpb.FieldDescriptorProto) []extend {
	var list []extend
	for _, fd := range fields {
		i := slices.IndexFunc(list, func(e extend) bool { return e.name == fd.GetExtendee() })
		if i < 0 {
			i = len(list)
			list = append(list, extend{name: fd.GetExtendee()})
		}
		list[i].fields = append(list[i].fields, c.field(fd))
	}
	return list
}

func (c *descriptorReader) field(d *descriptorpb.FieldDescriptorProto) field {
	f := field{
		label: c.label(d), typ: d.GetTypeName(), name: d.GetName(), number: int(d.GetNumber()),
		jsonName: d.JsonName, options: standardOptions(d.GetOptions(), fieldOptions),
	}
	if f.typ == "" {
		f.typ = strings.ToLower(strings.TrimPrefix(d.GetType().String(), "TYPE_"))
	}
	if !c.proto3 {
		f.defaultValue = d.DefaultValue
	}
	return f
}

func (c *descriptorReader) label(d *descriptorpb.FieldDescriptorProto) string {
	label := strings.ToLower(strings.TrimPrefix(d.GetLabel().String(), "LABEL_"))
	if c.proto3 && label != "repeated" && !d.GetProto3Optional() {
		return ""
	}
	return label
}

func (c *descriptorReader) enum(d *descriptorpb.EnumDescriptorProto) *enum {
	e := &enum{name: d.GetName(), options: standardOptions(d.GetOptions(), enumOptions)}
	for _, v := range d.GetValue() {
		e.constants = append(e.constants, constant{v.GetName(), int(v.GetNumber()), standardOptions(v.GetOptions(), constantOptions)})
	}
	for _, r := range d.GetReservedRange() {
		e.reserved = append(e.reserved, []any{numbers(r.GetStart(), r.GetEnd())})
	}
	for _, name := range d.GetReservedName() {
		e.reserved = append(e.reserved, []any{name})
	}
	return e
}

func (c *descriptorReader) service(d *descriptorpb.ServiceDescriptorProto) service {
	s := service{name: d.GetName(), options: standardOptions(d.GetOptions(), serviceOptions)}
	for _, m := range d.GetMethod() {
		s.rpcs = append(s.rpcs, rpc{
			name: m.GetName(), request: m.GetInputType(), response: m.GetOutputType(),
			streamsRequest: m.GetClientStreaming(), streamsResponse: m.GetServerStreaming(),
			options: standardOptions(m.GetOptions(), methodOptions),
		})
	}
	return s
}
