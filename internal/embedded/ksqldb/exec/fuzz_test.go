package exec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/state"
)

// Whatever lies on an internal topic, a task takes it or gives an error.
func FuzzInternalRecords(f *testing.F) {
	j := foreign(f, exec.Left)
	agg := totals(f, source(f, "l", true), true, nil, true)
	var topologies []*exec.Topology
	for _, root := range []exec.Step{sink(f, j, j.Columns), sink(f, agg, agg.Columns)} {
		t, err := exec.New(root)
		require.NoError(f, err)
		topologies = append(topologies, t)
	}
	collect := func(o exec.Output) {
		if o.Internal {
			f.Add(o.Key, o.Value)
		}
	}
	for _, t := range topologies {
		for _, sub := range t.Subs {
			task, err := sub.NewTask(exec.TaskEnv{Stores: state.NewMemory(), Emit: collect})
			require.NoError(f, err)
			for _, src := range sub.Sources {
				if !src.Internal {
					require.NoError(f, task.Process(exec.InRecord{Topic: src.Topic, Key: make([]byte, 8), Value: []byte(`{"A":1}`)}))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, topology := range topologies {
			for _, sub := range topology.Subs {
				task, err := sub.NewTask(exec.TaskEnv{Stores: state.NewMemory(), Emit: func(exec.Output) {}})
				require.NoError(t, err)
				for _, src := range sub.Sources {
					_ = task.Process(exec.InRecord{Topic: src.Topic, Key: key, Value: value})
				}
			}
		}
	})
}
