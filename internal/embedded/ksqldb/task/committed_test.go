package task_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/task"
)

// Whoever trims a topic knows the bounds of a commit before its first output can be
// read, and trimmed.
func TestACommitIsToldBeforeItsOutputsAreWritten(t *testing.T) {
	b := &broker{records: map[string][]*kgo.Record{}, takes: -1}
	b.add("in", `{"N":1}`, nil)
	var told []state.Bound
	var core *task.Task
	core, err := task.New(task.Config{
		ID: state.TaskID{Query: "A"}, ServiceID: "default_", Sub: topology(t, "a", "n >= 0"), Partitions: map[string]int32{"in": 1, "out": 1},
		State: &durable{Memory: state.NewMemory()}, Log: b, Batch: 3,
		Committed: func() {
			require.Empty(t, b.records["out"])
			told = core.Bounds()
		},
	})
	require.NoError(t, err)
	core.Sources[0].Reader = &source{b: b, topic: "in"}
	_, err = core.Step(t.Context())
	require.NoError(t, err)
	require.Equal(t, []state.Bound{{Topic: "out"}}, told)
	require.Len(t, b.records["out"], 1)
}
