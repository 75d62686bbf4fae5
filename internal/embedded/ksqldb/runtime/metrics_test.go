package runtime

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOperatorsCountWhatTheyDo(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE TABLE c WITH (KAFKA_TOPIC='out') AS SELECT v, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECONDS, GRACE PERIOD 0 SECONDS) WHERE n > 0 GROUP BY v;")
	dir := t.TempDir()
	rt, stop := w.openRuntime(dir)
	spec := Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}
	require.NoError(t, rt.Start(t.Context(), spec))
	w.produce("in", "left out by the filter", "a", "a", "b")
	byName := func() map[string]OperatorMetrics {
		list, err := rt.Operators(q.ID)
		require.NoError(t, err)
		operators := map[string]OperatorMetrics{}
		for _, op := range list {
			operators[op.Name] = op
		}
		return operators
	}
	w.eventually("all results are written", func() bool { return byName()["C"].Out == 3 })
	ops := byName()
	require.Equal(t, int64(4), ops["KsqlTopic.Source"].In)
	require.Equal(t, int64(4), ops["WhereFilter"].In)
	require.Equal(t, int64(3), ops["WhereFilter"].Out)
	require.Equal(t, int64(3), ops["Aggregate"].In)
	require.Positive(t, ops["Aggregate"].StateBytes)
	require.Zero(t, ops["Aggregate"].Late)

	late := record("in", "k", `{"V":"a","N":1}`, 5)
	require.NoError(t, w.client.ProduceSync(t.Context(), late, record("in", "k", `{"V":null,"N":1}`, 5), record("in", "k", "{broken", 5)).FirstErr())
	w.eventually("the late and the broken ones are counted where they were dropped", func() bool {
		ops := byName()
		return ops["Aggregate"].Late == 1 && ops["Aggregate"].Errors == 1 && ops["KsqlTopic.Source"].Errors == 1
	})
	require.NoError(t, rt.Pause(q.ID))
	require.NoError(t, rt.Resume(t.Context(), q.ID))
	require.Equal(t, int64(7), byName()["KsqlTopic.Source"].In, "counts go on after a pause")
	status, err := rt.Status(q.ID)
	require.NoError(t, err)
	require.Equal(t, int64(2), status.Problems)
	stop()
}
