package group

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client says who sent a request.
type Client struct {
	ID   string
	Host string // as "/127.0.0.1", Kafka's way
}

// Join answers a JoinGroup request, once all members have joined.
func (c *Coordinator) Join(ctx context.Context, from Client, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	resp, wait := c.join(from, req)
	if wait != nil {
		select {
		case resp = <-wait:
		case <-ctx.Done():
			resp = joinError(kerr.CoordinatorNotAvailable, req.MemberID)
		}
	}
	resp.Version = req.Version
	if resp.Protocol == nil && req.Version < 7 {
		resp.Protocol = kmsg.StringPtr("")
	}
	return &resp
}

func joinError(err *kerr.Error, memberID string) kmsg.JoinGroupResponse {
	resp := kmsg.NewJoinGroupResponse()
	resp.ErrorCode, resp.Generation, resp.MemberID = err.Code, -1, memberID
	return resp
}

func (c *Coordinator) join(from Client, req *kmsg.JoinGroupRequest) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	switch {
	case req.Group == "" || len(req.Group) > maxText:
		return joinError(kerr.InvalidGroupID, req.MemberID), nil
	case tooLarge(from, req):
		return joinError(kerr.InvalidRequest, req.MemberID), nil
	case session < c.cfg.MinSession || session > c.cfg.MaxSession:
		return joinError(kerr.InvalidSessionTimeout, req.MemberID), nil
	}
	for {
		g := c.lookup(req.Group)
		if g == nil {
			if req.MemberID != "" {
				return joinError(kerr.UnknownMemberID, req.MemberID), nil
			}
			g = c.obtain(req.Group)
		}
		g.mu.Lock()
		if g.state == dead {
			g.mu.Unlock()
			if c.lookup(req.Group) == g { // the coordinator is closed
				return joinError(kerr.CoordinatorNotAvailable, req.MemberID), nil
			}
			continue
		}
		resp, wait := g.join(from, req)
		g.mu.Unlock()
		return resp, wait
	}
}

func (g *group) join(from Client, req *kmsg.JoinGroupRequest) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	if !g.supports(req) {
		return joinError(kerr.InconsistentGroupProtocol, req.MemberID), nil
	}
	if req.MemberID == "" {
		return g.joinNew(from, req)
	}
	if timer, ok := g.pending[req.MemberID]; ok {
		if req.InstanceID != nil {
			return joinError(kerr.UnknownMemberID, req.MemberID), nil
		}
		timer.Stop()
		delete(g.pending, req.MemberID)
		return g.enter(g.newMember(req.MemberID, from, req))
	}
	m, err := g.member(req.MemberID, req.InstanceID)
	if err != nil {
		return joinError(err, req.MemberID), nil
	}
	m.heard = time.Now()
	same := sameProtocols(m.protocols, req.Protocols)
	switch {
	case g.state == completing && same:
		return g.joinResult(m), nil // the answer got lost
	case g.state == stable && same && m.id != g.leader:
		return g.joinResult(m), nil
	}
	m.update(from, req)
	return g.enter(m)
}

// tooLarge tells whether a member says more of itself than is kept.
func tooLarge(from Client, req *kmsg.JoinGroupRequest) bool {
	size := len(from.ID) + len(req.ProtocolType)
	if req.InstanceID != nil {
		size += len(*req.InstanceID)
	}
	for i := range req.Protocols {
		size += len(req.Protocols[i].Name) + len(req.Protocols[i].Metadata)
	}
	return size > maxMemberBytes || len(req.Protocols) > maxProtocols
}

// supports tells whether a member could work with those who are there.
func (g *group) supports(req *kmsg.JoinGroupRequest) bool {
	if req.ProtocolType == "" || len(req.Protocols) == 0 {
		return false
	}
	others := 0
	for _, m := range g.members {
		if m.id != req.MemberID && (m.instance == "" || req.InstanceID == nil || m.instance != *req.InstanceID) {
			others++
		}
	}
	if others == 0 {
		return true
	}
	if g.protocolType != req.ProtocolType {
		return false
	}
	return slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return g.allHave(p.Name) })
}

func (g *group) joinNew(from Client, req *kmsg.JoinGroupRequest) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	replaces := req.InstanceID != nil && g.members[g.instances[*req.InstanceID]] != nil
	if !replaces && len(g.members)+len(g.pending) >= g.c.cfg.MaxMembers {
		return joinError(kerr.GroupMaxSizeReached, req.MemberID), nil
	}
	if req.InstanceID != nil {
		id := *req.InstanceID + "-" + newID()
		if old := g.members[g.instances[*req.InstanceID]]; old != nil {
			return g.replace(old, id, from, req)
		}
		return g.enter(g.newMember(id, from, req))
	}
	id := from.ID + "-" + newID()
	if req.Version < 4 {
		return g.enter(g.newMember(id, from, req))
	}
	// The member has to come again with its id, so that one whose answer gets
	// lost doesn't stay as a member that never answers.
	g.pending[id] = time.AfterFunc(time.Duration(req.SessionTimeoutMillis)*time.Millisecond, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if _, ok := g.pending[id]; ok {
			delete(g.pending, id)
			g.tryComplete()
		}
	})
	return joinError(kerr.MemberIDRequired, id), nil
}

// replace gives a static member's place to the one that came in its name.
func (g *group) replace(old *member, id string, from Client, req *kmsg.JoinGroupRequest) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	place := slices.Index(g.order, old.id)
	led := g.leader == old.id
	g.drop(old, kerr.FencedInstanceID)
	m := g.newMember(id, from, req)
	m.assignment, m.synced = old.assignment, old.synced
	g.add(m)
	g.order = slices.Insert(g.order[:len(g.order)-1], place, id)
	if led {
		g.leader = id
	}
	if g.state != stable || !bytes.Equal(old.metadata(g.protocol), m.metadata(g.protocol)) || !m.has(g.protocol) {
		return g.wait(m)
	}
	resp := g.joinResult(m)
	resp.Members = nil
	if led {
		// Nobody need assign anew: a leader that can't be told so is told that
		// another one leads.
		if resp.LeaderID = old.id; m.supportsSkipping {
			resp.LeaderID, resp.SkipAssignment, resp.Members = id, true, g.roster()
		}
	}
	return resp, nil
}

func (g *group) newMember(id string, from Client, req *kmsg.JoinGroupRequest) *member {
	m := &member{id: id}
	if req.InstanceID != nil {
		m.instance = *req.InstanceID
	}
	m.update(from, req)
	return m
}

func (m *member) update(from Client, req *kmsg.JoinGroupRequest) {
	m.clientID, m.host, m.protocolType = from.ID, from.Host, req.ProtocolType
	m.session = time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	m.rebalance = time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	if req.Version == 0 || m.rebalance <= 0 {
		m.rebalance = m.session
	}
	m.supportsSkipping = req.Version >= 9
	m.protocols = make([]kmsg.JoinGroupRequestProtocol, len(req.Protocols))
	for i, p := range req.Protocols {
		m.protocols[i] = kmsg.JoinGroupRequestProtocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)}
	}
}

// enter has a member, new or known, wait for the others.
func (g *group) enter(m *member) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	if g.members[m.id] == nil {
		g.add(m)
	}
	return g.wait(m)
}

func (g *group) wait(m *member) (kmsg.JoinGroupResponse, <-chan kmsg.JoinGroupResponse) {
	m.answerJoin(joinError(kerr.RebalanceInProgress, m.id)) // it asked twice
	wait := make(chan kmsg.JoinGroupResponse, 1)
	m.joining = wait
	if len(g.members) == 1 {
		g.protocolType = m.protocolType
	}
	if g.state == preparing {
		g.tryComplete()
	} else {
		g.prepare()
	}
	return kmsg.JoinGroupResponse{}, wait
}

func sameProtocols(a, b []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(a, b, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// member gives the member that a request comes from, or why it can't be it.
func (g *group) member(id string, instance *string) (*member, *kerr.Error) {
	if instance != nil {
		current, ok := g.instances[*instance]
		switch {
		case !ok:
			return nil, kerr.UnknownMemberID
		case current != id:
			return nil, kerr.FencedInstanceID
		}
	}
	m := g.members[id]
	if m == nil {
		return nil, kerr.UnknownMemberID
	}
	return m, nil
}

// newID makes a random id in the form of a UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // documented never to fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
