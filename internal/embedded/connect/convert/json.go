package convert

import (
	"context"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
)

func jsonClass() Class {
	return Class{
		Name: "org.apache.kafka.connect.json.JsonConverter",
		Definition: &config.Definition{Keys: []config.Key{
			{Name: "decimal.format", Type: config.String, Default: config.Default("BASE64"), Importance: config.Low, Group: "Serialization", Order: 0, Width: config.Middle,
				Display: "Decimal Format", Check: config.OneOfFold("BASE64", "NUMERIC"), Doc: "How decimals are written: BASE64 (bytes) or NUMERIC (a JSON number)."},
			typeKey(""),
			{Name: "schemas.cache.size", Type: config.Int, Default: config.Default("1000"), Importance: config.High, Group: "Schemas", Order: 1, Width: config.Middle,
				Display: "Schema Cache Size", Doc: "How many schemas may be kept; this worker keeps none."},
			{Name: "replace.null.with.default", Type: config.Boolean, Default: config.Default("true"), Importance: config.Low, Group: "Serialization", Order: 1, Width: config.Middle,
				Display: "Replace null with default", Doc: "Whether a null is written as its field's default."},
			{Name: "schemas.enable", Type: config.Boolean, Default: config.Default("true"), Importance: config.High, Group: "Schemas", Order: 0, Width: config.Middle,
				Display: "Enable Schemas", Doc: "Whether every key or value carries its schema."},
		}},
		make: func(_ Environment, _ bool, s config.Settings) (Converter, error) {
			return &jsonConverter{
				schemas: s.Flag("schemas.enable"),
				format:  JSONFormat{NumericDecimals: s.Text("decimal.format") == "NUMERIC", ReplaceNull: s.Flag("replace.null.with.default")},
			}, nil
		},
	}
}

// jsonConverter writes JSON, with or without an envelope that has the schema.
type jsonConverter struct {
	schemas bool
	format  JSONFormat
}

func (c *jsonConverter) FromConnect(_ context.Context, _ string, schema *data.Schema, value any) ([]byte, error) {
	if schema == nil && value == nil {
		return nil, nil
	}
	if !c.schemas {
		return c.format.Append(nil, schema, value)
	}
	buf := append([]byte(`{"schema":`), jsonSchemaText(schema)...)
	buf = append(buf, `,"payload":`...)
	buf, err := c.format.Append(buf, schema, value)
	if err != nil {
		return nil, err
	}
	return append(buf, '}'), nil
}

func (c *jsonConverter) ToConnect(_ context.Context, topic string, raw []byte) (*data.Schema, any, error) {
	if raw == nil {
		return nil, nil, nil
	}
	value, err := parseJSON(raw)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Data, fault.New(fault.Serialization, "%s", err), "Converting byte[] to Kafka Connect data failed due to serialization error: ")
	}
	if !c.schemas {
		return nil, schemaless(value), nil
	}
	envelope, ok := value.(*data.Map)
	var rawSchema, payload any
	if ok && len(envelope.Keys) == 2 {
		var hasSchema, hasPayload bool
		rawSchema, hasSchema = envelope.Get("schema")
		payload, hasPayload = envelope.Get("payload")
		ok = hasSchema && hasPayload
	} else {
		ok = false
	}
	if !ok {
		return nil, nil, fault.New(fault.Data, `JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.`)
	}
	schema, err := readJSONSchema(rawSchema)
	if err != nil {
		return nil, nil, err
	}
	if schema == nil {
		return nil, schemaless(payload), nil
	}
	v, err := jsonReader{replaceNull: c.format.ReplaceNull}.value(schema, payload)
	return schema, v, err
}
