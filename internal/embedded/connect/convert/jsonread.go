package convert

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// parseJSON reads a JSON text, keeping the order of objects' members: *data.Map,
// []any, string, bool, json.Number, nil. As with the real one, what comes after it
// does not matter.
func parseJSON(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := parseValue(dec)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func parseValue(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if delim == '[' {
		list := []any{}
		for dec.More() {
			v, err := parseValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	m := &data.Map{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		v, err := parseValue(dec)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	_, err = dec.Token()
	return m, err
}

// schemaless turns parsed JSON into data without a schema.
func schemaless(v any) any {
	switch v := v.(type) {
	case json.Number:
		if isWhole(v) {
			return wholeNumber(v)
		}
		return realNumber(v, 64)
	case []any:
		for i := range v {
			v[i] = schemaless(v[i])
		}
		return v
	case *data.Map:
		for i := range v.Values {
			v.Values[i] = schemaless(v.Values[i])
		}
		v.SortAsHashMap()
		return v
	default:
		return v
	}
}

// isWhole reports whether a number is written as a whole one.
func isWhole(n json.Number) bool { return !strings.ContainsAny(n.String(), ".eE") }

// wholeNumber gives a number as Java narrows it to 64 bits.
func wholeNumber(n json.Number) int64 {
	if v, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return v
	}
	d, err := data.ParseDecimal(n.String())
	if err != nil {
		return 0
	}
	return d.Long()
}

func realNumber(n json.Number, bits int) float64 {
	f, _ := strconv.ParseFloat(n.String(), bits) // beyond the range it is infinite, as in Java
	if f == 0 {
		return 0 // exact numbers have no sign of zero
	}
	return f
}

func readJSONSchema(raw any) (*data.Schema, error) {
	if raw == nil {
		return nil, nil
	}
	m, ok := raw.(*data.Map)
	if !ok {
		m = &data.Map{}
	}
	name, ok := text(m, "type")
	if !ok {
		return nil, fault.New(fault.Data, "Schema must contain 'type' field")
	}
	s := &data.Schema{}
	switch name {
	case "float":
		s.Type = data.Float32
	case "double":
		s.Type = data.Float64
	default:
		if s.Type, ok = data.TypeByName(name); !ok || s.Type.String() != name || strings.HasPrefix(name, "float") {
			return nil, fault.New(fault.Data, "Unknown schema type: %s", name)
		}
	}
	s.Optional, _ = get(m, "optional").(bool)
	s.Name, _ = text(m, "name")
	s.Doc, _ = text(m, "doc")
	if n, ok := get(m, "version").(json.Number); ok && isWhole(n) {
		s.Version = data.Version(int(int32(wholeNumber(n)))) //nolint:gosec // as Java narrows
	}
	if params, ok := get(m, "parameters").(*data.Map); ok {
		s.Parameters = map[string]string{}
		for i, k := range params.Keys {
			value, ok := params.Values[i].(string)
			if !ok {
				return nil, fault.New(fault.Data, "Schema parameters must have string values.")
			}
			s.Parameters[fmt.Sprint(k)] = value
		}
	}
	if err := readJSONParts(s, m); err != nil {
		return nil, err
	}
	if def, ok := m.Get("default"); ok {
		v, err := jsonReader{replaceNull: true}.value(s, def)
		if err != nil {
			return nil, err
		}
		s.Default, s.HasDefault = v, v != nil
	}
	return s, nil
}

func readJSONParts(s *data.Schema, m *data.Map) error {
	part := func(name, missing string) (*data.Schema, error) {
		raw, ok := m.Get(name)
		if !ok || raw == nil && s.Type == data.Array {
			return nil, fault.New(fault.Data, "%s", missing)
		}
		return readJSONSchema(raw)
	}
	var err error
	switch s.Type {
	case data.Array:
		s.Value, err = part("items", "Array schema did not specify the element type")
	case data.MapType:
		if s.Key, err = part("keys", "Map schema did not specify the key type"); err == nil {
			s.Value, err = part("values", "Map schema did not specify the value type")
		}
	case data.StructType:
		fields, ok := get(m, "fields").([]any)
		if !ok {
			return fault.New(fault.Data, `Struct schema's "fields" argument is not an array.`)
		}
		for _, raw := range fields {
			fm, _ := raw.(*data.Map)
			if fm == nil {
				fm = &data.Map{}
			}
			name, ok := text(fm, "field")
			if !ok {
				return fault.New(fault.Data, "Struct schema's field name not specified properly")
			}
			sub, err := readJSONSchema(fm)
			if err != nil {
				return err
			}
			if s.FieldIndex(name) >= 0 {
				return fault.New("org.apache.kafka.connect.errors.SchemaBuilderException", "Cannot create field because of field name duplication %s", name)
			}
			s.Fields = append(s.Fields, data.Field{Name: name, Schema: sub})
		}
	}
	return err
}

func get(m *data.Map, name string) any {
	v, _ := m.Get(name)
	return v
}

func text(m *data.Map, name string) (string, bool) {
	v, ok := get(m, name).(string)
	return v, ok
}

// jsonReader turns parsed JSON into data with a schema. As with the real converter
// what is of another type than the schema says is often taken for nothing: 0, false
// or null.
type jsonReader struct {
	// replaceNull takes a field's default for a null.
	replaceNull bool
}

func typeText(t data.Type) string { return strings.ToUpper(t.String()) }

// nodeType names the kind of a JSON value as messages have it.
func nodeType(v any) string {
	switch v.(type) {
	case nil:
		return "NULL"
	case bool:
		return "BOOLEAN"
	case string:
		return "STRING"
	case json.Number:
		return "NUMBER"
	case []any:
		return "ARRAY"
	default:
		return "OBJECT"
	}
}

func (r jsonReader) value(s *data.Schema, v any) (any, error) {
	if s == nil {
		return schemaless(v), nil
	}
	if v == nil {
		switch {
		case s.Default != nil && r.replaceNull:
			return s.Default, nil
		case s.Optional:
			return nil, nil
		}
		return nil, fault.New(fault.Data, "Invalid null value for required %s field", typeText(s.Type))
	}
	switch s.Name {
	case data.DecimalName:
		return readDecimal(s, v)
	case data.DateName, data.TimeName, data.TimestampName:
		return readTime(s, v)
	}
	number, isNumber := v.(json.Number)
	switch s.Type {
	case data.Boolean:
		b, _ := v.(bool)
		return b, nil
	case data.Int8, data.Int16, data.Int32, data.Int64:
		var n int64
		if isNumber {
			n = narrowed(number, s.Type)
		}
		switch s.Type {
		case data.Int8:
			return int8(n), nil //nolint:gosec // as Java narrows
		case data.Int16:
			return int16(n), nil //nolint:gosec // as Java narrows
		case data.Int32:
			return int32(n), nil //nolint:gosec // as Java narrows
		default:
			return n, nil
		}
	case data.Float32, data.Float64:
		var f float64
		switch {
		case isNumber && s.Type == data.Float32:
			f = realNumber(number, 32)
		case isNumber:
			f = realNumber(number, 64)
		}
		if s.Type == data.Float32 {
			return float32(f), nil
		}
		return f, nil
	case data.String:
		if text, ok := v.(string); ok {
			return text, nil
		}
		return nil, nil
	case data.Bytes:
		text, ok := v.(string)
		if !ok {
			return nil, nil
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fault.Wrap(fault.Data, brokenBase64(err), "Invalid bytes field")
		}
		return raw, nil
	case data.Array:
		return r.array(s, v)
	case data.MapType:
		return r.table(s, v)
	default:
		return r.structure(s, v)
	}
}

func brokenBase64(err error) error {
	return fault.New("com.fasterxml.jackson.databind.exc.InvalidFormatException", "Cannot access contents of TextNode as binary due to broken Base64 encoding: %s", err)
}

// narrowed is a number as Java narrows it; a fraction is cut off.
func narrowed(n json.Number, t data.Type) int64 {
	if isWhole(n) {
		return wholeNumber(n)
	}
	d, err := data.ParseDecimal(n.String())
	if err != nil {
		return 0
	}
	if t == data.Int64 {
		return d.Long()
	}
	return int64(int32(d.Long())) //nolint:gosec // as Java narrows
}

func (r jsonReader) array(s *data.Schema, v any) (any, error) {
	elements, ok := v.([]any)
	if m, isObject := v.(*data.Map); isObject {
		elements, ok = m.Values, true // the real converter goes through those of an object too
	}
	list := []any{}
	if !ok {
		return list, nil
	}
	for _, e := range elements {
		element, err := r.value(s.Value, e)
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
	return list, nil
}

func (r jsonReader) table(s *data.Schema, v any) (any, error) {
	m := &data.Map{}
	if s.Key.Type == data.String {
		object, ok := v.(*data.Map)
		if !ok {
			return nil, fault.New(fault.Data, "Maps with string fields should be encoded as JSON objects, but found %s", nodeType(v))
		}
		for i, k := range object.Keys {
			value, err := r.value(s.Value, object.Values[i])
			if err != nil {
				return nil, err
			}
			m.Put(k, value)
		}
		m.SortAsHashMap()
		return m, nil
	}
	entries, ok := v.([]any)
	if !ok {
		return nil, fault.New(fault.Data, "Maps with non-string fields should be encoded as JSON array of tuples, but found %s", nodeType(v))
	}
	for _, entry := range entries {
		pair, ok := entry.([]any)
		if !ok {
			return nil, fault.New(fault.Data, "Found invalid map entry instead of array tuple: %s", nodeType(entry))
		}
		if len(pair) != 2 {
			return nil, fault.New(fault.Data, "Found invalid map entry, expected length 2 but found :%d", len(pair))
		}
		key, err := r.value(s.Key, pair[0])
		if err != nil {
			return nil, err
		}
		value, err := r.value(s.Value, pair[1])
		if err != nil {
			return nil, err
		}
		m.PutAny(key, value)
	}
	m.SortAsHashMap()
	return m, nil
}

func (r jsonReader) structure(s *data.Schema, v any) (any, error) {
	object, ok := v.(*data.Map)
	if !ok {
		return nil, fault.New(fault.Data, "Structs should be encoded as JSON objects, but found %s", nodeType(v))
	}
	st := data.NewStruct(s)
	for i, f := range s.Fields {
		value, err := r.value(f.Schema, get(object, f.Name))
		if err != nil {
			return nil, err
		}
		if err := checkNulls(f.Schema, value, "field: \""+f.Name+"\""); err != nil {
			return nil, err
		}
		st.Values[i] = value
	}
	return st, nil
}

// checkNulls refuses null where it must not be.
func checkNulls(s *data.Schema, v any, where string) error {
	if v == nil {
		if s.Optional {
			return nil
		}
		return fault.New(fault.Data, "Invalid value: null used for required %s, schema type: %s", where, typeText(s.Type))
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if err := checkNulls(s.Value, e, "element of array "+where); err != nil {
				return err
			}
		}
	case *data.Map:
		for i, k := range v.Keys {
			if err := checkNulls(s.Key, k, "key of map "+where); err != nil {
				return err
			}
			if err := checkNulls(s.Value, v.Values[i], "value of map "+where); err != nil {
				return err
			}
		}
	}
	return nil
}

// readTime reads a date, a time or a timestamp, which are whole numbers.
func readTime(s *data.Schema, v any) (any, error) {
	name := strings.TrimPrefix(s.Name, "org.apache.kafka.connect.data.")
	kind := "integer"
	if s.Name == data.TimestampName {
		kind = "integral"
	}
	number, ok := v.(json.Number)
	ok = ok && isWhole(number)
	var n int64
	if ok {
		n = wholeNumber(number)
		ok = s.Name == data.TimestampName || n == int64(int32(n)) //nolint:gosec // that is the question
	}
	if !ok {
		return nil, fault.New(fault.Data, "Invalid type for %s, underlying representation should be %s but was %s", name, kind, nodeType(v))
	}
	const day = 24 * 60 * 60 * 1000
	switch s.Name {
	case data.DateName:
		n *= day
	case data.TimeName:
		if n < 0 || n > day {
			return nil, fault.New(fault.Data, "Time values must use number of milliseconds greater than 0 and less than 86400000")
		}
	}
	return time.UnixMilli(n).UTC(), nil
}

func readDecimal(s *data.Schema, v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		d, err := data.ParseDecimal(v.String())
		if err != nil {
			return nil, fault.New(fault.Data, "Invalid JSON value for a decimal: %s", v)
		}
		return d, nil
	case string:
		raw, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return nil, fault.Wrap(fault.Data, brokenBase64(err), "Invalid bytes for Decimal field")
		}
		return decimalOf(s, raw), nil
	default:
		return nil, fault.New(fault.Data, "Invalid type for Decimal, underlying representation should be numeric or bytes but was %s", nodeType(v))
	}
}

// decimalOf reads the bytes of a decimal whose scale is a parameter of the schema.
func decimalOf(s *data.Schema, raw []byte) data.Decimal {
	return data.Decimal{Unscaled: bigFromBytes(raw), Scale: decimalScale(s)}
}

func decimalScale(s *data.Schema) int {
	scale, err := strconv.Atoi(s.Parameters["scale"])
	if err != nil {
		return 0
	}
	return scale
}
