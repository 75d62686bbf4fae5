package transform

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func castClasses() []Class {
	return both("Cast", &config.Definition{Keys: []config.Key{
		checked(required(key("spec", config.List, config.High, "Fields and their types (field:type,…), or one type for the whole key or value.")), checkCastSpec),
		replaceNullKey(),
	}}, nil, func(s side, settings config.Settings) (Transformation, error) {
		spec, err := parseCastSpec(settings.List("spec"))
		return cast{s, spec.whole, spec.fields, settings.Flag(replaceNullSetting)}, err
	})
}

// castSpec says what becomes of a value: another type as a whole, or of its fields.
type castSpec struct {
	whole  data.Type // 0 for none
	fields []castField
}

type castField struct {
	name string
	to   data.Type
}

func checkCastSpec(v any) error {
	list, _ := v.([]string)
	if len(list) == 0 {
		return config.Wholef("Must specify at least one field to cast.")
	}
	_, err := parseCastSpec(list)
	return err
}

// castable lists the types that can be cast, as messages have them; the last one
// only from.
const castable = "INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING"

func parseCastSpec(list []string) (castSpec, error) {
	var spec castSpec
	for _, entry := range list {
		parts := splitAt(entry, ':')
		if len(parts) > 2 || len(parts) == 0 {
			return castSpec{}, config.Wholef("Invalid value [%s] for configuration renames: Invalid rename mapping: %s", strings.Join(list, ", "), entry)
		}
		name := strings.TrimSpace(parts[len(parts)-1])
		t, ok := data.TypeByName(name)
		if !ok {
			return castSpec{}, config.Wholef("Invalid value java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.%s for configuration Invalid type found in casting spec: %s", strings.ToUpper(name), name)
		}
		if !t.Primitive() || t == data.Bytes {
			return castSpec{}, config.Wholef("Cast transformation does not support casting to %s; supported types are [%s]", strings.ToUpper(t.String()), castable)
		}
		if len(parts) == 1 {
			spec.whole = t
		} else {
			spec.set(strings.TrimSpace(parts[0]), t)
		}
	}
	if spec.whole != 0 && len(list) > 1 {
		return castSpec{}, config.Wholef("Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec")
	}
	return spec, nil
}

func (s *castSpec) set(name string, to data.Type) {
	for i := range s.fields {
		if s.fields[i].name == name {
			s.fields[i].to = to
			return
		}
	}
	s.fields = append(s.fields, castField{name, to})
}

// splitAt splits as Java does: empty parts at the end are left out.
func splitAt(text string, at byte) []string {
	parts := strings.Split(text, string(at))
	for len(parts) > 1 && parts[len(parts)-1] == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 1 && parts[0] == "" && text != "" {
		return nil
	}
	return parts
}

// cast turns fields, or the whole key or value, into other primitive types.
type cast struct {
	side   side
	whole  data.Type
	fields []castField
	// replaceNull takes a field's default for a null.
	replaceNull bool
}

// to gives the type that a field becomes, 0 for none.
func (t cast) to(name string) data.Type {
	for _, f := range t.fields {
		if f.name == name {
			return f.to
		}
	}
	return 0
}

func (t cast) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if v == nil {
		return r, nil
	}
	if schema == nil {
		return t.applySchemaless(r, v)
	}
	if t.whole != 0 {
		return t.applyWhole(r, schema, v)
	}
	fields, err := fieldsOf(schema)
	if err != nil {
		return nil, err
	}
	changed := basics(schema)
	types := make([]*data.Schema, len(fields))
	for i, f := range fields {
		if types[i], err = t.fieldSchema(f); err != nil {
			return nil, err
		}
	}
	changed.Optional = schema.Optional
	if schema.Default != nil {
		if _, err := castValue(schema, schema.Default, data.StructType); err != nil {
			return nil, err
		}
	}
	st, err := asStruct(v, "cast types")
	if err != nil {
		return nil, err
	}
	m := newMaker(changed)
	for i, f := range fields {
		value := fieldValue(st, i, t.replaceNull)
		if to := t.to(f.Name); to != 0 {
			if value, err = castValue(f.Schema, value, to); err != nil {
				return nil, err
			}
		}
		m.add(f.Name, types[i], value)
	}
	st, err = m.made()
	if err != nil {
		return nil, err
	}
	return t.side.with(r, changed, st), nil
}

// fieldSchema is what the schema of a field becomes.
func (t cast) fieldSchema(f data.Field) (*data.Schema, error) {
	to := t.to(f.Name)
	if to == 0 {
		return f.Schema, nil
	}
	s := &data.Schema{Type: to, Optional: f.Schema.Optional}
	if f.Schema.Default != nil {
		def, err := castValue(f.Schema, f.Schema.Default, to)
		if err != nil {
			return nil, err
		}
		s.Default, s.HasDefault = def, true
	}
	return s, nil
}

func (t cast) applySchemaless(r *plugin.Record, v any) (*plugin.Record, error) {
	if t.whole != 0 {
		casted, err := castValue(nil, v, t.whole)
		if err != nil {
			return nil, err
		}
		return t.side.with(r, nil, casted), nil
	}
	m, err := asMap(v, "cast types")
	if err != nil {
		return nil, err
	}
	size := len(m.Keys)
	m = m.Clone()
	for _, f := range t.fields {
		field, _ := m.Get(f.name)
		if field, err = castValue(nil, field, f.to); err != nil {
			return nil, err
		}
		m.Put(f.name, field)
	}
	m.SortAsCopy(size)
	return t.side.with(r, nil, m), nil
}

func (t cast) applyWhole(r *plugin.Record, schema *data.Schema, v any) (*plugin.Record, error) {
	changed := schema.Clone()
	changed.Type, changed.Fields, changed.Key, changed.Value, changed.Default, changed.HasDefault = t.whole, nil, nil, nil, nil, false
	if schema.Default != nil {
		def, err := castValue(schema, schema.Default, t.whole)
		if err != nil {
			return nil, err
		}
		changed.Default, changed.HasDefault = def, true
	}
	casted, err := castValue(schema, v, t.whole)
	if err != nil {
		return nil, err
	}
	return t.side.with(r, changed, casted), nil
}

// castType is the type that a value is cast from, 0 for one that data without a
// schema can't have.
func castType(schema *data.Schema, v any) data.Type {
	if schema != nil {
		return schema.Type
	}
	switch v.(type) {
	case int8:
		return data.Int8
	case int16:
		return data.Int16
	case int32:
		return data.Int32
	case int64:
		return data.Int64
	case float32:
		return data.Float32
	case float64:
		return data.Float64
	case bool:
		return data.Boolean
	case string:
		return data.String
	case []byte:
		return data.Bytes
	case []any:
		return data.Array
	case *data.Map:
		return data.MapType
	case *data.Struct:
		return data.StructType
	default:
		return 0
	}
}

func castValue(schema *data.Schema, v any, to data.Type) (any, error) {
	if v == nil {
		return nil, nil
	}
	from := castType(schema, v)
	if from == 0 {
		return nil, fault.New(fault.Data, "Cast transformation was passed a value of type class %s which is not supported by Connect's data API", data.ClassName(v))
	}
	if !from.Primitive() {
		return nil, fault.New(fault.Data, "Cast transformation does not support casting from %s; supported types are [%s, BYTES]", strings.ToUpper(from.String()), castable)
	}
	if at, ok := v.(time.Time); ok && to != data.String && schema != nil {
		v = logicalInteger(schema, at)
	}
	switch to {
	case data.String:
		return castString(v), nil
	case data.Boolean:
		return castBoolean(v)
	case data.Float32:
		f, err := castFloat(v, 32)
		return float32(f), err
	case data.Float64:
		return castFloat(v, 64)
	default:
		return castWhole(v, to)
	}
}

// logicalInteger is the number of a point in time, as wide as its schema has it.
func logicalInteger(schema *data.Schema, at time.Time) any {
	n := convert.LogicalNumber(schema, at)
	if schema.Type == data.Int32 {
		return int32(n) //nolint:gosec // days and milliseconds of a day fit
	}
	return n
}

func castString(v any) any {
	switch v := v.(type) {
	case time.Time:
		return data.ISOText(v)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	default:
		return data.Text(v)
	}
}

// notANumber is why a text is no number of a type: Java's words.
func notANumber(text, format string, args ...any) error {
	return fault.Wrap(fault.Data, fault.New(fault.NumberFormat, format, args...), "Value (%s) was out of range for requested data type", text)
}

func unexpected(v any) error {
	return fault.New(fault.Data, "Unexpected type in Cast transformation: class %s", data.ClassName(v))
}

func castBoolean(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return strings.EqualFold(v, "true"), nil
	case bool:
		return v, nil
	}
	n, err := castWhole(v, data.Int64)
	return n != int64(0), err
}

func castFloat(v any, bits int) (float64, error) {
	switch v := v.(type) {
	case int8:
		return float64(v), nil
	case int16:
		return float64(v), nil
	case int32:
		return float64(v), nil
	case int64:
		if bits == 32 {
			return float64(float32(v)), nil
		}
		return float64(v), nil
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	case data.Decimal:
		return v.Float(bits), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case string:
		return parseJavaFloat(v, bits)
	default:
		return 0, unexpected(v)
	}
}

// parseJavaFloat reads a floating-point number as Java does: with white space
// around, a letter of a type behind, NaN and Infinity by these names.
func parseJavaFloat(text string, bits int) (float64, error) {
	trimmed := strings.Trim(text, " \t\r\n\f")
	if trimmed == "" {
		return 0, notANumber(text, "empty String")
	}
	plain := strings.TrimLeft(trimmed, "+-")
	number := trimmed
	if !strings.HasPrefix(strings.ToLower(plain), "0x") {
		number = strings.TrimRight(trimmed, "dDfF")
		if len(trimmed)-len(number) > 1 {
			number = trimmed
		}
	}
	named := plain == "NaN" || plain == "Infinity"
	f, err := strconv.ParseFloat(number, bits)
	if err != nil && math.IsInf(f, 0) && !named {
		return f, nil // beyond the range
	}
	if err != nil || len(trimmed)-len(plain) > 1 || strings.ContainsAny(number, "_iInN") && !named {
		return 0, notANumber(text, "For input string: \"%s\"", trimmed)
	}
	return f, nil
}

var wholeBits = map[data.Type]int{data.Int8: 8, data.Int16: 16, data.Int32: 32, data.Int64: 64}

func castWhole(v any, to data.Type) (any, error) {
	var n int64
	switch v := v.(type) {
	case int8:
		n = int64(v)
	case int16:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	case float32:
		n = javaLong(float64(v), to)
	case float64:
		n = javaLong(v, to)
	case data.Decimal:
		n = v.Long()
	case bool:
		if v {
			n = 1
		}
	case string:
		parsed, err := parseJavaWhole(v, wholeBits[to])
		if err != nil {
			return nil, err
		}
		n = parsed
	default:
		return nil, unexpected(v)
	}
	switch to {
	case data.Int8:
		return int8(n), nil //nolint:gosec // as Java narrows
	case data.Int16:
		return int16(n), nil //nolint:gosec // as Java narrows
	case data.Int32:
		return int32(n), nil //nolint:gosec // as Java narrows
	default:
		return n, nil
	}
}

// parseJavaWhole reads a whole number as Java's parseByte, parseShort, parseInt and
// parseLong do.
func parseJavaWhole(text string, bits int) (int64, error) {
	n, ok := new(big.Int).SetString(text, 10)
	wide := max(bits, 32)
	if !ok || strings.Contains(text, "_") || n.BitLen() >= wide && !(n.Sign() < 0 && n.IsInt64() && (wide == 64 || n.Int64() >= math.MinInt32)) {
		return 0, notANumber(text, "For input string: \"%s\"", text)
	}
	if limit := int64(1) << (bits - 1); bits < 32 && (n.Int64() >= limit || n.Int64() < -limit) {
		return 0, notANumber(text, "Value out of range. Value:\"%s\" Radix:10", text)
	}
	return n.Int64(), nil
}

// javaLong turns a float into a whole number as Java's casts do: towards zero,
// saturating, NaN to 0; narrow types go by way of int.
func javaLong(f float64, to data.Type) int64 {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if to != data.Int64 {
		least, most = math.MinInt32, math.MaxInt32
	}
	switch {
	case math.IsNaN(f):
		return 0
	case f >= float64(most):
		return most
	case f <= float64(least):
		return least
	default:
		return int64(f)
	}
}
