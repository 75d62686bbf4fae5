package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// openTransactional makes a runtime that writes in transactions.
func (w *world) openTransactional(dir string) (rt *Runtime, stop func()) {
	w.t.Helper()
	db, err := state.OpenDB(state.DiskConfig{Dir: dir})
	require.NoError(w.t, err)
	rt, err = New(Config{Brokers: w.brokers, State: db, ServiceID: "default_", Outputs: Transaction, RetryBackoff: 10 * time.Millisecond})
	require.NoError(w.t, err)
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			rt.Close()
			require.NoError(w.t, db.Close())
		}
	}
	w.t.Cleanup(stop)
	return rt, stop
}

func TestAnEngineThatWasReplacedIsFenced(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}
	first, _ := w.openTransactional(t.TempDir())
	require.NoError(t, first.Start(t.Context(), spec))
	w.produce("in", "before")
	w.eventually("the first engine writes", func() bool { return len(w.content("out")) == 1 })

	second, _ := w.openTransactional(t.TempDir())
	spec.OffsetReset = "latest"
	require.NoError(t, second.Start(t.Context(), spec))
	w.produce("in", "after")
	w.eventually("the first engine notices", func() bool {
		status, err := first.Status(q.ID)
		return err == nil && status.State == Errored
	})
	status, err := first.Status(q.ID)
	require.NoError(t, err)
	require.Contains(t, status.Errors[0].Message, "another engine of the same service id has taken over the query")
	w.eventually("the second engine writes", func() bool { return len(w.content("out")) == 2 })
	for _, rec := range w.content("out") {
		require.Empty(t, rec.Headers, "nothing tells its records from ksqlDB's")
	}
}

func TestAQueryOfTheSameNameBeginsItsTransactionsAnew(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}
	w.produce("in", "a", "b")
	rt, stop := w.openTransactional(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), spec))
	w.eventually("all is counted", func() bool { return len(w.content("out")) == 2 })
	stop()
	// Its state is lost: the group's numbers are those of another life.
	rt, _ = w.openTransactional(t.TempDir())
	require.NoError(t, rt.Start(t.Context(), spec))
	w.eventually("all is counted once more", func() bool { return len(w.content("out")) >= 4 })
}

func TestTheModeOfOutputsIsChecked(t *testing.T) {
	cfg := Config{Brokers: []string{"x:1"}, State: &state.DB{}, ServiceID: "s", Outputs: "both"}
	require.EqualError(t, cfg.Validate(), `the engine's outputs can be "sequence" or "transaction", not "both"`)
}
