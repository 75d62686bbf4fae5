// Package seeds runs simulations of many seeds side by side. Only tests import it.
package seeds

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Number returns the number in an environment variable, or without when it isn't set.
func Number(t *testing.T, name string, without uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return without
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n
}

// Run simulates n seeds from first on, on all processors, until stop says so or one can't be
// simulated. It returns how many were run.
func Run[R any](t *testing.T, first, n uint64, simulate func(seed uint64) (R, error), stop func(R) bool) uint64 {
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
				r, err := simulate(first + i)
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
