package kafkalock_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/orderflow/orderflow/internal/embedded/broker"
	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql/migrate/kafkalock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startBroker(t *testing.T) kafka.Config {
	t.Helper()
	server, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	return kafka.Config{Brokers: []string{server.Addr()}}
}

func TestOneHoldsTheLockAndTheOthersWait(t *testing.T) {
	config := startBroker(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, err := kafkalock.Acquire(ctx, kafkalock.Config{Kafka: config, Name: "lock", Holder: "first"})
	require.NoError(t, err)

	told := make(chan string, 10)
	type outcome struct {
		lock *kafkalock.Lock
		err  error
	}
	second := make(chan outcome, 1)
	go func() {
		lock, err := kafkalock.Acquire(ctx, kafkalock.Config{Kafka: config, Name: "lock", Holder: "second", Waiting: func(holder string) { told <- holder }})
		second <- outcome{lock, err}
	}()
	select {
	case holder := <-told:
		assert.Equal(t, "first", holder)
	case got := <-second:
		require.FailNow(t, "the lock was taken twice", "%v", got.err)
	}
	other, err := kafkalock.Acquire(ctx, kafkalock.Config{Kafka: config, Name: "another", Holder: "second"})
	require.NoError(t, err)
	other.Release()

	select {
	case <-first.Lost():
		assert.Fail(t, "the lock was lost to one that waits")
	default:
	}
	require.NoError(t, first.Confirm(ctx), "others may wait")
	first.Release()
	first.Release()
	got := <-second
	require.NoError(t, got.err)
	got.lock.Release()
}

func TestOneThatGivesUpSaysWhoHoldsTheLock(t *testing.T) {
	config := startBroker(t)
	first, err := kafkalock.Acquire(t.Context(), kafkalock.Config{Kafka: config, Name: "lock", Holder: "first"})
	require.NoError(t, err)
	defer first.Release()
	enough := errors.New("waited long enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = kafkalock.Acquire(ctx, kafkalock.Config{Kafka: config, Name: "lock", Holder: "second", Waiting: func(string) { cancel(enough) }})
	require.ErrorIs(t, err, enough)
	assert.ErrorContains(t, err, "which first holds")
}

// TestABrokerThatStartsAgainHasForgottenTheHolder asks for a lock right after the
// broker came back, when others can have it.
func TestABrokerThatStartsAgainHasForgottenTheHolder(t *testing.T) {
	dir := t.TempDir()
	server, err := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	addr := server.Addr()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lock, err := kafkalock.Acquire(ctx, kafkalock.Config{Kafka: kafka.Config{Brokers: []string{addr}}, Name: "lock", Holder: "first"})
	require.NoError(t, err)
	defer lock.Release()
	require.NoError(t, lock.Confirm(ctx))
	require.NoError(t, server.Stop())

	server, err = broker.New(broker.Config{Addr: addr, DataDir: dir})
	require.NoError(t, err)
	require.NoError(t, server.Start(t.Context()))
	defer func() { assert.NoError(t, server.Stop()) }()
	require.ErrorIs(t, lock.Confirm(ctx), kafkalock.ErrLost)
	<-lock.Lost()
}

func TestAcquireNeedsAName(t *testing.T) {
	_, err := kafkalock.Acquire(t.Context(), kafkalock.Config{Holder: "x"})
	assert.ErrorContains(t, err, "needs a name and a holder")
}
