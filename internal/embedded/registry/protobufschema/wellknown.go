package protobufschema

import (
	"sync"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/sourcecontextpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// wellKnown gives the files that every schema may import. Those that no Go
// library of Protobuf's own brings along have only the names that they declare,
// which is all that resolving and comparing needs.
var wellKnown = sync.OnceValue(func() map[string]*file {
	files := map[string]*file{}
	for _, d := range []protoreflect.FileDescriptor{
		anypb.File_google_protobuf_any_proto, apipb.File_google_protobuf_api_proto,
		descriptorpb.File_google_protobuf_descriptor_proto, durationpb.File_google_protobuf_duration_proto,
		emptypb.File_google_protobuf_empty_proto, fieldmaskpb.File_google_protobuf_field_mask_proto,
		sourcecontextpb.File_google_protobuf_source_context_proto, structpb.File_google_protobuf_struct_proto,
		timestamppb.File_google_protobuf_timestamp_proto, typepb.File_google_protobuf_type_proto,
		wrapperspb.File_google_protobuf_wrappers_proto,
	} {
		files[d.Path()] = fromDescriptor(protodesc.ToFileDescriptorProto(d))
	}
	for path, types := range map[string][]typeDecl{
		"google/type/calendar_period.proto": {enumNamed("CalendarPeriod")},
		"google/type/color.proto":           {messageNamed("Color")},
		"google/type/date.proto":            {messageNamed("Date")},
		"google/type/datetime.proto":        {messageNamed("DateTime"), messageNamed("TimeZone")},
		"google/type/dayofweek.proto":       {enumNamed("DayOfWeek")},
		"google/type/decimal.proto":         {messageNamed("Decimal")},
		"google/type/expr.proto":            {messageNamed("Expr")},
		"google/type/fraction.proto":        {messageNamed("Fraction")},
		"google/type/interval.proto":        {messageNamed("Interval")},
		"google/type/latlng.proto":          {messageNamed("LatLng")},
		"google/type/money.proto":           {messageNamed("Money")},
		"google/type/month.proto":           {enumNamed("Month")},
		"google/type/phone_number.proto":    {messageNamed("PhoneNumber")},
		"google/type/postal_address.proto":  {messageNamed("PostalAddress")},
		"google/type/quaternion.proto":      {messageNamed("Quaternion")},
		"google/type/timeofday.proto":       {messageNamed("TimeOfDay")},
	} {
		files[path] = &file{syntax: "proto3", hasPackage: true, pkg: "google.type", types: types}
	}
	files["confluent/type/decimal.proto"] = &file{syntax: "proto3", hasPackage: true, pkg: "confluent.type", types: []typeDecl{messageNamed("Decimal")}}
	meta := &file{syntax: "proto3", hasPackage: true, pkg: "confluent", types: []typeDecl{messageNamed("Meta")}}
	for extended, name := range map[string]string{
		"FileOptions": "file_meta", "MessageOptions": "message_meta", "FieldOptions": "field_meta",
		"EnumOptions": "enum_meta", "EnumValueOptions": "enum_value_meta",
	} {
		meta.extends = append(meta.extends, extend{"google.protobuf." + extended, []field{{typ: "Meta", name: name, number: 1088}}})
	}
	files["confluent/meta.proto"] = meta
	return files
})

func messageNamed(name string) typeDecl { return typeDecl{message: &message{name: name}} }

func enumNamed(name string) typeDecl { return typeDecl{enum: &enum{name: name}} }
