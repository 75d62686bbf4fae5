package ksql

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// structTag is the key of the field tags that name columns.
const structTag = "ksql"

// ScanStruct copies the current row into the struct that dest points to. A
// column goes into the field with its name: that of the field's tag
// `ksql:"NAME"`, or the field's own without a tag, upper and lower case not
// told apart and underscores in the column left out (CUSTOMER_ID goes into
// CustomerID). Fields of embedded structs count as the struct's. A field with
// the tag `ksql:"-"` is left alone.
//
// Values are taken as Scan takes them. NULL needs a pointer, any or a
// sql.Scanner as well, or the option zeronull (`ksql:"NAME,zeronull"`), which
// makes it the field's zero value.
//
// A column without field, and a tag without column, is an error.
func (r *Rows) ScanStruct(dest any) error {
	if !r.current {
		return errors.New("scanning a row: there is none: call Next first")
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("scanning a row: cannot scan into a %T: it must be a pointer to a struct", dest)
	}
	v = v.Elem()
	if r.bindings.of != v.Type() {
		names := make([]string, len(r.columns))
		for i, column := range r.columns {
			names[i] = column.Name
		}
		fields, err := bind(v.Type(), names)
		if err != nil {
			return fmt.Errorf("scanning a row: %w", err)
		}
		r.bindings = bindings{of: v.Type(), fields: fields}
	}
	for i, field := range r.bindings.fields {
		if err := field.scan(v, r.row[i], r.columns[i].Type); err != nil {
			return fmt.Errorf("scanning column %d, %s %s, into %s.%s: %w", i+1, r.columns[i].Name, r.columns[i].Type, v.Type(), field.name, err)
		}
	}
	return nil
}

// Collect scans all rows that are left as ScanStruct does, and closes them.
func Collect[T any](rows *Rows) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.ScanStruct(&one); err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// bindings are the fields of a struct type, one per column.
type bindings struct {
	of     reflect.Type
	fields []boundField
}

type boundField struct {
	name     string
	index    []int
	zeroNull bool
}

func (f boundField) scan(into reflect.Value, raw []byte, sqlType string) error {
	field, err := into.FieldByIndexErr(f.index)
	if err != nil {
		return fmt.Errorf("the embedded struct is nil: embed it by value: %w", err)
	}
	if f.zeroNull && isNull(raw) {
		field.SetZero()
		return nil
	}
	return scanValue(raw, sqlType, field.Addr().Interface())
}

// bind finds the field of each name.
func bind(t reflect.Type, names []string) ([]boundField, error) {
	type candidate struct {
		boundField
		tag string
	}
	var candidates []candidate
	for _, field := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(field.Tag.Get(structTag), ",")
		if !field.IsExported() || tag == "-" || field.Anonymous && tag == "" {
			continue
		}
		c := candidate{boundField: boundField{name: field.Name, index: field.Index}, tag: tag}
		switch options {
		case "":
		case "zeronull":
			c.zeroNull = true
		default:
			return nil, fmt.Errorf("the tag of %s.%s has the option %q: zeronull is the only one", t, field.Name, options)
		}
		candidates = append(candidates, c)
	}
	// A name as it stands goes before one in other letters, and that before one
	// without its underscores.
	matches := []func(c candidate, name string) bool{
		func(c candidate, name string) bool { return c.tag == name },
		func(c candidate, name string) bool { return c.tag != "" && strings.EqualFold(c.tag, name) },
		func(c candidate, name string) bool {
			return c.tag == "" && strings.EqualFold(c.name, strings.ReplaceAll(name, "_", ""))
		},
	}
	fields := make([]boundField, len(names))
	used := map[string]string{}
	for i, name := range names {
		at := -1
		for _, match := range matches {
			if at = slices.IndexFunc(candidates, func(c candidate) bool { return match(c, name) }); at >= 0 {
				break
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("%s has no field for %s: add one with the tag `%s:\"%s\"`", t, name, structTag, name)
		}
		if other, twice := used[candidates[at].name]; twice {
			return nil, fmt.Errorf("the field %s of %s would get both %s and %s: give it a tag", candidates[at].name, t, other, name)
		}
		used[candidates[at].name] = name
		fields[i] = candidates[at].boundField
	}
	for _, c := range candidates {
		if _, ok := used[c.name]; !ok && c.tag != "" {
			return nil, fmt.Errorf("the field %s of %s wants %s, which is not among %s", c.name, t, c.tag, strings.Join(names, ", "))
		}
	}
	return fields, nil
}
