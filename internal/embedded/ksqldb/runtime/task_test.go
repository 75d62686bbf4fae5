package runtime

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Outputs under way are finished when their task is to stop, but a broker that takes
// none, on a full disk for example, doesn't hold the stop up.
func TestOutputsAreWaitedForOnlyShortlyAtAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		finish, cancel := finishing(ctx)
		defer cancel()
		stop()
		synctest.Wait()
		require.NoError(t, finish.Err())
		<-finish.Done()
		require.Equal(t, stopTimeout, time.Since(began))

		began = time.Now()
		unhindered, end := finishing(t.Context())
		defer end()
		<-unhindered.Done()
		require.Equal(t, sendTimeout, time.Since(began))
	})
}
