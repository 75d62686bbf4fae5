package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// features says what a format can do. properties are the names of the settings
// it knows, as ksqlDB's error texts spell them.
type features struct {
	wrap, unwrap, inference bool
	properties              []string
}

const (
	propDelimiter = "delimiter"
	propFullName  = "fullSchemaName"
	propSchemaID  = "schemaId"
	propNullable  = "nullableRepresentation"
)

var featuresOf = map[string]features{
	Kafka:        {unwrap: true},
	JSON:         {wrap: true, unwrap: true},
	Delimited:    {unwrap: true, properties: []string{propDelimiter}},
	None:         {},
	Avro:         {wrap: true, unwrap: true, inference: true, properties: []string{propFullName, propSchemaID}},
	JSONSR:       {wrap: true, unwrap: true, inference: true, properties: []string{propFullName, propSchemaID}},
	Protobuf:     {wrap: true, inference: true, properties: []string{propFullName, propSchemaID, propNullable}},
	ProtobufNoSR: {wrap: true, unwrap: true, properties: []string{propNullable}},
}

// SupportsInference reports whether the format keeps its schemas in a Schema
// Registry, so that columns can be inferred from them.
func SupportsInference(format string) bool { return featuresOf[strings.ToUpper(format)].inference }

// SupportsMultipleColumns reports whether the format can hold more than one key
// column.
func SupportsMultipleColumns(format string) bool {
	upper := strings.ToUpper(format)
	return upper != Kafka && upper != None
}

// SupportsKeyType reports whether ksqlDB keeps the format for a key of the
// given type when a query changes the key. It is narrower than what Validate
// accepts for a format named in the statement.
func SupportsKeyType(format string, t *types.Type) bool {
	switch strings.ToUpper(format) {
	case None:
		return false
	case Kafka:
		return kafkaType(t)
	case Delimited:
		return t.Kind < types.KindArray && t.Kind != types.KindDecimal
	default:
		return true
	}
}

// KeyFormatFor is the key format of a query whose key changes to columns of the
// given types: the present one where it can hold them, JSON otherwise.
func KeyFormatFor(format string, keyTypes []*types.Type) string {
	if len(keyTypes) > 1 && !SupportsMultipleColumns(format) {
		return JSON
	}
	for _, t := range keyTypes {
		if !SupportsKeyType(format, t) {
			return JSON
		}
	}
	return format
}

// Unwrapped reports whether the spec's single column is written bare, without a
// record around it.
func (s Spec) Unwrapped() bool {
	f := featuresOf[strings.ToUpper(s.Format)]
	if len(s.Columns) != 1 {
		return false
	}
	if s.IsKey {
		return f.wrap && f.unwrap
	}
	return s.Wrap != nil && !*s.Wrap
}

// featureNames lists the serialisation features that are set explicitly, as
// ksqlDB prints them.
func (s Spec) featureNames() string {
	switch {
	case s.Unwrapped():
		return "UNWRAP_SINGLES"
	case !s.IsKey && s.Wrap != nil:
		return "WRAP_SINGLES"
	default:
		return ""
	}
}

// Validate checks that the format can hold the columns with the settings of the
// spec. Errors are ksqlDB's.
func Validate(s Spec) error {
	name, err := Canonical(s.Format)
	if err != nil {
		return err
	}
	s.Format = name
	f := featuresOf[name]
	if err := s.validateProperties(f); err != nil {
		return err
	}
	if err := s.validateWrapping(f); err != nil {
		return err
	}
	if err := s.validateColumns(); err != nil {
		return s.unsupported(err.Error())
	}
	return nil
}

func (s Spec) validateProperties(f features) error {
	given := map[string]string{}
	if s.Delimiter != "" {
		given[propDelimiter] = s.Delimiter
	}
	if s.FullName != "" {
		given[propFullName] = s.FullName
	}
	if s.SchemaID != nil {
		given[propSchemaID] = fmt.Sprint(*s.SchemaID)
	}
	if s.ProtobufNullable != "" {
		given[propNullable] = s.ProtobufNullable
	}
	var unknown []string
	for _, p := range []string{propDelimiter, propFullName, propSchemaID, propNullable} {
		if _, ok := given[p]; ok && !slices.Contains(f.properties, p) {
			unknown = append(unknown, p)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%s does not support the following configs: [%s]", s.Format, strings.Join(unknown, ", "))
	}
	if s.Delimiter != "" {
		if _, err := delimiterByte(s.Delimiter); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) validateWrapping(f features) error {
	if s.IsKey || s.Wrap == nil {
		return nil
	}
	if *s.Wrap && !f.wrap || !*s.Wrap && !f.unwrap {
		return fmt.Errorf("Format '%s' does not support 'WRAP_SINGLE_VALUE' set to '%t'.", s.Format, *s.Wrap)
	}
	if len(s.Columns) != 1 {
		return fmt.Errorf("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas")
	}
	return nil
}

func (s Spec) validateColumns() error {
	switch s.Format {
	case None:
		if len(s.Columns) > 0 {
			return fmt.Errorf("The 'NONE' format can only be used when no columns are defined. Got: %s", s.columnList())
		}
	case Kafka:
		if len(s.Columns) > 1 {
			return fmt.Errorf("The 'KAFKA' format only supports a single field. Got: %s", s.columnList())
		}
		for _, c := range s.Columns {
			if !kafkaType(c.Type) {
				return fmt.Errorf("The 'KAFKA' format does not support type '%s'", c.Type.Kind)
			}
		}
	case Delimited:
		for _, c := range s.Columns {
			if c.Type.Kind >= types.KindArray {
				return fmt.Errorf("The 'DELIMITED' format does not support type '%s', column: %s", c.Type.Kind, types.QuoteName(c.Name))
			}
		}
	default:
		for _, c := range s.Columns {
			if err := stringMapKeys(s.Format, c.Type); err != nil {
				return err
			}
		}
	}
	return nil
}

// stringMapKeys refuses maps whose keys are no strings.
func stringMapKeys(format string, t *types.Type) error {
	if t == nil {
		return nil
	}
	if t.Kind == types.KindMap && t.Key.Kind != types.KindString {
		switch format {
		case Avro:
			return fmt.Errorf("Avro only supports MAPs with STRING keys")
		case JSON, JSONSR:
			return fmt.Errorf("JSON only supports MAP types with STRING keys")
		default:
			return fmt.Errorf("PROTOBUF format only supports MAP types with STRING keys. See https://github.com/confluentinc/ksql/issues/6177.")
		}
	}
	if err := stringMapKeys(format, t.Elem); err != nil {
		return err
	}
	for _, f := range t.Fields {
		if err := stringMapKeys(format, f.Type); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) unsupported(reason string) error {
	side := "Value"
	if s.IsKey {
		side = "Key"
	}
	return fmt.Errorf("%s format does not support schema.\nformat: %s\nschema: Persistence{columns=%s, features=[%s]}\nreason: %s",
		side, s.Format, s.columnList(), s.featureNames(), reason)
}

func (s Spec) columnList() string { return columnList(s.Columns, s.IsKey) }

// columnList prints columns as ksqlDB does: [`K` INTEGER KEY, `S` STRING KEY].
func columnList(cols []types.Column, isKey bool) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = types.QuoteName(c.Name) + " " + c.Type.String()
		if isKey {
			parts[i] += " KEY"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func kafkaType(t *types.Type) bool {
	switch t.Kind {
	case types.KindInteger, types.KindBigint, types.KindDouble, types.KindString, types.KindBytes:
		return true
	default:
		return false
	}
}

// delimiterByte reads KEY_DELIMITER or VALUE_DELIMITER.
func delimiterByte(text string) (rune, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return 0, fmt.Errorf("Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please use the special values 'TAB' or 'SPACE'\nExample valid value: ';'")
	case text == "TAB":
		return '\t', nil
	case text == "SPACE":
		return ' ', nil
	}
	if runes := []rune(text); len(runes) == 1 {
		return runes[0], nil
	}
	return 0, fmt.Errorf("Invalid delimiter value: '%s'. Delimiter must be a single character or TAB,SPACE\nExample valid value: ';'", text)
}
