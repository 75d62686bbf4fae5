package storage_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/simulation/seeds"
	"github.com/orderflow/orderflow/internal/simulation/storage"
)

// simulate returns what simulates a seed with options.
func simulate(options storage.Options) func(uint64) (storage.Result, error) {
	return func(seed uint64) (storage.Result, error) { return storage.Run(seed, options) }
}

// TestNoSeedBreaksAPromise simulates many seeds: a few hundred in every test run,
// more where ORDERFLOW_SIM_SEEDS says so. ORDERFLOW_SIM_SEED is the first one; a
// seed that fails does so again, and a single one tells what happens.
func TestNoSeedBreaksAPromise(t *testing.T) {
	first, n := seeds.Number(t, "ORDERFLOW_SIM_SEED", 1), seeds.Number(t, "ORDERFLOW_SIM_SEEDS", 300)
	began := time.Now()
	var records, kills, ends atomic.Int64
	var options storage.Options
	if n == 1 {
		options.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	ran := seeds.Run(t, first, n, simulate(options), func(r storage.Result) bool {
		records.Add(int64(r.Records))
		kills.Add(int64(r.Kills))
		ends.Add(int64(r.Ends))
		if r.Violation != "" {
			t.Errorf("%s\nit replays with ORDERFLOW_SIM_SEED=%d ORDERFLOW_SIM_SEEDS=1", r.Violation, r.Seed)
			return true
		}
		return false
	})
	took := time.Since(began)
	t.Logf("the broker's storage: %d seeds, %d records acknowledged, %d kills, %d ends of the machine; %.0f seeds a minute",
		ran, records.Load(), kills.Load(), ends.Load(), float64(ran)/took.Minutes())
}

func TestASeedReplaysExactly(t *testing.T) {
	for seed := range uint64(20) {
		first, err := storage.Run(seed, storage.Options{})
		require.NoError(t, err)
		second, err := storage.Run(seed, storage.Options{})
		require.NoError(t, err)
		require.Equal(t, first, second, "seed %d", seed)
		require.NotZero(t, first.Digest)
	}
}
