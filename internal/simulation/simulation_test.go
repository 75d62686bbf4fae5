package simulation

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderflow/orderflow/internal/simulation/seeds"
)

func newPipeline(t *testing.T) *Pipeline {
	t.Helper()
	p, err := NewPipeline(t.Context())
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// simulate returns what simulates a seed with options.
func simulate(t *testing.T, p *Pipeline, options Options) func(uint64) (Result, error) {
	return func(seed uint64) (Result, error) { return p.Run(t.Context(), seed, options) }
}

// TestNoSeedBreaksAPromise simulates many seeds: a few hundred in every test run,
// more where ORDERFLOW_SIM_SEEDS says so. ORDERFLOW_SIM_SEED is the first one; a
// seed that fails does so again.
func TestNoSeedBreaksAPromise(t *testing.T) {
	p := newPipeline(t)
	first, n := seeds.Number(t, "ORDERFLOW_SIM_SEED", 1), seeds.Number(t, "ORDERFLOW_SIM_SEEDS", 100)
	began := time.Now()
	var orders, emails, repeated, crashes, steps, torn atomic.Int64
	ran := seeds.Run(t, first, n, simulate(t, p, Options{}), func(r Result) bool {
		orders.Add(int64(r.Report.Orders))
		emails.Add(int64(r.Report.Emails))
		repeated.Add(int64(r.Report.RepeatedEmails))
		crashes.Add(int64(r.Crashes))
		steps.Add(int64(r.Steps))
		if r.Torn {
			torn.Add(1)
		}
		if v := r.Violation(); v != "" {
			t.Errorf("%s\nit replays with ORDERFLOW_SIM_SEED=%d ORDERFLOW_SIM_SEEDS=1", v, r.Seed)
			return true
		}
		return false
	})
	took := time.Since(began)
	t.Logf("simulation: %d seeds (%d with the real store on a disk that tears), %d orders, %d crashes, %d steps, %d e-mails, %d of them repeated around a crash; %.0f seeds a minute",
		ran, torn.Load(), orders.Load(), crashes.Load(), steps.Load(), emails.Load(), repeated.Load(), float64(ran)/took.Minutes())
}

func TestASeedReplaysExactly(t *testing.T) {
	p := newPipeline(t)
	for seed := range uint64(10) {
		first, err := p.Run(t.Context(), seed, Options{})
		require.NoError(t, err)
		second, err := p.Run(t.Context(), seed, Options{})
		require.NoError(t, err)
		require.Equal(t, first, second, "seed %d", seed)
		require.NotZero(t, first.Digest)
	}
}

// The real store works in the background, which must not show.
func TestATornSeedReplaysExactly(t *testing.T) {
	p := newPipeline(t)
	for seed := range uint64(10) {
		first, err := p.Run(t.Context(), seed, Options{Disk: AllTorn})
		require.NoError(t, err)
		require.True(t, first.Torn)
		second, err := p.Run(t.Context(), seed, Options{Disk: AllTorn})
		require.NoError(t, err)
		require.Equal(t, first, second, "seed %d", seed)
	}
}

// Bugs that are put in on purpose are each found within 1000 seeds.
func TestPlantedBugsAreFound(t *testing.T) {
	p := newPipeline(t)
	onTorn := []Bug{CommitInParts, AcknowledgeEarly, SkipSync}
	for _, bug := range []Bug{
		CommitInParts, AcknowledgeEarly, SkipSync, DropReplay, CommitBeforeProduce, ProduceBeforeCommit, SkipDedupe, BoundTooHigh,
		AnswerBeforeReading, CommitBeforeHandle, ForgetMail, MailWithoutMembership,
	} {
		t.Run(string(bug), func(t *testing.T) {
			options := Options{Bug: bug}
			if slices.Contains(onTorn, bug) {
				options.Disk = AllTorn
			}
			var found atomic.Pointer[Result]
			ran := seeds.Run(t, 1, 1000, simulate(t, p, options), func(r Result) bool {
				if r.Violation() == "" {
					return false
				}
				found.Store(&r)
				return true
			})
			require.NotNil(t, found.Load(), "not found in %d seeds", ran)
			t.Logf("found after %d seeds: %s", ran, found.Load().Violation())
		})
	}
}
