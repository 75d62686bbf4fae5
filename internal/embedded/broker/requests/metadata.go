package requests

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// metadata answers Metadata: the broker, and all or some topics.
func (s *Server) metadata(_ context.Context, _ *wire.Client, req *kmsg.MetadataRequest) (*kmsg.MetadataResponse, error) {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, s.cfg.Host, s.cfg.Port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(s.cfg.Catalog.ClusterID())
	resp.ControllerID = NodeID
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	operations := req.IncludeTopicAuthorizedOperations
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, t := range s.cfg.Catalog.Topics() {
			resp.Topics = append(resp.Topics, describeTopic(t, operations))
		}
		return resp, nil
	}
	create := s.cfg.AutoCreate && (req.AllowAutoTopicCreation || req.Version < 4) && len(req.Topics) <= maxTopicsAtOnce
	type topic struct {
		name string
		id   catalog.ID
	}
	answered := map[topic]bool{}
	for i := range req.Topics {
		asked := &req.Topics[i]
		key := topic{id: asked.TopicID}
		if asked.Topic != nil {
			key = topic{name: *asked.Topic}
		}
		if answered[key] {
			continue
		}
		answered[key] = true
		t, err := s.find(asked, create)
		if err == nil {
			resp.Topics = append(resp.Topics, describeTopic(t, operations))
			continue
		}
		rt := kmsg.NewMetadataResponseTopic()
		rt.Topic, rt.TopicID, rt.ErrorCode = asked.Topic, asked.TopicID, code(err)
		if rt.Topic == nil && req.Version < 12 {
			rt.Topic = kmsg.StringPtr("")
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// find gives the topic that a client asks for, made when that is allowed.
func (s *Server) find(asked *kmsg.MetadataRequestTopic, create bool) (*catalog.Topic, error) {
	if asked.Topic == nil {
		if t := s.cfg.Catalog.ByID(asked.TopicID); t != nil {
			return t, nil
		}
		return nil, kerr.UnknownTopicID
	}
	name := *asked.Topic
	if t := s.cfg.Catalog.Topic(name); t != nil {
		return t, nil
	}
	if err := catalog.CheckName(name); err != nil {
		return nil, err
	}
	switch {
	case !create:
		return nil, kerr.UnknownTopicOrPartition
	case s.full.Load():
		return nil, refusal.New(kerr.KafkaStorageError, "too little disk space is free")
	}
	t, err := s.makeTopic(name, s.cfg.Partitions, nil)
	if code(err) == kerr.TopicAlreadyExists.Code {
		if t := s.cfg.Catalog.Topic(name); t != nil {
			return t, nil
		}
	}
	return t, err
}

func describeTopic(t *catalog.Topic, operations bool) kmsg.MetadataResponseTopic {
	rt := kmsg.NewMetadataResponseTopic()
	rt.Topic, rt.TopicID = kmsg.StringPtr(t.Name), t.ID
	if operations {
		rt.AuthorizedOperations = topicOperations
	}
	rt.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for p := range rt.Partitions {
		rp := &rt.Partitions[p]
		rp.Default()
		rp.Partition, rp.Leader, rp.LeaderEpoch = int32(p), NodeID, commitlog.LeaderEpoch
		rp.Replicas, rp.ISR, rp.OfflineReplicas = []int32{NodeID}, []int32{NodeID}, []int32{}
	}
	return rt
}
