package requests

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// The kinds of FindCoordinator that have an answer.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
)

// findCoordinator answers FindCoordinator: it is this broker. That there are no
// transactions, a client learns when it asks for a producer id.
func (s *Server) findCoordinator(_ context.Context, _ *wire.Client, req *kmsg.FindCoordinatorRequest) (*kmsg.FindCoordinatorResponse, error) {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	for _, key := range keys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Host, c.Port = key, NodeID, s.cfg.Host, s.cfg.Port
		if req.CoordinatorType != groupCoordinator && req.CoordinatorType != transactionCoordinator {
			c.NodeID, c.Host, c.Port, c.ErrorCode = -1, "", -1, kerr.InvalidRequest.Code
		}
		resp.Coordinators = append(resp.Coordinators, c)
	}
	if req.Version < 4 {
		c := resp.Coordinators[0]
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode = c.NodeID, c.Host, c.Port, c.ErrorCode
		resp.Coordinators = nil
	}
	return resp, nil
}

// initProducerID answers InitProducerID, for idempotent producers.
func (s *Server) initProducerID(_ context.Context, _ *wire.Client, req *kmsg.InitProducerIDRequest) (*kmsg.InitProducerIDResponse, error) {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		s.log.Warn("broker: refusing a transactional producer: the embedded broker has no transactions; use a real Kafka for them", "transactional_id", *req.TransactionalID)
		resp.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		return resp, nil
	}
	id, err := s.cfg.Catalog.ProducerID()
	if err != nil {
		s.log.Error("broker: a producer id could not be noted; the client tries again", "error", err)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp, nil
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp, nil
}

// describeCluster answers DescribeCluster.
func (s *Server) describeCluster(_ context.Context, _ *wire.Client, req *kmsg.DescribeClusterRequest) (*kmsg.DescribeClusterResponse, error) {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	const brokers = 1
	if req.Version >= 1 && req.EndpointType != brokers {
		err := refusal.New(kerr.UnsupportedEndpointType, "the embedded broker has no controllers of their own")
		resp.ErrorCode, resp.ErrorMessage = code(err), message(err)
		return resp, nil
	}
	resp.EndpointType = brokers
	resp.ClusterID, resp.ControllerID = s.cfg.Catalog.ClusterID(), NodeID
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, s.cfg.Host, s.cfg.Port
	resp.Brokers = append(resp.Brokers, b)
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOperations
	}
	return resp, nil
}

// describeLogDirs answers DescribeLogDirs.
func (s *Server) describeLogDirs(_ context.Context, _ *wire.Client, req *kmsg.DescribeLogDirsRequest) (*kmsg.DescribeLogDirsResponse, error) {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.TotalBytes, dir.UsableBytes = s.cfg.DataDir, -1, -1
	if total, free, err := s.cfg.DiskSpace(); err == nil {
		dir.TotalBytes, dir.UsableBytes = total, free
	}
	wanted := map[string]map[int32]bool{}
	for _, t := range req.Topics {
		if wanted[t.Topic] == nil {
			wanted[t.Topic] = map[int32]bool{}
		}
		for _, p := range t.Partitions {
			wanted[t.Topic][p] = true
		}
	}
	for _, t := range s.cfg.Catalog.Topics() {
		partitions, asked := wanted[t.Name]
		if req.Topics != nil && !asked {
			continue
		}
		rt := kmsg.NewDescribeLogDirsResponseDirTopic()
		rt.Topic = t.Name
		for p, log := range t.Partitions {
			if req.Topics != nil && !partitions[int32(p)] {
				continue
			}
			rp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			rp.Partition, rp.Size = int32(p), log.Size()
			rt.Partitions = append(rt.Partitions, rp)
		}
		dir.Topics = append(dir.Topics, rt)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp, nil
}
