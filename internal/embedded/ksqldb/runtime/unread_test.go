package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnreadIsWhatAQueryHasNotCommitted(t *testing.T) {
	w := newWorld(t)
	q := w.run(countByV)
	rt, _ := w.openRuntime(t.TempDir())
	_, needed := rt.Unread("in", 0)
	assert.False(t, needed, "no query yet")
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	read := func() int64 {
		sum := int64(0)
		for p := range int32(16) {
			offset, needed := rt.Unread("in", p)
			require.True(t, needed)
			sum += offset
		}
		return sum
	}
	require.Zero(t, read())
	w.produce("in", "a", "b", "c")
	w.eventually("what is counted is read", func() bool { return read() == 3 })
	_, needed = rt.Unread("other", 0)
	assert.False(t, needed)
	require.NoError(t, rt.Pause(q.ID))
	require.Zero(t, read(), "of a query that stands still, everything is kept")
	require.NoError(t, rt.Resume(t.Context(), q.ID))
	w.eventually("it is where it was, without new records", func() bool { return read() == 3 })
	require.NoError(t, rt.Terminate(t.Context(), q.ID))
	_, needed = rt.Unread("in", 0)
	assert.False(t, needed)
}

func TestWhatAQueryMayHaveToLookForIsKept(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	rt, _ := w.openRuntime(t.TempDir())
	rt.settleAfter = time.Hour
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	kept := func() map[int32]int64 {
		offsets := map[int32]int64{}
		for p := range int32(4) {
			if at, needed := rt.Unread("out", p); needed {
				offsets[p] = at
			}
		}
		return offsets
	}
	require.Empty(t, kept())
	w.produce("in", "a")
	w.eventually("it is written", func() bool { return w.written("out") == 1 })
	first := kept()
	require.Len(t, first, 1)
	w.produce("in", "b")
	w.eventually("it is written, too", func() bool { return w.written("out") == 2 })
	for p := range first {
		require.Equal(t, map[int32]int64{p: 1}, kept(), "the first output is known to be there")
	}
}
