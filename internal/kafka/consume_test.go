package kafka_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

func TestKeepPausesLongerEachTimeUntilThereIsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		kafka.Keep(t.Context(), slog.New(slog.DiscardHandler), "the test", func(_ context.Context, progress func()) error {
			at = append(at, time.Since(start))
			switch len(at) {
			case 9:
				progress()
			case 11:
				return nil
			}
			return errors.New("not yet")
		})
		var pauses []time.Duration
		for i := 1; i < len(at); i++ {
			pauses = append(pauses, (at[i]-at[i-1])/time.Millisecond)
		}
		assert.Equal(t, []time.Duration{50, 100, 200, 400, 800, 1600, 2000, 2000, 50, 100}, pauses)
	})
}

func TestKeepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			kafka.Keep(ctx, slog.New(slog.DiscardHandler), "the test", func(context.Context, func()) error { return errors.New("no") })
			close(done)
		}()
		synctest.Wait()
		cancel()
		<-done
	})
}

func records(topic string, values ...string) []*kgo.Record {
	var recs []*kgo.Record
	for _, v := range values {
		recs = append(recs, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(v)})
	}
	return recs
}

// collector is what a follower or a group hands records to.
type collector struct{ values []string }

func (c *collector) add(rec *kgo.Record) error {
	c.values = append(c.values, string(rec.Value))
	return nil
}

func TestFollowerReadsEachRecordOnceUpToTheEnd(t *testing.T) {
	cfg := kafkatest.Start(t, 2, []string{"t"}, nil)
	var got collector
	f, err := kafka.NewFollower(cfg, "t", got.add)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.CatchUp(t.Context()), "nothing is followed yet")
	require.NoError(t, f.AddAll(t.Context()))
	assert.Equal(t, []int32{0, 1}, f.Partitions())
	require.NoError(t, f.CatchUp(t.Context()), "nothing is in the topic yet")
	assert.Empty(t, got.values)

	kafkatest.Produce(t, cfg, records("t", "a", "b")...)
	require.NoError(t, f.CatchUp(t.Context()))
	assert.Equal(t, []string{"a", "b"}, got.values)

	more := records("t", "c")
	kafkatest.Produce(t, cfg, more...)
	require.NoError(t, f.ReadTo(t.Context(), map[int32]int64{more[0].Partition: more[0].Offset + 1}))
	require.NoError(t, f.CatchUp(t.Context()))
	f.Add(more[0].Partition)
	assert.Equal(t, []string{"a", "b", "c"}, got.values)
}

func TestFollowerSeesTheEndBehindTransactions(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"t"}, nil)
	client, err := kafka.NewClient(cfg, kgo.TransactionalID("x"))
	require.NoError(t, err)
	defer client.Close()
	for _, end := range []struct {
		value  string
		commit kgo.TransactionEndTry
	}{{"kept", kgo.TryCommit}, {"undone", kgo.TryAbort}} {
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(t.Context(), records("t", end.value)...).FirstErr())
		require.NoError(t, client.EndTransaction(t.Context(), end.commit))
	}
	var got collector
	f, err := kafka.NewFollower(cfg, "t", got.add)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.AddAll(t.Context()))
	require.NoError(t, f.CatchUp(t.Context()))
	assert.Equal(t, []string{"kept"}, got.values)
}

func TestFollowerStartsAfterWhatWasTrimmed(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"t"}, nil)
	kafkatest.Produce(t, cfg, records("t", "a", "b", "c")...)
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	for _, trimmed := range []struct {
		upTo int64
		want []string
	}{{2, []string{"c"}}, {3, nil}} {
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: "t", At: trimmed.upTo})
		_, err = kadm.NewClient(client).DeleteRecords(t.Context(), offsets)
		require.NoError(t, err)
		var got collector
		f, err := kafka.NewFollower(cfg, "t", got.add)
		require.NoError(t, err)
		require.NoError(t, f.AddAll(t.Context()))
		require.NoError(t, f.CatchUp(t.Context()))
		assert.Equal(t, trimmed.want, got.values)
		f.Close()
	}
}

func TestFollowerSaysWhereItFailed(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"t"}, nil)
	kafkatest.Produce(t, cfg, records("t", "a", "b")...)
	f, err := kafka.NewFollower(cfg, "t", func(rec *kgo.Record) error {
		if string(rec.Value) == "b" {
			return errors.New("not mine")
		}
		return nil
	})
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.AddAll(t.Context()))
	require.EqualError(t, f.CatchUp(t.Context()), "reading t partition 0 offset 1: not mine")

	missing, err := kafka.NewFollower(cfg, "none", nil)
	require.NoError(t, err)
	defer missing.Close()
	require.ErrorContains(t, missing.AddAll(t.Context()), "looking up topic none (`orderflow topics apply` creates it)")
}

func TestGroupHandsOverWhatWasNotDone(t *testing.T) {
	cfg := kafkatest.Start(t, 2, []string{"t"}, nil)
	kafkatest.Produce(t, cfg, records("t", "a", "b")...)

	failing, err := kafka.NewGroup(cfg, kafka.GroupConfig{
		Group: "g", Topics: []string{"t"},
		Handle: func(context.Context, []*kgo.Record) error { return errors.New("cannot") },
	})
	require.NoError(t, err)
	require.EqualError(t, failing.Run(t.Context()), "cannot")
	failing.Close()

	for _, want := range [][]string{{"a", "b"}, {"c"}} {
		var got collector
		var took atomic.Bool
		ctx, cancel := context.WithCancel(t.Context())
		g, err := kafka.NewGroup(cfg, kafka.GroupConfig{
			Group: "g", Topics: []string{"t"},
			Assigned: func(_ context.Context, partitions []int32) error {
				assert.Empty(t, got.values, "no record comes before its partition")
				assert.Equal(t, []int32{0, 1}, partitions)
				took.Store(true)
				return nil
			},
			Handle: func(work context.Context, recs []*kgo.Record) error {
				for _, rec := range recs {
					assert.NoError(t, got.add(rec))
				}
				if len(got.values) == len(want) {
					cancel()
					assert.NoError(t, work.Err(), "what has begun is finished")
				}
				return nil
			},
		})
		require.NoError(t, err)
		require.ErrorIs(t, g.Run(ctx), context.Canceled)
		g.Close()
		assert.True(t, took.Load())
		assert.Equal(t, want, got.values)
		kafkatest.Produce(t, cfg, records("t", "c")...)
	}
}

func TestGroupNamesMissingTopics(t *testing.T) {
	cfg := kafkatest.Start(t, 3, []string{"t"}, nil)
	g, err := kafka.NewGroup(cfg, kafka.GroupConfig{Group: "g", Topics: []string{"t"}})
	require.NoError(t, err)
	defer g.Close()
	n, err := g.CheckTopics(t.Context(), "t")
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"t": 3}, n)
	_, err = g.CheckTopics(t.Context(), "t", "none")
	require.ErrorContains(t, err, "looking up topic none")
}
