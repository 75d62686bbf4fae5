package build_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/sqltest"
)

// startPipeline runs the recorded migrations over the recorded set-up.
func startPipeline(t *testing.T, dir string) *sqltest.Engine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "setup.json"))
	require.NoError(t, err)
	var setup struct {
		Schemas []struct {
			Subject, Schema string
			ID              int
		} `json:"schemas_registered_before"`
		Topics    []struct{ Topic string } `json:"topics_created_before"`
		Variables map[string]json.Number
	}
	require.NoError(t, json.Unmarshal(text, &setup))
	var topics []string
	for _, topic := range setup.Topics {
		topics = append(topics, topic.Topic)
	}
	e := engine(t, topics...)
	for _, s := range setup.Schemas {
		e.Registry().Put(s.Subject, s.ID, registry.Schema{Type: registry.TypeAvro, Text: s.Schema})
	}
	vars := map[string]string{}
	for name, n := range setup.Variables {
		vars[name] = n.String()
	}
	files, err := filepath.Glob(filepath.Join(dir, "V*.sql"))
	require.NoError(t, err)
	slices.Sort(files)
	for _, f := range files {
		sql, err := os.ReadFile(f)
		require.NoError(t, err)
		replaced, err := parser.Substitute(string(sql), vars)
		require.NoError(t, err)
		require.NoError(t, run(e, replaced), f)
	}
	return e
}

type pipelineRecord struct {
	Topic     string
	Timestamp int64
	KeyHex    *string `json:"key_hex"`
	ValueHex  *string `json:"value_hex"`
	Partition int
	Value     map[string]any
	Wait      string
}

// batches splits the steps of a scenario at its waits.
func batches(steps []pipelineRecord) [][]pipelineRecord {
	out := [][]pipelineRecord{nil}
	for _, s := range steps {
		if s.Wait != "" {
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return slices.DeleteFunc(out, func(b []pipelineRecord) bool { return len(b) == 0 })
}

// orders gives the ways to send the batches: all as they are, then one, two and
// three of them with their partitions one after the other, ascending or
// descending. The server reads the partitions of a topic in any order, and each
// of its queries in its own; this engine has but one partition.
func orders(list [][]pipelineRecord) iter.Seq[[]pipelineRecord] {
	return func(yield func([]pipelineRecord) bool) {
		for changed := range 4 {
			if !reorder(list, nil, changed, yield) {
				return
			}
		}
	}
}

func reorder(list [][]pipelineRecord, sent []pipelineRecord, changed int, yield func([]pipelineRecord) bool) bool {
	if len(list) == 0 {
		return changed > 0 || yield(sent)
	}
	batch, rest := list[0], list[1:]
	sent = slices.Clip(sent)
	if !reorder(rest, append(sent, batch...), changed, yield) {
		return false
	}
	if changed == 0 {
		return true
	}
	for _, sign := range []int{1, -1} {
		sorted := slices.Clone(batch)
		slices.SortStableFunc(sorted, func(x, y pipelineRecord) int { return sign * (x.Partition - y.Partition) })
		same := slices.EqualFunc(sorted, batch, func(x, y pipelineRecord) bool { return x.KeyHex == y.KeyHex && x.Partition == y.Partition })
		if !same && !reorder(rest, append(sent, sorted...), changed-1, yield) {
			return false
		}
	}
	return true
}

func unhex(t *testing.T, s *string) []byte {
	t.Helper()
	if s == nil {
		return nil
	}
	b, err := hex.DecodeString(*s)
	require.NoError(t, err)
	return b
}

// body is an Avro value without the schema id, which depends on what was
// registered before.
func body(value []byte) string {
	switch {
	case value == nil:
		return "null"
	case len(value) < 5:
		return fmt.Sprintf("%x", value)
	default:
		return fmt.Sprintf("%x", value[5:])
	}
}

// raced are the topics in which the two queries that check an order race each
// other, so that only what they hold for a key in the end is certain, or not
// even the order of that.
var raced = map[string]bool{"order-validations.v1": true, "order-events.v1": true, "order-checks.v1": true, "order-decisions.v1": true}

// byKey lists a topic's records by key. Of a raced topic they are sorted; of a
// cached one only the last counts.
func byKey(topic string, records []sqltest.Record) map[string][]string {
	m := map[string][]string{}
	for _, r := range records {
		key := fmt.Sprintf("%x", r.Key)
		line := fmt.Sprintf("@%d %s", r.Time, body(r.Value))
		if topic == "FRAUD_ORDER" {
			m[key] = nil
		}
		m[key] = append(m[key], line)
	}
	if raced[topic] {
		for key := range m {
			slices.Sort(m[key])
		}
	}
	return m
}

func TestRecordedPipeline(t *testing.T) {
	dir := recordings(t, "pipeline")
	files, err := filepath.Glob(filepath.Join(dir, "scenario-*.json"))
	require.NoError(t, err)
	matched := 0
	for _, f := range files {
		ok := t.Run(filepath.Base(f), func(t *testing.T) {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			var scenario struct {
				Steps  []pipelineRecord
				Topics map[string][]pipelineRecord
			}
			require.NoError(t, json.Unmarshal(text, &scenario))
			replayScenario(t, dir, scenario.Steps, scenario.Topics)
		})
		if ok {
			matched++
		}
	}
	fmt.Printf("recorded/pipeline: %d of %d match\n", matched, len(files))
}

// replayScenario expects that every key of every topic gets what it got from the
// server, in some order of the partitions.
func replayScenario(t *testing.T, dir string, steps []pipelineRecord, topics map[string][]pipelineRecord) {
	t.Helper()
	var open map[string]string
	for sent := range orders(batches(steps)) {
		e := startPipeline(t, dir)
		for _, s := range sent {
			require.NoError(t, e.Feed(s.Topic, sqltest.Record{Key: unhex(t, s.KeyHex), Value: unhex(t, s.ValueHex), Time: s.Timestamp}))
		}
		found := differences(t, e, topics)
		if open == nil {
			open = found
		}
		for key := range open {
			if _, still := found[key]; !still {
				delete(open, key)
			}
		}
		if len(open) == 0 {
			return
		}
	}
	for _, diff := range open {
		t.Error(diff)
	}
}

// differences lists, by topic and key, what isn't as recorded.
func differences(t *testing.T, e *sqltest.Engine, topics map[string][]pipelineRecord) map[string]string {
	t.Helper()
	diffs := map[string]string{}
	for topic, records := range topics {
		if strings.HasPrefix(topic, "_confluent-ksql-") {
			continue
		}
		var want []sqltest.Record
		for _, r := range records {
			want = append(want, sqltest.Record{Key: unhex(t, r.KeyHex), Value: unhex(t, r.ValueHex), Time: r.Timestamp})
		}
		wanted, got := byKey(topic, want), byKey(topic, content(e, topic))
		for key := range wanted {
			if fmt.Sprint(wanted[key]) != fmt.Sprint(got[key]) {
				diffs[topic+key] = fmt.Sprintf("topic %s, key %s:\n got %s\nwant %s", topic, key, strings.Join(got[key], "\n     "), strings.Join(wanted[key], "\n     "))
			}
			delete(got, key)
		}
		for key := range got {
			diffs[topic+key] = fmt.Sprintf("topic %s, key %s is too many: %s", topic, key, got[key])
		}
	}
	return diffs
}
