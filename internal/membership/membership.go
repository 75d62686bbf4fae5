// Package membership ends memberships in consumer groups.
//
// A Kafka client leaves its group only when a join that is under way was answered, and
// the coordinator answers when all members have joined: one that died silently holds it up
// until its session ends. Whoever stops meanwhile would wait as long, and the others in
// turn for him.
//
// Invariants:
//   - Leaving takes no longer than twice the time that it is given.
//   - Afterwards the group does not wait for the member, unless an error says so.
package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Member is a client that consumes as a member of a group.
type Member struct {
	Client *kgo.Client
	// Abandon ends the context that the client was made with.
	Abandon context.CancelFunc
	// Group is the group's name.
	Group string
	// Other gives a client that still works when Client was abandoned.
	Other func() (*kgo.Client, error)
}

// Close leaves the group and closes the client. A join that is not answered in time is
// abandoned, and the member taken out of the group by the other client. An error says that
// the others wait for the member's session to end.
func (m Member) Close(timeout time.Duration) error {
	defer m.Abandon()
	err := m.leave(timeout)
	m.Client.Close()
	// Closing polls once more, and that may hold up what it has begun in the background.
	m.Client.AllowRebalance()
	return err
}

func (m Member) leave(timeout time.Duration) error {
	m.Client.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := m.Client.LeaveGroupContext(ctx)
	if ctx.Err() != nil {
		id, _ := m.Client.GroupMetadata()
		m.Abandon()
		err = m.remove(id, timeout)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("leaving group %s: %w", m.Group, err)
	}
	return nil
}

// remove takes a member out of its group; one without an id never was in it.
func (m Member) remove(id string, timeout time.Duration) error {
	if id == "" {
		return nil
	}
	client, err := m.Other()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group, request.MemberID = m.Group, id // the member by itself is for brokers before Kafka 2.4
	leaving := kmsg.NewLeaveGroupRequestMember()
	leaving.MemberID = id
	request.Members = append(request.Members, leaving)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	code := response.ErrorCode
	for _, member := range response.Members {
		code = cmp.Or(code, member.ErrorCode)
	}
	return kerr.ErrorForCode(code)
}
