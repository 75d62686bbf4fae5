package connect

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
	"github.com/orderflow/orderflow/internal/membership"
)

const (
	// sessionTimeout is how long a group waits for a member that died, a quarter of
	// what the real worker's consumers have: after a kill a sink goes on within it.
	sessionTimeout = 10 * time.Second
	heartbeat      = time.Second
	// leaveTimeout is how long each of the two ways of leaving may take.
	leaveTimeout = 400 * time.Millisecond
)

// consumer makes a member of a sink connector's consumer group. What it gives besides
// ends the membership and closes the client.
func (w *worker) consumer(c *connector, settings map[string]string, r *sinkRun) (*kgo.Client, func(), error) {
	group := groupPrefix + c.name
	life, abandon := context.WithCancel(context.Background())
	opts := append(w.cfg.kafka(),
		kgo.WithContext(life),
		kgo.ClientID("connector-consumer-"+c.name),
		kgo.ConsumerGroup(group),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.lost),
		kgo.MetadataMinAge(metadataMinAge),
	)
	if pattern := settings[topicsRegexSetting]; pattern != "" {
		opts = append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics("^(?:"+pattern+")$"))
	} else {
		opts = append(opts, kgo.ConsumeTopics(config.SplitList(settings[topicsSetting])...))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		abandon()
		return nil, nil, fmt.Errorf("connecting to Kafka: %w", err)
	}
	member := membership.Member{Client: client, Abandon: abandon, Group: group, Other: func() (*kgo.Client, error) { return w.store.client, nil }}
	return client, func() {
		if err := member.Close(leaveTimeout); err != nil {
			w.log.Warn("connect: leaving a consumer group failed; its partitions are read again after the session's end", "group", group, "session", sessionTimeout, "error", err)
		}
	}, nil
}
