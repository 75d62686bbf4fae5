package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// leaseTimeout is how long an instance that died keeps others from writing:
	// Kafka's own group.min.session.timeout.ms.
	leaseTimeout   = 6 * time.Second
	leaseHeartbeat = time.Second
	// leasePatience is how long a start waits for a lease: an instance that was
	// killed has lost it by then.
	leasePatience = 3 * leaseTimeout
	leaseAskAgain = time.Second
)

// lease is the right to write a topic, which one instance has at a time: it has the
// topic's partition in a consumer group.
type lease struct {
	client *kgo.Client
	held   atomic.Bool
	got    chan struct{} // closed when it is had for the first time
}

// takeLease waits until this instance may write the topic. The error says who else
// does.
func takeLease(ctx context.Context, cfg Config) (*lease, error) {
	l := &lease{got: make(chan struct{})}
	group := "orderflow-schema-registry-" + cfg.Topic
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	ours := func(partitions map[string][]int32) bool { return len(partitions[cfg.Topic]) > 0 }
	lost := func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
		if ours(partitions) {
			l.held.Store(false)
		}
	}
	l.client, err = kgo.NewClient(append(cfg.kafka(),
		kgo.ClientID(fmt.Sprintf("%s-%s-%d", clientID, host, os.Getpid())),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(cfg.Topic), kgo.DisableAutoCommit(),
		// The member that has the partition keeps it when others come.
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(leaseTimeout), kgo.HeartbeatInterval(leaseHeartbeat), kgo.RebalanceTimeout(leaseTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			if ours(partitions) && !l.held.Swap(true) {
				select {
				case <-l.got:
				default:
					close(l.got)
				}
			}
		}),
		kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost),
	)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka for the schemas topic: %w", err)
	}
	l.client.PauseFetchTopics(cfg.Topic) // the group is for the lease alone
	if err := l.wait(ctx, cfg, group); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lease) wait(ctx context.Context, cfg Config, group string) error {
	admin, err := kgo.NewClient(append(cfg.kafka(), kgo.ClientID(clientID))...)
	if err != nil {
		return fmt.Errorf("connecting to Kafka for the schemas topic: %w", err)
	}
	defer admin.Close()
	patience := time.NewTimer(cfg.Patience)
	defer patience.Stop()
	ask := time.NewTicker(leaseAskAgain)
	defer ask.Stop()
	holder := "nobody that could be told"
	for {
		select {
		case <-l.got:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waiting for the right to write topic %s: %w", cfg.Topic, context.Cause(ctx))
		case <-patience.C:
			return fmt.Errorf("another Schema Registry (%s) writes topic %s: stop it, or use it with --schema-registry instead of one of your own", holder, cfg.Topic)
		case <-ask.C:
		}
		// That it can't be told who it is is no reason not to wait.
		if now, err := holderOf(ctx, kadm.NewClient(admin), group, cfg.Topic); err == nil && now != "" {
			if now != holder {
				cfg.Logger.Info("schema registry: waiting for another instance's right to write the schemas topic to end", "topic", cfg.Topic, "holder", now)
			}
			holder = now
		}
	}
}

// holderOf gives the client that has the topic's partition, empty when none has.
func holderOf(ctx context.Context, admin *kadm.Client, group, topic string) (string, error) {
	groups, err := admin.DescribeGroups(ctx, group)
	if err != nil {
		return "", err
	}
	for _, member := range groups[group].Members {
		assignment, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assignment.Topics {
			if t.Topic == topic && len(t.Partitions) > 0 {
				return member.ClientID + " at " + member.ClientHost, nil
			}
		}
	}
	return "", nil
}

var errNoLease = errors.New("another Schema Registry may write the topic at this moment: this one was not heard of for too long; try again")

// check says why nothing may be written, nil when it may.
func (l *lease) check() error {
	if l != nil && !l.held.Load() {
		return errNoLease
	}
	return nil
}

// close gives the right back. A nil lease has none.
func (l *lease) close() {
	if l != nil {
		l.client.Close()
	}
}
