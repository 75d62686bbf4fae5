package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

// joinSilently makes a member of a group that is never heard of again.
func joinSilently(t *testing.T, cfg kafka.Config, group string, session time.Duration) {
	t.Helper()
	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(session.Milliseconds()), int32(session.Milliseconds())
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = kgo.RangeBalancer().ProtocolName(), (&kmsg.ConsumerMemberMetadata{}).AppendTo(nil)
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.ErrorIs(t, kerr.ErrorForCode(joined.ErrorCode), kerr.MemberIDRequired)
	join.MemberID = joined.MemberID
	joined, err = join.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(joined.ErrorCode))
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	synced, err := sync.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(synced.ErrorCode))
}

// joins tells of a client's requests to join, and of their answers.
type joins struct{ asked, answered chan struct{} }

func (j joins) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == kmsg.JoinGroup.Int16() && err == nil {
		j.asked <- struct{}{}
	}
}

func (j joins) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == kmsg.JoinGroup.Int16() && err == nil {
		j.answered <- struct{}{}
	}
}

// A member that stops while its group waits for a dead one does not wait with it, and
// nobody waits for it.
func TestAMemberLeavesWhileItsGroupWaitsForADeadOne(t *testing.T) {
	const session = time.Minute
	cfg := kafkatest.Start(t, 1, []string{"t"}, nil)
	joinSilently(t, cfg, "g", session)
	seen := joins{make(chan struct{}, 8), make(chan struct{}, 8)}
	g, err := kafka.NewGroup(cfg, kafka.GroupConfig{Group: "g", Topics: []string{"t"}, Options: []kgo.Opt{kgo.WithHooks(seen)}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- g.Run(ctx) }()
	<-seen.asked
	<-seen.answered // with the id to join with
	<-seen.asked
	cancel()
	require.ErrorIs(t, <-stopped, context.Canceled)
	g.Close()
	assert.Empty(t, seen.answered, "the group has not been complete meanwhile")

	client, err := kafka.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	groups, err := kadm.NewClient(client).DescribeGroups(t.Context(), "g")
	require.NoError(t, err)
	assert.Len(t, groups["g"].Members, 1, "only the dead one is left")
	g.Close()
}

// Reading a long ledger takes longer than a batch may, and beginning it anew would not end.
func TestATakeOverHasAsLongAsItTakes(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"t"}, nil)
	bounded := make(chan bool, 1)
	g, err := kafka.NewGroup(cfg, kafka.GroupConfig{Group: "g", Topics: []string{"t"}, Assigned: func(ctx context.Context, _ []int32) error {
		_, yes := ctx.Deadline()
		bounded <- yes
		<-ctx.Done()
		return ctx.Err()
	}})
	require.NoError(t, err)
	defer g.Close()
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- g.Run(ctx) }()
	assert.False(t, <-bounded)
	cancel()
	require.ErrorIs(t, <-stopped, context.Canceled, "a stop ends it at once")
}
