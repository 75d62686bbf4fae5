package data

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Struct is a value of a struct schema.
type Struct struct {
	Schema *Schema
	// Values has one value per field, nil for null.
	Values []any
}

// NewStruct makes a struct with all fields null.
func NewStruct(schema *Schema) *Struct {
	return &Struct{Schema: schema, Values: make([]any, len(schema.Fields))}
}

// Get gives the value of a field, its default when it is null and has one, and
// whether there is such a field.
func (s *Struct) Get(name string) (any, bool) {
	i := s.Schema.FieldIndex(name)
	if i < 0 {
		return nil, false
	}
	if s.Values[i] == nil && s.Schema.Fields[i].Schema.HasDefault {
		return s.Schema.Fields[i].Schema.Default, true
	}
	return s.Values[i], true
}

// Map is a map whose entries have an order.
type Map struct {
	Keys   []any
	Values []any
}

// Put adds an entry or replaces the value of one.
func (m *Map) Put(key, value any) {
	for i, k := range m.Keys {
		if k == key {
			m.Values[i] = value
			return
		}
	}
	m.Keys = append(m.Keys, key)
	m.Values = append(m.Values, value)
}

// Get gives the value of a key and whether there is one.
func (m *Map) Get(key any) (any, bool) {
	for i, k := range m.Keys {
		if k == key {
			return m.Values[i], true
		}
	}
	return nil, false
}

// Clone copies the map; its values are shared.
func (m *Map) Clone() *Map {
	return &Map{Keys: append([]any(nil), m.Keys...), Values: append([]any(nil), m.Values...)}
}

// Milliseconds gives a logical Timestamp's number.
func Milliseconds(t time.Time) int64 { return t.UnixMilli() }

// FormatDouble writes a float64 as Java's Double.toString does.
func FormatDouble(f float64) string { return formatFloat(f, 64) }

// FormatFloat writes a float32 as Java's Float.toString does.
func FormatFloat(f float32) string { return formatFloat(float64(f), 32) }

func formatFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		if math.Signbit(f) {
			return "-0.0"
		}
		return "0.0"
	}
	if abs := math.Abs(f); abs >= 1e-3 && abs < 1e7 {
		text := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	text := strconv.FormatFloat(f, 'E', -1, bits)
	mantissa, exponent, _ := strings.Cut(text, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return text
	}
	return mantissa + "E" + strconv.Itoa(n)
}

// Text writes a value as Java's toString does, for messages and for the cast to
// string.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case float64:
		return FormatDouble(v)
	case float32:
		return FormatFloat(v)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case Decimal:
		return v.String()
	case time.Time:
		if IsSQLTime(v) {
			return javaTimestamp(v)
		}
		return v.UTC().Format("Mon Jan 02 15:04:05 UTC 2006")
	case *Struct:
		return v.text()
	case *Map:
		parts := make([]string, len(v.Keys))
		for i, k := range v.Keys {
			parts[i] = Text(k) + "=" + Text(v.Values[i])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = Text(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

func (s *Struct) text() string {
	var parts []string
	for i, f := range s.Schema.Fields {
		if s.Values[i] != nil {
			parts = append(parts, f.Name+"="+Text(s.Values[i]))
		}
	}
	return "Struct{" + strings.Join(parts, ",") + "}"
}

// sqlZone marks points in time that a database driver read.
var sqlZone = time.FixedZone("UTC", 0)

// SQLTime marks a point in time as one that a database driver read: a
// java.sql.Timestamp, whose text is not that of other points in time.
func SQLTime(t time.Time) time.Time { return t.In(sqlZone) }

// IsSQLTime reports whether a point in time is one that a database driver read.
func IsSQLTime(t time.Time) bool { return t.Location() == sqlZone }

// javaTimestamp writes a point in time as java.sql.Timestamp does: at least one
// digit after the point.
func javaTimestamp(t time.Time) string {
	text := t.UTC().Format("2006-01-02 15:04:05.999999999")
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
