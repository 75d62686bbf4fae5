package requests

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/catalog"
	"github.com/orderflow/orderflow/internal/embedded/broker/refusal"
	"github.com/orderflow/orderflow/internal/embedded/broker/settings"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// maxTopicsAtOnce is how many topics one request can make: each is answered with
// all its settings.
const maxTopicsAtOnce = 10_000

// createTopics answers CreateTopics.
func (s *Server) createTopics(_ context.Context, _ *wire.Client, req *kmsg.CreateTopicsRequest) (*kmsg.CreateTopicsResponse, error) {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	var refused error
	if len(req.Topics) > maxTopicsAtOnce {
		refused = refusal.New(kerr.InvalidRequest, "%d topics in one request; the embedded broker makes up to %d", len(req.Topics), maxTopicsAtOnce)
	}
	times := map[string]int{}
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
	}
	answered := map[string]bool{}
	for i := range req.Topics {
		t := &req.Topics[i]
		if answered[t.Topic] {
			continue
		}
		answered[t.Topic] = true
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.Topic, -1, -1
		err := refusal.New(kerr.InvalidRequest, "Duplicate topic in request.")
		if refused != nil {
			err = refused
		} else if times[t.Topic] == 1 {
			err = s.createTopic(t, req.ValidateOnly, &rt)
		}
		rt.ErrorCode, rt.ErrorMessage = code(err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// makeTopic makes a topic for which nothing is committed: what may be left of a deleted
// one that had its name would have its readers leave out records.
func (s *Server) makeTopic(name string, partitions int, values settings.Values) (*catalog.Topic, error) {
	if s.cfg.Catalog.Topic(name) == nil {
		if err := s.cfg.Groups.ForgetTopic(name); err != nil {
			return nil, fmt.Errorf("forgetting the offsets committed for an earlier topic %s: %w: %w", name, err, kerr.KafkaStorageError)
		}
	}
	return s.cfg.Catalog.Create(name, partitions, values)
}

func (s *Server) createTopic(t *kmsg.CreateTopicsRequestTopic, validateOnly bool, rt *kmsg.CreateTopicsResponseTopic) error {
	if s.full.Load() {
		return refusal.New(kerr.KafkaStorageError, "too little disk space is free")
	}
	partitions, err := s.wantedPartitions(t)
	if err != nil {
		return err
	}
	values := settings.Values{}
	for _, c := range t.Configs {
		if c.Value == nil {
			return refusal.New(kerr.InvalidConfig, "Null value not supported for topic configs: %s", c.Name)
		}
		values[c.Name] = *c.Value
	}
	if err := s.cfg.Catalog.CheckNew(t.Topic, partitions, values); err != nil {
		return err
	}
	if !validateOnly {
		made, err := s.makeTopic(t.Topic, partitions, values)
		if err != nil {
			return err
		}
		rt.TopicID = made.ID
	}
	rt.NumPartitions, rt.ReplicationFactor = int32(partitions), 1
	for _, d := range settings.Topic() {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = d.Name, kmsg.StringPtr(values.Get(d.Name)), int8(kmsg.ConfigSourceDefaultConfig)
		if _, set := values[d.Name]; set {
			c.Source = int8(kmsg.ConfigSourceDynamicTopicConfig)
		}
		rt.Configs = append(rt.Configs, c)
	}
	return nil
}

// wantedPartitions gives how many partitions a new topic is to have: a number,
// or a list of the brokers of each.
func (s *Server) wantedPartitions(t *kmsg.CreateTopicsRequestTopic) (int, error) {
	if len(t.ReplicaAssignment) == 0 {
		if t.ReplicationFactor > 1 {
			return 0, refusal.New(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only 1 broker(s) are registered.", t.ReplicationFactor, t.ReplicationFactor)
		}
		if t.ReplicationFactor == 0 || t.ReplicationFactor < -1 {
			return 0, refusal.New(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
		}
		switch {
		case t.NumPartitions == -1:
			return s.cfg.Partitions, nil
		case t.NumPartitions < 1:
			return 0, refusal.New(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
		}
		return int(t.NumPartitions), nil
	}
	if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
		return 0, refusal.New(kerr.InvalidRequest, "Both partitions and an assignment were given")
	}
	var replicas [][]int32
	for _, a := range t.ReplicaAssignment {
		replicas = append(replicas, a.Replicas)
		if int(a.Partition) >= len(t.ReplicaAssignment) || a.Partition < 0 {
			return 0, refusal.New(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return len(replicas), checkReplicas(replicas)
}

// checkReplicas reports what is wrong with the brokers that partitions are to be
// on: there is one.
func checkReplicas(partitions [][]int32) error {
	for _, replicas := range partitions {
		if len(replicas) != 1 || replicas[0] != NodeID {
			return refusal.New(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker(s) other than %d", NodeID)
		}
	}
	return nil
}

// deleteTopics answers DeleteTopics.
func (s *Server) deleteTopics(_ context.Context, _ *wire.Client, req *kmsg.DeleteTopicsRequest) (*kmsg.DeleteTopicsResponse, error) {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := req.Topics
	for _, name := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(name)})
	}
	for _, a := range asked {
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic, rt.TopicID = a.Topic, a.TopicID
		t, err := s.named(a.Topic, a.TopicID)
		if err == nil {
			rt.Topic, rt.TopicID = kmsg.StringPtr(t.Name), t.ID
			if err = s.cfg.Catalog.Delete(t); err == nil {
				if err := s.cfg.Groups.ForgetTopic(t.Name); err != nil {
					s.log.Warn("broker: forgetting the offsets committed for a deleted topic", "topic", t.Name, "error", err)
				}
			}
		}
		rt.ErrorCode, rt.ErrorMessage = code(err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

// named gives the topic with a name or, without one, with an id.
func (s *Server) named(name *string, id catalog.ID) (*catalog.Topic, error) {
	if name == nil {
		if t := s.cfg.Catalog.ByID(id); t != nil {
			return t, nil
		}
		return nil, kerr.UnknownTopicID
	}
	if t := s.cfg.Catalog.Topic(*name); t != nil {
		return t, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

// createPartitions answers CreatePartitions.
func (s *Server) createPartitions(_ context.Context, _ *wire.Client, req *kmsg.CreatePartitionsRequest) (*kmsg.CreatePartitionsResponse, error) {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewCreatePartitionsResponseTopic()
		rt.Topic = t.Topic
		err := s.grow(t, req.ValidateOnly)
		rt.ErrorCode, rt.ErrorMessage = code(err), message(err)
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func (s *Server) grow(want *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	if s.full.Load() {
		return refusal.New(kerr.KafkaStorageError, "too little disk space is free")
	}
	t, err := s.named(&want.Topic, catalog.ID{})
	if err != nil {
		return err
	}
	if err := s.cfg.Catalog.CheckGrow(t, int(want.Count)); err != nil {
		return err
	}
	if want.Assignment != nil {
		if added := int(want.Count) - len(t.Partitions); len(want.Assignment) != added {
			return refusal.New(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", added, len(want.Assignment))
		}
		var replicas [][]int32
		for _, a := range want.Assignment {
			replicas = append(replicas, a.Replicas)
		}
		if err := checkReplicas(replicas); err != nil {
			return err
		}
	}
	if validateOnly {
		return nil
	}
	return s.cfg.Catalog.Grow(t, int(want.Count))
}

// deleteRecords answers DeleteRecords.
func (s *Server) deleteRecords(_ context.Context, _ *wire.Client, req *kmsg.DeleteRecordsRequest) (*kmsg.DeleteRecordsResponse, error) {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		topic := s.cfg.Catalog.Topic(t.Topic)
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition, rp.LowWatermark = p.Partition, -1
			start, err := int64(-1), error(kerr.UnknownTopicOrPartition)
			if topic != nil {
				start, err = s.cfg.Catalog.Trim(topic, p.Partition, p.Offset)
			}
			if rp.ErrorCode = code(err); err == nil {
				rp.LowWatermark = start
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}
