package protobuf

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Nullable says how a NULL is told from a default value.
type Nullable string

// The ways to represent NULL: not at all, by proto3 optional fields, by the
// wrapper messages of google.protobuf.
const (
	NotNullable Nullable = ""
	AsOptional  Nullable = "OPTIONAL"
	AsWrapper   Nullable = "WRAPPER"
)

const (
	decimalMessage   = "confluent.type.Decimal"
	timestampMessage = "google.protobuf.Timestamp"
	dateMessage      = "google.type.Date"
	timeMessage      = "google.type.TimeOfDay"
)

var importOf = map[string]string{
	decimalMessage:   "confluent/type/decimal.proto",
	timestampMessage: "google/protobuf/timestamp.proto",
	dateMessage:      "google/type/date.proto",
	timeMessage:      "google/type/timeofday.proto",
}

const wrapperImport = "google/protobuf/wrappers.proto"

// SchemaText is the proto3 file that ksqlDB registers for a row: one message
// with a field for each column, numbered from 1. fullName names the message;
// without it it is ConnectDefault1, and nested ones count on from there.
func SchemaText(row *types.Type, fullName string, nullable Nullable) (string, error) {
	g := &generator{nullable: nullable, imports: map[string]bool{}}
	pkg, name := "", fullName
	if i := strings.LastIndexByte(fullName, '.'); i >= 0 {
		pkg, name = fullName[:i], fullName[i+1:]
	}
	if name == "" || strings.HasPrefix(fullName, defaultName) {
		pkg, name = "", g.nextName()
	}
	if row.Kind != types.KindStruct {
		// An unwrapped column is written as the message that carries it.
		row = types.StructOf(types.Field{Name: "value", Type: row})
	}
	body, err := g.message(name, row.Fields)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\n")
	if pkg != "" {
		b.WriteString("package " + pkg + ";\n")
	}
	b.WriteString("\n")
	if len(g.imports) > 0 {
		names := make([]string, 0, len(g.imports))
		for name := range g.imports {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			b.WriteString("import " + strconv.Quote(name) + ";\n")
		}
		b.WriteString("\n")
	}
	b.WriteString(body)
	return b.String(), nil
}

const defaultName = "ConnectDefault"

type generator struct {
	nullable Nullable
	imports  map[string]bool
	names    int
}

func (g *generator) nextName() string {
	g.names++
	return defaultName + strconv.Itoa(g.names)
}

// message writes a message, nested ones after its fields.
func (g *generator) message(name string, fields []types.Field) (string, error) {
	var b, nested strings.Builder
	b.WriteString("message " + name + " {\n")
	for i, f := range fields {
		text, inner, err := g.field(f.Name, f.Type, i+1)
		if err != nil {
			return "", fmt.Errorf("field %s: %w", f.Name, err)
		}
		b.WriteString(indent(text))
		nested.WriteString(inner)
	}
	if nested.Len() > 0 {
		b.WriteString("\n" + indent(nested.String()))
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// indent moves every line in, empty ones too, as the registry's printer does.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + line)
	}
	return b.String()
}

// field writes a field and the messages that have to be nested for it.
func (g *generator) field(name string, t *types.Type, number int) (text, nested string, err error) {
	label := ""
	switch {
	case t.Kind == types.KindArray:
		label, t = "repeated ", t.Elem
		if t.Kind == types.KindArray {
			return "", "", errors.New("Array should not occur here")
		}
	case t.Kind == types.KindMap:
		label = "repeated "
	case g.nullable == AsOptional:
		label = "optional "
	}
	typeName, nested, err := g.typeOf(t)
	if err != nil {
		return "", "", err
	}
	text = label + typeName + " " + name + " = " + strconv.Itoa(number)
	if t.Kind == types.KindDecimal {
		text += fmt.Sprintf(" [(confluent.field_meta) = {\n  params: [\n    {\n      value: \"%d\",\n      key: \"precision\"\n    },\n    {\n      value: \"%d\",\n      key: \"scale\"\n    }\n  ]\n}]", t.Precision, t.Scale)
	}
	return text + ";\n", nested, nil
}

func (g *generator) typeOf(t *types.Type) (name, nested string, err error) {
	scalar := func(name, wrapper string) (string, string, error) {
		if g.nullable == AsWrapper {
			g.imports[wrapperImport] = true
			return "google.protobuf." + wrapper, "", nil
		}
		return name, "", nil
	}
	known := func(name string) (string, string, error) {
		g.imports[importOf[name]] = true
		return name, "", nil
	}
	switch t.Kind {
	case types.KindBoolean:
		return scalar("bool", "BoolValue")
	case types.KindInteger:
		return scalar("int32", "Int32Value")
	case types.KindBigint:
		return scalar("int64", "Int64Value")
	case types.KindDouble:
		return scalar("double", "DoubleValue")
	case types.KindString:
		return scalar("string", "StringValue")
	case types.KindBytes:
		return scalar("bytes", "BytesValue")
	case types.KindDecimal:
		return known(decimalMessage)
	case types.KindTimestamp:
		return known(timestampMessage)
	case types.KindDate:
		return known(dateMessage)
	case types.KindTime:
		return known(timeMessage)
	case types.KindMap:
		name = g.nextName() + "Entry"
		nested, err = g.message(name, []types.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}})
		return name, nested, err
	case types.KindStruct:
		name = g.nextName()
		nested, err = g.message(name, t.Fields)
		return name, nested, err
	default:
		return "", "", errors.New("Array should not occur here")
	}
}
