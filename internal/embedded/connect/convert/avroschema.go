package convert

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The name of structs that have none.
const (
	defaultName      = "ConnectDefault"
	defaultNamespace = "io.confluent.connect.avro"
	enumParameter    = "io.confluent.connect.avro.Enum"
)

// AvroSchema writes the Avro schema that Confluent's converter registers for a
// Connect schema, its text included. meta adds names and versions as properties.
func AvroSchema(s *data.Schema, meta bool) (string, error) { return avroSchema(s, meta, false) }

// avroSchema does so; enums has enums written as such, not as texts.
func avroSchema(s *data.Schema, meta, enums bool) (string, error) {
	b := avroSchemaWriter{meta: meta, enums: enums, seen: map[string]*data.Schema{}}
	return b.schema(s, true)
}

type avroSchemaWriter struct {
	meta  bool
	enums bool
	seen  map[string]*data.Schema
}

func (b *avroSchemaWriter) schema(s *data.Schema, top bool) (string, error) {
	text, err := b.base(s)
	if err != nil || !s.Optional || top && s.Type == data.StructType {
		return text, err
	}
	if s.HasDefault && s.Default != nil {
		return "[" + text + `,"null"]`, nil
	}
	return `["null",` + text + "]", nil
}

func (b *avroSchemaWriter) base(s *data.Schema) (string, error) {
	var simple, extra string
	switch s.Type {
	case data.Int8, data.Int16:
		simple, extra = "int", `,"connect.type":"`+s.Type.String()+`"`
	case data.Int32:
		simple = "int"
	case data.Int64:
		simple = "long"
	case data.Float32:
		simple = "float"
	case data.Float64:
		simple = "double"
	case data.Boolean, data.String, data.Bytes:
		if s.Type == data.String && b.enums && s.Parameters[enumParameter] != "" {
			return b.enum(s)
		}
		simple = s.Type.String()
	case data.Array:
		element, err := b.schema(s.Value, false)
		return `{"type":"array","items":` + element + b.properties(s) + "}", err
	case data.MapType:
		if s.Key.Type != data.String || s.Key.Optional {
			return "", fault.New(fault.Data, "a map with keys of type %s can't be written as Avro by the embedded worker", s.Key.Type)
		}
		value, err := b.schema(s.Value, false)
		return `{"type":"map","values":` + value + b.properties(s) + "}", err
	default:
		return b.record(s)
	}
	switch s.Name {
	case data.TimestampName:
		extra += `,"logicalType":"timestamp-millis"`
	case data.DateName:
		extra += `,"logicalType":"date"`
	case data.TimeName:
		extra += `,"logicalType":"time-millis"`
	case data.DecimalName:
		precision := s.Parameters["connect.decimal.precision"]
		if precision == "" {
			precision = "64"
		}
		extra = fmt.Sprintf(`,"scale":%s,"precision":%s`, s.Parameters["scale"], precision) + extra
		return `{"type":"bytes"` + extra + b.properties(s) + `,"logicalType":"decimal"}`, nil
	}
	props := b.properties(s)
	if extra == "" && props == "" {
		return `"` + simple + `"`, nil
	}
	if i := strings.Index(extra, `,"logicalType"`); i >= 0 {
		return `{"type":"` + simple + `"` + extra[:i] + props + extra[i:] + "}", nil
	}
	return `{"type":"` + simple + `"` + extra + props + "}", nil
}

func (b *avroSchemaWriter) enum(s *data.Schema) (string, error) {
	full := s.Parameters[enumParameter]
	if earlier, ok := b.seen[full]; ok {
		if !maps.Equal(earlier.Parameters, s.Parameters) {
			return "", fault.New(fault.Data, "Two different schemas are both named %s", full)
		}
		return string(AppendJSONString(nil, full)), nil
	}
	b.seen[full] = s
	namespace, name := fullName(full)
	text := `{"type":"enum","name":` + string(AppendJSONString(nil, name))
	if namespace != "" {
		text += `,"namespace":` + string(AppendJSONString(nil, namespace))
	}
	symbols := s.Symbols
	if symbols == nil {
		for _, k := range sortedKeys(s.Parameters) {
			if symbol, ok := strings.CutPrefix(k, enumParameter+"."); ok {
				symbols = append(symbols, symbol)
			}
		}
	}
	list := make([]string, len(symbols))
	for i, symbol := range symbols {
		list[i] = string(AppendJSONString(nil, symbol))
	}
	return text + `,"symbols":[` + strings.Join(list, ",") + "]" + b.properties(s) + "}", nil
}

func (b *avroSchemaWriter) record(s *data.Schema) (string, error) {
	namespace, name := fullName(s.Name)
	if s.Name == "" {
		namespace, name = defaultNamespace, defaultName
	}
	full := strings.TrimPrefix(namespace+"."+name, ".")
	if earlier, ok := b.seen[full]; ok {
		if !data.Equal(earlier.AsOptional(false), s.AsOptional(false)) {
			return "", fault.New(fault.Data, "Two different schemas are both named %s", full)
		}
		return `"` + full + `"`, nil
	}
	b.seen[full] = s
	text := `{"type":"record","name":` + string(AppendJSONString(nil, name))
	if namespace != "" {
		text += `,"namespace":` + string(AppendJSONString(nil, namespace))
	}
	if s.Doc != "" {
		text += `,"doc":` + string(AppendJSONString(nil, s.Doc))
	}
	fields := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		sub, err := b.schema(f.Schema, false)
		if err != nil {
			return "", err
		}
		fields[i] = `{"name":` + string(AppendJSONString(nil, f.Name)) + `,"type":` + sub
		switch {
		case f.Schema.HasDefault && f.Schema.Default != nil:
			def, err := (JSONFormat{}).Append(nil, f.Schema, f.Schema.Default)
			if err != nil {
				return "", err
			}
			fields[i] += `,"default":` + string(def)
		case f.Schema.Optional:
			fields[i] += `,"default":null`
		}
		fields[i] += "}"
	}
	return text + `,"fields":[` + strings.Join(fields, ",") + "]" + b.properties(s) + "}", nil
}

// properties writes what Avro has no word for.
func (b *avroSchemaWriter) properties(s *data.Schema) string {
	if !b.meta {
		return ""
	}
	text := ""
	if s.Doc != "" && s.Type != data.StructType {
		text += `,"connect.doc":` + string(AppendJSONString(nil, s.Doc))
	}
	if s.Version != nil {
		text += `,"connect.version":` + strconv.Itoa(*s.Version)
	}
	if len(s.Parameters) > 0 {
		params := make([]string, 0, len(s.Parameters))
		for _, k := range sortedKeys(s.Parameters) {
			params = append(params, string(AppendJSONString(nil, k))+":"+string(AppendJSONString(nil, s.Parameters[k])))
		}
		text += `,"connect.parameters":{` + strings.Join(params, ",") + "}"
	}
	if s.Name != "" {
		text += `,"connect.name":` + string(AppendJSONString(nil, s.Name))
	}
	return text
}

// connectSchema gives the Connect schema of an Avro schema. open has the names of
// the records around it.
func connectSchema(n *avro.SchemaNode, open map[string]bool) (*data.Schema, error) {
	s := &data.Schema{Doc: n.Doc}
	if name, ok := n.Props["connect.name"].(string); ok {
		s.Name = name
	}
	if version, ok := n.Props["connect.version"].(int64); ok {
		s.Version = data.Version(int(version))
	}
	var err error
	switch n.Type {
	case "boolean":
		s.Type = data.Boolean
	case "int":
		switch n.Props["connect.type"] {
		case "int8":
			s.Type = data.Int8
		case "int16":
			s.Type = data.Int16
		default:
			s.Type = data.Int32
		}
	case "long":
		s.Type = data.Int64
	case "float":
		s.Type = data.Float32
	case "double":
		s.Type = data.Float64
	case "string":
		s.Type = data.String
	case "bytes", "fixed":
		s.Type = data.Bytes
	case "enum":
		s.Type = data.String
		s.Parameters = map[string]string{enumParameter: strings.TrimPrefix(n.Namespace+"."+n.Name, ".")}
		s.Symbols = n.Symbols
		for _, symbol := range n.Symbols {
			s.Parameters[enumParameter+"."+symbol] = symbol
		}
	case "array":
		s.Type = data.Array
		s.Value, err = connectSchema(n.Items, open)
	case "map":
		s.Type = data.MapType
		s.Key = data.Of(data.String)
		s.Value, err = connectSchema(n.Values, open)
	case "union":
		return connectUnion(n, open)
	case "record", "error":
		return connectRecord(n, s, open)
	default:
		return nil, fault.New(fault.Data, "Avro's %s has no place in Connect's data", n.Type)
	}
	logical(n, s)
	return s, err
}

func logical(n *avro.SchemaNode, s *data.Schema) {
	switch n.LogicalType {
	case "timestamp-millis":
		s.Name, s.Version = data.TimestampName, data.Version(1)
	case "date":
		s.Name, s.Version = data.DateName, data.Version(1)
	case "time-millis":
		s.Name, s.Version = data.TimeName, data.Version(1)
	case "decimal":
		s.Name, s.Version = data.DecimalName, data.Version(1)
		s.Parameters = map[string]string{"scale": strconv.Itoa(n.Scale), "connect.decimal.precision": strconv.Itoa(n.Precision)}
	}
}

func connectUnion(n *avro.SchemaNode, open map[string]bool) (*data.Schema, error) {
	var other *avro.SchemaNode
	optional := false
	for i := range n.Branches {
		if n.Branches[i].Type == "null" {
			optional = true
		} else if other == nil {
			other = &n.Branches[i]
		} else {
			return nil, fault.New(fault.Data, "an Avro union of several types can't be read by the embedded worker; only a type and null can")
		}
	}
	if other == nil {
		return nil, fault.New(fault.Data, "an Avro union without a type can't be read")
	}
	s, err := connectSchema(other, open)
	if err != nil {
		return nil, err
	}
	return s.AsOptional(optional), nil
}

func connectRecord(n *avro.SchemaNode, s *data.Schema, open map[string]bool) (*data.Schema, error) {
	full := strings.TrimPrefix(n.Namespace+"."+n.Name, ".")
	if strings.Contains(n.Name, ".") {
		full = n.Name
	}
	if open[full] {
		return nil, fault.New(fault.Data, "the Avro record %s contains itself, which the embedded worker does not support", full)
	}
	open[full] = true
	defer delete(open, full)
	s.Type = data.StructType
	if s.Name == "" && full != defaultNamespace+"."+defaultName {
		s.Name = full
	}
	for i := range n.Fields {
		f := &n.Fields[i]
		sub, err := connectSchema(&f.Type, open)
		if err != nil {
			return nil, err
		}
		if f.HasDefault {
			sub = sub.Clone()
			if f.Default == nil {
				sub.Default, sub.HasDefault = nil, true
			} else if v, err := fromAvro(sub, f.Default); err == nil {
				sub.Default, sub.HasDefault = v, true
			}
		}
		s.Fields = append(s.Fields, data.Field{Name: f.Name, Schema: sub})
	}
	return s, nil
}
