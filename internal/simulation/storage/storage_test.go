package storage_test

import (
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/simulation/storage"
)

func number(t *testing.T, name string, without uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return without
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// seeds simulates n seeds from first on, on all processors, until stop says so. It
// returns how many were run.
func seeds(t *testing.T, first, n uint64, options storage.Options, stop func(storage.Result) bool) uint64 {
	t.Helper()
	var next, ran atomic.Uint64
	var over atomic.Bool
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !over.Load() {
				i := next.Add(1) - 1
				if i >= n {
					return
				}
				r, err := storage.Run(first+i, options)
				if err != nil {
					t.Errorf("seed %d: %s", first+i, err)
					over.Store(true)
					return
				}
				ran.Add(1)
				if stop(r) {
					over.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return ran.Load()
}

// TestNoSeedBreaksAPromise simulates many seeds: a few hundred in every test run,
// more where ORDERFLOW_SIM_SEEDS says so. ORDERFLOW_SIM_SEED is the first one; a
// seed that fails does so again, and a single one tells what happens.
func TestNoSeedBreaksAPromise(t *testing.T) {
	first, n := number(t, "ORDERFLOW_SIM_SEED", 1), number(t, "ORDERFLOW_SIM_SEEDS", 300)
	began := time.Now()
	var records, kills, ends atomic.Int64
	var options storage.Options
	if n == 1 {
		options.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	ran := seeds(t, first, n, options, func(r storage.Result) bool {
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
