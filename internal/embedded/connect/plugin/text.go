package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/orderflow/orderflow/internal/embedded/connect/data"
)

// Text describes a record as the real one's toString does.
func (r *Record) Text() string {
	about := ""
	if r.KafkaTopic == "" {
		about = fmt.Sprintf("SourceRecord{sourcePartition=%s, sourceOffset=%s}", javaMap(r.SourcePartition), javaMap(r.SourceOffset))
	} else {
		about = fmt.Sprintf("SinkRecord{kafkaOffset=%d, timestampType=CreateTime, originalTopic=%s, originalKafkaPartition=%d, originalKafkaOffset=%d}",
			r.KafkaOffset, r.KafkaTopic, r.KafkaPartition, r.KafkaOffset)
	}
	partition, timestamp := "null", "null"
	if r.Partition != nil {
		partition = fmt.Sprint(*r.Partition)
	}
	if r.Timestamp != nil {
		timestamp = fmt.Sprint(*r.Timestamp)
	}
	headers := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = fmt.Sprintf("ConnectHeader(key=%s, value=%s, schema=%s)", h.Key, data.Text(h.Value), h.Schema)
	}
	return fmt.Sprintf("%s ConnectRecord{topic='%s', kafkaPartition=%s, key=%s, keySchema=%s, value=%s, valueSchema=%s, timestamp=%s, headers=ConnectHeaders(headers=%s)}",
		about, r.Topic, partition, data.Text(r.Key), r.KeySchema, data.Text(r.Value), r.ValueSchema, timestamp, strings.Join(headers, ", "))
}

func javaMap(m map[string]any) string {
	if m == nil {
		return "null"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+data.Text(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
