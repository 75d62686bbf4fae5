package runtime

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// written is how many records were ever written to a topic.
func (w *world) written(topic string) (n int64) {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client).ListCommittedOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// empty removes the records of a topic, as retention does.
func (w *world) empty(topic string) {
	w.t.Helper()
	admin := kadm.NewClient(w.client)
	ends, err := admin.ListEndOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	_, err = admin.DeleteRecords(w.t.Context(), ends.Offsets())
	require.NoError(w.t, err)
}

// mortal gives a function that ends a runtime as a crash does: nothing more is
// committed or written. It is called before the first query starts.
func (r *Runtime) mortal(stop func()) (kill func()) {
	var dead atomic.Bool
	r.fault = func(task.Point) (int, error) {
		if dead.Load() {
			return 0, errCrash
		}
		return 0, nil
	}
	return func() {
		dead.Store(true)
		stop()
	}
}

// What retention or compaction removed from an output topic can't be found there by
// a restart after a crash. It must not be sent again.
func TestOutputsThatTheirTopicHasNoLongerAreNotSentAgain(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	rt.settleAfter = 10 * time.Millisecond
	kill := rt.mortal(stop)
	require.NoError(t, rt.Start(t.Context(), spec))
	w.produce("in", "a", "b", "c")
	w.eventually("all is written", func() bool { return w.written("out") == 3 })
	w.eventually("what was written is settled", func() bool {
		for p := range int32(4) {
			last, err := rt.cfg.State.LastCommit(state.TaskID{Query: q.ID, Partition: p})
			require.NoError(t, err)
			if last == nil || len(last.Outbox) > 0 {
				return false
			}
		}
		return true
	})
	kill()
	w.empty("out")

	rt, _ = w.openRuntime(dir)
	require.NoError(t, rt.Start(t.Context(), spec))
	require.EqualValues(t, 3, w.written("out"))
}

// What a start found unsent is sent once, however often the query starts without
// getting on.
func TestARestartNotesWhatItSent(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	dir := t.TempDir()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(t, err)
	left := db.Task(state.TaskID{Query: q.ID, Partition: 2})
	require.NoError(t, left.Commit(&state.Commit{
		Positions: map[string]int64{"in": 0}, NextSeq: 1,
		Outbox: []state.Pending{{Topic: "out", Partition: 1, Key: []byte("k"), Value: fmt.Appendf(nil, `{"V":"x"}`), Time: 5}},
		Bounds: []state.Bound{{Topic: "out", Partition: 1}},
	}))
	require.NoError(t, left.Close())
	require.NoError(t, db.Close())
	for range 2 {
		rt, stop := w.openRuntime(dir)
		kill := rt.mortal(stop)
		require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
		kill()
		require.EqualValues(t, 1, w.written("out"))
		w.empty("out")
	}
}
