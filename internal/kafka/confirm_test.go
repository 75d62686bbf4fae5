package kafka_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/kafka"
	"github.com/orderflow/orderflow/internal/kafka/kafkatest"
)

// A member that the group has put out finds that out before its next step.
func TestConfirmTellsWhoIsNoMemberAnyMore(t *testing.T) {
	cfg := kafkatest.Start(t, 1, []string{"input"}, nil)
	kafkatest.Produce(t, cfg, &kgo.Record{Topic: "input", Value: []byte("x")})
	var group *kafka.Group
	var before, after error
	ctx, cancel := context.WithCancel(t.Context())
	group, err := kafka.NewGroup(cfg, kafka.GroupConfig{
		Group: "g", Topics: []string{"input"},
		Handle: func(ctx context.Context, _ []*kgo.Record) error {
			defer cancel()
			before = group.Confirm(ctx)
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group = "g"
			member, _ := group.Client().GroupMetadata()
			leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member}}
			if _, err := leave.RequestWith(ctx, group.Client()); err != nil {
				return err
			}
			after = group.Confirm(ctx)
			return after
		},
	})
	require.NoError(t, err)
	defer group.Close()
	require.Error(t, group.Confirm(ctx), "it has not joined yet")
	require.ErrorContains(t, group.Run(ctx), "still a member of group g")
	require.NoError(t, before)
	require.ErrorContains(t, after, "UNKNOWN_MEMBER_ID")
}
