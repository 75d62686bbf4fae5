package ksql

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// timestampLayout is how the server writes a TIMESTAMP, in UTC.
const timestampLayout = "2006-01-02T15:04:05.000"

// Values returns the current row: nil, bool, string, json.Number, []any or
// map[string]any per column. It must follow a Next that returned true.
func (r *Rows) Values() []any {
	if !r.current {
		return nil
	}
	values := make([]any, len(r.row))
	for i, raw := range r.row {
		// Next has checked that the row is JSON.
		values[i], _ = decodeAny(raw)
	}
	return values
}

// Scan copies the current row into dest, one pointer per column, nil to leave
// a column out:
//
//   - *string takes STRING, TIMESTAMP, DATE, TIME and BYTES (as base64) as
//     they come, numbers and booleans as their text
//   - *int, *int64, *int32 take whole numbers that fit
//   - *float64 takes numbers, and DOUBLE's NaN and infinities
//   - *json.Number takes numbers, *bool takes BOOLEAN
//   - *[]byte takes BYTES decoded, other text as it is
//   - *time.Time takes TIMESTAMP and DATE, in UTC
//   - a pointer to another integer, float, string or boolean type takes what
//     fits it
//   - *[]T takes ARRAY, *map[string]T MAP, and a pointer to a struct STRUCT,
//     whose members are found as ScanStruct finds columns
//   - *json.RawMessage and *any take everything; numbers in an any are
//     json.Number
//   - **T is nil for NULL and else a new T
//   - a sql.Scanner, such as *sql.Null[string], gets int64 for INTEGER and
//     BIGINT, float64 for DOUBLE, text for DECIMAL and as *string does for the
//     rest
//
// NULL into anything but *any, *json.RawMessage, **T and sql.Scanner is an
// error.
func (r *Rows) Scan(dest ...any) error {
	if !r.current {
		return errors.New("scanning a row: there is none: call Next first")
	}
	if len(dest) != len(r.row) {
		return fmt.Errorf("scanning a row: %d destinations for %d columns", len(dest), len(r.row))
	}
	for i, d := range dest {
		if d == nil {
			continue
		}
		if err := scanValue(r.row[i], r.columns[i].Type, d); err != nil {
			return fmt.Errorf("scanning column %d, %s %s: %w", i+1, r.columns[i].Name, r.columns[i].Type, err)
		}
	}
	return nil
}

var errNull = errors.New("the value is NULL: scan into a pointer or a sql.Null")

func scanValue(raw json.RawMessage, sqlType string, dest any) error {
	switch d := dest.(type) {
	case *json.RawMessage:
		*d = bytes.Clone(raw)
		return nil
	case *any:
		value, err := decodeAny(raw)
		*d = value
		return err
	case sql.Scanner:
		value, err := scannerValue(raw, sqlType, dest)
		if err != nil {
			return err
		}
		return d.Scan(value)
	}
	if isNull(raw) {
		return scanNull(dest)
	}
	switch d := dest.(type) {
	case *string:
		text, err := scalarText(raw)
		*d = text
		return err
	case *[]byte:
		text, err := scalarText(raw)
		if err != nil {
			return err
		}
		if sqlType != "BYTES" {
			*d = []byte(text)
			return nil
		}
		decoded, err := base64.StdEncoding.DecodeString(text)
		*d = decoded
		return err
	case *int64:
		n, err := integer(raw, 64)
		*d = n
		return err
	case *json.Number:
		if !isNumber(raw) {
			return fmt.Errorf("%s is not a number", raw)
		}
		*d = json.Number(raw)
		return nil
	case *time.Time:
		t, err := timestamp(raw, sqlType)
		*d = t
		return err
	}
	return scanReflected(raw, sqlType, dest)
}

func scanNull(dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Pointer {
		v.Elem().SetZero()
		return nil
	}
	return errNull
}

// scannerValue returns the value as database/sql's drivers would hand it to
// the scanner.
func scannerValue(raw json.RawMessage, sqlType string, dest any) (any, error) {
	if isNull(raw) {
		return nil, nil
	}
	switch dest.(type) {
	case *sql.NullTime, *sql.Null[time.Time]:
		return timestamp(raw, sqlType)
	}
	switch sqlType {
	case "INTEGER", "BIGINT":
		return integer(raw, 64)
	case "DOUBLE":
		return float(raw)
	case "BOOLEAN":
		var b bool
		err := json.Unmarshal(raw, &b)
		return b, err
	case "BYTES":
		var b []byte
		err := scanValue(raw, sqlType, &b)
		return b, err
	}
	if raw[0] == '[' || raw[0] == '{' {
		return []byte(bytes.Clone(raw)), nil
	}
	return scalarText(raw)
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func isNumber(raw json.RawMessage) bool {
	return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
}

func decodeAny(raw json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
}

func scalarText(raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	case '[', '{':
		return "", errors.New("the value is not a scalar: scan into a slice, map, struct, json.RawMessage or any")
	}
	return string(raw), nil
}

func integer(raw json.RawMessage, bits int) (int64, error) {
	if !isNumber(raw) {
		return 0, fmt.Errorf("%s is not a number", raw)
	}
	// A DECIMAL or DOUBLE may be a whole number all the same.
	text := string(raw)
	if whole, fraction, ok := strings.Cut(text, "."); ok && strings.Trim(fraction, "0") == "" {
		text = whole
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("%s does not fit into %d bits", raw, bits)
		}
		return 0, fmt.Errorf("%s is not a whole number", raw)
	}
	return n, nil
}

func float(raw json.RawMessage) (float64, error) {
	if isNumber(raw) {
		return strconv.ParseFloat(string(raw), 64)
	}
	// ksqlDB writes what JSON has no number for as text.
	switch string(raw) {
	case `"NaN"`:
		return math.NaN(), nil
	case `"Infinity"`:
		return math.Inf(1), nil
	case `"-Infinity"`:
		return math.Inf(-1), nil
	}
	return 0, fmt.Errorf("%s is not a number", raw)
}

func timestamp(raw json.RawMessage, sqlType string) (time.Time, error) {
	text, err := scalarText(raw)
	if err != nil {
		return time.Time{}, err
	}
	layout, kind := timestampLayout, "TIMESTAMP"
	if sqlType == "DATE" {
		layout, kind = time.DateOnly, "DATE"
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not a %s", raw, kind)
	}
	return t, nil
}
