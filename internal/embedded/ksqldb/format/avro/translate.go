package avro

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/twmb/avro"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/connect"
)

// The names by which AvroData marks an array of records as a map.
const (
	mapEntryType      = "MapEntry"
	mapEntryNamespace = "io.confluent.connect.avro"
	internalTypeProp  = "connect.internal.type"
	unionName         = "io.confluent.connect.avro.Union"
)

var errStandaloneNull = errors.New("Standalone null schemas are not supported by this converter")

// rawLogicalTypes makes the library give and take the numbers and bytes that
// are on the wire, instead of times and rationals.
func rawLogicalTypes() []avro.SchemaOpt {
	var opts []avro.SchemaOpt
	for _, name := range []string{
		"decimal", "date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros", "timestamp-nanos",
		"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos", "uuid", "duration",
	} {
		opts = append(opts, avro.CustomType{LogicalType: name})
	}
	return opts
}

// Translate turns an Avro schema into a Connect schema as Connect's AvroData
// does, with enhanced Avro schema support.
func Translate(text string) (*connect.Schema, error) {
	parsed, err := parse(text)
	if err != nil {
		return nil, err
	}
	return toConnect(parsed.Root().ExpandReferences())
}

// FullName is the name of the schema's outermost record, enum or fixed type,
// or empty.
func FullName(text string) string {
	parsed, err := parse(text)
	if err != nil {
		return ""
	}
	root := parsed.Root()
	switch root.Type {
	case "record", "error", "enum", "fixed":
		return fullName(root)
	default:
		return ""
	}
}

func fullName(n *avro.SchemaNode) string {
	if n.Namespace == "" || strings.Contains(n.Name, ".") {
		return n.Name
	}
	return n.Namespace + "." + n.Name
}

// shallow gives the Connect schema of a node without its members.
func shallow(n *avro.SchemaNode) (*connect.Schema, error) {
	s := &connect.Schema{}
	if name, ok := n.Props["connect.name"].(string); ok {
		s.Name = name
	}
	switch n.Type {
	case "null":
		return nil, errStandaloneNull
	case "boolean":
		s.Type = connect.Boolean
	case "int":
		s.Type = intType(n)
		switch n.LogicalType {
		case "date":
			s.Name = connect.Date
		case "time-millis":
			s.Name = connect.Time
		}
	case "long":
		s.Type = connect.Int64
		if n.LogicalType == "timestamp-millis" {
			s.Name = connect.Timestamp
		}
	case "float":
		s.Type = connect.Float32
	case "double":
		s.Type = connect.Float64
	case "string", "enum":
		s.Type = connect.String
	case "bytes", "fixed":
		s.Type = connect.Bytes
		if n.LogicalType == "decimal" {
			s.Name, s.Precision, s.Scale = connect.Decimal, n.Precision, n.Scale
		}
	case "array":
		s.Type = connect.Array
		if isMapEntry(n.Items) {
			s.Type = connect.Map
		}
	case "map":
		s.Type = connect.Map
	case "record", "error":
		s.Type, s.Name = connect.Struct, fullName(n)
	default:
		return nil, fmt.Errorf("the schema refers to %s within itself: recursive schemas can't be read as columns", n.Type)
	}
	return s, nil
}

func toConnect(n *avro.SchemaNode) (*connect.Schema, error) {
	if n.Type == "union" {
		return unionToConnect(n)
	}
	s, err := shallow(n)
	if err != nil {
		return nil, err
	}
	switch {
	case n.Type == "map":
		s.Key = &connect.Schema{Type: connect.String}
		s.Value, err = toConnect(n.Values)
	case s.Type == connect.Map:
		if s.Key, err = toConnect(&n.Items.Fields[0].Type); err == nil {
			s.Value, err = toConnect(&n.Items.Fields[1].Type)
		}
	case s.Type == connect.Array:
		s.Value, err = toConnect(n.Items)
	case s.Type == connect.Struct:
		for i := range n.Fields {
			field, err := toConnect(&n.Fields[i].Type)
			if err != nil {
				return nil, err
			}
			s.Fields = append(s.Fields, connect.Field{Name: n.Fields[i].Name, Schema: field})
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hasStandaloneNull looks for a type null outside a union. Connect refuses
// every record of such a schema.
func hasStandaloneNull(n *avro.SchemaNode) bool {
	switch n.Type {
	case "null":
		return true
	case "array":
		return hasStandaloneNull(n.Items)
	case "map":
		return hasStandaloneNull(n.Values)
	case "union":
		for i := range n.Branches {
			if b := &n.Branches[i]; b.Type != "null" && hasStandaloneNull(b) {
				return true
			}
		}
	case "record", "error":
		for i := range n.Fields {
			if hasStandaloneNull(&n.Fields[i].Type) {
				return true
			}
		}
	}
	return false
}

// intType is Connect's type of an Avro int: connect.type tells the small ones.
func intType(n *avro.SchemaNode) connect.Type {
	switch n.Props["connect.type"] {
	case "int8":
		return connect.Int8
	case "int16":
		return connect.Int16
	default:
		return connect.Int32
	}
}

// isMapEntry recognises the record that stands for an entry of a map.
func isMapEntry(n *avro.SchemaNode) bool {
	if n.Type != "record" || len(n.Fields) != 2 || n.Fields[0].Name != "key" || n.Fields[1].Name != "value" {
		return false
	}
	return n.Name == mapEntryType && n.Namespace == mapEntryNamespace || n.Props[internalTypeProp] == mapEntryType
}

// unionToConnect makes a union with null optional, and any other union a
// struct with an optional member per branch.
func unionToConnect(n *avro.SchemaNode) (*connect.Schema, error) {
	branch, optional := soleBranch(n)
	if branch != nil {
		s, err := toConnect(branch)
		if err != nil {
			return nil, err
		}
		s.Optional = optional
		return s, nil
	}
	s := &connect.Schema{Type: connect.Struct, Name: unionName, Optional: optional}
	for i := range n.Branches {
		b := &n.Branches[i]
		if b.Type == "null" {
			continue
		}
		field, err := toConnect(b)
		if err != nil {
			return nil, err
		}
		field.Optional = true
		s.Fields = append(s.Fields, connect.Field{Name: branchName(b), Schema: field})
	}
	if len(s.Fields) == 0 {
		return nil, errStandaloneNull
	}
	return s, nil
}

// soleBranch gives the only branch of a union besides null, or nil when there
// are several. optional tells whether null is among them.
func soleBranch(n *avro.SchemaNode) (branch *avro.SchemaNode, optional bool) {
	for i := range n.Branches {
		switch {
		case n.Branches[i].Type == "null":
			optional = true
		case branch != nil:
			return nil, optional || hasNull(n.Branches[i:])
		default:
			branch = &n.Branches[i]
		}
	}
	return branch, optional
}

func hasNull(branches []avro.SchemaNode) bool {
	for i := range branches {
		if branches[i].Type == "null" {
			return true
		}
	}
	return false
}

// branchName is the member that a branch of a union becomes.
func branchName(n *avro.SchemaNode) string {
	switch n.Type {
	case "record", "error", "enum", "fixed":
		return fullName(n)
	default:
		return n.Type
	}
}

// floatText is Java's Float.toString.
func floatText(f float32) string {
	abs := math.Abs(float64(f))
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) || abs == 0 {
		switch {
		case f > 0:
			return "Infinity"
		case f < 0:
			return "-Infinity"
		case math.IsNaN(float64(f)):
			return "NaN"
		case math.Signbit(float64(f)):
			return "-0.0"
		default:
			return "0.0"
		}
	}
	if abs >= 1e-3 && abs < 1e7 {
		text := strconv.FormatFloat(float64(f), 'f', -1, 32)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	text := strconv.FormatFloat(float64(f), 'e', -1, 32)
	if !strings.Contains(text, ".") {
		text = strconv.FormatFloat(float64(f), 'e', 1, 32)
	}
	mantissa, exp, _ := strings.Cut(text, "e")
	sign := ""
	if exp[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exp[1:], "0")
}
