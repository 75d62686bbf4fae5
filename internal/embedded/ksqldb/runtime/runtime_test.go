package runtime

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/analyze"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/ast"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/build"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/catalog"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/function"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/parser"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/plan"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

const waitFor = 20 * time.Second

// world is a Kafka cluster with the topics "in", "in2" and "out" of four
// partitions, and a catalog of what the statements of a test made.
type world struct {
	t         *testing.T
	brokers   []string
	client    *kgo.Client
	catalog   *catalog.Catalog
	functions *function.Registry
}

type anyTopic struct{}

func (anyTopic) Topic(context.Context, string) (analyze.Topic, bool, error) {
	return analyze.Topic{Partitions: 4, Replicas: 1}, true, nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in", "in2", "out"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	functions, err := function.Builtin(function.Options{})
	require.NoError(t, err)
	w := &world{t: t, brokers: cluster.ListenAddrs(), client: client, catalog: catalog.New(), functions: functions}
	w.run("CREATE STREAM s (id STRING KEY, v STRING, n BIGINT) WITH (KAFKA_TOPIC='in', VALUE_FORMAT='JSON');")
	return w
}

// run carries out a statement in the catalog only and gives its query, if any.
func (w *world) run(sql string) *catalog.Query {
	w.t.Helper()
	stmts, err := parser.Parse(sql)
	require.NoError(w.t, err)
	a := &analyze.Analyzer{Catalog: w.catalog, Functions: w.functions, Topics: anyTopic{}, Config: analyze.DefaultConfig(), QueryNumber: 7}
	result, err := a.Analyze(w.t.Context(), stmts[0])
	require.NoError(w.t, err)
	require.NoError(w.t, result.Apply(w.catalog))
	switch r := result.(type) {
	case *analyze.CreateAsSelect:
		return r.Query
	case *analyze.CreateSource:
		return r.Query
	case *analyze.InsertInto:
		return r.Query
	}
	return nil
}

func (w *world) topology(root plan.Node, id string) *exec.Topology {
	w.t.Helper()
	top, err := build.Build(w.t.Context(), root, build.Options{ApplicationID: "app_" + id, Functions: w.functions, CustomType: w.catalog.Type})
	require.NoError(w.t, err)
	return top
}

func (w *world) push(sql string) *exec.Topology {
	w.t.Helper()
	stmts, err := parser.Parse(sql)
	require.NoError(w.t, err)
	a := &analyze.Analyzer{Catalog: w.catalog, Functions: w.functions, Topics: anyTopic{}, Config: analyze.DefaultConfig()}
	q, err := a.Push(w.t.Context(), stmts[0].(*ast.Query))
	require.NoError(w.t, err)
	return w.topology(q.Output, "push")
}

func (w *world) openRuntime(dir string) (*Runtime, func()) {
	w.t.Helper()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(w.t, err)
	rt, err := New(Config{Brokers: w.brokers, State: db, ServiceID: "default_", RetryBackoff: 10 * time.Millisecond, PartitionInterval: 10 * time.Millisecond})
	require.NoError(w.t, err)
	var once sync.Once
	stop := func() {
		once.Do(func() {
			rt.Close()
			require.NoError(w.t, db.Close())
		})
	}
	w.t.Cleanup(stop)
	return rt, stop
}

func (w *world) produce(topic string, values ...string) {
	w.t.Helper()
	for i, v := range values {
		rec := &kgo.Record{Topic: topic, Key: []byte("k" + strconv.Itoa(i)), Value: fmt.Appendf(nil, `{"V":%q,"N":%d}`, v, i)}
		require.NoError(w.t, w.client.ProduceSync(w.t.Context(), rec).FirstErr())
	}
}

// content reads what is committed in a whole topic: per partition, records in
// order.
func (w *world) content(topic string) []*kgo.Record {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client).ListCommittedOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	left := map[int32]int64{}
	offsets := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition], offsets[o.Partition] = o.Offset, kgo.NewOffset().AtStart()
		}
	})
	if len(left) == 0 {
		return nil
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	require.NoError(w.t, err)
	defer consumer.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := consumer.PollFetches(w.t.Context())
		require.NoError(w.t, fetches.Err())
		for _, rec := range fetches.Records() {
			if !rec.Attrs.IsControl() {
				records = append(records, rec)
			}
			if end, ok := left[rec.Partition]; ok && rec.Offset+1 >= end {
				delete(left, rec.Partition)
			}
		}
	}
	return records
}

func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	require.Eventually(w.t, ok, waitFor, 2*time.Millisecond, what)
}

func counts(t *testing.T, rt *Runtime, queryID string) map[string]int64 {
	t.Helper()
	table, err := rt.Table(queryID)
	require.NoError(t, err)
	got := map[string]int64{}
	require.NoError(t, table.Scan(nil, nil, func(row *types.Row) bool {
		got[row.Key[0].Str()] = row.Value[0].Int()
		return true
	}))
	return got
}

const countByV = "CREATE TABLE c WITH (KAFKA_TOPIC='out') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;"

func TestAQueryGoesOnWhereItWasAfterARestart(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	top := w.topology(q.Plan, q.ID)
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	w.produce("in", "a", "b", "a")
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest"}))
	w.produce("in", "c", "a")
	want := map[string]int64{"a": 3, "b": 1, "c": 1}
	w.eventually("all records are counted", func() bool { return maps.Equal(want, counts(t, rt, q.ID)) })
	stop()

	w.produce("in", "c", "d")
	rt, stop = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest"}))
	want["c"], want["d"] = 2, 1
	w.eventually("records written meanwhile are counted", func() bool { return maps.Equal(want, counts(t, rt, q.ID)) })

	table, err := rt.Table(q.ID)
	require.NoError(t, err)
	row, err := table.Get([]types.Value{types.StringValue("a")})
	require.NoError(t, err)
	require.Equal(t, int64(3), row.Value[0].Int())
	row, err = table.Get([]types.Value{types.StringValue("nobody")})
	require.NoError(t, err)
	require.Nil(t, row)

	stop()
	require.Len(t, w.content("out"), 7, "one result per input, none twice")
	byKey := map[string]map[int32]bool{}
	for _, rec := range w.content("out") {
		if byKey[string(rec.Key)] == nil {
			byKey[string(rec.Key)] = map[int32]bool{}
		}
		byKey[string(rec.Key)][rec.Partition] = true
	}
	for key, partitions := range byKey {
		require.Len(t, partitions, 1, "key %s lies in one partition", key)
	}
}

func TestANewQueryFromTheEndSkipsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	rt, stop := w.openRuntime(t.TempDir())
	w.produce("in", "old")
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID)}))
	w.produce("in", "new")
	w.eventually("the new record is passed on", func() bool { return len(w.content("out")) == 1 })
	stop()
	require.JSONEq(t, `{"V":"new"}`, string(w.content("out")[0].Value))
}

// A crash after the commit and before, or within, the sending must neither lose
// nor repeat an output.
func TestOutputsACrashLeftUnsentAreSentOnce(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	dir := t.TempDir()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(t, err)
	id := state.TaskID{Query: q.ID, Partition: 2}
	tag := task.Tag("default_", id)
	pending := func(seq uint64) state.Pending {
		return state.Pending{Seq: seq, Topic: "out", Partition: 1, Key: []byte("k"), Value: fmt.Appendf(nil, `{"V":"%d"}`, seq), Time: 5}
	}
	before := db.Task(id)
	require.NoError(t, before.Commit(&state.Commit{
		Positions: map[string]int64{"in": 0}, NextSeq: 13,
		Outbox: []state.Pending{pending(10), pending(11), pending(12)},
		Bounds: []state.Bound{{Topic: "out", Partition: 1, Offset: 0}},
	}))
	require.NoError(t, before.Close())
	require.NoError(t, db.Close())

	// The first of them arrived, and so did one of another task.
	writer, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer writer.Close()
	other := task.Tag("default_", state.TaskID{Query: q.ID, Partition: 3})
	for _, headers := range [][]kgo.RecordHeader{task.Headers(nil, other, 11), task.Headers(nil, tag, 10)} {
		rec := &kgo.Record{Topic: "out", Partition: 1, Value: []byte("{}"), Headers: headers}
		require.NoError(t, writer.ProduceSync(t.Context(), rec).FirstErr())
	}

	rt, stop := w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	stop()
	sent := func() []uint64 {
		var numbers []uint64
		for _, rec := range w.content("out") {
			if got, seq, ok := task.Number(rec.Headers); ok && got == tag {
				numbers = append(numbers, seq)
			}
		}
		return numbers
	}
	require.Equal(t, []uint64{10, 11, 12}, sent())

	rt, stop = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	stop()
	require.Equal(t, []uint64{10, 11, 12}, sent(), "a second start sends nothing")
}

func TestThePausedQueryCatchesUpWhenResumed(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	rt, _ := w.openRuntime(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	require.NoError(t, rt.Pause(q.ID))
	status, err := rt.Status(q.ID)
	require.NoError(t, err)
	require.Equal(t, Paused, status.State)
	w.produce("in", "a", "a")
	require.Empty(t, counts(t, rt, q.ID))
	require.NoError(t, rt.Resume(t.Context(), q.ID))
	w.eventually("what came meanwhile is counted", func() bool { return counts(t, rt, q.ID)["a"] == 2 })
}

func TestTerminateLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	rt, _ := w.openRuntime(t.TempDir())
	top := w.topology(q.Plan, q.ID)
	require.NotEmpty(t, top.Internal)
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest"}))
	w.produce("in", "a")
	w.eventually("the record is counted", func() bool { return counts(t, rt, q.ID)["a"] == 1 })
	require.NoError(t, rt.Terminate(t.Context(), q.ID))
	require.Empty(t, rt.Queries())
	topics, err := kadm.NewClient(w.client).ListTopics(t.Context())
	require.NoError(t, err)
	require.False(t, slices.Contains(topics.Names(), top.Internal[0].Name))
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: top, OffsetReset: "earliest"}))
	w.eventually("a query of the same id counts anew", func() bool { return counts(t, rt, q.ID)["a"] == 1 })
}

func TestAQueryWhoseTopicIsMissingIsRetried(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='later') AS SELECT id, v FROM s;")
	rt, _ := w.openRuntime(t.TempDir())
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}
	require.ErrorContains(t, rt.Start(t.Context(), spec), "topic later does not exist")
	spec.Retry = true
	require.NoError(t, rt.Start(t.Context(), spec))
	w.eventually("the failure shows", func() bool {
		status, err := rt.Status(q.ID)
		return err == nil && status.State == Errored && len(status.Errors) > 0
	})
	w.produce("in", "x")
	_, err := kadm.NewClient(w.client).CreateTopic(t.Context(), 2, 1, nil, "later")
	require.NoError(t, err)
	w.eventually("it runs once the topic is there", func() bool { return len(w.content("later")) == 1 })
}

func TestTransientQueries(t *testing.T) {
	w := newWorld(t)
	rt, _ := w.openRuntime(t.TempDir())
	w.produce("in", "a", "b", "a", "a")

	t.Run("bounded", func(t *testing.T) {
		var got []string
		err := rt.RunTransient(t.Context(), TransientSpec{QueryID: "q", Topology: w.push("SELECT v FROM s WHERE v = 'a' EMIT CHANGES;"), Bounded: true},
			func(row *types.Row) error { got = append(got, row.Value[0].Str()); return nil })
		require.NoError(t, err)
		require.Equal(t, []string{"a", "a", "a"}, got)
	})
	t.Run("grouped through an exchange in memory", func(t *testing.T) {
		last := map[string]int64{}
		err := rt.RunTransient(t.Context(), TransientSpec{QueryID: "q", Topology: w.push("SELECT v, COUNT(*) AS n FROM s GROUP BY v EMIT CHANGES;"), Bounded: true},
			func(row *types.Row) error { last[row.Key[0].Str()] = row.Value[0].Int(); return nil })
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"a": 3, "b": 1}, last)
	})
	t.Run("from the end until the receiver has enough", func(t *testing.T) {
		started := make(chan struct{})
		rows := make(chan string, 1)
		done := make(chan error, 1)
		top := w.push("SELECT v FROM s EMIT CHANGES;")
		go func() {
			done <- rt.RunTransient(t.Context(), TransientSpec{QueryID: "q", Topology: top, Started: func() { close(started) }},
				func(row *types.Row) error { rows <- row.Value[0].Str(); return ErrStop })
		}()
		<-started
		w.produce("in", "z")
		require.Equal(t, "z", <-rows)
		require.NoError(t, <-done)
	})
	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := rt.RunTransient(ctx, TransientSpec{QueryID: "q", Topology: w.push("SELECT v FROM s EMIT CHANGES;"), Started: cancel},
			func(*types.Row) error { return nil })
		require.NoError(t, err)
	})
}

func record(topic, key, value string, millis int64) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value), Timestamp: time.UnixMilli(millis)}
}

func TestAReceiverThatIsTooSlowIsCutOff(t *testing.T) {
	w := newWorld(t)
	db, err := state.OpenDB(state.DiskConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	rt, err := New(Config{Brokers: w.brokers, State: db, ServiceID: "default_", ReadBuffer: 10_000, SlowReceiver: time.Nanosecond})
	require.NoError(t, err)
	t.Cleanup(func() { rt.Close(); require.NoError(t, db.Close()) })
	top := w.push("SELECT v FROM s EMIT CHANGES;")
	started, rows, goOn, done := make(chan struct{}), make(chan string, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- rt.RunTransient(t.Context(), TransientSpec{QueryID: "q", Topology: top, Started: func() { close(started) }}, func(row *types.Row) error {
			select {
			case rows <- row.Value[0].Str():
			default:
			}
			<-goOn
			return nil
		})
	}()
	<-started
	w.produce("in", "first")
	require.Equal(t, "first", <-rows)
	for range 100 {
		w.produce("in", strings.Repeat("x", 1000))
	}
	close(goOn)
	require.ErrorIs(t, <-done, ErrSlow)
}
