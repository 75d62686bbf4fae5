package group

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderflow/orderflow/internal/embedded/broker/journal"
)

// Commit answers an OffsetCommit request.
func (c *Coordinator) Commit(req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	g, refusal := c.mayCommit(req)
	if refusal == nil {
		defer g.mu.Unlock()
	}
	var changes []journal.Change
	offsets := map[topicPartition]storedOffset{}
	now := time.Now().UnixMilli()
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition = p.Partition
			o := storedOffset{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Committed: now}
			if p.Metadata != nil {
				o.Metadata = *p.Metadata
			}
			switch {
			case refusal != nil:
				rp.ErrorCode = refusal.Code
			case !c.cfg.HasPartition(t.Topic, p.Partition):
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case len(o.Metadata) > c.cfg.MaxMetadata:
				rp.ErrorCode = kerr.OffsetMetadataTooLarge.Code
			default:
				tp := topicPartition{t.Topic, p.Partition}
				raw, err := json.Marshal(o)
				if err != nil {
					rp.ErrorCode = kerr.UnknownServerError.Code
					break
				}
				offsets[tp] = o
				changes = append(changes, journal.Change{Key: offsetKeyOf(g.name, tp), Value: raw})
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if refusal != nil {
		return resp
	}
	err := c.cfg.Journal.Apply(changes...)
	if errors.Is(err, journal.ErrTooLarge) {
		RefuseCommit(req, resp, kerr.InvalidCommitOffsetSize)
		return resp
	}
	if err != nil {
		c.cfg.Logger.Error("broker: an offset commit could not be written and is refused; the client tries again", "group", req.Group, "error", err)
		RefuseCommit(req, resp, kerr.CoordinatorNotAvailable)
		return resp
	}
	maps.Copy(g.offsets, offsets)
	return resp
}

// RefuseCommit answers all partitions of a commit with an error.
func RefuseCommit(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err *kerr.Error) {
	resp.Topics = nil
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, err.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
}

// mayCommit gives the group, locked, or why the sender may not commit.
func (c *Coordinator) mayCommit(req *kmsg.OffsetCommitRequest) (*group, *kerr.Error) {
	if req.Group == "" || len(req.Group) > maxText {
		return nil, kerr.InvalidGroupID
	}
	g := c.lookup(req.Group)
	if g == nil {
		if req.Generation >= 0 {
			return nil, kerr.IllegalGeneration
		}
		g = c.obtain(req.Group)
	}
	g.mu.Lock()
	if err := g.mayCommit(req); err != nil {
		g.mu.Unlock()
		return nil, err
	}
	return g, nil
}

func (g *group) mayCommit(req *kmsg.OffsetCommitRequest) *kerr.Error {
	switch {
	case g.state == dead:
		return kerr.CoordinatorNotAvailable
	case req.Generation < 0 && req.MemberID == "" && req.InstanceID == nil && g.state == empty:
		return nil // somebody who assigns partitions to itself, or an administrator
	}
	m, err := g.member(req.MemberID, req.InstanceID)
	switch {
	case err != nil:
		return err
	case req.Generation != g.generation:
		return kerr.IllegalGeneration
	case g.state == completing:
		return kerr.RebalanceInProgress
	}
	m.heard = time.Now()
	return nil
}

// Fetch answers an OffsetFetch request.
func (c *Coordinator) Fetch(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		answered := map[string]bool{}
		for _, rg := range req.Groups {
			if !answered[rg.Group] {
				answered[rg.Group] = true
				resp.Groups = append(resp.Groups, c.fetch(rg))
			}
		}
		return resp
	}
	// Before version 8, one group, in fields of its own.
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = req.Group
	if req.Topics != nil {
		rg.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		rg.Topics = append(rg.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	got := c.fetch(rg)
	resp.ErrorCode = got.ErrorCode
	for _, t := range got.Topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Coordinator) fetch(req kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = req.Group
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	offsets := map[topicPartition]storedOffset{}
	if g := c.lookup(req.Group); g != nil {
		g.mu.Lock()
		offsets = maps.Clone(g.offsets)
		g.mu.Unlock()
	}
	asked := req.Topics
	if asked == nil {
		asked = topicsOf(offsets)
	}
	for _, t := range asked {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = p, -1, -1, kmsg.StringPtr("")
			if o, ok := offsets[topicPartition{t.Topic, p}]; ok {
				rp.Offset, rp.LeaderEpoch, rp.Metadata = o.Offset, o.LeaderEpoch, kmsg.StringPtr(o.Metadata)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func topicsOf(offsets map[topicPartition]storedOffset) []kmsg.OffsetFetchRequestGroupTopic {
	partitions := map[string][]int32{}
	for tp := range offsets {
		partitions[tp.topic] = append(partitions[tp.topic], tp.partition)
	}
	var topics []kmsg.OffsetFetchRequestGroupTopic
	for topic, ps := range partitions {
		slices.Sort(ps)
		topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: ps})
	}
	slices.SortFunc(topics, func(a, b kmsg.OffsetFetchRequestGroupTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	return topics
}

// DeleteOffsets answers an OffsetDelete request.
func (c *Coordinator) DeleteOffsets(req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	if req.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return resp
	}
	g := c.lookup(req.Group)
	if g == nil {
		resp.ErrorCode = kerr.GroupIDNotFound.Code
		return resp
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	subscribed, known := g.subscriptions()
	if g.state != empty && !known {
		resp.ErrorCode = kerr.NonEmptyGroup.Code
		return resp
	}
	var changes []journal.Change
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			tp := topicPartition{t.Topic, p.Partition}
			switch _, committed := g.offsets[tp]; {
			case subscribed[t.Topic]:
				rp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			case committed:
				changes = append(changes, journal.Change{Key: offsetKeyOf(g.name, tp)})
				delete(g.offsets, tp)
			case !c.cfg.HasPartition(t.Topic, p.Partition):
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	if err := c.cfg.Journal.Apply(changes...); err != nil {
		c.cfg.Logger.Error("broker: deleting offsets could not be written down; they may come back with the next start", "group", req.Group, "error", err)
		resp.ErrorCode, resp.Topics = kerr.CoordinatorNotAvailable.Code, nil
	}
	return resp
}

// subscriptions are the topics that the members said they read; known is false
// when the group isn't one of consumers.
func (g *group) subscriptions() (topics map[string]bool, known bool) {
	if g.protocolType != "consumer" {
		return nil, false
	}
	topics = map[string]bool{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			var meta kmsg.ConsumerMemberMetadata
			if meta.ReadFrom(p.Metadata) != nil {
				return nil, false
			}
			for _, topic := range meta.Topics {
				topics[topic] = true
			}
		}
	}
	return topics, true
}
