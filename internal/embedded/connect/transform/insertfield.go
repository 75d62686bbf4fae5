package transform

import (
	"strings"
	"time"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

func insertFieldClasses() []Class {
	return both("InsertField", &config.Definition{Keys: []config.Key{
		key("topic.field", config.String, config.Medium, "The field that gets the topic; ! at the end makes it required, ? optional."),
		key("partition.field", config.String, config.Medium, "The field that gets the partition."),
		key("offset.field", config.String, config.Medium, "The field that gets the offset; in sinks only."),
		key("timestamp.field", config.String, config.Medium, "The field that gets the record's timestamp."),
		key("static.field", config.String, config.Medium, "The field that gets static.value."),
		key("static.value", config.String, config.Medium, "The text for static.field."),
		replaceNullKey(),
	}}, func(s config.Settings) error {
		none := true
		for _, name := range []string{"topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"} {
			none = none && !s.Given(name)
		}
		switch {
		case none:
			return config.Errorf("No field insertion configured")
		case s.Given("static.field") && !s.Given("static.value"):
			return config.Errorf("No value specified for static field: %s", s.Text("static.field"))
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		t := insertField{side: s, static: settings.Text("static.value"), replaceNull: settings.Flag(replaceNullSetting)}
		for _, slot := range []struct {
			name string
			to   *insertion
		}{{"topic.field", &t.topic}, {"partition.field", &t.partition}, {"offset.field", &t.offset}, {"timestamp.field", &t.timestamp}, {"static.field", &t.staticField}} {
			*slot.to = parseInsertion(settings.Text(slot.name))
		}
		return t, nil
	})
}

// insertion is a field to add; its name is empty for none.
type insertion struct {
	name     string
	optional bool
}

func parseInsertion(spec string) insertion {
	if name, ok := strings.CutSuffix(spec, "!"); ok {
		return insertion{name: name}
	}
	return insertion{name: strings.TrimSuffix(spec, "?"), optional: true}
}

// insertField adds what is known of the record to it.
type insertField struct {
	side                                             side
	topic, partition, offset, timestamp, staticField insertion
	static                                           string
	replaceNull                                      bool
}

func (t insertField) Apply(r *plugin.Record) (*plugin.Record, error) {
	schema, v := t.side.get(r)
	if v == nil {
		return r, nil
	}
	additions, err := t.additions(r)
	if err != nil {
		return nil, err
	}
	const purpose = "field insertion"
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		m = m.Clone()
		for _, a := range additions {
			m.Put(a.field.Name, a.value)
		}
		return t.side.with(r, nil, m), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	changed := schema.Clone()
	result := &data.Struct{Schema: changed}
	for i := range st.Values {
		result.Values = append(result.Values, fieldValue(st, i, t.replaceNull))
	}
	for _, a := range additions {
		changed.Fields = append(changed.Fields, a.field)
		result.Values = append(result.Values, a.value)
	}
	return t.side.with(r, changed, result), nil
}

type addition struct {
	field data.Field
	value any
}

func (t insertField) additions(r *plugin.Record) ([]addition, error) {
	var list []addition
	var err error
	add := func(to insertion, schema *data.Schema, value any) {
		if to.name == "" {
			return
		}
		schema.Optional = to.optional
		if value == nil && !to.optional && err == nil {
			err = fault.New(fault.Data, "Invalid value: null used for required field: %q, schema type: %s", to.name, strings.ToUpper(schema.Type.String()))
		}
		list = append(list, addition{data.Field{Name: to.name, Schema: schema}, value})
	}
	var partition, offset, timestamp any
	if r.Partition != nil {
		partition = *r.Partition
	}
	if r.KafkaTopic != "" {
		partition, offset = r.KafkaPartition, r.KafkaOffset
	} else if t.offset.name != "" {
		return nil, fault.New(fault.Data, "Offset insertion is only supported for sink connectors, record is of type SourceRecord")
	}
	if r.Timestamp != nil {
		timestamp = time.UnixMilli(*r.Timestamp).UTC()
	}
	add(t.topic, data.Of(data.String), r.Topic)
	add(t.partition, data.Of(data.Int32), partition)
	add(t.offset, data.Of(data.Int64), offset)
	add(t.timestamp, data.Timestamp(), timestamp)
	add(t.staticField, data.Of(data.String), t.static)
	return list, err
}
