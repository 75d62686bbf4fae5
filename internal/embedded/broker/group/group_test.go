package group_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/disk"
	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

const (
	session   = 10 * time.Second
	rebalance = 60 * time.Second
)

func open(t *testing.T, fs disk.FS) *group.Coordinator {
	t.Helper()
	require.NoError(t, fs.MkdirAll("data"))
	j, err := journal.Open(journal.Config{FS: fs, Path: "data/groups", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	c, err := group.New(group.Config{
		Journal:      j,
		HasPartition: func(topic string, p int32) bool { return topic == "orders" && p < 4 },
		MinSession:   6 * time.Second, MaxSession: time.Hour, MaxMetadata: 10,
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// join sends a JoinGroup; protocols are named from the one liked best.
func join(c *group.Coordinator, id, instance string, protocols ...string) *kmsg.JoinGroupResponse {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version = 9
	req.Group, req.MemberID, req.ProtocolType = "g", id, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session.Milliseconds()), int32(rebalance.Milliseconds())
	if instance != "" {
		req.InstanceID = &instance
	}
	if len(protocols) == 0 {
		protocols = []string{"range"}
	}
	for _, p := range protocols {
		req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: []byte("meta")})
	}
	return c.Join(context.Background(), group.Client{ID: "client", Host: "/127.0.0.1"}, req)
}

// enter joins as a new dynamic member does: the first answer gives it its id.
func enter(t *testing.T, c *group.Coordinator, protocols ...string) *kmsg.JoinGroupResponse {
	first := join(c, "", "", protocols...)
	if first.ErrorCode != kerr.MemberIDRequired.Code {
		t.Errorf("a new member is answered %v", kerr.ErrorForCode(first.ErrorCode))
	}
	return join(c, first.MemberID, "", protocols...)
}

func syncGroup(c *group.Coordinator, joined *kmsg.JoinGroupResponse, assign map[string]string) *kmsg.SyncGroupResponse {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version = 5
	req.Group, req.MemberID, req.Generation = "g", joined.MemberID, joined.Generation
	for id, a := range assign {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(a)})
	}
	return c.Sync(context.Background(), req)
}

func heartbeat(c *group.Coordinator, joined *kmsg.JoinGroupResponse) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version = 4
	req.Group, req.MemberID, req.Generation = "g", joined.MemberID, joined.Generation
	return kerr.ErrorForCode(c.Heartbeat(req).ErrorCode)
}

func commit(c *group.Coordinator, id string, generation int32, topic string, p int32, offset int64, metadata string) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version = 8
	req.Group, req.MemberID, req.Generation = "g", id, generation
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.Metadata = p, offset, &metadata
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{rp}}}
	return kerr.ErrorForCode(c.Commit(req).Topics[0].Partitions[0].ErrorCode)
}

func fetch(t *testing.T, c *group.Coordinator, p int32) int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 9
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders", Partitions: []int32{p}}}}}
	resp := c.Fetch(req)
	require.NoError(t, kerr.ErrorForCode(resp.Groups[0].ErrorCode))
	return resp.Groups[0].Topics[0].Partitions[0].Offset
}

func describe(c *group.Coordinator) kmsg.DescribeGroupsResponseGroup {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{"g"}
	return c.Describe(req).Groups[0]
}

// pair brings up a stable group of two and gives the answers to both, the leader's
// first.
func pair(t *testing.T, c *group.Coordinator) (leader, follower *kmsg.JoinGroupResponse) {
	t.Helper()
	first := enter(t, c)
	require.NoError(t, kerr.ErrorForCode(first.ErrorCode))
	require.Equal(t, first.MemberID, first.LeaderID)
	var second *kmsg.JoinGroupResponse
	done := make(chan struct{})
	go func() { defer close(done); second = enter(t, c) }()
	synctest.Wait()
	require.ErrorIs(t, heartbeat(c, first), kerr.RebalanceInProgress)
	first = join(c, first.MemberID, "")
	<-done
	require.Equal(t, first.Generation, second.Generation)
	require.Len(t, first.Members, 2)
	require.Empty(t, second.Members)
	var assigned *kmsg.SyncGroupResponse
	done = make(chan struct{})
	go func() { defer close(done); assigned = syncGroup(c, second, nil) }()
	synctest.Wait()
	own := syncGroup(c, first, map[string]string{first.MemberID: "a", second.MemberID: "b"})
	<-done
	require.Equal(t, "a", string(own.MemberAssignment))
	require.Equal(t, "b", string(assigned.MemberAssignment))
	require.Equal(t, "Stable", describe(c).State)
	return first, second
}

func TestTwoMembersShareAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		leader, follower := pair(t, c)
		require.NoError(t, heartbeat(c, leader))
		require.NoError(t, heartbeat(c, follower))
		stale := *follower
		stale.Generation--
		require.ErrorIs(t, heartbeat(c, &stale), kerr.IllegalGeneration)

		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group = 5, "g"
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: leader.MemberID}, {MemberID: "nobody"}}
		left := c.Leave(leave)
		require.NoError(t, kerr.ErrorForCode(left.Members[0].ErrorCode))
		require.ErrorIs(t, kerr.ErrorForCode(left.Members[1].ErrorCode), kerr.UnknownMemberID)
		require.ErrorIs(t, heartbeat(c, follower), kerr.RebalanceInProgress)
		again := join(c, follower.MemberID, "")
		require.Equal(t, follower.MemberID, again.LeaderID, "somebody else leads")
		require.Len(t, again.Members, 1)
	})
}

func TestSilentMembersAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		leader, follower := pair(t, c)
		for range 4 {
			time.Sleep(session / 2)
			_ = heartbeat(c, leader)
		}
		require.ErrorIs(t, heartbeat(c, follower), kerr.UnknownMemberID)
		require.ErrorIs(t, heartbeat(c, leader), kerr.RebalanceInProgress)
	})
}

func TestWhoDoesNotJoinARebalanceIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		leader, follower := pair(t, c)
		began := time.Now()
		done := make(chan *kmsg.JoinGroupResponse)
		go func() { done <- join(c, leader.MemberID, "") }()
		for time.Since(began) < rebalance-time.Second { // the follower lives but doesn't join
			time.Sleep(session / 2)
			_ = heartbeat(c, follower)
		}
		again := <-done
		assert.Equal(t, rebalance, time.Since(began).Round(time.Second))
		require.Len(t, again.Members, 1)
		require.ErrorIs(t, heartbeat(c, follower), kerr.UnknownMemberID)
	})
}

func TestWhoDoesNotSyncIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		member := enter(t, c)
		for range 30 { // it lives, but sends no assignment
			time.Sleep(session / 2)
			if heartbeat(c, member) != nil {
				break
			}
		}
		require.ErrorIs(t, heartbeat(c, member), kerr.UnknownMemberID)
	})
}

func TestProtocolThatAllHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		first := enter(t, c, "sticky", "range")
		require.Equal(t, "sticky", *first.Protocol)
		bad := join(c, "", "", "other")
		require.ErrorIs(t, kerr.ErrorForCode(bad.ErrorCode), kerr.InconsistentGroupProtocol)
		done := make(chan *kmsg.JoinGroupResponse)
		go func() { done <- enter(t, c, "cooperative", "range") }()
		synctest.Wait()
		first = join(c, first.MemberID, "", "sticky", "range")
		second := <-done
		assert.Equal(t, "range", *first.Protocol)
		assert.Equal(t, "range", *second.Protocol)
	})
}

func TestStaticMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		first := join(c, "", "one")
		require.NoError(t, kerr.ErrorForCode(first.ErrorCode))
		got := syncGroup(c, first, map[string]string{first.MemberID: "work"})
		require.Equal(t, "work", string(got.MemberAssignment))

		again := join(c, "", "one") // restarted: it gets its place and its work without a rebalance
		require.NoError(t, kerr.ErrorForCode(again.ErrorCode))
		require.Equal(t, first.Generation, again.Generation)
		require.True(t, again.SkipAssignment)
		require.NotEqual(t, first.MemberID, again.MemberID)
		got = syncGroup(c, again, nil)
		require.Equal(t, "work", string(got.MemberAssignment))

		req := kmsg.NewPtrHeartbeatRequest()
		instance := "one"
		req.Group, req.MemberID, req.Generation, req.InstanceID = "g", first.MemberID, first.Generation, &instance
		require.ErrorIs(t, kerr.ErrorForCode(c.Heartbeat(req).ErrorCode), kerr.FencedInstanceID)
	})
}

func TestRefusedJoins(t *testing.T) {
	c := open(t, disk.NewMemory())
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.ProtocolType = 5, "consumer"
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	req.SessionTimeoutMillis = 10_000
	code := func() error {
		return kerr.ErrorForCode(c.Join(t.Context(), group.Client{}, req).ErrorCode)
	}
	require.ErrorIs(t, code(), kerr.InvalidGroupID)
	req.Group, req.SessionTimeoutMillis = "g", 10
	require.ErrorIs(t, code(), kerr.InvalidSessionTimeout)
	req.SessionTimeoutMillis, req.MemberID = 10_000, "who"
	require.ErrorIs(t, code(), kerr.UnknownMemberID)
}

func TestCommitsAreFencedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := disk.NewMemory()
		c := open(t, fs)
		require.NoError(t, commit(c, "", -1, "orders", 3, 42, "note"), "somebody who assigns partitions to itself")
		leader, follower := pair(t, c)
		require.NoError(t, commit(c, leader.MemberID, leader.Generation, "orders", 0, 7, ""))
		require.NoError(t, commit(c, follower.MemberID, follower.Generation, "orders", 1, 8, ""))
		require.ErrorIs(t, commit(c, follower.MemberID, follower.Generation-1, "orders", 1, 5, ""), kerr.IllegalGeneration)
		require.ErrorIs(t, commit(c, "who", leader.Generation, "orders", 1, 5, ""), kerr.UnknownMemberID)
		require.ErrorIs(t, commit(c, "", -1, "orders", 1, 5, ""), kerr.UnknownMemberID, "a group with members")
		require.ErrorIs(t, commit(c, leader.MemberID, leader.Generation, "orders", 4, 5, ""), kerr.UnknownTopicOrPartition)
		require.ErrorIs(t, commit(c, leader.MemberID, leader.Generation, "orders", 0, 5, "far too long a note"), kerr.OffsetMetadataTooLarge)

		again := open(t, fs) // as after a kill -9
		assert.EqualValues(t, 7, fetch(t, again, 0))
		assert.EqualValues(t, 8, fetch(t, again, 1))
		assert.EqualValues(t, -1, fetch(t, again, 2))
		assert.EqualValues(t, 42, fetch(t, again, 3))
		require.ErrorIs(t, commit(again, leader.MemberID, leader.Generation, "orders", 0, 9, ""), kerr.UnknownMemberID, "a member of the last run")
		lowest, ok := again.Committed("orders", 1, func(string) bool { return true })
		assert.True(t, ok)
		assert.EqualValues(t, 8, lowest)
		_, ok = again.Committed("orders", 1, func(string) bool { return false })
		assert.False(t, ok)
		next := enter(t, again)
		assert.Greater(t, next.Generation, leader.Generation, "generations go on")

		require.NoError(t, again.ForgetTopic("orders"))
		assert.EqualValues(t, -1, fetch(t, again, 0))
	})
}

// A crash may come between the deletion of a topic and that of what was committed for
// it. A topic that gets the name later begins with nothing.
func TestOffsetsOfPartitionsThatAreGoneAreDropped(t *testing.T) {
	fs := disk.NewMemory()
	require.NoError(t, fs.MkdirAll("data"))
	partitions := int32(2)
	start := func() *group.Coordinator {
		j, err := journal.Open(journal.Config{FS: fs, Path: "data/groups", Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		c, err := group.New(group.Config{
			Journal: j, HasPartition: func(_ string, p int32) bool { return p < partitions },
			MinSession: time.Second, MaxSession: time.Hour, MaxMetadata: 10, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		return c
	}
	c := start()
	require.NoError(t, commit(c, "", -1, "orders", 0, 7, ""))
	require.NoError(t, commit(c, "", -1, "orders", 1, 8, ""))
	partitions = 1
	c = start()
	assert.EqualValues(t, 7, fetch(t, c, 0))
	partitions = 2
	c = start()
	assert.EqualValues(t, 7, fetch(t, c, 0))
	assert.EqualValues(t, -1, fetch(t, c, 1))
}

func TestDeleteGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, disk.NewMemory())
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{"g"}
		code := func() error { return kerr.ErrorForCode(c.Delete(req).Groups[0].ErrorCode) }
		require.ErrorIs(t, code(), kerr.GroupIDNotFound)
		member := enter(t, c)
		syncGroup(c, member, nil)
		require.NoError(t, commit(c, member.MemberID, member.Generation, "orders", 0, 7, ""))
		require.ErrorIs(t, code(), kerr.NonEmptyGroup)
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = 2, "g", member.MemberID
		require.NoError(t, kerr.ErrorForCode(c.Leave(leave).ErrorCode))
		require.Equal(t, "Empty", describe(c).State)
		list := kmsg.NewPtrListGroupsRequest()
		require.True(t, slices.ContainsFunc(c.List(list).Groups, func(g kmsg.ListGroupsResponseGroup) bool { return g.Group == "g" }))
		require.NoError(t, code())
		require.Equal(t, "Dead", describe(c).State)
		require.EqualValues(t, -1, fetch(t, c, 0))
	})
}
