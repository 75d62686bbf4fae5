package requests

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/commitlog"
	"github.com/orderflow/orderflow/internal/embedded/broker/wire"
)

// The timestamps of ListOffsets that stand for something else.
const (
	latest        = -1
	earliest      = -2
	newestRecord  = -3
	earliestLocal = -4
	latestTiered  = -5
)

// partition gives the log of a partition, if a client that knows an epoch may
// use it.
func (s *Server) partition(topic string, p, epoch int32) (*commitlog.Log, error) {
	t := s.cfg.Catalog.Topic(topic)
	if t == nil || t.Partition(p) == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	if epoch > commitlog.LeaderEpoch {
		return nil, kerr.UnknownLeaderEpoch
	}
	return t.Partition(p), nil
}

// listOffsets answers ListOffsets: where partitions begin and end, and which
// offset a time has.
func (s *Server) listOffsets(_ context.Context, _ *wire.Client, req *kmsg.ListOffsetsRequest) (*kmsg.ListOffsetsResponse, error) {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewListOffsetsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsResponseTopicPartition()
			rp.Partition, rp.Offset, rp.Timestamp, rp.LeaderEpoch = p.Partition, -1, -1, -1
			log, err := s.partition(t.Topic, p.Partition, p.CurrentLeaderEpoch)
			if err == nil {
				err = listOffset(log, p.Timestamp, &rp)
			}
			rp.ErrorCode = code(err)
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}

func listOffset(log *commitlog.Log, timestamp int64, rp *kmsg.ListOffsetsResponseTopicPartition) error {
	start, end := log.Bounds()
	var found commitlog.Found
	var ok bool
	var err error
	switch timestamp {
	case latest:
		rp.Offset, rp.LeaderEpoch = end, commitlog.LeaderEpoch
		return nil
	case earliest, earliestLocal:
		rp.Offset, rp.LeaderEpoch = start, commitlog.LeaderEpoch
		return nil
	case latestTiered:
		return nil
	case newestRecord:
		found, ok, err = log.Newest()
	default:
		if timestamp < 0 {
			return kerr.UnsupportedVersion
		}
		found, ok, err = log.AtTime(timestamp)
	}
	if ok {
		rp.Offset, rp.Timestamp, rp.LeaderEpoch = found.Offset, found.Timestamp, commitlog.LeaderEpoch
	}
	return err
}

// offsetForLeaderEpoch answers OffsetForLeaderEpoch: where an epoch ended.
func (s *Server) offsetForLeaderEpoch(_ context.Context, _ *wire.Client, req *kmsg.OffsetForLeaderEpochRequest) (*kmsg.OffsetForLeaderEpochResponse, error) {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
			log, err := s.partition(t.Topic, p.Partition, p.CurrentLeaderEpoch)
			rp.ErrorCode = code(err)
			if err == nil && p.LeaderEpoch == commitlog.LeaderEpoch {
				_, end := log.Bounds()
				rp.LeaderEpoch, rp.EndOffset = commitlog.LeaderEpoch, end
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil
}
