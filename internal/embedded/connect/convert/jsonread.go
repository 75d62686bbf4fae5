package convert

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// parseJSON reads a JSON text, keeping the order of objects' members: *data.Map,
// []any, string, bool, json.Number, nil.
func parseJSON(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	v, err := parseValue(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the JSON value")
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
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
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

func readJSONSchema(raw any) (*data.Schema, error) {
	if raw == nil {
		return nil, nil
	}
	m, ok := raw.(*data.Map)
	if !ok {
		return nil, fault.New(fault.Data, "Schema must be an object")
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
		if s.Type, ok = data.TypeByName(name); !ok || strings.HasPrefix(name, "float") {
			return nil, fault.New(fault.Data, "Unknown schema type: %s", name)
		}
	}
	s.Optional, _ = get(m, "optional").(bool)
	s.Name, _ = text(m, "name")
	s.Doc, _ = text(m, "doc")
	if n, ok := get(m, "version").(json.Number); ok {
		if v, err := strconv.Atoi(n.String()); err == nil {
			s.Version = &v
		}
	}
	if params, ok := get(m, "parameters").(*data.Map); ok {
		s.Parameters = map[string]string{}
		for i, k := range params.Keys {
			s.Parameters[fmt.Sprint(k)] = fmt.Sprint(params.Values[i])
		}
	}
	if err := readJSONParts(s, m); err != nil {
		return nil, err
	}
	if def, ok := m.Get("default"); ok {
		v, err := readJSONValue(s.AsOptional(true), def)
		if err != nil {
			return nil, err
		}
		s.Default, s.HasDefault = v, true
	}
	return s, nil
}

func readJSONParts(s *data.Schema, m *data.Map) error {
	var err error
	part := func(name string) *data.Schema {
		raw, ok := m.Get(name)
		if !ok || raw == nil {
			err = errors.Join(err, fault.New(fault.Data, "%s schema did not specify the schema for its %s", s.Type, name))
			return nil
		}
		sub, subErr := readJSONSchema(raw)
		err = errors.Join(err, subErr)
		return sub
	}
	switch s.Type {
	case data.Array:
		s.Value = part("items")
	case data.MapType:
		s.Key, s.Value = part("keys"), part("values")
	case data.StructType:
		fields, ok := get(m, "fields").([]any)
		if !ok {
			return fault.New(fault.Data, `Struct schema's "fields" argument is not an array.`)
		}
		for _, raw := range fields {
			fm, ok := raw.(*data.Map)
			if !ok {
				return fault.New(fault.Data, "Struct schema's field name not specified properly")
			}
			name, ok := text(fm, "field")
			if !ok {
				return fault.New(fault.Data, "Struct schema's field name not specified properly")
			}
			sub, err := readJSONSchema(fm)
			if err != nil {
				return err
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

func readJSONValue(s *data.Schema, v any) (any, error) {
	if v == nil {
		if s.HasDefault {
			return s.Default, nil
		}
		if s.Optional {
			return nil, nil
		}
		return nil, fault.New(fault.Data, "Invalid null value for required %s field", s.Type)
	}
	mismatch := func() error {
		return fault.New(fault.Data, "Invalid JSON value for a field of type %s: %s", s.Type, data.Text(v))
	}
	if number, ok := v.(json.Number); ok {
		return readJSONNumber(s, number, mismatch)
	}
	switch v := v.(type) {
	case bool:
		if s.Type == data.Boolean {
			return v, nil
		}
	case string:
		switch {
		case s.Type == data.String:
			return v, nil
		case s.Type == data.Bytes:
			raw, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				return nil, mismatch()
			}
			if s.Name == data.DecimalName {
				return decimalOf(s, raw), nil
			}
			return raw, nil
		}
	case []any:
		if s.Type == data.Array {
			list := make([]any, len(v))
			for i := range v {
				var err error
				if list[i], err = readJSONValue(s.Value, v[i]); err != nil {
					return nil, err
				}
			}
			return list, nil
		}
	case *data.Map:
		return readJSONObject(s, v, mismatch)
	}
	return nil, mismatch()
}

func readJSONObject(s *data.Schema, v *data.Map, mismatch func() error) (any, error) {
	switch s.Type {
	case data.StructType:
		st := data.NewStruct(s)
		for i, f := range s.Fields {
			var err error
			if st.Values[i], err = readJSONValue(f.Schema, get(v, f.Name)); err != nil {
				return nil, err
			}
		}
		return st, nil
	case data.MapType:
		m := &data.Map{}
		for i, k := range v.Keys {
			value, err := readJSONValue(s.Value, v.Values[i])
			if err != nil {
				return nil, err
			}
			m.Put(k, value)
		}
		m.SortAsHashMap()
		return m, nil
	default:
		return nil, mismatch()
	}
}

func readJSONNumber(s *data.Schema, number json.Number, mismatch func() error) (any, error) {
	n, intErr := strconv.ParseInt(number.String(), 10, 64)
	f, floatErr := number.Float64()
	switch {
	case s.Type == data.Float32 && floatErr == nil:
		return float32(f), nil
	case s.Type == data.Float64 && floatErr == nil:
		return f, nil
	case s.Type == data.Bytes && s.Name == data.DecimalName:
		return parseDecimal(number.String())
	case intErr != nil:
		return nil, mismatch()
	}
	switch s.Name {
	case data.TimestampName:
		return time.UnixMilli(n).UTC(), nil
	case data.TimeName:
		return time.UnixMilli(n).UTC(), nil
	case data.DateName:
		return time.UnixMilli(n * 24 * 60 * 60 * 1000).UTC(), nil
	}
	switch s.Type {
	case data.Int8:
		return int8(n), nil
	case data.Int16:
		return int16(n), nil
	case data.Int32:
		return int32(n), nil
	case data.Int64:
		return n, nil
	default:
		return nil, mismatch()
	}
}

func parseDecimal(text string) (any, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, ok := new(big.Int).SetString(whole+fraction, 10)
	if !ok {
		return nil, fault.New(fault.Data, "Invalid JSON value for a decimal: %s", text)
	}
	return data.Decimal{Unscaled: n, Scale: len(fraction)}, nil
}

// decimalOf reads the bytes of a decimal whose scale is a parameter of the schema.
func decimalOf(s *data.Schema, raw []byte) data.Decimal {
	scale, err := strconv.Atoi(s.Parameters["scale"])
	if err != nil {
		scale = 0
	}
	return data.Decimal{Unscaled: bigFromBytes(raw), Scale: scale}
}
