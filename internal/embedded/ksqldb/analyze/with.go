package analyze

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// The properties of WITH clauses.
const (
	propTopic             = "KAFKA_TOPIC"
	propPartitions        = "PARTITIONS"
	propReplicas          = "REPLICAS"
	propRetention         = "RETENTION_MS"
	propCleanupPolicy     = "CLEANUP_POLICY"
	propFormat            = "FORMAT"
	propKeyFormat         = "KEY_FORMAT"
	propValueFormat       = "VALUE_FORMAT"
	propTimestamp         = "TIMESTAMP"
	propTimestampFormat   = "TIMESTAMP_FORMAT"
	propWrap              = "WRAP_SINGLE_VALUE"
	propKeyDelimiter      = "KEY_DELIMITER"
	propValueDelimiter    = "VALUE_DELIMITER"
	propKeySchemaID       = "KEY_SCHEMA_ID"
	propValueSchemaID     = "VALUE_SCHEMA_ID"
	propKeyFullName       = "KEY_SCHEMA_FULL_NAME"
	propValueFullName     = "VALUE_SCHEMA_FULL_NAME"
	propValueAvroFullName = "VALUE_AVRO_SCHEMA_FULL_NAME"
	propKeyNullable       = "KEY_PROTOBUF_NULLABLE_REPRESENTATION"
	propValueNullable     = "VALUE_PROTOBUF_NULLABLE_REPRESENTATION"
	propWindowType        = "WINDOW_TYPE"
	propWindowSize        = "WINDOW_SIZE"
	propConnector         = "SOURCED_BY_CONNECTOR"
	propQueryID           = "QUERY_ID"
)

var (
	commonProps = []string{
		propTopic, propPartitions, propReplicas, propRetention, propCleanupPolicy, propFormat, propKeyFormat,
		propValueFormat, propTimestamp, propTimestampFormat, propWrap, propKeyDelimiter, propValueDelimiter,
		propKeySchemaID, propValueSchemaID, propKeyFullName, propValueFullName, propValueAvroFullName,
		propKeyNullable, propValueNullable,
	}
	createProps   = append(slices.Clone(commonProps), propWindowType, propWindowSize, propConnector)
	createAsProps = commonProps
	insertProps   = []string{propQueryID}
)

// properties is a WITH clause, checked.
type properties struct {
	list []*ast.Property

	topic           string
	partitions      *int
	replicas        *int
	retention       *int64
	keyFormat       string
	valueFormat     string
	timestamp       string
	timestampFormat string
	wrap            *bool
	key, value      formatProperties
	window          types.WindowKind
	windowType      string
	windowSize      time.Duration
	queryID         string
}

// formatProperties are the properties of one side of a record.
type formatProperties struct {
	delimiter   string
	schemaID    *int
	fullName    string
	fullNameSet bool
	nullable    string
}

func prepareFailure(text string, args ...any) error {
	return &prepareError{badStatement("Failed to prepare statement: "+text, args...)}
}

// readProperties checks a WITH clause for unknown, malformed and contradicting
// properties.
func readProperties(list []*ast.Property, allowed []string) (*properties, error) {
	p := &properties{list: list}
	var unknown []string
	for _, item := range list {
		if !slices.Contains(allowed, strings.ToUpper(item.Name)) {
			unknown = append(unknown, strings.ToUpper(item.Name))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, prepareFailure("Invalid config variable(s) in the WITH clause: %s", strings.Join(unknown, ","))
	}
	for _, item := range list {
		if err := p.set(strings.ToUpper(item.Name), item.Value); err != nil {
			return nil, err
		}
	}
	if p.has(propFormat) {
		for _, name := range []string{propKeyFormat, propValueFormat} {
			if p.has(name) {
				return nil, prepareFailure("Cannot supply both '%s' and '%s' properties, as '%s' sets both key and value formats. Either use just '%s', or use '%s' and '%s'.",
					name, propFormat, propFormat, propFormat, propKeyFormat, propValueFormat)
			}
		}
	}
	return p, p.checkWindow()
}

func (p *properties) checkWindow() error {
	switch {
	case p.windowType == "" && p.windowSize > 0:
		return nil
	case p.windowType == "SESSION":
		if p.has(propWindowSize) {
			return prepareFailure("'WINDOW_SIZE' should not be set for SESSION windows.")
		}
		p.window = types.SessionWindow
	case p.windowType != "":
		if !p.has(propWindowSize) {
			return prepareFailure("%s windows require 'WINDOW_SIZE' to be provided in the WITH clause. For example: 'WINDOW_SIZE'='10 SECONDS'", p.windowType)
		}
		p.window = types.TimeWindow
	}
	return nil
}

func (p *properties) has(name string) bool {
	return slices.ContainsFunc(p.list, func(i *ast.Property) bool { return strings.EqualFold(i.Name, name) })
}

func (p *properties) set(name string, value ast.Literal) error {
	text := literalText(value)
	switch name {
	case propTopic:
		p.topic = text
	case propPartitions:
		return setNumber(name, text, "INT", 32, &p.partitions)
	case propReplicas:
		return setNumber(name, text, "SHORT", 16, &p.replicas)
	case propRetention:
		return setNumber(name, text, "LONG", 64, &p.retention)
	case propFormat:
		p.keyFormat, p.valueFormat = text, text
	case propKeyFormat:
		p.keyFormat = text
	case propValueFormat:
		p.valueFormat = text
	case propTimestamp:
		p.timestamp = columnName(text)
	case propTimestampFormat:
		p.timestampFormat = text
	case propWrap:
		switch strings.ToLower(text) {
		case "true", "false":
			b := strings.EqualFold(text, "true")
			p.wrap = &b
		default:
			return prepareFailure("Invalid value %s for property %s: Expected value to be either true or false", text, name)
		}
	case propKeyDelimiter:
		return setDelimiter(name, text, &p.key.delimiter)
	case propValueDelimiter:
		return setDelimiter(name, text, &p.value.delimiter)
	case propKeySchemaID:
		return setNumber(name, text, "INT", 32, &p.key.schemaID)
	case propValueSchemaID:
		return setNumber(name, text, "INT", 32, &p.value.schemaID)
	case propKeyFullName:
		p.key.fullName, p.key.fullNameSet = text, true
	case propValueFullName, propValueAvroFullName:
		p.value.fullName, p.value.fullNameSet = text, true
	case propKeyNullable:
		return setNullable(name, text, &p.key.nullable)
	case propValueNullable:
		return setNullable(name, text, &p.value.nullable)
	case propWindowType:
		return p.setWindowType(text)
	case propWindowSize:
		return p.setWindowSize(text)
	case propQueryID:
		p.queryID = text
	}
	return nil
}

func (p *properties) setWindowType(text string) error {
	p.windowType = strings.ToUpper(text)
	if !slices.Contains([]string{"SESSION", "HOPPING", "TUMBLING"}, p.windowType) {
		return prepareFailure("Invalid value %s for property WINDOW_TYPE: String must be one of: SESSION, HOPPING, TUMBLING, null", text)
	}
	return nil
}

func (p *properties) setWindowSize(text string) error {
	fail := func(reason string, args ...any) error {
		return prepareFailure("Configuration WINDOW_SIZE is invalid: Invalid duration: '%s'. %s", text, fmt.Sprintf(reason, args...))
	}
	parts := strings.Fields(text)
	if len(parts) != 2 {
		return fail("Expected 2 tokens, got: %d", len(parts))
	}
	n, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return fail("Not numeric: '%s'", parts[0])
	}
	units := map[string]time.Duration{
		"MILLISECOND": time.Millisecond, "SECOND": time.Second, "MINUTE": time.Minute, "HOUR": time.Hour, "DAY": 24 * time.Hour,
	}
	unit := strings.ToUpper(parts[1])
	d, ok := units[strings.TrimSuffix(unit, "S")]
	if !ok {
		return fail("Unknown time unit: '%s'", unit)
	}
	p.windowSize = time.Duration(n) * d
	return nil
}

func setNumber[N int | int64](name, text, kind string, bits int, field **N) error {
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return prepareFailure("Invalid value %s for property %s: Not a number of type %s", text, name, kind)
	}
	v := N(n)
	*field = &v
	return nil
}

func setDelimiter(name, text string, field *string) error {
	switch {
	case strings.EqualFold(text, "TAB"), strings.EqualFold(text, "SPACE"):
	case strings.TrimSpace(text) == "":
		return prepareFailure("Configuration %s is invalid: Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please use the special values 'TAB' or 'SPACE'\nExample valid value: ';'", name)
	case len([]rune(text)) != 1:
		return prepareFailure("Configuration %s is invalid: Invalid delimiter value: '%s'. Delimiter must be a single character or TAB,SPACE\nExample valid value: ';'", name, text)
	}
	*field = text
	return nil
}

func setNullable(name, text string, field *string) error {
	*field = strings.ToUpper(text)
	if *field != "OPTIONAL" && *field != "WRAPPER" {
		return prepareFailure("Invalid value %s for property %s: String must be one of: OPTIONAL, WRAPPER, null", text, name)
	}
	return nil
}

// columnName reads a column's name as identifiers are read: quoted as it is,
// otherwise in upper case.
func columnName(text string) string {
	if len(text) > 1 && (text[0] == '`' || text[0] == '"') && text[len(text)-1] == text[0] {
		return text[1 : len(text)-1]
	}
	return strings.ToUpper(text)
}

// literalText is the text of a property's value.
func literalText(l ast.Literal) string {
	switch l := l.(type) {
	case *ast.StringLiteral:
		return l.Value
	case *ast.IntegerLiteral:
		return strconv.FormatInt(int64(l.Value), 10)
	case *ast.LongLiteral:
		return strconv.FormatInt(l.Value, 10)
	case *ast.BooleanLiteral:
		return strconv.FormatBool(l.Value)
	case *ast.DecimalLiteral:
		return l.Text
	case *ast.DoubleLiteral:
		return string(types.AppendDouble(nil, l.Value))
	default:
		return "null"
	}
}

// planFormat puts a side's format and its properties together.
func (f formatProperties) planFormat(name string) plan.Format {
	return plan.Format{Name: name, Delimiter: f.delimiter, SchemaID: f.schemaID, FullName: f.fullName, Nullable: f.nullable}
}
