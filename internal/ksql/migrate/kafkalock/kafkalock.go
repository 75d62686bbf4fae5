// Package kafkalock keeps programs apart by membership of a Kafka consumer
// group: the member that has the one partition of the lock's topic has the lock.
//
// Invariants:
//   - Nothing is written into the topic, nor read from it.
//   - A lock whose holder ends, in whatever way, is free again: at once when it
//     was released, else after SessionTimeout.
//   - A holder that the group no longer counts is told so by Lost.
package kafkalock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/kafka"
)

// SessionTimeout is how long a holder that does not answer keeps the lock.
const SessionTimeout = 10 * time.Second

const (
	heartbeat = 500 * time.Millisecond
	askAgain  = time.Second
	// newGeneration is the pause before a client is asked again for its generation.
	newGeneration = 10 * time.Millisecond
)

// Config says which lock it is and who takes it.
type Config struct {
	Kafka kafka.Config
	// Name is that of the topic and of the group.
	Name string
	// Holder is what others are told while the lock is held, such as a host and
	// a process.
	Holder string
	// Waiting is told who holds the lock, each time that another does. Nil means
	// nobody is.
	Waiting func(holder string)
}

// Lock is a lock that is held.
type Lock struct {
	name   string
	client *kgo.Client
	lost   chan struct{}
	once   sync.Once
}

// Acquire waits until the lock is free and takes it. The error of a ctx that
// ends before names who holds the lock.
func Acquire(ctx context.Context, config Config) (*Lock, error) {
	if config.Name == "" || config.Holder == "" {
		return nil, errors.New("taking a lock: it needs a name and a holder")
	}
	config.Kafka.ClientID = config.Holder
	admin, err := kafka.NewClient(config.Kafka)
	if err != nil {
		return nil, fmt.Errorf("taking the lock %s: %w", config.Name, err)
	}
	defer admin.Close()
	if err := makeTopic(ctx, admin, config.Name); err != nil {
		return nil, fmt.Errorf("taking the lock %s: %w", config.Name, err)
	}
	assigned := make(chan struct{}, 1)
	lock := &Lock{name: config.Name, lost: make(chan struct{})}
	gone := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		if len(partitions[config.Name]) > 0 {
			lock.once.Do(func() { close(lock.lost) })
		}
	}
	lock.client, err = kafka.NewClient(config.Kafka,
		kgo.ConsumerGroup(config.Name), kgo.ConsumeTopics(config.Name), kgo.DisableAutoCommit(),
		// The member that has the partition keeps it when others come.
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(SessionTimeout), kgo.HeartbeatInterval(heartbeat),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			if len(partitions[config.Name]) > 0 {
				select {
				case assigned <- struct{}{}:
				default:
				}
			}
		}),
		kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone),
	)
	if err != nil {
		return nil, fmt.Errorf("taking the lock %s: %w", config.Name, err)
	}
	if err := wait(ctx, kadm.NewClient(admin), config, assigned); err != nil {
		lock.client.Close()
		return nil, err
	}
	return lock, nil
}

// wait waits until this member has the partition, and tells who has it until then.
func wait(ctx context.Context, admin *kadm.Client, config Config, assigned <-chan struct{}) error {
	holder := ""
	ticker := time.NewTicker(askAgain)
	defer ticker.Stop()
	for {
		select {
		case <-assigned:
			return nil
		case <-ctx.Done():
			if holder != "" {
				return fmt.Errorf("waiting for the lock %s, which %s holds: %w", config.Name, holder, context.Cause(ctx))
			}
			return fmt.Errorf("taking the lock %s: %w", config.Name, context.Cause(ctx))
		case <-ticker.C:
		}
		// That it cannot be told who holds the lock is no reason not to wait.
		if now, err := holderOf(ctx, admin, config.Name); err == nil && now != "" && now != holder && now != config.Holder {
			holder = now
			if config.Waiting != nil {
				config.Waiting(holder)
			}
		}
	}
}

// holderOf returns the client id of the member that has the partition, "" when
// none has.
func holderOf(ctx context.Context, admin *kadm.Client, name string) (string, error) {
	groups, err := admin.DescribeGroups(ctx, name)
	if err != nil {
		return "", err
	}
	for _, member := range groups[name].Members {
		assignment, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, topic := range assignment.Topics {
			if topic.Topic == name && len(topic.Partitions) > 0 {
				return member.ClientID, nil
			}
		}
	}
	return "", nil
}

func makeTopic(ctx context.Context, client *kgo.Client, name string) error {
	_, err := kadm.NewClient(client).CreateTopic(ctx, 1, -1, nil, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating the topic: %w", err)
	}
	return nil
}

// Lost is closed when the lock is no longer held.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// ErrLost says that a lock is no longer held.
var ErrLost = errors.New("the group in Kafka does not have this member any more: it was silent for too long, or Kafka was started anew")

// Confirm asks Kafka whether the lock is still held. The error is ErrLost when it is
// not; any other says that Kafka cannot be asked. Lost tells it too, but later.
func (l *Lock) Confirm(ctx context.Context) error {
	for {
		err := kafka.ConfirmMember(ctx, l.client, l.name)
		select {
		case <-l.lost: // it may have joined again since
			return ErrLost
		default:
		}
		switch {
		case errors.Is(err, kerr.UnknownMemberID):
			return ErrLost
		case !errors.Is(err, kerr.IllegalGeneration):
			return err
		}
		// The group has formed anew because others came, and the client is about to hear of it.
		timer := time.NewTimer(newGeneration)
		select {
		case <-timer.C:
		case <-l.lost:
			timer.Stop()
			return ErrLost
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// Release gives the lock back. It may be called twice.
func (l *Lock) Release() { l.client.Close() }
