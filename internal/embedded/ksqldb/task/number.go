package task

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// SeqHeader is the record header that carries the number of an output. Its
// value is the service id, the query's id, the task (sub-topology and
// partition) and the number, divided by slashes. It is no header of the record
// for queries and users: whoever reads records for them takes it off.
const SeqHeader = "__orderflow.seq"

// Tag is the beginning of the header's value for all outputs of a task.
func Tag(serviceID string, id state.TaskID) string {
	return serviceID + "/" + id.Query + "/" + strconv.Itoa(id.Sub) + "_" + strconv.Itoa(int(id.Partition)) + "/"
}

// Number gives the task's tag and the number of a record that the engine
// wrote.
func Number(headers []kgo.RecordHeader) (tag string, seq uint64, ok bool) {
	for _, h := range headers {
		if h.Key != SeqHeader {
			continue
		}
		value := string(h.Value)
		cut := strings.LastIndexByte(value, '/') + 1
		seq, err := strconv.ParseUint(value[cut:], 10, 64)
		if err != nil {
			return "", 0, false
		}
		return value[:cut], seq, true
	}
	return "", 0, false
}

// UserHeaders gives a record's headers without the number.
func UserHeaders(headers []kgo.RecordHeader) []types.Header {
	var out []types.Header
	for _, h := range headers {
		if h.Key != SeqHeader {
			out = append(out, types.Header{Key: h.Key, Value: h.Value})
		}
	}
	return out
}

// Headers gives the headers that an output is written with: its own and its number.
func Headers(headers []types.Header, tag string, seq uint64) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, 0, len(headers)+1)
	for _, h := range headers {
		out = append(out, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return append(out, kgo.RecordHeader{Key: SeqHeader, Value: strconv.AppendUint([]byte(tag), seq, 10)})
}
