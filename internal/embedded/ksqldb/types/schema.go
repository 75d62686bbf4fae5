package types

import "strings"

// Column is a named, typed column.
type Column struct {
	Name string
	Type *Type
	// Header is set for columns read from record headers: "*" for HEADERS (all
	// headers, in order), otherwise the key of HEADER('key') preceded by "=".
	Header string
}

// Schema is the shape of the rows of a source or of a step of a plan. The key
// columns come from the record's key, the value columns from its value, the
// header columns from its headers (only sources have them).
type Schema struct {
	Key    []Column
	Value  []Column
	Header []Column
}

// FindKey is the position of a key column, or -1.
func (s *Schema) FindKey(name string) int { return find(s.Key, name) }

// FindValue is the position of a value column, or -1.
func (s *Schema) FindValue(name string) int { return find(s.Value, name) }

// FindHeader is the position of a header column, or -1.
func (s *Schema) FindHeader(name string) int { return find(s.Header, name) }

func find(cols []Column, name string) int {
	for i := range cols {
		if cols[i].Name == name {
			return i
		}
	}
	return -1
}

// String gives the schema as ksqlDB prints it in error texts:
// `ID` STRING KEY, `V` BIGINT.
func (s *Schema) String() string {
	var parts []string
	for _, c := range s.Key {
		parts = append(parts, QuoteName(c.Name)+" "+c.Type.String()+" KEY")
	}
	for _, c := range s.Value {
		parts = append(parts, QuoteName(c.Name)+" "+c.Type.String())
	}
	for _, c := range s.Header {
		if c.Header == "*" {
			parts = append(parts, QuoteName(c.Name)+" "+c.Type.String()+" HEADERS")
			continue
		}
		parts = append(parts, QuoteName(c.Name)+" "+c.Type.String()+" HEADER('"+strings.TrimPrefix(c.Header, "=")+"')")
	}
	return strings.Join(parts, ", ")
}

// SystemColumns are the names that every source offers besides its own columns,
// see ksqlDB's documentation on pseudocolumns.
const (
	RowTime      = "ROWTIME"
	RowPartition = "ROWPARTITION"
	RowOffset    = "ROWOFFSET"
	WindowStart  = "WINDOWSTART"
	WindowEnd    = "WINDOWEND"
)
