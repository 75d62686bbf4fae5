package exec_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/exec/drive"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/format/registry"
	"github.com/orderflow/orderflow/internal/embedded/ksqldb/types"
)

// failingSerde can't read anything.
type failingSerde struct{ err error }

func (f failingSerde) Serialize([]byte, []types.Value) ([]byte, error) { return nil, f.err }

func (f failingSerde) Deserialize([]byte) ([]types.Value, error) { return nil, f.err }

// A record that is broken is skipped, one whose schema can't be had for now
// must be read again later.
func TestUnreadableRecords(t *testing.T) {
	in := records(t, `t 1 {"A":1} @10`)
	process := func(err error) error {
		s := source(t, "t", false)
		s.Value = failingSerde{err}
		topology, buildErr := exec.New(sink(t, s, schema()))
		require.NoError(t, buildErr)
		d, buildErr := drive.New(topology, drive.Config{Output: func(o exec.Output) { t.Errorf("unexpected output %v", o) }})
		require.NoError(t, buildErr)
		return d.Process(in[0])
	}
	require.NoError(t, process(errors.New("broken")))
	require.ErrorIs(t, process(fmt.Errorf("fetching schema 3: %w", registry.ErrUnavailable)), registry.ErrUnavailable)
}
