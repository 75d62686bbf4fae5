package group

import (
	"bytes"
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sync answers a SyncGroup request, once the leader has sent the assignment.
func (c *Coordinator) Sync(ctx context.Context, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	resp, wait := c.sync(req)
	if wait != nil {
		select {
		case resp = <-wait:
		case <-ctx.Done():
			resp = kmsg.SyncGroupResponse{ErrorCode: kerr.CoordinatorNotAvailable.Code}
		}
	}
	resp.Version = req.Version
	return &resp
}

func syncError(err *kerr.Error) kmsg.SyncGroupResponse {
	return kmsg.SyncGroupResponse{ErrorCode: err.Code}
}

func (c *Coordinator) sync(req *kmsg.SyncGroupRequest) (kmsg.SyncGroupResponse, <-chan kmsg.SyncGroupResponse) {
	if req.Group == "" {
		return syncError(kerr.InvalidGroupID), nil
	}
	g := c.lookup(req.Group)
	if g == nil {
		return syncError(kerr.UnknownMemberID), nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m, err := g.member(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return syncError(err), nil
	case req.Generation != g.generation:
		return syncError(kerr.IllegalGeneration), nil
	case req.ProtocolType != nil && *req.ProtocolType != g.protocolType, req.Protocol != nil && *req.Protocol != g.protocol:
		return syncError(kerr.InconsistentGroupProtocol), nil
	}
	for i := range req.GroupAssignment {
		if len(req.GroupAssignment[i].MemberAssignment) > maxMemberBytes {
			return syncError(kerr.InvalidRequest), nil
		}
	}
	m.heard = time.Now()
	switch g.state {
	case stable:
		m.synced = true
		return g.syncResult(m), nil
	case completing:
	default:
		return syncError(kerr.RebalanceInProgress), nil
	}
	m.answerSync(syncError(kerr.RebalanceInProgress)) // it asked twice
	wait := make(chan kmsg.SyncGroupResponse, 1)
	m.syncing, m.synced = wait, true
	if m.id == g.leader {
		for _, a := range req.GroupAssignment {
			if to := g.members[a.MemberID]; to != nil {
				to.assignment = bytes.Clone(a.MemberAssignment)
			}
		}
		g.state = stable
		for _, m := range g.members {
			m.answerSync(g.syncResult(m))
		}
	}
	return kmsg.SyncGroupResponse{}, wait
}

func (g *group) syncResult(m *member) kmsg.SyncGroupResponse {
	m.heard = time.Now()
	resp := kmsg.NewSyncGroupResponse()
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.MemberAssignment = m.assignment
	return resp
}

// Heartbeat answers a Heartbeat request.
func (c *Coordinator) Heartbeat(req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	if err := c.heartbeat(req); err != nil {
		resp.ErrorCode = err.Code
	}
	return resp
}

func (c *Coordinator) heartbeat(req *kmsg.HeartbeatRequest) *kerr.Error {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	g := c.lookup(req.Group)
	if g == nil {
		return kerr.UnknownMemberID
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m, err := g.member(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	}
	m.heard = time.Now()
	if g.state == preparing {
		return kerr.RebalanceInProgress
	}
	return nil
}

// Leave answers a LeaveGroup request.
func (c *Coordinator) Leave(req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	leaving := req.Members
	if req.Version < 3 {
		leaving = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	g := c.lookup(req.Group)
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
	}
	for _, l := range leaving {
		r := kmsg.NewLeaveGroupResponseMember()
		r.MemberID, r.InstanceID = l.MemberID, l.InstanceID
		err := kerr.UnknownMemberID
		if g != nil {
			err = g.leave(l)
		}
		if err != nil {
			r.ErrorCode = err.Code
		}
		resp.Members = append(resp.Members, r)
	}
	if req.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	if g != nil {
		g.changedBy(resp)
	}
	return resp
}

func (g *group) leave(l kmsg.LeaveGroupRequestMember) *kerr.Error {
	if timer, ok := g.pending[l.MemberID]; ok && l.InstanceID == nil {
		timer.Stop()
		delete(g.pending, l.MemberID)
		return nil
	}
	id := l.MemberID
	if id == "" && l.InstanceID != nil {
		id = g.instances[*l.InstanceID] // an administrator names the instance only
	}
	m, err := g.member(id, l.InstanceID)
	if err != nil {
		return err
	}
	g.drop(m, kerr.UnknownMemberID)
	return nil
}

// changedBy rebalances once after all members of a request have left.
func (g *group) changedBy(resp *kmsg.LeaveGroupResponse) {
	left := resp.ErrorCode == 0 && resp.Members == nil
	for _, m := range resp.Members {
		left = left || m.ErrorCode == 0
	}
	if left {
		g.changed()
	}
}
