package convert

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The names by which Connect schemas tell what is Protobuf's own.
const (
	protobufNamespace   = "io.confluent.connect.protobuf"
	protobufTag         = protobufNamespace + ".Tag"
	protobufType        = protobufNamespace + ".Type"
	protobufEnum        = protobufNamespace + ".Enum"
	protobufUnion       = protobufNamespace + ".Union"
	protobufUnionPrefix = protobufUnion + "."
	mapEntrySuffix      = "Entry"
)

// The messages that Connect's logical types are.
const (
	decimalMessage   = "confluent.type.Decimal"
	dateMessage      = "google.type.Date"
	timeMessage      = "google.type.TimeOfDay"
	timestampMessage = "google.protobuf.Timestamp"
)

var logicalMessages = map[string]struct{ message, file string }{
	data.DecimalName:   {decimalMessage, "confluent/type/decimal.proto"},
	data.DateName:      {dateMessage, "google/type/date.proto"},
	data.TimeName:      {timeMessage, "google/type/timeofday.proto"},
	data.TimestampName: {timestampMessage, "google/protobuf/timestamp.proto"},
}

// protobufWriter writes the .proto file of a Connect schema.
type protobufWriter struct {
	optional bool // optional fields say so
	scrub    bool // invalid names are made valid
	unnamed  int
	imports  []string
}

// file gives the text and the full name of its message.
func (w *protobufWriter) file(s *data.Schema) (text, message string, err error) {
	if s.Type != data.StructType {
		wrapper, ok := wrappers[s.Type]
		if !ok {
			return "", "", fault.New(fault.IllegalArgument, "Unsupported root schema of type %s", strings.ToUpper(s.Type.String()))
		}
		return wrappersFile, "google.protobuf." + wrapper, nil
	}
	parts := strings.Split(w.named(s.Name), ".")
	for i := range parts {
		parts[i] = w.scrubbed(parts[i])
	}
	body, err := w.message(parts[len(parts)-1], s)
	if err != nil {
		return "", "", err
	}
	var out strings.Builder
	out.WriteString("syntax = \"proto3\";\n")
	if len(parts) > 1 {
		fmt.Fprintf(&out, "package %s;\n", strings.Join(parts[:len(parts)-1], "."))
	}
	slices.Sort(w.imports)
	for _, path := range slices.Compact(w.imports) {
		fmt.Fprintf(&out, "import \"%s\";\n", path)
	}
	return out.String() + body, strings.Join(parts, "."), nil
}

func (w *protobufWriter) named(name string) string {
	if name != "" {
		return name
	}
	w.unnamed++
	return defaultName + strconv.Itoa(w.unnamed)
}

func (w *protobufWriter) scrubbed(name string) string {
	if !w.scrub {
		return name
	}
	return scrubProtobuf(name)
}

// unqualified is a name without its package.
func (w *protobufWriter) unqualified(name string) string {
	name = w.named(name)
	return w.scrubbed(name[strings.LastIndexByte(name, '.')+1:])
}

// protobufMessage is a message that is being written.
type protobufMessage struct {
	w      *protobufWriter
	types  map[string]bool
	nested strings.Builder
	fields strings.Builder
}

func (w *protobufWriter) message(name string, s *data.Schema) (string, error) {
	m := &protobufMessage{w: w, types: map[string]bool{}}
	next := 1
	for _, f := range s.Fields {
		tag, err := fieldTag(f.Schema, next)
		if err != nil {
			return "", err
		}
		if f.Schema.Parameters[protobufTag] == "" {
			next++
		}
		if err := m.field(&m.fields, f.Schema, w.scrubbed(f.Name), tag, false); err != nil {
			return "", err
		}
	}
	return "message " + name + " {\n" + m.nested.String() + m.fields.String() + "}\n", nil
}

func fieldTag(s *data.Schema, next int) (int, error) {
	text := s.Parameters[protobufTag]
	if text == "" {
		return next, nil
	}
	tag, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault.New(fault.NumberFormat, `For input string: "%s"`, text)
	}
	return tag, nil
}

func (m *protobufMessage) field(out *strings.Builder, s *data.Schema, name string, tag int, inUnion bool) error {
	label := ""
	switch {
	case s.Type == data.Array:
		label, s = "repeated ", s.Value
	case s.Type == data.MapType:
		label = "repeated "
	case m.w.optional && s.Optional && !inUnion && !isProtobufUnion(s):
		label = "optional "
	}
	if isProtobufUnion(s) {
		return m.union(s)
	}
	typ, options, err := m.typeOf(s, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s%s %s = %d%s;\n", label, typ, name, tag, options)
	return nil
}

func isProtobufUnion(s *data.Schema) bool {
	return s.Type == data.StructType && strings.HasPrefix(s.Name, protobufUnion)
}

func (m *protobufMessage) union(s *data.Schema) error {
	name := m.w.unqualified(strings.TrimPrefix(s.Name, protobufUnionPrefix))
	var members strings.Builder
	for _, f := range s.Fields {
		tag, err := fieldTag(f.Schema, 0)
		if err != nil {
			return err
		}
		if err := m.field(&members, f.Schema, m.w.scrubbed(f.Name), tag, true); err != nil {
			return err
		}
	}
	fmt.Fprintf(&m.fields, "oneof %s {\n%s}\n", name, members.String())
	return nil
}

var protobufScalars = map[data.Type]string{
	data.Int8: "int32", data.Int16: "int32", data.Int32: "int32", data.Int64: "int64", data.Float32: "float", data.Float64: "double",
	data.Boolean: "bool", data.String: "string", data.Bytes: "bytes",
}

// typeOf gives the type of a field with its options, and writes the types that it
// needs.
func (m *protobufMessage) typeOf(s *data.Schema, name string) (typ, options string, err error) {
	if logical, ok := logicalMessages[s.Name]; ok {
		m.w.imports = append(m.w.imports, logical.file)
		if s.Name == data.DecimalName {
			options = m.meta([]string{"precision", s.Parameters["connect.decimal.precision"], "scale", s.Parameters["scale"]})
		}
		return "." + logical.message, options, nil
	}
	switch s.Type {
	case data.Array:
		return "", "", fault.New(fault.IllegalArgument, "Array cannot be nested")
	case data.Int8, data.Int16:
		return "int32", m.meta([]string{"connect.type", s.Type.String()}), nil
	case data.MapType:
		typ = mapEntryName(m.w.unqualified(s.Name))
		return typ, "", m.mapEntry(typ, s)
	case data.StructType:
		typ = m.w.unqualified(s.Name)
		if typ == name {
			typ += "Message"
		}
		if m.types[typ] {
			return typ, "", nil
		}
		m.types[typ] = true
		text, err := m.w.message(typ, s)
		m.nested.WriteString(text)
		return typ, "", err
	}
	if enum := s.Parameters[protobufEnum]; enum != "" {
		return enum, "", m.enum(s)
	}
	if own := s.Parameters[protobufType]; own != "" {
		return own, "", nil
	}
	return protobufScalars[s.Type], "", nil
}

// meta writes what Confluent keeps of a field beyond Protobuf: names and values,
// those without a value left out.
func (m *protobufMessage) meta(params []string) string {
	var list []string
	for i := 0; i < len(params); i += 2 {
		if params[i+1] != "" {
			list = append(list, fmt.Sprintf("{key: %q, value: %q}", params[i], params[i+1]))
		}
	}
	if len(list) == 0 {
		return ""
	}
	m.w.imports = append(m.w.imports, "confluent/meta.proto")
	return " [(confluent.field_meta) = {params: [" + strings.Join(list, ", ") + "]}]"
}

func (m *protobufMessage) mapEntry(name string, s *data.Schema) error {
	entry := &protobufMessage{w: m.w, types: map[string]bool{}}
	if err := entry.field(&entry.fields, s.Key, "key", 1, false); err != nil {
		return err
	}
	if err := entry.field(&entry.fields, s.Value, "value", 2, false); err != nil {
		return err
	}
	m.nested.WriteString("message " + name + " {\n" + entry.nested.String() + entry.fields.String() + "}\n")
	return nil
}

func (m *protobufMessage) enum(s *data.Schema) error {
	name := m.w.unqualified(s.Name)
	if m.types[name] {
		return nil
	}
	m.types[name] = true
	type value struct {
		name string
		tag  int
	}
	var values []value
	for k, v := range s.Parameters {
		if symbol, ok := strings.CutPrefix(k, protobufEnum+"."); ok {
			tag, err := strconv.Atoi(v)
			if err != nil {
				return fault.New(fault.NumberFormat, `For input string: "%s"`, v)
			}
			values = append(values, value{symbol, tag})
		}
	}
	// The first value of an enum is that with number 0.
	slices.SortFunc(values, func(a, b value) int { return cmp.Or(cmp.Compare(a.tag, b.tag), strings.Compare(a.name, b.name)) })
	fmt.Fprintf(&m.nested, "enum %s {\n", name)
	for _, v := range values {
		fmt.Fprintf(&m.nested, "%s = %d;\n", v.name, v.tag)
	}
	m.nested.WriteString("}\n")
	return nil
}

// mapEntryName names the message of a map's entries.
func mapEntryName(name string) string {
	if !strings.Contains(name, "_") {
		return name + mapEntrySuffix
	}
	var out strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" {
			out.WriteString(strings.ToUpper(part[:1]) + strings.ToLower(part[1:]))
		}
	}
	return out.String() + mapEntrySuffix
}

// mapFieldName is the name of a map whose entries are a message.
func mapFieldName(entry string) string {
	name, ok := strings.CutSuffix(entry, mapEntrySuffix)
	if !ok {
		return entry
	}
	var out strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				out.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String()
}

// scrubProtobuf makes a name valid as the real converter does: what is no letter
// and no digit is escaped as in a URL, with underscores.
func scrubProtobuf(name string) string {
	wordChar := func(r rune) bool {
		return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_'
	}
	begins := func(c byte) bool { return c >= '0' && c <= '9' || c == '_' }
	if name == "" || !strings.ContainsFunc(name, func(r rune) bool { return !wordChar(r) }) && !begins(name[0]) {
		return name
	}
	encoded := url.QueryEscape(name)
	if begins(encoded[0]) {
		encoded = "x" + encoded
	}
	return strings.Map(func(r rune) rune {
		if wordChar(r) {
			return r
		}
		return '_'
	}, encoded)
}
