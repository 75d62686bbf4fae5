package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/ksql"
	"github.com/orderflow/orderflow/internal/ksql/migrate"
	"github.com/orderflow/orderflow/internal/ksql/migrate/kafkalock"
)

// How long a command looks for Kafka, and waits for another migrator.
const (
	findKafkaFor = 3 * time.Second
	waitLockFor  = time.Minute
)

// errMigrationsLocked says that another migrator had the lock for too long.
var errMigrationsLocked = fmt.Errorf("it was not free for %s: try again when the other has ended", waitLockFor)

// lockMigrations keeps other migrators of the same ksqlDB away until release is
// called: by a lock in ksqlDB's own Kafka, or by a row in ksqlDB where that Kafka
// cannot be reached, which is said.
func lockMigrations(ctx context.Context, env *environment, client *ksql.Client, metadata migrate.Metadata) (held context.Context, release func(), err error) {
	info, err := client.Info(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("looking for the Kafka that has the migrations' lock: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("taking the migrations' lock: %w", err)
	}
	holder := holderPrefix(host) + strconv.Itoa(os.Getpid())
	waiting := func(holder string) {
		fmt.Fprintf(env.stderr, "waiting for %s, which changes the migrations\n", holder)
	}
	wait, stop := context.WithTimeoutCause(ctx, waitLockFor, errMigrationsLocked)
	defer stop()
	if err := findKafka(ctx, env, info.KafkaClusterID); err != nil {
		if ctx.Err() != nil {
			return nil, nil, err
		}
		fmt.Fprintf(env.stderr, "locked by a row in ksqlDB only, as its Kafka cannot be used: %s\n", oneLine(err.Error()))
		return migrate.LockRow(ctx, wait, migrate.RowLockConfig{Client: client, Metadata: metadata, Holder: holder, Waiting: waiting,
			Gone: func(other string) bool { return isGone(other, holderPrefix(host)) }})
	}
	lock, err := kafkalock.Acquire(wait, kafkalock.Config{
		Kafka:   kafkaConfig(env),
		Name:    "_orderflow_migrations_lock_" + info.ServiceID,
		Holder:  holder,
		Waiting: waiting,
	})
	if err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(migrate.Fence(ctx, lock.Confirm))
	stopWatch := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-lock.Lost():
			cancel(fmt.Errorf("%w: %w", migrate.ErrLockLost, kafkalock.ErrLost))
		case <-stopWatch:
		}
	}()
	return held, func() {
		close(stopWatch)
		<-watched
		lock.Release()
		cancel(nil)
	}, nil
}

func holderPrefix(host string) string { return "orderflow-migrate-" + host + "-" }

// isGone reports whether a holder was a process of this host that has ended.
func isGone(holder, prefix string) bool {
	text, ok := strings.CutPrefix(holder, prefix)
	pid, err := strconv.Atoi(text)
	if !ok || err != nil {
		return false
	}
	process, err := os.FindProcess(pid)
	return err != nil || errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// findKafka reports why the configured Kafka cannot have the lock of a ksqlDB
// whose cluster has that id.
func findKafka(ctx context.Context, env *environment, clusterID string) error {
	ctx, cancel := context.WithTimeout(ctx, findKafkaFor)
	defer cancel()
	config := kafkaConfig(env)
	client, err := kafka.NewClient(config)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("reaching Kafka at %v: %w", config.Brokers, err)
	}
	metadata, err := kadm.NewClient(client).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("asking Kafka at %v: %w", config.Brokers, err)
	}
	if metadata.Cluster != clusterID {
		return fmt.Errorf("the Kafka at %v is the cluster %q, but ksqlDB's is %q", config.Brokers, metadata.Cluster, clusterID)
	}
	return nil
}
