package elasticsearch

import (
	"math/big"
	"slices"
	"strconv"

	"github.com/orderflow/orderflow/internal/embedded/connect/convert"
	"github.com/orderflow/orderflow/internal/embedded/connect/data"
	"github.com/orderflow/orderflow/internal/embedded/connect/fault"
	"github.com/orderflow/orderflow/internal/embedded/connect/plugin"
)

// What becomes of records without a value.
const (
	nullIgnore = "IGNORE"
	nullDelete = "DELETE"
)

// documents turns records into the lines of a bulk request.
type documents struct {
	ignoreKey       bool
	ignoreKeyTopics []string
	onNull          string
	compact         bool
}

// action gives the lines for a record, nil for a record that is left out.
func (d documents) action(r *plugin.Record) ([]byte, error) {
	ignoreKey := d.ignoreKey || slices.Contains(d.ignoreKeyTopics, r.Topic)
	if r.Value == nil {
		switch {
		case d.onNull == nullIgnore, d.onNull == nullDelete && r.Key == nil:
			return nil, nil
		case d.onNull != nullDelete:
			return nil, fault.New(fault.Data, "record from topic=%s partition=%d offset=%d has a null value (to ignore future records like this change the configuration property 'behavior.on.null.values' from 'FAIL' to 'IGNORE')",
				r.KafkaTopic, r.KafkaPartition, r.KafkaOffset)
		}
	}
	id := fallbackID(r)
	if !ignoreKey {
		var err error
		if id, err = documentID(r); err != nil {
			return nil, err
		}
	}
	verb := "index"
	if r.Value == nil {
		verb = "delete"
	}
	line := append([]byte(`{"`), verb...)
	line = convert.AppendJSONString(append(line, `":{"_index":`...), indexName(r.Topic))
	line = convert.AppendJSONString(append(line, `,"_id":`...), id)
	if !ignoreKey {
		line = strconv.AppendInt(append(line, `,"version":`...), r.KafkaOffset, 10)
		line = append(line, `,"version_type":"external"`...)
	}
	line = append(line, "}}\n"...)
	if r.Value == nil {
		return line, nil
	}
	switch r.Value.(type) {
	case *data.Struct, *data.Map:
	default:
		return nil, fault.New(fault.Data, "the value of topic=%s partition=%d offset=%d is %T: a document needs an object", r.KafkaTopic, r.KafkaPartition, r.KafkaOffset, r.Value)
	}
	schema, value := d.plain(r.ValueSchema, r.Value)
	line, err := (convert.JSONFormat{ReplaceNull: true}).Append(line, schema, value)
	if err != nil {
		return nil, err
	}
	return append(line, '\n'), nil
}

// documentID makes a key the name of a document.
func documentID(r *plugin.Record) (string, error) {
	switch key := r.Key.(type) {
	case nil:
		return "", fault.New(fault.Data, "Key is used as document id and can not be null.")
	case string, int8, int16, int32, int64:
		return data.Text(key), nil
	default:
		kind := "of no known type"
		if r.KeySchema != nil {
			kind = r.KeySchema.Type.String()
		}
		return "", fault.New(fault.Data, "%s is not supported as the document id.", kind)
	}
}

// plain gives the form in which Elasticsearch takes a value: decimals become
// doubles, and maps lists of entries unless they are compacted into objects.
func (d documents) plain(s *data.Schema, v any) (*data.Schema, any) {
	switch v := v.(type) {
	case data.Decimal:
		r := new(big.Rat).SetFrac(v.Unscaled, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil))
		f, _ := r.Float64()
		return data.OptionalOf(data.Float64), f
	case *data.Struct:
		schema := s.Clone()
		st := &data.Struct{Schema: schema, Values: make([]any, len(v.Values))}
		for i := range v.Values {
			schema.Fields[i].Schema, st.Values[i] = d.plain(schema.Fields[i].Schema, v.Values[i])
		}
		return schema, st
	case []any:
		list := make([]any, len(v))
		for i := range v {
			_, list[i] = d.plain(elementOf(s), v[i])
		}
		return nil, list
	case *data.Map:
		return nil, d.plainMap(s, v)
	default:
		return s, v
	}
}

func elementOf(s *data.Schema) *data.Schema {
	if s == nil {
		return nil
	}
	return s.Value
}

func (d documents) plainMap(s *data.Schema, m *data.Map) any {
	if s == nil || d.compact {
		result := &data.Map{}
		for i, k := range m.Keys {
			_, value := d.plain(elementOf(s), m.Values[i])
			result.Put(data.Text(k), value)
		}
		return result
	}
	list := make([]any, len(m.Keys))
	for i, k := range m.Keys {
		_, value := d.plain(elementOf(s), m.Values[i])
		list[i] = &data.Map{Keys: []any{"key", "value"}, Values: []any{k, value}}
	}
	return list
}
