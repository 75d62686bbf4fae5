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

// forget makes the next one look up who leads a partition.
func (r *Reader) forget(p Partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leaders, p)
}

// findLeaders asks for the leaders of those partitions whose leader isn't known.
func (r *Reader) findLeaders(ctx context.Context, partitions []Partition) error {
	var topics []string
	r.mu.Lock()
	for _, p := range partitions {
		if _, ok := r.leaders[p]; !ok && !slices.Contains(topics, p.Topic) {
			topics = append(topics, p.Topic)
		}
	}
	r.mu.Unlock()
	if len(topics) == 0 {
		return nil
	}
	found, err := r.askLeaders(ctx, topics)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, leader := range found {
		if _, known := r.leaders[p]; !known && leader >= 0 {
			r.leaders[p] = leader
		}
	}
	for _, p := range partitions {
		if _, ok := r.leaders[p]; ok {
			continue
		}
		if _, ok := found[p]; ok {
			return fmt.Errorf("reading %s: %w", p, kerr.LeaderNotAvailable)
		}
		return fmt.Errorf("reading %s: %w", p, errMissing)
	}
	return nil
}

// askLeaders asks the cluster who leads the partitions of topics; -1 is nobody. A
// topic that does not exist has none.
func (r *Reader) askLeaders(ctx context.Context, topics []string) (map[Partition]int32, error) {
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
	leaders := map[Partition]int32{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || errors.Is(kerr.ErrorForCode(t.ErrorCode), kerr.UnknownTopicOrPartition) {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("asking who leads the partitions of topic %s: %w", *t.Topic, err)
		}
		for j := range t.Partitions {
			leaders[Partition{*t.Topic, t.Partitions[j].Partition}] = t.Partitions[j].Leader
		}
	}
	return leaders, nil
}
