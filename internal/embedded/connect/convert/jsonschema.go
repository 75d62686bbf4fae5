package convert

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

// The real converter's messages when writing or reading fails.
const (
	jsonSchemaWriteFailed = "Converting Kafka Connect data to byte[] failed due to serialization error of topic %s: "
	jsonSchemaReadFailed  = "Converting byte[] to Kafka Connect data failed due to serialization error of topic %s: "
)

func jsonSchemaClass() Class {
	return Class{
		Name: "io.confluent.connect.json.JsonSchemaConverter",
		Definition: &config.Definition{Keys: append(registryKeys(),
			flagKey("object.additional.properties", "true", false, "Whether registered schemas allow properties that they don't list."),
			flagKey("use.optional.for.nonrequired", "false", false, "Whether properties that are not required are optional."),
			flagKey("ignore.default.for.nullables", "false", false, "Whether a null is written as null where its field has a default."),
			flagKey("generalized.sum.type.support", "false", true, "Only false is supported by the embedded worker."),
			flagKey("flatten.singleton.unions", "true", true, "Only true is supported by the embedded worker."),
			config.Key{Name: "decimal.format", Type: config.String, Default: config.Default("BASE64"), Importance: config.Low, Order: -1, Width: config.NoWidth,
				Display: "decimal.format", Check: config.OneOfAnyCase("BASE64", "NUMERIC"), Doc: "How decimals are written: BASE64 (bytes) or NUMERIC (a JSON number)."},
		)},
		registry: true,
		make:     newJSONSchemaConverter,
	}
}

// jsonSchemaConverter writes JSON in the wire format of Confluent's registry, with
// a JSON Schema there that tells the Connect types in properties of its own.
type jsonSchemaConverter struct {
	subjects
	format     JSONFormat
	additional bool
	optional   bool // what is not required is optional

	ids     map[string]int // by subject and schema text
	readers map[int]*data.Schema
}

func newJSONSchemaConverter(env Environment, key bool, s config.Settings) (Converter, error) {
	registry, err := newSubjects(env, key, s)
	if err != nil {
		return nil, err
	}
	return &jsonSchemaConverter{
		subjects:   registry,
		format:     JSONFormat{NumericDecimals: strings.EqualFold(s.Text("decimal.format"), "NUMERIC"), ReplaceNull: !s.Flag("ignore.default.for.nullables"), Described: true},
		additional: s.Flag("object.additional.properties"), optional: s.Flag("use.optional.for.nonrequired"),
		ids: map[string]int{}, readers: map[int]*data.Schema{},
	}, nil
}

func (c *jsonSchemaConverter) FromConnect(ctx context.Context, topic string, schema *data.Schema, value any) ([]byte, error) {
	if schema == nil && value == nil {
		return nil, nil
	}
	if schema == nil {
		return nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "data without a schema needs a converter that writes such"), jsonSchemaWriteFailed, topic)
	}
	described, err := c.describe(schema, nil)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(described)
	if err != nil {
		return nil, fault.Wrap(fault.Data, err, jsonSchemaWriteFailed, topic)
	}
	id, err := c.id(ctx, topic, schema.Name, string(text))
	if err != nil {
		return nil, fault.Wrap(fault.Data, err, jsonSchemaWriteFailed, topic)
	}
	plainSchema, plainValue := plain(schema, value)
	return c.format.Append(framed(id), plainSchema, plainValue)
}

// id finds the schema that a topic's data is written with.
func (c *jsonSchemaConverter) id(ctx context.Context, topic, title, text string) (int, error) {
	subject, err := c.subject(topic, title)
	if err != nil {
		return 0, err
	}
	cacheKey := subject + "\x00" + text
	if id, known := c.ids[cacheKey]; known {
		return id, nil
	}
	with, err := c.choose(ctx, subject, sr.Schema{Schema: text, Type: sr.TypeJSON}, "Error registering JSON schema: ")
	if err != nil {
		return 0, err
	}
	keep(c.ids, c.most, cacheKey, with.id)
	return with.id, nil
}

func (c *jsonSchemaConverter) ToConnect(ctx context.Context, topic string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	failed := func(err error) error { return fault.Wrap(fault.Data, err, jsonSchemaReadFailed, topic) }
	id, body, err := unframed(raw)
	if err != nil {
		return nil, nil, failed(err)
	}
	schema := c.readers[id]
	if schema == nil {
		with, err := c.read(ctx, id, sr.TypeJSON)
		if err != nil {
			return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error retrieving JSON schema for id %d", id))
		}
		if schema, err = connectJSONSchema(with, c.optional); err != nil {
			return nil, nil, err
		}
		keep(c.readers, c.most, id, schema)
	}
	value, err := parseJSON(body)
	if err != nil {
		return nil, nil, failed(fault.Wrap(fault.Serialization, err, "Error deserializing JSON message for id %d", id))
	}
	v, err := jsonSchemaValue(schema, value, true)
	return schema, v, err
}

// describe gives the JSON Schema of a Connect schema. index is the place in a
// struct, nil for none.
func (c *jsonSchemaConverter) describe(s *data.Schema, index *int) (map[string]any, error) {
	if isUnion(s) {
		return c.describeUnion(s, index)
	}
	own, err := c.describeType(s)
	if err != nil {
		return nil, err
	}
	if err := c.annotate(own, s); err != nil {
		return nil, err
	}
	if s.Optional {
		own = map[string]any{"oneOf": []any{map[string]any{"type": "null"}, own}}
	}
	if index != nil {
		own["connect.index"] = *index
	}
	return own, nil
}

func (c *jsonSchemaConverter) annotate(own map[string]any, s *data.Schema) error {
	if s.Name != "" {
		own["title"] = s.Name
	}
	if s.Version != nil {
		own["connect.version"] = *s.Version
	}
	if s.Doc != "" {
		own["description"] = s.Doc
	}
	parameters := map[string]string{}
	for k, v := range s.Parameters {
		if !strings.HasPrefix(k, jsonNamespace) {
			parameters[k] = v
		}
	}
	if len(parameters) > 0 {
		own["connect.parameters"] = parameters
	}
	if s.HasDefault && s.Default != nil {
		text, err := c.format.Append(nil, s, s.Default)
		if err != nil {
			return err
		}
		own["default"] = json.RawMessage(text)
	}
	return nil
}

func (c *jsonSchemaConverter) describeType(s *data.Schema) (map[string]any, error) {
	switch s.Type {
	case data.Int8, data.Int16, data.Int32, data.Int64:
		return map[string]any{"type": "integer", "connect.type": s.Type.String()}, nil
	case data.Float32, data.Float64:
		return map[string]any{"type": "number", "connect.type": s.Type.String()}, nil
	case data.Boolean:
		return map[string]any{"type": "boolean"}, nil
	case data.String:
		if symbols := enumSymbols(s); symbols != nil {
			return map[string]any{"enum": symbols}, nil
		}
		return map[string]any{"type": "string"}, nil
	case data.Bytes:
		if s.Name == data.DecimalName {
			return map[string]any{"type": "number", "connect.type": "bytes"}, nil
		}
		return map[string]any{"type": "string", "connect.type": "bytes"}, nil
	case data.Array:
		items, err := c.describe(s.Value, nil)
		return map[string]any{"type": "array", "items": items}, err
	case data.MapType:
		return c.describeMap(s)
	default:
		properties := make(map[string]any, len(s.Fields))
		for i, f := range s.Fields {
			own, err := c.describe(f.Schema, &i)
			if err != nil {
				return nil, err
			}
			properties[f.Name] = own
		}
		own := map[string]any{"type": "object"}
		if len(properties) > 0 {
			own["properties"] = properties
		}
		if !c.additional {
			own["additionalProperties"] = false
		}
		return own, nil
	}
}

func (c *jsonSchemaConverter) describeMap(s *data.Schema) (map[string]any, error) {
	if s.Key.Type == data.String && !s.Key.Optional {
		value, err := c.describe(s.Value, nil)
		return map[string]any{"type": "object", "additionalProperties": value, "connect.type": "map"}, err
	}
	places := []int{0, 1}
	key, err := c.describe(s.Key, &places[0])
	if err != nil {
		return nil, err
	}
	value, err := c.describe(s.Value, &places[1])
	entry := map[string]any{"type": "object", "properties": map[string]any{"key": key, "value": value}}
	return map[string]any{"type": "array", "items": entry, "connect.type": "map"}, err
}

func (c *jsonSchemaConverter) describeUnion(s *data.Schema, index *int) (map[string]any, error) {
	members := []any{}
	if s.Optional {
		members = append(members, map[string]any{"type": "null"})
	}
	for i, f := range s.Fields {
		own, err := c.describe(f.Schema.AsOptional(false), &i)
		if err != nil {
			return nil, err
		}
		members = append(members, own)
	}
	own := map[string]any{"oneOf": members}
	if index != nil {
		own["connect.index"] = *index
	}
	return own, nil
}

// The names by which Connect schemas tell enums and unions of JSON Schema.
const (
	jsonNamespace  = "io.confluent.connect.json"
	jsonEnum       = jsonNamespace + ".Enum"
	jsonOneOf      = jsonNamespace + ".OneOf"
	jsonOneOfField = jsonOneOf + ".field."
	jsonEnumNull   = "<NULL>"
)

func isUnion(s *data.Schema) bool {
	return s != nil && s.Type == data.StructType && s.Name == jsonOneOf
}

// enumSymbols gives the values of an enum, nil for what is none.
func enumSymbols(s *data.Schema) []any {
	if _, ok := s.Parameters[jsonEnum]; !ok {
		return nil
	}
	var symbols []any
	for _, k := range sortedKeys(s.Parameters) {
		switch symbol, ok := strings.CutPrefix(k, jsonEnum+"."); {
		case !ok:
		case symbol == jsonEnumNull:
			symbols = append(symbols, nil)
		default:
			symbols = append(symbols, symbol)
		}
	}
	return symbols
}
