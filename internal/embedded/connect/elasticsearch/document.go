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
	upsert          bool
	retryOnConflict int64
	generatedIDs    bool
	versionHeader   string
	stream          dataStream
}

// index is where the documents of a topic go.
func (d documents) index(topic string) string {
	if d.stream.typ != "" {
		return d.stream.name(topic)
	}
	return indexName(topic)
}

// action gives the lines for a record, nil for a record that is left out.
func (d documents) action(r *plugin.Record) ([]byte, error) {
	if r.Value == nil {
		switch {
		case d.onNull == nullIgnore, d.onNull == nullDelete && r.Key == nil:
			return nil, nil
		case d.onNull != nullDelete:
			return nil, fault.New(fault.Data, "record from topic=%s partition=%d offset=%d has a null value (to ignore future records like this change the configuration property 'behavior.on.null.values' from 'FAIL' to 'IGNORE')",
				r.KafkaTopic, r.KafkaPartition, r.KafkaOffset)
		}
	}
	line, err := d.target(r)
	if err != nil || r.Value == nil {
		return line, err
	}
	document, err := d.document(r)
	if err != nil {
		return nil, err
	}
	if d.upsert {
		line = append(append(line, `{"doc":`...), document...)
		return append(append(append(line, `,"upsert":`...), document...), "}\n"...), nil
	}
	return append(append(line, document...), '\n'), nil
}

// target gives the line that says what is done to which document.
func (d documents) target(r *plugin.Record) ([]byte, error) {
	ignoreKey := d.ignoreKey || slices.Contains(d.ignoreKeyTopics, r.Topic)
	id := fallbackID(r)
	if !ignoreKey {
		var err error
		if id, err = documentID(r); err != nil {
			return nil, err
		}
	}
	verb := "index"
	switch {
	case r.Value == nil:
		verb = "delete"
	case d.upsert:
		verb = "update"
	case d.stream.typ != "":
		verb = "create"
	}
	line := append([]byte(`{"`), verb...)
	line = convert.AppendJSONString(append(line, `":{"_index":`...), d.index(r.Topic))
	if !d.generatedIDs || r.Value == nil {
		line = convert.AppendJSONString(append(line, `,"_id":`...), id)
	}
	switch {
	case verb == "update":
		line = strconv.AppendInt(append(line, `,"retry_on_conflict":`...), d.retryOnConflict, 10)
	case !ignoreKey && d.stream.typ == "" && !d.generatedIDs:
		version, err := d.version(r)
		if err != nil {
			return nil, err
		}
		line = strconv.AppendInt(append(line, `,"version":`...), version, 10)
		line = append(line, `,"version_type":"external"`...)
	}
	return append(line, "}}\n"...), nil
}

// version is a document's external version: the record's offset, or what a header
// says.
func (d documents) version(r *plugin.Record) (int64, error) {
	if d.versionHeader == "" {
		return r.KafkaOffset, nil
	}
	for _, h := range slices.Backward(r.Headers) {
		if h.Key != d.versionHeader {
			continue
		}
		version, err := strconv.ParseInt(data.Text(h.Value), 10, 64)
		if err != nil {
			return 0, fault.New(fault.Data, "the header %s of topic=%s partition=%d offset=%d has %s: a version is a whole number", h.Key, r.KafkaTopic, r.KafkaPartition, r.KafkaOffset, data.Text(h.Value))
		}
		return version, nil
	}
	return 0, fault.New(fault.NullPointer, `Cannot invoke "org.apache.kafka.connect.header.Header.key()" because "versionHeader" is null`)
}

// document gives a record's value as JSON.
func (d documents) document(r *plugin.Record) ([]byte, error) {
	switch r.Value.(type) {
	case *data.Struct, *data.Map:
	default:
		return nil, fault.New(fault.Data, "the value of topic=%s partition=%d offset=%d is %T: a document needs an object", r.KafkaTopic, r.KafkaPartition, r.KafkaOffset, r.Value)
	}
	schema, value := d.plain(r.ValueSchema, r.Value)
	if d.stream.typ != "" {
		schema, value = d.stream.stamped(r, schema, value)
	}
	return (convert.JSONFormat{ReplaceNull: true}).Append(nil, schema, value)
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
