package runtime

import (
	"testing"

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
