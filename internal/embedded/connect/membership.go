package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/connect/config"
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
	return client, func() {
		defer abandon()
		w.leave(client, abandon, group)
		client.Close()
		// Closing polls once more, and that may hold up what it has begun in the background.
		client.AllowRebalance()
	}, nil
}

// leave ends a membership. The client itself leaves only when a join that is under way
// was answered, and the answer waits for members that died until their sessions end. Such
// a join is abandoned, and the member taken out of the group by the worker's other client,
// so that nobody waits for this one in turn.
func (w *worker) leave(client *kgo.Client, abandon context.CancelFunc, group string) {
	client.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	err := client.LeaveGroupContext(ctx)
	if ctx.Err() != nil {
		member, _ := client.GroupMetadata()
		abandon()
		err = w.store.leaveGroup(group, member)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		w.log.Warn("connect: leaving a consumer group failed; its partitions are read again after the session's end", "group", group, "session", sessionTimeout, "error", err)
	}
}

// leaveGroup takes a member out of a group; one without an id never was in it.
func (s *store) leaveGroup(group, member string) error {
	if member == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group, request.MemberID = group, member // the member by itself is for brokers before Kafka 2.4
	leaving := kmsg.NewLeaveGroupRequestMember()
	leaving.MemberID = member
	request.Members = append(request.Members, leaving)
	response, err := request.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	codes := response.ErrorCode
	for _, m := range response.Members {
		codes = cmp.Or(codes, m.ErrorCode)
	}
	return kerr.ErrorForCode(codes)
}
