package requests

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/group"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// The requests of consumer groups are the coordinator's.

func (s *Server) joinGroup(ctx context.Context, from *wire.Client, req *kmsg.JoinGroupRequest) (*kmsg.JoinGroupResponse, error) {
	return s.cfg.Groups.Join(ctx, group.Client{ID: from.ID, Host: from.Host}, req), nil
}

func (s *Server) syncGroup(ctx context.Context, _ *wire.Client, req *kmsg.SyncGroupRequest) (*kmsg.SyncGroupResponse, error) {
	return s.cfg.Groups.Sync(ctx, req), nil
}

func (s *Server) heartbeat(_ context.Context, _ *wire.Client, req *kmsg.HeartbeatRequest) (*kmsg.HeartbeatResponse, error) {
	return s.cfg.Groups.Heartbeat(req), nil
}

func (s *Server) leaveGroup(_ context.Context, _ *wire.Client, req *kmsg.LeaveGroupRequest) (*kmsg.LeaveGroupResponse, error) {
	return s.cfg.Groups.Leave(req), nil
}

func (s *Server) offsetCommit(_ context.Context, _ *wire.Client, req *kmsg.OffsetCommitRequest) (*kmsg.OffsetCommitResponse, error) {
	if s.full.Load() {
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		group.RefuseCommit(req, resp, kerr.CoordinatorNotAvailable)
		return resp, nil
	}
	return s.cfg.Groups.Commit(req), nil
}

func (s *Server) offsetFetch(_ context.Context, _ *wire.Client, req *kmsg.OffsetFetchRequest) (*kmsg.OffsetFetchResponse, error) {
	return s.cfg.Groups.Fetch(req), nil
}

func (s *Server) offsetDelete(_ context.Context, _ *wire.Client, req *kmsg.OffsetDeleteRequest) (*kmsg.OffsetDeleteResponse, error) {
	return s.cfg.Groups.DeleteOffsets(req), nil
}

func (s *Server) describeGroups(_ context.Context, _ *wire.Client, req *kmsg.DescribeGroupsRequest) (*kmsg.DescribeGroupsResponse, error) {
	return s.cfg.Groups.Describe(req), nil
}

func (s *Server) listGroups(_ context.Context, _ *wire.Client, req *kmsg.ListGroupsRequest) (*kmsg.ListGroupsResponse, error) {
	return s.cfg.Groups.List(req), nil
}

func (s *Server) deleteGroups(_ context.Context, _ *wire.Client, req *kmsg.DeleteGroupsRequest) (*kmsg.DeleteGroupsResponse, error) {
	return s.cfg.Groups.Delete(req), nil
}
