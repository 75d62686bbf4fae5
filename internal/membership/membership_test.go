package membership_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/membership"
)

// A group that doesn't answer the first or the second request to join lets a member go all
// the same; one with an id is taken out by another client, or an error says that it is not.
func TestCloseDoesNotWaitForAJoinThatIsNotAnswered(t *testing.T) {
	noClient := errors.New("no client")
	for name, tt := range map[string]struct {
		answered int   // requests to join, of which the first gives the id
		other    error // instead of a client
		removed  int
		want     error
	}{
		"without an id":           {answered: 0, other: noClient},
		"with an id":              {answered: 1, removed: 1},
		"with an id and no other": {answered: 1, other: noClient, want: noClient},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.SleepOutOfOrder())
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			over, asked := make(chan struct{}), make(chan struct{}, 100)
			t.Cleanup(func() { close(over) })
			joins, removed := 0, 0
			cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				if joins++; joins > tt.answered {
					asked <- struct{}{}
					cluster.SleepControl(func() { <-over })
				}
				return nil, nil, false
			})
			cluster.ControlKey(int16(kmsg.LeaveGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				removed++
				assert.NotEmpty(t, req.(*kmsg.LeaveGroupRequest).Members)
				return nil, nil, false
			})
			ctx, abandon := context.WithCancel(t.Context())
			client, err := kgo.NewClient(kgo.WithContext(ctx), kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
			require.NoError(t, err)
			<-asked
			member := membership.Member{Client: client, Abandon: abandon, Group: "g", Other: func() (*kgo.Client, error) {
				if tt.other != nil {
					return nil, tt.other
				}
				other, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
				if err == nil {
					t.Cleanup(other.Close)
				}
				return other, err
			}}
			err = member.Close(300 * time.Millisecond)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				require.ErrorContains(t, err, "leaving group g")
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, tt.removed, removed)
			require.Error(t, ctx.Err(), "nothing goes on")
		})
	}
}
