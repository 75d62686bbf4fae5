package jsonsr

import (
	"strconv"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/json"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/serde"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// SchemaText is the JSON Schema that ksqlDB registers for a row: an object for
// a record, a type or null for an unwrapped column. Properties stand in the
// order of a java.util.HashMap; connect.index tells the order of the columns.
func SchemaText(row *types.Type, unwrapped bool) string {
	var b strings.Builder
	if unwrapped {
		b.WriteString("{")
		writeOptional(&b, row)
		b.WriteString("}")
		return b.String()
	}
	b.WriteString("{")
	writeType(&b, row)
	b.WriteString("}")
	return b.String()
}

// writeOptional writes the inside of an object: the type, or null.
func writeOptional(b *strings.Builder, t *types.Type) {
	b.WriteString(`"oneOf":[{"type":"null"},{`)
	writeType(b, t)
	b.WriteString("}]")
}

// writeType writes the inside of an object that describes a type.
func writeType(b *strings.Builder, t *types.Type) {
	logical := func(name, connectType string) {
		b.WriteString(`"type":"integer","title":"` + name + `","connect.version":1,"connect.type":"` + connectType + `"`)
	}
	switch t.Kind {
	case types.KindBoolean:
		b.WriteString(`"type":"boolean"`)
	case types.KindInteger:
		b.WriteString(`"type":"integer","connect.type":"int32"`)
	case types.KindBigint:
		b.WriteString(`"type":"integer","connect.type":"int64"`)
	case types.KindDouble:
		b.WriteString(`"type":"number","connect.type":"float64"`)
	case types.KindString:
		b.WriteString(`"type":"string"`)
	case types.KindBytes:
		b.WriteString(`"type":"string","connect.type":"bytes"`)
	case types.KindDecimal:
		b.WriteString(`"type":"number","title":"` + connect.Decimal + `","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"` +
			strconv.Itoa(t.Scale) + `","connect.decimal.precision":"` + strconv.Itoa(t.Precision) + `"}`)
	case types.KindTimestamp:
		logical(connect.Timestamp, "int64")
	case types.KindDate:
		logical(connect.Date, "int32")
	case types.KindTime:
		logical(connect.Time, "int32")
	case types.KindArray:
		b.WriteString(`"type":"array","items":{`)
		writeOptional(b, t.Elem)
		b.WriteString("}")
	case types.KindMap:
		b.WriteString(`"type":"array","connect.type":"map","items":{`)
		writeObject(b, []types.Field{{Name: "key", Type: t.Key}, {Name: "value", Type: t.Elem}})
		b.WriteString("}")
	case types.KindStruct:
		writeObject(b, t.Fields)
	}
}

func writeObject(b *strings.Builder, fields []types.Field) {
	b.WriteString(`"type":"object","properties":{`)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	for n, i := range serde.HashMapOrder(names, 0) {
		if n > 0 {
			b.WriteString(",")
		}
		b.Write(json.AppendString(nil, names[i]))
		b.WriteString(`:{"connect.index":` + strconv.Itoa(i) + ",")
		writeOptional(b, fields[i].Type)
		b.WriteString("}")
	}
	b.WriteString("}")
}
