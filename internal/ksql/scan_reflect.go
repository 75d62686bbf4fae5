package ksql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// scanReflected fills what scanValue does not know by its type: other names and
// sizes of scalars, pointers to pointers, slices, maps and structs.
func scanReflected(raw json.RawMessage, sqlType string, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("cannot scan into a %T: it must be a pointer", dest)
	}
	target := v.Elem()
	switch target.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(target.Type().Elem())
		if err := scanValue(raw, sqlType, fresh.Interface()); err != nil {
			return err
		}
		target.Set(fresh)
		return nil
	case reflect.Slice:
		return scanSlice(raw, sqlType, target)
	case reflect.Map:
		return scanMap(raw, sqlType, target)
	case reflect.Struct:
		return scanMembers(raw, sqlType, target)
	}
	return scanScalar(raw, target)
}

func scanScalar(raw json.RawMessage, target reflect.Value) error {
	switch target.Kind() {
	case reflect.String:
		text, err := scalarText(raw)
		if err != nil {
			return err
		}
		target.SetString(text)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := integer(raw, target.Type().Bits())
		if err != nil {
			return err
		}
		target.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := integer(raw, 64)
		if err != nil {
			return err
		}
		if n < 0 || target.OverflowUint(uint64(n)) {
			return fmt.Errorf("%s does not fit into a %s", raw, target.Type())
		}
		target.SetUint(uint64(n))
	case reflect.Float32, reflect.Float64:
		f, err := float(raw)
		if err != nil {
			return err
		}
		if target.OverflowFloat(f) {
			return fmt.Errorf("%s does not fit into a %s", raw, target.Type())
		}
		target.SetFloat(f)
	case reflect.Bool:
		b, err := strconv.ParseBool(string(raw))
		if err != nil || len(raw) < len("true") {
			return fmt.Errorf("%s is not a boolean", raw)
		}
		target.SetBool(b)
	default:
		return fmt.Errorf("cannot scan into a %s", target.Addr().Type())
	}
	return nil
}

func scanSlice(raw json.RawMessage, sqlType string, target reflect.Value) error {
	var values []json.RawMessage
	if raw[0] != '[' {
		return fmt.Errorf("%s is not an ARRAY", raw)
	}
	if err := json.Unmarshal(raw, &values); err != nil {
		return err
	}
	elements := elementType(sqlType)
	filled := reflect.MakeSlice(target.Type(), len(values), len(values))
	for i, value := range values {
		if err := scanValue(value, elements, filled.Index(i).Addr().Interface()); err != nil {
			return fmt.Errorf("element %d: %w", i+1, err)
		}
	}
	target.Set(filled)
	return nil
}

func scanMap(raw json.RawMessage, sqlType string, target reflect.Value) error {
	if target.Type().Key().Kind() != reflect.String {
		return fmt.Errorf("cannot scan into a %s: its keys must be strings", target.Addr().Type())
	}
	members, err := membersOf(raw)
	if err != nil {
		return err
	}
	elements := elementType(sqlType)
	filled := reflect.MakeMapWithSize(target.Type(), len(members))
	for _, m := range members {
		value := reflect.New(target.Type().Elem())
		if err := scanValue(m.value, elements, value.Interface()); err != nil {
			return fmt.Errorf("key %q: %w", m.name, err)
		}
		filled.SetMapIndex(reflect.ValueOf(m.name).Convert(target.Type().Key()), value.Elem())
	}
	target.Set(filled)
	return nil
}

// scanMembers fills a struct with the members of a STRUCT.
func scanMembers(raw json.RawMessage, sqlType string, target reflect.Value) error {
	members, err := membersOf(raw)
	if err != nil {
		return err
	}
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	fields, err := bind(target.Type(), names)
	if err != nil {
		return err
	}
	types := memberTypes(sqlType)
	for i, m := range members {
		if err := fields[i].scan(target, m.value, types[m.name]); err != nil {
			return fmt.Errorf("member %s: %w", m.name, err)
		}
	}
	return nil
}

type member struct {
	name  string
	value json.RawMessage
}

// membersOf returns the members of an object in order.
func membersOf(raw json.RawMessage) ([]member, error) {
	if raw[0] != '{' {
		return nil, fmt.Errorf("%s is neither a STRUCT nor a MAP", raw)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		text, ok := name.(string)
		if !ok {
			return nil, errors.New("a member has no name")
		}
		m := member{name: text}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

// elementType returns the type of the elements of an ARRAY or of the values of a
// MAP, "" when it is neither.
func elementType(sqlType string) string {
	if inner, ok := inside(sqlType, "ARRAY<"); ok {
		return inner
	}
	if inner, ok := inside(sqlType, "MAP<"); ok {
		if parts := typeParts(inner); len(parts) == 2 {
			return parts[1]
		}
	}
	return ""
}

// memberTypes returns the types of the members of a STRUCT by their names.
func memberTypes(sqlType string) map[string]string {
	inner, ok := inside(sqlType, "STRUCT<")
	if !ok {
		return nil
	}
	types := map[string]string{}
	for _, part := range typeParts(inner) {
		name, rest := "", ""
		if strings.HasPrefix(part, "`") {
			end := 1 + lengthTo(part[1:], "`")
			for strings.HasPrefix(part[end:], "`") {
				end += 1 + lengthTo(part[end+1:], "`")
			}
			name, rest = strings.ReplaceAll(strings.TrimSuffix(part[1:end], "`"), "``", "`"), part[end:]
		} else {
			name, rest, _ = strings.Cut(part, " ")
		}
		types[name] = strings.TrimSpace(rest)
	}
	return types
}

func inside(sqlType, prefix string) (string, bool) {
	inner, ok := strings.CutPrefix(sqlType, prefix)
	return strings.TrimSuffix(inner, ">"), ok && strings.HasSuffix(inner, ">")
}

// typeParts divides a list of types at its commas.
func typeParts(text string) []string {
	var parts []string
	depth, begin, quoted := 0, 0, false
	for i, c := range text {
		switch {
		case c == '`':
			quoted = !quoted
		case quoted:
		case c == '<' || c == '(':
			depth++
		case c == '>' || c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(text[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[begin:]))
}
