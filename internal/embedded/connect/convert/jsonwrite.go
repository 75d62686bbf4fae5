package convert

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// JSONFormat says how data is written as JSON text. The text is Jackson's: no
// spaces, numbers as Java writes them, nothing escaped that need not be.
type JSONFormat struct {
	// NumericDecimals writes decimals as numbers, not as base64 of their bytes.
	NumericDecimals bool
	// ReplaceNull writes a field's default in place of null.
	ReplaceNull bool
	// Described writes as the converter for JSON Schema does: what is null and
	// must not be is left out of its object, and maps without text keys are lists
	// of objects with key and value.
	Described bool
}

// Append writes a value. schema may be nil.
func (f JSONFormat) Append(buf []byte, schema *data.Schema, value any) ([]byte, error) {
	if value == nil && schema != nil {
		switch {
		case schema.HasDefault && f.ReplaceNull:
			value = schema.Default
		case schema.Optional || schema.HasDefault:
		default:
			return nil, fault.New(fault.Data, "Conversion error: null value for field that is required and has no default value")
		}
	}
	if value == nil {
		return append(buf, "null"...), nil
	}
	if err := checkLogical(schema, value); err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(buf, v), nil
	case int8:
		return strconv.AppendInt(buf, int64(v), 10), nil
	case int16:
		return strconv.AppendInt(buf, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(buf, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(buf, v, 10), nil
	case float32:
		return appendFloat(buf, data.FormatFloat(v)), nil
	case float64:
		return appendFloat(buf, data.FormatDouble(v)), nil
	case string:
		return AppendJSONString(buf, v), nil
	case []byte:
		return AppendJSONString(buf, base64.StdEncoding.EncodeToString(v)), nil
	case time.Time:
		return f.appendTime(buf, schema, v)
	case data.Decimal:
		if f.NumericDecimals {
			return append(buf, v.String()...), nil
		}
		if scale := decimalScale(schema); scale != v.Scale {
			return nil, fault.New(fault.Data, "Decimal value has mismatching scale for given Decimal schema. Schema has scale %d, value has scale %d.", scale, v.Scale)
		}
		return AppendJSONString(buf, base64.StdEncoding.EncodeToString(bigBytes(v.Unscaled))), nil
	case *data.Struct:
		return f.appendStruct(buf, v)
	case *data.Map:
		return f.appendMap(buf, schema, v)
	case []any:
		return f.appendArray(buf, schema, v)
	default:
		return nil, fault.New(fault.Data, "Couldn't convert value of type %T to JSON.", value)
	}
}

// checkLogical refuses a logical type's value without its schema, and the schema with
// another value.
func checkLogical(schema *data.Schema, value any) error {
	_, isTime := value.(time.Time)
	_, isDecimal := value.(data.Decimal)
	if schema == nil {
		if isTime || isDecimal {
			return fault.New(fault.Data, "Java class class %s does not have corresponding schema type.", data.ClassName(value))
		}
		return nil
	}
	switch schema.Name {
	case data.DateName, data.TimeName, data.TimestampName:
		if !isTime {
			return fault.New(fault.Data, "Invalid type for %s, expected Date but was class %s", strings.TrimPrefix(schema.Name, "org.apache.kafka.connect.data."), data.ClassName(value))
		}
	case data.DecimalName:
		if !isDecimal {
			return fault.New(fault.Data, "Invalid type for Decimal, expected BigDecimal but was class %s", data.ClassName(value))
		}
	}
	return nil
}

// appendFloat writes a number; what JSON has no number for is a string, as
// Jackson does.
func appendFloat(buf []byte, text string) []byte {
	if strings.ContainsAny(text, "NI") {
		return AppendJSONString(buf, text)
	}
	return append(buf, text...)
}

func (f JSONFormat) appendTime(buf []byte, schema *data.Schema, t time.Time) ([]byte, error) {
	if err := checkDate(schema, t); err != nil {
		return nil, err
	}
	return strconv.AppendInt(buf, LogicalNumber(schema, t), 10), nil
}

// checkDate refuses a date that has a time of day.
func checkDate(schema *data.Schema, t time.Time) error {
	const day = 24 * 60 * 60 * 1000
	if schema != nil && schema.Name == data.DateName && t.UnixMilli()%day != 0 {
		return fault.New(fault.Data, "Kafka Connect Date type should not have any time fields set to non-zero values.")
	}
	return nil
}

// LogicalNumber is the number that stands for a date, a time or a timestamp.
func LogicalNumber(schema *data.Schema, t time.Time) int64 {
	const day = 24 * 60 * 60 * 1000
	ms := t.UnixMilli()
	if schema != nil {
		switch schema.Name {
		case data.DateName:
			if ms < 0 && ms%day != 0 {
				return ms/day - 1
			}
			return ms / day
		case data.TimeName:
			return ((ms % day) + day) % day
		}
	}
	return ms
}

func (f JSONFormat) appendStruct(buf []byte, s *data.Struct) ([]byte, error) {
	buf = append(buf, '{')
	var err error
	comma := false
	for i, field := range s.Schema.Fields {
		if f.Described && s.Values[i] == nil && !field.Schema.Optional && !(field.Schema.HasDefault && f.ReplaceNull) {
			continue
		}
		if comma {
			buf = append(buf, ',')
		}
		comma = true
		buf = append(AppendJSONString(buf, field.Name), ':')
		if buf, err = f.Append(buf, field.Schema, s.Values[i]); err != nil {
			return nil, err
		}
	}
	return append(buf, '}'), nil
}

func (f JSONFormat) appendMap(buf []byte, schema *data.Schema, m *data.Map) ([]byte, error) {
	var keySchema, valueSchema *data.Schema
	object := true
	if schema != nil {
		if keySchema, valueSchema = schema.Key, schema.Value; keySchema == nil {
			return nil, fault.New(fault.NullPointer, `Cannot invoke "org.apache.kafka.connect.data.Schema.type()" because the return value of "org.apache.kafka.connect.data.Schema.keySchema()" is null`)
		}
		object = keySchema.Type == data.String && !(f.Described && keySchema.Optional)
	} else {
		object = !slices.ContainsFunc(m.Keys, func(k any) bool { _, ok := k.(string); return !ok })
	}
	opening, closing := byte('['), byte(']')
	entryOpening, entryMiddle, entryClosing := "[", ",", "]"
	if f.Described {
		entryOpening, entryMiddle, entryClosing = `{"key":`, `,"value":`, "}"
	}
	if object {
		opening, closing = '{', '}'
	}
	buf = append(buf, opening)
	var err error
	for i, key := range m.Keys {
		if i > 0 {
			buf = append(buf, ',')
		}
		if !object {
			buf = append(buf, entryOpening...)
		}
		if buf, err = f.Append(buf, keySchema, key); err != nil {
			return nil, err
		}
		if object {
			buf = append(buf, ':')
		} else {
			buf = append(buf, entryMiddle...)
		}
		if buf, err = f.Append(buf, valueSchema, m.Values[i]); err != nil {
			return nil, err
		}
		if !object {
			buf = append(buf, entryClosing...)
		}
	}
	return append(buf, closing), nil
}

func (f JSONFormat) appendArray(buf []byte, schema *data.Schema, list []any) ([]byte, error) {
	var element *data.Schema
	if schema != nil {
		element = schema.Value
	}
	buf = append(buf, '[')
	var err error
	for i, v := range list {
		if i > 0 {
			buf = append(buf, ',')
		}
		if buf, err = f.Append(buf, element, v); err != nil {
			return nil, err
		}
	}
	return append(buf, ']'), nil
}

const hexDigits = "0123456789ABCDEF"

// AppendJSONString writes a JSON string as Jackson does to bytes: only quotes,
// backslashes, control characters and what is beyond U+FFFF are escaped.
func AppendJSONString(buf []byte, text string) []byte {
	buf = append(buf, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			buf = append(buf, '\\', byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			buf = fmt.Appendf(buf, `\u%04X\u%04X`, high, low)
		case r >= 0x20:
			buf = utf8.AppendRune(buf, r)
		case r == '\b':
			buf = append(buf, '\\', 'b')
		case r == '\t':
			buf = append(buf, '\\', 't')
		case r == '\n':
			buf = append(buf, '\\', 'n')
		case r == '\f':
			buf = append(buf, '\\', 'f')
		case r == '\r':
			buf = append(buf, '\\', 'r')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		}
	}
	return append(buf, '"')
}

// bigBytes gives the two's complement of a number, big endian, as Java does.
func bigBytes(n *big.Int) []byte {
	if n.Sign() >= 0 {
		raw := n.Bytes()
		if len(raw) == 0 || raw[0]&0x80 != 0 {
			raw = append([]byte{0}, raw...)
		}
		return raw
	}
	size := n.BitLen()/8 + 1
	raw := new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size*8))).Bytes()
	if len(raw) > 1 && raw[0] == 0xff && raw[1]&0x80 != 0 {
		raw = raw[1:]
	}
	return raw
}

func bigFromBytes(raw []byte) *big.Int {
	n := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(raw)*8)))
	}
	return n
}

// jsonSchemaText writes a schema as the JSON converter's envelope has it.
func jsonSchemaText(s *data.Schema) string {
	if s == nil {
		return "null"
	}
	return "{" + jsonSchemaFields(s) + "}"
}

func jsonSchemaFields(s *data.Schema) string {
	name := s.Type.String()
	switch s.Type {
	case data.Float32:
		name = "float"
	case data.Float64:
		name = "double"
	}
	text := `"type":"` + name + `"`
	switch s.Type {
	case data.Array:
		text += `,"items":` + jsonSchemaText(s.Value)
	case data.MapType:
		text += `,"keys":` + jsonSchemaText(s.Key) + `,"values":` + jsonSchemaText(s.Value)
	case data.StructType:
		fields := make([]string, len(s.Fields))
		for i, f := range s.Fields {
			fields[i] = "{" + jsonSchemaFields(f.Schema) + `,"field":` + string(AppendJSONString(nil, f.Name)) + "}"
		}
		text += `,"fields":[` + strings.Join(fields, ",") + "]"
	}
	text += fmt.Sprintf(`,"optional":%t`, s.Optional)
	if s.Name != "" {
		text += `,"name":` + string(AppendJSONString(nil, s.Name))
	}
	if s.Version != nil {
		text += fmt.Sprintf(`,"version":%d`, *s.Version)
	}
	if s.Doc != "" {
		text += `,"doc":` + string(AppendJSONString(nil, s.Doc))
	}
	if len(s.Parameters) > 0 {
		params := &data.Map{}
		for _, k := range sortedKeys(s.Parameters) {
			params.Put(k, s.Parameters[k])
		}
		if buf, err := (JSONFormat{}).Append(nil, nil, params); err == nil {
			text += `,"parameters":` + string(buf)
		}
	}
	if s.HasDefault && s.Default != nil {
		if buf, err := (JSONFormat{}).Append(nil, s, s.Default); err == nil {
			text += `,"default":` + string(buf)
		}
	}
	return text
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
