package runtime

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// grow gives a topic more partitions and writes a value into the last one.
func (w *world) grow(topic string, to int, value string) {
	w.t.Helper()
	answers, err := kadm.NewClient(w.client).UpdatePartitions(w.t.Context(), to, topic)
	require.NoError(w.t, err)
	require.NoError(w.t, answers.Error())
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(w.t, err)
	defer client.Close()
	rec := &kgo.Record{Topic: topic, Partition: int32(to - 1), Key: []byte("k"), Value: []byte(value)}
	require.NoError(w.t, client.ProduceSync(w.t.Context(), rec).FirstErr())
}

func TestPartitionsAddedToASourceAreReadFromTheirBeginning(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	top := w.topology(q.Plan, q.ID)
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	w.produce("in", "before the query")
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "latest"}))
	w.grow("in", 6, `{"V":"while it runs"}`)
	w.eventually("the new partition is read", func() bool { return len(w.content("out")) == 1 })
	status, err := rt.Status(q.ID)
	require.NoError(t, err)
	require.Equal(t, Running, status.State)
	require.Empty(t, status.Errors)

	stop()
	w.grow("in", 8, `{"V":"while it is stopped"}`)
	rt, stop = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "latest"}))
	w.eventually("the next one is read after a restart", func() bool { return len(w.content("out")) == 2 })
	stop()
	require.Len(t, w.content("out"), 2)
}

func TestAnAggregateGoesOnWhenItsSourceGetsPartitions(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	rt, _ := w.openRuntime(t.TempDir())
	w.produce("in", "a", "b", "a")
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	w.eventually("the first are counted", func() bool { return maps.Equal(counts(t, rt, q.ID), map[string]int64{"a": 2, "b": 1}) })
	w.grow("in", 9, `{"V":"a"}`)
	w.eventually("what a new partition holds is counted with the rest", func() bool {
		return maps.Equal(counts(t, rt, q.ID), map[string]int64{"a": 3, "b": 1})
	})
	w.grow("out", 6, `{}`)
	w.produce("in", "b", "b")
	w.eventually("a sink may grow too", func() bool { return counts(t, rt, q.ID)["b"] == 3 })
}

func TestPartitionsThatNoLongerMatchAreAClearError(t *testing.T) {
	w := newWorld(t)
	w.run("CREATE TABLE t (id STRING PRIMARY KEY, w STRING) WITH (KAFKA_TOPIC='in2', VALUE_FORMAT='JSON');")
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT s.id AS id, v, w FROM s JOIN t ON s.id = t.id;")
	rt, _ := w.openRuntime(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	w.grow("in", 5, `{}`)
	w.eventually("the query fails", func() bool {
		status, err := rt.Status(q.ID)
		return err == nil && status.State == Errored
	})
	status, err := rt.Status(q.ID)
	require.NoError(t, err)
	require.Equal(t, "topic in has 5 partitions and topic in2 has 4: topics that are joined need equal numbers of partitions", status.Errors[0].Message)
	w.grow("in2", 5, `{}`)
	w.eventually("it runs again when both have as many", func() bool {
		status, err := rt.Status(q.ID)
		return err == nil && status.State == Running
	})
}

func (w *world) deleteTopic(topic string) {
	w.t.Helper()
	answers, err := kadm.NewClient(w.client).DeleteTopics(w.t.Context(), topic)
	require.NoError(w.t, err)
	require.NoError(w.t, answers.Error())
}

func (w *world) createTopic(topic string) {
	w.t.Helper()
	_, err := kadm.NewClient(w.client).CreateTopic(w.t.Context(), 4, 1, nil, topic)
	require.NoError(w.t, err)
}

// failure waits for a query to fail and gives its last error.
func (w *world) failure(rt *Runtime, queryID string) string {
	w.t.Helper()
	var message string
	w.eventually("the query fails", func() bool {
		status, err := rt.Status(queryID)
		if err != nil || status.State != Errored {
			return false
		}
		message = status.Errors[0].Message
		return true
	})
	return message
}

func TestATopicThatIsDeletedUnderAQueryIsAClearError(t *testing.T) {
	for _, topic := range []string{"in", "out"} {
		t.Run(topic, func(t *testing.T) {
			w := newWorld(t)
			q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
			rt, _ := w.openRuntime(t.TempDir())
			require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
			w.deleteTopic(topic)
			require.Contains(t, w.failure(rt, q.ID), "deleted while")
			w.createTopic(topic)
			w.eventually("it runs once the topic is back", func() bool {
				w.produce("in", "x")
				return len(w.content("out")) > 0
			})
		})
	}
}

func TestATopicThatWasMadeAnewIsReadFromItsBeginning(t *testing.T) {
	for _, reset := range []string{"earliest", "latest"} {
		for _, values := range [][]string{{"x"}, {"x", "y", "z", "k", "l", "m"}} {
			t.Run(fmt.Sprintf("%s, %d records", reset, len(values)), func(t *testing.T) {
				w := newWorld(t)
				q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
				spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: reset, Retry: true}
				dir := t.TempDir()
				rt, stop := w.openRuntime(dir)
				require.NoError(t, rt.Start(t.Context(), spec))
				w.produce("in", "a", "b", "c")
				w.eventually("all is passed on", func() bool { return len(w.content("out")) == 3 })
				again := func() {
					w.deleteTopic("in")
					w.createTopic("in")
					w.client.PurgeTopicsFromProducing("in")
					w.produce("in", values...)
				}
				stop()
				again()
				rt, _ = w.openRuntime(dir)
				require.NoError(t, rt.Start(t.Context(), spec))
				w.eventually("one made while the query did not run", func() bool { return len(w.content("out")) == 3+len(values) })
				again()
				w.eventually("one made while it ran", func() bool { return len(w.content("out")) == 3+2*len(values) })
			})
		}
	}
}

func TestATopicThatIsWrittenGoesOnWhenItWasMadeAnew(t *testing.T) {
	w := newWorld(t)
	first := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	second := w.run("INSERT INTO o SELECT id, v FROM s WHERE n = 0;")
	rt, _ := w.openRuntime(t.TempDir())
	for _, q := range []*catalog.Query{first, second} {
		require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest", Retry: true}))
	}
	w.produce("in", "a", "b", "c")
	w.eventually("all is passed on", func() bool { return len(w.content("out")) == 4 })
	for range 3 {
		w.deleteTopic("out")
		w.createTopic("out")
		require.NoError(t, rt.Terminate(t.Context(), second.ID))
		require.NoError(t, rt.Start(t.Context(), Spec{QueryID: second.ID, Topology: w.topology(second.Plan, second.ID), OffsetReset: "latest", Retry: true}))
		w.produce("in", "x", "y")
		w.eventually("both queries write to the new topic", func() bool { return len(w.content("out")) == 3 })
	}
}

func TestATopicThatLostRecordsIsAClearError(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest", Retry: true}
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	w.produce("in", "a", "b", "c")
	require.NoError(t, rt.Start(t.Context(), spec))
	w.eventually("all is passed on", func() bool { return len(w.content("out")) == 3 })
	stop()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(t, err)
	for p := range int32(4) {
		id := state.TaskID{Query: q.ID, Partition: p}
		commit, err := db.LastCommit(id)
		require.NoError(t, err)
		commit.Positions["in"] += 10
		require.NoError(t, db.Task(id).Commit(commit))
	}
	require.NoError(t, db.Close())
	rt, _ = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), spec))
	require.Contains(t, w.failure(rt, q.ID), "topic in has lost records, or was deleted and made anew: the query has read partition")
}
