package elasticsearch

import (
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// The settings of data streams.
const (
	streamTypeSetting      = "data.stream.type"
	streamDatasetSetting   = "data.stream.dataset"
	streamNamespaceSetting = "data.stream.namespace"
	streamTimestampSetting = "data.stream.timestamp.field"
	noStream               = "none"
)

// timestampField is the field that every document of a data stream has.
const timestampField = "@timestamp"

// dataStream is the data stream that documents go to; none when its type is empty.
type dataStream struct {
	typ, dataset, namespace string
	timestamps              []string // the fields that have the document's time
}

// name is the data stream of a topic.
func (d dataStream) name(topic string) string {
	namespace := strings.ReplaceAll(d.namespace, "${topic}", topic)
	return strings.ToLower(d.typ + "-" + d.dataset + "-" + namespace)
}

// stamped gives a value with its time: that of the first field named for it that
// is there, else that of the record.
func (d dataStream) stamped(r *plugin.Record, schema *data.Schema, value any) (*data.Schema, any) {
	get := func(string) (any, bool) { return nil, false }
	switch v := value.(type) {
	case *data.Struct:
		get = v.Get
	case *data.Map:
		get = func(name string) (any, bool) { return v.Get(name) }
	}
	var at any
	of := data.OptionalOf(data.Int64)
	if r.Timestamp != nil {
		at = *r.Timestamp
	}
	for _, name := range d.timestamps {
		if field, ok := get(name); ok {
			at, of = data.Text(field), data.OptionalOf(data.String)
			break
		}
	}
	switch v := value.(type) {
	case *data.Struct:
		changed := schema.Clone()
		changed.Fields = append(changed.Fields, data.Field{Name: timestampField, Schema: of})
		return changed, &data.Struct{Schema: changed, Values: append(append([]any(nil), v.Values...), at)}
	case *data.Map:
		changed := v.Clone()
		changed.Put(timestampField, at)
		return schema, changed
	default:
		return schema, value
	}
}
