package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/engine"
)

// patience bounds every wait of the tests.
const patience = 20 * time.Second

// world is a Kafka cluster and an engine over it that can be opened again.
type world struct {
	t          *testing.T
	ctx        context.Context
	brokers    []string
	kafka      *kgo.Client
	admin      *kadm.Client
	dir        string
	properties map[string]string
	engine     *engine.Engine
}

func newWorld(t *testing.T, properties map[string]string) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.MetadataMinAge(10*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, brokers: cluster.ListenAddrs(), kafka: client, admin: kadm.NewClient(client), dir: t.TempDir(), properties: properties}
	w.open()
	t.Cleanup(func() { require.NoError(t, w.engine.Close()) })
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.engine, err = engine.Open(w.ctx, engine.Config{
		Brokers: w.brokers, DataDir: w.dir, Properties: w.properties,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	require.NoError(w.t, err)
}

func (w *world) reopen() {
	w.t.Helper()
	require.NoError(w.t, w.engine.Close())
	w.open()
}

// exec carries out statements that read topics from their beginning.
func (w *world) exec(sql string) []any {
	w.t.Helper()
	entities, err := w.try(sql)
	require.NoError(w.t, err)
	return entities
}

func (w *world) try(sql string) ([]any, error) {
	return w.engine.Execute(w.ctx, engine.Request{SQL: sql, Properties: map[string]string{"auto.offset.reset": "earliest"}})
}

// refused checks that a statement is refused with a message.
func (w *world) refused(sql, message string) {
	w.t.Helper()
	_, err := w.try(sql)
	var refusal *engine.Error
	require.True(w.t, errors.As(err, &refusal), "%s: %v", sql, err)
	require.Contains(w.t, refusal.Message, message)
}

func (w *world) produce(topic, key, value string) {
	w.t.Helper()
	rec := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
	require.NoError(w.t, w.kafka.ProduceSync(w.ctx, rec).FirstErr())
}

// records reads all of a topic that exists.
func (w *world) records(topic string) []*kgo.Record {
	w.t.Helper()
	ends, err := w.admin.ListEndOffsets(w.ctx, topic)
	require.NoError(w.t, err)
	left, offsets := map[int32]int64{}, map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err == nil && o.Offset > 0 {
			left[o.Partition], offsets[o.Partition] = o.Offset, kgo.NewOffset().AtStart()
		}
	})
	if len(left) == 0 {
		return nil
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	require.NoError(w.t, err)
	defer consumer.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := consumer.PollFetches(w.ctx)
		require.NoError(w.t, fetches.Err())
		for _, rec := range fetches.Records() {
			records = append(records, rec)
			if rec.Offset+1 == left[rec.Partition] {
				delete(left, rec.Partition)
			}
		}
	}
	return records
}

// content is what a topic holds, as sorted "key value" lines.
func (w *world) content(topic string) []string {
	w.t.Helper()
	lines := []string{}
	for _, rec := range w.records(topic) {
		lines = append(lines, string(rec.Key)+" "+string(rec.Value))
	}
	sort.Strings(lines)
	return lines
}

func (w *world) eventually(topic string, want ...string) {
	w.t.Helper()
	var got []string
	ok := func() bool { got = w.content(topic); return strings.Join(got, "\n") == strings.Join(want, "\n") }
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			require.Equal(w.t, want, got, "topic %s", topic)
		}
	}
}

// answer is the one answer to a statement, as JSON.
func (w *world) answer(sql string) string {
	w.t.Helper()
	entities := w.exec(sql)
	require.Len(w.t, entities, 1)
	data, err := json.Marshal(entities[0])
	require.NoError(w.t, err)
	return string(data)
}

func (w *world) queryID(prefix string) string {
	w.t.Helper()
	for _, q := range w.engine.Catalog().Queries() {
		if strings.HasPrefix(q.ID, prefix) {
			return q.ID
		}
	}
	w.t.Fatalf("there is no query %s…", prefix)
	return ""
}

const createS = "CREATE STREAM s (id STRING KEY, v STRING, n BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=2);"

func TestTheProcessingLogHoldsWhatCouldNotBeProcessed(t *testing.T) {
	w := newWorld(t, map[string]string{"ksql.logging.processing.rows.include": "true"})
	w.exec(createS + "CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, CAST(v AS INT) AS i FROM s;")
	w.produce("s", "a", `{"V":"1"}`)
	w.produce("s", "b", `{"V":`)
	w.produce("s", "c", `{"V":"x"}`)
	w.eventually("o", `a {"I":1}`, `c {"I":null}`)
	metrics, err := w.engine.Metrics()
	require.NoError(t, err)
	require.Equal(t, int64(2), metrics[0].Problems)
	collected := map[string]float64{}
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(w.engine.Collector()))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != "orderflow_ksqldb_operator_errors_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "step" {
					collected[label.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
	}
	require.Equal(t, map[string]float64{"O": 0, "Project": 1, "KsqlTopic.Source": 1}, collected)
	require.NoError(t, w.engine.Close(), "a stop writes what is queued")
	written, dropped := w.engine.ProcessingLogCounts()
	require.Equal(t, [2]int64{2, 0}, [2]int64{written, dropped})

	id := w.queryID("CSAS_O")
	var events []map[string]any
	byType := map[float64]map[string]any{}
	for _, rec := range w.records("default_ksql_processing_log") {
		var event map[string]any
		require.NoError(t, json.Unmarshal(rec.Value, &event))
		require.Equal(t, float64(rec.Timestamp.UnixMilli()), event["time"])
		require.Equal(t, []string{"partition", "offset"}, []string{rec.Headers[0].Key, rec.Headers[1].Key})
		events = append(events, event)
		byType[event["message"].(map[string]any)["type"].(float64)] = event
	}
	require.Len(t, events, 2)
	unreadable, uncomputable := byType[0], byType[1]
	require.Equal(t, "ERROR", unreadable["level"])
	require.Equal(t, "processing."+id+".KsqlTopic.Source.deserializer", unreadable["logger"])
	message := unreadable["message"].(map[string]any)
	require.Len(t, message, 6)
	require.Nil(t, message["recordProcessingError"])
	detail := message["deserializationError"].(map[string]any)
	require.Equal(t, "value", detail["target"])
	require.Equal(t, "s", detail["topic"])
	require.Equal(t, "eyJWIjo=", detail["recordB64"])
	require.Equal(t, "processing."+id+".Project", uncomputable["logger"])
	require.Contains(t, uncomputable["message"].(map[string]any)["recordProcessingError"].(map[string]any)["errorMessage"], "For input string: \"x\"")

	w.open()
	require.Contains(t, w.answer("DESCRIBE KSQL_PROCESSING_LOG;"), `"DESERIALIZATIONERROR"`)
	w.refused("INSERT INTO KSQL_PROCESSING_LOG (LOGGER) VALUES ('x');", "Cannot insert values into read-only topic: default_ksql_processing_log")
	w.exec("CREATE STREAM bad WITH (KAFKA_TOPIC='bad') AS SELECT message->type AS t, message->deserializationerror->`topic` AS tp FROM ksql_processing_log;")
	w.eventually("bad", ` {"T":0,"TP":"s"}`, ` {"T":1,"TP":null}`)
}

func TestTheProcessingLogCanBeSwitchedOff(t *testing.T) {
	w := newWorld(t, map[string]string{"ksql.logging.processing.topic.auto.create": "false"})
	w.exec(createS + "CREATE STREAM o WITH (KAFKA_TOPIC='o') AS SELECT id, v FROM s;")
	w.produce("s", "b", `{"V":`)
	w.produce("s", "a", `{"V":"1"}`)
	w.eventually("o", `a {"V":"1"}`)
	require.NotContains(t, w.answer("SHOW STREAMS;"), "KSQL_PROCESSING_LOG")
	topics, err := w.admin.ListTopics(w.ctx)
	require.NoError(t, err)
	require.False(t, topics.Has("default_ksql_processing_log"))
}
