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
			return config.Wholef("No field insertion configured")
		case s.Given("static.field") && !s.Given("static.value"):
			return config.Wholef("Invalid value null for configuration static.value: No value specified for static field: %s", s.Text("static.field"))
		}
		return nil
	}, func(s side, settings config.Settings) (Transformation, error) {
		t := insertField{side: s, static: settings.Text("static.value"), replaceNull: settings.Flag(replaceNullSetting)}
		for _, slot := range []struct {
			name string
			to   *insertion
		}{{"topic.field", &t.topic}, {"partition.field", &t.partition}, {"offset.field", &t.offset}, {"timestamp.field", &t.timestamp}, {"static.field", &t.staticField}} {
			if settings.Given(slot.name) {
				*slot.to = parseInsertion(settings.Text(slot.name))
			}
		}
		return t, nil
	})
}

// insertion is a field to add.
type insertion struct {
	wanted   bool
	name     string
	optional bool
}

func parseInsertion(spec string) insertion {
	if name, ok := strings.CutSuffix(spec, "!"); ok {
		return insertion{wanted: true, name: name}
	}
	return insertion{wanted: true, name: strings.TrimSuffix(spec, "?"), optional: true}
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
	const purpose = "field insertion"
	if schema == nil {
		m, err := asMap(v, purpose)
		if err != nil {
			return nil, err
		}
		additions, err := t.additions(r, false)
		if err != nil {
			return nil, err
		}
		size := len(m.Keys)
		m = m.Clone()
		for _, a := range additions {
			if a.value != nil {
				m.Put(a.field.Name, a.value)
			}
		}
		m.SortAsCopy(size)
		return t.side.with(r, nil, m), nil
	}
	st, err := asStruct(v, purpose)
	if err != nil {
		return nil, err
	}
	m := newMaker(basics(schema))
	for i, f := range schema.Fields {
		m.add(f.Name, f.Schema, fieldValue(st, i, t.replaceNull))
	}
	additions, err := t.additions(r, true)
	for _, a := range additions {
		if a.value == nil {
			m.declare(a.field.Name, a.field.Schema)
		} else {
			m.add(a.field.Name, a.field.Schema, a.value)
		}
	}
	if m.valueError == nil {
		m.valueError = err
	}
	changed, err := m.made()
	if err != nil {
		return nil, err
	}
	return t.side.with(r, changed.Schema, changed), nil
}

// addition is a field with what is put into it; a nil value is not put.
type addition struct {
	field data.Field
	value any
}

// additions lists what is added, also with an error: that of an offset that the
// record does not have.
func (t insertField) additions(r *plugin.Record, withSchema bool) ([]addition, error) {
	var list []addition
	add := func(to insertion, schema *data.Schema, value any) {
		if to.wanted {
			schema.Optional = to.optional
			list = append(list, addition{data.Field{Name: to.name, Schema: schema}, value})
		}
	}
	var err error
	var partition, offset, timestamp any
	if r.Partition != nil {
		partition = *r.Partition
	}
	if r.KafkaTopic != "" {
		offset = r.KafkaOffset
	} else if t.offset.wanted {
		err = fault.New(fault.Data, "Only SinkRecord supported for [field insertion], found: org.apache.kafka.connect.source.SourceRecord")
	}
	if r.Timestamp != nil {
		if timestamp = *r.Timestamp; withSchema {
			timestamp = time.UnixMilli(*r.Timestamp).UTC()
		}
	}
	add(t.topic, data.Of(data.String), r.Topic)
	add(t.partition, data.Of(data.Int32), partition)
	add(t.offset, data.Of(data.Int64), offset)
	add(t.timestamp, data.Timestamp(), timestamp)
	add(t.staticField, data.Of(data.String), t.static)
	return list, err
}
