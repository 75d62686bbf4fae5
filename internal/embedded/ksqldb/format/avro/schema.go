package avro

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// Namespace and RecordName name the record that ksqlDB writes where no other
// name is given.
const (
	Namespace  = "io.confluent.ksql.avro_schemas"
	RecordName = Namespace + ".KsqlDataSourceSchema"
)

// KeyName is the record name of the key of a stream or table: MY_OUT becomes
// io.confluent.ksql.avro_schemas.MyOutKey.
func KeyName(source string) string {
	var b strings.Builder
	b.WriteString(Namespace + ".")
	for word := range strings.SplitSeq(source, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + strings.ToLower(word[1:]))
		}
	}
	b.WriteString("Key")
	return b.String()
}

var legalName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// SchemaText is the schema that ksqlDB registers for a row: the union-typed
// record with Connect's properties that AvroData makes of a Connect schema, or
// the bare type of an unwrapped column. fullName names the record.
func SchemaText(row *types.Type, fullName string) (string, error) {
	w := &schemaWriter{}
	switch row.Kind {
	case types.KindStruct:
		w.record(row, fullName, "")
	case types.KindArray:
		w.array(row, fullName, "")
	case types.KindMap:
		w.entries(row, fullName, "")
	default:
		w.primitive(row, false)
	}
	if w.err != nil {
		return "", fmt.Errorf("Schema is not compatible with Avro: %w", w.err)
	}
	return w.b.String(), nil
}

// schemaWriter writes a schema the way Avro's Java library prints it. A name
// is the path from the root to the type, joined by "_", after the namespace of
// the root; enclosing is the namespace of the record around a type.
type schemaWriter struct {
	b   strings.Builder
	err error
}

func (w *schemaWriter) add(parts ...string) {
	for _, p := range parts {
		w.b.WriteString(p)
	}
}

func (w *schemaWriter) check(name string) {
	if w.err != nil || legalName.MatchString(name) {
		return
	}
	switch {
	case name == "":
		w.err = fmt.Errorf("Empty name")
	case !legalName.MatchString(name[:1]):
		w.err = fmt.Errorf("Illegal initial character: %s", name)
	default:
		w.err = fmt.Errorf("Illegal character in: %s", name)
	}
}

// open begins a record and gives its namespace.
func (w *schemaWriter) open(fullName, enclosing string) string {
	namespace, name := "", fullName
	if i := strings.LastIndexByte(fullName, '.'); i >= 0 {
		namespace, name = fullName[:i], fullName[i+1:]
	}
	w.check(name)
	w.add(`{"type":"record","name":`, strconv.Quote(name))
	if namespace != enclosing {
		w.add(`,"namespace":`, strconv.Quote(namespace))
	}
	w.add(`,"fields":[`)
	return namespace
}

func (w *schemaWriter) record(t *types.Type, fullName, enclosing string) {
	namespace := w.open(fullName, enclosing)
	for i, f := range t.Fields {
		if i > 0 {
			w.add(",")
		}
		w.field(avroName(f.Name), f.Type, fullName+"_"+f.Name, namespace)
	}
	w.add(`],"connect.name":`, strconv.Quote(fullName), `}`)
}

func (w *schemaWriter) field(name string, t *types.Type, path, enclosing string) {
	w.check(name)
	w.add(`{"name":`, strconv.Quote(name), `,"type":`)
	w.nullable(t, path, enclosing)
	w.add(`,"default":null}`)
}

func (w *schemaWriter) nullable(t *types.Type, path, enclosing string) {
	w.add(`["null",`)
	switch t.Kind {
	case types.KindStruct:
		w.record(t, path, enclosing)
	case types.KindArray:
		w.array(t, path, enclosing)
	case types.KindMap:
		w.entries(t, path, enclosing)
	default:
		w.primitive(t, true)
	}
	w.add(`]`)
}

func (w *schemaWriter) array(t *types.Type, path, enclosing string) {
	w.add(`{"type":"array","items":`)
	w.nullable(t.Elem, path, enclosing)
	w.add(`}`)
}

// entries writes a MAP: an array of entries, because ksqlDB's keys may be null
// and those of an Avro map may not.
func (w *schemaWriter) entries(t *types.Type, path, enclosing string) {
	w.add(`{"type":"array","items":`)
	namespace := w.open(path, enclosing)
	w.field("key", t.Key, path+"_MapKey", namespace)
	w.add(",")
	w.field("value", t.Elem, path+"_MapValue", namespace)
	w.add(`],"connect.internal.type":"MapEntry"},"connect.name":`, strconv.Quote(path), `}`)
}

// primitive writes a type without members. Logical types carry their version
// within a record but not at the root.
func (w *schemaWriter) primitive(t *types.Type, nested bool) {
	version := ""
	if nested {
		version = `"connect.version":1,`
	}
	logical := func(base, name, logicalType string) {
		w.add(`{"type":"`, base, `",`, version, `"connect.name":"`, name, `","logicalType":"`, logicalType, `"}`)
	}
	switch t.Kind {
	case types.KindBoolean:
		w.add(`"boolean"`)
	case types.KindInteger:
		w.add(`"int"`)
	case types.KindBigint:
		w.add(`"long"`)
	case types.KindDouble:
		w.add(`"double"`)
	case types.KindString:
		w.add(`"string"`)
	case types.KindBytes:
		w.add(`"bytes"`)
	case types.KindDecimal:
		precision, scale := strconv.Itoa(t.Precision), strconv.Itoa(t.Scale)
		w.add(`{"type":"bytes","scale":`, scale, `,"precision":`, precision, `,`, version,
			`"connect.parameters":{"scale":"`, scale, `","connect.decimal.precision":"`, precision, `"},`,
			`"connect.name":"`, connect.Decimal, `","logicalType":"decimal"}`)
	case types.KindTimestamp:
		logical("long", connect.Timestamp, "timestamp-millis")
	case types.KindDate:
		logical("int", connect.Date, "date")
	case types.KindTime:
		logical("int", connect.Time, "time-millis")
	}
}

// avroName is the name of the field that a column is written to.
func avroName(column string) string { return strings.ReplaceAll(column, ".", "_") }
