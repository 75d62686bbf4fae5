package runtime

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// A commit holds its outputs in memory, several times over: it has to stay small
// however large the records are.
func TestLargeRecordsMakeMoreCommits(t *testing.T) {
	w := newWorld(t)
	q := w.run("CREATE STREAM o WITH (KAFKA_TOPIC='out') AS SELECT id, v FROM s;")
	const records = 40
	for range records {
		w.produce("in", strings.Repeat("x", 900_000))
	}
	rt, _ := w.openRuntime(t.TempDir())
	rt.settleAfter = time.Hour
	require.NoError(t, rt.Start(t.Context(), Spec{QueryID: q.ID, Topology: w.topology(q.Plan, q.ID), OffsetReset: "earliest"}))
	largest := 0
	w.eventually("all is written", func() bool {
		for p := range int32(4) {
			last, err := rt.cfg.State.LastCommit(state.TaskID{Query: q.ID, Partition: p})
			require.NoError(t, err)
			if last != nil {
				largest = max(largest, len(last.Outbox))
			}
		}
		return w.written("out") == records
	})
	t.Log("outputs in one commit:", largest)
	require.Positive(t, largest)
	require.Less(t, largest, 12, "outputs of 900 KB in one commit")
}
