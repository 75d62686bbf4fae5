package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errMissing is the answer for a partition that the cluster doesn't know.
var errMissing = errors.New("the cluster does not know the partition")

// errAnew is the end of a follower whose topic gave its name to another one.
var errAnew = errors.New("the topic was deleted and made anew while it was being read")

// topicID is a topic's id; zeros for brokers that know none.
type topicID = [16]byte

// place is where a partition is read.
type place struct {
	broker int32 // that leads it; -1 is nobody
	topic  topicID
}

// forget makes the next one look up who leads a partition.
func (r *Reader) forget(p Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leaders, p)
}

// leader gives the place of a partition, and whether it was known before.
func (r *Reader) leader(ctx context.Context, p Partition) (at place, known bool, err error) {
	r.mu.Lock()
	at, known = r.leaders[p]
	r.mu.Unlock()
	if known {
		return at, true, nil
	}
	found, err := r.findLeaders(ctx, []Partition{p})
	return found[p], false, err
}

// findLeaders asks for the places of partitions, all of which must have a leader.
func (r *Reader) findLeaders(ctx context.Context, partitions []Partition) (map[Partition]place, error) {
	var topics []string
	for _, p := range partitions {
		if !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	if len(topics) == 0 {
		return nil, nil
	}
	found, err := r.askLeaders(ctx, topics)
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		at, ok := found[p]
		switch {
		case !ok:
			return nil, fmt.Errorf("reading %s: %w", p, errMissing)
		case at.broker < 0:
			return nil, fmt.Errorf("reading %s: %w", p, kerr.LeaderNotAvailable)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range partitions {
		r.leaders[p] = found[p]
	}
	return found, nil
}

// askLeaders asks the cluster for the places of the partitions of topics. A topic
// that does not exist has none.
func (r *Reader) askLeaders(ctx context.Context, topics []string) (map[Partition]place, error) {
	// Both clients learn the brokers' addresses from the answer they get.
	var resp *kmsg.MetadataResponse
	for _, client := range []*kgo.Client{r.tail, r.past} {
		req := kmsg.NewPtrMetadataRequest()
		for _, topic := range topics {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(topic)
			req.Topics = append(req.Topics, t)
		}
		var err error
		if resp, err = req.RequestWith(ctx, client); err != nil {
			return nil, fmt.Errorf("asking who leads partitions: %w", err)
		}
	}
	leaders := map[Partition]place{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || errors.Is(kerr.ErrorForCode(t.ErrorCode), kerr.UnknownTopicOrPartition) {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("asking who leads the partitions of topic %s: %w", *t.Topic, err)
		}
		for j := range t.Partitions {
			leaders[Partition{*t.Topic, t.Partitions[j].Partition}] = place{t.Partitions[j].Leader, t.TopicID}
		}
	}
	return leaders, nil
}
